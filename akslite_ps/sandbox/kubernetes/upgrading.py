"""A cluster moving to another Kubernetes version: the control plane first, then node after node.

Called by the device's update phases through :class:`~akslite_ps.sandbox.kubernetes.cluster.SimulatedCluster`. Changes what the
API shows of versions; how long it takes and what is down meanwhile is the caller's.
"""

from __future__ import annotations

import dataclasses

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import minor_version, set_version
from akslite_ps.sandbox.kubernetes.objects import name_of
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.system_workloads import SYSTEM, kube_proxy_image, static_pods, system_images


def upgrade_control_plane(state: ClusterState, version: str) -> None:
    """Let the API server be of another version. The system's own workloads follow it.

    Args:
        state: The cluster.
        version: e.g. ``v1.31.6+k3s1``.

    Raises:
        ValueError: A minor version would be skipped, or the cluster would go back.
    """
    step = minor_version(version) - minor_version(state.facts.version)
    if step not in {0, 1}:
        raise ValueError(f"a cluster of {state.facts.version} does not move to {version}")
    state.facts = dataclasses.replace(state.facts, version=version)
    if state.facts.distribution == "K3s":
        return
    proxy = state.get(resources.DAEMON_SETS, "kube-proxy", SYSTEM)
    if proxy is not None:
        proxy["spec"]["template"]["spec"]["containers"][0]["image"] = kube_proxy_image(version)
        proxy["metadata"]["generation"] = proxy["metadata"].get("generation", 1) + 1
        state.put(resources.DAEMON_SETS, proxy)
    for node in state.store.objects("nodes"):
        for pod in static_pods(name_of(node), version):
            present = state.get(resources.PODS, name_of(pod), SYSTEM)
            if present is not None and present["spec"]["containers"][0]["image"] != pod["spec"]["containers"][0]["image"]:
                # The kubelet mirrors the changed manifest as a new pod.
                state.remove(resources.PODS, present)


def upgrade_node(state: ClusterState, name: str, version: str) -> None:
    """Let a node's kubelet be of another version, on a system disk that carries that version's images.

    Raises:
        KeyError: There is no such node.
        ValueError: The node would be newer than the control plane.
    """
    node = state.get(resources.NODES, name.lower())
    if node is None:
        raise KeyError(name)
    if minor_version(version) > minor_version(state.facts.version):
        raise ValueError(f"the node {name} cannot be of {version} under a control plane of {state.facts.version}")
    set_version(node, state.facts.distribution, version)
    known = {image for item in node["status"].get("images") or () for image in item["names"]}
    carried = [image for image in system_images(state.facts.distribution, version) if image not in known]
    node["status"]["images"] = [
        *(node["status"].get("images") or ()),
        *({"names": [image], "sizeBytes": 60_000_000} for image in carried),
    ]
    state.put(resources.NODES, node)
