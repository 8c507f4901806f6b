"""Sort-Object and Group-Object."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

from akslite_ps.sandbox.commands.expressions import PropertyExpression, property_expressions
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.comparison import compare
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import text_of
from akslite_ps.sandbox.engine import PsValue

_UTILITY = "Microsoft.PowerShell.Utility"
_SORT_KEYS: dict[str, tuple[str, ...]] = {"Expression": ("String",), "Ascending": ("Boolean",), "Descending": ("Boolean",)}
_GROUP_KEYS: dict[str, tuple[str, ...]] = {"Expression": ("String",)}
_Keys = list[tuple[bool, Any]]


async def sort_object(call: Call) -> AsyncIterator[Any]:
    given = property_expressions(call, call["Property"] or [], _SORT_KEYS)
    values = [value async for value in call.items() if value is not None]
    properties = _resolved(given, values)
    descending = [_descending(p, bool(call["Descending"])) for p in properties] or [bool(call["Descending"])]
    order = _ordering(descending, sensitive=bool(call["CaseSensitive"]))
    rows = [(_keys(value, properties), value) for value in values]
    by_keys = functools.cmp_to_key(order)
    rows.sort(key=lambda row: by_keys(row[0]))
    previous: _Keys | None = None
    for keys, value in rows:
        if call["Unique"] and previous is not None and order(previous, keys) == 0:
            continue
        previous = keys
        yield value


def _resolved(given: list[PropertyExpression], values: list[Any]) -> list[PropertyExpression]:
    """Patterns as the names they mean for the first object."""
    found: list[PropertyExpression] = []
    for expression in given:
        names = [label for label, exists, _ in expression.of(values[0]) if exists] if values else []
        found += [PropertyExpression(name, None, expression.options) for name in names] or [expression]
    return found


def _descending(expression: PropertyExpression, default: bool) -> bool:
    if "Descending" in expression.options:
        return bool(expression.options["Descending"])
    return not expression.options["Ascending"] if "Ascending" in expression.options else default


def _keys(value: Any, properties: list[PropertyExpression]) -> _Keys:
    if not properties:
        return [(True, value)]
    return [(exists, item) for p in properties for _, exists, item in p.of(value)[:1] or [("", False, None)]]


def _ordering(descending: list[bool], *, sensitive: bool) -> Callable[[_Keys, _Keys], int]:
    """What lacks the property stands behind what has it, in either direction."""

    def order(left: _Keys, right: _Keys) -> int:
        for (has_left, first), (has_right, second), turned in zip(left, right, descending, strict=True):
            if not (has_left and has_right):
                if has_left != has_right:
                    return -1 if has_left else 1
                continue
            result = _compared(first, second, sensitive=sensitive)
            if result:
                return -result if turned else result
        return 0

    return order


def _compared(first: Any, second: Any, *, sensitive: bool) -> int:
    by_value = compare(first, second, case_sensitive=sensitive)
    return by_value if by_value is not None else compare(text_of(first), text_of(second), case_sensitive=sensitive) or 0


async def group_object(call: Call) -> AsyncIterator[Any]:
    properties = property_expressions(call, call["Property"] or [], _GROUP_KEYS)
    sensitive = bool(call["CaseSensitive"])
    groups: list[tuple[_Keys, list[Any]]] = []
    async for value in call.items():
        if value is None:
            continue
        keys = _keys(value, properties)
        members = next((found for known, found in groups if _alike(known, keys, sensitive=sensitive)), None)
        if members is None:
            groups.append((keys, members := []))
        members.append(value)
    if call["AsHashTable"]:
        yield _as_table(call, groups)
        return
    for keys, members in groups:
        yield _group(keys, members, with_elements=not call["NoElement"])


def _alike(left: _Keys, right: _Keys, *, sensitive: bool) -> bool:
    return all(_compared(a[1], b[1], sensitive=sensitive) == 0 for a, b in zip(left, right, strict=True))


def _group(keys: _Keys, members: list[Any], *, with_elements: bool) -> PsValue:
    properties = {
        "Values": [item for _, item in keys],
        "Count": len(members),
        "Group": members if with_elements else [],
        "Name": ", ".join(text_of(item) for _, item in keys),
    }
    bare = () if with_elements else ("Microsoft.PowerShell.Commands.GroupInfoNoElement",)
    return PsValue(properties, (*bare, "Microsoft.PowerShell.Commands.GroupInfo", "System.Object"))


def _as_table(call: Call, groups: list[tuple[_Keys, list[Any]]]) -> dict[Any, Any]:
    as_text = bool(call["AsString"])
    table: dict[Any, Any] = {}
    for keys, members in groups:
        first = keys[0][1]
        key = text_of(first) if as_text or len(keys) > 1 or not isinstance(first, str | int | float | bool) else first
        table[key] = members
    return table


_INPUT = parameter("InputObject", "PSObject", from_pipeline=True)
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Sort-Object",
        sort_object,
        switch("Descending"),
        switch("Unique"),
        _INPUT,
        parameter("Property", "Object[]", position=0),
        parameter("Culture", "String"),
        switch("CaseSensitive"),
        module=_UTILITY,
        class_name="SortObjectCommand",
        synopsis="Puts the objects in order.",
        read_only=True,
    ),
    cmdlet(
        "Group-Object",
        group_object,
        switch("NoElement"),
        switch("AsHashTable", sets=["HashTable"], aliases=("AHT",)),
        switch("AsString", sets=["HashTable"]),
        _INPUT,
        parameter("Property", "Object[]", position=0),
        parameter("Culture", "String"),
        switch("CaseSensitive"),
        module=_UTILITY,
        class_name="GroupObjectCommand",
        synopsis="Puts objects with the same values together.",
        read_only=True,
    ),
)
