"""What New-AksEdgeDeployment does on a simulated device: checks, stages, messages, and what is left when it fails.

Called by ``sandbox.commands.aksedge``. The order of the messages and the total time follow what users of the product
report; what is not known stands in ``sandbox.assumptions``.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import ConfigError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.state import Deployment, InstalledProduct, LinuxNode

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

Say = Callable[[str], None]
OK = "OK"
ARC_ASKED_SINCE = "1.10"
_SECRET_FIELDS = frozenset({"clientsecret", "clusterjointoken", "certificatekey", "discoverytokenhash"})


class DeploymentFailed(Exception):
    """Ends a deployment with the text that the cmdlet answers instead of OK."""


def stamped(device: SimulatedDevice, say: Say) -> Say:
    """Put the product's time stamp before every line."""
    return lambda text: say(f"[{device.now():%m/%d/%Y %H:%M:%S}] {text}")


def network_faults(device: SimulatedDevice, text: str) -> list[str]:
    """What Test-AksEdgeNetworkParameters finds in a config; other machines are invisible to it, as to the product."""
    config, faults = _parse(text)
    if config is None:
        return faults
    product = device.state.product
    issues = config.check(distribution=product.distribution if product else None, release=product.version if product else None)
    return [str(issue) for issue in issues if issue.path.startswith(("Network.", "Init.Service", "Machines[0].NetworkConnection"))]


