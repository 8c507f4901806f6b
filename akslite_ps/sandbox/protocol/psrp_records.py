"""The records of PowerShell's streams as remoting messages carry them: error, informational, information, progress.

Called by ``protocol.psrp``. Shapes are those that real hosts were recorded sending (``reference/wsman-psrp.md`` section 2).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from psrpcore.types import ErrorCategory

from akslite_ps.sandbox.engine import ErrorInfo, Progress
from akslite_ps.sandbox.protocol.clixml import OBJECT_ARRAY, Complex, Scalar, enum, to_string

_RUNTIME_EXCEPTION = (
    "System.Management.Automation.RuntimeException",
    "System.SystemException",
    "System.Exception",
    "System.Object",
)
_BASES = {
    "System.Management.Automation.RuntimeException": _RUNTIME_EXCEPTION[1:],
    "System.Management.Automation.ParameterBindingException": _RUNTIME_EXCEPTION,
    "System.Management.Automation.ParameterBindingValidationException": (
        "System.Management.Automation.ParameterBindingException",
        *_RUNTIME_EXCEPTION,
    ),
    "System.Exception": ("System.Object",),
    "Microsoft.PowerShell.Commands.WriteErrorException": ("System.SystemException", "System.Exception", "System.Object"),
}
_ELLIPSIS_OVER = 40
_MSCORLIB = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_BOUND_PARAMETERS = (
    f"System.Collections.Generic.Dictionary`2[[System.String, {_MSCORLIB}],[System.Object, {_MSCORLIB}]]",
    "System.Object",
)
_STRING_LIST = (f"System.Collections.Generic.List`1[[System.String, {_MSCORLIB}]]", "System.Object")
_HRESULT_UNSPECIFIED = -2146233087


def stopped_error() -> ErrorInfo:
    """The record that accompanies state Stopped."""
    return ErrorInfo(
        message="The pipeline has been stopped.",
        error_id="PipelineStopped",
        category="OperationStopped",
        exception_type="System.Management.Automation.PipelineStoppedException",
    )


def category_line(error: ErrorInfo) -> str:
    """PowerShell's category line, e.g. ``ObjectNotFound: (x:String) [Get-Item], ItemNotFoundException``."""
    target = f"{_shorten(_target_name(error))}:{_shorten(_target_type(error))}"
    return f"{error.category}: ({target}) [{_shorten(error.activity)}], {_shorten(_reason(error))}"


def error_record(error: ErrorInfo, *, terminating: bool, extended: bool) -> Complex:
    """An ErrorRecord.

    Args:
        error: What went wrong.
        terminating: Part of state Failed or Stopped, not of the error stream.
        extended: The client asked for invocation info on errors.
    """
    notes: dict[str, object] = {} if terminating else {"writeErrorStream": True}
    with_invocation = extended and bool(error.position or error.activity)
    notes |= {
        "Exception": _exception(error),
        "TargetObject": error.target,
        "FullyQualifiedErrorId": error.error_id,
        "InvocationInfo": _invocation_info(error) if with_invocation else None,
        "ErrorCategory_Category": ErrorCategory[error.category].value,
        "ErrorCategory_Activity": error.activity,
        "ErrorCategory_Reason": _reason(error),
        "ErrorCategory_TargetName": _target_name(error),
        "ErrorCategory_TargetType": _target_type(error),
        "ErrorCategory_Message": category_line(error),
        "SerializeExtendedInfo": with_invocation,
    }
    if with_invocation:
        notes |= _extended_invocation_info(error)
        notes |= {"PipelineIterationInfo": Complex(OBJECT_ARRAY, items=())}
    return Complex(("System.Management.Automation.ErrorRecord", "System.Object"), notes=notes, text=error.message)


def informational_record(kind: str, message: str) -> Complex:
    """A Warning, Verbose or Debug record (``kind``)."""
    names = (f"System.Management.Automation.{kind}Record", "System.Management.Automation.InformationalRecord", "System.Object")
    notes = {"InformationalRecord_Message": message, "InformationalRecord_SerializeInvocationInfo": False}
    return Complex(names, notes=notes, text=message)


def merged_informational_record(kind: str, message: str, *, merged: bool = True) -> Complex:
    """A Warning, Verbose or Debug record in the output; the client takes one that was merged into it for a record again."""
    record = informational_record(kind, message)
    return replace(record, notes={f"Write{kind}Stream": True, **record.notes}) if merged else record


@dataclass(frozen=True, slots=True)
class Information:
    """What an InformationRecord says."""

    message: str
    tags: tuple[str, ...]
    source: str
    generated: dt.datetime
    user: str
    computer: str
    process_id: int


def information_record(written: Information) -> Complex:
    """An InformationRecord. Host output (tag PSHOST) carries its text as a HostInformationMessage, as Write-Host sends it."""
    return Complex(notes=_information_properties(written))


def merged_information_record(written: Information, *, merged: bool = True) -> Complex:
    """An InformationRecord in the output; the client takes one that was merged into it for a record again."""
    return Complex(
        ("System.Management.Automation.InformationRecord", "System.Object"),
        adapted=_information_properties(written),
        notes={"WriteInformationStream": True} if merged else {},
        text=written.message,
    )


