"""Conversion of a value to a parameter's type, as PowerShell's language does it: ``"0x10"`` to 16, ``"mon"`` to Monday.

Called by the binder and wherever a command compares or sums values. Messages are those of Windows PowerShell 5.1.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from psrpcore.types import ErrorCategory

from akslite_ps.sandbox.dotnet import TypedList
from akslite_ps.sandbox.embedded.values import (
    FULL_NAMES,
    INT32,
    INT64,
    full_type_name,
    is_sequence,
    property_of,
    text_of,
    type_name_of,
)
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version

_PREFERENCES = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
_COLORS = (
    *("Black", "DarkBlue", "DarkGreen", "DarkCyan", "DarkRed", "DarkMagenta", "DarkYellow", "Gray", "DarkGray", "Blue"),
    *("Green", "Cyan", "Red", "Magenta", "Yellow", "White"),
)
_COMMAND_TYPES = (
    *("Alias", "Function", "Filter", "Cmdlet", "ExternalScript", "Application", "Script", "Workflow", "Configuration", "All"),
)
ENUMS: Mapping[str, tuple[str, ...]] = {
    "ActionPreference": _PREFERENCES,
    "CommandTypes": _COMMAND_TYPES,
    "ConsoleColor": _COLORS,
    "ErrorCategory": tuple(category.name for category in ErrorCategory),
}
"""The .NET enums that parameters have here: short type name to names in order of their numbers."""

_FLAGS = frozenset({"CommandTypes"})
_ONE_VALUE = frozenset({"Char", "DateTime", "TimeSpan", "Guid", "Version"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")
_MULTIPLIED = re.compile(r"([+-]?[0-9]*\.?[0-9]+)(kb|mb|gb|tb|pb)", re.IGNORECASE)
_MULTIPLIERS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_SPAN = re.compile(
    r"(?P<sign>-?)(?:(?P<days>\d+)\.)?(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+)(?:\.(?P<parts>\d{1,7}))?)?"
)
_VERSION = re.compile(r"\d+(\.\d+){1,3}")


class ConversionFailed(ValueError):
    """A value that PowerShell would not convert; the message is PowerShell's."""


def convert(value: Any, type_name: str) -> Any:
    """Convert an argument to a parameter's type.

    Args:
        value: A plain value.
        type_name: Short name, e.g. ``Int32`` or ``String[]``; a name that is not known here takes any value.

    Returns:
        The converted value; an enum's as its name.

    Raises:
        ConversionFailed: PowerShell would refuse; the text is the one it shows.
    """
    if type_name.endswith("[]"):
        if value is None:
            return None
        items = value if is_sequence(value) else [value]
        if type_name == "String[]":
            return [text_of(item) for item in items]
        return [convert(item, type_name[:-2]) for item in items]
    if type_name in ENUMS:
        return _to_enum(value, type_name)
    if is_sequence(value) and type_name in _ONE_VALUE:
        raise _cannot_convert(value, type_name)
    converter = _CONVERTERS.get(type_name)
    return converter(value) if converter else value


def _failed(value: Any, type_name: str, reason: str) -> ConversionFailed:
    return ConversionFailed(f'Cannot convert value "{text_of(value)}" to type "{full_type_name(type_name)}". Error: "{reason}"')


def _cannot_convert(value: Any, type_name: str) -> ConversionFailed:
    shown = type_name_of(value) if is_sequence(value) else text_of(value)
    return ConversionFailed(
        f'Cannot convert the "{shown}" value of type "{type_name_of(value)}" to type "{full_type_name(type_name)}".'
    )


def _to_string(value: Any) -> str:
    if is_sequence(value) and not isinstance(value, TypedList):
        raise ConversionFailed("Cannot convert value to type System.String.")
    return text_of(value)


