"""Values that travel to and from a device and have no exact Python type.

Used by callers as arguments and met in results; written by ``remoting.arguments``, read by
``remoting.conversion``. Holds data only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self, SupportsIndex

from akslite_ps.secrets import REDACTOR, SecretRef


class Switch(Enum):
    """A switch parameter that is on; see :data:`ON`."""

    ON = "on"


ON: Final = Switch.ON
"""``{"Force": ON}`` reads as ``-Force``; the same as True, which is how PowerShell takes a switch in every kind of command."""


class PsVersion(str):
    """A ``System.Version``: a ``str`` such as ``1.12.269.0`` that is sent back as a version; compare by :attr:`parts`."""

    __slots__ = ()

    @property
    def parts(self) -> tuple[int, ...]:
        """The numbers, for comparison: ``("1.9" > "1.12")`` is true, of their parts it is false."""
        return tuple(int(part) for part in self.split("."))


class PsUri(str):
    """A ``System.Uri``: a ``str`` that is sent back as a URI."""

    __slots__ = ()


class PsDateTime(dt.datetime):
    """A moment with a digit below the microsecond, as .NET has it; other moments are plain datetimes.

    Compares, and counts, as the datetime without that digit; it is sent back with it.
    """

    hundred_ns: int = 0
    """The digit: 0 to 9 times 100 ns."""

    @classmethod
    def of(cls, moment: dt.datetime, hundred_ns: int) -> Self:
        """The moment with its digit."""
        new = cls.combine(moment.date(), moment.timetz())
        new.hundred_ns = hundred_ns
        return new

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        plain = dt.datetime.combine(self.date(), self.timetz())
        return (type(self).of, (plain, self.hundred_ns))


class PsTimeSpan(dt.timedelta):
    """A span of time with a digit below the microsecond, as .NET has it; other spans are plain timedeltas.

    Compares, and counts, as the timedelta without that digit; it is sent back with it.
    """

    hundred_ns: int = 0
    """The digit: -9 to 9 times 100 ns, below 0 in a negative span."""

    @classmethod
    def of(cls, span: dt.timedelta, hundred_ns: int) -> Self:
        """The span, cut off towards zero, with its digit."""
        new = cls(span.days, span.seconds, span.microseconds)
        new.hundred_ns = hundred_ns
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).of, (dt.timedelta(self.days, self.seconds, self.microseconds), self.hundred_ns))


class PsEnum(str):
    """A .NET enum value: a ``str`` with its name, that keeps its number.

    Args:
        name: Name of the value, e.g. ``Running``.
        number: Its number.
        type_name: .NET type, e.g. ``System.ServiceProcess.ServiceControllerStatus``.
    """

    number: int
    type_name: str

    def __new__(cls, name: str, number: int, type_name: str = "") -> Self:
        value = super().__new__(cls, name)
        value.number = number
        value.type_name = type_name
        return value

    def __reduce__(self) -> tuple[type[PsEnum], tuple[str, int, str]]:
        return (type(self), (str(self), self.number, self.type_name))


@dataclass(frozen=True, slots=True, repr=False)
class SecureValue:
    """A secret that is sent as, or came as, a SecureString: encrypted with the session's own key on the wire.

    Args:
        source: A reference, resolved when it is sent, or the secret itself (registered for redaction at once).
    """

    source: SecretRef | str

    def __post_init__(self) -> None:
        if isinstance(self.source, str):
            REDACTOR.add(self.source)

    def reveal(self, *, ask: Callable[[str], str] | None = None) -> str:
        """The secret in clear.

        Args:
            ask: Used by ``prompt:`` references.

        Raises:
            SecretUnavailable: The reference cannot be resolved.
        """
        return self.source if isinstance(self.source, str) else self.source.resolve(ask=ask)

    def __repr__(self) -> str:
        return "SecureValue(<redacted>)" if isinstance(self.source, str) else f"SecureValue({self.source})"

    __str__ = __repr__
