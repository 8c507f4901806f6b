"""What Format-Table and Format-List put into the pipeline: not text, but records that only a screen's writer understands.

Made by ``sandbox.commands.showing`` and by ``embedded.formatting`` for objects without a format of their own; turned into text
by ``embedded.rendering``. Their classes and class ids are those of PowerShell, which a client of a session sees as they are.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.embedded.values import is_sequence, text_of
from akslite_ps.sandbox.engine import EnumValue, PsValue

_NAMESPACE = "Microsoft.PowerShell.Commands.Internal.Format."
_CLASS_ID = "ClassId2e4f51ef21dd47e99d3c952918aff9cd"
_CLASS_IDS = {
    "FormatStartData": "033ecb2bc07a4d43b5ef94ed5a35d280",
    "FormatEndData": "cf522b78d86c486691226b40aa69e95c",
    "GroupStartData": "9e210fe47d09416682b841769c78b8a3",
    "GroupEndData": "4ec4f0187cb04f4cb6973460dfe252df",
    "FormatEntryData": "27c87ef9bbda4f709f6b4002fa4af63c",
    "AutosizeInfo": "a27f094f0eec4d64845801a4c06a32ae",
    "TableHeaderInfo": "e3b7a39c089845d388b2e84c5d38f5dd",
    "TableColumnInfo": "7572aa4155ec4558817a615acf7dd92e",
    "TableRowEntry": "0e59526e2dd441aa91e7fc952caf4a36",
    "ListViewHeaderInfo": "830bdcb24c1642258724e441512233a4",
    "ListViewEntry": "cf58f450baa848ef8eb3504008be6978",
    "ListViewField": "b761477330ce4fb2a665999879324d73",
    "FormatPropertyField": "78b102e894f742aca8c1d6737b6ff86a",
    "RawTextFormatEntry": "29ed81ba914544d4bc430f027ee053e9",
    "GroupingEntry": "919820b7eadb48be8e202c5afa5c2716",
}
LEFT, CENTER, RIGHT = 1, 2, 3
_ITEMS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, the property in it, its width (0 for as wide as needed) and alignment."""

    label: str
    width: int = 0
    alignment: int = LEFT


def class_of(value: Any) -> str:
    """The class of a record without its namespace, empty for any other value."""
    if isinstance(value, PsValue) and value.type_names and value.type_names[0].startswith(_NAMESPACE):
        return value.type_names[0].removeprefix(_NAMESPACE)
    return ""


def table_records(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, autosize: bool, hide_headers: bool = False, wraps: bool = False
) -> list[PsValue]:
    """A table.

    Args:
        columns: Its columns.
        rows: Values by column.
        autosize: Columns as wide as their content, even where they have a width.
        hide_headers: Without headings.
        wraps: Long values go on in further lines instead of being cut.
    """
    infos = [
        _record("TableColumnInfo", width=column.width, alignment=column.alignment, label=column.label, propertyName=column.label)
        for column in columns
    ]
    shape = _record("TableHeaderInfo", hideHeader=hide_headers, tableColumnInfoList=infos)
    entries = [
        _record(
            "TableRowEntry",
            formatPropertyFieldList=[_field(value, column.alignment) for value, column in zip(row, columns, strict=True)],
            multiLine=wraps,
        )
        for row in rows
    ]
    return _document(shape, entries, _record("AutosizeInfo", objectCount=0) if autosize else None)


def list_records(entries: Iterable[Sequence[tuple[str, Any]]]) -> list[PsValue]:
    """A list of labels and values for each object."""
    made = [
        _record(
            "ListViewEntry",
            listViewFieldList=[
                _record("ListViewField", label=label, propertyName=label, formatPropertyField=_field(value, 0))
                for label, value in fields
            ],
        )
        for fields in entries
    ]
    return _document(_record("ListViewHeaderInfo"), made, None)


def text_record(value: Any) -> PsValue:
    """A value without properties, which stands for itself between the documents."""
    entry = _record("RawTextFormatEntry", text=text_of(value))
    return _record("FormatEntryData", formatEntryInfo=entry, outOfBand=True, writeStream=0, isHelpObject=False)


def alignment_of(value: Any) -> int:
    """How a column is aligned whose first value this is: numbers, booleans and enums to the right."""
    return RIGHT if isinstance(value, bool | int | float | decimal.Decimal | EnumValue) else LEFT


def grouped(records: list[PsValue], heading: str) -> list[PsValue]:
    """The records of one group, under a heading."""
    entry = _record("GroupingEntry", formatValueList=[_field(heading, LEFT)])
    return [
        PsValue({**record.properties, "groupingEntry": entry}, record.type_names)
        if class_of(record) == "GroupStartData"
        else record
        for record in records
    ]


def cell_text(value: Any) -> str:
    """A value inside a table or list: the first few items of a list in braces."""
    if is_sequence(value) or isinstance(value, dict):
        shown = (
            [str(item) for item in value]
            if isinstance(value, dict)
            else [cell_text(item) if isinstance(item, dt.datetime) else text_of(item) for item in value]
        )
        return "{" + ", ".join(shown[:_ITEMS_SHOWN]) + ("..." if len(shown) > _ITEMS_SHOWN else "") + "}"
    if isinstance(value, dt.datetime):
        hour, half = (value.hour - 1) % 12 + 1, "AM" if value.hour < 12 else "PM"
        return f"{value.month}/{value.day}/{value.year} {hour}:{value:%M:%S} {half}"
    return text_of(value)


def _document(shape: PsValue, entries: list[PsValue], autosize: PsValue | None) -> list[PsValue]:
    return [
        _record(
            "FormatStartData",
            pageHeaderEntry=None,
            pageFooterEntry=None,
            autosizeInfo=autosize,
            shapeInfo=shape,
            groupingEntry=None,
        ),
        _record("GroupStartData", shapeInfo=None, groupingEntry=None),
        *(
            _record("FormatEntryData", formatEntryInfo=entry, outOfBand=False, writeStream=0, isHelpObject=False)
            for entry in entries
        ),
        _record("GroupEndData", groupingEntry=None),
        _record("FormatEndData", groupingEntry=None),
    ]


def _field(value: Any, alignment: int) -> PsValue:
    return _record("FormatPropertyField", propertyValue=cell_text(value), alignment=alignment)


def _record(name: str, **properties: Any) -> PsValue:
    return PsValue({_CLASS_ID: _CLASS_IDS[name], **properties}, (_NAMESPACE + name, "System.Object"), _NAMESPACE + name)
