"""From the bytes of a config file to a clean tree in the product's spelling, with every fault found on the way.

First half of ``DeploymentConfig.parse``; the models check the values afterwards. Keys are matched as
PowerShell does, without regard to case. No fault ever repeats a text that might be a secret.
"""

from __future__ import annotations

import codecs
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from akslite_ps.aksedge.config.fields import FieldSpec, Place, places
from akslite_ps.aksedge.config.secret_values import HeldSecret, read_secret
from akslite_ps.errors import ConfigIssue
from akslite_ps.secrets import REDACTED, REDACTOR, SecretRef, redact

DOCUMENT = "(document)"
"""Path of a fault that concerns the whole text."""

EDITORS_KEY = "$schema"
"""By this key a file tells an editor its JSON Schema. It is no field of the product, and left out of what is read."""

NO_SUCH_FIELD = "there is no such field"
LARGEST = 1_000_000
_LONGEST_SHOWN = 80
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SECRET_WORDS = ("secret", "token", "password", "key", "hash", "credential")
NODE_SECTIONS = frozenset({"LinuxNode", "WindowsNode"})
"""Their presence counts: an empty object there still asks for the node."""
_PREVIEW_KEYS = frozenset({"deployoptions", "enduser", "linuxvm", "windowsvm"})


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object in order, so that a key given twice is seen."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value described instead of repeated; its repr is the description."""

    text: str

    def __repr__(self) -> str:
        return self.text


def decode(data: bytes) -> tuple[str | None, str | None, list[ConfigIssue]]:
    """Text and encoding of a file: UTF-8 with or without mark, or UTF-16/32 with one, as PowerShell writes them."""
    if len(data) > LARGEST:
        return (
            None,
            None,
            [ConfigIssue(DOCUMENT, Shown(f"more than {LARGEST} bytes"), f"at most {LARGEST} bytes", "a config is a few kilobytes")],
        )
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), encoding, []
    except UnicodeDecodeError as error:
        fault = ConfigIssue(
            DOCUMENT, Shown(f"byte {error.start + 1}"), "text in UTF-8, or UTF-16 with a byte-order mark", f"it is not {encoding}"
        )
        return None, None, [fault]


def read_json(text: str) -> tuple[Any, list[ConfigIssue]]:
    """The JSON value of a text with its objects' members kept as pairs; a syntax fault names line and column."""
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_Members, parse_constant=_no_constant), []
    except json.JSONDecodeError as error:
        found = repr(text.removeprefix("\ufeff")[error.pos : error.pos + 1]) if error.pos < len(text) else "the end of the text"
        where = f"line {error.lineno}, column {error.colno}"
        return None, [ConfigIssue(where, Shown(found), "valid JSON", _why(error))]
    except _NoConstant as error:
        return None, [ConfigIssue(DOCUMENT, Shown(str(error)), "valid JSON", "JSON has no such number")]
    except ValueError:
        return None, [
            ConfigIssue(DOCUMENT, Shown("a number with thousands of digits"), "valid JSON", "no field takes such a number")
        ]
    except RecursionError:
        return None, [
            ConfigIssue(
                DOCUMENT, Shown("objects inside objects inside objects"), "the levels of a config", "no field lies that deep"
            )
        ]


def _why(error: json.JSONDecodeError) -> str:
    """What is wrong with a text that is no JSON, in the words of what people write instead."""
    before, rest = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    if not error.doc.strip():
        return "there is nothing in it"
    if "\0" in error.doc[:8]:
        return "it looks like UTF-16 without a byte-order mark"
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments: take them out"
    if rest.startswith(("}", "]")) and before.endswith(","):
        return "the comma before it has nothing to follow it: take it out"
    if error.msg.startswith("Illegal trailing comma"):
        return "the comma before it has nothing to follow it: take it out"
    if rest.startswith(
        ("'", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}", "\N{DOUBLE LOW-9 QUOTATION MARK}")
    ):
        return 'names and texts stand in straight double quotes: "'
    if error.msg.startswith("Invalid \\escape"):
        return r"in a text a backslash is written twice: C:\\Program Files"
    if error.msg.startswith("Invalid control character"):
        return "a text holds a line break, a tab or another control character, or its closing quote is missing"
    if rest[:1] in "TFN" and rest.startswith(("True", "False", "None", "Null", "TRUE", "FALSE", "NULL")):
        return "JSON writes true, false and null in small letters"
    return error.msg[:1].lower() + error.msg[1:]


class _NoConstant(Exception):
    """NaN or Infinity, which Python's reader takes and JSON does not have."""


def _no_constant(name: str) -> Any:
    raise _NoConstant(name)


def is_preview_layout(data: Any) -> bool:
    """Whether this is a config of the 2022 public preview (schema 1.0 or 1.1), which today's product does not take."""
    members = dict(_members(data)) if _is_object(data) else {}
    names = {str(name).casefold(): value for name, value in members.items()}
    schema = names.get("schemaversion")
    return bool(_PREVIEW_KEYS & names.keys()) or (isinstance(schema, str) and schema.strip() in ("1.0", "1.1"))


def member_names(data: Any) -> set[str]:
    """The names of an object's members, in one case; none of anything else."""
    return {str(name).casefold() for name, _ in _members(data)} if _is_object(data) else set()


def taken_out(data: Any, name: str) -> tuple[list[Any], Any]:
    """The values of an object's members of a name, in whatever case, and the object without them."""
    wanted, rest = [], _Members()
    for member in _members(data):
        if str(member[0]).casefold() == name.casefold():
            wanted.append(member[1])
        else:
            rest.append(member)
    return wanted, rest


