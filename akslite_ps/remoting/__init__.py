"""Sessions on Windows devices over PowerShell Remoting (WSMan): open, run commands, read records, stop, come back.

    with Session.open(device) as session:
        result = session.invoke("Get-AksEdgeNodeAddr", NodeType="Linux", timeout_s=60)

Sends commands with parameters, never script text (save :meth:`Session.run_script`). Errors: ``akslite_ps.errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

if TYPE_CHECKING:
    from akslite_ps.remoting.arguments import Command as Command
    from akslite_ps.remoting.attaching import attach as attach
    from akslite_ps.remoting.conversion import as_python as as_python
    from akslite_ps.remoting.crew import DeviceResult as DeviceResult
    from akslite_ps.remoting.detached import InvocationReference as InvocationReference
    from akslite_ps.remoting.endpoint import Auth as Auth
    from akslite_ps.remoting.endpoint import Device as Device
    from akslite_ps.remoting.endpoint import Endpoint as Endpoint
    from akslite_ps.remoting.endpoint_probe import EndpointCheck as EndpointCheck
    from akslite_ps.remoting.endpoint_probe import EndpointReport as EndpointReport
    from akslite_ps.remoting.endpoint_probe import probe as probe
    from akslite_ps.remoting.file_copy import CopiedFile as CopiedFile
    from akslite_ps.remoting.file_copy import CopyProgress as CopyProgress
    from akslite_ps.remoting.file_copy import copy_from_device as copy_from_device
    from akslite_ps.remoting.file_copy import copy_to_device as copy_to_device
    from akslite_ps.remoting.invocation import Invocation as Invocation
    from akslite_ps.remoting.left_sessions import LeftSession as LeftSession
    from akslite_ps.remoting.left_sessions import sessions_on as sessions_on
    from akslite_ps.remoting.many import ManyProgress as ManyProgress
    from akslite_ps.remoting.many import run_on_many as run_on_many
    from akslite_ps.remoting.prompts import Choice as Choice
    from akslite_ps.remoting.prompts import PromptHandler as PromptHandler
    from akslite_ps.remoting.prompts import Question as Question
    from akslite_ps.remoting.prompts import SeveralChoicesHandler as SeveralChoicesHandler
    from akslite_ps.remoting.records import DebugRecord as DebugRecord
    from akslite_ps.remoting.records import ErrorRecord as ErrorRecord
    from akslite_ps.remoting.records import InformationRecord as InformationRecord
    from akslite_ps.remoting.records import OutputRecord as OutputRecord
    from akslite_ps.remoting.records import ProgressRecord as ProgressRecord
    from akslite_ps.remoting.records import PsObject as PsObject
    from akslite_ps.remoting.records import Record as Record
    from akslite_ps.remoting.records import VerboseRecord as VerboseRecord
    from akslite_ps.remoting.records import WarningRecord as WarningRecord
    from akslite_ps.remoting.result import InvocationState as InvocationState
    from akslite_ps.remoting.result import Result as Result
    from akslite_ps.remoting.session import Session as Session
    from akslite_ps.remoting.values import ON as ON
    from akslite_ps.remoting.values import PsDateTime as PsDateTime
    from akslite_ps.remoting.values import PsEnum as PsEnum
    from akslite_ps.remoting.values import PsTimeSpan as PsTimeSpan
    from akslite_ps.remoting.values import PsUri as PsUri
    from akslite_ps.remoting.values import PsVersion as PsVersion
    from akslite_ps.remoting.values import SecureValue as SecureValue

_PLACES = {
    "Auth": "endpoint",
    "Choice": "prompts",
    "Command": "arguments",
    "CopiedFile": "file_copy",
    "CopyProgress": "file_copy",
    "DebugRecord": "records",
    "Device": "endpoint",
    "DeviceResult": "crew",
    "Endpoint": "endpoint",
    "EndpointCheck": "endpoint_probe",
    "EndpointReport": "endpoint_probe",
    "ErrorRecord": "records",
    "InformationRecord": "records",
    "Invocation": "invocation",
    "InvocationReference": "detached",
    "InvocationState": "result",
    "LeftSession": "left_sessions",
    "ManyProgress": "many",
    "ON": "values",
    "OutputRecord": "records",
    "ProgressRecord": "records",
    "PromptHandler": "prompts",
    "PsDateTime": "values",
    "PsEnum": "values",
    "PsObject": "records",
    "PsTimeSpan": "values",
    "PsUri": "values",
    "PsVersion": "values",
    "Question": "prompts",
    "Record": "records",
    "Result": "result",
    "SecureValue": "values",
    "Session": "session",
    "SeveralChoicesHandler": "prompts",
    "VerboseRecord": "records",
    "WarningRecord": "records",
    "as_python": "conversion",
    "attach": "attaching",
    "copy_from_device": "file_copy",
    "copy_to_device": "file_copy",
    "probe": "endpoint_probe",
    "run_on_many": "many",
    "sessions_on": "left_sessions",
}

__all__ = [
    "ON",
    "Auth",
    "Choice",
    "Command",
    "CopiedFile",
    "CopyProgress",
    "DebugRecord",
    "Device",
    "DeviceResult",
    "Endpoint",
    "EndpointCheck",
    "EndpointReport",
    "ErrorRecord",
    "InformationRecord",
    "Invocation",
    "InvocationReference",
    "InvocationState",
    "LeftSession",
    "ManyProgress",
    "OutputRecord",
    "ProgressRecord",
    "PromptHandler",
    "PsDateTime",
    "PsEnum",
    "PsObject",
    "PsTimeSpan",
    "PsUri",
    "PsVersion",
    "Question",
    "Record",
    "Result",
    "SecureValue",
    "Session",
    "SeveralChoicesHandler",
    "VerboseRecord",
    "WarningRecord",
    "as_python",
    "attach",
    "copy_from_device",
    "copy_to_device",
    "probe",
    "run_on_many",
    "sessions_on",
]

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