def _information_properties(written: Information) -> dict[str, object]:
    data: object = written.message
    if "PSHOST" in written.tags:
        data = Complex(
            ("System.Management.Automation.HostInformationMessage", "System.Object"),
            adapted={"Message": written.message, "NoNewLine": False, "ForegroundColor": None, "BackgroundColor": None},
            text=written.message,
        )
    return {
        "MessageData": data,
        "Source": written.source,
        "TimeGenerated": written.generated,
        "Tags": Complex(_STRING_LIST, items=written.tags),
        "User": written.user,
        "Computer": written.computer,
        "ProcessId": Scalar("U32", str(written.process_id)),
        "NativeThreadId": Scalar("U32", "0"),
        "ManagedThreadId": Scalar("U32", "0"),
    }


def progress_record(progress: Progress) -> Complex:
    """A progress record."""
    return Complex(
        notes={
            "Activity": progress.activity,
            "ActivityId": progress.activity_id,
            "StatusDescription": progress.status,
            "CurrentOperation": progress.current_operation or None,
            "ParentActivityId": progress.parent_id,
            "PercentComplete": progress.percent,
            "Type": enum(
                "System.Management.Automation.ProgressRecordType",
                1 if progress.completed else 0,
                "Completed" if progress.completed else "Processing",
            ),
            "SecondsRemaining": progress.seconds_remaining,
        }
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _ELLIPSIS_OVER else f"{text[:15]}...{text[-15:]}"


def _reason(error: ErrorInfo) -> str:
    return error.reason or error.exception_type.rpartition(".")[2]


def _target_name(error: ErrorInfo) -> str:
    return error.target_name or to_string(error.target)


def _target_type(error: ErrorInfo) -> str:
    if error.target_type or error.target is None:
        return error.target_type
    return {str: "String", int: "Int32", bool: "Boolean", dict: "Hashtable"}.get(type(error.target), "PSObject")


def _exception(error: ErrorInfo) -> Complex:
    name = error.exception_type
    bases = _BASES.get(name) or (
        _RUNTIME_EXCEPTION if name.startswith("System.Management.Automation.") else _BASES["System.Exception"]
    )
    if bases == _BASES["System.Exception"] and name != "System.Exception":
        bases = ("System.Exception", "System.Object")
    return Complex(
        (name, *bases),
        adapted={
            "Message": error.message,
            "Data": Complex(("System.Collections.ListDictionaryInternal", "System.Object"), entries={}),
            "InnerException": None,
            "TargetSite": None,
            "StackTrace": None,
            "HelpLink": None,
            "Source": None,
            "HResult": _HRESULT_UNSPECIFIED,
        },
        text=f"{name}: {error.message}",
    )


def _invocation_info(error: ErrorInfo) -> Complex:
    return Complex(
        ("System.Management.Automation.InvocationInfo", "System.Object"),
        adapted={
            "MyCommand": error.activity,
            "BoundParameters": Complex(_BOUND_PARAMETERS, entries={}),
            "UnboundArguments": Complex(OBJECT_ARRAY, items=()),
            "ScriptLineNumber": 0,
            "OffsetInLine": 0,
            "HistoryId": Scalar("I64", "1"),
            "ScriptName": "",
            "Line": "",
            "PositionMessage": error.position or "",
            "PSScriptRoot": "",
            "PSCommandPath": None,
            "InvocationName": error.activity,
            "PipelineLength": 0,
            "PipelinePosition": 0,
            "ExpectingInput": False,
            "CommandOrigin": "Internal",
            "DisplayScriptPosition": None,
        },
        text="System.Management.Automation.InvocationInfo",
    )


def _extended_invocation_info(error: ErrorInfo) -> dict[str, object]:
    return {
        "InvocationInfo_BoundParameters": Complex(_BOUND_PARAMETERS, entries={}),
        "InvocationInfo_CommandOrigin": enum("System.Management.Automation.CommandOrigin", 1, "Internal"),
        "InvocationInfo_ExpectingInput": False,
        "InvocationInfo_InvocationName": error.activity,
        "InvocationInfo_Line": "",
        "InvocationInfo_OffsetInLine": 0,
        "InvocationInfo_HistoryId": Scalar("I64", "1"),
        "InvocationInfo_PipelineIterationInfo": Complex(OBJECT_ARRAY, items=()),
        "InvocationInfo_PipelineLength": 0,
        "InvocationInfo_PipelinePosition": 0,
        "InvocationInfo_PSScriptRoot": "",
        "InvocationInfo_PSCommandPath": None,
        "InvocationInfo_PositionMessage": error.position or "",
        "InvocationInfo_ScriptLineNumber": 0,
        "InvocationInfo_ScriptName": "",
        "InvocationInfo_UnboundArguments": Complex(OBJECT_ARRAY, items=()),
        "SerializeExtent": False,
        "CommandInfo_CommandType": enum("System.Management.Automation.CommandTypes", 8, "Cmdlet"),
        "CommandInfo_Definition": error.activity,
        "CommandInfo_Name": error.activity,
        "CommandInfo_Visibility": enum("System.Management.Automation.SessionStateEntryVisibility", 0, "Public"),
    }
