"""Secrets by reference, and redaction by value.

A :class:`SecretRef` is what plans, inventories, journals and notebooks hold. :meth:`SecretRef.resolve`
gives the value at send time and registers it, so that :func:`redact` finds it in every sink, also in base64, UTF-16,
URL-encoded or quoted form (``secret_forms``). Used by every room; never writes a secret anywhere.
"""

from __future__ import annotations

import codecs
import getpass
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from akslite_ps.errors import SecretUnavailable
from akslite_ps.secret_forms import SHORTEST as _SHORTEST
from akslite_ps.secret_forms import forms
from akslite_ps.whole_file import write_whole

SCHEMES = ("keyring", "env", "prompt", "file")
REDACTED = "<redacted>"
_CHARACTERS_A_NEEDLE = 3
"""So many characters are cut out of a text in the time of looking for one needle in it."""
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found; safe to store and to show.

    Args:
        scheme: ``keyring`` (``service/user``), ``env`` (variable name), ``prompt`` (the question's label)
            or ``file`` (path of a file holding only the secret, as schedulers and containers mount them, or
            ``path#Arc.ClientSecret`` for one field of a JSON file).
        name: What to look up there.
    """

    scheme: str
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read ``scheme:name``.

        Raises:
            SecretUnavailable: The text is no reference. The text itself is not repeated: it may be a secret.
        """
        scheme, colon, name = text.partition(":")
        if not colon or scheme not in SCHEMES or not name.strip():
            raise SecretUnavailable(
                "this is not a secret reference; the value is not shown because it may be a secret",
                next_action="use one of " + ", ".join(f"{s}:NAME" for s in SCHEMES),
            )
        return cls(scheme, name.strip())

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"

    def resolve(self, *, ask: Callable[[str], str] | None = None) -> str:
        """Look the secret up now, and register its value for redaction.

        Args:
            ask: Used by ``prompt:``; gets the label, returns the secret. Default: the terminal, no echo.

        Raises:
            SecretUnavailable: Nothing is found there, or nobody can be asked.
        """
        value = _LOOKUPS[self.scheme](self.name, ask)
        if not value:
            raise SecretUnavailable(f"{self} is empty or not set", next_action=_HINTS[self.scheme].format(self.name))
        REDACTOR.add(value)
        return value

    @property
    def can_store(self) -> bool:
        """Whether :meth:`store` can write a secret there: into a keyring, or a file that holds nothing else."""
        return self.scheme == "keyring" or (self.scheme == "file" and "#" not in self.name)

    def store(self, value: str) -> None:
        """Write a secret where this reference finds it, for this user only; a file is replaced whole.

        Raises:
            SecretUnavailable: It cannot be written there.
        """
        REDACTOR.add(value)
        if not self.can_store:
            raise SecretUnavailable(f"{self} cannot be written", next_action="use keyring:SERVICE/USER or file:PATH")
        _STORES[self.scheme](self.name, value)


def _from_env(name: str, ask: Callable[[str], str] | None) -> str:
    return os.environ.get(name, "")


def _from_file(name: str, ask: Callable[[str], str] | None) -> str:
    path, hash_sign, field_path = name, "", ""
    if not Path(name).expanduser().is_file():
        path, hash_sign, field_path = name.rpartition("#") if "#" in name else (name, "", "")
    try:
        raw = Path(path).expanduser().read_bytes()
        text = raw.decode("utf-16" if raw[:2] in _UTF16_MARKS else "utf-8-sig")
        return _json_field(json.loads(text), field_path) if hash_sign else text.rstrip("\r\n")
    except (OSError, ValueError, KeyError) as error:
        reason = f"there is no field {error}" if isinstance(error, KeyError) else type(error).__name__
        raise SecretUnavailable(f"file:{name} cannot be read: {reason}", next_action=_HINTS["file"].format(path)) from None


def _json_field(data: Any, field_path: str) -> str:
    for name in field_path.split("."):
        matches = [v for k, v in data.items() if k.casefold() == name.casefold()] if isinstance(data, dict) else []
        if not matches:
            raise KeyError(name)
        data = matches[0]
    return data if isinstance(data, str) else ""


def _from_keyring(name: str, ask: Callable[[str], str] | None) -> str:
    import keyring
    import keyring.errors

    service, slash, user = name.rpartition("/")
    try:
        return keyring.get_password(service if slash else "akslite", user) or ""
    except keyring.errors.KeyringError as error:
        raise SecretUnavailable(
            f"keyring:{name} cannot be read: {error}", next_action="use env:NAME where no keyring runs"
        ) from None


def _from_prompt(name: str, ask: Callable[[str], str] | None) -> str:
    if ask is not None:
        return ask(name)
    if not sys.stdin or not sys.stdin.isatty():
        raise SecretUnavailable(
            f"prompt:{name} needs a person at a terminal", next_action="use keyring:SERVICE/USER or env:NAME for unattended runs"
        )
    return getpass.getpass(f"{name}: ")


def _into_keyring(name: str, value: str) -> None:
    import keyring
    import keyring.errors

    service, slash, user = name.rpartition("/")
    try:
        keyring.set_password(service if slash else "akslite", user, value)
    except keyring.errors.KeyringError as error:
        raise SecretUnavailable(
            f"keyring:{name} cannot be written: {error}", next_action="use file:PATH where no keyring runs"
        ) from None


def _into_file(name: str, value: str) -> None:
    try:
        write_whole(Path(name).expanduser(), value + "\n")
    except OSError as error:
        raise SecretUnavailable(
            f"file:{name} cannot be written: {error.strerror or type(error).__name__}",
            next_action="name a file in an existing folder that you may write",
        ) from None


_STORES: Mapping[str, Callable[[str, str], None]] = {"keyring": _into_keyring, "file": _into_file}
_LOOKUPS: Mapping[str, Callable[[str, Callable[[str], str] | None], str]] = {
    "env": _from_env,
    "file": _from_file,
    "keyring": _from_keyring,
    "prompt": _from_prompt,
}
_HINTS = {
    "env": "set the environment variable {0}",
    "file": "put the secret alone into {0}, readable by you only",
    "keyring": "store it with: keyring set {0}",
    "prompt": "answer the question",
}


@dataclass
class Known:
    """What a redactor knows: values in the order they came, and the needles made of them, by their first characters.

    There may be one value for each of ten thousand devices, so that every needle is kept once.
    """

    values: dict[str, None] = field(default_factory=dict)
    needles: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    count: int = 0
    longest: int = 1


@dataclass
class Redactor:
    """The values seen by this process that no sink may show."""

    known: Known = field(default_factory=Known)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, value: str) -> None:
        """Register a secret value. Values under four characters would redact ordinary text and are ignored."""
        if len(value) < _SHORTEST or value in self.known.values:
            return
        needles = forms(value)
        with self._lock:
            known = self.known
            known.values[value] = None
            for needle in needles:
                there = _several(known.needles.get(needle[:_SHORTEST], ()))
                if needle not in there:
                    known.needles[needle[:_SHORTEST]] = (*there, needle) if there else needle
                    known.count += 1
                    known.longest = max(known.longest, len(needle))

    def learned(self, after: int) -> tuple[str, ...]:
        """The values registered after the first ``after`` ones, for a process beside that shows what this one read."""
        with self._lock:
            return tuple(self.known.values)[after:]

    def text(self, text: str) -> str:
        """The text with every registered value, in every form, replaced by ``<redacted>``."""
        if len(text) < _SHORTEST:
            return text
        with self._lock:
            needles = self._found_in(text)
        for needle in needles:
            text = text.replace(needle, REDACTED)
        return text

    def _found_in(self, text: str) -> list[str]:
        """The needles that the text holds, longest first."""
        needles = self.known.needles
        starts: Iterable[str] = needles
        if len(text) < _CHARACTERS_A_NEEDLE * self.known.count:
            starts = {text[at : at + _SHORTEST] for at in range(len(text) - _SHORTEST + 1)} & needles.keys()
        found = []
        for start in starts:
            there = needles[start]
            if isinstance(there, str):
                if there in text:
                    found.append(there)
            else:
                found += [needle for needle in there if needle in text]
        return sorted(found, key=len, reverse=True)

    def held_back(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a registered value.

        For texts that come in pieces: what is held back is shown together with the next piece.
        """
        if not text:
            return 0
        with self._lock:
            longest = min(len(text), self.known.longest - 1)
            for size in range(longest, 0, -1):
                end = text[-size:]
                if any(needle.startswith(end) for needle in self._candidates(end)):
                    return size
        return 0

    def _candidates(self, beginning: str) -> Iterable[str]:
        if len(beginning) >= _SHORTEST:
            return _several(self.known.needles.get(beginning[:_SHORTEST], ()))
        return self.known.needles  # how a needle starts is enough

    def value(self, value: Any) -> Any:
        """The same for JSON-like data: strings inside mappings and sequences are redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(k): self.value(v) for k, v in value.items()}
        if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
            return [self.value(item) for item in value]
        if isinstance(value, PurePath | BaseException):
            return self.text(str(value))
        return value


def _several(there: str | tuple[str, ...]) -> tuple[str, ...]:
    return (there,) if isinstance(there, str) else there


REDACTOR = Redactor()


def redact(text: str) -> str:
    """The text without any secret this process has resolved."""
    return REDACTOR.text(text)


class RedactingFilter(logging.Filter):
    """A logging filter that redacts message, arguments and traceback text of every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
