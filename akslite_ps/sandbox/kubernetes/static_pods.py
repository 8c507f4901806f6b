"""Static pods of a kubeadm control plane: the kubelet mirrors them into the API and puts them back when they are deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, labels_of, name_of
from akslite_ps.sandbox.kubernetes.pods import admit_pod
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change
from akslite_ps.sandbox.kubernetes.system_workloads import static_pods

_MIRROR = "kubernetes.io/config.mirror"


class StaticPodController:
    """Mirrors the control plane's pods of every control-plane node."""

    watches = frozenset({"nodes", "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """A node that joined; the node of a mirror pod that was deleted."""
        if state.facts.distribution != "K8s":
            return ()
        if change.key.resource == "nodes":
            return (change.key,) if change.kind == "ADDED" else ()
        if change.kind == "DELETED" and _MIRROR in (obj["metadata"].get("annotations") or {}):
            return (ObjectKey("nodes", "", obj["spec"]["nodeName"]),)
        return ()

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Create the mirror pods that are missing."""
        node = state.store.get(key)
        if node is None or "node-role.kubernetes.io/control-plane" not in labels_of(node):
            return None
        owner = {"apiVersion": "v1", "kind": "Node", "name": name_of(node), "uid": node["metadata"]["uid"], "controller": True}
        for pod in static_pods(name_of(node), state.facts.version):
            if state.get(resources.PODS, name_of(pod), pod["metadata"]["namespace"]) is None:
                pod["kind"] = "Pod"
                pod["metadata"]["ownerReferences"] = [owner]
                admit_pod(pod)
                state.add(resources.PODS, pod)
        return None
