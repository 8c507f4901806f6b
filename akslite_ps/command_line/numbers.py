"""PowerShell's number literals, as Windows PowerShell 5.1 reads them."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

_INT32_MAX, _INT64_MAX = 2**31 - 1, 2**63 - 1
_DECIMAL_MAX = 2**96 - 1
_MOST_DIGITS = 309
_MULTIPLIERS = {"": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_SUFFIX = r"(?P<type>[ld]?)(?P<multiplier>(?:[kmgtp]b)?)"
_HEX = re.compile(r"(?P<sign>[+-]?)0x(?P<digits>[0-9a-f]*?)(?P<type>l?)(?P<multiplier>(?:[kmgtp]b)?)$", re.IGNORECASE)
_DECIMAL = re.compile(rf"(?P<sign>[+-]?)(?P<digits>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?){_SUFFIX}$", re.IGNORECASE)


def read_number(word: str) -> int | float | Decimal | None:
    """The number a word means, or None where it is no number.

    Args:
        word: e.g. ``12``, ``-5``, ``0x1F``, ``1.5``, ``4GB``, ``2d``, ``10L``, ``1e3``.

    Returns:
        An int where PowerShell has Int32 or Int64, a Decimal for the suffix ``d`` and for whole numbers
        beyond Int64, else a float.
    """
    word = word.replace("\u2013", "-").replace("\u2014", "-").replace("\u2015", "-")
    if match := _HEX.match(word):
        return _hexadecimal(match)
    if match := _DECIMAL.match(word):
        return _decimal(match)
    return None


def _hexadecimal(match: re.Match[str]) -> int | None:
    digits = match["digits"]
    value = int(digits or "0", 16)
    if not match["type"] and len(digits) <= 8 and value > _INT32_MAX:
        value -= 2**32  # 0xFFFFFFFF is the Int32 -1
    elif value > _INT64_MAX:
        if len(digits) > 16:
            return None
        value -= 2**64
    value *= _MULTIPLIERS[match["multiplier"].lower()]
    if abs(value) > _INT64_MAX:
        return None
    return -value if match["sign"] == "-" else value


def _decimal(match: re.Match[str]) -> int | float | Decimal | None:
    digits, kind = match["digits"], match["type"].lower()
    factor = _MULTIPLIERS[match["multiplier"].lower()]
    sign = -1 if match["sign"] == "-" else 1
    if kind == "d":
        try:
            value = Decimal(digits) * factor * sign
        except InvalidOperation:
            return None
        return value if abs(value) <= _DECIMAL_MAX else None
    if not digits.isdecimal():
        real = sign * float(digits) * factor
        if kind != "l":
            return real
        return round(real) if abs(real) < _INT64_MAX else None
    if len(digits.lstrip("0")) > _MOST_DIGITS:
        return None
    whole = int(digits.lstrip("0") or "0") * factor * sign
    if abs(whole) <= _INT64_MAX:
        return whole
    if kind == "l":
        return None
    if abs(whole) <= _DECIMAL_MAX:
        return Decimal(whole)
    try:
        return float(whole)
    except OverflowError:
        return None


def real_text(value: float) -> str:
    """How PowerShell writes a Double: 15 digits, ``1E+15`` from there on."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return f"{value or 0.0:.15G}"
