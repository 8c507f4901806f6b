"""Kubernetes quantities (``250m``, ``64Mi``) and portions (``25%``) as numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_PERCENTAGE = re.compile(r"^[0-9]+%$")
_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]|[KMGTPE]i)?$")


def parse_quantity(text: object) -> Decimal:
    """The number that a quantity stands for.

    Raises:
        ValueError: The text is no quantity.
    """
    found = _QUANTITY.match(str(text))
    if not found:
        raise ValueError(f"quantities must match the regular expression '{_QUANTITY.pattern}'")
    return Decimal(found[1]) * _SUFFIXES[found[2] or ""]


def is_portion(value: object) -> bool:
    """Whether a value is a count or a percentage, neither negative."""
    if isinstance(value, str):
        return bool(_PERCENTAGE.match(value))
    return isinstance(value, int) and value >= 0


def portion(value: int | str, whole: int, *, round_up: bool) -> int:
    """A count as it is, a percentage as its part of ``whole``."""
    if isinstance(value, int):
        return value
    share = whole * int(value.rstrip("%")) / 100
    return math.ceil(share) if round_up else math.floor(share)
