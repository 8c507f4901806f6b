"""PowerShell's ideas about values: type names, string forms, conversion to a parameter's type, comparison.

Works on the plain values of ``sandbox.engine``. Used by the binder and by the core commands, so that
``-Seconds "5"`` binds and ``Where-Object Name -eq vmms`` compares as on a device. Touches no device.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText

INT32 = (-(2**31), 2**31 - 1)
PREFERENCES = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
INT64 = (-(2**63), 2**63 - 1)

FULL_NAMES: Mapping[str, str] = {
    "String": "System.String",
    "Int32": "System.Int32",
    "Int64": "System.Int64",
    "Double": "System.Double",
    "Boolean": "System.Boolean",
    "DateTime": "System.DateTime",
    "Object": "System.Object",
    "PSObject": "System.Management.Automation.PSObject",
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
    "SecureString": "System.Security.SecureString",
    "Hashtable": "System.Collections.Hashtable",
    "ActionPreference": "System.Management.Automation.ActionPreference",
}


class ConversionFailed(ValueError):
    """A value that PowerShell would not convert; the message is PowerShell's."""


def is_sequence(value: object) -> bool:
    """True for what PowerShell enumerates: lists and tuples, not strings, bytes or dictionaries."""
    return isinstance(value, list | tuple)


def full_type_name(name: str) -> str:
    """``String[]`` to ``System.String[]``; names that are full already stay."""
    if name.endswith("[]"):
        return full_type_name(name[:-2]) + "[]"
    return FULL_NAMES.get(name, name)


def type_name_of(value: object) -> str:
    """The .NET type a value has on the device."""
    match value:
        case bool():
            return "System.Boolean"
        case int():
            return "System.Int32" if INT32[0] <= value <= INT32[1] else "System.Int64"
        case PsValue():
            return value.type_names[0] if value.type_names else "System.Management.Automation.PSCustomObject"
        case EnumValue():
            return value.type_name
        case list() | tuple():
            return "System.Object[]"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "System.Object"


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (str, "System.String"),
    (float, "System.Double"),
    (decimal.Decimal, "System.Decimal"),
    (dt.datetime, "System.DateTime"),
    (dt.timedelta, "System.TimeSpan"),
    (uuid.UUID, "System.Guid"),
    (bytes, "System.Byte[]"),
    (dict, "System.Collections.Hashtable"),
    (SecureText, "System.Security.SecureString"),
)