def _to_integer(low: int, high: int, type_name: str, size: str) -> Callable[[Any], int]:
    def to_integer(value: Any) -> int:
        match value:
            case None:
                return 0
            case bool():
                number = int(value)
            case int():
                number = value
            case float() | decimal.Decimal():
                number = _whole(value, type_name, size)
            case EnumValue():
                number = value.number
            case str():
                number = _whole(_number(value, type_name), type_name, size, written=value)
            case _:
                raise _cannot_convert(value, type_name)
        if not low <= number <= high:
            raise _failed(value, type_name, f"Value was either too large or too small for {size}.")
        return number

    return to_integer


def _whole(value: float | decimal.Decimal, type_name: str, size: str, *, written: str | None = None) -> int:
    if not -(2**64) < value < 2**64:
        shown = value if written is None else written
        raise _failed(shown, type_name, f"Value was either too large or too small for {size}.")
    return round(value)


def _number(text: str, type_name: str) -> decimal.Decimal:
    stripped = text.strip()
    if not stripped:
        return decimal.Decimal(0)
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", stripped):
        return decimal.Decimal(int(stripped, 16))
    if multiplied := _MULTIPLIED.fullmatch(stripped):
        return decimal.Decimal(multiplied[1]) * _MULTIPLIERS[multiplied[2].lower()]
    try:
        number = decimal.Decimal(stripped.replace(",", "")) if not stripped.startswith(",") else decimal.Decimal("nan")
    except decimal.InvalidOperation:
        number = decimal.Decimal("nan")
    if not number.is_finite():
        raise _failed(text, type_name, "Input string was not in a correct format.")
    return number


def _to_double(value: Any) -> float:
    if isinstance(value, bool | int | float | decimal.Decimal):
        return float(value)
    if value is None:
        return 0.0
    if is_sequence(value) or isinstance(value, dict):
        raise _cannot_convert(value, "Double")
    return float(_number(text_of(value), "Double"))


def _to_decimal(value: Any) -> decimal.Decimal:
    if isinstance(value, bool | int | decimal.Decimal):
        return decimal.Decimal(value)
    if value is None:
        return decimal.Decimal(0)
    if is_sequence(value) or isinstance(value, dict):
        raise _cannot_convert(value, "Decimal")
    return _number(text_of(value), "Decimal")


def _to_char(value: Any) -> str:
    text = text_of(value)
    if len(text) != 1:
        raise _failed(text, "Char", "String must be exactly one character long.")
    return text


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool | int | float | decimal.Decimal):
        return bool(value)
    raise _not_boolean(value, "System.Boolean")


def _to_switch(value: Any) -> bool:
    """None is off, as where a function is called with null for a switch; the binder knows the ways in which it is on."""
    if value is None or isinstance(value, bool):
        return bool(value)
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


def _to_enum(value: Any, type_name: str) -> str:
    """An enum by number, by name, or by the beginning of a name that only one has; by several of them joined with commas."""
    if isinstance(value, EnumValue):
        value = value.name
    if value is None:
        raise _no_such_member("null", type_name)
    if value == {}:
        return ENUMS[type_name][0]  # PowerShell makes a default value and sets no property of it
    if isinstance(value, int) and not isinstance(value, bool):
        return _enum_of_number(value, f'value "{value}"', type_name)
    text = ",".join(text_of(item) for item in value) if is_sequence(value) else text_of(value).strip()
    if isinstance(value, bool):
        reason = f"Invalid cast from 'System.Boolean' to '{full_type_name(type_name)}'."
        raise _failed(value, type_name, reason)
    number = _enum_number(text, type_name)
    if number is not None:
        return _enum_of_number(number, f'value "{text}"', type_name)
    if type_name in _FLAGS and "," in text:
        return ", ".join(_to_enum(part, type_name) for part in text.split(","))
    return _enum_by_beginning(text, type_name)


def _enum_numbers(type_name: str) -> dict[str, int]:
    names = ENUMS[type_name]
    numbers = (1 << index for index in range(len(names))) if type_name in _FLAGS else iter(range(len(names)))
    found = dict(zip(names, numbers, strict=False))
    return {**found, "All": sum(found.values()) - found["All"]} if type_name in _FLAGS else found


