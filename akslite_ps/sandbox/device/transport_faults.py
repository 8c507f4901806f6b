"""Faults of WinRM, of the network to a device, and of the machine below (``reference/wsman-psrp.md`` section 7).

Those of form ``strike`` are done to single requests, by ``sandbox.protocol.disturbances``; the others by the device itself.
"""

from __future__ import annotations

from akslite_ps.sandbox.device.fault_kind import OPERATIONS, WSMAN_MOMENTS, FaultKind

_MOMENTS = (*WSMAN_MOMENTS, *OPERATIONS)

KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        "tcp-reset",
        "the connection is reset: before the request is looked at, while it waits for its reply, or in the middle of the reply",
        {"where": "request"},
        moments=_MOMENTS,
        choices={"where": ("request", "wait", "reply")},
        times=1,
    ),
    FaultKind(
        "lost-reply",
        "the request is carried out and its reply is lost: the connection is reset, or stays open and silent",
        {"how": "reset"},
        moments=_MOMENTS,
        at="receive",
        choices={"how": ("reset", "silent")},
        times=1,
    ),
    FaultKind("half-reply", "the connection closes when half of the reply has been sent", moments=_MOMENTS, at="receive", times=1),
    FaultKind(
        "slow-reply",
        "the reply is held back for so many device seconds",
        {"seconds": 30.0},
        moments=_MOMENTS,
        at="receive",
        times=1,
    ),
    FaultKind(
        "idle-drop",
        "the service has dropped the idle connection: HTTP 400, and the session is put aside (Disconnected)",
        moments=_MOMENTS,
        times=1,
    ),
    FaultKind(
        "shell-gone", "the session is ended on the device: it is not known any more", moments=_MOMENTS, at="receive", times=1
    ),
    FaultKind(
        "command-quota",
        "a command is refused: the session holds too many that were not released (a real host: 1,000)",
        moments=("command",),
        at="command",
        times=1,
    ),
    FaultKind(
        "password-changed",
        "the account's password is another one now and its connections are cut: the old one is answered HTTP 401",
        moments=_MOMENTS,
        form="state",
    ),
    FaultKind(
        "network-away",
        "nothing reaches the device, which goes on working: connections are refused, or fall silent",
        {"how": "refused"},
        moments=_MOMENTS,
        choices={"how": ("refused", "silent")},
        lasts_s=240.0,
        form="state",
    ),
    FaultKind(
        "winrm-restart",
        "the WinRM service restarts: all sessions and what runs in them end; the machine stays up",
        {"seconds": 10.0},
        moments=_MOMENTS,
        times=1,
        form="event",
    ),
    FaultKind(
        "reboot",
        "the machine restarts, with or without telling its clients; after a fast start the boot time can be the old one",
        {"announced": False, "boot_time": "changed"},
        moments=_MOMENTS,
        choices={"boot_time": ("changed", "unchanged")},
        times=1,
        form="event",
    ),
    FaultKind("clock-skew", "the device's clock is wrong by so many minutes", {"minutes": 10.0}, moments=_MOMENTS, form="state"),
    FaultKind("disk-full", "only so much of the system drive is free", {"free_gb": 0.2}, moments=_MOMENTS, form="state"),
    FaultKind("no-gateway", "the network adapter has no default gateway", moments=_MOMENTS, form="state"),
)
