"""The node VM of a simulated device and the Kubernetes API in front of it.

Owned by ``device.simulated``. Starts, stops and keeps the cluster (``sandbox.kubernetes``) as the machine, the
deployment and the node cmdlets ask. Nothing here is made before a device has a deployment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox import assumptions

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.api import KubernetesApi
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

log = logging.getLogger(__name__)


class ClusterHost:
    """The cluster of one device, if there is one, and its API server on the device's loopback address.

    Args:
        device: The device whose node VM this is.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._cluster: SimulatedCluster | None = None
        self._api: KubernetesApi | None = None
        self._switching = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self._saved_revision = -1

    @property
    def cluster(self) -> SimulatedCluster | None:
        """The running cluster, None while the node VM is off or there is no deployment. Its API may refuse connections."""
        return self._cluster if self._api is not None else None

    @property
    def server_url(self) -> str:
        """Where clients on this machine reach the Kubernetes API."""
        return f"https://{self._device.address}:{self._device.spec.kubernetes_port}"

    async def create(self) -> None:
        """Make the cluster of the device's deployment, with a node that is not ready yet, and serve it."""
        from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

        state = self._device.state
        assert state.deployment is not None
        assert state.product is not None
        node = state.deployment.node
        suffix = "+k3s1" if state.product.distribution == "K3s" else ""
        self._cluster = SimulatedCluster.create(
            distribution=state.product.distribution,
            version=f"v{state.product.kubernetes_version}{suffix}",
            node_name=node.name,
            node_ip=node.address,
            cluster_name=state.deployment.cluster_name,
            clock=self._device.now,
            cpus=node.cpu_count,
            memory_mb=node.memory_mb,
            disk_gb=node.data_size_gb,
            service_addresses=state.deployment.service_addresses,
            ready=False,
        )
        await self._serve()

    def set_ready(self) -> None:
        """The node is Ready; its system pods follow by themselves."""
        if self._cluster is not None:
            for name in self._cluster.node_names():
                self._cluster.set_node_ready(name, True)
            self._begin(self._start_system_pods(self._cluster))

    async def start(self) -> None:
        """The machine has started, or the sandbox has: take the node VM up again where it was running."""
        deployment = self._device.state.deployment
        if deployment is None or deployment.phase != "complete" or not deployment.node.running:
            return
        started_with_the_machine = self._cluster is not None
        if not await self._take_up():
            return
        if started_with_the_machine or (self._cluster is not None and not self._cluster.is_ready()):
            self._begin(self._boot())

    def begin_start_node(self) -> None:
        """Boot the node VM; returns at once, as Start-AksEdgeNode does."""
        self._begin(self._start_node())

    async def stop_node(self) -> None:
        """Shut the node VM down."""
        await self._cancel_start()
        await self._stop_api(abort=False)

    async def stop(self, *, abort: bool) -> None:
        """The machine or the sandbox stops; the cluster is kept."""
        await self._cancel_start()
        await self._stop_api(abort=abort)

    async def remove(self) -> None:
        """The deployment is removed: nothing of the cluster remains."""
        await self._cancel_start()
        await self._stop_api(abort=True)
        self._cluster = None
        self._device.store.save_cluster(None)

    def save(self) -> None:
        """Keep the cluster on disk as it is now."""
        if self._cluster is not None:
            self._saved_revision = self._cluster.state.store.revision
            self._device.store.save_cluster(self._cluster.snapshot())

    def save_if_changed(self) -> None:
        """Keep the cluster on disk where something has happened in it since the last time."""
        if self._cluster is not None and self._cluster.state.store.revision != self._saved_revision:
            self.save()

    async def _start_node(self) -> None:
        if await self._take_up():
            await self._boot()

    async def _boot(self) -> None:
        assert self._cluster is not None
        await self._cluster.boot(
            self._device.clock.sleep,
            node_ready_s=assumptions.NODE_BOOT_SECONDS,
            system_pods_s=assumptions.SYSTEM_PODS_SECONDS,
        )
        self.save()

    async def _start_system_pods(self, cluster: SimulatedCluster) -> None:
        await self._device.clock.sleep(assumptions.SYSTEM_PODS_SECONDS)
        cluster.set_system_pods_ready(True)
        self.save()

    async def _take_up(self) -> bool:
        """Serve the cluster as it was left; False where nothing is left of it."""
        from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

        if self._cluster is None:
            snapshot = self._device.store.load_cluster()
            if snapshot is None:
                return False
            self._cluster = SimulatedCluster.restore(snapshot, clock=self._device.now)
        await self._serve()
        return True

    async def _serve(self) -> None:
        from akslite_ps.sandbox.kubernetes.api import KubernetesApi

        assert self._cluster is not None
        async with self._switching:
            if self._api is not None:
                return
            spec = self._device.spec
            api = KubernetesApi(self._cluster, address=spec.address, port=spec.kubernetes_port, sleep=self._device.clock.sleep)
            await api.start()
            self._api = api
            if spec.kubernetes_port != api.port:
                self._device.configure(spec.model_copy(update={"kubernetes_port": api.port}))
            if self._hidden:
                await api.stop(abort=True)
            self.save()

    @property
    def _hidden(self) -> bool:
        return self._device.fault("api-unreachable") is not None

    async def follow_faults(self) -> None:
        """Let the API of a running cluster accept connections, or refuse them, as the device's faults ask now."""
        async with self._switching:
            if self._api is None:
                return
            if self._hidden:
                await self._api.stop(abort=True)
            else:
                await self._api.start()

    async def _stop_api(self, *, abort: bool) -> None:
        async with self._switching:
            if self._api is not None:
                api, self._api = self._api, None
                await api.stop(abort=abort)
                self.save()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self._starting is not None:
            self._starting.cancel()
        self._starting = self._device.spawn(work)

    async def _cancel_start(self) -> None:
        if self._starting is not None:
            task, self._starting = self._starting, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
