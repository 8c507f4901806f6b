"""Values of .NET types that Python has no type of its own for, as Python values that still know what they are.

Plain values of ``sandbox.engine``. The listener's reader makes them (``protocol.clixml_reader``), its writer writes them back under
the same type (``protocol.clixml``); everything else may treat them as the ``int``, ``str``, ``list`` or ``datetime`` that they are.
Types and ranges are those of [MS-PSRP] 2.2.5.1 and of .NET.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self


class Whole(int):
    """A whole number of a fixed size; base of the types below. A plain ``int`` is an Int32 where it fits, else an Int64."""

    TYPE_NAME: ClassVar[str]
    RANGE: ClassVar[tuple[int, int]]

    def __new__(cls, value: int | str) -> Self:
        """Make one.

        Raises:
            ValueError: The number is out of the type's range, or no number.
        """
        number = super().__new__(cls, value)
        least, greatest = cls.RANGE
        if not least <= number <= greatest:
            raise ValueError(f"{number} is not a {cls.TYPE_NAME}")
        return number


class SByte(Whole):
    TYPE_NAME = "System.SByte"
    RANGE = (-(2**7), 2**7 - 1)


class Byte(Whole):
    TYPE_NAME = "System.Byte"
    RANGE = (0, 2**8 - 1)


class Int16(Whole):
    TYPE_NAME = "System.Int16"
    RANGE = (-(2**15), 2**15 - 1)


class UInt16(Whole):
    TYPE_NAME = "System.UInt16"
    RANGE = (0, 2**16 - 1)


class Int32(Whole):
    TYPE_NAME = "System.Int32"
    RANGE = (-(2**31), 2**31 - 1)


class UInt32(Whole):
    TYPE_NAME = "System.UInt32"
    RANGE = (0, 2**32 - 1)


class Int64(Whole):
    TYPE_NAME = "System.Int64"
    RANGE = (-(2**63), 2**63 - 1)


class UInt64(Whole):
    TYPE_NAME = "System.UInt64"
    RANGE = (0, 2**64 - 1)


class Single(float):
    """A System.Single, rounded to what that can hold. A plain ``float`` is a System.Double."""

    TYPE_NAME: ClassVar[str] = "System.Single"

    def __new__(cls, value: float) -> Self:
        """Make one.

        Raises:
            ValueError: The number is out of its range.
        """
        return super().__new__(cls, _as_single(value))

    @property
    def shortest(self) -> str:
        """The shortest text that is read as this number again, e.g. ``0.1`` or ``1E+20``; not for what is no finite number."""
        texts = (f"{self:.{digits}G}" for digits in range(6, 10))
        return next(text for text in texts if _as_single(float(text)) == self)


def _as_single(value: float) -> float:
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError as error:
        raise ValueError(f"{value} is not a System.Single") from error
    return rounded


class Char(str):
    """A System.Char: one UTF-16 code unit, which may be half of a surrogate pair."""

    TYPE_NAME: ClassVar[str] = "System.Char"

    def __new__(cls, value: str) -> Self:
        """Make one.

        Raises:
            ValueError: It is not one UTF-16 code unit.
        """
        if len(value) != 1 or ord(value) > 0xFFFF:
            raise ValueError(f"{value!r} is not a {cls.TYPE_NAME}")
        return super().__new__(cls, value)


class Uri(str):
    """A System.Uri."""

    TYPE_NAME: ClassVar[str] = "System.Uri"


class XmlDocument(str):
    """A System.Xml.XmlDocument, as text."""

    TYPE_NAME: ClassVar[str] = "System.Xml.XmlDocument"


class ScriptBlock(str):
    """A System.Management.Automation.ScriptBlock, as text; it is never run."""

    TYPE_NAME: ClassVar[str] = "System.Management.Automation.ScriptBlock"


class DateTime(dt.datetime):
    """A System.DateTime with the tenth of a microsecond that ``datetime`` cannot hold. Kind: UTC, an offset, or none.

    Equal, like ``datetime``, by what it is to the microsecond, and by ``tick`` too where both sides have one.
    """

    TYPE_NAME: ClassVar[str] = "System.DateTime"
    tick: int

    @classmethod
    def of(cls, value: dt.datetime, tick: int) -> DateTime:
        """``value`` and ``tick`` tenths of a microsecond (0 to 9)."""
        made = cls(
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
            value.tzinfo,
            fold=value.fold,
        )
        made.tick = tick
        return made

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and getattr(self, "tick", 0) == getattr(other, "tick", 0)

    __hash__ = dt.datetime.__hash__


class TimeSpan(dt.timedelta):
    """A System.TimeSpan with the tenth of a microsecond that ``timedelta`` cannot hold: ``tick`` (0 to 9) is added to it."""

    TYPE_NAME: ClassVar[str] = "System.TimeSpan"
    tick: int

    @classmethod
    def of_ticks(cls, ticks: int) -> dt.timedelta:
        """So many tenths of a microsecond; a plain ``timedelta`` where that can hold them."""
        microseconds, tick = divmod(ticks, 10)
        if not tick:
            return dt.timedelta(microseconds=microseconds)
        made = cls(microseconds=microseconds)
        made.tick = tick
        return made

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and getattr(self, "tick", 0) == getattr(other, "tick", 0)

    __hash__ = dt.timedelta.__hash__


def ticks_of(span: dt.timedelta) -> int:
    """A time span in tenths of a microsecond."""
    return span // dt.timedelta(microseconds=1) * 10 + int(getattr(span, "tick", 0))


class TypedList(list[Any]):
    """A collection that is not ``System.Object[]``.

    Args:
        items: Its elements.
        type_names: .NET types, most derived first.
    """

    TAG: ClassVar[str] = "LST"
    TYPE_NAMES: ClassVar[tuple[str, ...]] = ("System.Collections.ArrayList", "System.Object")

    def __init__(self, items: Iterable[Any] = (), type_names: tuple[str, ...] = ()) -> None:
        super().__init__(items)
        self.type_names = type_names or self.TYPE_NAMES


class Stack(TypedList):
    """A System.Collections.Stack, in the order in which CLIXML holds it."""

    TAG = "STK"
    TYPE_NAMES = ("System.Collections.Stack", "System.Object")


class Queue(TypedList):
    """A System.Collections.Queue, first in first."""

    TAG = "QUE"
    TYPE_NAMES = ("System.Collections.Queue", "System.Object")


class Enumerable(TypedList):
    """What can be enumerated and is no list: the ``IE`` of CLIXML."""

    TAG = "IE"
    TYPE_NAMES = ("System.Collections.IEnumerable", "System.Object")


class TypedDictionary(dict[Any, Any]):
    """A dictionary that is no Hashtable.

    Args:
        entries: Keys and values, in order.
        type_names: .NET types, most derived first.
    """

    def __init__(self, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]], type_names: tuple[str, ...]) -> None:
        super().__init__(entries)
        self.type_names = type_names


WHOLE_TYPES: tuple[type[Whole], ...] = (SByte, Byte, Int16, UInt16, Int32, UInt32, Int64, UInt64)

PRIMITIVE_DICTIONARY = ("System.Management.Automation.PSPrimitiveDictionary", "System.Collections.Hashtable", "System.Object")
"""The type of what a client says about itself, and of what a device says about itself."""