def _enum_number(text: str, type_name: str) -> int | None:
    """The number that whole names and numbers, joined by commas, stand for; None where one of them is neither."""
    numbers = {name.casefold(): number for name, number in _enum_numbers(type_name).items()}
    found = 0
    for part in text.split(","):
        word = part.strip().casefold()
        if word in numbers:
            found |= numbers[word]
        elif _WHOLE.fullmatch(word):
            found |= int(word)
        else:
            return None
    return found


def _enum_of_number(number: int, what: str, type_name: str) -> str:
    numbers = _enum_numbers(type_name)
    for name, known in numbers.items():
        if known == number:
            return name
    parts = [name for name, known in numbers.items() if known & number and known.bit_count() == 1]
    if type_name in _FLAGS and number > 0 and sum(numbers[name] for name in parts) == number:
        return ", ".join(parts)
    raise _no_such_member(what, type_name)


def _enum_by_beginning(text: str, type_name: str) -> str:
    names = ENUMS[type_name]
    found = [name for name in names if name.casefold().startswith(text.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        raise _failed(
            text,
            type_name,
            f"The identifier name {text} cannot be processed because it is either too similar or identical to the following "
            f"enumerator names: {', '.join(found)}. Use a more specific identifier name.",
        )
    raise _failed(
        text,
        type_name,
        f"Unable to match the identifier name {text} to a valid enumerator name. Specify one of the following enumerator names "
        f"and try again:\r\n{', '.join(names)}",
    )


def _no_such_member(what: str, type_name: str) -> ConversionFailed:
    return ConversionFailed(
        f'Cannot convert {what} to type "{full_type_name(type_name)}" due to enumeration values that are not valid. '
        "Specify one of the following enumeration values and try again. The possible enumeration values are "
        f'"{",".join(ENUMS[type_name])}".'
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
    raise _failed(text, "DateTime", "String was not recognized as a valid DateTime.")


def _to_span(value: Any) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return dt.timedelta(microseconds=value / 10)
    text = text_of(value).strip()
    if re.fullmatch(r"-?\d+", text):
        return dt.timedelta(days=int(text))
    found = _SPAN.fullmatch(text)
    if found is None:
        raise _failed(text, "TimeSpan", f"String '{text}' was not recognized as a valid TimeSpan.")
    numbers = {name: int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    span = dt.timedelta(**numbers, microseconds=int((found["parts"] or "0").ljust(7, "0")) // 10)
    return -span if found["sign"] else span


def _to_guid(value: Any) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(text_of(value))
    except ValueError:
        raise _failed(value, "Guid", "Unrecognized Guid format.") from None


def _to_version(value: Any) -> Version:
    if isinstance(value, Version):
        return value
    text = text_of(value)
    if not _VERSION.fullmatch(text):
        raise _failed(value, "Version", "Version string portion was too short or too long.\r\nParameter name: input")
    return Version(text)


def _to_hashtable(value: Any) -> dict[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    raise _cannot_convert(value, "Hashtable")


def _to_secure(value: Any) -> SecureText | None:
    if value is None or isinstance(value, SecureText):
        return value
    # PowerShell keeps what was given out of the message, in case it is the secret itself.
    raise ConversionFailed(f'Cannot convert the value of type "{type_name_of(value)}" to type "{full_type_name("SecureString")}".')


def _to_script_block(value: Any) -> Any:
    raise _cannot_convert(value, "ScriptBlock")


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "String": _to_string,
    "Int32": _to_integer(*INT32, "Int32", "an Int32"),
    "Int64": _to_integer(*INT64, "Int64", "an Int64"),
    "Byte": _to_integer(0, 255, "Byte", "an unsigned byte"),
    "Double": _to_double,
    "Decimal": _to_decimal,
    "Char": _to_char,
    "Boolean": _to_boolean,
    "DateTime": _to_date,
    "TimeSpan": _to_span,
    "Guid": _to_guid,
    "Version": _to_version,
    "Hashtable": _to_hashtable,
    "SecureString": _to_secure,
    "SwitchParameter": _to_switch,
    "ScriptBlock": _to_script_block,
}
