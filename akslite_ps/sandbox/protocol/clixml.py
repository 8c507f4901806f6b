"""CLIXML, the way PowerShell writes objects into remoting messages: plain engine values to text.

Called by ``protocol.psrp`` and ``protocol.psrp_records``. Writes text directly because psrpcore's serialiser loses digits of a
TimeSpan, sends Python floats as Single and cannot write dates or integers of 2**63 and more (``reference/wsman-psrp.md``
section 1). Never reads a message; that is ``protocol.clixml_reader``.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from akslite_ps.sandbox import dotnet
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version

_ESCAPED = re.compile("_(?=[xX])|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]")
_TICKS_PER_SECOND = 10_000_000
_TAGS: Mapping[type, str] = {
    dotnet.SByte: "SB",
    dotnet.Byte: "By",
    dotnet.Int16: "I16",
    dotnet.UInt16: "U16",
    dotnet.Int32: "I32",
    dotnet.UInt32: "U32",
    dotnet.Int64: "I64",
    dotnet.UInt64: "U64",
    dotnet.Uri: "URI",
    dotnet.XmlDocument: "XD",
    dotnet.ScriptBlock: "SBK",
}

OBJECT_ARRAY = ("System.Object[]", "System.Array", "System.Object")
HASHTABLE = ("System.Collections.Hashtable", "System.Object")
CUSTOM_OBJECT = ("System.Management.Automation.PSCustomObject", "System.Object")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A primitive whose CLIXML tag is chosen by the caller, e.g. ``Scalar("U32", "7")``."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class Complex:
    """An object with everything CLIXML can say about it.

    Args:
        type_names: .NET types, most derived first.
        adapted: Properties of the .NET object (``Props``).
        notes: Properties added by PowerShell (``MS``); messages of the protocol use only these.
        text: The object's ToString.
        items: Elements, for a list.
        items_tag: The kind of list: ``LST``, ``STK``, ``QUE`` or ``IE``.
        entries: Keys and values, for a dictionary.
        value: The primitive inside, for an enum.
    """

    type_names: tuple[str, ...] = ()
    adapted: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    items: Sequence[Any] | None = None
    entries: Mapping[Any, Any] | None = None
    value: Any = None
    items_tag: str = "LST"


def enum(type_name: str, number: int, name: str) -> Complex:
    """A .NET enum value."""
    return Complex((type_name, "System.Enum", "System.ValueType", "System.Object"), text=name, value=number)


def serialize(value: Any, encrypt: Callable[[str], str] | None = None) -> str:
    """One message's CLIXML.

    Args:
        value: A plain engine value, a :class:`Scalar` or a :class:`Complex`.
        encrypt: Encrypts the text of a SecureString with the session key.

    Raises:
        ValueError: A secret is to be sent and there is no session key.
    """
    writer = _Writer(encrypt)
    writer.write(value, None)
    return "".join(writer.parts)


def escape_text(value: str) -> str:
    """A string as CLIXML element text: control characters and surrogate pairs as ``_xHHHH_``."""
    return _ESCAPED.sub(_escape_match, value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def format_duration(value: dt.timedelta) -> str:
    """A TimeSpan as XML Schema duration, e.g. ``PT1M30S``, to the tenth of a microsecond."""
    ticks = dotnet.ticks_of(value)
    sign, ticks = ("-" if ticks < 0 else ""), abs(ticks)
    days, ticks = divmod(ticks, 86_400 * _TICKS_PER_SECOND)
    hours, ticks = divmod(ticks, 3_600 * _TICKS_PER_SECOND)
    minutes, ticks = divmod(ticks, 60 * _TICKS_PER_SECOND)
    seconds, ticks = divmod(ticks, _TICKS_PER_SECOND)
    time = (
        (f"{hours}H" if hours else "")
        + (f"{minutes}M" if minutes else "")
        + (f"{seconds}{_fraction(ticks)}S" if seconds or ticks else "")
    )
    if not time and not days:
        time = "0S"
    return f"{sign}P{f'{days}D' if days else ''}{f'T{time}' if time else ''}"


def format_datetime(value: dt.datetime) -> str:
    """A DateTime as PowerShell writes it: UTC ends in Z, a local time in its offset, an unspecified one in nothing."""
    ticks = value.microsecond * 10 + int(getattr(value, "tick", 0))
    text = value.replace(tzinfo=None, microsecond=0).isoformat(timespec="seconds") + _fraction(ticks)
    offset = value.utcoffset()
    if offset is None:
        return text
    if value.tzinfo is dt.UTC:
        return f"{text}Z"
    minutes = offset // dt.timedelta(minutes=1)
    return f"{text}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _fraction(ticks: int) -> str:
    return f".{ticks:07d}".rstrip("0") if ticks else ""


def to_string(value: Any) -> str:
    """What PowerShell's string conversion gives for a plain value."""
    match value:
        case None:
            return ""
        case PsValue():
            return _object_text(value)
        case EnumValue():
            return value.name
        case SecureText():
            return "System.Security.SecureString"
        case Version():
            return value.text
        case str():
            return value
        case bytes() | bytearray():
            return "System.Byte[]"
        case Mapping() | Sequence() | AbstractSet():
            return _container_name(value)
        case _:
            return str(value)


def _container_name(value: Any) -> str:
    if isinstance(value, dotnet.TypedList | dotnet.TypedDictionary):
        return value.type_names[0]
    return HASHTABLE[0] if isinstance(value, Mapping) else OBJECT_ARRAY[0]


