"""Objects as text, the way a PowerShell screen shows them: by the format of their type, else up to four properties as a table.

Used by ``Out-String`` on the simulated device; the Format commands use the same formats where they are told no properties.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from akslite_ps.sandbox.embedded.format_records import (
    LEFT,
    RIGHT,
    Column,
    alignment_of,
    class_of,
    grouped,
    list_records,
    table_records,
)
from akslite_ps.sandbox.embedded.rendering import rendered
from akslite_ps.sandbox.embedded.values import is_sequence, property_names, property_of, text_of, type_name_of
from akslite_ps.sandbox.engine import PsValue, Version

_TABLE_LIMIT = 4
_KEY_WIDTH = 30
_ENTRY = "System.Collections.DictionaryEntry"
_TABLE, _LIST, _LINE = "table", "list", "line"


@dataclass(frozen=True, slots=True)
class _View:
    """How a type is shown: columns with their properties, or a list of properties."""

    columns: tuple[tuple[Column, str], ...]
    group_by: str = ""


def _column(label: str, width: int = 0, alignment: int = LEFT, shows: str = "") -> tuple[Column, str]:
    return Column(label, width, alignment), shows or label


_VIEWS: dict[str, _View] = {
    "System.ServiceProcess.ServiceController": _View((_column("Status", 8), _column("Name", 18), _column("DisplayName", 38))),
    "System.Management.Automation.CommandInfo": _View(
        (_column("CommandType", 15), _column("Name", 50, shows="DisplayName"), _column("Version", 10), _column("Source"))
    ),
    "Microsoft.PowerShell.Commands.GroupInfoNoElement": _View((_column("Count", 5, RIGHT), _column("Name", 25))),
    "Microsoft.PowerShell.Commands.GroupInfo": _View((_column("Count", 5, RIGHT), _column("Name", 25), _column("Group"))),
    "Microsoft.PowerShell.Commands.MemberDefinition": _View(
        (_column("Name"), _column("MemberType"), _column("Definition")), group_by="TypeName"
    ),
    "System.Management.Automation.PathInfo": _View((_column("Path"),)),
    _ENTRY: _View((_column("Name", _KEY_WIDTH), _column("Value"))),
    "System.Version": _View((_column("Major", 6), _column("Minor", 6), _column("Build", 6), _column("Revision", 8))),
    "System.Guid": _View((_column("Guid", 36),)),
}


def format_objects(values: Sequence[Any], *, width: int = 120) -> str:
    """The text of a screen of this width for a whole pipeline's output, format records among it.

    Returns:
        Lines that end with a line break each; empty where there is nothing to show.
    """
    lines: list[str] = []
    position = 0
    values = expanded(values)
    while position < len(values):
        end = _block_end(values, position)
        block = values[position:end]
        if class_of(block[0]):
            lines += rendered(block, width)
        elif _way(block[0])[0] == _LINE:
            lines += [line for value in block for line in _text(value).split("\r\n")]
        else:
            for records in default_records(block):
                lines += rendered(records, width)
        position = end
    return "".join(f"{line}\r\n" for line in lines)


def expanded(values: Iterable[Any]) -> list[Any]:
    """What is shown of values: of a list its items, of a table its entries."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found += [
                PsValue({"Name": key, "Key": key, "Value": item}, (_ENTRY, "System.ValueType", "System.Object"), _ENTRY)
                for key, item in value.items()
            ]
        elif is_sequence(value):
            found += value
        else:
            found.append(value)
    return found


def shown_names(value: Any) -> tuple[str, ...]:
    """The properties that are shown of a value where none are asked for."""
    if isinstance(value, PsValue) and value.type_names[:1] == (_ENTRY,):
        return "Name", "Value"
    return tuple(property_names(value))


def has_view(value: Any) -> bool:
    """True for a type that has columns of its own."""
    return _view_name(value) is not None


def default_records(
    values: Sequence[Any], *, autosize: bool = False, hide_headers: bool = False, wraps: bool = False
) -> list[list[PsValue]]:
    """Documents that show objects of one kind as PowerShell does unasked, as far as nothing else is said of their tables."""
    kind, names = _way(values[0])
    view = _view_name(values[0])
    if view is None and kind != _TABLE:
        return [list_records([[(name, property_of(value, name)[1]) for name in names] for value in values])]
    shown = _VIEWS[view] if view is not None else _View(tuple(_column(name) for name in names))
    columns = [column for column, _ in shown.columns]
    if view is None:
        columns = [replace(column, alignment=alignment_of(property_of(values[0], column.label)[1])) for column in columns]
    documents = []
    for heading, members in grouped_by(values, shown.group_by):
        rows = [[_shown(value, name) for _, name in shown.columns] for value in members]
        tight = autosize or all(column.width == 0 for column in columns)
        records = table_records(columns, rows, autosize=tight, hide_headers=hide_headers, wraps=wraps)
        documents.append(grouped(records, heading) if heading else records)
    return documents


def grouped_by(values: Sequence[Any], name: str) -> list[tuple[str, list[Any]]]:
    """Neighbours that have the same value of a property, each group with the heading that PowerShell shows above it.

    Args:
        values: What is shown.
        name: The property; without one all are one group without heading.
    """
    if not name:
        return [("", list(values))]
    found: list[tuple[str, list[Any]]] = []
    for value in values:
        heading = f"{name}: {text_of(property_of(value, name)[1])}"
        if not found or found[-1][0] != heading:
            found.append((heading, []))
        found[-1][1].append(value)
    return found


def _shown(value: Any, name: str) -> Any:
    if isinstance(value, Version):
        numbers = [*value.text.split("."), "-1", "-1"]
        return numbers[("Major", "Minor", "Build", "Revision").index(name)]
    if name == "Guid":
        return value
    found, item = property_of(value, name)
    return item if found else property_of(value, "Name")[1] if name == "DisplayName" else None


def _block_end(values: Sequence[Any], start: int) -> int:
    """Where the run of values ends that are shown together."""
    if class_of(values[start]):
        end = start
        if class_of(values[start]) == "FormatEntryData":
            return start + 1
        while end < len(values) and class_of(values[end]) not in {"", "FormatEndData"}:
            end += 1
        return min(end + 1, len(values))
    way = _way(values[start])
    end = start + 1
    while end < len(values) and not class_of(values[end]) and _way(values[end]) == way:
        end += 1
    return end


def _way(value: Any) -> tuple[str, tuple[str, ...]]:
    """Table, list or line, and the properties it is made of."""
    view = _view_name(value)
    if view is not None:
        return _TABLE, (view,)
    names = tuple(property_names(value))
    if not names or (isinstance(value, PsValue) and value.text is not None):
        return _LINE, ()
    return (_TABLE if len(names) <= _TABLE_LIMIT else _LIST), names


def _view_name(value: Any) -> str | None:
    names: Iterable[str] = value.type_names if isinstance(value, PsValue) else (type_name_of(value),)
    return next((name for name in names if name in _VIEWS), None)


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        hour = (value.hour - 1) % 12 + 1
        half = "AM" if value.hour < 12 else "PM"
        return f"\r\n{value:%A, %B} {value.day}, {value.year} {hour}:{value:%M:%S} {half}\r\n\r\n"
    return text_of(value)
