"""The named faults of a simulated device: what can be switched on, with which parameters, and when each strikes.

Switched on and off through ``sandbox.control``, or on a device in a test; asked for by the commands, the device and the
listener at the moment each fault is about. Kept in the device's state, so a fault outlives a restart of the sandbox.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device import logon_faults, product_faults, transport_faults
from akslite_ps.sandbox.device.fault_kind import FaultKind, Scalar
from akslite_ps.sandbox.device.state import Fault

FAULT_KINDS: Mapping[str, FaultKind] = {
    kind.name: kind for kind in (*product_faults.KINDS, *transport_faults.KINDS, *logon_faults.KINDS)
}

TRANSPORT_FAULTS = frozenset(kind.name for kind in (*transport_faults.KINDS, *logon_faults.KINDS))

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def make_fault(
    name: str,
    *,
    at: str | None = None,
    after: int = 0,
    times: int | None = None,
    probability: float = 1.0,
    seed: int | None = None,
    lasts_s: float | None = None,
    **parameters: Scalar,
) -> Fault:
    """A fault to switch on.

    Args:
        name: One of ``FAULT_KINDS``.
        at: The moment at which it strikes, one of the kind's; None for the kind's own default.
        after: How many such moments pass before the first at which it can strike.
        times: How often it strikes; None for the kind's own default, 0 for until it is cleared.
        probability: Chance to strike at each such moment, above 0 and at most 1.
        seed: Makes the same choices of chance again; None for a seed by chance.
        lasts_s: Device seconds after which it is over; None for the kind's own default.
        parameters: Override the kind's defaults.

    Raises:
        UsageError: Unknown fault, moment or parameter, or a value that cannot be used; says what is allowed.
    """
    kind = FAULT_KINDS.get(name)
    if kind is None:
        raise UsageError(f"there is no fault {name!r}", next_action=f"use one of: {', '.join(FAULT_KINDS)}")
    unknown = sorted(set(parameters) - set(kind.parameters))
    if unknown:
        known = ", ".join(kind.parameters) or "none"
        raise UsageError(f"the fault {name!r} has no parameter {unknown[0]!r}", next_action=f"its parameters are: {known}")
    if at is not None and at not in kind.moments:
        allowed = f"it can strike at: {', '.join(kind.moments)}" if kind.moments else "leave --at out: it holds at any moment"
        raise UsageError(f"the fault {name!r} does not strike at {at!r}", next_action=allowed)
    if times is not None and times < 0:
        raise UsageError(f"a fault cannot strike {times} times", next_action="give a count, or 0 for until it is cleared")
    if after < 0:
        raise UsageError(f"a fault cannot let {after} moments pass", next_action="give a count, 0 or more")
    if not 0 < probability <= 1:
        raise UsageError(f"{probability:g} is no probability", next_action="give a number above 0 and at most 1, such as 0.2")
    if lasts_s is not None and not lasts_s > 0:
        raise UsageError(f"a fault cannot last {lasts_s:g} s", next_action="give a number of seconds above 0")
    if kind.form != "strike" and at is None and (after or probability < 1):
        raise UsageError(
            f"the fault {name!r} would begin at once, so there is nothing to count or to leave to chance",
            next_action=f"say at which moment it may begin: --at with one of: {', '.join(kind.moments)}"
            if kind.moments
            else "leave --after and --probability out",
        )
    return Fault(
        name=name,
        parameters={key: _value(kind, key, parameters.get(key, default)) for key, default in kind.parameters.items()},
        at=at or kind.at,
        after=after,
        remaining=kind.times if times is None else times or None,
        probability=probability,
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
        lasts_s=kind.lasts_s if lasts_s is None else lasts_s,
    )


def _value(kind: FaultKind, key: str, value: Scalar) -> Scalar:
    default, choices = kind.parameters[key], kind.choices.get(key)
    try:
        made = _TRUTH[str(value).lower()] if isinstance(default, bool) else type(default)(value)
    except (ValueError, KeyError):
        raise UsageError(
            f"{key}={value!r} of the fault {kind.name!r} is not usable", next_action=f"give a value such as {default!r}"
        ) from None
    if choices is not None and made not in choices:
        allowed = ", ".join(str(choice) for choice in choices)
        raise UsageError(f"{key} of the fault {kind.name!r} cannot be {made!r}", next_action=f"use one of: {allowed}")
    return made
