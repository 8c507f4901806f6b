"""Sessions on Windows devices over PowerShell Remoting (WSMan): open, run commands, read records, stop, come back.

    with Session.open(device) as session:
        result = session.invoke("Get-AksEdgeNodeAddr", NodeType="Linux", timeout_s=60)

Sends commands with parameters, never script text (save :meth:`Session.run_script`). Errors: ``akslite_ps.errors``.
"""

from akslite_ps.remoting.arguments import Command
from akslite_ps.remoting.conversion import as_python
from akslite_ps.remoting.endpoint import Auth, Device, Endpoint
from akslite_ps.remoting.invocation import Invocation
from akslite_ps.remoting.left_sessions import LeftSession, sessions_on
from akslite_ps.remoting.probe import EndpointCheck, EndpointReport, probe
from akslite_ps.remoting.prompts import Choice, PromptHandler, Question
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
from akslite_ps.remoting.result import InvocationState, Result
from akslite_ps.remoting.session import Session
from akslite_ps.remoting.values import ON, PsEnum, PsVersion, SecureValue

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