def as_plain(data: Any) -> Any:
    """The same value with dictionaries for objects; of a key given twice the last counts."""
    if _is_object(data):
        return {str(name): as_plain(value) for name, value in _members(data)}
    return [as_plain(item) for item in data] if isinstance(data, list) else data


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping | _Members)


def _members(value: Any) -> list[tuple[Any, Any]]:
    return list(value) if isinstance(value, _Members) else list(value.items())


class Reader:
    """Walks a raw tree along the models and makes the clean one.

    Args:
        root: The model of the whole config.
        file: Absolute path of the file, for references to secrets that stand in it; None where there is none.
    """

    def __init__(self, root: type[BaseModel], *, file: str | None = None) -> None:
        self.issues: list[ConfigIssue] = []
        self._root = root
        self._file = file

    def read(self, data: Any) -> dict[str, Any] | None:
        """The tree in the product's spelling, without nulls, with secrets wrapped; None where it is no object.

        Faults go to ``issues``.
        """
        if not _is_object(data):
            self.issues.append(ConfigIssue(DOCUMENT, describe(data), "a JSON object", "the config is one object with named fields"))
            return None
        wanted, data = taken_out(data, EDITORS_KEY)
        self.issues += [
            ConfigIssue(EDITORS_KEY, describe(value), "the address of a JSON Schema", "editors read it; it is not sent to a device")
            for value in wanted
            if value is not None and not isinstance(value, str)
        ]
        return self._object(data, self._root, "")

    def _object(self, data: Any, model: type[BaseModel], prefix: str) -> dict[str, Any]:
        known = {place.name.casefold(): place for place in places(model)}
        clean: dict[str, Any] = {}
        given: dict[str, str] = {}
        for name, value in _members(data):
            place = known.get(str(name).casefold())
            if place is None:
                self.issues.append(self._unknown(str(name), value, prefix, known))
            elif place.name in given:
                both = f"it stands there as {given[place.name]} and again as {safe_name(str(name))}"
                self.issues.append(ConfigIssue(f"{prefix}{place.name}", Shown("given twice"), "one value", both))
            else:
                given[place.name] = safe_name(str(name))
                read = self._value(value, place, f"{prefix}{place.name}")
                if read is not None:
                    clean[place.name] = read
        return clean

    def _value(self, value: Any, place: Place, path: str) -> Any:
        """One value, or None where it is absent or at fault."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if place.spec.secret:
            return self._secret(value, place.spec, path)
        if place.model and place.is_list:
            return self._list(value, place.model, path)
        if place.model:
            section = self._section(value, place.model, path)
            return section or (section if place.name in NODE_SECTIONS else None)
        if place.spec.kind == "ipv4 list":
            if not _is_list(value):
                self.issues.append(ConfigIssue(path, describe(value), place.spec.allowed, "even a single address stands in a list"))
                return None
            return tuple(value)
        if _is_object(value) or _is_list(value):
            self.issues.append(ConfigIssue(path, describe(value), place.spec.allowed, "it takes a single value"))
            return None
        return value

    def _section(self, value: Any, model: type[BaseModel], path: str) -> dict[str, Any] | None:
        if not _is_object(value):
            self.issues.append(ConfigIssue(path, describe(value), "an object with named fields", "a section holds fields"))
            return None
        return self._object(value, model, f"{path}.")

    def _list(self, value: Any, model: type[BaseModel], path: str) -> tuple[Any, ...] | None:
        if not _is_list(value):
            self.issues.append(ConfigIssue(path, describe(value), "a list of objects", "even a single entry stands in a list"))
            return None
        entries = [self._section(entry, model, f"{path}[{index}]") for index, entry in enumerate(value)]
        return tuple(entry for entry in entries if entry is not None)

    def _secret(self, value: Any, spec: FieldSpec, path: str) -> Any:
        if isinstance(value, SecretRef | HeldSecret):
            return value
        if not isinstance(value, str):
            self.issues.append(ConfigIssue(path, Shown(REDACTED), spec.allowed, "a secret is a text"))
            return None
        if value.strip().startswith("<") and value.strip().endswith(">"):
            self.issues.append(
                ConfigIssue(path, Shown("a placeholder in angle brackets"), spec.allowed, "fill it in or take it out")
            )
            return None
        return read_secret(value, file=self._file, field_path=path)

    def _unknown(self, name: str, value: Any, prefix: str, known: Mapping[str, Place]) -> ConfigIssue:
        if isinstance(value, str) and any(word in name.casefold() for word in _SECRET_WORDS):
            REDACTOR.add(value)
        close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
        names = ", ".join(place.name for place in known.values())
        allowed = f"{known[close[0]].name} (did you mean that?)" if close else f"one of {names}"
        return ConfigIssue(f"{prefix}{safe_name(name)}", describe(value), allowed, NO_SUCH_FIELD)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | _Members)


def safe_name(name: str) -> str:
    """A key as it may stand in a message: printable, not longer than a line."""
    text = redact(name)
    text = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return (text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...") or "''"


def describe(value: Any) -> Shown:
    """What sort of value stands there, without repeating what might be a secret."""
    if isinstance(value, str):
        return Shown("a text")
    return Shown("a number") if isinstance(value, int | float) and not isinstance(value, bool) else shown_value(value)


def shown_value(value: Any) -> Shown:
    """A value as it may stand in a message: redacted, on one line, not longer than a line."""
    if _is_object(value):
        return Shown("an object")
    if _is_list(value):
        return Shown("a list" if value else "an empty list")
    return Shown(_text_of(value))


def _text_of(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    text = redact(value if isinstance(value, str) else str(value))
    if len(text) > _LONGEST_SHOWN:
        text = text[:_LONGEST_SHOWN] + "..."
    if isinstance(value, str):
        return repr(text)
    return {"True": "true", "False": "false", "None": "null"}.get(text, text)
