"""Bringing what a client sent into the shape of its kind, as decoding into the real server's structures does.

Unknown fields and nulls fall away, wrong types are refused. Required fields are looked for later, when
defaults have been filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema
from akslite_ps.sandbox.kubernetes.objects import Object, parse_timestamp
from akslite_ps.sandbox.kubernetes.quantities import parse_quantity
from akslite_ps.sandbox.kubernetes.status import Cause

_QUANTITY = "Quantity"
_GO_TYPES = {"string": "string", "boolean": "bool", "array": "slice", "object": "map", "number": "float64"}


class WrongType(Exception):
    """A value of a type that its field cannot take; the text is the decoder's."""


@dataclass(slots=True)
class Conformed:
    """The outcome: the object in shape, and the fields that its kind does not know."""

    obj: Object
    unknown: list[str] = field(default_factory=list)


def conform(obj: Object, definitions: Definitions, definition: str) -> Conformed:
    """Bring an object into the shape of the definition of this name.

    Raises:
        WrongType: A field has a value of a wrong type.
    """
    walk = _Walk(definitions)
    schema = definitions.named(definition)
    cleaned = walk.value(obj, schema, definition.rpartition(".")[2], "")
    return Conformed(cleaned, walk.unknown)


def missing_fields(obj: Object, definitions: Definitions, definition: str) -> Iterator[Cause]:
    """Required fields that an object in shape does not have. The status is the server's own affair."""
    yield from _missing(obj, definitions.named(definition), definitions, "")


def _missing(value: Any, schema: Schema, definitions: Definitions, path: str) -> Iterator[Cause]:
    if isinstance(value, list):
        items = definitions.items(schema)
        for index, item in enumerate(value):
            yield from _missing(item, items, definitions, f"{path}[{index}]")
    elif isinstance(value, dict) and path not in {"status", "metadata"}:
        for name in schema.get("required") or ():
            if name not in value:
                yield Cause("FieldValueRequired", "Required value", f"{path}.{name}" if path else name)
        for name, item in value.items():
            yield from _missing(item, definitions.field(schema, name) or {}, definitions, f"{path}.{name}" if path else name)


class _Walk:
    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self.unknown: list[str] = []

    def value(self, value: Any, raw: Schema, owner: str, path: str) -> Any:
        schema = self._definitions.resolve(raw)
        type_name = self._definitions.name_behind(raw) or owner
        if "oneOf" in schema:
            return self._one_of(value, type_name, path)
        match schema.get("type"):
            case "object":
                return self._object(value, schema, type_name, path)
            case "array":
                if not isinstance(value, list):
                    raise self._wrong(value, owner, path, schema)
                items = schema.get("items") or {}
                return [self.value(item, items, owner, f"{path}[{index}]") for index, item in enumerate(value) if item is not None]
            case "string":
                if not isinstance(value, str):
                    raise self._wrong(value, owner, path, schema)
                if schema.get("format") == "date-time":
                    _check_time(value)
            case "integer":
                if isinstance(value, float) and value.is_integer():
                    return int(value)
                if not isinstance(value, int) or isinstance(value, bool):
                    raise self._wrong(value, owner, path, schema)
                if abs(value) >= 2 ** (31 if schema.get("format") == "int32" else 63):
                    raise self._wrong(value, owner, path, schema)
            case "boolean":
                if not isinstance(value, bool):
                    raise self._wrong(value, owner, path, schema)
            case "number":
                if not isinstance(value, int | float) or isinstance(value, bool):
                    raise self._wrong(value, owner, path, schema)
        return value

    def _object(self, value: Any, schema: Schema, type_name: str, path: str) -> Any:
        if not isinstance(value, dict):
            raise self._wrong(value, type_name, path, schema)
        properties = schema.get("properties")
        if properties is None and not isinstance(schema.get("additionalProperties"), dict):
            return value
        cleaned = {}
        for name, item in value.items():
            where = f"{path}.{name}" if path else name
            raw = self._definitions.raw_field(schema, name)
            if raw is None:
                self.unknown.append(where)
            elif item is not None or name == "creationTimestamp":
                cleaned[name] = item if item is None else self.value(item, raw, type_name, where)
        return cleaned

    def _one_of(self, value: Any, type_name: str, path: str) -> Any:
        """Quantities and int-or-string values."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise WrongType(f"json: cannot unmarshal {_json_type(value)} into Go struct field {path} of type {type_name}")
        if type_name != _QUANTITY:
            return value
        try:
            parse_quantity(value)
        except ValueError as error:
            raise WrongType(str(error)) from None
        return str(value)

    def _wrong(self, value: Any, owner: str, path: str, schema: Schema) -> WrongType:
        go_type = schema.get("format") if schema.get("type") == "integer" else _GO_TYPES.get(str(schema.get("type")))
        return WrongType(
            f"json: cannot unmarshal {_json_type(value)} into Go struct field {owner}.{_plain(path)} of type {go_type or 'int64'}"
        )


def _check_time(text: str) -> None:
    try:
        parse_timestamp(text)
    except ValueError:
        raise WrongType(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}"') from None


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "null"


def _plain(path: str) -> str:
    """The path as Go's decoder names it: without list positions."""
    return ".".join(part.partition("[")[0] for part in path.split("."))
