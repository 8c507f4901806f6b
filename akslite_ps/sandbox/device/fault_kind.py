"""What a kind of fault is made of, and the moments at which one can strike.

The kinds are in ``device.product_faults`` and ``device.transport_faults``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Scalar = str | int | float | bool

WSMAN_MOMENTS = (
    "log-on",
    "create",
    "connect",
    "reconnect",
    "command",
    "send",
    "receive",
    "signal",
    "disconnect",
    "delete",
    "enumerate",
    "get",
)
"""Requests of a client at which a fault of the transport can strike: WS-Management's operations, and the log-on before them."""

OPERATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "features": ("Install-AksEdgeHostFeatures", "Enable-AksLiteHostFeatures"),
        "install": ("Install-AksLiteMsi",),
        "deploy": ("New-AksEdgeDeployment",),
        "remove": ("Remove-AksEdgeDeployment", "Remove-AksEdgeNode"),
        "start": ("Start-AksEdgeNode",),
        "stop": ("Stop-AksEdgeNode",),
        "scale": ("New-AksEdgeScaleConfig", "Add-AksEdgeNode"),
        "update": ("Start-AksEdgeUpdate", "Start-AksEdgeControlPlaneUpdate", "Start-AksEdgeWorkerNodeUpdate"),
        "arc": ("Connect-AksEdgeArc", "Disconnect-AksEdgeArc", "Set-AksEdgeArcConnection"),
        "logs": ("Get-AksEdgeLogs", "Get-AksEdgeEventLog"),
    }
)
"""The operations of the product by the words of ``--at``, and the cmdlets that carry them out."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that a device can have.

    Args:
        name: Its name.
        summary: What the device then does.
        parameters: Parameters with their defaults; the default's type is the parameter's.
        moments: When it can strike, in the words of ``--at``; empty where it holds all the time.
        at: When it strikes unless told otherwise; None: at every one of its moments.
        choices: What a parameter may be, where not everything of its type.
        times: How often it strikes unless told otherwise; None means until it is cleared or its time is over.
        lasts_s: How long it is on unless told otherwise, in device seconds; None means until it is cleared.
        form: ``strike``: done to what happens at its moments. ``state``: holds from its moment (without one: at once) until it is
            over or cleared. ``event``: happens to the machine at its moment (without one: at once).
    """

    name: str
    summary: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    moments: tuple[str, ...] = ()
    at: str | None = None
    choices: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    times: int | None = None
    lasts_s: float | None = None
    form: Literal["strike", "state", "event"] = "strike"


def moment_of(cmdlet: str) -> str | None:
    """The operation that a cmdlet carries out, in the words of ``--at``; None for one that reads."""
    return _BY_CMDLET.get(cmdlet.casefold())


_BY_CMDLET = {cmdlet.casefold(): operation for operation, cmdlets in OPERATIONS.items() for cmdlet in cmdlets}
