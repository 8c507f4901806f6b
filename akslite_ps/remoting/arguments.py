"""What a caller sends: commands, and Python values in the form pypsrp puts on the wire.

Called by ``remoting.session`` when an invocation starts. Builds no script text.

==================================  ==============================================================
Python                              .NET
==================================  ==============================================================
bool, int, float                    Boolean; Int32, Int64 where it is larger, else Decimal; Double
decimal.Decimal                     Decimal
str, pathlib.Path, enum.Enum        String (an Enum's value)
:class:`PsVersion`, :class:`PsUri`  Version, Uri
datetime, date                      DateTime with Z where aware (converted to UTC), else unspecified
timedelta                           TimeSpan
bytes, uuid.UUID                    byte[], Guid
list, tuple, set                    object[]
mapping                             Hashtable
:class:`PsObject`                   PSObject with note properties
:class:`SecureValue`                SecureString
:data:`ON`                          Boolean, true
None                                $null (for a switch parameter: on in a cmdlet, off in a function; say True or False)
==================================  ==============================================================
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from pypsrp.complex_objects import GenericComplexObject
from pypsrp.serializer import TaggedValue

from akslite_ps.errors import UsageError
from akslite_ps.remoting.records import PsObject
from akslite_ps.remoting.values import PsDateTime, PsTimeSpan, PsUri, PsVersion, SecureValue, Switch

Reveal = Callable[[SecureValue], str]
"""Gives the clear text of a secret that is about to be sent; makes sure first that the session has a key."""

_MICROSECOND = dt.timedelta(microseconds=1)
_DECIMAL_LIMIT = 79228162514264337593543950335
_SCRIPT_CHARACTERS = frozenset("|;{}\n\r")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a pipeline: a name and its parameters, never script text.

    Args:
        name: Name of a cmdlet, function or alias, e.g. ``Get-AksEdgeNodeAddr``.
        parameters: By name, without the dash; ``ON`` for a switch.
        arguments: Positional ones.

    Raises:
        UsageError: The name is empty or holds script text.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arguments: Sequence[Any] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or _SCRIPT_CHARACTERS.intersection(self.name):
            raise UsageError(
                "this is not a command name but script text (or nothing)",
                next_action="give one Command per command of the pipeline, or use run_script on a full-language endpoint",
            )


@dataclass(frozen=True, slots=True)
class Script:
    """Script text with arguments for its ``param()`` block; only full-language endpoints take it.

    Args:
        text: The script.
        parameters: By name.
        own_scope: Its variables and preferences end with it; otherwise they stay in the session, as if dot-sourced.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    own_scope: bool = False


