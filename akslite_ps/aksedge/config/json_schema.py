"""The deployment config as a JSON Schema, made from the models and what is known of their fields."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from akslite_ps.aksedge.config.fields import FieldSpec, Place, places
from akslite_ps.aksedge.config.json_schema_rules import pattern_of, rules
from akslite_ps.aksedge.config.reading import EDITORS_KEY

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_for_editors(root: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a model and the models below it. Every field that need not be there may be null, as in Microsoft's sample."""
    made = root.model_json_schema(by_alias=True, mode="validation", ref_template="#/$defs/{model}")
    definitions = made.pop("$defs", {})
    for model in (root, *_below(root)):
        schema = made if model is root else definitions[model.__name__]
        for place in places(model):
            schema["properties"][place.name] = _field(place, schema["properties"][place.name], schema.get("required", []))
    made["properties"] = {EDITORS_KEY: {"type": "string", "description": _ABOUT_EDITORS_KEY}, **made["properties"]}
    return {
        "$schema": DIALECT,
        "title": "AKS Edge Essentials deployment config",
        "description": _ABOUT,
        **{key: value for key, value in made.items() if key not in ("title", "description")},
        "allOf": rules(root),
        "$defs": definitions,
    }


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {}
    for place in places(model):
        if place.model is not None:
            found |= dict.fromkeys([place.model, *_below(place.model)])
    return list(found)


def _field(place: Place, made: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """One property: what pydantic says of its type, and what a person should read beside it."""
    of_the_type = {key: value for key, value in made.items() if key in _OF_THE_TYPE}
    constraints = _with_pattern(of_the_type, pattern_of(place.spec.kind, required=place.name in required))
    if place.spec.kind == "ipv4 list":
        constraints = _with_items(constraints, pattern_of("ipv4", required=True))
    if place.name not in required and {"type": "null"} not in constraints.get("anyOf", []):
        constraints = {"anyOf": [constraints, {"type": "null"}]}
    default = {} if place.spec.default is None else {"default": place.spec.default}
    return {"title": place.spec.title, "description": _description(place.spec), **default, **constraints}


def _with_pattern(schema: dict[str, Any], pattern: str | None) -> dict[str, Any]:
    if pattern is None:
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_pattern(part, pattern) for part in schema["anyOf"]]}
    return {**schema, "pattern": pattern} if schema.get("type") == "string" and "enum" not in schema else schema


def _with_items(schema: dict[str, Any], pattern: str | None) -> dict[str, Any]:
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_items(part, pattern) for part in schema["anyOf"]]}
    return {**schema, "items": {"type": "string", "pattern": pattern}} if schema.get("type") == "array" else schema


_ABOUT = (
    "A deployment config (aksedge-config.json), as akslite-ps checks it. It holds a writer to the product's spelling, which the "
    "product itself does not. Addresses in one subnet, sums and what is installed: `akslite config check`."
)
_ABOUT_EDITORS_KEY = "Where an editor finds this schema; `akslite config schema -o FILE` writes it. It is not sent to a device."
_OF_THE_TYPE = frozenset(
    {
        "$ref",
        "anyOf",
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maximum",
        "minimum",
        "minItems",
        "multipleOf",
        "prefixItems",
        "type",
    }
)


def _description(spec: FieldSpec) -> str:
    parts = [spec.description, f"Allowed: {spec.allowed}."]
    if spec.unit:
        parts.append(f"Unit: {spec.unit}.")
    if spec.required != "no":
        parts.append(f"Required: {spec.required}.")
    if spec.since_schema != "1.5":
        parts.append(f"From schema {spec.since_schema}.")
    return " ".join([*parts, *([spec.note] if spec.note else [])])
