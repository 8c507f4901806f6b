"""Draining a node: no new pods come to it, and those that can go elsewhere are evicted.

Used by the device for Set-AksEdgeNodeToDrain, by the rules of ``kubectl drain`` (DaemonSet and mirror pods stay; a pod that
nothing would make anew, or one with local data, holds the drain up unless it is forced).
"""

from __future__ import annotations

from dataclasses import dataclass

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.disruptions import check_eviction
from akslite_ps.sandbox.kubernetes.objects import Object, controller_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import delete_pod
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import ApiError

_MIRROR = "kubernetes.io/config.mirror"
_FINISHED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class DrainProgress:
    """Where a drain stands.

    Args:
        evicted: Pods evicted in this step, as ``namespace/name``.
        left: Pods that are still on the node and must go.
        ending: How many of those end already.
        refused: Why pods cannot be evicted now, by pod.
    """

    evicted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    ending: int = 0
    refused: tuple[tuple[str, str], ...] = ()


def cordon(state: ClusterState, name: str, *, off_limits: bool = True) -> None:
    """Let the scheduler leave a node out, or take it in again.

    Raises:
        KeyError: There is no such node.
    """
    node = state.get(resources.NODES, name)
    if node is None:
        raise KeyError(name)
    if off_limits:
        node["spec"]["unschedulable"] = True
    else:
        node["spec"].pop("unschedulable", None)
    state.put(resources.NODES, node)


def obstacles(state: ClusterState, name: str) -> list[str]:
    """Pods of a node that are evicted only by force, with kubectl's reasons."""
    found = []
    for pod in _to_evict(state, name):
        if controller_of(pod) is None:
            found.append(f"{_path(pod)} (cannot delete Pods that declare no controller)")
        elif any("emptyDir" in volume for volume in pod["spec"].get("volumes") or ()):
            found.append(f"{_path(pod)} (cannot delete Pods with local storage)")
    return found


def evict_pods(state: ClusterState, name: str) -> DrainProgress:
    """Evict what can be evicted from a node now. To be repeated until nothing is left."""
    evicted: list[str] = []
    left: list[str] = []
    refused: list[tuple[str, str]] = []
    ending = 0
    for pod in _to_evict(state, name):
        left.append(_path(pod))
        if "deletionTimestamp" in pod["metadata"]:
            ending += 1
            continue
        try:
            check_eviction(state, pod)
        except ApiError as error:
            refused.append((_path(pod), str(error)))
        else:
            delete_pod(pod, state)
            evicted.append(_path(pod))
    return DrainProgress(tuple(evicted), tuple(left), ending + len(evicted), tuple(refused))


def _to_evict(state: ClusterState, name: str) -> list[Object]:
    return [
        pod
        for pod in state.store.objects("pods")
        if pod["spec"].get("nodeName") == name
        and pod.get("status", {}).get("phase") not in _FINISHED
        and (controller_of(pod) or {}).get("kind") != "DaemonSet"
        and _MIRROR not in (pod["metadata"].get("annotations") or {})
    ]


def _path(pod: Object) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}"
