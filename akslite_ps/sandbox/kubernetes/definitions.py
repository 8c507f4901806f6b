"""The published API definitions of a Kubernetes version: field types, list keys, merge keys.

Read from the ``kubernetes-validate`` package at the first write and shared by all clusters of the
process. Used by validation, patches, server-side apply and OpenAPI.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from akslite_ps.sandbox.kubernetes.nodes import minor_version

Schema = dict[str, Any]

_OLDEST, _NEWEST = 25, 37
_PREFIX = "#/$defs/"


class Definitions:
    """The definitions of one Kubernetes minor version.

    Args:
        schemas: Definitions by name, with nullable types collapsed and descriptions dropped.
    """

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._schemas = schemas

    def named(self, name: str) -> Schema:
        """The definition of this name; an unknown one admits everything."""
        return self._schemas.get(name, {})

    def extended(self, schemas: dict[str, Schema]) -> Definitions:
        """These definitions and some more."""
        return Definitions({**self._schemas, **schemas})

    def resolve(self, schema: Schema) -> Schema:
        """The schema behind a reference. What stands beside the reference (e.g. a patch strategy) is kept."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        target = self.named(reference.removeprefix(_PREFIX))
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**target, **beside} if beside else target

    def name_behind(self, schema: Schema) -> str:
        """The short name of the type a schema refers to, e.g. ``PodSpec``; "" for an inline schema."""
        return str(schema.get("$ref", "")).rpartition(".")[2]

    def field(self, schema: Schema, name: str) -> Schema | None:
        """The schema of a field of an object, resolved; None where the object has no such field."""
        found = self.raw_field(schema, name)
        return None if found is None else self.resolve(found)

    def raw_field(self, schema: Schema, name: str) -> Schema | None:
        """As :meth:`field`, but with references left in place."""
        properties = schema.get("properties")
        if properties is not None and name in properties:
            found: Schema = properties[name]
            return found
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            return extra
        # Without properties the content is free (e.g. FieldsV1, RawExtension); custom kinds can free it expressly.
        return {} if properties is None or schema.get("x-kubernetes-preserve-unknown-fields") else None

    def items(self, schema: Schema) -> Schema:
        """The schema of a list's items, resolved."""
        return self.resolve(schema.get("items") or {})


def definitions_for(version: str) -> Definitions:
    """The definitions of the minor version of e.g. ``v1.31.5``; the nearest one known where it is not."""
    return _load(min(max(minor_version(version), _OLDEST), _NEWEST))


def published_definitions(version: str) -> dict[str, Schema]:
    """The definitions with their descriptions, for OpenAPI documents. Not kept."""
    return {name: _collapse(schema) for name, schema in _read(min(max(minor_version(version), _OLDEST), _NEWEST)).items()}


@cache
def _load(minor: int) -> Definitions:
    return Definitions({name: _collapse(schema, drop="description") for name, schema in _read(minor).items()})


def _read(minor: int) -> dict[str, Schema]:
    path = _data_folder() / "kubernetes-json-schema" / f"v1.{minor}.0-local" / "_definitions.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    schemas: dict[str, Schema] = data.get("$defs") or data["definitions"]
    return schemas


def _data_folder() -> Path:
    """The package's folder, found without importing it: its import compiles a grammar, which takes seconds."""
    spec = find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the simulated cluster needs the package kubernetes-validate")
    return Path(spec.submodule_search_locations[0])


def _collapse(schema: Any, drop: str = "") -> Any:
    """``["string", "null"]`` becomes ``"string"``: the package writes nullability that the API does not declare."""
    if isinstance(schema, list):
        return [_collapse(item, drop) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == drop and isinstance(value, str):
            continue
        if key == "type" and isinstance(value, list):
            made[key] = next(item for item in value if item != "null")
        else:
            made[key] = _collapse(value, drop)
    return made
