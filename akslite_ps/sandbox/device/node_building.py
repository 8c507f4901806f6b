"""How the product makes node VMs and lets them become nodes of a cluster, stage by stage.

Used by ``device.deployment`` (New-AksEdgeDeployment) and ``device.scaling`` (Add-AksEdgeNode). Where a stage can fail as users
report it, ``device.reported_failures`` decides and words it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, reported_failures
from akslite_ps.sandbox.device.cluster_host import kubernetes_version
from akslite_ps.sandbox.device.join_tokens import JoinSecrets
from akslite_ps.sandbox.device.product_log import ProductLog
from akslite_ps.sandbox.device.reported_failures import NOT_READY, DeploymentFailed
from akslite_ps.sandbox.device.served_cluster import ServedCluster
from akslite_ps.sandbox.device.state import InstalledProduct, Node, NodeKind

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_STACK = ("Invoke-AksEdgeDeploymentStage", "New-AksEdgeDeployment")
_VM_STAGE: dict[NodeKind, str] = {"Linux": "node", "Windows": "windows-node"}
_READY_STAGE: dict[NodeKind, str] = {"Linux": "ready", "Windows": "windows-ready"}


class NodeBuilder:
    """Makes node VMs on one device.

    Args:
        device: The device; the product is installed.
        console: The streams of the running cmdlet.
    """

    def __init__(self, device: SimulatedDevice, console: Console) -> None:
        assert device.state.product is not None
        self._device = device
        self._product: InstalledProduct = device.state.product
        self._console = console
        self._log = ProductLog(device, console)

    @asynccontextmanager
    async def stage(self, name: str, *, seconds: float | None = None) -> AsyncIterator[None]:
        """A stage: its lines are written in the block, then it takes its time. Faults strike in the middle of it.

        Args:
            name: One of ``assumptions.DEPLOYMENT_SECONDS``.
            seconds: How long it takes where not as long as stands there.
        """
        yield
        device, lasts = self._device, assumptions.DEPLOYMENT_SECONDS[name] if seconds is None else seconds
        await device.clock.sleep(lasts / 2)
        if device.take_fault("reboot-during", at=name):
            await device.reboot_under_us()
        failure = device.take_fault("deployment-fails", at=name)
        if failure is not None:
            raise DeploymentFailed(str(failure.parameters["answer"]))
        await device.clock.sleep(lasts / 2)

    def shortage(self, nodes: Sequence[Node]) -> DeploymentFailed | None:
        """Why the VMs cannot run on this host, None where they can. To be asked before they count as the host's load."""
        memory = sum(node.memory_mb for node in nodes)
        processors = max(node.cpu_count for node in nodes)
        fits = host.free_memory_mb(self._device) >= memory and processors <= self._device.hardware.logical_processors
        if fits and host.can_run_virtual_machines(self._device):
            return None
        return DeploymentFailed(assumptions.creation_failed(nodes[0].kind), stack=(f"New-{nodes[0].kind}Node", *_STACK))

    def check_disk(self, nodes: Sequence[Node]) -> None:
        """The virtual disks must fit.

        Raises:
            DeploymentFailed: They do not.
        """
        if host.free_disk_gb(self._device) < sum(host.disk_of_node_gb(node) for node in nodes):
            raise DeploymentFailed(assumptions.DISK_FULL)

    async def make_vm(self, node: Node, shortage: DeploymentFailed | None) -> None:
        """Make one node VM and reach it.

        Raises:
            DeploymentFailed: It does not start or cannot be reached.
        """
        async with self.stage(_VM_STAGE[node.kind]):
            reported_failures.create_node(self._device)
        self._device.cluster.note_boot(node.kind)
        async with self.stage("node-ssh"):
            self._log.say("Testing SSH connection")
        if shortage is not None:
            raise shortage
        reported_failures.reach_node(self._device)

    async def start_kubernetes(self, node: Node) -> None:
        """The stage in which Kubernetes starts in a node.

        Raises:
            DeploymentFailed: It does not.
        """
        async with self.stage("kubernetes"):
            self._log.say(f"Initializing kubernetes runtime in {node.kind} node")
        reported_failures.start_runtime(self._device)

    async def join(self, served: ServedCluster | None, node: Node, given: JoinSecrets | None, timeout_s: float) -> ServedCluster:
        """Let a node join a cluster.

        Args:
            served: The cluster, None where nobody answers at the control plane's address.
            node: The node.
            given: What the config brings; None on a single machine, whose own node needs nothing.
            timeout_s: How long a node tries to reach the control plane, in device seconds.

        Raises:
            DeploymentFailed: The control plane cannot be reached or refuses; the reason is in the event log only.
        """
        await self.start_kubernetes(node)
        if served is None or self._device.fault("network-away") is not None:
            await self._device.clock.sleep(timeout_s)
            raise self._runtime_failed(assumptions.NO_ROUTE)
        reason = self._why_not(served, node, given)
        if reason is not None:
            raise self._runtime_failed(reason)
        await self._device.cluster.join(served, node)
        return served

    def _why_not(self, served: ServedCluster, node: Node, given: JoinSecrets | None) -> str | None:
        product = self._product
        if product.distribution != served.record.distribution:
            return assumptions.other_distribution(product.distribution, served.record.distribution)
        if _minor(kubernetes_version(product)) > _minor(served.cluster.state.facts.version):
            return assumptions.newer_than_control_plane(kubernetes_version(product), served.cluster.state.facts.version)
        return None if given is None else served.refusal(given, control_plane=node.control_plane)

    def _runtime_failed(self, reason: str) -> DeploymentFailed:
        text = reported_failures.runtime_failed(assumptions.module_line(self._product.version, "Start-KubernetesRuntime"))
        return DeploymentFailed(text, logged=f"{text}\r\n{reason}", stack=("Start-KubernetesRuntime", *_STACK))

    async def wait_for_ready(self, node: Node, timeout_s: int, *, conflict: bool = False) -> None:
        """The stage in which the module waits until Kubernetes calls the node Ready.

        Args:
            node: The node.
            timeout_s: How long it waits, in device seconds.
            conflict: Another VM has the node's address.

        Raises:
            DeploymentFailed: The time was over before.
        """
        async with self.stage(_READY_STAGE[node.kind]):
            self._log.say(f"Waiting for Kubernetes node ({node.name}) to reach condition Ready, timeout = {timeout_s} seconds")
        reported_failures.wait_for_ready(self._device, self._console, node.name)
        if conflict:
            await self._device.clock.sleep(timeout_s)
            self._console.warning(f"Waiting for node ({node.name}) timed out.")
            line = assumptions.module_line(self._product.version, "Wait-KubernetesNodeReady")
            raise DeploymentFailed(f"{NOT_READY} at line {line}", stack=("Wait-KubernetesNodeReady", *_STACK))
        self._device.cluster.set_ready(node.kind)


def _minor(version: str) -> int:
    from akslite_ps.sandbox.kubernetes.nodes import minor_version

    return minor_version(version)
