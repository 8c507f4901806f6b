"""Values that travel to and from a device and have no exact Python type.

Used by callers as arguments and met in results; written by ``remoting.arguments``, read by
``remoting.conversion``. Holds data only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

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
