"""The secrets of a deployment config: references, or values held in memory only.

Used by ``config`` and its readers. A held value shows itself to nobody but the caller of ``resolve``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from akslite_ps.errors import SecretUnavailable
from akslite_ps.secrets import REDACTED, REDACTOR, SecretRef


@dataclass(frozen=True, slots=True, repr=False)
class HeldSecret:
    """A secret that was given as a literal, without a file to point at; registered for redaction.

    It cannot be written down: :meth:`DeploymentConfig.as_data` refuses it.
    """

    _value: str

    def __post_init__(self) -> None:
        REDACTOR.add(self._value)

    def resolve(self, *, ask: Callable[[str], str] | None = None) -> str:
        """The value; ``ask`` is not needed and there for the sake of :meth:`SecretRef.resolve`'s callers."""
        return self._value

    def __repr__(self) -> str:
        return f"HeldSecret({REDACTED})"

    def __str__(self) -> str:
        return REDACTED


Secret = SecretRef | HeldSecret


def read_secret(value: str, *, file: str | None, field_path: str) -> Secret:
    """A secret's text from a config as something safe to keep.

    Args:
        value: ``scheme:name`` or the secret itself.
        file: Absolute path of the config file it stands in, None where there is no such file. A literal from
            a file stays there and is referred to.
        field_path: Where in the config, e.g. ``Arc.ClientSecret``.
    """
    try:
        return SecretRef.parse(value)
    except SecretUnavailable:
        held = HeldSecret(value)
    return SecretRef("file", f"{file}#{field_path}") if file and "#" not in file else held


def _is_secret(value: Any) -> Secret:
    if isinstance(value, SecretRef | HeldSecret):
        return value
    raise ValueError("must be a text: a reference such as env:NAME, or the secret itself")


SecretField = Annotated[
    Secret,
    PlainValidator(_is_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "password"}),
]
