"""The DaemonSet controller: one pod per node that admits it, replaced when the template changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import (
    Object,
    ObjectKey,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
)
from akslite_ps.sandbox.kubernetes.pods import delete_pod, is_active, is_pod_ready, make_pod
from akslite_ps.sandbox.kubernetes.revisions import REVISION_LABEL, note_revision
from akslite_ps.sandbox.kubernetes.scheduling import node_matters, selects_node, tolerates
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

_TOLERATED = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
    for name, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("not-ready", "NoSchedule"),
    )
)


class DaemonSetController:
    """Keeps one pod of every DaemonSet on every node that admits it."""

    watches = frozenset({"daemonsets.apps", "pods", "nodes"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The DaemonSet itself, the owner of a changed pod, or all where a node joined or left."""
        if change.key.resource == "nodes":
            return () if change.before is not None and not node_matters(obj, change.before) else state.store.keys("daemonsets.apps")
        return itself_or_owner(change, obj, {"DaemonSet": "daemonsets.apps"})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Create missing pods, end superfluous ones and one outdated one, and count."""
        daemon_set = state.store.get(key)
        if daemon_set is None or "deletionTimestamp" in daemon_set["metadata"]:
            return None
        revision = note_revision(daemon_set, state)
        wanted = {name_of(node) for node in state.store.objects("nodes") if _admitted(daemon_set, node)}
        pods = self._pods(daemon_set, state)
        for pod in pods:
            if is_active(pod) and pod["spec"].get("nodeName") not in wanted:
                delete_pod(pod, state)
        taken = {pod["spec"].get("nodeName") for pod in pods}
        for node in sorted(wanted - taken):
            pod = make_pod(
                daemon_set, f"{name_of(daemon_set)}-", state, labels={REVISION_LABEL: revision}, node=node, tolerations=_TOLERATED
            )
            pods.append(pod)
            state.event(daemon_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", component="daemonset-controller")
        active = [pod for pod in pods if is_active(pod) and pod["spec"].get("nodeName") in wanted]
        self._replace_outdated(daemon_set, active, revision, state)
        self._count(daemon_set, active, revision, len(wanted), state)
        return None

    def _pods(self, daemon_set: Object, state: ClusterState) -> list[Object]:
        uid = daemon_set["metadata"]["uid"]
        return [
            pod for pod in state.store.objects("pods", namespace_of(daemon_set)) if (controller_of(pod) or {}).get("uid") == uid
        ]

    def _replace_outdated(self, daemon_set: Object, active: list[Object], revision: str, state: ClusterState) -> None:
        if daemon_set["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        outdated = [pod for pod in active if labels_of(pod).get(REVISION_LABEL) != revision]
        others_ready = all(is_pod_ready(pod) for pod in active if pod not in outdated)
        if outdated and others_ready:
            delete_pod(outdated[0], state)
            state.event(daemon_set, "SuccessfulDelete", f"Deleted pod: {name_of(outdated[0])}", component="daemonset-controller")

    def _count(self, daemon_set: Object, active: list[Object], revision: str, wanted: int, state: ClusterState) -> None:
        ready = sum(is_pod_ready(pod) for pod in active)
        updated = sum(labels_of(pod).get(REVISION_LABEL) == revision for pod in active)
        status = {
            "currentNumberScheduled": len(active),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": wanted,
            "numberReady": ready,
            "observedGeneration": daemon_set["metadata"].get("generation", 1),
            "updatedNumberScheduled": updated,
        }
        if ready:
            status["numberAvailable"] = ready
        if wanted - ready:
            status["numberUnavailable"] = wanted - ready
        daemon_set["status"] = status
        state.put(resources.DAEMON_SETS, daemon_set)


def _admitted(daemon_set: Object, node: Object) -> bool:
    spec = daemon_set["spec"]["template"]["spec"]
    tolerations = [*(spec.get("tolerations") or ()), *_TOLERATED]
    taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] != "PreferNoSchedule"]
    return selects_node(spec, node) and all(tolerates(tolerations, taint) for taint in taints)
