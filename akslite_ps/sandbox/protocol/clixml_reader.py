"""CLIXML that a client sent, as plain engine values.

Called by ``protocol.psrp_requests`` for each message, and by ``sandbox.pwsh.wire``. Every primitive of [MS-PSRP] 2.2.5.1 keeps its
type (``sandbox.dotnet``). psrpcore reads the same messages but fails at integers of 2**63 and more and forgets digits
(``reference/wsman-psrp.md`` section 1). Never writes; that is ``protocol.clixml``.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from lxml import etree

from akslite_ps.sandbox import dotnet
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version
from akslite_ps.sandbox.protocol import xml_input

_ESCAPE = re.compile(r"_[xX]([0-9a-fA-F]{4})_")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?=\.?[0-9])[0-9]{0,29}(?:\.[0-9]{0,28})?")
_FLOAT = re.compile(r"[+-]?(?=\.?[0-9])[0-9]{0,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,4})?")
_DURATION = re.compile(
    r"(-?)P(?=.)(?:([0-9]{1,8})D)?(?:T(?=.)(?:([0-9]{1,10})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,14})(?:\.([0-9]{1,7})[0-9]*)?S)?)?"
)
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,7})[0-9]*)?(Z|([+-])([0-9]{2}):([0-9]{2}))?"
)
_VERSION = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10}){1,3}")
_SPECIAL_FLOATS = {"NaN": math.nan, "INF": math.inf, "Infinity": math.inf, "-INF": -math.inf, "-Infinity": -math.inf}
_LISTS: Mapping[str, type[dotnet.TypedList]] = {
    "LST": dotnet.TypedList,
    "STK": dotnet.Stack,
    "QUE": dotnet.Queue,
    "IE": dotnet.Enumerable,
}
_OBJECT_ARRAY = ("System.Object[]", "System.Array", "System.Object")
_HASHTABLE = ("System.Collections.Hashtable", "System.Object")
_ENUM = "System.Enum"
_CUSTOM_OBJECT = "System.Management.Automation.PSCustomObject"
_UNNAMED: tuple[tuple[str, ...], ...] = ((), ("System.Object",))
_DESERIALIZED = "Deserialized."
_MADE_AGAIN = {"System.Management.Automation.PSCredential", "System.Management.Automation.SwitchParameter"}
"""Types of which PowerShell makes live objects again; of another type it makes a copy of the properties, whose type says so."""
_VALUES_IN_ALL = 1_000_000
"""Values that one text may stand for, what it refers to more than once counted each time."""


class NotClixml(ValueError):
    """Text that is no CLIXML, or stands for more than is taken."""


def read(data: bytes, decrypt: Callable[[str], str] | None = None) -> Any:
    """The value that one element of CLIXML stands for.

    Extended properties of a primitive are left out: what PowerShell binds or compares is the primitive.

    Args:
        data: UTF-8, with or without a byte-order mark.
        decrypt: Decrypts the text of a SecureString.

    Returns:
        A plain engine value.

    Raises:
        NotClixml: It is none.
    """
    return _Reader(decrypt).read(_root(data))


def read_document(data: bytes) -> list[Any]:
    """The values of a document with ``Objs`` as its root, as Export-Clixml writes it.

    Raises:
        NotClixml: It is none.
    """
    root = _root(data)
    if _local_name(root) != "Objs":
        raise NotClixml("the document's root is not Objs")
    reader = _Reader(None)
    return [reader.read(element) for element in root]


def unescape_text(text: str) -> str:
    """Element text as the string it stands for: ``_xHHHH_`` is a UTF-16 code unit."""
    if "_" not in text:
        return text
    raw = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _root(data: bytes) -> etree._Element:
    try:
        return xml_input.parse(data)
    except xml_input.NotReadable as error:
        raise NotClixml(str(error)) from error


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


class _Reader:
    """Reads one text; references to objects and to lists of type names reach back to its beginning."""

    def __init__(self, decrypt: Callable[[str], str] | None) -> None:
        self._decrypt = decrypt
        self._objects: dict[str, tuple[Any, int]] = {}
        self._type_names: dict[str, tuple[str, ...]] = {}
        self._count = 0

    def read(self, element: etree._Element) -> Any:
        self._counted(1)
        tag = _local_name(element)
        if tag == "Obj":
            return self._object(element)
        if tag == "Ref":
            return self._referred_to(element)
        text = element.text or ""
        try:
            if tag == "SS":
                return self._secret(text)
            return _PRIMITIVES[tag](text)
        except KeyError:
            raise NotClixml(f"there is no element {tag} in CLIXML") from None
        except (ValueError, OverflowError) as error:
            raise NotClixml(f"a {tag} cannot be read: {error}") from error

    def _counted(self, values: int) -> None:
        self._count += values
        if self._count > _VALUES_IN_ALL:
            raise NotClixml(f"the text stands for more than {_VALUES_IN_ALL} values")

    def _secret(self, text: str) -> SecureText:
        if self._decrypt is None:
            raise NotClixml("a SecureString came before the session key has been exchanged")
        return SecureText(self._decrypt(text))

    def _referred_to(self, element: etree._Element) -> Any:
        found = self._objects.get(element.get("RefId") or "")
        if found is None:
            raise NotClixml("a reference to an object that has not been read")
        value, size = found
        self._counted(size)
        return value

    def _object(self, element: etree._Element) -> Any:
        before = self._count
        names: tuple[str, ...] = ()
        text: str | None = None
        properties: dict[str, Any] = {}
        content: list[Any] = []
        for child in element:
            match tag := _local_name(child):
                case "TN" | "TNRef":
                    names = self._names(child)
                case "ToString":
                    text = unescape_text(child.text or "")
                case "Props" | "MS":
                    properties.update(self._properties(child))
                case "LST" | "STK" | "QUE" | "IE":
                    content.append(self._list(_LISTS[tag], child, names))
                case "DCT":
                    content.append(self._dictionary(child, names))
                case _:
                    content.append(self.read(child))
        value = _of(names, text, properties, content)
        reference = element.get("RefId")
        if reference is not None:
            self._objects[reference] = (value, self._count - before)
        return value

    def _names(self, element: etree._Element) -> tuple[str, ...]:
        reference = element.get("RefId") or ""
        if _local_name(element) == "TN":
            self._type_names[reference] = tuple(unescape_text(name.text or "") for name in element)
        try:
            return self._type_names[reference]
        except KeyError:
            raise NotClixml("a reference to type names that have not been read") from None

    def _properties(self, element: etree._Element) -> dict[str, Any]:
        return {unescape_text(child.get("N") or ""): self.read(child) for child in element}

    def _list(self, kind: type[dotnet.TypedList], element: etree._Element, names: tuple[str, ...]) -> Any:
        items = [self.read(child) for child in element]
        plain = kind is dotnet.TypedList and names in (_OBJECT_ARRAY, *_UNNAMED)
        return items if plain else kind(items, names)

    def _dictionary(self, element: etree._Element, names: tuple[str, ...]) -> Any:
        entries: dict[Any, Any] = {}
        for entry in element:
            members = {child.get("N"): child for child in entry}
            try:
                entries[self.read(members["Key"])] = self.read(members["Value"])
            except KeyError:
                raise NotClixml("an entry of a dictionary lacks its key or its value") from None
            except TypeError:
                raise NotClixml("a dictionary has a key that is a collection or an object") from None
        return entries if names in (_HASHTABLE, *_UNNAMED) else dotnet.TypedDictionary(entries, names)


def _of(names: tuple[str, ...], text: str | None, properties: Mapping[str, Any], content: list[Any]) -> Any:
    if content:
        value = content[0]
        if _ENUM in names and isinstance(value, int):
            return EnumValue(names[0], int(value), text if text is not None else str(int(value)))
        return value
    if names in _UNNAMED or names[0] == _CUSTOM_OBJECT:
        return PsValue(properties, (), text or None)
    return PsValue(properties, names if names[0] in _MADE_AGAIN else tuple(_deserialized(name) for name in names), text)


def _deserialized(name: str) -> str:
    return name if name.startswith(_DESERIALIZED) else _DESERIALIZED + name


def _matched(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = pattern.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no {what}")
    return match


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    if known is None:
        raise ValueError(f"{text[:40]!r} is no truth value")
    return known


def _whole(kind: type[int]) -> Callable[[str], int]:
    return lambda text: kind(_matched(_INTEGER, text, "whole number")[0])


def _int32(text: str) -> int:
    return int(dotnet.Int32(_matched(_INTEGER, text, "whole number")[0]))


def _float(text: str) -> float:
    special = _SPECIAL_FLOATS.get(text.strip())
    return special if special is not None else float(_matched(_FLOAT, text, "number")[0])


def _char(text: str) -> dotnet.Char:
    return dotnet.Char(chr(dotnet.UInt16(_matched(_INTEGER, text, "code unit")[0])))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("the text is not base64") from error


def _moment(text: str) -> dt.datetime:
    match = _matched(_MOMENT, text, "date")
    ticks = int((match[2] or "").ljust(7, "0"))
    value = dt.datetime.fromisoformat(match[1]).replace(microsecond=ticks // 10, tzinfo=_zone(match))
    return dotnet.DateTime.of(value, ticks % 10) if ticks % 10 else value


def _zone(match: re.Match[str]) -> dt.tzinfo | None:
    if match[3] is None:
        return None
    if match[3] == "Z":
        return dt.UTC
    offset = dt.timedelta(hours=int(match[5]), minutes=int(match[6]))
    # With a name, so that an offset of zero is not taken for UTC: it says that the time is a local one.
    return dt.timezone(-offset if match[4] == "-" else offset, match[3])


def _span(text: str) -> dt.timedelta:
    match = _matched(_DURATION, text, "duration")
    days, hours, minutes, seconds = (int(match[group] or 0) for group in (2, 3, 4, 5))
    ticks = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 10_000_000 + int((match[6] or "").ljust(7, "0"))
    ticks = -ticks if match[1] else ticks
    least, greatest = dotnet.Int64.RANGE
    if not least <= ticks <= greatest:
        raise ValueError(f"{text} is longer than a TimeSpan")
    return dotnet.TimeSpan.of_ticks(ticks)


_PRIMITIVES: Mapping[str, Callable[[str], Any]] = {
    "Nil": lambda _: None,
    "B": _boolean,
    "S": unescape_text,
    "C": _char,
    "SB": _whole(dotnet.SByte),
    "By": _whole(dotnet.Byte),
    "I16": _whole(dotnet.Int16),
    "U16": _whole(dotnet.UInt16),
    "I32": _int32,
    "U32": _whole(dotnet.UInt32),
    "I64": _whole(dotnet.Int64),
    "U64": _whole(dotnet.UInt64),
    "Sg": lambda text: dotnet.Single(_float(text)),
    "Db": _float,
    "D": lambda text: Decimal(_matched(_DECIMAL, text, "decimal")[0]),
    "DT": _moment,
    "TS": _span,
    "G": lambda text: uuid.UUID(text.strip()),
    "BA": _bytes,
    "URI": lambda text: dotnet.Uri(unescape_text(text)),
    "Version": lambda text: Version(_matched(_VERSION, text, "version")[0]),
    "XD": lambda text: dotnet.XmlDocument(unescape_text(text)),
    "SBK": lambda text: dotnet.ScriptBlock(unescape_text(text)),
}
