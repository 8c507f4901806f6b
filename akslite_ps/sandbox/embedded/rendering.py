"""Format records as text, with the blank lines, widths and cuts of Windows PowerShell 5.1's screen.

Used by ``Out-String`` on the simulated device.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from akslite_ps.sandbox.embedded.format_records import RIGHT, class_of
from akslite_ps.sandbox.engine import PsValue

_ELLIPSIS = "..."
_LEAST_WIDTH = 5


def rendered(records: Sequence[PsValue], width: int) -> list[str]:
    """The lines of one document (from its start to its end) on a screen of this width."""
    start = records[0]
    shape = start.properties["shapeInfo"]
    entries = [r.properties["formatEntryInfo"] for r in records if class_of(r) == "FormatEntryData"]
    lines: list[str] = []
    headings = [r.properties["groupingEntry"] for r in records if class_of(r) == "GroupStartData"]
    if headings and headings[0] is not None:
        lines += ["", "", f"   {headings[0].properties['formatValueList'][0].properties['propertyValue']}"]
    if class_of(shape) == "TableHeaderInfo":
        return [*lines, *_table(shape, entries, width, autosize=start.properties["autosizeInfo"] is not None)]
    return [*lines, *_list(entries, width)]


def _table(shape: PsValue, entries: Sequence[PsValue], width: int, *, autosize: bool) -> list[str]:
    columns = shape.properties["tableColumnInfoList"]
    rows = [[str(f.properties["propertyValue"]) for f in entry.properties["formatPropertyFieldList"]] for entry in entries]
    labels = [str(column.properties["label"]) for column in columns]
    rights = [column.properties["alignment"] == RIGHT for column in columns]
    widths = _widths([int(c.properties["width"]) for c in columns], labels, rows, width, autosize=autosize)
    wraps = any(entry.properties["multiLine"] for entry in entries)

    def line(cells: Sequence[str]) -> str:
        return " ".join(_cell(cell, size, right) for cell, size, right in zip(cells, widths, rights, strict=False))

    lines = [""]
    if not shape.properties["hideHeader"]:
        lines += [line(labels), line(["-" * len(label) for label in labels])]
    for row in rows:
        lines += [line(part) for part in _wrapped(row, widths)] if wraps else [line([cell.split("\r\n")[0] for cell in row])]
    return [*lines, "", ""]


def _widths(given: list[int], labels: list[str], rows: list[list[str]], width: int, *, autosize: bool) -> list[int]:
    """The widths of as many columns as the screen takes; the last of them gets less where it must."""
    content = [max(len(text) for text in [label, *(row[index] for row in rows)]) for index, label in enumerate(labels)]
    if autosize:
        wanted = [size or needed for size, needed in zip(given, content, strict=True)]
    else:
        left = width - (len(given) - 1) - sum(given)
        shared = max(_LEAST_WIDTH, left // max(1, given.count(0)))
        wanted = [size or shared for size in given]
    found: list[int] = []
    left = width
    for size in wanted:
        if left < min(size, _LEAST_WIDTH):
            break
        found.append(min(size, left))
        left -= found[-1] + 1
    return found


def _cell(text: str, size: int, right: bool) -> str:
    if len(text) > size:
        text = text[: size - len(_ELLIPSIS)] + _ELLIPSIS if size > len(_ELLIPSIS) else text[:size]
    return text.rjust(size) if right else text.ljust(size)


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    parts = [_broken(cell, size) for cell, size in zip(row, widths, strict=False)]
    for index in range(max(len(part) for part in parts)):
        yield [part[index] if index < len(part) else "" for part in parts]


def _broken(text: str, size: int) -> list[str]:
    return [piece for line in text.splitlines() or [""] for piece in textwrap.wrap(line, size, break_on_hyphens=False) or [""]]


def _list(entries: Sequence[PsValue], width: int) -> list[str]:
    lines = ["", ""]
    for entry in entries:
        fields = [_labelled(field) for field in entry.properties["listViewFieldList"]]
        size = max((len(label) for label, _ in fields), default=0)
        for label, text in fields:
            pieces = [text[at : at + room] for room in [max(1, width - size - 3)] for at in range(0, max(1, len(text)), room)]
            lines.append(f"{label.ljust(size)} : {pieces[0]}")
            lines += [" " * (size + 3) + piece for piece in pieces[1:]]
        lines.append("")
    return [*lines, "", ""]


def _labelled(field: Any) -> tuple[str, str]:
    return str(field.properties["label"]), str(field.properties["formatPropertyField"].properties["propertyValue"])
