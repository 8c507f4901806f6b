"""Rules of CustomResourceDefinitions. Part of ``rules``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object, name_of
from akslite_ps.sandbox.kubernetes.status import Cause, invalid_value

_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def definition_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with a definition."""
    spec = obj["spec"]
    wanted = f"{spec['names']['plural']}.{spec['group']}"
    if name_of(obj) != wanted:
        yield invalid_value(name_of(obj), f'must be spec.names.plural+"."+spec.group: {wanted}', "metadata.name")
    if "." not in spec["group"]:
        yield invalid_value(spec["group"], "should be a domain with at least one dot", "spec.group")
    if spec["scope"] not in {"Cluster", "Namespaced"}:
        text = f'Unsupported value: "{spec["scope"]}": supported values: "Cluster", "Namespaced"'
        yield Cause("FieldValueNotSupported", text, "spec.scope")
    stored = [version for version in spec["versions"] if version.get("storage")]
    if len(stored) != 1:
        shown = [version["name"] for version in spec["versions"]]
        yield invalid_value(shown, "must have exactly one version marked as storage version", "spec.versions")
    for index, version in enumerate(spec["versions"]):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        where = f"spec.versions[{index}].schema.openAPIV3Schema"
        if schema is None:
            yield Cause("FieldValueRequired", "Required value: schemas are required", where)
        else:
            yield from _structure(schema, where, is_root=True)
    if before is not None:
        for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
            if _at(spec, path) != _at(before["spec"], path):
                yield invalid_value(_at(spec, path), "field is immutable", ".".join(("spec", *path)))


def _structure(schema: dict[str, Any], path: str, *, is_root: bool = False) -> Iterator[Cause]:
    """A schema must say of everything what type it has, or that it is kept as it is."""
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    kind = schema.get("type")
    if kind is None:
        if is_root or not free:
            text = (
                "Required value: must not be empty at the root"
                if is_root
                else "Required value: must not be empty for specified fields"
            )
            yield Cause("FieldValueRequired", text, f"{path}.type")
    elif kind not in _TYPES:
        listed = ", ".join(f'"{item}"' for item in _TYPES)
        yield Cause("FieldValueNotSupported", f'Unsupported value: "{kind}": supported values: {listed}', f"{path}.type")
    elif is_root and kind != "object":
        yield invalid_value(kind, "must be object at the root", f"{path}.type")
    if kind == "array" and not isinstance(schema.get("items"), dict) and not free:
        yield Cause("FieldValueRequired", "Required value: must be specified", f"{path}.items")
    for name, below in (schema.get("properties") or {}).items():
        if isinstance(below, dict) and not (is_root and name == "metadata"):
            yield from _structure(below, f"{path}.properties[{name}]")
    if isinstance(schema.get("items"), dict):
        yield from _structure(schema["items"], f"{path}.items")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _structure(schema["additionalProperties"], f"{path}.additionalProperties")


def _at(spec: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        spec = spec[name]
    return spec