def text_of(value: Any) -> str:
    """The string PowerShell makes of a value (invariant culture), as in ``"$value"``."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "True" if value else "False"
        case float():
            return _number_text(value)
        case dt.datetime():
            return value.strftime("%m/%d/%Y %H:%M:%S")
        case dt.timedelta():
            return _span_text(value)
        case bytes():
            return " ".join(str(b) for b in value)
        case list() | tuple():
            return " ".join(text_of(item) for item in value)
        case dict():
            return "System.Collections.Hashtable"
        case SecureText():
            return "System.Security.SecureString"
        case EnumValue():
            return value.name
        case PsValue():
            if value.text is not None:
                return value.text
            if value.type_names:
                return value.type_names[0]
            return "@{" + "; ".join(f"{name}={text_of(item)}" for name, item in value.properties.items()) + "}"
    return str(value)


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _span_text(value: dt.timedelta) -> str:
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds * 10:07d}" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def convert(value: Any, type_name: str) -> Any:
    """Convert an argument to a parameter's type (short name, e.g. ``Int32`` or ``String[]``).

    Raises:
        ConversionFailed: PowerShell would refuse; the text is the one it shows.
    """
    if type_name.endswith("[]"):
        items = value if is_sequence(value) else [] if value is None else [value]
        return [convert(item, type_name[:-2]) for item in items]
    converter = _CONVERTERS.get(type_name)
    return converter(value) if converter else value


def _to_string(value: Any) -> str:
    if is_sequence(value):
        raise ConversionFailed("Cannot convert value to type System.String.")
    return text_of(value)


def _to_integer(low: int, high: int, type_name: str) -> Callable[[Any], int]:
    def to_integer(value: Any) -> int:
        match value:
            case None:
                return 0
            case bool():
                number = int(value)
            case int():
                number = value
            case float() | decimal.Decimal():
                number = round(value)
            case EnumValue():
                number = value.number
            case str():
                number = _parse_integer(value, type_name)
            case _:
                raise _cannot_convert(value, type_name)
        if not low <= number <= high:
            size = type_name.removeprefix("Int")
            raise ConversionFailed(
                f'Cannot convert value "{text_of(value)}" to type "System.{type_name}". '
                f'Error: "Value was either too large or too small for an Int{size}."'
            )
        return number

    return to_integer


def _parse_integer(text: str, type_name: str) -> int:
    stripped = text.strip()
    if not stripped:
        return 0
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", stripped):
        return int(stripped, 16)
    try:
        return round(decimal.Decimal(stripped))
    except (decimal.InvalidOperation, ValueError, OverflowError):
        raise ConversionFailed(
            f'Cannot convert value "{text}" to type "System.{type_name}". Error: "Input string was not in a correct format."'
        ) from None


def _to_double(value: Any) -> float:
    if isinstance(value, bool | int | float | decimal.Decimal):
        return float(value)
    if value is None:
        return 0.0
    try:
        return float(text_of(value))
    except ValueError:
        raise ConversionFailed(
            f'Cannot convert value "{text_of(value)}" to type "System.Double". Error: "Input string was not in a correct format."'
        ) from None


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool | int | float | decimal.Decimal):
        return bool(value)
    raise _not_boolean(value, "System.Boolean")


def _to_switch(value: Any) -> bool:
    """None is a switch given without a value, which is on."""
    if value is None or isinstance(value, bool):
        return value is not False
    if isinstance(value, PsValue):
        found, present = property_of(value, "IsPresent")
        if found:
            return bool(present)
    if isinstance(value, int | float | decimal.Decimal):
        raise _cannot_convert(value, "SwitchParameter")
    raise _not_boolean(value, FULL_NAMES["SwitchParameter"])


def _not_boolean(value: Any, type_name: str) -> ConversionFailed:
    shown = "" if value is None else type_name_of(value)
    return ConversionFailed(
        f'Cannot convert value "{shown}" to type "{type_name}". Boolean parameters accept only Boolean values '
        "and numbers, such as $True, $False, 1 or 0."
    )


def _to_preference(value: Any) -> str:
    if isinstance(value, EnumValue):
        value = value.name
    if isinstance(value, int) and 0 <= value < len(PREFERENCES):
        return PREFERENCES[value]
    text = text_of(value)
    for name in PREFERENCES:
        if name.casefold() == text.casefold():
            return name
    raise ConversionFailed(
        f'Cannot convert value "{text}" to type "System.Management.Automation.ActionPreference". Error: "Unable to match the '
        f"identifier name {text} to a valid enumerator name. Specify one of the following enumerator names and try again:\r\n"
        + ", ".join(PREFERENCES)
        + '"'
    )


def _to_date(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    text = text_of(value).strip()
    for form in ("", "%m/%d/%Y %H:%M:%S%z", "%m/%d/%Y%z"):
        try:
            parsed = dt.datetime.strptime(text + "+0000", form) if form else dt.datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            continue
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    raise ConversionFailed(
        f'Cannot convert value "{text}" to type "System.DateTime". Error: "String was not recognized as a valid DateTime."'
    )


def _to_hashtable(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _cannot_convert(value, "Hashtable")


def _to_secure(value: Any) -> SecureText:
    if isinstance(value, SecureText):
        return value
    raise _cannot_convert(value, "SecureString")


def _cannot_convert(value: Any, type_name: str) -> ConversionFailed:
    shown = type_name_of(value) if is_sequence(value) else text_of(value)
    return ConversionFailed(
        f'Cannot convert the "{shown}" value of type "{type_name_of(value)}" to type "{full_type_name(type_name)}".'
    )


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "String": _to_string,
    "Int32": _to_integer(*INT32, "Int32"),
    "Int64": _to_integer(*INT64, "Int64"),
    "Double": _to_double,
    "Boolean": _to_boolean,
    "DateTime": _to_date,
    "Hashtable": _to_hashtable,
    "SecureString": _to_secure,
    "SwitchParameter": _to_switch,
    "ActionPreference": _to_preference,
}


def property_of(value: Any, name: str) -> tuple[bool, Any]:
    """Look a property up, ignoring case: (found, value)."""
    if isinstance(value, PsValue):
        properties: Mapping[Any, Any] = value.properties
    elif isinstance(value, dict):
        properties = value
    elif isinstance(value, str) and name.casefold() == "length":
        return True, len(value)
    elif isinstance(value, dt.datetime):
        properties = {"Year": value.year, "Month": value.month, "Day": value.day, "Hour": value.hour, "Minute": value.minute}
    else:
        return False, None
    if name in properties:
        return True, properties[name]
    wanted = name.casefold()
    for key, item in properties.items():
        if isinstance(key, str) and key.casefold() == wanted:
            return True, item
    return False, None


def property_names(value: Any) -> list[str]:
    """The names of a value's properties, in order; empty for primitives."""
    if isinstance(value, PsValue):
        return list(value.properties)
    return [str(key) for key in value] if isinstance(value, dict) else []


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
    if isinstance(first, str) and not case_sensitive:
        first, second = first.casefold(), second.casefold()
    try:
        return int(first > second) - int(first < second)
    except TypeError:
        return None


def _same_kind(left: Any, right: Any) -> tuple[Any, Any]:
    match left:
        case bool():
            return left, right if isinstance(right, bool) else bool(right)
        case int() | float() | decimal.Decimal():
            return float(left), _to_double(right)
        case dt.datetime():
            return left, _to_date(right)
        case dt.timedelta():
            return (left, right) if isinstance(right, dt.timedelta) else (text_of(left), text_of(right))
    return text_of(left), text_of(right)


def wildcard(pattern: str) -> re.Pattern[str]:
    """PowerShell's wildcards (``*``, ``?``, ``[a-z]``) as a pattern for ``fullmatch``, ignoring case."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        close = pattern.find("]", position + 1) if character == "[" else -1
        if close > 0:
            parts.append("[" + pattern[position + 1 : close].replace("\\", "\\\\").replace("^", "\\^") + "]")
            position = close
        else:
            parts.append({"*": ".*", "?": "."}.get(character, re.escape(character)))
        position += 1
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
