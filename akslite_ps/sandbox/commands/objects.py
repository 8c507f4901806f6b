"""Commands that shape objects: Select-Object, Sort-Object, Measure-Object, ForEach-Object with a member.

With the parts that need no script block; a restricted endpoint takes none.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import (
    compare,
    is_sequence,
    property_names,
    property_of,
    text_of,
    type_name_of,
    wildcard,
)
from akslite_ps.sandbox.engine import PsValue

_UTILITY = "Microsoft.PowerShell.Utility"
_INPUT = parameter("InputObject", "PSObject", from_pipeline=True)
_CUSTOM_OBJECT = "System.Management.Automation.PSCustomObject"
_BASE_TYPES = (_CUSTOM_OBJECT, "System.Object")


# -- Select-Object ------------------------------------------------------------------------------------------------


async def select_object(call: Call) -> AsyncIterator[Any]:
    seen: list[Any] = []
    async for value in _picked(call):
        for item in _shaped(call, value):
            if call["Unique"]:
                if any(_same(item, other) for other in seen):
                    continue
                seen.append(item)
            yield item


async def _picked(call: Call) -> AsyncIterator[Any]:
    """The objects that -First, -Last, -Skip, -SkipLast and -Index leave; stops the commands before it when there are enough."""
    first, last, skip = call["First"], call["Last"], call["Skip"] or 0
    if call.is_bound("Index"):
        wanted = set(call["Index"])
        position = 0
        async for value in call.items():
            if position in wanted:
                yield value
            position += 1
            if position > max(wanted):
                return
        return
    if last is not None or call["SkipLast"]:
        values = [value async for value in call.items()]
        if last is not None:
            end = len(values) - skip
            for value in values[max(0, end - last) : max(0, end)]:
                yield value
        else:
            for value in values[: max(0, len(values) - call["SkipLast"])]:
                yield value
        return
    if first == 0:
        return
    left = first
    async for value in call.items():
        if skip > 0:
            skip -= 1
            continue
        yield value
        if left is not None:
            left -= 1
            if left == 0:
                return


def _shaped(call: Call, value: Any) -> list[Any]:
    expand = call["ExpandProperty"]
    wanted = call["Property"]
    if expand:
        found, inner = property_of(value, expand)
        if not found:
            call.error(
                f'Property "{expand}" cannot be found.',
                "ExpandPropertyNotFound",
                "InvalidArgument",
                exception="System.Management.Automation.PSArgumentException",
                target=value,
            )
            return []
        return list(inner) if is_sequence(inner) else [inner]
    if wanted is None and not call["ExcludeProperty"]:
        return [value]
    excluded = [wildcard(pattern) for pattern in call["ExcludeProperty"] or []]
    properties: dict[str, Any] = {}
    for entry in wanted or ["*"]:
        for name, item in _selected(value, entry):
            if not any(pattern.fullmatch(name) for pattern in excluded):
                properties[name] = item
    return [PsValue(properties, (f"Selected.{_short_type(value)}", *_BASE_TYPES))]


def _selected(value: Any, entry: Any) -> list[tuple[str, Any]]:
    if isinstance(entry, dict):
        label, expression = _calculated(entry)
        return [(label, property_of(value, expression)[1])]
    name = text_of(entry)
    if re.search(r"[*?\[]", name):
        pattern = wildcard(name)
        return [(real, property_of(value, real)[1]) for real in property_names(value) if pattern.fullmatch(real)]
    real = next((known for known in property_names(value) if known.casefold() == name.casefold()), name)
    return [(real, property_of(value, name)[1])]


def _calculated(entry: dict[Any, Any]) -> tuple[str, str]:
    """A calculated property without a script: ``@{Name = 'Shown as'; Expression = 'Property'}``."""
    keys = {str(key).casefold(): item for key, item in entry.items()}

    def of(*names: str) -> Any:
        return next((keys[k] for k in keys for name in names if name.startswith(k)), None)

    expression = text_of(of("expression"))
    return text_of(of("name", "label")) or expression, expression


def _short_type(value: Any) -> str:
    name = type_name_of(value)
    return name.removeprefix("Selected.")


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, PsValue) and isinstance(right, PsValue):
        return list(left.properties) == list(right.properties) and all(
            _same(left.properties[name], right.properties[name]) for name in left.properties
        )
    return compare(left, right, case_sensitive=True) == 0


# -- Sort-Object and Measure-Object -------------------------------------------------------------------------------


async def sort_object(call: Call) -> AsyncIterator[Any]:
    names = [text_of(name) for name in call["Property"] or []]
    sensitive = bool(call["CaseSensitive"])
    values = [value async for value in call.items() if value is not None]
    if names:
        values = [value for value in values if any(property_of(value, name)[0] for name in names)] + [
            value for value in values if not any(property_of(value, name)[0] for name in names)
        ]

    def keys(value: Any) -> list[Any]:
        return [property_of(value, name)[1] for name in names] if names else [value]

    def order(left: Any, right: Any) -> int:
        for first, second in zip(keys(left), keys(right), strict=True):
            by_value = compare(first, second, case_sensitive=sensitive)
            by_text = compare(text_of(first), text_of(second), case_sensitive=sensitive)
            result = by_value if by_value is not None else by_text
            if result:
                return result
        return 0

    values.sort(key=functools.cmp_to_key(order), reverse=bool(call["Descending"]))
    previous: deque[Any] = deque(maxlen=1)
    for value in values:
        if call["Unique"] and previous and order(previous[0], value) == 0:
            continue
        previous.append(value)
        yield value


async def measure_object(call: Call) -> AsyncIterator[PsValue]:
    if call.binding.parameter_set == "TextMeasure":
        yield await _measure_text(call)
        return
    names = call["Property"]
    if not names:
        yield _measurement(call, [value async for value in call.items()], None)
        return
    values = [value async for value in call.items()]
    for name in names:
        found = [item for value in values for there, item in [property_of(value, name)] if there]
        if values and not found:
            call.error(
                f'The property "{name}" cannot be found in the input for any objects.',
                "GenericMeasurePropertyNotFound",
                "InvalidArgument",
                exception="System.Management.Automation.PSArgumentException",
            )
            continue
        yield _measurement(call, found, name)


def _measurement(call: Call, values: list[Any], name: str | None) -> PsValue:
    numeric = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    asked = call["Sum"] or call["Average"]
    if asked and len(numeric) != len(values):
        wrong = next(value for value in values if not isinstance(value, int | float) or isinstance(value, bool))
        call.error(
            f'Input object "{text_of(wrong)}" is not numeric.',
            "NonNumericInputObject",
            "InvalidType",
            exception="System.Management.Automation.PSInvalidOperationException",
            target=wrong,
        )
    ordered = sorted(values, key=functools.cmp_to_key(lambda a, b: compare(a, b) or 0)) if values else []
    extremes: list[Any] = numeric if len(numeric) == len(values) else ordered
    return PsValue(
        {
            "Count": len(values),
            "Average": sum(numeric) / len(numeric) if call["Average"] and numeric else None,
            "Sum": sum(numeric) if call["Sum"] and numeric else None,
            "Maximum": max(numeric) if call["Maximum"] and extremes is numeric and numeric else _edge(call["Maximum"], ordered, -1),
            "Minimum": min(numeric) if call["Minimum"] and extremes is numeric and numeric else _edge(call["Minimum"], ordered, 0),
            "Property": name,
        },
        (
            "Microsoft.PowerShell.Commands.GenericMeasureInfo",
            "Microsoft.PowerShell.Commands.MeasureInfo",
            "System.Object",
        ),
    )


def _edge(asked: Any, ordered: list[Any], index: int) -> Any:
    return ordered[index] if asked and ordered else None


async def _measure_text(call: Call) -> PsValue:
    text = [text_of(value) async for value in call.items()]
    return PsValue(
        {
            "Lines": sum(len(item.splitlines()) or 1 for item in text) if call["Line"] else None,
            "Words": sum(len(item.split()) for item in text) if call["Word"] else None,
            "Characters": sum(len(item) for item in text) if call["Character"] else None,
            "Property": None,
        },
        ("Microsoft.PowerShell.Commands.TextMeasureInfo", "Microsoft.PowerShell.Commands.MeasureInfo", "System.Object"),
    )


_DEFAULT, _SKIP_LAST, _INDEX = "DefaultParameter", "SkipLastParameter", "IndexParameter"
_GENERIC, _TEXT = "GenericMeasure", "TextMeasure"
# -- ForEach-Object -----------------------------------------------------------------------------------------------


async def for_each_object(call: Call) -> AsyncIterator[Any]:
    """The named property of every object; the elements of a list one by one, as PowerShell puts them out."""
    async for value in call.items():
        found, inner = property_of(value, call["MemberName"])
        if found:
            for item in inner if is_sequence(inner) else [inner]:
                yield item


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "ForEach-Object",
        for_each_object,
        _INPUT,
        parameter("MemberName", "String", position=0, mandatory=True),
        module="Microsoft.PowerShell.Core",
        class_name="ForEachObjectCommand",
        synopsis="Takes one property of every object.",
        read_only=True,
    ),
    cmdlet(
        "Select-Object",
        select_object,
        _INPUT,
        parameter("Property", "Object[]", position=0, sets=[_DEFAULT, _SKIP_LAST]),
        parameter("ExcludeProperty", "String[]", sets=[_DEFAULT, _SKIP_LAST]),
        parameter("ExpandProperty", "String", sets=[_DEFAULT, _SKIP_LAST]),
        switch("Unique"),
        parameter("Last", "Int32", sets=[_DEFAULT], minimum=0),
        parameter("First", "Int32", sets=[_DEFAULT], minimum=0),
        parameter("Skip", "Int32", sets=[_DEFAULT], minimum=0),
        parameter("SkipLast", "Int32", sets=[_SKIP_LAST], minimum=0),
        switch("Wait", sets=[_DEFAULT, _INDEX]),
        parameter("Index", "Int32[]", sets=[_INDEX], minimum=0),
        module=_UTILITY,
        class_name="SelectObjectCommand",
        default_set=_DEFAULT,
        synopsis="Takes some of the objects, or some of their properties.",
        read_only=True,
    ),
    cmdlet(
        "Sort-Object",
        sort_object,
        _INPUT,
        parameter("Property", "Object[]", position=0),
        switch("Descending"),
        switch("Unique"),
        switch("CaseSensitive"),
        parameter("Culture", "String"),
        module=_UTILITY,
        class_name="SortObjectCommand",
        synopsis="Puts the objects in order.",
        read_only=True,
    ),
    cmdlet(
        "Measure-Object",
        measure_object,
        _INPUT,
        parameter("Property", "String[]", position=0),
        switch("Sum", sets=[_GENERIC]),
        switch("Average", sets=[_GENERIC]),
        switch("Maximum", sets=[_GENERIC]),
        switch("Minimum", sets=[_GENERIC]),
        switch("Line", sets=[_TEXT]),
        switch("Word", sets=[_TEXT]),
        switch("Character", sets=[_TEXT]),
        switch("IgnoreWhiteSpace", sets=[_TEXT]),
        module=_UTILITY,
        class_name="MeasureObjectCommand",
        default_set=_GENERIC,
        synopsis="Counts objects, and sums and compares their properties.",
        read_only=True,
    ),
)
