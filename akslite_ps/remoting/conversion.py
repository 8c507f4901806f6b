"""CLIXML, the form in which PowerShell sends objects, as Python values.

Called by ``remoting.messages`` for everything a device writes. Never raises for what a device sent: what
cannot be converted comes back as a :class:`PsObject` whose text is the CLIXML itself.

==========================================  ==========================================================
.NET                                        Python
==========================================  ==========================================================
Boolean, integers, Single and Double        bool, int, float
Decimal                                     decimal.Decimal
String, Char, XmlDocument, ScriptBlock      str; half a surrogate pair becomes U+FFFD, for such text cannot be
                                            written or shown
Uri                                         :class:`PsUri` (a str)
Version                                     :class:`PsVersion` (a str)
DateTime                                    datetime, aware where it carries Z or an offset; one with a digit
                                            below the microsecond is a :class:`PsDateTime`, which keeps it
TimeSpan                                    timedelta; likewise :class:`PsTimeSpan`
Guid                                        uuid.UUID
byte[]                                      bytes
enums                                       :class:`PsEnum` (a str with the number)
arrays, lists, queues, stacks               list
dictionaries                                dict (a key that Python cannot hash becomes its string form)
SecureString                                :class:`SecureValue` where the session has a key, else a PsObject without value
a value with note properties                the value alone
any other object                            :class:`PsObject`
==========================================  ==========================================================

The tags are those of [MS-PSRP] 2.2.5.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any

from akslite_ps.remoting.records import PsObject
from akslite_ps.remoting.values import PsDateTime, PsEnum, PsTimeSpan, PsUri, PsVersion, SecureValue

Decrypt = Callable[[ET.Element], object]
"""Decrypts an ``SS`` element to str; anything but a str means that there is no key."""

_ESCAPE = re.compile(r"_[xX]([0-9A-Fa-f]{4})_")
_DATE_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)|([+-])(\d\d):(\d\d))?$")
_DURATION = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?$")
_UNREADABLE = (ValueError, ArithmeticError, LookupError, TypeError)
_SECURE_STRING = "System.Security.SecureString"


def as_python(source: str | bytes | ET.Element, *, decrypt: Decrypt | None = None) -> Any:
    """Convert one serialised object.

    Args:
        source: CLIXML text (UTF-8 where bytes, a byte-order mark is skipped), or the parsed element.
        decrypt: Decrypts SecureStrings; None where the session has exchanged no key.
    """
    if isinstance(source, ET.Element):
        return ClixmlReader(decrypt).read(source)
    try:
        element = parse(source)
    except ET.ParseError:
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        return PsObject({}, (), text)
    return ClixmlReader(decrypt).read(element)


def parse(source: str | bytes) -> ET.Element:
    """CLIXML text as an element.

    Raises:
        xml.etree.ElementTree.ParseError: The text is not well-formed.
    """
    if isinstance(source, bytes) and source[:3] == b"\xef\xbb\xbf":
        source = source[3:]
    return ET.fromstring(source)  # noqa: S314 - expat bounds entity expansion; the device is authenticated


def decode_text(text: str | None) -> str:
    """CLIXML string content without its ``_xHHHH_`` escapes; half a surrogate pair becomes U+FFFD."""
    if not text:
        return ""
    if "_x" not in text and "_X" not in text:
        return text
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def parse_date_time(text: str) -> dt.datetime:
    """An XML date-time; aware where it carries ``Z`` or an offset.

    Raises:
        ValueError: The text is no date-time.
    """
    match = _DATE_TIME.match(text)
    if match is None:
        raise ValueError("not a date-time")
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    zone: dt.tzinfo | None = None
    if match[8]:
        zone = dt.UTC
    elif match[9]:
        offset = dt.timedelta(hours=int(match[10]), minutes=int(match[11]))
        zone = dt.timezone(-offset if match[9] == "-" else offset)
    moment = dt.datetime(year, month, day, hour, minute, second, _microseconds(match[7]), zone)
    below = _hundred_ns(match[7])
    return PsDateTime.of(moment, below) if below else moment


def parse_duration(text: str) -> dt.timedelta:
    """An XML duration of days and less, as TimeSpan is written.

    Raises:
        ValueError: The text is no such duration.
    """
    match = _DURATION.match(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError("not a duration")
    days, hours, minutes, seconds = (int(part or 0) for part in match.group(2, 3, 4, 5))
    span = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=_microseconds(match[6]))
    below = _hundred_ns(match[6])
    if match[1]:
        span, below = -span, -below
    return PsTimeSpan.of(span, below) if below else span


def _hundred_ns(digits: str | None) -> int:
    return int(digits[6:7] or 0) if digits else 0


def _microseconds(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


_PRIMITIVES: Mapping[str, Callable[[str | None], Any]] = {
    "S": decode_text,
    "ToString": decode_text,
    "URI": lambda text: PsUri(decode_text(text)),
    "XD": decode_text,
    "SBK": decode_text,
    "C": lambda text: decode_text(chr(int(text or ""))) if text else "",
    "B": lambda text: (text or "").lower() == "true",
    "DT": lambda text: parse_date_time(text or ""),
    "TS": lambda text: parse_duration(text or ""),
    "Sg": lambda text: float(text or ""),
    "Db": lambda text: float(text or ""),
    "D": lambda text: Decimal(text or ""),
    "BA": lambda text: base64.b64decode(text or ""),
    "G": lambda text: uuid.UUID(text or ""),
    "Version": lambda text: PsVersion(text or ""),
    "Nil": lambda text: None,
    **dict.fromkeys(("By", "SB", "U16", "I16", "U32", "I32", "U64", "I64"), lambda text: int(text or "")),
}
_LISTS = frozenset(("LST", "IE", "QUE", "STK"))
_NOTHING = object()


class ClixmlReader:
    """Reads the elements of one message; references between them (RefId) are resolved within it."""

    def __init__(self, decrypt: Decrypt | None = None) -> None:
        self._decrypt = decrypt
        self._objects: dict[str, Any] = {}
        self._types: dict[str, tuple[str, ...]] = {}

    def read(self, element: ET.Element) -> Any:
        """The element's value; an unreadable one as a PsObject whose text is its CLIXML."""
        try:
            convert = _PRIMITIVES.get(element.tag)
            if convert is not None:
                return convert(element.text)
            if element.tag == "Obj":
                return self._object(element)
            if element.tag == "Ref":
                return self._objects[element.attrib["RefId"]]
            if element.tag == "SS":
                return self._secure_string(element)
        except _UNREADABLE:
            pass
        return PsObject({}, (), ET.tostring(element, encoding="unicode"))

    def property_bag(self, element: ET.Element) -> dict[str, Any]:
        """The extended and adapted properties of an object, by name."""
        found: dict[str, Any] = {}
        for child in element:
            if child.tag in ("MS", "Props"):
                self._fill(found, child)
        return found

    def type_names(self, element: ET.Element) -> tuple[str, ...]:
        """The object's type names, most derived first."""
        for child in element:
            if child.tag == "TN":
                return self._new_types(child)
            if child.tag == "TNRef":
                return self._types[child.attrib["RefId"]]
        return ()

    def _new_types(self, element: ET.Element) -> tuple[str, ...]:
        names = tuple(decode_text(child.text) for child in element)
        self._types[element.attrib["RefId"]] = names
        return names

    def _object(self, element: ET.Element) -> Any:
        ref = element.get("RefId")
        types: tuple[str, ...] = ()
        text: str | None = None
        value: Any = _NOTHING
        bag: PsObject | None = None
        properties: dict[str, Any] = {}
        for child in element:
            tag = child.tag
            if tag == "TN":
                types = self._new_types(child)
            elif tag == "TNRef":
                types = self._types[child.attrib["RefId"]]
            elif tag == "ToString":
                text = decode_text(child.text)
            elif tag in ("MS", "Props"):
                if bag is None:
                    bag = PsObject(properties, types, text)
                    if value is _NOTHING:
                        self._remember(ref, bag)
                self._fill(properties, child)
            elif tag in _LISTS:
                value = []
                self._remember(ref, value)
                value.extend(self.read(item) for item in child)
            elif tag == "DCT":
                value = {}
                self._remember(ref, value)
                self._fill_dictionary(value, child)
            else:
                value = self.read(child)
        if value is _NOTHING:
            value = bag if bag is not None else PsObject(properties, types, text)
        elif isinstance(value, int) and any(name.endswith("System.Enum") for name in types):
            value = PsEnum(text if text is not None else str(value), value, types[0])
        self._remember(ref, value)
        return value

    def _remember(self, ref: str | None, value: Any) -> None:
        if ref is not None:
            self._objects[ref] = value

    def _fill(self, properties: dict[str, Any], container: ET.Element) -> None:
        for child in container:
            name = child.get("N")
            if name is not None:
                properties[decode_text(name)] = self.read(child)

    def _fill_dictionary(self, value: dict[Any, Any], container: ET.Element) -> None:
        for entry in container:
            parts = {part.get("N"): part for part in entry}
            key = self.read(parts["Key"])
            value[_hashable(key)] = self.read(parts["Value"])

    def _secure_string(self, element: ET.Element) -> SecureValue | PsObject:
        clear = self._decrypt(element) if self._decrypt is not None else None
        return SecureValue(clear) if isinstance(clear, str) else PsObject({}, (_SECURE_STRING,), _SECURE_STRING)


def _hashable(key: Any) -> Hashable:
    try:
        hash(key)
    except TypeError:
        return str(key)
    return key if isinstance(key, Hashable) else str(key)
