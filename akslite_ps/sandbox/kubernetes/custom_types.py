"""The resource types of one cluster: the built-in ones, and those that its CustomResourceDefinitions add.

Kept by :class:`~akslite_ps.sandbox.kubernetes.state.ClusterState`. A definition counts once it is Established, as on a real server;
its objects are then served like others, in the shape of its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.autoscaler_versions import as_version_1, as_version_2
from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema, definitions_for
from akslite_ps.sandbox.kubernetes.objects import Object, condition
from akslite_ps.sandbox.kubernetes.resources import RESOURCE_TYPES, ResourceType
from akslite_ps.sandbox.kubernetes.store import Change, Store

_META = {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


@dataclass(frozen=True, slots=True)
class CustomKind:
    """What a CustomResourceDefinition says of one version of its kind.

    Args:
        mark: Differs for every state of every definition.
        schema: Its ``openAPIV3Schema``.
        columns: Its ``additionalPrinterColumns``.
        scale: Its ``scale`` subresource, None without one.
    """

    mark: str
    schema: Schema = field(compare=False, repr=False)
    columns: tuple[Mapping[str, Any], ...] = field(default=(), compare=False, repr=False)
    scale: Mapping[str, str] | None = field(default=None, compare=False, repr=False)


class ServedTypes:
    """The types that one cluster serves at this moment.

    Args:
        store: The cluster's objects.
        version: Its Kubernetes version.
    """

    def __init__(self, store: Store, version: str) -> None:
        self._store = store
        self.version = version
        self._custom: tuple[ResourceType, ...] | None = None
        self._definitions: Definitions | None = None
        store.listen(self._on_change)

    @property
    def custom(self) -> tuple[ResourceType, ...]:
        """The types that definitions add, one per served version."""
        if self._custom is None:
            found = self._store.objects(resources.DEFINITIONS.resource)
            self._custom = tuple(kind for definition in found if _is_established(definition) for kind in _kinds(definition))
        return self._custom

    @property
    def all(self) -> tuple[ResourceType, ...]:
        """Every type, one entry per served version."""
        return (*RESOURCE_TYPES, *self.custom)

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        """The type served under this path, if it is."""
        built_in = resources.find_type(group, version, plural)
        if built_in is not None:
            return built_in
        return next((kind for kind in self.custom if (kind.group, kind.version, kind.plural) == (group, version, plural)), None)

    def of_resource(self, resource: str) -> ResourceType | None:
        """The type stored as ``plural.group``; None for objects whose definition is gone."""
        return next((kind for kind in self.all if kind.resource == resource), None)

    @property
    def definitions(self) -> Definitions:
        """The definitions of all types, custom ones included."""
        if self._definitions is None:
            known = definitions_for(self.version)
            own = {kind.definition: shape_of(kind.custom.schema) for kind in self.custom if kind.custom is not None}
            self._definitions = known.extended(own) if own else known
        return self._definitions

    def _on_change(self, change: Change) -> None:
        if change.key.resource == resources.DEFINITIONS.resource:
            self._custom = self._definitions = None


def has_other_forms(kind: ResourceType) -> bool:
    """Whether objects can be stored in another version than this one."""
    return kind.custom is not None or kind is resources.AUTOSCALERS_V1


def served_form(kind: ResourceType, obj: Object) -> Object:
    """A stored object as this version of its kind shows it. The versions of a custom kind differ in their name alone."""
    if kind is resources.AUTOSCALERS_V1:
        return as_version_1(obj) if obj["apiVersion"] != kind.api_version else obj
    return {**obj, "apiVersion": kind.api_version} if kind.custom is not None else obj


def stored_form(kind: ResourceType, obj: Object, before: Object | None) -> Object:
    """An object of this version of its kind as it is stored in place of ``before``."""
    return as_version_2(obj, before) if kind is resources.AUTOSCALERS_V1 else obj


def shape_of(schema: Schema) -> Schema:
    """A custom kind's schema as the published definitions would have it: with metadata, and every object's identity."""
    made: Schema = _plain(schema)
    if made.get("properties") or not made.get(_PRESERVE):
        properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **(made.get("properties") or {})}
        made = {**made, "type": "object", "properties": {**properties, "metadata": _META}}
    return made


def _plain(schema: Any) -> Any:
    """The schema with values that are a number or a text written as the published definitions write them."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {**schema, "oneOf": [{"type": "integer"}, {"type": "string"}]}
    made = dict(schema)
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {name: _plain(item) for name, item in schema["properties"].items()}
    for below in ("items", "additionalProperties"):
        if below in schema:
            made[below] = _plain(schema[below])
    return made


def _is_established(definition: Object) -> bool:
    found = condition(definition, "Established")
    return found is not None and found["status"] == "True"


def _kinds(definition: Object) -> list[ResourceType]:
    spec = definition["spec"]
    names = definition.get("status", {}).get("acceptedNames") or spec["names"]
    made = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        below = version.get("subresources") or {}
        metadata = definition["metadata"]
        custom = CustomKind(
            f"{metadata['uid']}:{metadata.get('generation', 1)}:{version['name']}",
            (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object", _PRESERVE: True},
            tuple(version.get("additionalPrinterColumns") or ()),
            below.get("scale"),
        )
        made.append(
            ResourceType(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                singular=names.get("singular") or names["kind"].lower(),
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                scope_prefix=".".join([*reversed(spec["group"].split(".")), version["name"]]),
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                subresources=tuple(name for name in ("scale", "status") if below.get(name) is not None),
                custom=custom,
            )
        )
    return made
