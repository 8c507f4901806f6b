"""Faults of WinRM and of the network between a device and its clients."""

from __future__ import annotations

from akslite_ps.sandbox.device.fault_kind import FaultKind

KINDS: tuple[FaultKind, ...] = ()
