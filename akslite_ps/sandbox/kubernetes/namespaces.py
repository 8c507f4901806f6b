"""What every namespace has (a default account, the cluster's CA) and how one ends: everything in it goes first."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.control_plane import AllBut
from akslite_ps.sandbox.kubernetes.deleting import DeleteOptions, remove, remove_if_released
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_ROOT_CA = "kube-root-ca.crt"


class NamespaceController:
    """Furnishes namespaces and empties those that are going."""

    watches = AllBut()

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The namespace itself, or the one in which something was deleted."""
        if change.key.resource == "namespaces":
            return () if change.kind == "DELETED" else (change.key,)
        if change.kind == "DELETED" and change.key.namespace:
            return (ObjectKey("namespaces", "", change.key.namespace),)
        return ()

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Furnish or empty the namespace."""
        namespace = state.store.get(key)
        if namespace is None:
            return None
        if "deletionTimestamp" in namespace["metadata"]:
            self._empty(namespace, state)
        else:
            self._furnish(key.name, state)
        return None

    def _furnish(self, name: str, state: ClusterState) -> None:
        if state.store.encoded(ObjectKey("serviceaccounts", name, "default")) is None:
            state.add(resources.SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": name}})
        if state.store.encoded(ObjectKey("configmaps", name, _ROOT_CA)) is None:
            about = {"kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver."}
            authority = state.credentials.authority_certificate.decode()
            state.add(
                resources.CONFIG_MAPS,
                {"metadata": {"name": _ROOT_CA, "namespace": name, "annotations": about}, "data": {"ca.crt": authority}},
            )

    def _empty(self, namespace: Object, state: ClusterState) -> None:
        name = namespace["metadata"]["name"]
        left = False
        for resource in state.store.resources():
            kind = state.types.of_resource(resource)
            if kind is None or not kind.namespaced:
                continue
            for key in state.store.keys(kind.resource, name):
                encoded = state.store.encoded(key)
                if encoded is None:
                    continue
                obj: Object = json.loads(encoded)
                if "deletionTimestamp" in obj["metadata"] or remove(state, kind, obj, DeleteOptions()) is not None:
                    left = True
        if not left:
            current = state.get(resources.NAMESPACES, name)
            if current is not None and current["spec"].get("finalizers"):
                current["spec"].pop("finalizers")
                remove_if_released(state, resources.NAMESPACES, state.put(resources.NAMESPACES, current))
