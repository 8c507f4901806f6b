"""The Azure Arc agents of a connected cluster: namespace azure-arc with its deployments, and what their chart leaves elsewhere.

Put in and taken out by ``device.arc``. The workloads become pods through the ordinary controllers; they run once Azure has given
the cluster its identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import (
    ARC_AGENT_VERSION,
    ARC_AGENTS,
    ARC_HELM_NAMESPACE,
    ARC_IDENTITY_SECRET,
)
from akslite_ps.sandbox.kubernetes.defaults import fill_defaults
from akslite_ps.sandbox.kubernetes.deleting import DeleteOptions, remove
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.state import ClusterState

if TYPE_CHECKING:
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

NAMESPACE = "azure-arc"
OPERATOR_BINDING = "azure-arc-operator"
HELM_SECRET = "sh.helm.release.v1.azure-arc.v1"  # noqa: S105 - the name of an object
CLUSTER_CONFIG = "azure-clusterconfig"
_IDENTITY_GIVERS = frozenset({"clusteridentityoperator", "controller-manager"})


def add_agents(cluster: SimulatedCluster, settings: dict[str, str]) -> None:
    """Install the agents; those that are there already stay and get the new settings.

    Args:
        cluster: The cluster.
        settings: Content of their ConfigMap, e.g. ``AZURE_RESOURCE_NAME``; no secrets.
    """
    cluster.control_plane.advance()
    state = cluster.state
    for namespace in (NAMESPACE, ARC_HELM_NAMESPACE.value):
        if state.get(resources.NAMESPACES, namespace) is None:
            _add(state, resources.NAMESPACES, {"metadata": {"name": namespace}})
    _put(state, resources.CONFIG_MAPS, {"metadata": _meta(CLUSTER_CONFIG), "data": settings})
    _put(state, resources.SERVICE_ACCOUNTS, {"metadata": _meta("azure-arc-operatorsa")})
    binding = {
        "metadata": {"name": OPERATOR_BINDING},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "ServiceAccount", "name": "azure-arc-operatorsa", "namespace": NAMESPACE}],
    }
    _put(state, resources.CLUSTER_ROLE_BINDINGS, binding)
    release = {"metadata": {"name": HELM_SECRET, "namespace": ARC_HELM_NAMESPACE.value}, "type": "helm.sh/release.v1"}
    _put(state, resources.SECRETS, release)
    _carry_images(state)
    for name, containers in ARC_AGENTS.value.items():
        if state.get(resources.DEPLOYMENTS, name, NAMESPACE) is None:
            _put(state, resources.DEPLOYMENTS, _deployment(name, containers))
    cluster.control_plane.advance()


def give_identity(cluster: SimulatedCluster) -> None:
    """Azure has issued the cluster's certificate: the agents that wait for it start."""
    cluster.control_plane.advance()
    _put(cluster.state, resources.SECRETS, {"metadata": _meta(ARC_IDENTITY_SECRET.value), "type": "Opaque"})
    cluster.control_plane.advance()


def has_agents(cluster: SimulatedCluster) -> bool:
    """Whether any of the agents' deployments is there."""
    return any(cluster.state.get(resources.DEPLOYMENTS, name, NAMESPACE) is not None for name in ARC_AGENTS.value)


def agents_work(cluster: SimulatedCluster) -> bool:
    """Whether every agent's deployment is available."""
    cluster.control_plane.advance()
    found = [cluster.state.get(resources.DEPLOYMENTS, name, NAMESPACE) for name in ARC_AGENTS.value]
    return all(agent is not None and agent.get("status", {}).get("availableReplicas", 0) > 0 for agent in found)


def remove_agents(cluster: SimulatedCluster) -> None:
    """Uninstall the agents with everything their chart brought."""
    cluster.control_plane.advance()
    state = cluster.state
    for kind, name, namespace in (
        (resources.CLUSTER_ROLE_BINDINGS, OPERATOR_BINDING, ""),
        (resources.NAMESPACES, NAMESPACE, ""),
        (resources.NAMESPACES, ARC_HELM_NAMESPACE.value, ""),
    ):
        present = state.get(kind, name, namespace)
        if present is not None:
            remove(state, kind, present, DeleteOptions())
    cluster.control_plane.advance()


def _carry_images(state: ClusterState) -> None:
    """The installation waits until the nodes have pulled the agents' images."""
    wanted = {
        item["image"]
        for name, containers in ARC_AGENTS.value.items()
        for item in _deployment(name, containers)["spec"]["template"]["spec"]["containers"]
    }
    for node in state.store.objects("nodes"):
        if node["status"]["nodeInfo"]["operatingSystem"] != "linux":
            continue
        images = node["status"].setdefault("images", [])
        present = {image for item in images for image in item["names"]}
        images += [{"names": [image], "sizeBytes": 80_000_000} for image in sorted(wanted - present)]
        state.put(resources.NODES, node)


def _deployment(name: str, containers: int) -> Object:
    labels = {"app.kubernetes.io/component": name, "app.kubernetes.io/name": "azure-arc-k8s"}
    names = [name, "fluent-bit", "msi-adapter"][:containers] if containers != 1 else [name]
    image = "mcr.microsoft.com/azurearck8s/{}:" + ARC_AGENT_VERSION.value
    pod: dict[str, Any] = {
        "serviceAccountName": "azure-arc-operatorsa",
        "nodeSelector": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        "containers": [
            {
                "name": container,
                "image": image.format(container),
                "resources": {"requests": {"cpu": "10m", "memory": "20Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
            }
            for container in names
        ],
    }
    if name not in _IDENTITY_GIVERS:
        pod["volumes"] = [{"name": "identity", "secret": {"secretName": ARC_IDENTITY_SECRET.value}}]
        for container in pod["containers"]:
            container["volumeMounts"] = [{"name": "identity", "mountPath": "/etc/azure-arc/identity"}]
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"metadata": _meta(name, labels), "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}}


def _put(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    metadata = obj["metadata"]
    present = state.get(kind, metadata["name"], metadata.get("namespace", ""))
    if present is None:
        _add(state, kind, obj)
    else:
        state.put(kind, {**present, **obj, "metadata": present["metadata"]})


def _add(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    obj["kind"] = kind.kind
    fill_defaults(obj)
    state.add(kind, obj)


def _meta(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **({"labels": dict(labels)} if labels else {})}