def wire_value(value: Any, reveal: Reveal) -> Any:
    """The value in the form pypsrp serialises exactly.

    Args:
        value: See the table above.
        reveal: Called for every :class:`SecureValue` met.

    Raises:
        UsageError: There is no .NET form for this type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Switch):
        # A parameter without value would do for cmdlets; functions take it as off (measured with PowerShell 7.6).
        return True
    for kind, convert in _SCALARS:
        if isinstance(value, kind):
            return convert(value)
    if isinstance(value, SecureValue):
        return TaggedValue("SS", reveal(value))
    if isinstance(value, PsObject):
        return _ps_object(value, reveal)
    if isinstance(value, Mapping):
        return TaggedValue("DCT", tuple((wire_value(k, reveal), wire_value(v, reveal)) for k, v in value.items()))
    if isinstance(value, Sequence | AbstractSet):
        return [wire_value(item, reveal) for item in value]
    raise UsageError(
        f"a value of type {type(value).__name__} cannot be sent to a device",
        next_action="send a number, a text, a date, bytes, a list or a mapping of these, or a SecureValue",
    )


def duration_text(span: dt.timedelta) -> str:
    """A TimeSpan as XML duration, exact to 100 ns: ``P1DT2H3M4.05S``, ``-PT0.5S``, ``PT0S``."""
    ticks = span // _MICROSECOND * 10 + (span.hundred_ns if isinstance(span, PsTimeSpan) else 0)
    sign = "-" if ticks < 0 else ""
    whole, below = divmod(abs(ticks), 10_000_000)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{below:07}".rstrip("0") if below else ""
    date = f"{days}D" if days else ""
    time = (
        (f"{hours}H" if hours else "")
        + (f"{minutes}M" if minutes else "")
        + (f"{seconds}{fraction}S" if seconds or fraction else "")
    )
    if not date and not time:
        return "PT0S"
    return f"{sign}P{date}" + (f"T{time}" if time else "")


def date_time_text(moment: dt.datetime) -> str:
    """A DateTime as XML: aware ones in UTC with ``Z``, naive ones without zone.

    Raises:
        UsageError: In UTC it would be outside of the years 1 to 9999.
    """
    try:
        plain = moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError:
        raise UsageError(
            f"{moment.isoformat()} is outside of the years 1 to 9999 in UTC", next_action="send it without a zone"
        ) from None
    below = moment.hundred_ns if isinstance(moment, PsDateTime) else 0
    text = f"{plain.isoformat(timespec='microseconds')}{below}" if below else plain.isoformat()
    return text if moment.tzinfo is None else f"{text}Z"


def _string(value: str) -> Any:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return _element("S", "".join(f"_x{ord(c):04X}_" if 0xD800 <= ord(c) <= 0xDFFF else _escaped(c) for c in value))
    return TaggedValue("S", value)


def _escaped(character: str) -> str:
    return f"_x{ord(character):04X}_" if character < " " or character == "_" else character


def _integer(value: int) -> TaggedValue:
    if -(2**31) <= value < 2**31:
        return TaggedValue("I32", value)
    if -(2**63) <= value < 2**63:
        return TaggedValue("I64", value)
    if abs(value) <= _DECIMAL_LIMIT:
        return TaggedValue("D", value)
    raise UsageError("a whole number this large has no .NET type", next_action="send it as text")


def _double(value: float) -> TaggedValue:
    if math.isfinite(value):
        return TaggedValue("Db", repr(value))
    return TaggedValue("Db", "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF")


def _element(tag: str, text: str) -> ET.Element:
    element = ET.Element(tag)
    element.text = text
    return element


def _midnight(day: dt.date) -> ET.Element:
    return _element("DT", f"{day.isoformat()}T00:00:00")


def _ps_object(value: PsObject, reveal: Reveal) -> GenericComplexObject:
    wire = GenericComplexObject()
    wire.types = list(value.type_names) or ["System.Management.Automation.PSCustomObject", "System.Object"]
    wire.to_string = value.text
    wire.extended_properties = {name: wire_value(item, reveal) for name, item in value.properties.items()}
    return wire


_SCALARS: Sequence[tuple[type, Callable[[Any], Any]]] = (
    (PsUri, lambda value: TaggedValue("URI", str(value))),
    (PsVersion, lambda value: TaggedValue("Version", str(value))),
    (enum.Enum, lambda value: wire_value(value.value, _no_secret)),
    (str, _string),
    (int, _integer),
    (float, _double),
    (Decimal, lambda value: TaggedValue("D", f"{value:f}")),
    (dt.datetime, lambda value: _element("DT", date_time_text(value))),
    (dt.date, _midnight),
    (dt.timedelta, lambda value: TaggedValue("TS", duration_text(value))),
    (bytes, lambda value: TaggedValue("BA", value)),
    (bytearray, lambda value: TaggedValue("BA", bytes(value))),
    (uuid.UUID, lambda value: TaggedValue("G", value)),
    (PurePath, lambda value: _string(str(value))),
)


def _no_secret(value: SecureValue) -> str:
    raise UsageError("an Enum cannot hold a secret", next_action="pass the SecureValue itself")


def as_commands(command: str | Command | Sequence[Command], parameters: dict[str, Any]) -> Sequence[Command]:
    """The commands of a pipeline, however a caller gave them.

    Raises:
        UsageError: There is none, or parameters belong to nobody.
    """
    if isinstance(command, str):
        return [Command(command, parameters)]
    if isinstance(command, Command):
        return [Command(command.name, {**command.parameters, **parameters}, command.arguments)]
    if parameters or not command:
        raise UsageError("a pipeline needs at least one Command, and takes parameters in its Commands only")
    return command


def no_secret_input(value: object) -> str:
    """The :data:`Reveal` of pipeline input: secrets are parameters, never input.

    Raises:
        UsageError: Always.
    """
    raise UsageError("a secret cannot be pipeline input", next_action="pass the SecureValue as a parameter")
