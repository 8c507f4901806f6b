"""A device's records as journal rows and as lines of text.

Used by ``operations.invocation``; the row's form is what ``akslite runs show --records`` and resumption read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from akslite_ps.remoting.records import (
    DebugRecord,
    ErrorRecord,
    InformationRecord,
    OutputRecord,
    ProgressRecord,
    PsObject,
    Record,
    VerboseRecord,
    WarningRecord,
)
from akslite_ps.secrets import REDACTOR

_OBJECT = "$object"
_STREAMS: Mapping[type[Record], str] = {
    OutputRecord: "output",
    ErrorRecord: "error",
    WarningRecord: "warning",
    VerboseRecord: "verbose",
    DebugRecord: "debug",
    InformationRecord: "information",
    ProgressRecord: "progress",
}


_KINDS = {name: kind for kind, name in _STREAMS.items()}


def row_data(record: Record) -> dict[str, Any]:
    """The record as the data of a ``record`` row: its stream and its fields that say something."""
    data = {part.name: getattr(record, part.name) for part in fields(record)}
    if isinstance(record, OutputRecord):
        data["value"] = _stored(record.value)
    return {"stream": _STREAMS[type(record)], **{name: value for name, value in data.items() if value not in (None, "", ())}}


def redacted(record: Record) -> Record:
    """The record without any secret, for listeners."""
    if isinstance(record, OutputRecord):
        return replace(record, value=_redacted_value(record.value))
    values = {part.name: getattr(record, part.name) for part in fields(record)}
    changes: dict[str, Any] = {
        name: clean for name, value in values.items() if isinstance(value, str) and (clean := REDACTOR.text(value)) != value
    }
    return replace(record, **changes) if changes else record


def _redacted_value(value: Any) -> Any:
    if isinstance(value, PsObject):
        text = None if value.text is None else REDACTOR.text(value.text)
        return PsObject({name: _redacted_value(item) for name, item in value.properties.items()}, value.type_names, text)
    if isinstance(value, list | tuple):
        return [_redacted_value(item) for item in value]
    if isinstance(value, dict):
        return {_redacted_value(key): _redacted_value(item) for key, item in value.items()}
    return REDACTOR.text(value) if isinstance(value, str) else value


def record_from(data: Mapping[str, Any]) -> Record | None:
    """The record that a row holds, as far as JSON holds it: objects come back as property bags. None for a cut one."""
    kind = _KINDS.get(str(data.get("stream")))
    if kind is None:
        return None
    names = {part.name for part in fields(kind)}
    values = {name: value for name, value in data.items() if name in names}
    if kind is OutputRecord:
        values["value"] = _revived(data.get("value"))
    if kind is InformationRecord:
        values["tags"] = tuple(values.get("tags", ()))
        values.pop("time_generated", None)
    return kind(**values)


def _stored(value: Any) -> Any:
    match value:
        case PsObject():
            properties = {name: _stored(item) for name, item in value.properties.items()}
            return {_OBJECT: properties, "type_names": list(value.type_names), "text": value.text}
        case Mapping():
            return {str(key): _stored(item) for key, item in value.items()}
        case list() | tuple():
            return [_stored(item) for item in value]
    return value


def _revived(value: Any) -> Any:
    if isinstance(value, Mapping):
        if _OBJECT in value:
            properties = {name: _revived(item) for name, item in value[_OBJECT].items()}
            return PsObject(properties, tuple(value["type_names"]), value["text"])
        return {name: _revived(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_revived(item) for item in value]
    return value


def text_of(record: Record) -> str:
    """The line a person reads, empty where the record has none."""
    match record:
        case InformationRecord() | WarningRecord() | VerboseRecord() | DebugRecord() | ErrorRecord():
            return record.message
        case OutputRecord(value=str() as text):
            return text
    return ""
