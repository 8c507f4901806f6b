"""Commands that show: Format-Table, Format-List, Out-String, Out-Default, Out-Null."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import groupby
from typing import Any

from akslite_ps.sandbox.commands.expressions import PropertyExpression, property_expressions
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.format_records import (
    CENTER,
    LEFT,
    RIGHT,
    Column,
    alignment_of,
    grouped,
    list_records,
    table_records,
    text_record,
)
from akslite_ps.sandbox.embedded.formatting import default_records, expanded, format_objects, grouped_by, has_view, shown_names
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, parameter, switch
from akslite_ps.sandbox.embedded.values import property_names, text_of
from akslite_ps.sandbox.engine import PsValue

_UTILITY = "Microsoft.PowerShell.Utility"
_CORE = "Microsoft.PowerShell.Core"
_TABLE_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(("Name", "Expression", "Width", "Alignment", "FormatString"), ("Object",))
_LIST_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(("Name", "Expression", "FormatString"), ("Object",))
_ALIGNMENTS = {"left": LEFT, "right": RIGHT, "center": CENTER}
_MOST_COLUMNS = 10
_SCREEN_WIDTH = 120


async def format_table(call: Call) -> AsyncIterator[PsValue]:
    wanted = property_expressions(call, call["Property"] or [], _TABLE_KEYS)
    async for record in _documents(call, wanted, lambda values: _tables(call, wanted, values)):
        yield record


async def _documents(
    call: Call, wanted: list[PropertyExpression], make: Callable[[Sequence[Any]], list[list[PsValue]]]
) -> AsyncIterator[PsValue]:
    """The records of what is piped in: values that have no properties as texts, the others in documents of their groups."""
    values = expanded([value async for value in call.items() if value is not None])
    for is_text, run in groupby(values, key=lambda value: _is_text(value, wanted)):
        if is_text:
            for value in run:
                yield text_record(value)
            continue
        for heading, members in _groups(call, [value for value in run if value is not None]):
            for records in make(members):
                for record in grouped(records, heading) if heading else records:
                    yield record


def _is_text(value: Any, wanted: list[PropertyExpression]) -> bool:
    if property_names(value) or has_view(value):
        return False
    return not any(exists for expression in wanted for _, exists, _ in expression.of(value))


def _tables(call: Call, wanted: list[PropertyExpression], values: Sequence[Any]) -> list[list[PsValue]]:
    if not wanted and has_view(values[0]):
        return default_records(
            values, autosize=bool(call["AutoSize"]), hide_headers=bool(call["HideTableHeaders"]), wraps=bool(call["Wrap"])
        )
    return [_table(call, wanted or _all_of(values[0])[:_MOST_COLUMNS], values)]


def _table(call: Call, wanted: list[PropertyExpression], values: Sequence[Any]) -> list[PsValue]:
    """A table with the columns that the first object has."""
    found = [(label, expression, item) for expression in wanted for label, _, item in expression.of(values[0])]
    rows = [[item for expression in wanted for _, _, item in expression.of(value)] for value in values]
    rows = [(row + [None] * len(found))[: len(found)] for row in rows]
    columns = [_column(label, expression, item) for label, expression, item in found]
    return table_records(
        columns, rows, autosize=bool(call["AutoSize"]), hide_headers=bool(call["HideTableHeaders"]), wraps=bool(call["Wrap"])
    )


def _column(label: str, expression: PropertyExpression, first: Any) -> Column:
    given = text_of(expression.options.get("Alignment", "")).casefold()
    width = expression.options.get("Width", 0)
    return Column(label, width if isinstance(width, int) else 0, _ALIGNMENTS.get(given, alignment_of(first)))


async def format_list(call: Call) -> AsyncIterator[PsValue]:
    wanted = property_expressions(call, call["Property"] or [], _LIST_KEYS)
    async for record in _documents(call, wanted, lambda values: [list_records(_entries(wanted, values))]):
        yield record


def _entries(wanted: list[PropertyExpression], values: Sequence[Any]) -> list[list[tuple[str, Any]]]:
    return [[(label, item) for e in wanted or _all_of(value) for label, _, item in e.of(value)] for value in values]


def _all_of(value: Any) -> list[PropertyExpression]:
    return [PropertyExpression(name, None, {}) for name in shown_names(value)]


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


async def out_default(call: Call) -> None:
    """The screen is the client's: it is told each line, and gets no object."""
    values = [value async for value in call.items() if value is not None]
    for line in format_objects(values, width=_SCREEN_WIDTH).splitlines():
        await call.streams.host_call("WriteLine", [line])


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
        parameter("Width", "Int32", minimum=2, maximum=2**31 - 1, default=_SCREEN_WIDTH),
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
