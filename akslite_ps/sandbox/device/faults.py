"""The named faults of a simulated device: what can be switched on, with which parameters.

Switched on and off through ``sandbox.control``, or on a device in a test; asked for by the commands and the device
at the moment each fault is about. Kept in the device's state, so a fault outlives a restart of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device import product_faults, transport_faults
from akslite_ps.sandbox.device.fault_kind import FaultKind, Scalar
from akslite_ps.sandbox.device.state import Fault

FAULT_KINDS: Mapping[str, FaultKind] = {kind.name: kind for kind in (*product_faults.KINDS, *transport_faults.KINDS)}


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
