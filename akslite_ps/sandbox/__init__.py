"""Simulated devices on loopback, behind the real protocols: a training floor and a test bed.

``up``, ``status`` and ``down`` handle one background process per folder; ``LocalSandbox`` runs devices inside a
test. The names load on first use, so that the command line stays light. Nobody but the command line and tests
imports this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

if TYPE_CHECKING:
    from akslite_ps.sandbox.description import SandboxDevice as SandboxDevice
    from akslite_ps.sandbox.description import SandboxStatus as SandboxStatus
    from akslite_ps.sandbox.device.faults import FAULT_KINDS as FAULT_KINDS
    from akslite_ps.sandbox.device.state import Hardware as Hardware
    from akslite_ps.sandbox.local import LocalSandbox as LocalSandbox
    from akslite_ps.sandbox.process import add_fault as add_fault
    from akslite_ps.sandbox.process import change_hardware as change_hardware
    from akslite_ps.sandbox.process import clear_faults as clear_faults
    from akslite_ps.sandbox.process import down as down
    from akslite_ps.sandbox.process import main as main
    from akslite_ps.sandbox.process import reboot as reboot
    from akslite_ps.sandbox.process import status as status
    from akslite_ps.sandbox.process import up as up

_PLACES = {
    "FAULT_KINDS": "device.faults",
    "Hardware": "device.state",
    "LocalSandbox": "local",
    "SandboxDevice": "description",
    "SandboxStatus": "description",
    "add_fault": "process",
    "change_hardware": "process",
    "clear_faults": "process",
    "down": "process",
    "main": "process",
    "reboot": "process",
    "status": "process",
    "up": "process",
}

__all__ = [
    "FAULT_KINDS",
    "Hardware",
    "LocalSandbox",
    "SandboxDevice",
    "SandboxStatus",
    "add_fault",
    "change_hardware",
    "clear_faults",
    "down",
    "main",
    "reboot",
    "status",
    "up",
]


__getattr__, __dir__ = lazy_names(__name__, _PLACES)
