"""What can be done to a device: plan, approve by hash, apply, resume.

``deploy``, ``prepare``, ``install`` and ``verify`` each have ``plan()``; :func:`apply` walks a plan's steps,
:func:`resume` goes on with an interrupted run, ``status.read()`` reads a device.
"""

from akslite_ps.operations.controller import Clock, Controller, Limits
from akslite_ps.operations.events import (
    Event,
    Listener,
    RecordArrived,
    RunEnded,
    RunStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)
from akslite_ps.operations.msi_source import MsiSource
from akslite_ps.operations.plan import Finding, Plan, Run, Step, StepResult
from akslite_ps.operations.running import abandon, apply, find_resumable, resume
from akslite_ps.operations.status import DeviceStatus

__all__ = [
    "Clock",
    "Controller",
    "DeviceStatus",
    "Event",
    "Finding",
    "Limits",
    "Listener",
    "MsiSource",
    "Plan",
    "RecordArrived",
    "Run",
    "RunEnded",
    "RunStarted",
    "Step",
    "StepEnded",
    "StepProgress",
    "StepResult",
    "StepStarted",
    "abandon",
    "apply",
    "find_resumable",
    "resume",
]
