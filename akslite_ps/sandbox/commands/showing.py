"""Commands that show: Format-Table, Format-List, Out-String, Out-Default, Out-Null."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from akslite_ps.sandbox.commands.expressions import PropertyExpression, property_expressions
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.format_records import LEFT, RIGHT, Column, grouped, list_records, table_records
from akslite_ps.sandbox.embedded.formatting import default_records, format_objects, grouped_by
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, parameter, switch
from akslite_ps.sandbox.embedded.values import property_names, text_of
from akslite_ps.sandbox.engine import PsValue

_UTILITY = "Microsoft.PowerShell.Utility"
_CORE = "Microsoft.PowerShell.Core"
_TABLE_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(("Name", "Expression", "Width", "Alignment", "FormatString"), ("Object",))
_LIST_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(("Name", "Expression", "FormatString"), ("Object",))
_ALIGNMENTS = {"left": LEFT, "right": RIGHT, "center": 2}
_MOST_COLUMNS = 10


async def format_table(call: Call) -> AsyncIterator[PsValue]:
    wanted = property_expressions(call, call["Property"] or [], _TABLE_KEYS)
    values = [value async for value in call.items() if value is not None]
    for heading, members in _groups(call, values):
        for records in _tables(call, wanted, members):
            for record in grouped(records, heading) if heading else records:
                yield record


def _tables(call: Call, wanted: list[PropertyExpression], values: Sequence[Any]) -> list[list[PsValue]]:
    if not wanted and not call["AutoSize"] and not call["HideTableHeaders"] and len(property_names(values[0])) <= _MOST_COLUMNS:
        return default_records(values) if _has_view(values) else [_table(call, _all_of(values[0]), values)]
    return [_table(call, wanted or _all_of(values[0])[:_MOST_COLUMNS], values)]


def _has_view(values: Sequence[Any]) -> bool:
    return isinstance(values[0], PsValue) and bool(values[0].type_names) and "PSCustomObject" not in " ".join(values[0].type_names)


def _table(call: Call, wanted: list[PropertyExpression], values: Sequence[Any]) -> list[PsValue]:
    labels = [(label, expression) for expression in wanted for label, _, _ in expression.of(values[0])]
    rows = [[item for expression in wanted for _, _, item in expression.of(value)] for value in values]
    rows = [(row + [None] * len(labels))[: len(labels)] for row in rows]
    columns = [_column(label, expression, [row[index] for row in rows]) for index, (label, expression) in enumerate(labels)]
    return table_records(
        columns, rows, autosize=bool(call["AutoSize"]), hide_headers=bool(call["HideTableHeaders"]), wraps=bool(call["Wrap"])
    )


def _column(label: str, expression: PropertyExpression, cells: list[Any]) -> Column:
    numeric = all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)
    given = text_of(expression.options.get("Alignment", "")).casefold()
    width = expression.options.get("Width", 0)
    return Column(label, width if isinstance(width, int) else 0, _ALIGNMENTS.get(given, RIGHT if numeric else LEFT))


async def format_list(call: Call) -> AsyncIterator[PsValue]:
    wanted = property_expressions(call, call["Property"] or [], _LIST_KEYS)
    values = [value async for value in call.items() if value is not None]
    for heading, members in _groups(call, values):
        entries = [[(label, item) for e in wanted or _all_of(value) for label, _, item in e.of(value)] for value in members]
        records = list_records(entries)
        for record in grouped(records, heading) if heading else records:
            yield record


def _all_of(value: Any) -> list[PropertyExpression]:
    return [PropertyExpression(name, None, {}) for name in property_names(value)]


def _groups(call: Call, values: list[Any]) -> list[tuple[str, list[Any]]]:
    return grouped_by(values, "" if call["GroupBy"] is None else text_of(call["GroupBy"])) if values else []


async def out_string(call: Call) -> AsyncIterator[str]:
    values = [value async for value in call.items() if value is not None]
    text = format_objects(values, width=call["Width"])
    if not call["Stream"]:
        yield text
        return
    for line in text.splitlines():
        yield line


async def out_default(call: Call) -> AsyncIterator[Any]:
    """Over a session there is no screen: what comes in goes to the client, which shows it."""
    async for value in call.items():
        yield value


async def out_null(call: Call) -> None:
    async for _ in call.items():
        pass


_INPUT = parameter("InputObject", "PSObject", from_pipeline=True)


def _format_parameters(*more: ParameterInfo) -> tuple[ParameterInfo, ...]:
    return (
        *more,
        parameter("Property", "Object[]", position=0),
        parameter("GroupBy", "Object"),
        parameter("View", "String"),
        switch("ShowError"),
        switch("DisplayError"),
        switch("Force"),
        parameter("Expand", "String", allowed=("CoreOnly", "EnumOnly", "Both")),
        _INPUT,
    )


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Format-Table",
        format_table,
        *_format_parameters(switch("AutoSize"), switch("HideTableHeaders"), switch("Wrap")),
        module=_UTILITY,
        class_name="FormatTableCommand",
        synopsis="Lays objects out as a table.",
        read_only=True,
    ),
    cmdlet(
        "Format-List",
        format_list,
        *_format_parameters(),
        module=_UTILITY,
        class_name="FormatListCommand",
        synopsis="Lays objects out as lists of their properties.",
        read_only=True,
    ),
    cmdlet(
        "Out-String",
        out_string,
        switch("Stream"),
        parameter("Width", "Int32", minimum=2, maximum=2**31 - 1, default=120),
        _INPUT,
        module=_UTILITY,
        class_name="OutStringCommand",
        synopsis="Turns objects into the text that a screen would show.",
        read_only=True,
    ),
    cmdlet(
        "Out-Default",
        out_default,
        switch("Transcript"),
        _INPUT,
        module=_CORE,
        class_name="OutDefaultCommand",
        synopsis="Sends output to where it is shown.",
        read_only=True,
    ),
    cmdlet(
        "Out-Null",
        out_null,
        _INPUT,
        module=_CORE,
        class_name="OutNullCommand",
        synopsis="Throws the pipeline's objects away.",
        read_only=True,
    ),
)
