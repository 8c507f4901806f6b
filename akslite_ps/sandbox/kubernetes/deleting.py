"""Delete: at once, after a grace period, or when the finalizers allow it; with or without what the object owns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.answers import Answer
from akslite_ps.sandbox.kubernetes.bodies import media_type, parse_body
from akslite_ps.sandbox.kubernetes.custom_types import served_form
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, name_of
from akslite_ps.sandbox.kubernetes.pods import delete_pod, mark_deleted
from akslite_ps.sandbox.kubernetes.reading import selection
from akslite_ps.sandbox.kubernetes.requests import ResourceRequest
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import bad_request, conflict, forbidden_object, not_found, success

FOREGROUND_FINALIZER = "foregroundDeletion"
_KEPT_NAMESPACES = frozenset({"default", "kube-public", "kube-system"})


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete.

    Args:
        propagation: ``Background``, ``Foreground`` or ``Orphan``.
        grace_s: Seconds for containers to end, None for the object's own.
        uid: Delete only the object with this uid, "" for any; the same holds for ``resource_version``.
    """

    propagation: str = "Background"
    grace_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def read_options(request: ResourceRequest, headers: Mapping[str, str], body: bytes) -> DeleteOptions:
    """The options in the body and the query.

    Raises:
        ApiError: 400 for options that cannot be read.
    """
    data = parse_body(body, media_type(headers)) if body.strip() else {}
    if not isinstance(data, dict):
        raise bad_request("DeleteOptions must be an object")
    propagation = data.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
    if data.get("orphanDependents") or request.flag("orphanDependents"):
        propagation = "Orphan"
    if propagation not in {"Background", "Foreground", "Orphan"}:
        raise bad_request(f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{propagation}"')
    grace = data.get("gracePeriodSeconds")
    preconditions = data.get("preconditions") or {}
    return DeleteOptions(
        propagation=propagation,
        grace_s=request.number("gracePeriodSeconds") if grace is None else int(grace),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=request.dry_run or data.get("dryRun") == ["All"],
    )


def delete_object(state: ClusterState, request: ResourceRequest, options: DeleteOptions) -> Answer:
    """Delete one object.

    Raises:
        ApiError: 404, 409 for a precondition that fails, 403 for a namespace that must stay.
    """
    kind = request.kind
    obj = state.store.get(ObjectKey(kind.resource, request.namespace, request.name))
    if obj is None:
        raise not_found(kind.plural, kind.group, request.name)
    obj = served_form(kind, obj)
    _check(obj, kind, options)
    if options.dry_run:
        return Answer.of(obj)
    left = remove(state, kind, obj, options)
    if left is not None:
        return Answer.of(left)
    details = {"name": name_of(obj), "group": kind.group, "kind": kind.plural, "uid": obj["metadata"]["uid"]}
    return Answer.of(obj if kind is resources.PODS else success({key: value for key, value in details.items() if value}))


def delete_collection(state: ClusterState, request: ResourceRequest, options: DeleteOptions) -> Answer:
    """Delete all selected objects of a collection; answers with what they were."""
    matches = selection(request)
    chosen = [obj for obj in state.store.objects(request.kind.resource, request.namespace) if matches is None or matches(obj)]
    if not options.dry_run:
        for obj in chosen:
            remove(state, request.kind, obj, options)
    metadata = {"resourceVersion": str(state.store.revision)}
    return Answer.of(
        {"kind": f"{request.kind.kind}List", "apiVersion": request.kind.api_version, "metadata": metadata, "items": chosen}
    )


def remove(state: ClusterState, kind: ResourceType, obj: Object, options: DeleteOptions) -> Object | None:
    """Start or finish the deletion of an object; returns it if something is left to wait for."""
    if kind is resources.PODS:
        if options.grace_s == 0 and not obj["metadata"].get("finalizers"):
            state.remove(kind, obj)
            return None
        delete_pod(obj, state, options.grace_s)
        return state.store.get(ObjectKey(kind.resource, obj["metadata"]["namespace"], name_of(obj)))
    if options.propagation == "Orphan":
        _orphan(state, obj)
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if (
        options.propagation == "Foreground"
        and FOREGROUND_FINALIZER not in finalizers
        and any(True for _ in dependents(state, obj["metadata"]["uid"]))
    ):
        finalizers.append(FOREGROUND_FINALIZER)
    if not finalizers:
        del obj["metadata"]["finalizers"]
    if not finalizers and kind is not resources.NAMESPACES:
        state.remove(kind, obj)
        return None
    if "deletionTimestamp" not in obj["metadata"]:
        mark_deleted(obj, state, 0)
    if kind is resources.NAMESPACES:
        obj.setdefault("status", {})["phase"] = "Terminating"
        obj["metadata"].pop("deletionGracePeriodSeconds", None)
    return state.put(kind, obj)


def remove_if_released(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    """Remove an object that is marked for deletion and that no finalizer holds any more."""
    metadata = obj["metadata"]
    held = metadata.get("finalizers") or (kind is resources.NAMESPACES and obj.get("spec", {}).get("finalizers"))
    if "deletionTimestamp" in metadata and not held and kind is not resources.PODS:
        state.remove(kind, obj)


def dependents(state: ClusterState, uid: str) -> Iterator[tuple[ResourceType, Object]]:
    """Objects that name ``uid`` as an owner."""
    marker = uid.encode()
    for resource in state.store.resources():
        for key in state.store.keys(resource):
            encoded = state.store.encoded(key)
            if encoded is None or marker not in encoded:
                continue
            obj: Object = json.loads(encoded)
            kind = state.types.of_resource(resource)
            if kind is not None and any(reference["uid"] == uid for reference in _owners(obj)):
                yield kind, obj


def _orphan(state: ClusterState, owner: Object) -> None:
    uid = owner["metadata"]["uid"]
    for kind, obj in list(dependents(state, uid)):
        obj["metadata"]["ownerReferences"] = [reference for reference in _owners(obj) if reference["uid"] != uid]
        if not obj["metadata"]["ownerReferences"]:
            del obj["metadata"]["ownerReferences"]
        state.put(kind, obj)


def _owners(obj: Object) -> list[dict[str, Any]]:
    return obj["metadata"].get("ownerReferences") or []


def _check(obj: Object, kind: ResourceType, options: DeleteOptions) -> None:
    name = name_of(obj)
    if kind is resources.NAMESPACES and name in _KEPT_NAMESPACES:
        raise forbidden_object("namespaces", "", name, "this namespace may not be deleted")
    for wanted, present, word in (
        (options.uid, obj["metadata"]["uid"], "UID"),
        (options.resource_version, obj["metadata"]["resourceVersion"], "ResourceVersion"),
    ):
        if wanted and wanted != present:
            why = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {present}"
            raise conflict(kind.plural, kind.group, name, why)
