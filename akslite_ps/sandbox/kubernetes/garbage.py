"""The garbage collector: what an owner leaves behind goes with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes.control_plane import AllBut
from akslite_ps.sandbox.kubernetes.deleting import FOREGROUND_FINALIZER, DeleteOptions, dependents, remove, remove_if_released
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_IGNORED = frozenset({"events", "leases.coordination.k8s.io", "endpoints"})
# Not a resource: the key of an owner that is gone, with its uid as the name.
_GONE = "gone"


class GarbageCollector:
    """Deletes dependents of owners that are gone or wait for them."""

    watches = AllBut(_IGNORED)

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """An owner that is gone; owners that wait in the foreground for this dependent."""
        if change.kind == "DELETED":
            yield ObjectKey(_GONE, "", obj["metadata"]["uid"])
            for reference in obj["metadata"].get("ownerReferences") or ():
                yield from self._waiting_owner(reference["kind"], reference["name"], change.key.namespace, state)
        elif FOREGROUND_FINALIZER in (obj["metadata"].get("finalizers") or ()) and "deletionTimestamp" in obj["metadata"]:
            yield change.key

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Delete the dependents; release an owner whose dependents are gone."""
        if key.resource == _GONE:
            for kind, obj in list(dependents(state, key.name)):
                others = [item for item in obj["metadata"]["ownerReferences"] if item["uid"] != key.name]
                if others:
                    obj["metadata"]["ownerReferences"] = others
                    state.put(kind, obj)
                elif "deletionTimestamp" not in obj["metadata"]:
                    remove(state, kind, obj, DeleteOptions())
            return None
        owner = state.store.get(key)
        if owner is None or FOREGROUND_FINALIZER not in (owner["metadata"].get("finalizers") or ()):
            return None
        left = list(dependents(state, owner["metadata"]["uid"]))
        for kind, obj in left:
            if "deletionTimestamp" not in obj["metadata"]:
                remove(state, kind, obj, DeleteOptions(propagation="Foreground"))
        if not any(True for _ in dependents(state, owner["metadata"]["uid"])):
            owner["metadata"]["finalizers"].remove(FOREGROUND_FINALIZER)
            if not owner["metadata"]["finalizers"]:
                del owner["metadata"]["finalizers"]
            served = state.types.of_resource(key.resource)
            if served is not None:
                remove_if_released(state, served, state.put(served, owner))
        return None

    def _waiting_owner(self, kind: str, name: str, namespace: str, state: ClusterState) -> Iterable[ObjectKey]:
        for served in state.types.all:
            if served.kind == kind:
                yield ObjectKey(served.resource, namespace if served.namespaced else "", name)
