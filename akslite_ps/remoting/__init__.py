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
    from akslite_ps.remoting.conversion import as_python as as_python
    from akslite_ps.remoting.endpoint import Auth as Auth
    from akslite_ps.remoting.endpoint import Device as Device
    from akslite_ps.remoting.endpoint import Endpoint as Endpoint
    from akslite_ps.remoting.endpoint_probe import EndpointCheck as EndpointCheck
    from akslite_ps.remoting.endpoint_probe import EndpointReport as EndpointReport
    from akslite_ps.remoting.endpoint_probe import probe as probe
    from akslite_ps.remoting.invocation import Invocation as Invocation
    from akslite_ps.remoting.left_sessions import LeftSession as LeftSession
    from akslite_ps.remoting.left_sessions import sessions_on as sessions_on
    from akslite_ps.remoting.prompts import Choice as Choice
    from akslite_ps.remoting.prompts import PromptHandler as PromptHandler
    from akslite_ps.remoting.prompts import Question as Question
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
    from akslite_ps.remoting.values import PsEnum as PsEnum
    from akslite_ps.remoting.values import PsVersion as PsVersion
    from akslite_ps.remoting.values import SecureValue as SecureValue

_PLACES = {
    "Auth": "endpoint",
    "Choice": "prompts",
    "Command": "arguments",
    "DebugRecord": "records",
    "Device": "endpoint",
    "Endpoint": "endpoint",
    "EndpointCheck": "endpoint_probe",
    "EndpointReport": "endpoint_probe",
    "ErrorRecord": "records",
    "InformationRecord": "records",
    "Invocation": "invocation",
    "InvocationState": "result",
    "LeftSession": "left_sessions",
    "ON": "values",
    "OutputRecord": "records",
    "ProgressRecord": "records",
    "PromptHandler": "prompts",
    "PsEnum": "values",
    "PsObject": "records",
    "PsVersion": "values",
    "Question": "prompts",
    "Record": "records",
    "Result": "result",
    "SecureValue": "values",
    "Session": "session",
    "VerboseRecord": "records",
    "WarningRecord": "records",
    "as_python": "conversion",
    "probe": "endpoint_probe",
    "sessions_on": "left_sessions",
}

__all__ = [
    "ON",
    "Auth",
    "Choice",
    "Command",
    "DebugRecord",
    "Device",
    "Endpoint",
    "EndpointCheck",
    "EndpointReport",
    "ErrorRecord",
    "InformationRecord",
    "Invocation",
    "InvocationState",
    "LeftSession",
    "OutputRecord",
    "ProgressRecord",
    "PromptHandler",
    "PsEnum",
    "PsObject",
    "PsVersion",
    "Question",
    "Record",
    "Result",
    "SecureValue",
    "Session",
    "VerboseRecord",
    "WarningRecord",
    "as_python",
    "probe",
    "sessions_on",
]

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
