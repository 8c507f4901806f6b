"""What the control plane makes of a node that it hears nothing of: it says so, and later has its pods made anew elsewhere.

Called by the cluster, which is told by the device when a machine went down and paces the steps by the device's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import set_unknown
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.pods import delete_pod
from akslite_ps.sandbox.kubernetes.scheduling import tolerates
from akslite_ps.sandbox.kubernetes.state import ClusterState

GRACE_SECONDS = 40.0
"""How long a node may be silent before it is NotReady: the default of kube-controller-manager's node-monitor-grace-period until
Kubernetes 1.31; later versions wait 10 s longer."""

_UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


def declare_unreachable(state: ClusterState, name: str) -> None:
    """Say of a silent node that nobody knows how it is."""
    node = state.get(resources.NODES, name)
    if node is None:
        return
    set_unknown(node, state.now)
    state.put(resources.NODES, node)
    state.event(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady", component="node-controller")


def patience_on(state: ClusterState, name: str) -> list[float]:
    """After how many seconds on an unreachable node its pods are evicted, in order, each moment once."""
    return sorted({seconds for pod in _pods_on(state, name) if (seconds := _patience(pod)) is not None})


def evict_impatient(state: ClusterState, name: str, after_s: float) -> None:
    """Delete the pods that do not stay on an unreachable node for longer than ``after_s``. They end when the node is back."""
    for pod in _pods_on(state, name):
        seconds = _patience(pod)
        if seconds is not None and seconds <= after_s:
            delete_pod(pod, state)


def _pods_on(state: ClusterState, name: str) -> list[Object]:
    return [
        pod
        for pod in state.store.objects("pods")
        if pod["spec"].get("nodeName") == name and "deletionTimestamp" not in pod["metadata"]
    ]


def _patience(pod: Mapping[str, Any]) -> float | None:
    """Seconds that a pod stays on an unreachable node, None for ever."""
    fitting = [toleration for toleration in pod["spec"].get("tolerations") or () if tolerates([toleration], _UNREACHABLE)]
    if not fitting:
        return 0.0
    limits = [float(toleration["tolerationSeconds"]) for toleration in fitting if toleration.get("tolerationSeconds") is not None]
    return min(limits) if limits else None
