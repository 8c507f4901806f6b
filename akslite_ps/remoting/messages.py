"""The messages of a running pipeline as typed records.

Called by ``remoting.invocation`` for every message in the order of arrival. Property names are those of
[MS-PSRP] 2.2.2.20 to 2.2.2.26 and 2.2.3.15; an incomplete message gives a record with what there is.
"""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

from pypsrp.complex_objects import PSInvocationState
from pypsrp.messages import MessageType

from akslite_ps.remoting.conversion import ClixmlReader, Decrypt, as_python, parse
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

_CATEGORIES = (
    "NotSpecified",
    "OpenError",
    "CloseError",
    "DeviceError",
    "DeadlockDetected",
    "InvalidArgument",
    "InvalidData",
    "InvalidOperation",
    "InvalidResult",
    "InvalidType",
    "MetadataError",
    "NotImplemented",
    "NotInstalled",
    "ObjectNotFound",
    "OperationStopped",
    "OperationTimeout",
    "SyntaxError",
    "ParserError",
    "PermissionDenied",
    "ResourceBusy",
    "ResourceExists",
    "ResourceUnavailable",
    "ReadError",
    "WriteError",
    "FromStdErr",
    "SecurityError",
    "ProtocolError",
    "ConnectionError",
    "AuthenticationError",
    "LimitsExceeded",
    "QuotaExceeded",
    "NotEnabled",
)
_PROGRESS_COMPLETED = 1
_SCREEN_METHODS = range(13, 19)
SCREEN_TAG = "PSHOST"
"""Tag of information records that are text for the screen."""


def record_from(kind: int, data: bytes, seq: int, decrypt: Decrypt | None) -> Record | None:
    """The record a message carries, or None where it carries none (state, host call).

    Args:
        kind: Message type.
        data: CLIXML.
        seq: Number of the record within its invocation.
        decrypt: Decrypts SecureStrings of this session.
    """
    if kind == MessageType.PIPELINE_OUTPUT:
        # PowerShell writes $null as a message without content.
        return OutputRecord(as_python(data, decrypt=decrypt) if data else None, seq=seq)
    make = _MAKERS.get(kind)
    return make(_properties(data, decrypt), seq) if make is not None else None


def pipeline_state(data: bytes, seq: int) -> tuple[int, ErrorRecord | None]:
    """State number (see :class:`pypsrp.complex_objects.PSInvocationState`) and the error that ended the pipeline.

    The error that says no more than that the pipeline was stopped is left out.
    """
    properties = _properties(data, None)
    state = properties.get("PipelineState")
    number = state if isinstance(state, int) else PSInvocationState.FAILED
    cause = properties.get("ExceptionAsErrorRecord")
    if number != PSInvocationState.FAILED or not isinstance(cause, Mapping):
        return number, None
    return number, error_record(cause, seq, terminating=True)


def host_text(data: bytes) -> str | None:
    """The text that a host call writes to the screen, or None where the call does something else."""
    call = _properties(data, None).properties
    method, arguments = call.get("mi"), call.get("mp")
    if getattr(method, "number", None) not in _SCREEN_METHODS or not isinstance(arguments, list):
        return None
    return str(arguments[-1]) if arguments else ""


def error_record(properties: Mapping[str, Any], seq: int, *, terminating: bool = False) -> ErrorRecord:
    """An error record from the serialised properties of System.Management.Automation.ErrorRecord."""
    exception = properties.get("Exception")
    message, exception_type = "", ""
    if isinstance(exception, PsObject):
        message = _text(exception.properties.get("Message")) or _text(exception.text)
        exception_type = _plain_type(exception.type_names)
    elif exception is not None:
        message = str(exception)
    target = properties.get("TargetObject")
    number = properties.get("ErrorCategory_Category")
    own_text = properties.text if isinstance(properties, PsObject) else None
    return ErrorRecord(
        message=_text(properties.get("ErrorDetails_Message")) or message or _text(own_text) or "the device gave no message",
        error_id=_text(properties.get("FullyQualifiedErrorId")),
        category=_CATEGORIES[number] if isinstance(number, int) and 0 <= number < len(_CATEGORIES) else "NotSpecified",
        category_line=_text(properties.get("ErrorCategory_Message")),
        exception_type=exception_type,
        target=None if target is None else str(target),
        position=_text(properties.get("InvocationInfo_PositionMessage")) or None,
        terminating=terminating,
        seq=seq,
    )


def _properties(data: bytes, decrypt: Decrypt | None) -> PsObject:
    try:
        element = parse(data)
    except ET.ParseError:
        return PsObject({}, (), data.decode("utf-8", "replace"))
    reader = ClixmlReader(decrypt)
    types = reader.type_names(element)
    return PsObject(reader.property_bag(element), types, element.findtext("ToString"))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _plain_type(type_names: tuple[str, ...]) -> str:
    return type_names[0].removeprefix("Deserialized.") if type_names else ""


def _error(properties: PsObject, seq: int) -> ErrorRecord:
    return error_record(properties, seq)


def _message_text(properties: PsObject) -> str:
    return _text(properties.properties.get("InformationalRecord_Message", properties.text))


def _information(properties: PsObject, seq: int) -> InformationRecord:
    data = properties.properties.get("MessageData")
    if isinstance(data, PsObject) and "Message" in data.properties:
        data = data.properties["Message"]
    tags = properties.properties.get("Tags")
    when = properties.properties.get("TimeGenerated")
    return InformationRecord(
        _text(data),
        source=_text(properties.properties.get("Source")),
        tags=tuple(_text(tag) for tag in tags) if isinstance(tags, list) else (),
        time_generated=when if isinstance(when, dt.datetime) else None,
        seq=seq,
    )


def _progress(properties: PsObject, seq: int) -> ProgressRecord:
    get = properties.properties.get
    kind = get("Type")
    return ProgressRecord(
        _text(get("Activity")),
        status=_text(get("StatusDescription")).strip(),
        percent=_known(get("PercentComplete")),
        seconds_remaining=_known(get("SecondsRemaining")),
        current_operation=_text(get("CurrentOperation")),
        activity_id=_known(get("ActivityId")) or 0,
        parent_id=_known(get("ParentActivityId")),
        completed=getattr(kind, "number", kind) == _PROGRESS_COMPLETED,
        seq=seq,
    )


def _known(number: object) -> int | None:
    return number if isinstance(number, int) and number >= 0 else None


_MAKERS: Mapping[int, Callable[[PsObject, int], Record]] = {
    MessageType.ERROR_RECORD: _error,
    MessageType.WARNING_RECORD: lambda properties, seq: WarningRecord(_message_text(properties), seq=seq),
    MessageType.VERBOSE_RECORD: lambda properties, seq: VerboseRecord(_message_text(properties), seq=seq),
    MessageType.DEBUG_RECORD: lambda properties, seq: DebugRecord(_message_text(properties), seq=seq),
    MessageType.INFORMATION_RECORD: _information,
    MessageType.PROGRESS_RECORD: _progress,
}
