"""Select-Object: some of the objects, or some of their properties."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.commands.expressions import PropertyExpression, property_expressions
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.comparison import compare
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import CUSTOM_OBJECT, is_sequence, property_of, type_name_of, wildcard
from akslite_ps.sandbox.engine import PsValue

_KEYS: dict[str, tuple[str, ...]] = {"Name": ("String",), "Expression": ("String",)}


async def select_object(call: Call) -> AsyncIterator[Any]:
    wanted = property_expressions(call, call["Property"] or [], _KEYS)
    seen: list[Any] = []
    async for value in _picked(call):
        for item in _shaped(call, value, wanted):
            if call["Unique"]:
                if any(_same(item, other) for other in seen):
                    continue
                seen.append(item)
            yield item


async def _picked(call: Call) -> AsyncIterator[Any]:
    """The objects that -First, -Last, -Skip, -SkipLast and -Index leave; stops the commands before it when there are enough."""
    if call.is_bound("Index"):
        async for value in _indexed(call, set(call["Index"] or ())):
            yield value
    elif call["SkipLast"]:
        waiting: deque[Any] = deque()
        async for value in call.items():
            waiting.append(value)
            if len(waiting) > call["SkipLast"]:
                yield waiting.popleft()
    elif call["Last"] is not None:
        async for value in _first_and_last(call):
            yield value
    else:
        async for value in _first(call):
            yield value


async def _indexed(call: Call, wanted: set[int]) -> AsyncIterator[Any]:
    position = 0
    async for value in call.items():
        if position in wanted:
            yield value
        position += 1
        if not wanted or position > max(wanted):
            return


async def _first(call: Call) -> AsyncIterator[Any]:
    left, skip = call["First"], call["Skip"] or 0
    if left == 0:
        return
    async for value in call.items():
        if skip > 0:
            skip -= 1
            continue
        yield value
        if left is not None:
            left -= 1
            if left == 0:
                return


async def _first_and_last(call: Call) -> AsyncIterator[Any]:
    """With -First the skipped objects are the first ones, with -Last alone the last ones; none comes twice."""
    values = [value async for value in call.items()]
    first, last, skip = call["First"] or 0, call["Last"], call["Skip"] or 0
    if first:
        taken = values[skip : skip + first]
        rest = values[skip + first :]
        for value in [*taken, *rest[max(0, len(rest) - last) :]]:
            yield value
        return
    end = max(0, len(values) - skip)
    for value in values[max(0, end - last) : end]:
        yield value


def _shaped(call: Call, value: Any, wanted: list[PropertyExpression]) -> list[Any]:
    expand, excluded = call["ExpandProperty"], call["ExcludeProperty"]
    # Windows PowerShell heeds -ExcludeProperty only beside -Property.
    if not wanted:
        return _expanded(call, value, expand) if expand else [value]
    patterns = [wildcard(pattern) for pattern in excluded or []]
    properties: dict[str, Any] = {}
    for expression in wanted:
        for label, _, item in expression.of(value):
            if any(pattern.fullmatch(label) for pattern in patterns):
                continue
            if any(label.casefold() == known.casefold() for known in properties):
                call.error(
                    f'The property cannot be processed because the property "{label}" already exists.',
                    "AlreadyExistingUserSpecifiedPropertyNoExpand",
                    "InvalidOperation",
                    exception="System.Management.Automation.PSArgumentException",
                    target=value,
                )
                continue
            properties[label] = item
    if expand:
        return [_with_properties(item, properties) for item in _expanded(call, value, expand)]
    return [PsValue(properties, (f"Selected.{_own_type(value)}", CUSTOM_OBJECT, "System.Object"))]


def _own_type(value: Any) -> str:
    """The type that an object is made of. A name without namespace, as those of help have, was given to a custom object."""
    kind = type_name_of(value)
    is_custom = isinstance(value, PsValue) and CUSTOM_OBJECT in value.type_names
    return CUSTOM_OBJECT if is_custom or "." not in kind.partition("#")[0] else kind


def _expanded(call: Call, value: Any, name: str) -> list[Any]:
    found, inner = property_of(value, name)
    if not found:
        call.error(
            f'Property "{name}" cannot be found.',
            "ExpandPropertyNotFound",
            "InvalidArgument",
            exception="System.Management.Automation.PSArgumentException",
            target=value,
        )
        return []
    return list(inner) if is_sequence(inner) else [inner]


def _with_properties(item: Any, properties: dict[str, Any]) -> Any:
    """An expanded value that carries properties of the object it came from; a primitive keeps its value."""
    if isinstance(item, PsValue):
        return PsValue({**item.properties, **properties}, item.type_names, item.text)
    return item


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, PsValue) and isinstance(right, PsValue):
        return list(left.properties) == list(right.properties) and all(
            _same(left.properties[name], right.properties[name]) for name in left.properties
        )
    return compare(left, right, case_sensitive=True) == 0


_DEFAULT, _SKIP_LAST, _INDEX = "DefaultParameter", "SkipLastParameter", "IndexParameter"
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Select-Object",
        select_object,
        parameter("InputObject", "PSObject", from_pipeline=True),
        parameter("Property", "Object[]", position=0, sets=[_DEFAULT, _SKIP_LAST]),
        parameter("ExcludeProperty", "String[]", sets=[_DEFAULT, _SKIP_LAST]),
        parameter("ExpandProperty", "String", sets=[_DEFAULT, _SKIP_LAST]),
        switch("Unique"),
        parameter("Last", "Int32", sets=[_DEFAULT], minimum=0, maximum=2**31 - 1),
        parameter("First", "Int32", sets=[_DEFAULT], minimum=0, maximum=2**31 - 1),
        parameter("Skip", "Int32", sets=[_DEFAULT], minimum=0, maximum=2**31 - 1),
        parameter("SkipLast", "Int32", sets=[_SKIP_LAST], minimum=0, maximum=2**31 - 1),
        switch("Wait", sets=[_DEFAULT, _INDEX]),
        parameter("Index", "Int32[]", sets=[_INDEX], minimum=0, maximum=2**31 - 1),
        module="Microsoft.PowerShell.Utility",
        class_name="SelectObjectCommand",
        default_set=_DEFAULT,
        synopsis="Takes some of the objects, or some of their properties.",
        read_only=True,
    ),
)
