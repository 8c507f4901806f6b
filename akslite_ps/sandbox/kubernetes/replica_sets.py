"""ReplicaSets, and the ReplicationControllers before them: as many pods as asked for, and a status that counts them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import MOST_PODS_PER_SET
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, condition, controller_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import delete_pod, is_active, is_pod_ready, make_pod
from akslite_ps.sandbox.kubernetes.selectors import selects
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

_KINDS = {"ReplicaSet": resources.REPLICA_SETS, "ReplicationController": resources.REPLICATION_CONTROLLERS}
_RESOURCES = {kind.resource: kind for kind in _KINDS.values()}


class ReplicaSetController:
    """Creates and deletes the pods of ReplicaSets and ReplicationControllers."""

    watches = frozenset({*_RESOURCES, "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The ReplicaSet itself, or the one that a changed pod belongs to."""
        return itself_or_owner(change, obj, {name: kind.resource for name, kind in _KINDS.items()})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Bring the number of pods to ``spec.replicas`` and count them."""
        replica_set = state.store.get(key)
        if replica_set is None or "deletionTimestamp" in replica_set["metadata"]:
            return None
        mine = [pod for pod in self._pods(replica_set, state) if is_active(pod)]
        component = f"{_RESOURCES[key.resource].singular}-controller".replace("replicationcontroller-", "replication-")
        missing = min(replica_set["spec"].get("replicas", 1), MOST_PODS_PER_SET.value) - len(mine)
        for _ in range(missing):
            pod = make_pod(replica_set, f"{name_of(replica_set)}-", state)
            mine.append(pod)
            state.event(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", component=component)
        # Pods that do not run yet go first, then the youngest, as in the real controller's ranking.
        for pod in sorted(mine, key=_keep_rank)[: max(0, -missing)]:
            delete_pod(pod, state)
            mine.remove(pod)
            state.event(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", component=component)
        self._count(_RESOURCES[key.resource], replica_set, mine, state)
        return None

    def _pods(self, replica_set: Object, state: ClusterState) -> list[Object]:
        uid = replica_set["metadata"]["uid"]
        selector = replica_set["spec"]["selector"]
        if replica_set["kind"] == "ReplicationController":
            selector = {"matchLabels": selector}
        return [
            pod
            for pod in state.store.objects("pods", namespace_of(replica_set))
            if (controller_of(pod) or {}).get("uid") == uid and selects(selector, pod["metadata"].get("labels") or {})
        ]

    def _count(self, kind: resources.ResourceType, replica_set: Object, pods: list[Object], state: ClusterState) -> None:
        ready = sum(is_pod_ready(pod) for pod in pods)
        status = {"replicas": len(pods), "observedGeneration": replica_set["metadata"].get("generation", 1)}
        if pods:
            status["fullyLabeledReplicas"] = len(pods)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        replica_set["status"] = status
        state.put(kind, replica_set)


def _keep_rank(pod: Object) -> tuple[bool, bool, float]:
    created = dt.datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
    return (bool(pod["spec"].get("nodeName")), condition(pod, "Ready") is not None and is_pod_ready(pod), -created)
