"""PowerShell's ideas about values: type names, string forms, properties, wildcards.

Works on the plain values of ``sandbox.engine``. Used by the binder and by the core commands; conversion and comparison are in
the modules beside. Touches no device.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Mapping
from typing import Any

from akslite_ps.command_line import real_text
from akslite_ps.sandbox.dotnet import TypedList
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)

CUSTOM_OBJECT = "System.Management.Automation.PSCustomObject"
FULL_NAMES: Mapping[str, str] = {
    "String": "System.String",
    "Int32": "System.Int32",
    "Int64": "System.Int64",
    "Byte": "System.Byte",
    "Char": "System.Char",
    "Decimal": "System.Decimal",
    "Double": "System.Double",
    "Boolean": "System.Boolean",
    "DateTime": "System.DateTime",
    "TimeSpan": "System.TimeSpan",
    "Guid": "System.Guid",
    "Version": "System.Version",
    "Object": "System.Object",
    "PSObject": "System.Management.Automation.PSObject",
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
    "SecureString": "System.Security.SecureString",
    "Hashtable": "System.Collections.Hashtable",
    "ScriptBlock": "System.Management.Automation.ScriptBlock",
    "ActionPreference": "System.Management.Automation.ActionPreference",
    "CommandTypes": "System.Management.Automation.CommandTypes",
    "ErrorCategory": "System.Management.Automation.ErrorCategory",
    "ConsoleColor": "System.ConsoleColor",
}


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
    named = getattr(value, "TYPE_NAME", None)
    if isinstance(named, str):
        return named
    match value:
        case bool():
            return "System.Boolean"
        case int():
            return "System.Int32" if INT32[0] <= value <= INT32[1] else "System.Int64"
        case PsValue():
            return value.type_names[0] if value.type_names else "System.Management.Automation.PSCustomObject"
        case EnumValue():
            return value.type_name
        case TypedList():
            return value.type_names[0]
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
    (Version, "System.Version"),
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
            return real_text(value)
        case decimal.Decimal():
            return f"{value:f}"
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
        case Version():
            return value.text
        case PsValue():
            if value.text is not None:
                return value.text
            if value.type_names and CUSTOM_OBJECT not in value.type_names:
                return value.type_names[0]
            return "@{" + "; ".join(f"{name}={text_of(item)}" for name, item in value.properties.items()) + "}"
    return str(value)


def _span_text(value: dt.timedelta) -> str:
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds * 10:07d}" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


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


class InvalidWildcard(ValueError):
    """A text that is no wildcard pattern; the message is PowerShell's."""


def wildcard(pattern: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """PowerShell's wildcards (``*``, ``?``, ``[a-z]``, a backtick before what is meant literally) for ``fullmatch``.

    Each ``*`` takes as little as it can and never more afterwards: that finds every match, and many of them cost no more time.

    Raises:
        InvalidWildcard: A set in it has no end, is empty, or has a range from high to low.
    """
    pieces: list[list[str]] = [[]]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            pieces.append([])
        elif character == "?":
            pieces[-1].append(".")
        elif character == "[":
            end = pattern.find("]", position)
            pieces[-1].append(_set_of(pattern, pattern[position : max(end, position)]))
            position = end + 1
        else:
            if character == "`" and position < len(pattern):
                character = pattern[position]
                position += 1
            pieces[-1].append(re.escape(character))
    first, *rest = ("".join(piece) for piece in pieces)
    text = first + "".join(f"(?>.*?{piece})" for piece in rest[:-1]) + (f".*{rest[-1]}" if rest else "")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _set_of(pattern: str, members: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(members):
        low = members[position]
        high = members[position + 2 : position + 3] if members[position + 1 : position + 2] == "-" else ""
        parts.append(re.escape(low) + (f"-{re.escape(high)}" if high else ""))
        position += 3 if high else 1
        if high and high < low:
            parts.clear()
            break
    if not parts:
        raise InvalidWildcard(f"The specified wildcard character pattern is not valid: {pattern}")
    return "[" + "".join(parts) + "]"
