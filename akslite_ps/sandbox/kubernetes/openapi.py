"""OpenAPI documents: what kubectl explains and validates with. Made on demand, kept compressed, shared per version."""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import lru_cache
from typing import Any

from akslite_ps.sandbox.kubernetes.custom_types import shape_of
from akslite_ps.sandbox.kubernetes.definitions import Schema, published_definitions
from akslite_ps.sandbox.kubernetes.openapi_protobuf import write_document
from akslite_ps.sandbox.kubernetes.resources import RESOURCE_TYPES, ResourceType
from akslite_ps.sandbox.kubernetes.store import encode

Kinds = tuple[ResourceType, ...]

_V3_REFERENCE = "#/components/schemas/"
_V2_REFERENCE = "#/definitions/"
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_ACTIONS = {"get": "get", "post": "post", "put": "put", "patch": "patch", "delete": "delete"}


def index_v3(version: str, custom: Kinds = ()) -> dict[str, Any]:
    """The answer of ``/openapi/v3``: one document per group and version.

    Args:
        version: The Kubernetes version.
        custom: The types that the cluster serves beside the built-in ones.
    """
    paths = {}
    for path in _group_paths(custom):
        marks = [kind.custom.mark for kind in custom if kind.custom is not None and _group_path(kind) == path]
        mark = hashlib.sha256(f"{version}{path}{marks}".encode()).hexdigest()[:64].upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={mark}"}
    return {"paths": paths}


def document_v3(version: str, path: str, custom: Kinds = ()) -> bytes | None:
    """The OpenAPI 3 document of ``api/v1`` or ``apis/<group>/<version>``, None for another path."""
    if path not in _group_paths(custom):
        return None
    return gzip.decompress(_document_v3(version, path, tuple(kind for kind in custom if _group_path(kind) == path)))


def document_v2(version: str, custom: Kinds = ()) -> bytes:
    """The OpenAPI 2 document of the whole API."""
    return gzip.decompress(_document_v2(version, custom))


def document_v2_protobuf(version: str, custom: Kinds = ()) -> bytes:
    """The OpenAPI 2 document of the whole API in protobuf."""
    return gzip.decompress(_document_v2_protobuf(version, custom))


@lru_cache(32)
def _document_v2_protobuf(version: str, custom: Kinds) -> bytes:
    return gzip.compress(write_document(json.loads(document_v2(version, custom))), 6)


@lru_cache(128)
def _document_v3(version: str, path: str, custom: Kinds) -> bytes:
    kinds = [kind for kind in (*RESOURCE_TYPES, *custom) if _group_path(kind) == path]
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": _paths(kinds, _V3_REFERENCE, version_3=True),
        "components": {"schemas": _schemas(version, kinds, _V3_REFERENCE)},
    }
    return gzip.compress(encode(document), 6)


@lru_cache(32)
def _document_v2(version: str, custom: Kinds) -> bytes:
    kinds = [*RESOURCE_TYPES, *custom]
    document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": _paths(kinds, _V2_REFERENCE, version_3=False),
        "definitions": _schemas(version, kinds, _V2_REFERENCE),
    }
    return gzip.compress(encode(document), 6)


def _schemas(version: str, kinds: list[ResourceType], prefix: str) -> dict[str, Schema]:
    """The definitions of these kinds and of what they refer to."""
    definitions = published_definitions(version)
    for kind in kinds:
        if kind.custom is not None:
            identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
            definitions[kind.definition] = {**shape_of(kind.custom.schema), "x-kubernetes-group-version-kind": [identity]}
    names = _reachable([kind.definition for kind in kinds], definitions)
    return {name: _refer(definitions[name], prefix) for name in names}


def _group_paths(custom: Kinds) -> list[str]:
    return list(dict.fromkeys(_group_path(kind) for kind in (*RESOURCE_TYPES, *custom)))


def _group_path(kind: ResourceType) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _reachable(roots: list[str], definitions: dict[str, Schema]) -> list[str]:
    seen: set[str] = set()
    waiting = [name for name in roots if name in definitions]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        text = json.dumps(definitions[name])
        waiting += [part.partition('"')[0] for part in text.split('"#/$defs/')[1:]]
    return sorted(name for name in seen if name in definitions)


def _refer(schema: Any, prefix: str) -> Any:
    """The schema with references as OpenAPI writes them; beside a reference OpenAPI 3.0 wants ``allOf``."""
    if isinstance(schema, list):
        return [_refer(item, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and isinstance(schema["$ref"], str):
        reference = {"$ref": prefix + schema["$ref"].removeprefix("#/$defs/")}
        beside = {key: _refer(value, prefix) for key, value in schema.items() if key != "$ref"}
        if not beside:
            return reference
        return {**beside, "allOf": [reference]} if prefix == _V3_REFERENCE else {**beside, **reference}
    return {key: _refer(value, prefix) for key, value in schema.items()}


def _paths(kinds: list[ResourceType], prefix: str, *, version_3: bool) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for kind in kinds:
        base = f"/{_group_path(kind)}" + ("/namespaces/{namespace}" if kind.namespaced else "")
        paths[f"{base}/{kind.plural}"] = _operations(kind, ("get", "post"), prefix, version_3=version_3)
        paths[f"{base}/{kind.plural}/{{name}}"] = _operations(kind, ("get", "put", "patch", "delete"), prefix, version_3=version_3)
    return paths


def _operations(kind: ResourceType, methods: tuple[str, ...], prefix: str, *, version_3: bool) -> dict[str, Any]:
    identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    schema = {"$ref": prefix + kind.definition}
    operations = {}
    for method in methods:
        parameters = (
            [_parameter(name, version_3=version_3) for name in _WRITE_PARAMETERS] if method in {"post", "put", "patch"} else []
        )
        answer = {
            "description": "OK",
            **({"content": {"application/json": {"schema": schema}}} if version_3 else {"schema": schema}),
        }
        operations[method] = {
            "operationId": f"{method}{kind.kind}{kind.group}",
            "x-kubernetes-action": _ACTIONS[method],
            "x-kubernetes-group-version-kind": identity,
            "parameters": parameters,
            "responses": {"200": answer},
        }
    return operations


def _parameter(name: str, *, version_3: bool) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "query", "description": name}
    return {**parameter, "schema": {"type": "string"}} if version_3 else {**parameter, "type": "string"}
