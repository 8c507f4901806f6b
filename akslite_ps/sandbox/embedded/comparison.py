"""PowerShell's order of values: what ``-lt``, ``-eq`` and ``Sort-Object`` make of two of them.

Used by the core commands. Touches no device.
"""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

from akslite_ps.sandbox.embedded.conversion import ConversionFailed, convert
from akslite_ps.sandbox.embedded.values import is_sequence, text_of, type_name_of
from akslite_ps.sandbox.engine import EnumValue, PsValue


class Incomparable(ValueError):
    """Two values that have no order; the message is PowerShell's."""

    def __init__(self, left: Any, right: Any) -> None:
        super().__init__(_why_incomparable(left, right))


def _why_incomparable(left: Any, right: Any) -> str:
    if isinstance(left, PsValue | dict) or is_sequence(left):
        return f'Cannot compare "{text_of(left)}" because it is not IComparable.'
    full_name = type_name_of(left)
    try:
        convert(right, full_name.removeprefix("System."))
    except ConversionFailed as failed:
        reason = str(failed)
        if isinstance(right, str) and isinstance(left, int | float | decimal.Decimal):
            return reason
    else:
        reason = f'Cannot convert the "{text_of(right)}" value of type "{type_name_of(right)}" to type "{full_name}".'
    return f'Could not compare "{text_of(left)}" to "{text_of(right)}". Error: "{reason}"'


def compare(left: Any, right: Any, *, case_sensitive: bool = False) -> int | None:
    """Order two values as PowerShell's ``-lt``/``-gt`` do: the right side is converted to the left side's type.

    Returns:
        Below, at or above zero; None where they cannot be compared.
    """
    if left is None or right is None:
        return 0 if left is right else (-1 if left is None else 1)
    try:
        pair = _same_kind(left, right)
    except ConversionFailed:
        return None
    first, second = pair
    if isinstance(first, str):
        first, second = _key(first, case_sensitive), _key(second, case_sensitive)
    try:
        return int(first > second) - int(first < second)
    except TypeError:
        return None


def _key(text: str, case_sensitive: bool) -> tuple[str, ...]:
    """By the letters first; where they are the same, Windows puts small letters before capitals."""
    return (text.casefold(), text.swapcase()) if case_sensitive else (text.casefold(),)


def _same_kind(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, EnumValue):
        return _enum_and(left, right)
    if isinstance(right, EnumValue) and isinstance(left, int | float | decimal.Decimal):
        return float(left), float(right.number)
    match left:
        case bool():
            return left, right if isinstance(right, bool) else bool(right)
        case int() if isinstance(right, int) and not isinstance(right, bool):
            return left, right
        case int() | float() | decimal.Decimal():
            return float(left), convert(right, "Double")
        case dt.datetime():
            return left, convert(right, "DateTime")
        case dt.timedelta():
            return (left, right) if isinstance(right, dt.timedelta) else (text_of(left), text_of(right))
    return text_of(left), text_of(right)


def _enum_and(left: EnumValue, right: Any) -> tuple[Any, Any]:
    """An enum is a number with names; of a name that is not this value's own the number is not known here."""
    if isinstance(right, EnumValue):
        return left.number, right.number
    try:
        return float(left.number), convert(right, "Double")
    except ConversionFailed:
        return left.name, text_of(right)
