"""Objects as text, the way a PowerShell screen shows them: up to four properties as a table, more as a list.

Used by ``Out-String`` on the simulated device. Covers objects without a format of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from akslite_ps.sandbox.embedded.values import is_sequence, property_names, property_of, text_of
from akslite_ps.sandbox.engine import PsValue

_TABLE_LIMIT = 4
_LIST_LIMIT = 4


def format_objects(values: Sequence[Any], *, width: int = 120) -> str:
    """The text of a screen of this width for a whole pipeline's output; ends with a line break unless empty."""
    blocks: list[str] = []
    position = 0
    while position < len(values):
        names = _shown_names(values[position])
        end = position + 1
        while end < len(values) and _shown_names(values[end]) == names:
            end += 1
        group = values[position:end]
        if names:
            text = _table(group, names, width) if len(names) <= _TABLE_LIMIT else _list(group, names)
            blocks.append(f"\r\n{text}\r\n")
        else:
            blocks.append("".join(f"{text_of(value)}\r\n" for value in group))
        position = end
    return "".join(blocks)


def _shown_names(value: Any) -> list[str]:
    if isinstance(value, PsValue) and value.text is not None:
        return []
    if isinstance(value, dict):
        return ["Name", "Value"]
    return property_names(value)


def _rows(values: Sequence[Any], names: list[str]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for value in values:
        if isinstance(value, dict):
            rows.extend([key, item] for key, item in value.items())
        else:
            rows.append([property_of(value, name)[1] for name in names])
    return rows


def _table(values: Sequence[Any], names: list[str], width: int) -> str:
    rows = _rows(values, names)
    columns = [[_cell(row[index]) for row in rows] for index in range(len(names))]
    numeric = [
        all(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows) for index in range(len(names))
    ]
    limit = max(8, width // len(names) - 1)
    widths = [min(limit, max(len(name), *(len(cell) for cell in column))) for name, column in zip(names, columns, strict=True)]
    if len(names) == 1:
        widths = [min(width, max(len(names[0]), *(len(cell) for cell in columns[0])))]

    def line(cells: Sequence[str]) -> str:
        parts = []
        for cell, size, right in zip(cells, widths, numeric, strict=True):
            cut = cell if len(cell) <= size else cell[: max(0, size - 3)] + "..."
            parts.append(cut.rjust(size) if right else cut.ljust(size))
        return " ".join(parts).rstrip()

    lines = [line(names), line(["-" * len(name) for name in names])]
    lines += [line([column[index] for column in columns]) for index in range(len(rows))]
    return "\r\n".join(lines) + "\r\n"


def _list(values: Sequence[Any], names: list[str]) -> str:
    size = max(len(name) for name in names)
    blocks = []
    for row in _rows(values, names):
        blocks.append("\r\n".join(f"{name.ljust(size)} : {_cell(cell)}" for name, cell in zip(names, row, strict=True)) + "\r\n")
    return "\r\n".join(blocks)


def _cell(value: Any) -> str:
    """A value inside a table or list: the first few items of a list in braces."""
    if is_sequence(value):
        shown = [text_of(item) for item in value[:_LIST_LIMIT]]
        return "{" + ", ".join(shown) + ("..." if len(value) > _LIST_LIMIT else "") + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in list(value)[:_LIST_LIMIT]) + ("..." if len(value) > _LIST_LIMIT else "") + "}"
    return text_of(value)
