"""Faults of the log-on to a device: accounts, passwords, certificates. What they do is in ``device.logons``."""

from __future__ import annotations

from akslite_ps.sandbox.device.fault_kind import OPERATIONS, WSMAN_MOMENTS, FaultKind

_MOMENTS = (*WSMAN_MOMENTS, *OPERATIONS)

KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        "account-locked",
        "a local account is locked (without user: the administrator)",
        {"user": ""},
        moments=_MOMENTS,
        form="state",
    ),
    FaultKind(
        "account-disabled",
        "a local account is disabled (without user: the administrator)",
        {"user": ""},
        moments=_MOMENTS,
        form="state",
    ),
    FaultKind(
        "password-expired",
        "the password of a local account has expired (without user: the administrator's)",
        {"user": ""},
        moments=_MOMENTS,
        form="state",
    ),
    FaultKind("server-certificate-expired", "the certificate of the HTTPS listener has expired", moments=_MOMENTS, form="state"),
    FaultKind(
        "client-certificate-unmapped", "client certificates are mapped to no account any more", moments=_MOMENTS, form="state"
    ),
)
