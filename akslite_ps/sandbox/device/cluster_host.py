"""The node VMs of a simulated device, and its part in the cluster that they belong to.

Owned by ``device.simulated``. Starts and stops node VMs as the machine, the deployment and the node cmdlets ask; the cluster
itself is ``device.served_cluster``. Nothing here is made before a device has a deployment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.versions import compare
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.cluster_record import ClusterFile, ClusterRecord
from akslite_ps.sandbox.device.product_log import note
from akslite_ps.sandbox.device.reported_failures import why_no_start
from akslite_ps.sandbox.device.served_cluster import ServedCluster
from akslite_ps.sandbox.device.state import Deployment, InstalledProduct, Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.device.site import Site
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster


class ClusterHost:
    """The node VMs of one device.

    Args:
        device: The device.
        site: Where it stands.
    """

    def __init__(self, device: SimulatedDevice, site: Site) -> None:
        self._device = device
        self._site = site
        self._served: ServedCluster | None = None
        self._machine_went_down = False
        self._switching: dict[str, asyncio.Task[None]] = {}

    # -- what others ask ------------------------------------------------------------------------------------

    @property
    def served(self) -> ServedCluster | None:
        """The cluster that this machine belongs to, None without a deployment and where it is gone."""
        return self._served

    @property
    def cluster(self) -> SimulatedCluster | None:
        """The running cluster, None while it does not work or no node VM is up here. Its API may refuse connections."""
        served = self._served
        if served is None or not served.serves or not any(served.is_up(node.name) for node in self._nodes):
            return None
        return served.cluster

    @property
    def server_url(self) -> str:
        """Where clients on this machine reach the Kubernetes API."""
        if self._served is not None:
            return self._served.server_url
        return f"https://{self._device.address}:{self._device.spec.kubernetes_port}"

    def is_node_up(self, kind: str) -> bool:
        """Whether the node VM of this kind runs; it goes on for a while after it was asked to stop."""
        deployment = self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        return node is not None and self._served is not None and self._served.is_up(node.name)

    # -- making and removing --------------------------------------------------------------------------------

    async def create(self) -> None:
        """Make the cluster of the device's deployment, with a node that is not ready yet, and serve it."""
        deployment, product = self._device.state.deployment, self._device.state.product
        assert deployment is not None
        assert product is not None
        node = deployment.find_node("Linux")
        assert node is not None
        record = self._record(deployment, product)
        self._served = ServedCluster.create(
            record,
            self._file(deployment),
            self._device,
            node,
            version=kubernetes_version(product),
            service_addresses=deployment.service_addresses,
        )
        if record.control_plane_address is not None:
            self._site.add_cluster(self._served)
        await self._follow()

    async def join(self, served: ServedCluster, node: Node) -> None:
        """Let a node VM of this machine join a cluster; it is not ready yet."""
        product = self._device.state.product
        assert product is not None
        self._served = served
        served.add_node(self._device, node, version=kubernetes_version(product))
        await self._follow()

    def note_boot(self, kind: str) -> None:
        """A node VM begins to boot now."""
        deployment = self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if deployment is not None and node is not None:
            booting = node.model_copy(update={"booted_at": self._device.now()})
            self._device.update(deployment=deployment.with_node(booting))

    def set_ready(self, kind: str = "Linux") -> None:
        """The node is Ready."""
        deployment = self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if self._served is not None and node is not None:
            self._served.set_ready(node.name)

    async def remove_node(self, kind: str) -> None:
        """A node VM is deleted, and leaves the cluster; with its last node the cluster is gone."""
        await self._cancel_switching([kind])
        served, deployment = self._served, self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if served is None or node is None:
            return
        if set(served.cluster.node_names()) <= {node.name}:
            await self._destroy(served)
        else:
            await served.remove_node(node.name)

    async def remove(self, *, with_cluster: bool = True) -> None:
        """All node VMs of this machine are deleted.

        Args:
            with_cluster: The cluster goes too, where it is this machine's alone or nothing can keep it.
        """
        await self._cancel_switching(["Linux", "Windows"])
        deployment = self._device.state.deployment
        if self._served is None and deployment is not None:
            self._open(deployment)
        served = self._served
        if served is None or not served.exists:
            self._served = None
            return
        own = {node.name for node in self._nodes}
        left = [name for name in served.cluster.control_plane_nodes() if name not in own]
        if left or not with_cluster:
            for name in own & set(served.cluster.node_names()):
                await served.remove_node(name)
            self._served = None
        else:
            await self._destroy(served)

    async def _destroy(self, served: ServedCluster) -> None:
        await served.destroy()
        self._site.forget_cluster(served.record.cluster_id)
        self._served = None

    # -- starting and stopping ------------------------------------------------------------------------------

    async def start(self) -> None:
        """The machine has started, or the sandbox has: take up the node VMs that were running."""
        booted, self._machine_went_down = self._machine_went_down, False
        deployment = self._device.state.deployment
        if deployment is None or deployment.phase != "complete":
            return
        if not self._open(deployment):
            return
        for node in deployment.nodes:
            if node.running and not (booted and self._stays_down(node)):
                await self._bring_up(node, booted=booted)

    def _stays_down(self, node: Node) -> bool:
        """Whether the VM agent cannot start a node after a boot; the product's event log then says why."""
        reason = why_no_start(self._device, node.name)
        if reason is not None:
            note(self._device, f"Exception: {reason}", level="Error", stack=("Start-NodeVm",))
        return reason is not None

    def begin_start_node(self, kinds: Iterable[str]) -> None:
        """Boot node VMs; returns at once, as Start-AksEdgeNode does."""
        for kind in kinds:
            self._begin(kind, self._start_node(kind))

    def begin_stop_node(self, kinds: Iterable[str]) -> None:
        """Shut node VMs down; returns at once, as Stop-AksEdgeNode does."""
        for kind in kinds:
            self._begin(kind, self._stop_node(kind))

    def can_renew(self, node: Node, version: str) -> bool:
        """Whether the cluster can follow this node to a Kubernetes version."""
        return self._served is None or self._served.can_renew(node, version)

    async def renew_node(
        self, kind: str, while_down: Callable[[], Awaitable[None]], version: str | None, *, within_s: float
    ) -> bool:
        """Restart a node VM with another system, and wait until it has booted.

        Args:
            kind: Which one.
            while_down: What happens while it is down.
            version: Kubernetes version of the new system, as Kubernetes writes it; None: it comes back with the old one.
            within_s: How long to wait for the node, in device seconds.

        Returns:
            Whether the node has come up in that time.
        """
        served, deployment = self._served, self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if served is None or node is None:
            return True
        await self._cancel_switching([kind])
        await served.take_down(node.name, abort=False)
        await while_down()
        if version is not None:
            served.renew_node(node, version)
        if node.running:
            await self._bring_up(node, booted=True)
            return await served.booted(node.name, within_s)
        return True

    def is_older_than(self, version: str) -> bool:
        """Whether the cluster's control plane is of an older Kubernetes version than this, e.g. ``1.31.6``."""
        served = self._served
        return served is not None and compare(served.cluster.state.facts.version.lstrip("v").partition("+")[0], version) < 0

    async def stop(self, *, abort: bool, machine_goes_down: bool = True) -> None:
        """The machine stops, or the sandbox does; the cluster is kept.

        Args:
            abort: Without notice.
            machine_goes_down: False where only the sandbox stops.
        """
        self._report_to_azure()
        await self._cancel_switching(list(self._switching))
        self._machine_went_down = machine_goes_down
        if self._served is not None:
            for node in reversed(self._nodes):
                await self._served.take_down(node.name, abort=abort, kept=not machine_goes_down)

    async def _start_node(self, kind: str) -> None:
        deployment = self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if deployment is not None and node is not None and self._open(deployment):
            await self._bring_up(node, booted=True)

    async def _stop_node(self, kind: str) -> None:
        self._report_to_azure()
        await self._device.clock.sleep(assumptions.NODE_STOP_SECONDS)
        deployment = self._device.state.deployment
        node = deployment.find_node(kind) if deployment else None
        if self._served is not None and node is not None:
            await self._served.take_down(node.name, abort=False)

    async def _bring_up(self, node: Node, *, booted: bool) -> None:
        if self._served is not None:
            if booted:
                self.note_boot(node.kind)
            await self._served.bring_up(self._device, node, booted=booted)
            self._keep_port()

    def _begin(self, kind: str, work: Coroutine[Any, Any, None]) -> None:
        """A VM does one thing after the other."""
        self._switching[kind] = self._device.spawn(_after(self._switching.get(kind), work))

    async def _cancel_switching(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            task = self._switching.pop(kind, None)
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _report_to_azure(self) -> None:
        """Azure is to know when the agents were heard last."""
        from akslite_ps.sandbox.device.arc import beat

        beat(self._device)

    # -- keeping --------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep the cluster on disk as it is now."""
        if self._served is not None:
            self._served.save()

    def save_if_changed(self) -> None:
        """Keep the cluster on disk where something has happened in it since the last time."""
        if self._served is not None:
            self._served.save_if_changed()

    async def follow_faults(self) -> None:
        """Let the API of a running cluster accept connections, or refuse them, as the device's faults ask now."""
        if self._served is not None:
            await self._served.follow()

    async def _follow(self) -> None:
        assert self._served is not None
        await self._served.follow()
        self._served.save()
        self._keep_port()

    def _keep_port(self) -> None:
        """A port that the system chose stays the machine's."""
        spec = self._device.spec
        record = self._served.record if self._served is not None else None
        if record is not None and record.endpoint_address == spec.address and not spec.kubernetes_port and record.endpoint_port:
            self._device.configure(spec.model_copy(update={"kubernetes_port": record.endpoint_port}))

    @property
    def _nodes(self) -> tuple[Node, ...]:
        deployment = self._device.state.deployment
        return deployment.nodes if deployment is not None else ()

    def _open(self, deployment: Deployment) -> bool:
        """Have the deployment's cluster at hand; False where nothing is left of it."""
        if self._served is not None:
            return True
        if deployment.deployment_type == "ScalableCluster":
            self._served = self._site.find_cluster(deployment.cluster_id, self._device)
        elif (file := self._file(deployment)).exists:
            product = self._device.state.product
            assert product is not None
            self._served = ServedCluster.open(file, self._device, before=self._record(deployment, product))
        return self._served is not None

    def _file(self, deployment: Deployment) -> ClusterFile:
        if deployment.deployment_type == "ScalableCluster":
            return self._site.file_of(deployment.cluster_id)
        return ClusterFile(self._device.store.cluster_path)

    def _record(self, deployment: Deployment, product: InstalledProduct) -> ClusterRecord:
        spec, port = self._device.spec, self._device.spec.kubernetes_port
        if self._site.is_endpoint_taken(spec.address, port):
            port = 0
        return ClusterRecord(
            cluster_id=deployment.cluster_id,
            name=deployment.cluster_name,
            distribution=product.distribution,
            control_plane_address=deployment.control_plane_address,
            endpoint_address=spec.address,
            exposed_on=spec.exposed_on,
            endpoint_port=port,
        )


def kubernetes_version(product: InstalledProduct) -> str:
    """The version as Kubernetes writes it, e.g. ``v1.33.5+k3s1``."""
    return f"v{product.kubernetes_version}{'+k3s1' if product.distribution == 'K3s' else ''}"


async def _after(earlier: asyncio.Task[None] | None, work: Coroutine[Any, Any, None]) -> None:
    try:
        if earlier is not None:
            await asyncio.wait([earlier])
    except asyncio.CancelledError:
        work.close()
        if earlier is not None:
            earlier.cancel()
        raise
    await work
