"""Objects as text, the way a PowerShell screen shows them: by the format of their type, else up to four properties as a table.

Used by ``Out-String`` on the simulated device; the Format commands use the same formats where they are told no properties.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.embedded.format_records import LEFT, RIGHT, Column, class_of, grouped, list_records, table_records
from akslite_ps.sandbox.embedded.rendering import rendered
from akslite_ps.sandbox.embedded.values import property_names, property_of, text_of, type_name_of
from akslite_ps.sandbox.engine import PsValue, Version

_TABLE_LIMIT = 4
_KEY_WIDTH = 30
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


def default_records(values: Sequence[Any]) -> list[list[PsValue]]:
    """Documents that show objects of one kind as PowerShell does unasked."""
    kind, names = _way(values[0])
    if isinstance(values[0], dict):
        rows = [[item for _, item in row] for value in values for row in _rows(value, names)]
        return [table_records([Column("Name", _KEY_WIDTH), Column("Value")], rows, autosize=False)]
    view = _view_name(values[0])
    if view is not None:
        return _by_view(_VIEWS[view], values)
    if kind == _TABLE:
        rows = [[item for _, item in row] for value in values for row in _rows(value, names)]
        columns = [Column(name, 0, RIGHT if _is_numeric([row[index] for row in rows]) else 1) for index, name in enumerate(names)]
        return [table_records(columns, rows, autosize=True)]
    return [list_records([row for value in values for row in _rows(value, names)])]


def _by_view(view: _View, values: Sequence[Any]) -> list[list[PsValue]]:
    columns = [column for column, _ in view.columns]
    documents = []
    for heading, members in grouped_by(values, view.group_by):
        rows = [[_shown(value, name) for _, name in view.columns] for value in members]
        records = table_records(columns, rows, autosize=all(column.width == 0 for column in columns))
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
    if isinstance(value, dict):
        return _TABLE, ("Name", "Value")
    names = tuple(property_names(value))
    if not names or (isinstance(value, PsValue) and value.text is not None):
        return _LINE, ()
    return (_TABLE if len(names) <= _TABLE_LIMIT else _LIST), names


def _view_name(value: Any) -> str | None:
    names: Iterable[str] = value.type_names if isinstance(value, PsValue) else (type_name_of(value),)
    return next((name for name in names if name in _VIEWS), None)


def _rows(value: Any, names: Sequence[str]) -> list[list[tuple[str, Any]]]:
    if isinstance(value, dict):
        return [[("Name", key), ("Value", item)] for key, item in value.items()]
    return [[(name, property_of(value, name)[1]) for name in names]]


def _is_numeric(cells: Sequence[Any]) -> bool:
    return all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        hour = (value.hour - 1) % 12 + 1
        half = "AM" if value.hour < 12 else "PM"
        return f"\r\n{value:%A, %B} {value.day}, {value.year} {hour}:{value:%M:%S} {half}\r\n\r\n"
    return text_of(value)
