"""A simulated cluster as the machines of a sandbox run it: which of its node VMs are up, and where its API answers.

One object per cluster, made by ``device.cluster_host`` or found through ``device.site``. The API answers while more than half of
the control planes are up (etcd's rule), at one address for the life of the cluster: the machine that began it for a single
machine, in place of the virtual IP for a cluster of several.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, join_tokens
from akslite_ps.sandbox.device.cluster_record import ClusterFile, ClusterRecord
from akslite_ps.sandbox.device.join_tokens import JoinSecrets
from akslite_ps.sandbox.device.reported_failures import NVML
from akslite_ps.sandbox.device.state import Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.api import KubernetesApi
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster
    from akslite_ps.sandbox.kubernetes.nodes import NodeSpec

log = logging.getLogger(__name__)

_HIDING_FAULTS = ("api-unreachable", "network-away")


@dataclass(frozen=True, slots=True)
class _Running:
    """A node VM that is up."""

    device: SimulatedDevice
    control_plane: bool


class ServedCluster:
    """One cluster and its API server. Use :meth:`create` or :meth:`open`.

    Attributes:
        record: Who it is and who may join.
        cluster: Its objects.
    """

    def __init__(self, record: ClusterRecord, file: ClusterFile, device: SimulatedDevice) -> None:
        self.record = record
        self.cluster: SimulatedCluster
        self._file = file
        self._timekeeper = device
        self._running: dict[str, _Running] = {}
        self._api: KubernetesApi | None = None
        self._switching = asyncio.Lock()
        self._serving = asyncio.Event()
        self._work: dict[str, asyncio.Task[None]] = {}
        self._saved_revision = -1
        self._gone = False

    @classmethod
    def create(
        cls,
        record: ClusterRecord,
        file: ClusterFile,
        device: SimulatedDevice,
        node: Node,
        *,
        version: str,
        service_addresses: tuple[str, ...],
    ) -> Self:
        """A new cluster with one control-plane node that is up and not ready yet.

        Args:
            record: Who it is.
            file: Where it is kept.
            device: The machine of its first node.
            node: The node.
            version: Kubernetes version, e.g. ``v1.33.5+k3s1``.
            service_addresses: Addresses for LoadBalancer services.
        """
        from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

        made = cls(record, file, device)
        made.cluster = SimulatedCluster.create(
            distribution=record.distribution,
            version=version,
            node_name=node.name,
            node_ip=node.address,
            cluster_name=record.name,
            clock=made.now,
            cpus=node.cpu_count,
            memory_mb=node.memory_mb,
            disk_gb=node.data_size_gb,
            service_addresses=service_addresses,
            ready=False,
        )
        made._running[node.name] = _Running(device, node.control_plane)
        return made

    @classmethod
    def open(cls, file: ClusterFile, device: SimulatedDevice, *, before: ClusterRecord | None = None) -> Self:
        """The cluster as its file has it, with no node up.

        Args:
            file: Its file.
            device: A machine of it.
            before: The record for a file from before there was one.

        Raises:
            AksLiteError: The file is not one of ours.
        """
        from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

        record, snapshot = file.load()
        known = record or before
        assert known is not None
        opened = cls(known, file, device)
        opened.cluster = SimulatedCluster.restore(snapshot, clock=opened.now)
        return opened

    # -- what others ask ------------------------------------------------------------------------------------

    @property
    def server_url(self) -> str:
        """Where clients on this machine reach the Kubernetes API."""
        return f"https://{self.record.endpoint_address}:{self.record.endpoint_port}"

    @property
    def serves(self) -> bool:
        """Whether the control plane works. Its API may refuse connections from outside all the same."""
        return self._api is not None

    @property
    def is_reachable(self) -> bool:
        """Whether other machines reach the control plane."""
        return self._api is not None and not self._hidden

    def is_up(self, name: str) -> bool:
        """Whether this node's VM runs."""
        return name in self._running

    def node_addresses(self) -> set[str]:
        """The addresses of all nodes."""
        from akslite_ps.sandbox.kubernetes.nodes import address_of

        return {address_of(node) for node in self.cluster.state.store.objects("nodes")}

    def now(self) -> dt.datetime:
        """The cluster's clock: that of a machine with a control plane."""
        for running in self._running.values():
            if running.control_plane:
                return running.device.now()
        return self._timekeeper.now()

    # -- joining --------------------------------------------------------------------------------------------

    def issue_join_token(self, *, control_plane: bool) -> JoinSecrets:
        """A new token; the earlier one is good no more."""
        authority = self._authority
        token = join_tokens.new_token(self.record.distribution, authority, self.now())
        self.record = self.record.model_copy(update={"join_token": token})
        self.save()
        return join_tokens.secrets_of(self.record, authority, control_plane=control_plane)

    def refusal(self, given: JoinSecrets, *, control_plane: bool) -> str | None:
        """Why a machine that brings this may not join, None where it may."""
        return join_tokens.refusal(self.record, self._authority, given, control_plane=control_plane, now=self.now())

    @property
    def _authority(self) -> bytes:
        return self.cluster.state.credentials.authority_certificate

    # -- nodes ----------------------------------------------------------------------------------------------

    def add_node(self, device: SimulatedDevice, node: Node, *, version: str | None = None) -> None:
        """Let a node VM that is up join; it is not ready yet."""
        self.cluster.add_node(_spec(node), ready=False, version=version)
        self._running[node.name] = _Running(device, node.control_plane)
        self.save()

    def set_ready(self, name: str) -> None:
        """The node is Ready; where the system pods wait for that, they follow by themselves."""
        self.cluster.set_node_ready(name, True)
        if not self.cluster.state.system_pods_ready:
            self._begin(name, self._start_system_pods())

    async def remove_node(self, name: str) -> None:
        """A node leaves for good; what ran on it is made anew elsewhere."""
        await self._cancel(name)
        self._running.pop(name, None)
        self.cluster.remove_node(name)
        await self.follow()
        self.save()

    async def bring_up(self, device: SimulatedDevice, node: Node, *, booted: bool) -> None:
        """A node VM runs: after a boot it becomes Ready after a while, else it goes on as it was left.

        Args:
            device: Its machine.
            node: The node.
            booted: False where only the sandbox was away, not the machine.
        """
        cluster, name = self.cluster, node.name
        if name in self._running:
            return
        await self._cancel(name)
        booted = booted or name in cluster.state.silent_nodes
        if name not in cluster.node_names():
            cluster.add_node(_spec(node), ready=False)
        if booted and not self._running:
            cluster.set_system_pods_ready(False)
        self._running[name] = _Running(device, node.control_plane)
        settled = cluster.is_node_ready(name) and (cluster.state.system_pods_ready or not node.control_plane)
        if booted or not settled:
            cluster.wake_node(name)
        await self.follow()
        # Until the API answered, the VM may have been stopped again.
        if name in self._running and (booted or not settled):
            self._begin(name, self._boot(device, node))

    async def take_down(self, name: str, *, abort: bool, kept: bool = False) -> None:
        """A node VM stops.

        Args:
            name: The node.
            abort: Without notice.
            kept: Only the sandbox stops: for the cluster nothing has happened.
        """
        await self._cancel(name)
        stopped = self._running.pop(name, None)
        if stopped is None:
            return
        if stopped.control_plane:
            self._timekeeper = stopped.device
        if not kept and name in self.cluster.node_names():
            self.cluster.silence_node(name)
        await self.follow(abort=abort)
        if not kept and len(self.cluster.node_names()) > 1:
            self._begin(name, self._lose(name), device=stopped.device)
        self.save()

    def renew_node(self, node: Node, version: str) -> None:
        """Give a node VM that is down a system of another Kubernetes version; a control plane takes the cluster with it, unless
        the cluster is further already.

        Raises:
            ValueError: A minor version would be skipped; see :meth:`can_renew`.
        """
        if node.control_plane and self._minors_ahead(version) >= 0:
            self.cluster.upgrade_control_plane(version)
        self.cluster.upgrade_node(node.name, version)
        self.save()

    def can_renew(self, node: Node, version: str) -> bool:
        """Whether the cluster can follow a node to this version: not by more than one minor version, and not to a worker's."""
        return self._minors_ahead(version) <= (1 if node.control_plane else 0)

    def _minors_ahead(self, version: str) -> int:
        from akslite_ps.sandbox.kubernetes.nodes import minor_version

        return minor_version(version) - minor_version(self.cluster.state.facts.version)

    async def booted(self, name: str, within_s: float) -> bool:
        """Wait until a node VM that was brought up has booted.

        Args:
            name: The node.
            within_s: How long to wait for a control plane that does not work, in device seconds.

        Returns:
            Whether it has: without a control plane, no node becomes Ready.
        """
        task = self._work.get(name)
        while task is not None and not task.done():
            patience = asyncio.ensure_future(self.sleep(within_s))
            try:
                await asyncio.wait([task, patience], return_when=asyncio.FIRST_COMPLETED)
            finally:
                patience.cancel()
            # With a control plane the boot comes to its end by itself; at a high speed the host may be slower than its clock.
            if not task.done() and not self.serves:
                return False
        return True

    async def destroy(self) -> None:
        """Nothing of the cluster remains."""
        self._gone = True
        for name in list(self._work):
            await self._cancel(name)
        self._running.clear()
        await self.follow(abort=True)
        self._file.remove()

    async def _boot(self, device: SimulatedDevice, node: Node) -> None:
        await self._serving.wait()
        seconds = assumptions.NODE_BOOT_SECONDS if node.kind == "Linux" else assumptions.WINDOWS_NODE_BOOT_SECONDS
        await device.clock.sleep(seconds)
        await self._serving.wait()
        self.cluster.set_node_ready(node.name, True)
        if not self.cluster.state.system_pods_ready and node.control_plane:
            await self._start_system_pods()
        self.save()

    async def _start_system_pods(self) -> None:
        await self.sleep(assumptions.SYSTEM_PODS_SECONDS)
        self.cluster.set_system_pods_ready(True)
        self.save()

    async def _lose(self, name: str) -> None:
        await self._serving.wait()
        await self.cluster.lose_node(name, self.sleep)
        self.save()

    async def sleep(self, seconds: float) -> None:
        """Wait device seconds of a machine of the cluster."""
        running = next(iter(self._running.values()), None)
        await (running.device if running else self._timekeeper).clock.sleep(seconds)

    def _begin(self, name: str, work: Coroutine[Any, Any, None], *, device: SimulatedDevice | None = None) -> None:
        earlier = self._work.pop(name, None)
        if earlier is not None:
            earlier.cancel()
        owner = device or self._running[name].device
        self._work[name] = owner.spawn(work)

    async def _cancel(self, name: str) -> None:
        task = self._work.pop(name, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # -- the API --------------------------------------------------------------------------------------------

    async def follow(self, *, abort: bool = False) -> None:
        """Let the API answer, refuse connections or be gone, as the node VMs that are up and the devices' faults ask now."""
        self.cluster.state.gpu_failures = {
            name: NVML for name, running in self._running.items() if host.gpu_sharing_breaks(running.device)
        }
        async with self._switching:
            if not self._has_quorum:
                await self._stop_api(abort=abort)
            elif self._api is None:
                await self._start_api()
            elif self._hidden:
                await self._api.stop(abort=True)
            else:
                await self._api.start()

    @property
    def _has_quorum(self) -> bool:
        if self._gone:
            return False
        up = [name for name in self.cluster.control_plane_nodes() if name in self._running]
        return 2 * len(up) > len(self.cluster.control_plane_nodes())

    @property
    def _hidden(self) -> bool:
        """No machine with a control plane can be reached."""
        machines = [running.device for running in self._running.values() if running.control_plane]
        return all(any(device.fault(name) is not None for name in _HIDING_FAULTS) for device in machines)

    async def _start_api(self) -> None:
        from akslite_ps.sandbox.kubernetes.api import KubernetesApi

        record = self.record
        api = KubernetesApi(
            self.cluster,
            address=record.endpoint_address,
            port=record.endpoint_port,
            exposed_on=record.exposed_on,
            sleep=self.sleep,
        )
        await api.start()
        self._api = api
        self.record = record.model_copy(update={"endpoint_port": api.port})
        if self._hidden:
            await api.stop(abort=True)
        self._serving.set()
        for name in self.cluster.state.silent_nodes - set(self._running) - set(self._work):
            self._begin(name, self._lose(name), device=self._timekeeper)
        self.save()

    async def _stop_api(self, *, abort: bool) -> None:
        if self._api is not None:
            api, self._api = self._api, None
            self._serving.clear()
            await api.stop(abort=abort)
            self.save()

    # -- keeping --------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep the cluster on disk as it is now."""
        if self._gone:
            return
        self._saved_revision = self.cluster.state.store.revision
        self._file.save(self.record, self.cluster.snapshot())

    @property
    def exists(self) -> bool:
        """Whether the cluster is still there."""
        return not self._gone

    def save_if_changed(self) -> None:
        """Keep the cluster on disk where something has happened in it since the last time."""
        if self.cluster.state.store.revision != self._saved_revision:
            self.save()


def _spec(node: Node) -> NodeSpec:
    from akslite_ps.sandbox.kubernetes.nodes import NodeSpec

    return NodeSpec(
        node.name,
        node.address,
        operating_system=node.kind.lower(),
        control_plane=node.control_plane,
        cpus=node.cpu_count,
        memory_mb=node.memory_mb,
        disk_gb=node.data_size_gb,
    )