def _object_text(value: PsValue) -> str:
    if value.text is not None:
        return value.text
    if value.type_names:
        return value.type_names[0]
    return "@{" + "; ".join(f"{name}={to_string(item)}" for name, item in value.properties.items()) + "}"


def _escape_match(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"_x{units[i]:02X}{units[i + 1]:02X}_" for i in range(0, len(units), 2))


def _escape_attribute(value: str) -> str:
    return escape_text(value).replace('"', "&quot;")


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    text = value.shortest if isinstance(value, dotnet.Single) else repr(float(value))
    return text.upper().removesuffix(".0")


def _integer(value: int) -> Scalar:
    if -(2**31) <= value < 2**31:
        return Scalar("I32", str(value))
    if -(2**63) <= value < 2**63:
        return Scalar("I64", str(value))
    return Scalar("U64" if 0 <= value < 2**64 else "D", str(value))


def _primitive(value: Any) -> Scalar | None:
    """The value as a primitive, or None where it is an object."""
    tag = _TAGS.get(type(value))
    if tag is not None:
        return Scalar(tag, str(int(value)) if isinstance(value, int) else escape_text(value))
    match value:
        case Scalar():
            return value
        case dotnet.Char():
            return Scalar("C", str(ord(value)))
        case dotnet.Single():
            return Scalar("Sg", _float_text(value))
        case bool():
            return Scalar("B", "true" if value else "false")
        case str():
            return Scalar("S", escape_text(value))
        case int():
            return _integer(int(value))
        case float():
            return Scalar("Db", _float_text(value))
        case Decimal():
            return Scalar("D", format(value, "f"))
        case dt.datetime():
            return Scalar("DT", format_datetime(value))
        case dt.date():
            return Scalar("DT", f"{value.isoformat()}T00:00:00")
        case dt.timedelta():
            return Scalar("TS", format_duration(value))
        case uuid.UUID():
            return Scalar("G", str(value))
        case bytes() | bytearray():
            return Scalar("BA", base64.b64encode(value).decode())
        case Version():
            return Scalar("Version", value.text)
        case _:
            return None


def _complex(value: Any) -> Complex:
    match value:
        case Complex():
            return value
        case PsValue(type_names=()):
            return Complex(CUSTOM_OBJECT, notes=value.properties, text=_object_text(value))
        case PsValue():
            names = value.type_names if value.type_names[-1] == "System.Object" else (*value.type_names, "System.Object")
            return Complex(names, adapted=value.properties, text=_object_text(value))
        case EnumValue():
            return enum(value.type_name, value.number, value.name)
        case dotnet.TypedDictionary():
            return Complex(value.type_names, entries=value)
        case Mapping():
            return Complex(HASHTABLE, entries=value)
        case dotnet.TypedList():
            return Complex(value.type_names, items=value, items_tag=value.TAG)
        case Sequence() | AbstractSet():
            return Complex(OBJECT_ARRAY, items=list(value))
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be sent to a PowerShell client")


class _Writer:
    """Writes one message; object and type-name references count from zero in each."""

    def __init__(self, encrypt: Callable[[str], str] | None) -> None:
        self.parts: list[str] = []
        self._encrypt = encrypt
        self._next_object = 0
        self._type_references: dict[tuple[str, ...], int] = {}

    def write(self, value: Any, name: str | None) -> None:
        attribute = f' N="{_escape_attribute(name)}"' if name is not None else ""
        if value is None:
            self.parts.append(f"<Nil{attribute} />")
            return
        if isinstance(value, SecureText):
            if self._encrypt is None:
                raise ValueError("a SecureString cannot be sent before the session key has been exchanged")
            value = Scalar("SS", self._encrypt(value.value))
        primitive = _primitive(value)
        if primitive is not None:
            self.parts.append(f"<{primitive.tag}{attribute}>{primitive.text}</{primitive.tag}>")
        else:
            self._write_object(_complex(value), attribute)

    def _write_object(self, value: Complex, attribute: str) -> None:
        append = self.parts.append
        append(f'<Obj{attribute} RefId="{self._next_object}">')
        self._next_object += 1
        if value.type_names:
            self._write_type_names(value.type_names)
        if value.text is not None:
            append(f"<ToString>{escape_text(value.text)}</ToString>")
        if value.value is not None:
            self.write(value.value, None)
        for tag, properties in (("Props", value.adapted), ("MS", value.notes)):
            if properties:
                append(f"<{tag}>")
                for name, item in properties.items():
                    self.write(item, name)
                append(f"</{tag}>")
        if value.items is not None:
            append(f"<{value.items_tag}>")
            for item in value.items:
                self.write(item, None)
            append(f"</{value.items_tag}>")
        if value.entries is not None:
            append("<DCT>")
            for key, item in value.entries.items():
                append("<En>")
                self.write(key, "Key")
                self.write(item, "Value")
                append("</En>")
            append("</DCT>")
        append("</Obj>")

    def _write_type_names(self, names: tuple[str, ...]) -> None:
        known = self._type_references.get(names)
        if known is not None:
            self.parts.append(f'<TNRef RefId="{known}" />')
            return
        number = self._type_references[names] = len(self._type_references)
        types = "".join(f"<T>{escape_text(name)}</T>" for name in names)
        self.parts.append(f'<TN RefId="{number}">{types}</TN>')
