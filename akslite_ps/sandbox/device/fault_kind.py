"""What a kind of fault is made of. The kinds are in ``device.product_faults`` and ``device.transport_faults``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
