"""Sets of fields, as ``managedFields`` records them: which fields an object has, in Kubernetes' notation.

A path is a tuple of steps: ``f:name`` for a field, ``k:{...}`` for an item of a keyed list, ``v:...`` for
an item of a set. Used by server-side apply and by ownership tracking.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema
from akslite_ps.sandbox.kubernetes.objects import Object

Path = tuple[str, ...]
FieldSet = frozenset[Path]

_MISSING = object()
# Fields that nobody owns.
_IDENTITY = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "uid",
                "resourceVersion",
                "generation",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "managedFields",
                "selfLink",
            )
        ),
    }
)


def fields_of(obj: Object, schema: Schema, definitions: Definitions) -> FieldSet:
    """The fields that are set in an object, without those that identify it."""
    return frozenset(
        path for path in _walk(obj, schema, definitions, ()) if path and path[:1] not in _IDENTITY and path[:2] not in _IDENTITY
    )


def value_at(obj: Any, path: Path) -> Any:
    """What an object has at a path; a private marker where it has nothing there (compare two results with ``==``)."""
    value = obj
    for step in path:
        value = _step(value, step)
        if value is _MISSING:
            return _MISSING
    # Owning a keyed item or a map means owning its existence, not what is in it.
    return True if path[-1].startswith("k:") else value


def has_value(obj: Any, path: Path) -> bool:
    """Whether the object has anything at this path."""
    return value_at(obj, path) is not _MISSING


def remove_at(obj: Any, path: Path) -> None:
    """Remove what is at a path; containers that become empty go too."""
    parent = obj
    trail: list[tuple[Any, str]] = []
    for step in path[:-1]:
        trail.append((parent, step))
        parent = _step(parent, step)
        if parent is _MISSING:
            return
    _drop(parent, path[-1])
    for container, step in reversed(trail):
        child = _step(container, step)
        if child in ({}, []) and step.startswith("f:") and step not in {"f:spec", "f:metadata"}:
            _drop(container, step)
        else:
            break


def to_fields_v1(fields: Iterable[Path]) -> dict[str, Any]:
    """The nested form that ``managedFields`` carries."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:"):
            node["."] = {}
    return root


def from_fields_v1(tree: Mapping[str, Any]) -> FieldSet:
    """The set of paths in the nested form."""
    return frozenset(_leaves(tree, ()))


def display(path: Path) -> str:
    """A path as an apply conflict names it, e.g. ``.spec.replicas``."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{keys}]"
        else:
            text += f"[={rest}]"
    return text


def list_key(schema: Schema) -> list[str] | None:
    """The keys of a keyed list, None for other lists."""
    if schema.get("x-kubernetes-list-type") == "map":
        return list(schema.get("x-kubernetes-list-map-keys") or ())
    return None


def key_step(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The step that leads to an item of a keyed list."""
    # protocol is the one list key with a default; unset it means TCP.
    values = {key: item.get(key, "TCP" if key == "protocol" else None) for key in sorted(keys)}
    return "k:" + json.dumps({key: value for key, value in values.items() if value is not None}, separators=(",", ":"))


def _walk(value: Any, schema: Schema, definitions: Definitions, path: Path) -> Iterator[Path]:
    if isinstance(value, dict) and schema.get("x-kubernetes-map-type") != "atomic" and value and _is_granular(schema):
        for name, item in value.items():
            if item is not None:
                yield from _walk(item, definitions.field(schema, name) or {}, definitions, (*path, f"f:{name}"))
        return
    if isinstance(value, list):
        keys = list_key(schema)
        if keys:
            items = definitions.items(schema)
            for item in value:
                step = (*path, key_step(item, keys))
                yield step
                yield from _walk(item, items, definitions, step)
            return
        if schema.get("x-kubernetes-list-type") == "set":
            yield from ((*path, f"v:{json.dumps(item)}") for item in value)
            return
    yield path


def _is_granular(schema: Schema) -> bool:
    return "properties" in schema or isinstance(schema.get("additionalProperties"), dict)


def _leaves(tree: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if not tree or "." in tree:
        yield path
    for step, below in tree.items():
        if step != ".":
            yield from _leaves(below, (*path, step))


def _step(value: Any, step: str) -> Any:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return value.get(rest, _MISSING) if isinstance(value, dict) else _MISSING
    if not isinstance(value, list):
        return _MISSING
    wanted = json.loads(rest)
    if kind == "v":
        return wanted if wanted in value else _MISSING
    return next((item for item in value if _has_keys(item, wanted)), _MISSING)


def _has_keys(item: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(
        item.get(key, "TCP" if key == "protocol" else None) == value for key, value in wanted.items()
    )


def _drop(container: Any, step: str) -> None:
    kind, _, rest = step.partition(":")
    if kind == "f":
        container.pop(rest, None)
        return
    wanted = json.loads(rest)
    if kind == "v":
        container[:] = [item for item in container if item != wanted]
    else:
        container[:] = [item for item in container if not _has_keys(item, wanted)]
