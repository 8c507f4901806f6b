"""Eviction from nodes with a taint that pods may not stay under (NoExecute). Nodes that are silent are ``node_lifecycle``'s."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import delete_pod
from akslite_ps.sandbox.kubernetes.scheduling import node_matters, tolerates
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

# The control plane's own taints of nodes that are not ready or silent.
_OWN = "node.kubernetes.io/"


class TaintController:
    """Ends pods that do not tolerate a taint which somebody gave to their node."""

    watches = frozenset({"nodes", "pods"})

    def __init__(self) -> None:
        self._since: dict[ObjectKey, dt.datetime] = {}

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """A pod that was given a node; all pods where a node's taints changed."""
        if change.kind == "DELETED":
            self._since.pop(change.key, None)
            return ()
        if change.key.resource == "pods":
            return (change.key,) if obj["spec"].get("nodeName") else ()
        if not node_matters(obj, change.before):
            return ()
        name = name_of(obj)
        return [_key(pod) for pod in state.store.objects("pods") if pod["spec"].get("nodeName") == name]

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """End the pod now, or say when its patience is over."""
        pod = state.store.get(key)
        node = state.get(resources.NODES, pod["spec"]["nodeName"]) if pod is not None else None
        if pod is None or node is None or "deletionTimestamp" in pod["metadata"]:
            self._since.pop(key, None)
            return None
        taints = [
            taint
            for taint in node["spec"].get("taints") or ()
            if taint.get("effect") == "NoExecute" and not str(taint.get("key")).startswith(_OWN)
        ]
        patience = [_patience(pod, taint) for taint in taints]
        limits = [seconds for seconds in patience if seconds is not None]
        if not limits:
            self._since.pop(key, None)
            return None
        due = self._since.setdefault(key, state.now) + dt.timedelta(seconds=min(limits))
        if state.now < due:
            return due
        text = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
        state.event(pod, "TaintManagerEviction", text, component="taint-eviction-controller")
        delete_pod(pod, state)
        return None


def _patience(pod: Object, taint: Mapping[str, Any]) -> float | None:
    """Seconds that a pod stays under a taint, None for ever."""
    fitting = [item for item in pod["spec"].get("tolerations") or () if tolerates([item], taint)]
    if not fitting:
        return 0.0
    limits = [float(item["tolerationSeconds"]) for item in fitting if item.get("tolerationSeconds") is not None]
    return min(limits) if limits else None


def _key(pod: Object) -> ObjectKey:
    return ObjectKey("pods", namespace_of(pod), name_of(pod))
