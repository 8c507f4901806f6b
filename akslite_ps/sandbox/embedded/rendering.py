"""Format records as text, with the blank lines, widths and cuts of Windows PowerShell 5.1's screen.

Used by ``Out-String`` on the simulated device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from akslite_ps.sandbox.embedded.format_records import CENTER, RIGHT, class_of
from akslite_ps.sandbox.engine import PsValue

_ELLIPSIS = "..."
_HIDDEN = -1
_LINE_ENDS = re.compile("\r\n|\n|\r")
_WORD = re.compile("[^ \t]*[ \t]?")
_LABEL_END = " : "


def rendered(records: Sequence[PsValue], width: int) -> list[str]:
    """The lines of one document (from its start to its end, or one text by itself) on a screen of this width."""
    start = records[0]
    if class_of(start) == "FormatEntryData":
        return _lines_in(str(start.properties["formatEntryInfo"].properties["text"]))
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
    columns = [column.properties for column in shape.properties["tableColumnInfoList"]]
    rows = [[str(f.properties["propertyValue"]) for f in entry.properties["formatPropertyFieldList"]] for entry in entries]
    labels = [str(column["label"]) for column in columns]
    widths = _widths([int(column["width"]) for column in columns], labels, rows, width, autosize=autosize)
    shown = [(index, size, int(columns[index]["alignment"])) for index, size in enumerate(widths) if size > 0]
    lines = [""]
    if shown and not shape.properties["hideHeader"]:
        lines += _wrapped(labels, shown)
        lines.append(_line(["-" * min(len(label) or size, size) for label, size in zip(labels, widths, strict=True)], shown))
    for row, entry in zip(rows, entries, strict=True):
        if shown:
            lines += _wrapped(row, shown) if entry.properties["multiLine"] else [_line(row, shown)]
    return [*lines, "", ""]


def _widths(given: list[int], labels: list[str], rows: list[list[str]], width: int, *, autosize: bool) -> list[int]:
    """The width of each column. Without one for the first column they are as wide as their content, even unasked."""
    sizes = list(given)
    if autosize or not any(given[:1]):
        sizes = [max(len(text) for text in (label, *(row[index] for row in rows))) for index, label in enumerate(labels)]
    left = width - sum(size or 1 for size in sizes) - (len(sizes) - 1)
    growing = [index for index, size in enumerate(sizes) if size == 0]
    for place, index in enumerate(growing):
        sizes[index] = 1 + (max(0, left) + len(growing) - 1 - place) // len(growing)
    return _trimmed(sizes, width)


def _trimmed(sizes: list[int], width: int) -> list[int]:
    """What does not fit is taken from the last column, and where nothing is left of that, from the one before."""
    for last in range(len(sizes) - 1, -1, -1):
        excess = sum(sizes[: last + 1]) + last - width
        if excess <= 0:
            break
        sizes[last] = sizes[last] - excess if sizes[last] - excess >= 1 else _HIDDEN
    return sizes


def _line(cells: Sequence[str], shown: Sequence[tuple[int, int, int]]) -> str:
    return " ".join(_cell(cells[index], size, alignment) for index, size, alignment in shown)


def _cell(text: str, size: int, alignment: int) -> str:
    first, *more = _LINE_ENDS.split(text, maxsplit=1)
    text = first + _ELLIPSIS if more else first
    if len(text) > size:
        room, dots = (size - len(_ELLIPSIS), _ELLIPSIS) if size > len(_ELLIPSIS) else (size, "")
        text = dots + text[len(text) - room :] if alignment == RIGHT else text[:room] + dots
    return _aligned(text, size, alignment)


def _aligned(text: str, size: int, alignment: int) -> str:
    if alignment == RIGHT:
        return text.rjust(size)
    return (" " * ((size - len(text)) // 2) + text).ljust(size) if alignment == CENTER else text.ljust(size)


def _wrapped(row: Sequence[str], shown: Sequence[tuple[int, int, int]]) -> Iterator[str]:
    """A row over as many lines as its cells need."""
    parts = [_broken(row[index], size) for index, size, _ in shown]
    for number in range(max(len(part) for part in parts)):
        cells = [
            _aligned(part[number], size, alignment) if number < len(part) else " " * size
            for part, (_, size, alignment) in zip(parts, shown, strict=True)
        ]
        yield " ".join(cells)


def _broken(text: str, size: int) -> list[str]:
    """A text in lines of at most this size, broken behind blanks where there are any."""
    return [piece for line in _lines_in(text) for piece in ([line] if len(line) <= size else _pieces(line, size))]


def _lines_in(text: str) -> list[str]:
    return _LINE_ENDS.split(text)


def _pieces(line: str, size: int) -> Iterator[str]:
    current = ""
    for word in _WORD.findall(line):
        room = size - len(current)
        if len(word) <= room:
            current += word
        elif len(word) <= size:
            yield current
            current = word
        else:
            text = current + word
            while len(text) > size:
                yield text[:size]
                text = text[size:]
            current = text
    yield current.rstrip()


def _list(entries: Sequence[PsValue], width: int) -> list[str]:
    lines = ["", ""]
    for entry in entries:
        fields = [_labelled(field) for field in entry.properties["listViewFieldList"]]
        size = min(max((len(label) for label, _ in fields), default=0), width - len(_LABEL_END) - 1)
        if size > 0:
            lines += [line for label, text in fields for line in _field_lines(label, text, size, width)]
        lines.append("")
    return [*lines, "", ""]


def _field_lines(label: str, text: str, size: int, width: int) -> Iterator[str]:
    start = label[:size].ljust(size) + _LABEL_END
    for piece in _broken(text, width - len(start)):
        yield start + piece
        start = " " * len(start)


def _labelled(field: Any) -> tuple[str, str]:
    return str(field.properties["label"]), str(field.properties["formatPropertyField"].properties["propertyValue"])
