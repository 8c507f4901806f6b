"""Reading a request's body: its media type, its text, the object in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from akslite_ps.sandbox.kubernetes.conforming import Conformed, WrongType, conform
from akslite_ps.sandbox.kubernetes.custom_objects import prune
from akslite_ps.sandbox.kubernetes.definitions import Definitions
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.protobuf import MEDIA_TYPE as PROTOBUF
from akslite_ps.sandbox.kubernetes.protobuf import read_protobuf
from akslite_ps.sandbox.kubernetes.requests import ResourceRequest
from akslite_ps.sandbox.kubernetes.status import bad_request, unsupported_media_type

OBJECT_TYPES = ("application/json", "application/yaml", PROTOBUF)
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


def media_type(headers: Mapping[str, str]) -> str:
    """The body's media type without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def parse_body(body: bytes, kind: str) -> Any:
    """The data in a JSON or YAML body.

    Raises:
        ApiError: 400 where it is neither, 415 where the type is another.
    """
    try:
        if kind == PROTOBUF:
            return read_protobuf(body)
        if kind in {"application/yaml", APPLY_PATCH}:
            return yaml.safe_load(body)
        if kind and kind not in {*OBJECT_TYPES, *PATCH_TYPES}:
            raise unsupported_media_type(kind, OBJECT_TYPES)
        return json.loads(body)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None


def read_object(body: bytes, headers: Mapping[str, str], request: ResourceRequest) -> Object:
    """The object in a create or update.

    Raises:
        ApiError: 400 where it is no object of the resource's kind or names another place than the path.
    """
    data = parse_body(body, media_type(headers))
    if not isinstance(data, dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    check_identity(data, request)
    return data


def check_identity(data: Object, request: ResourceRequest) -> None:
    """Check that an object belongs where the request's path says; fills in what it leaves out.

    Raises:
        ApiError: 400 where it does not.
    """
    kind = request.kind
    data.setdefault("apiVersion", kind.api_version)
    data.setdefault("kind", kind.kind)
    if data["apiVersion"] != kind.api_version:
        raise bad_request(
            f"the API version in the data ({data['apiVersion']}) does not match the expected API version ({kind.api_version})"
        )
    if data["kind"] != kind.kind:
        raise bad_request(
            f'{data["kind"]} in version "{kind.version}" cannot be handled as a {kind.kind}: no kind "{data["kind"]}" is registered'
        )
    metadata = data.get("metadata")
    if metadata is None:
        metadata = data["metadata"] = {}
    if not isinstance(metadata, dict):
        raise bad_request(f"json: cannot unmarshal into Go struct field {kind.kind}.metadata of type v1.ObjectMeta")
    for field in ("name", "namespace", "generateName"):
        if not isinstance(metadata.get(field, ""), str | None):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type string")
    if kind.namespaced:
        if metadata.get("namespace") not in {None, "", request.namespace}:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = request.namespace
    else:
        metadata.pop("namespace", None)
    if request.name:
        if metadata.get("name") not in {None, "", request.name}:
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({request.name})")
        metadata["name"] = request.name


def shape(obj: Object, request: ResourceRequest, definitions: Definitions) -> tuple[Conformed, dict[str, str]]:
    """The object in the shape of its kind, and response headers that warn about fields it should not have.

    Raises:
        ApiError: 400 for a wrong type, and for an unknown field under strict validation.
    """
    kind = request.kind
    try:
        if kind.custom is not None:
            # What is of a wrong type is refused later, with all other faults, as the schema's validation words it.
            conformed = prune(obj, kind.custom.schema, definitions)
        else:
            conformed = conform(obj, definitions, kind.definition)
    except WrongType as error:
        raise bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}') from None
    # Kind and apiVersion lead, as in everything the server writes.
    shaped = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        **{key: value for key, value in conformed.obj.items() if key not in {"apiVersion", "kind"}},
    }
    conformed = Conformed(shaped, conformed.unknown)
    mode = request.query.get("fieldValidation") or "Warn"
    if conformed.unknown and mode == "Strict":
        texts = ", ".join(f'unknown field "{name}"' for name in conformed.unknown)
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {texts}'
        )
    if conformed.unknown and mode == "Warn":
        warnings = ", ".join(f'299 - "unknown field \\"{name}\\""' for name in conformed.unknown)
        return conformed, {"Warning": warnings}
    return conformed, {}
