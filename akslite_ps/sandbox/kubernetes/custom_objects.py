"""Objects of custom kinds held to the schema of their CustomResourceDefinition: pruned, completed, checked.

Called by the API's writes. The expressions of ``x-kubernetes-validations`` (CEL) are not evaluated.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes.conforming import Conformed, conform
from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.status import Cause

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_IDENTITY = frozenset({"apiVersion", "kind", "metadata"})
_PYTHON_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (isinstance(value, int) and not isinstance(value, bool)) or _is_whole(value),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def prune(obj: Object, schema: Schema, definitions: Definitions) -> Conformed:
    """The object without the fields that its schema does not have, and the names of those.

    Raises:
        WrongType: The metadata cannot be read.
    """
    unknown: list[str] = []
    metadata = conform(obj.get("metadata") or {}, definitions, _METADATA)
    unknown += [f"metadata.{name}" for name in metadata.unknown]
    rest = {key: value for key, value in obj.items() if key not in _IDENTITY}
    pruned = _pruned(rest, schema, "", unknown)
    return Conformed({"metadata": metadata.obj, **pruned}, unknown)


def fill_custom_defaults(obj: Object, schema: Schema) -> None:
    """Fill in the defaults of the schema, in place; a null where none may be counts as left out."""
    _fill(obj, schema)


def custom_faults(obj: Object, schema: Schema) -> list[Cause]:
    """Everything about an object that its schema does not allow."""
    rest = {key: value for key, value in obj.items() if key not in _IDENTITY}
    properties = {name: below for name, below in (schema.get("properties") or {}).items() if name not in _IDENTITY}
    required = [name for name in schema.get("required") or () if name not in _IDENTITY]
    return list(_faults(rest, {**schema, "type": "object", "properties": properties, "required": required}, ""))


def _pruned(value: Any, schema: Any, path: str, unknown: list[str]) -> Any:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [_pruned(item, schema.get("items"), f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties")
    extra = schema.get("additionalProperties")
    keeps = schema.get(_PRESERVE) or (extra is True)
    made = {}
    for name, item in value.items():
        where = f"{path}.{name}" if path else name
        if schema.get("x-kubernetes-embedded-resource") and name in _IDENTITY:
            made[name] = item
        elif properties and name in properties:
            made[name] = _pruned(item, properties[name], where, unknown)
        elif isinstance(extra, dict):
            made[name] = _pruned(item, extra, where, unknown)
        elif keeps:
            made[name] = item
        else:
            unknown.append(where)
    return made


def _fill(value: Any, schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    if isinstance(value, list):
        for item in value:
            _fill(item, schema.get("items"))
    elif isinstance(value, dict):
        for name, below in (schema.get("properties") or {}).items():
            if not isinstance(below, dict):
                continue
            if value.get(name, "") is None and not below.get("nullable"):
                del value[name]
            if name not in value and "default" in below:
                value[name] = copy.deepcopy(below["default"])
            if name in value:
                _fill(value[name], below)
        if isinstance(schema.get("additionalProperties"), dict):
            for name, item in value.items():
                if name not in (schema.get("properties") or {}):
                    _fill(item, schema["additionalProperties"])


def _faults(value: Any, schema: Any, path: str) -> Iterator[Cause]:
    if not isinstance(schema, dict):
        return
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield _wrong_type(value, "integer,string", path)
        return
    wanted = str(schema.get("type"))
    if wanted in _PYTHON_TYPES and not _PYTHON_TYPES[wanted](value):
        yield _wrong_type(value, wanted, path)
        return
    if schema.get("enum") is not None and value not in schema["enum"]:
        allowed = ", ".join(_shown(item) for item in schema["enum"])
        yield Cause("FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {allowed}", path)
    if isinstance(value, str):
        yield from _text_faults(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_faults(value, schema, path)
    elif isinstance(value, list):
        yield from _list_faults(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    yield from _combined_faults(value, schema, path)


def _text_faults(value: str, schema: Schema, path: str) -> Iterator[Cause]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {longest} bytes", path)
    if shortest is not None and len(value) < shortest:
        yield _invalid(value, f"should be at least {shortest} chars long", path)
    pattern = schema.get("pattern")
    if pattern and not _matches(pattern, value):
        yield _invalid(value, f"should match '{pattern}'", path)


def _number_faults(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(value, f"should be {words} {low}", path)
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(value, f"should be {words} {high}", path)
    if step and value % step:
        yield _invalid(value, f"should be a multiple of {step}", path)


def _list_faults(value: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    most, fewest = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path)
    if fewest is not None and len(value) < fewest:
        yield _invalid(len(value), f"should have at least {fewest} items", path)
    keys = schema.get("x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else None
    seen: list[Any] = []
    for index, item in enumerate(value):
        mark = item
        if keys and isinstance(item, dict):
            mark = {key: item.get(key) for key in keys}
        if (keys or schema.get("x-kubernetes-list-type") == "set") and mark in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {_shown(mark)}", f"{path}[{index}]")
        seen.append(mark)
        yield from _faults(item, schema.get("items"), f"{path}[{index}]")


def _object_faults(value: Mapping[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value:
            yield Cause("FieldValueRequired", "Required value", _below(path, name))
    most, fewest = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path)
    if fewest is not None and len(value) < fewest:
        yield _invalid(len(value), f"should have at least {fewest} properties", path)
    for name, item in value.items():
        below = properties.get(name, schema.get("additionalProperties"))
        yield from _faults(item, below, _below(path, name))


def _combined_faults(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from _faults(value, part, path)
    for word, most, how in (("anyOf", None, "at least one"), ("oneOf", 1, "one and only one")):
        parts = schema.get(word)
        fitting = sum(not any(True for _ in _faults(value, part, path)) for part in parts or ())
        if parts and (not fitting or (most is not None and fitting > most)):
            yield _invalid(value, f"must validate {how} schema ({word})", path)
    if isinstance(schema.get("not"), dict) and not any(True for _ in _faults(value, schema["not"], path)):
        yield _invalid(value, "must not validate the schema (not)", path)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Go's expressions are not quite Python's; one that only Go understands is not checked.
        return True


def _wrong_type(value: Any, wanted: str, path: str) -> Cause:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    found = names[type(value)]
    return Cause("FieldValueTypeInvalid", f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"', path)


def _invalid(value: Any, fault: str, path: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {_shown(value)}: {path} in body {fault}", path)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