class NewDeployment:
    """One run of New-AksEdgeDeployment.

    Args:
        device: The device; the product is installed.
        text: The config, JSON.
        say: Writes a line to the host.
    """

    def __init__(self, device: SimulatedDevice, text: str, say: Say) -> None:
        assert device.state.product is not None
        self._device = device
        self._product: InstalledProduct = device.state.product
        self._text = text
        self._plain = say
        self._say = stamped(device, say)

    async def run(self) -> str:
        """Deploy; returns ``OK`` or the text of the failure, as the product does."""
        try:
            return await self._run()
        except DeploymentFailed as failed:
            self._say(str(failed))
            await self._roll_back()
            return str(failed)
        except asyncio.CancelledError:
            self._leave_broken()
            raise

    async def _run(self) -> str:
        if self._device.state.deployment is not None:
            raise DeploymentFailed(assumptions.ALREADY_DEPLOYED)
        await self._check_features()
        config = await self._check_config()
        await self._prepare_host(config)
        await self._create_node(config)
        await self._start_kubernetes(config)
        return await self._finish(config)

    # -- stages ---------------------------------------------------------------------------------------------

    async def _check_features(self) -> None:
        async with self._stage("features"):
            self._say("Checking host for required features")
        if not self._device.state.features_enabled or self._device.state.openssh_client != "Installed":
            raise DeploymentFailed(assumptions.FEATURES_MISSING)
        self._say("All required host features are installed")

    async def _check_config(self) -> DeploymentConfig:
        async with self._stage("network"):
            self._say("Validating AksEdge network parameters...")
        config, faults = _parse(self._text)
        if config is None:
            self._refuse(faults)
        assert config is not None
        issues = config.check(distribution=self._product.distribution, release=self._product.version)
        arc = [issue for issue in issues if issue.path.split(".")[0] == "Arc"]
        others = [str(issue) for issue in issues if issue not in arc]
        if others:
            self._refuse(others)
        self._plain("*** 0 errors found in the deployment configuration.")
        if not config.user.accept_eula:
            raise DeploymentFailed(assumptions.EULA_NOT_ACCEPTED)
        if arc:
            raise DeploymentFailed(assumptions.ARC_INVALID)
        if config.deployment_type != "SingleMachineCluster" or config.is_join:
            raise DeploymentFailed(assumptions.not_simulated("A cluster of several machines"))
        if config.machine.windows_node is not None:
            raise DeploymentFailed(assumptions.not_simulated("A Windows node"))
        return config

    async def _prepare_host(self, config: DeploymentConfig) -> None:
        name = self._product.display_name
        async with self._stage("prepare"):
            self._plain(f"AksEdge - deploying a new Linux single machine {self._product.distribution.lower()} cluster")
            self._say(f"Step 1: Preparing host for {name}")
            self._say("Enabling Microsoft Update. ...")
        async with self._stage("wssdagent"):
            self._say("Associating wssdagent service with nodectl")
        if self._device.hardware.default_gateway is None:
            raise DeploymentFailed(assumptions.NO_GATEWAY)
        async with self._stage("vnet"):
            self._say("Creating vnet (name: aksedgesw-int)")
            self._say("Creating single machine cluster hcs network")
            self._say("AksEdge - private network carved:")
            self._plain(f" - {self._network(config)}")
            self._say("Checking for virtual switch with name 'aksedgesw-int'")

    async def _create_node(self, config: DeploymentConfig) -> None:
        node = config.machine.linux_node
        assert node is not None
        hardware = self._device.hardware
        disk_full = (
            host.free_disk_gb(self._device)
            < assumptions.NODE_SYSTEM_DISK_GB + assumptions.NODE_DATA_DISK_USED * node.data_size_in_gb
        )
        memory_short = host.free_memory_mb(self._device) < node.memory_in_mb
        self._say(f"Deploying {self._product.display_name}")
        if disk_full:
            raise DeploymentFailed(assumptions.DISK_FULL)
        self._device.update(deployment=self._record(config))
        async with self._stage("node"):
            pass
        async with self._stage("node-ssh"):
            self._say("Testing SSH connection")
        if memory_short or node.cpu_count > hardware.logical_processors or not host.can_run_virtual_machines(self._device):
            raise DeploymentFailed(assumptions.NODE_CREATION_FAILED)

    async def _start_kubernetes(self, config: DeploymentConfig) -> None:
        if config.init.kms_plugin.enable:
            async with self._stage("kms"):
                self._say("Preparing to install kms-plugin as encryption provider...")
        async with self._stage("kubernetes"):
            self._say("Initializing kubernetes runtime in Linux node")
        await self._device.cluster.create()
        deployment = self._device.state.deployment
        node = config.machine.linux_node
        assert deployment is not None
        assert node is not None
        async with self._stage("ready"):
            self._say(
                f"Waiting for Kubernetes node ({deployment.node.name}) to reach condition Ready, "
                f"timeout = {node.timeout_seconds} seconds"
            )
        self._device.cluster.set_ready()

    async def _finish(self, config: DeploymentConfig) -> str:
        from akslite_ps.aksedge.versions import compare

        deployment = self._device.state.deployment
        assert deployment is not None
        connects = compare(self._product.version, ARC_ASKED_SINCE) >= 0
        has_arc = _arc_is_complete(config)
        if connects and has_arc:
            async with self._stage("arc"):
                self._say(f"Establishing Azure Connected Kubernetes for {deployment.cluster_name}")
        async with self._stage("finish"):
            pass
        self._device.update(deployment=deployment.model_copy(update={"phase": "complete", "arc_connected": connects and has_arc}))
        self._device.keep_file(f"C:\\Users\\{self._device.spec.user}\\.kube\\config", "kubeconfig")
        self._device.cluster.save()
        exempt = config.network.internet_disabled or config.user.volume_license.enrollment_id is not None
        return OK if has_arc or exempt or not connects else assumptions.ARC_INVALID

    # -- parts ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _stage(self, name: str) -> AsyncIterator[None]:
        """A stage: its lines are written in the block, then it takes its time. Faults strike in the middle of it."""
        yield
        device, seconds = self._device, assumptions.DEPLOYMENT_SECONDS[name]
        await device.clock.sleep(seconds / 2)
        if device.take_fault("reboot-during", stage=name):
            await device.reboot_under_us()
        failure = device.take_fault("deployment-fails", stage=name)
        if failure is not None:
            raise DeploymentFailed(str(failure.parameters["answer"]))
        await device.clock.sleep(seconds / 2)

    def _refuse(self, faults: list[str]) -> None:
        self._plain(f"*** {len(faults)} errors found in the deployment configuration.")
        for fault in faults:
            self._plain(f" - {fault}")
        raise DeploymentFailed(assumptions.config_refused(faults))

    def _network(self, config: DeploymentConfig) -> ipaddress.IPv4Network:
        """The /24 of the cluster: the config's, else the first of 192.168.x that no adapter of the host uses."""
        if config.network.ip4_address_prefix is not None:
            return ipaddress.IPv4Network(str(config.network.ip4_address_prefix), strict=False)
        own = [ipaddress.ip_address(address) for address in self._device.hardware.ip4_addresses]
        for third in range(256):
            network = ipaddress.IPv4Network(f"192.168.{third}.0/24")
            if not any(address in network for address in own):
                return network
        raise DeploymentFailed(
            "All potential subnets '192.168.0.0' to '192.168.255.0' overlap with existing subnets of the local interfaces."
        )

    def _record(self, config: DeploymentConfig) -> Deployment:
        device, network, node = self._device, self._network(config), config.machine.linux_node
        assert node is not None
        size = config.init.service_ip_range_size
        return Deployment(
            phase="creating",
            config=_without_secrets(json.loads(self._text)),
            network=str(network),
            node=LinuxNode(
                name=f"{device.computer_name.lower()}-ledge",
                address=str(network[2]),
                mac=str(node.mac_address) if node.mac_address else _mac(device.name),
                cpu_count=node.cpu_count,
                memory_mb=node.memory_in_mb,
                data_size_gb=node.data_size_in_gb,
            ),
            cluster_name=config.arc.cluster_name or f"{device.computer_name.lower()}-cluster",
            service_addresses=tuple(str(network[4 + n]) for n in range(size)),
            started_at=device.now(),
        )

    async def _roll_back(self) -> None:
        deployment = self._device.state.deployment
        if deployment is not None and deployment.phase == "creating" and assumptions.ROLLS_BACK:
            await self._device.cluster.remove()
            self._device.update(deployment=None)

    def _leave_broken(self) -> None:
        deployment = self._device.state.deployment
        if deployment is not None and deployment.phase == "creating":
            self._device.update(deployment=deployment.model_copy(update={"phase": "broken"}))


def _parse(text: str) -> tuple[DeploymentConfig | None, list[str]]:
    from akslite_ps.aksedge.config import DeploymentConfig

    try:
        return DeploymentConfig.parse(text, source="the deployment configuration"), []
    except ConfigError as error:
        return None, [str(issue) for issue in error.issues]


def _arc_is_complete(config: DeploymentConfig) -> bool:
    arc = config.arc
    needed = (arc.cluster_name, arc.location, arc.resource_group_name, arc.subscription_id, arc.tenant_id, arc.client_id)
    return all(value is not None for value in (*needed, arc.client_secret))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key.casefold() in _SECRET_FIELDS else _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _mac(name: str) -> str:
    """A stable address from Hyper-V's range."""
    digest = hashlib.sha256(name.encode()).digest()
    return "00-15-5D-" + "-".join(f"{byte:02X}" for byte in digest[:3])
