"""Who manages which field: ``managedFields``, kept up to date by every write, and server-side apply on top of it."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema
from akslite_ps.sandbox.kubernetes.field_sets import (
    FieldSet,
    Path,
    display,
    fields_of,
    from_fields_v1,
    has_value,
    key_step,
    list_key,
    remove_at,
    to_fields_v1,
    value_at,
)
from akslite_ps.sandbox.kubernetes.objects import Object, timestamp
from akslite_ps.sandbox.kubernetes.status import Cause, apply_conflict

_APPLY, _UPDATE = "Apply", "Update"


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a field manager, through which subresource ("" for the object itself), when."""

    manager: str
    moment: dt.datetime
    subresource: str = ""


_Owners = dict[tuple[str, str, str], tuple[FieldSet, dict[str, Any]]]


def note_update(before: Object | None, after: Object, writer: Writer, schema: Schema, definitions: Definitions) -> None:
    """Record a create, update or patch: what changed is the writer's now; what is gone is nobody's."""
    owners = _read(before)
    present = fields_of(after, schema, definitions)
    changed = frozenset(path for path in present if before is None or value_at(before, path) != value_at(after, path))
    own = (writer.manager, _UPDATE, writer.subresource)
    for key, (fields, entry) in list(owners.items()):
        taken = changed if key != own else frozenset()
        owners[key] = (frozenset(path for path in fields - taken if has_value(after, path)), entry)
    fields, entry = owners.get(own, (frozenset(), {}))
    if changed:
        entry = {"time": timestamp(writer.moment)}
    owners[own] = (fields | changed, entry)
    _write(after, owners)


def apply_configuration(
    live: Object | None, applied: Object, writer: Writer, schema: Schema, definitions: Definitions, *, force: bool
) -> Object:
    """The object after a server-side apply, with its managedFields.

    Args:
        live: The object as it is, None where it does not exist yet.
        applied: What the manager wants; exactly the fields it means to own.
        force: Take fields over from other managers.

    Raises:
        ApiError: 409, where other managers own fields that would get another value.
    """
    owners = _read(live)
    wanted = fields_of(applied, schema, definitions)
    own = (writer.manager, _APPLY, writer.subresource)
    contested: dict[Path, str] = {}
    for key, (fields, entry) in owners.items():
        if key != own:
            lost = [path for path in fields & wanted if value_at(live, path) != value_at(applied, path)]
            how = f" using {entry.get('apiVersion') or applied['apiVersion']}" if key[1] == _UPDATE else ""
            contested |= dict.fromkeys(lost, f'"{key[0]}"{how}')
    if contested and not force:
        causes = [Cause("FieldManagerConflict", f"conflict with {who}", display(path)) for path, who in sorted(contested.items())]
        raise apply_conflict(causes, sorted(set(contested.values())))
    merged: Object = _merge(copy.deepcopy(live or {}), applied, schema, definitions)
    previous = owners.get(own, (frozenset(), {}))[0]
    owned_by_others = {path for key, (fields, _) in owners.items() if key != own for path in fields}
    kept = owned_by_others | wanted
    for path in sorted(previous - wanted, key=len, reverse=True):
        # Something empty that was applied before may hold something now.
        if not any(other[: len(path)] == path for other in kept):
            remove_at(merged, path)
    for key, (fields, entry) in list(owners.items()):
        if key != own:
            owners[key] = (frozenset(path for path in fields if path not in contested and has_value(merged, path)), entry)
    owners[own] = (wanted, {"time": timestamp(writer.moment)})
    _write(merged, owners)
    return merged


def _merge(target: Any, applied: Any, schema: Schema, definitions: Definitions) -> Any:
    if isinstance(applied, dict) and isinstance(target, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        for name, value in applied.items():
            field = definitions.field(schema, name) or {}
            target[name] = _merge(target[name], value, field, definitions) if name in target else copy.deepcopy(value)
        return target
    if isinstance(applied, list) and isinstance(target, list):
        keys = list_key(schema)
        if keys:
            return _merge_keyed(target, applied, keys, definitions.items(schema), definitions)
        if schema.get("x-kubernetes-list-type") == "set":
            return [*target, *(item for item in applied if item not in target)]
    return copy.deepcopy(applied)


def _merge_keyed(target: list[Any], applied: list[Any], keys: list[str], items: Schema, definitions: Definitions) -> list[Any]:
    """Applied items in the applied order, what others have after them."""
    present = {key_step(item, keys): item for item in target}
    merged = []
    for item in applied:
        known = present.pop(key_step(item, keys), None)
        merged.append(copy.deepcopy(item) if known is None else _merge(known, item, items, definitions))
    return [*merged, *present.values()]


def _read(obj: Mapping[str, Any] | None) -> _Owners:
    entries = (obj or {}).get("metadata", {}).get("managedFields") or ()
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): (
            from_fields_v1(entry.get("fieldsV1") or {}),
            {"time": entry.get("time"), "apiVersion": entry.get("apiVersion")},
        )
        for entry in entries
    }


def _write(obj: Object, owners: _Owners) -> None:
    entries = []
    for (manager, operation, subresource), (fields, entry) in owners.items():
        if not fields:
            continue
        made = {
            "manager": manager,
            "operation": operation,
            "apiVersion": obj["apiVersion"],
            "time": entry.get("time"),
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(fields),
        }
        entries.append({**made, "subresource": subresource} if subresource else made)
    # Appliers come first, as in the real server's order.
    entries.sort(key=lambda item: item["operation"])
    obj["metadata"]["managedFields"] = entries
