"""Simulated devices on loopback, behind the real protocols: a training floor and a test bed.

``up``, ``status`` and ``down`` handle one background process per folder; ``LocalSandbox`` runs devices inside a
test. The names load on first use, so that the command line stays light. Nobody but the command line and tests
imports this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

if TYPE_CHECKING:
    from akslite_ps.sandbox.client_certificates import ClientCertificate as ClientCertificate
    from akslite_ps.sandbox.client_certificates import client_certificate as client_certificate
    from akslite_ps.sandbox.description import SandboxDevice as SandboxDevice
    from akslite_ps.sandbox.description import SandboxStatus as SandboxStatus
    from akslite_ps.sandbox.device.fault_kind import OPERATIONS as OPERATIONS
    from akslite_ps.sandbox.device.fault_kind import WSMAN_MOMENTS as WSMAN_MOMENTS
    from akslite_ps.sandbox.device.fault_kind import FaultKind as FaultKind
    from akslite_ps.sandbox.device.faults import FAULT_KINDS as FAULT_KINDS
    from akslite_ps.sandbox.device.state import Hardware as Hardware
    from akslite_ps.sandbox.exposure import EXPOSURE_MEANING as EXPOSURE_MEANING
    from akslite_ps.sandbox.local import LocalSandbox as LocalSandbox
    from akslite_ps.sandbox.passwords import LocalPassword as LocalPassword
    from akslite_ps.sandbox.passwords import local_password as local_password
    from akslite_ps.sandbox.process import add_fault as add_fault
    from akslite_ps.sandbox.process import azure_overview as azure_overview
    from akslite_ps.sandbox.process import change_hardware as change_hardware
    from akslite_ps.sandbox.process import clear_faults as clear_faults
    from akslite_ps.sandbox.process import delete_azure_cluster as delete_azure_cluster
    from akslite_ps.sandbox.process import down as down
    from akslite_ps.sandbox.process import grant_azure_access as grant_azure_access
    from akslite_ps.sandbox.process import main as main
    from akslite_ps.sandbox.process import reboot as reboot
    from akslite_ps.sandbox.process import stage_update as stage_update
    from akslite_ps.sandbox.process import status as status
    from akslite_ps.sandbox.process import up as up
    from akslite_ps.sandbox.realms import join_realm as join_realm

_PLACES = {
    "ClientCertificate": "client_certificates",
    "EXPOSURE_MEANING": "exposure",
    "FAULT_KINDS": "device.faults",
    "FaultKind": "device.fault_kind",
    "Hardware": "device.state",
    "LocalPassword": "passwords",
    "LocalSandbox": "local",
    "OPERATIONS": "device.fault_kind",
    "SandboxDevice": "description",
    "SandboxStatus": "description",
    "WSMAN_MOMENTS": "device.fault_kind",
    "add_fault": "process",
    "azure_overview": "process",
    "change_hardware": "process",
    "clear_faults": "process",
    "client_certificate": "client_certificates",
    "delete_azure_cluster": "process",
    "down": "process",
    "grant_azure_access": "process",
    "join_realm": "realms",
    "local_password": "passwords",
    "main": "process",
    "reboot": "process",
    "stage_update": "process",
    "status": "process",
    "up": "process",
}

__all__ = [
    "EXPOSURE_MEANING",
    "FAULT_KINDS",
    "OPERATIONS",
    "WSMAN_MOMENTS",
    "ClientCertificate",
    "FaultKind",
    "Hardware",
    "LocalPassword",
    "LocalSandbox",
    "SandboxDevice",
    "SandboxStatus",
    "add_fault",
    "azure_overview",
    "change_hardware",
    "clear_faults",
    "client_certificate",
    "delete_azure_cluster",
    "down",
    "grant_azure_access",
    "join_realm",
    "local_password",
    "main",
    "reboot",
    "stage_update",
    "status",
    "up",
]


__getattr__, __dir__ = lazy_names(__name__, _PLACES)
