"""JSON as Windows PowerShell 5.1 writes and reads it, which differs from PowerShell 7: layout, escapes, dates, number types.

Used by ``ConvertTo-Json`` and ``ConvertFrom-Json``. Writing goes down to a depth, below which objects become their text.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from akslite_ps.sandbox.embedded.values import INT32, INT64, is_sequence, text_of
from akslite_ps.sandbox.engine import EnumValue, PsValue, Version

_INDENT = 4
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile("[\"\\\\'<>&\x00-\x1f\x85\u2028\u2029]")
_DATE = re.compile(r"/Date\((-?\d+)\)/")


class InvalidJson(ValueError):
    """Text that is no JSON; the message is PowerShell's."""


def to_json(value: Any, *, depth: int, compress: bool) -> str:
    """A value as JSON.

    Args:
        value: Any plain value.
        depth: How many levels of contained objects are written as objects.
        compress: Without line breaks and blanks.
    """
    return _written(_simplified(value, depth), None if compress else 0)


def from_json(text: str) -> Any:
    """The value of a JSON text: objects, lists, Int32, Int64 or Decimal, and dates in the form that :func:`to_json` writes.

    Raises:
        InvalidJson: It is none, or an object in it has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=decimal.Decimal, parse_constant=_refused)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].split(",", maxsplit=1)[0].strip().rstrip("}]") or text
        raise InvalidJson(f"Invalid JSON primitive: {rest}.") from None


def _refused(constant: str) -> Any:
    raise InvalidJson(f"Invalid JSON primitive: {constant}.")


def _whole(digits: str) -> Any:
    number = int(digits)
    return number if INT64[0] <= number <= INT64[1] else decimal.Decimal(digits)


def _object(pairs: list[tuple[str, Any]]) -> PsValue:
    seen: dict[str, str] = {}
    for key, _ in pairs:
        if key.casefold() in seen:
            raise InvalidJson(
                "Cannot convert the JSON string because a dictionary that was converted from the string contains the duplicated "
                f"keys '{seen[key.casefold()]}' and '{key}'."
            )
        seen[key.casefold()] = key
    return PsValue({key: _dated(value) for key, value in pairs})


def _dated(value: Any) -> Any:
    if isinstance(value, str) and (found := _DATE.fullmatch(value)):
        return _EPOCH + dt.timedelta(milliseconds=int(found[1]))
    return value


# -- values to what JSON has ------------------------------------------------------------------------------------------


def _simplified(value: Any, depth: int) -> Any:
    match value:
        case None | bool() | str():
            return value
        case EnumValue():
            return value.number
        case int() | float() | decimal.Decimal():
            return value
        case dt.datetime():
            return _Verbatim(f'"\\/Date({_milliseconds(value)})\\/"')
        case uuid.UUID():
            return str(value)
        case bytes():
            return list(value) if depth >= 0 else text_of(value)
    entries = _entries(value)
    if depth < 0 or (entries is None and not is_sequence(value)):
        return text_of(value)
    if entries is not None:
        return {name: _simplified(item, depth - 1) for name, item in entries}
    return [_simplified(item, depth - 1) for item in value]


def _milliseconds(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // dt.timedelta(milliseconds=1)


def _entries(value: Any) -> Iterable[tuple[str, Any]] | None:
    """The properties that JSON shows of an object; None for what has none."""
    match value:
        case PsValue(properties=properties):
            return [(str(name), item) for name, item in properties.items()]
        case Mapping():
            return [(str(name), item) for name, item in value.items()]
        case dt.timedelta():
            return _span_entries(value)
        case Version():
            numbers = [int(part) for part in value.text.split(".")] + [-1, -1]
            return [
                *zip(("Major", "Minor", "Build", "Revision"), numbers, strict=False),
                ("MajorRevision", -1),
                ("MinorRevision", -1),
            ]
    return None


def _span_entries(span: dt.timedelta) -> list[tuple[str, Any]]:
    ticks = span // dt.timedelta(microseconds=1) * 10
    seconds = ticks / 10_000_000
    whole = int(abs(seconds)) * (1 if seconds >= 0 else -1)
    sign = 1 if whole >= 0 else -1
    parts = (whole // 86400 if sign > 0 else -(-whole // 86400), sign * (abs(whole) // 3600 % 24))
    return [
        ("Ticks", ticks),
        ("Days", parts[0]),
        ("Hours", parts[1]),
        ("Milliseconds", sign * (abs(ticks) // 10_000 % 1000)),
        ("Minutes", sign * (abs(whole) // 60 % 60)),
        ("Seconds", sign * (abs(whole) % 60)),
        ("TotalDays", seconds / 86400),
        ("TotalHours", seconds / 3600),
        ("TotalMilliseconds", seconds * 1000),
        ("TotalMinutes", seconds / 60),
        ("TotalSeconds", seconds),
    ]


# -- text -------------------------------------------------------------------------------------------------------------


class _Verbatim(str):
    """JSON text that is written as it stands."""


def _written(value: Any, column: int | None) -> str:
    """A value that begins in a column; what it contains is set in from there. None for no layout."""
    match value:
        case None:
            return "null"
        case _Verbatim():
            return str(value)
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case dict():
            if column is None:
                return "{" + ",".join(f"{_quoted(key)}:{_written(item, None)}" for key, item in value.items()) + "}"
            inner = column + _INDENT
            lines = [f"{_quoted(key)}:  {_written(item, inner + len(_quoted(key)) + 3)}" for key, item in value.items()]
            return _block("{", lines, "}", column)
        case list():
            if column is None:
                return "[" + ",".join(_written(item, None) for item in value) + "]"
            return _block("[", [_written(item, column + _INDENT) for item in value], "]", column)
    return _number(value)


def _block(opening: str, lines: list[str], closing: str, column: int) -> str:
    inner = " " * (column + _INDENT)
    body = ",\r\n".join(inner + line for line in lines)
    return f"{opening}\r\n{body}\r\n{' ' * column}{closing}"


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda match: _SHORT_ESCAPES.get(match[0], f"\\u{ord(match[0]):04x}"), text) + '"'


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if not isinstance(value, int) or INT32[0] <= value <= INT32[1] else str(int(value))
