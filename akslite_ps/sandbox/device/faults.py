"""The named faults of a simulated device: what can be switched on, with which parameters.

Switched on and off through ``sandbox.control``, or on a device in a test; asked for by the commands and the device
at the moment each fault is about. Kept in the device's state, so a fault outlives a restart of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.assumptions import DEPLOYMENT_SECONDS, NODE_CREATION_FAILED
from akslite_ps.sandbox.device.state import Fault

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that a device can have.

    Args:
        name: Its name.
        summary: What the device then does.
        parameters: Parameters with their defaults; the default's type is the parameter's.
        stages: What the parameter ``stage`` may be.
        times: How often it strikes unless told otherwise; None means until it is cleared.
    """

    name: str
    summary: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    times: int | None = None


_DEPLOYMENT_STAGES = tuple(DEPLOYMENT_SECONDS)
FAULT_KINDS: Mapping[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "deployment-fails",
            "New-AksEdgeDeployment gives up at a stage and answers this text instead of OK",
            {"stage": "node-ssh", "answer": NODE_CREATION_FAILED},
            stages=_DEPLOYMENT_STAGES,
        ),
        FaultKind("reboot-during", "the device restarts without notice when a stage begins", {"stage": "kubernetes"}, times=1),
        FaultKind("msi-exit-code", "the installer ends with this exit code", {"code": 1603}),
        FaultKind("low-memory", "only so much memory is free", {"free_mb": 1024}),
        FaultKind("api-unreachable", "the Kubernetes API refuses connections from outside the device; the cluster itself runs"),
        FaultKind("slow", "everything takes this many times as long", {"factor": 4.0}),
    )
}


def make_fault(name: str, *, times: int | None = None, **parameters: Scalar) -> Fault:
    """A fault to switch on.

    Args:
        name: One of ``FAULT_KINDS``.
        times: How often it strikes; None for the kind's own default, 0 for until it is cleared.
        parameters: Override the kind's defaults.

    Raises:
        UsageError: Unknown fault or parameter, or a value of the wrong type.
    """
    kind = FAULT_KINDS.get(name)
    if kind is None:
        raise UsageError(f"there is no fault {name!r}", next_action=f"use one of: {', '.join(FAULT_KINDS)}")
    unknown = sorted(set(parameters) - set(kind.parameters))
    if unknown:
        known = ", ".join(kind.parameters) or "none"
        raise UsageError(f"the fault {name!r} has no parameter {unknown[0]!r}", next_action=f"its parameters are: {known}")
    if times is not None and times < 0:
        raise UsageError(f"a fault cannot strike {times} times", next_action="give a count, or 0 for until it is cleared")
    values = {key: _typed(name, key, parameters.get(key, default), default) for key, default in kind.parameters.items()}
    if kind.stages and values["stage"] not in kind.stages:
        raise UsageError(f"there is no stage {values['stage']!r}", next_action=f"use one of: {', '.join(kind.stages)}")
    return Fault(name=name, parameters=values, remaining=kind.times if times is None else times or None)


def _typed(fault: str, key: str, value: Scalar, default: Scalar) -> Scalar:
    try:
        return type(default)(value)
    except ValueError:
        raise UsageError(
            f"{key}={value!r} of the fault {fault!r} is not usable", next_action=f"give a value such as {default!r}"
        ) from None
