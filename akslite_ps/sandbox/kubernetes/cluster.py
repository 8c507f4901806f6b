"""One simulated cluster: its objects, its behaviour over time, its credentials.

Made by the simulated device when a deployment creates a cluster, served by
:class:`~akslite_ps.sandbox.kubernetes.api.KubernetesApi`, kept between runs as a JSON snapshot.
Single-threaded: all calls belong to the event loop that serves the API.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from akslite_ps.sandbox.kubernetes import draining, node_lifecycle, resources, upgrading
from akslite_ps.sandbox.kubernetes.account_tokens import AccountTokenController
from akslite_ps.sandbox.kubernetes.assumptions import MANAGED_SERVICE_ACCOUNT, NODE_SIZE
from akslite_ps.sandbox.kubernetes.autoscaling import AutoscalerController
from akslite_ps.sandbox.kubernetes.control_plane import Controller, ControlPlane
from akslite_ps.sandbox.kubernetes.credentials import ClusterCredentials
from akslite_ps.sandbox.kubernetes.cron_jobs import CronJobController
from akslite_ps.sandbox.kubernetes.custom_definitions import DefinitionController
from akslite_ps.sandbox.kubernetes.daemon_sets import DaemonSetController
from akslite_ps.sandbox.kubernetes.deployments import DeploymentController
from akslite_ps.sandbox.kubernetes.disruptions import DisruptionController
from akslite_ps.sandbox.kubernetes.endpoints import ServiceController
from akslite_ps.sandbox.kubernetes.garbage import GarbageCollector
from akslite_ps.sandbox.kubernetes.heartbeats import HeartbeatController
from akslite_ps.sandbox.kubernetes.jobs import JobController
from akslite_ps.sandbox.kubernetes.kubelet import PodController, restart_containers
from akslite_ps.sandbox.kubernetes.namespaces import NamespaceController
from akslite_ps.sandbox.kubernetes.nodes import CONTROL_PLANE_LABEL, NodeSpec, is_ready, make_node, set_readiness
from akslite_ps.sandbox.kubernetes.objects import ObjectKey, labels_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import is_pod_ready
from akslite_ps.sandbox.kubernetes.replica_sets import ReplicaSetController
from akslite_ps.sandbox.kubernetes.state import ClusterFacts, ClusterState
from akslite_ps.sandbox.kubernetes.stateful_sets import StatefulSetController
from akslite_ps.sandbox.kubernetes.static_pods import StaticPodController
from akslite_ps.sandbox.kubernetes.storage import ClaimController
from akslite_ps.sandbox.kubernetes.store import Store
from akslite_ps.sandbox.kubernetes.system_workloads import SYSTEM, add_system_workloads, system_images
from akslite_ps.sandbox.kubernetes.taints import TaintController
from akslite_ps.sandbox.kubernetes.tokens import issue_token

SNAPSHOT_VERSION = 1


class SimulatedCluster:
    """A cluster that can be served, stopped, written down and taken up again. Use :meth:`create` or :meth:`restore`."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state
        self.control_plane = ControlPlane(state, _controllers())

    @classmethod
    def create(
        cls,
        *,
        distribution: str,
        version: str,
        node_name: str,
        node_ip: str,
        cluster_name: str,
        clock: Callable[[], dt.datetime],
        cpus: int | None = None,
        memory_mb: int | None = None,
        disk_gb: int | None = None,
        service_addresses: tuple[str, ...] = (),
        ready: bool = True,
    ) -> Self:
        """A new cluster with one control-plane node, its system namespaces and its system workloads.

        Args:
            distribution: ``K3s`` or ``K8s``.
            version: Kubernetes version, e.g. ``v1.33.5+k3s1``.
            node_name: Name of the Linux node, ``<hostname>-ledge``; stored in lower case.
            node_ip: The Linux node's address.
            cluster_name: Name or id under which the product knows the cluster.
            clock: The device's clock (aware datetimes).
            cpus: Processors of the node; the smallest sample config's where None. The same holds for ``memory_mb`` and ``disk_gb``.
            service_addresses: Addresses kube-vip may give to LoadBalancer services.
            ready: False leaves the node NotReady and the system pods waiting, for a start in stages (:meth:`boot`).
        """
        if distribution not in {"K3s", "K8s"}:
            raise ValueError(f"distribution is K3s or K8s, not {distribution!r}")
        facts = ClusterFacts(distribution, version, cluster_name, service_addresses)
        state = ClusterState(facts, Store(clock), ClusterCredentials(distribution), clock)
        cluster = cls(state)
        state.instant = ready
        state.system_pods_ready = ready
        size = [
            given if given is not None else assumed
            for given, assumed in zip((cpus, memory_mb, disk_gb), NODE_SIZE.value, strict=True)
        ]
        add_system_workloads(state)
        cluster.add_node(NodeSpec(node_name.lower(), node_ip, cpus=size[0], memory_mb=size[1], disk_gb=size[2]), ready=ready)
        state.instant = False
        state.store.fold()
        return cluster

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], *, clock: Callable[[], dt.datetime]) -> Self:
        """The cluster that :meth:`snapshot` wrote down: same uids, versions, certificates and tokens.

        Raises:
            ValueError: The snapshot is of a version this code does not know.
        """
        if snapshot.get("version") != SNAPSHOT_VERSION:
            raise ValueError(f"cluster snapshot version {snapshot.get('version')!r} is not {SNAPSHOT_VERSION}")
        data = dict(snapshot["facts"])
        facts = ClusterFacts(**{**data, "service_addresses": tuple(data["service_addresses"])})
        store = Store(clock, snapshot["revision"])
        for resource, objects in snapshot["objects"].items():
            store.load(resource, objects)
        state = ClusterState(facts, store, ClusterCredentials.from_data(facts.distribution, snapshot["credentials"]), clock)
        state.system_pods_ready = snapshot["system_pods_ready"]
        state.silent_nodes = set(snapshot.get("silent_nodes") or ())
        cluster = cls(state)
        store.fold()
        cluster.control_plane.look_at_everything()
        return cluster

    def snapshot(self) -> dict[str, Any]:
        """Everything that must survive a restart of the sandbox, JSON-ready. Holds private keys: keep the file private."""
        facts = self.state.facts
        store = self.state.store
        folded = store.folded
        data = {
            "version": SNAPSHOT_VERSION,
            "facts": {
                "distribution": facts.distribution,
                "version": facts.version,
                "cluster_name": facts.cluster_name,
                "service_addresses": list(facts.service_addresses),
            },
            "revision": store.revision,
            "system_pods_ready": self.state.system_pods_ready,
            "silent_nodes": sorted(self.state.silent_nodes),
            "objects": {resource: list(store.objects(resource)) for resource in store.resources()},
            "credentials": self.state.credentials.as_data(),
        }
        if folded:
            store.fold()
        return data

    def kubeconfig(self, server_url: str) -> str:
        """The admin kubeconfig (YAML) for this server URL, with authority, client certificate and key inside."""
        return self.state.credentials.kubeconfig(server_url)

    def service_account_token(
        self, name: str | None = None, *, namespace: str | None = None, seconds: int = 365 * 24 * 3600
    ) -> str:
        """A bearer token of a service account; by default of the product's own, which may do everything.

        Raises:
            ApiError: 404, where the account does not exist.
        """
        own_namespace, own_name = MANAGED_SERVICE_ACCOUNT.value
        return issue_token(self.state, namespace or own_namespace, name or own_name, seconds)[0]

    def node_names(self) -> list[str]:
        """Names of the nodes in the cluster."""
        return [key.name for key in self.state.store.keys("nodes")]

    def add_node(self, spec: NodeSpec, *, ready: bool = True, version: str | None = None) -> None:
        """Let a node join.

        Args:
            spec: What it is made of.
            ready: False leaves it NotReady.
            version: Its kubelet's version; the control plane's where None.
        """
        self.control_plane.advance()
        facts = self.state.facts
        taken = {node["spec"].get("podCIDR") for node in self.state.store.objects("nodes")}
        networks = (f"{facts.pod_network.network_address + 256 * index}/24" for index in range(256))
        pod_cidr = next(network for network in networks if network not in taken)
        node = make_node(spec, facts.distribution, version or facts.version, pod_cidr, self.state.now)
        node["status"]["images"] = [
            {"names": [image], "sizeBytes": 60_000_000} for image in system_images(facts.distribution, facts.version)
        ]
        if ready:
            set_readiness(node, True, self.state.now)
        if spec.operating_system != "linux":
            node["status"]["images"] = []
        self.state.silent_nodes.discard(spec.name)
        self.state.put(resources.NODES, node)
        self.control_plane.advance()

    def silence_node(self, name: str) -> None:
        """The node's machine is off or cut off: nothing is heard of it and nothing changes on it. See :meth:`lose_node`."""
        self.control_plane.advance()
        self.state.silent_nodes.add(name)
        self._look_at_node(name)

    async def lose_node(self, name: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Walk through what the control plane does about a silent node: it becomes NotReady, later its pods are evicted.

        Args:
            name: The node.
            sleep: Waits for device seconds.
        """
        await sleep(node_lifecycle.GRACE_SECONDS)
        self.control_plane.advance()
        node_lifecycle.declare_unreachable(self.state, name)
        self.control_plane.advance()
        waited = 0.0
        for seconds in node_lifecycle.patience_on(self.state, name):
            await sleep(seconds - waited)
            waited = seconds
            self.control_plane.advance()
            node_lifecycle.evict_impatient(self.state, name, seconds)
            self.control_plane.advance()

    def wake_node(self, name: str) -> None:
        """A silent node is heard of again, as one that has just booted: not ready, with its containers started anew.

        Raises:
            KeyError: There is no such node.
        """
        self.control_plane.advance()
        self.state.silent_nodes.discard(name)
        self._restart_node(name)
        self._look_at_node(name)

    def cordon(self, name: str) -> None:
        """Let the scheduler leave a node out.

        Raises:
            KeyError: There is no such node.
        """
        self.control_plane.advance()
        draining.cordon(self.state, name)
        self.control_plane.advance()

    def drain_obstacles(self, name: str) -> list[str]:
        """The pods of a node that a drain evicts only by force, with the reasons."""
        self.control_plane.advance()
        return draining.obstacles(self.state, name)

    def drain_step(self, name: str) -> draining.DrainProgress:
        """Evict what can be evicted from a node now; to be repeated until nothing is left."""
        self.control_plane.advance()
        progress = draining.evict_pods(self.state, name)
        self.control_plane.advance()
        return progress

    def control_plane_nodes(self) -> list[str]:
        """Names of the nodes that carry the control plane."""
        return [name_of(node) for node in self.state.store.objects("nodes") if CONTROL_PLANE_LABEL in labels_of(node)]

    def is_node_ready(self, name: str) -> bool:
        """Whether there is a node of this name and its Ready condition is True."""
        self.control_plane.advance()
        node = self.state.get(resources.NODES, name)
        return node is not None and is_ready(node)

    def _restart_node(self, name: str) -> None:
        node = self.state.get(resources.NODES, name)
        if node is None:
            raise KeyError(name)
        set_readiness(node, False, self.state.now)
        self.state.put(resources.NODES, node)
        for pod in self.state.store.objects("pods"):
            if pod["spec"].get("nodeName") == name and pod.get("status", {}).get("phase") == "Running":
                restart_containers(pod, self.state.now)
                self.state.put(resources.PODS, pod)

    def _look_at_node(self, name: str) -> None:
        pods = [key for key, host in self._placed_pods() if host == name]
        self.control_plane.look_at([ObjectKey("nodes", "", name), *pods])
        self.control_plane.advance()

    def _placed_pods(self) -> list[tuple[ObjectKey, str | None]]:
        pods = self.state.store.objects("pods")
        return [(ObjectKey("pods", namespace_of(pod), name_of(pod)), pod["spec"].get("nodeName")) for pod in pods]

    def remove_node(self, name: str) -> None:
        """Let a node leave; what ran on it is gone."""
        self.control_plane.advance()
        for pod in self.state.store.objects("pods"):
            if pod["spec"].get("nodeName") == name:
                self.state.remove(resources.PODS, pod)
        self.state.store.remove(ObjectKey("nodes", "", name))
        self.state.silent_nodes.discard(name)
        self.control_plane.advance()

    def set_node_ready(self, name: str, ready: bool, message: str | None = None) -> None:
        """Set a node's Ready condition and the taint that goes with it.

        Args:
            name: The node; unknown names raise KeyError.
            ready: What the kubelet reports.
            message: The condition's message; Kubernetes' usual one where None.
        """
        self.control_plane.advance()
        node = self.state.get(resources.NODES, name.lower())
        if node is None:
            raise KeyError(name)
        set_readiness(node, ready, self.state.now, message)
        self.state.put(resources.NODES, node)
        self.control_plane.advance()

    def upgrade_control_plane(self, version: str) -> None:
        """Let the control plane be of another Kubernetes version; see :mod:`~akslite_ps.sandbox.kubernetes.upgrading`."""
        self.control_plane.advance()
        upgrading.upgrade_control_plane(self.state, version)
        self.control_plane.look_at_everything()
        self.control_plane.advance()

    def upgrade_node(self, name: str, version: str) -> None:
        """Let a node be of another Kubernetes version, not newer than the control plane's."""
        self.control_plane.advance()
        upgrading.upgrade_node(self.state, name, version)
        self.control_plane.advance()

    def set_system_pods_ready(self, ready: bool) -> None:
        """Let the pods of kube-system start and become ready, or hold them back (running ones stop being ready)."""
        self.control_plane.advance()
        self.state.system_pods_ready = ready
        self.control_plane.look_at(self.state.store.keys("pods", SYSTEM))
        self.control_plane.advance()

    def restart(self) -> None:
        """What a reboot of the machine does: nodes not ready, every container ended once more, system pods held back."""
        self.control_plane.advance()
        self.state.system_pods_ready = False
        for name in self.node_names():
            self._restart_node(name)
        self.control_plane.advance()

    async def boot(
        self, sleep: Callable[[float], Awaitable[None]], *, node_ready_s: float = 40.0, system_pods_s: float = 30.0
    ) -> None:
        """Walk through a start: everything not ready, then the nodes, then the system pods.

        Args:
            sleep: Waits for device seconds.
            node_ready_s: Device seconds until the nodes are Ready.
            system_pods_s: Device seconds from there until the system pods run.
        """
        self.restart()
        await sleep(node_ready_s)
        for name in self.node_names():
            self.set_node_ready(name, True)
        await sleep(system_pods_s)
        self.set_system_pods_ready(True)

    def is_ready(self) -> bool:
        """Whether all nodes are Ready and all system pods run and are ready."""
        self.control_plane.advance()
        pods = list(self.state.store.objects("pods", SYSTEM))
        return (
            all(is_ready(node) for node in self.state.store.objects("nodes"))
            and bool(pods)
            and all(is_pod_ready(pod) for pod in pods)
        )


def _controllers() -> tuple[Controller, ...]:
    return (
        NamespaceController(),
        DeploymentController(),
        ReplicaSetController(),
        DaemonSetController(),
        StatefulSetController(),
        JobController(),
        CronJobController(),
        AutoscalerController(),
        DefinitionController(),
        StaticPodController(),
        ClaimController(),
        PodController(),
        ServiceController(),
        TaintController(),
        DisruptionController(),
        AccountTokenController(),
        GarbageCollector(),
        HeartbeatController(),
    )
