"""Growing and shrinking a cluster from one machine: join configs, a second node on the machine, and nodes that leave.

Called by the cmdlets New-AksEdgeScaleConfig, Add-AksEdgeNode, Remove-AksEdgeNode and Remove-AksEdgeDeployment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import product_faults, reported_failures
from akslite_ps.sandbox.device.deployment_config import (
    WINDOWS_FEATURE,
    host_faults,
    nodes_of,
    parse,
    planned_nodes,
)
from akslite_ps.sandbox.device.join_tokens import JoinSecrets
from akslite_ps.sandbox.device.node_building import NodeBuilder
from akslite_ps.sandbox.device.product_log import note
from akslite_ps.sandbox.device.reported_failures import DeploymentFailed, addresses_taken
from akslite_ps.sandbox.device.state import Deployment, Node, NodeKind
from akslite_ps.sandbox.device.updates import why_no_other_node

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.served_cluster import ServedCluster
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

OK = "OK"


class ScalingRefused(Exception):
    """Ends a cmdlet with this text."""


# -- join configs -------------------------------------------------------------------------------------------------


def scale_config(
    device: SimulatedDevice,
    *,
    adds_machine: bool,
    kinds: Sequence[NodeKind],
    addresses: dict[NodeKind, str | None],
    control_plane: bool,
) -> dict[str, Any]:
    """The config with which nodes join the cluster of this device; makes the one token that is good from now on.

    Args:
        device: The device; it has a deployment.
        adds_machine: For another machine; False for the second node of this one.
        kinds: Nodes that will join.
        addresses: Their addresses, None where the person fills them in.
        control_plane: The Linux node joins as control plane.

    Raises:
        ScalingRefused: The cluster cannot be scaled from here, or an address cannot be used.
    """
    deployment = device.state.deployment
    assert deployment is not None
    served = _own_control_plane(device, deployment)
    scalable = deployment.deployment_type == "ScalableCluster"
    if adds_machine and not scalable:
        raise ScalingRefused(assumptions.NOT_SCALABLE)
    for kind in kinds:
        if not adds_machine and deployment.find_node(kind) is not None:
            raise ScalingRefused(assumptions.node_exists(kind))
        address = addresses[kind]
        if address is not None and scalable:
            _check_address(device, served, deployment, address)
    config = _stored_config(deployment)
    given = served.issue_join_token(control_plane=control_plane)
    note(device, "AksEdge - New join token issued; earlier ones are invalid")
    return {
        "SchemaVersion": config.schema_version,
        "Version": "1.0",
        "DeploymentType": deployment.deployment_type,
        "Join": _join_section(given),
        "Network": config.as_data().get("Network", {}),
        "User": {"AcceptEula": config.user.accept_eula, "AcceptOptionalTelemetry": config.user.accept_optional_telemetry},
        "Machines": [_machine(deployment, kinds, addresses, control_plane=control_plane)],
    }


def _stored_config(deployment: Deployment) -> DeploymentConfig:
    """The deployment's own config but for what it joined and connected with."""
    from akslite_ps.aksedge.config import DeploymentConfig

    data = {key: value for key, value in deployment.config.items() if key.casefold() not in {"join", "arc"}}
    return DeploymentConfig.parse(data, source="the deployment's config")


def _own_control_plane(device: SimulatedDevice, deployment: Deployment) -> ServedCluster:
    linux = deployment.find_node("Linux")
    if linux is None or not linux.control_plane:
        raise ScalingRefused(assumptions.NOT_CONTROL_PLANE)
    served = device.cluster.served
    if served is None or device.cluster.cluster is None:
        raise ScalingRefused(assumptions.CLUSTER_UNREACHABLE)
    return served


def _check_address(device: SimulatedDevice, served: ServedCluster, deployment: Deployment, text: str) -> None:
    """The address must be a free one of the nodes' subnet, as far as the machine and the cluster can tell."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ScalingRefused(assumptions.no_address(text)) from None
    if address not in ipaddress.IPv4Network(deployment.network):
        raise ScalingRefused(assumptions.outside_subnet(text, deployment.network))
    reserved = {deployment.control_plane_address, *deployment.service_addresses, *served.node_addresses()}
    if text in reserved or device.site.host_at(text) is not None:
        raise ScalingRefused(addresses_taken(text))


def _join_section(given: JoinSecrets) -> dict[str, str]:
    section = {"ClusterJoinToken": given.token, "ClusterId": given.cluster_id}
    if given.discovery_token_hash is not None:
        section["DiscoveryTokenHash"] = given.discovery_token_hash
    if given.certificate_key is not None:
        section["CertificateKey"] = given.certificate_key
    return section


def _machine(
    deployment: Deployment, kinds: Sequence[NodeKind], addresses: dict[NodeKind, str | None], *, control_plane: bool
) -> dict[str, Any]:
    linux = deployment.find_node("Linux")
    assert linux is not None
    machine: dict[str, Any] = {}
    if deployment.adapter is not None:
        machine["NetworkConnection"] = {"AdapterName": deployment.adapter}
    if "Linux" in kinds:
        machine["LinuxNode"] = {
            "CpuCount": linux.cpu_count,
            "MemoryInMB": linux.memory_mb,
            "DataSizeInGB": linux.data_size_gb,
            "ControlPlane": control_plane,
        }
    if "Windows" in kinds:
        windows = deployment.find_node("Windows")
        size = (windows.cpu_count, windows.memory_mb) if windows else assumptions.WINDOWS_NODE_SIZE
        machine["WindowsNode"] = {"CpuCount": size[0], "MemoryInMB": size[1]}
    for kind in kinds:
        address = addresses[kind]
        if address is not None and deployment.deployment_type == "ScalableCluster":
            machine[f"{kind}Node"]["Ip4Address"] = address
    return machine


# -- a second node ------------------------------------------------------------------------------------------------


class AddedNode(NodeBuilder):
    """One run of Add-AksEdgeNode.

    Args:
        device: The device; it has a complete deployment.
        text: The config, JSON.
        console: The streams of the running cmdlet.
    """

    def __init__(self, device: SimulatedDevice, text: str, console: Console) -> None:
        super().__init__(device, console)
        self._text = text

    async def run(self) -> str:
        """Add the node; returns ``OK`` or the text of the failure."""
        kinds_before = [node.kind for node in self._deployment.nodes]
        try:
            await self._run()
        except DeploymentFailed as failed:
            answer = reported_failures.told(self._device, self._console, failed)
            await self._take_back(kinds_before)
            return answer
        except BaseException:
            await self._take_back(kinds_before)
            raise
        return OK

    async def _run(self) -> None:
        refused = why_no_other_node(self._device)
        if refused is not None:
            raise DeploymentFailed(refused, stack=("Add-AksEdgeNode",))
        async with self.stage("network"):
            self._log.say("Validating AksEdge network parameters...")
        config = self._check()
        node, timeout_s = self._planned(config)
        reported_failures.start_agent(self._device, self._console)
        self._log.say(f"Deploying {node.kind} node {node.name}")
        self.check_disk([node])
        shortage = self.shortage([node])
        self._device.update(deployment=self._deployment.with_node(node))
        await self.make_vm(node, shortage)
        await self.join(self._control_plane(), node, self._given(config), timeout_s)
        conflict = self._device.site.node_at(node.address, but=self._device) is not None
        await self.wait_for_ready(node, timeout_s, conflict=conflict)
        note(self._device, f"AksEdge - {node.kind} node {node.name} added")

    @property
    def _deployment(self) -> Deployment:
        deployment = self._device.state.deployment
        assert deployment is not None
        return deployment

    def _control_plane(self) -> ServedCluster | None:
        """The machine's cluster, if the new node can reach its control plane."""
        served = self._device.cluster.served
        if served is None:
            return None
        alone = self._deployment.deployment_type == "SingleMachineCluster"
        return served if served.is_reachable or (alone and served.serves) else None

    def _check(self) -> DeploymentConfig:
        config, faults = parse(self._text)
        if config is None:
            raise DeploymentFailed(assumptions.config_refused(faults))
        issues = config.check(distribution=self._product.distribution, release=self._product.version)
        # The first machine is there already: neither its own Linux node nor Azure are this config's business.
        told = [str(issue) for issue in issues if issue.path.split(".")[0] != "Arc" and issue.path != "Machines[0].LinuxNode"]
        if config.deployment_type != self._deployment.deployment_type:
            told.append(assumptions.other_deployment_type(config.deployment_type, self._deployment.deployment_type))
        if not told and self._deployment.deployment_type == "ScalableCluster":
            told += host_faults(self._device, config)
        if told:
            raise DeploymentFailed(assumptions.config_refused(told))
        if config.machine.windows_node is not None and WINDOWS_FEATURE not in self._product.features:
            raise DeploymentFailed(assumptions.WINDOWS_NODE_NOT_INSTALLED)
        return config

    def _planned(self, config: DeploymentConfig) -> tuple[Node, int]:
        """The node that the machine does not have yet, and how long it may take to start."""
        network = ipaddress.IPv4Network(self._deployment.network)
        timeouts = {kind: node.timeout_seconds for kind, node in nodes_of(config.machine)}
        for node in planned_nodes(self._device, config, network):
            if self._deployment.find_node(node.kind) is None:
                joins = node.kind == "Linux" and config.machine.linux_node is not None and config.machine.linux_node.control_plane
                return node.model_copy(update={"control_plane": joins}), timeouts[node.kind]
        raise DeploymentFailed(assumptions.node_exists(next(iter(timeouts))))

    def _given(self, config: DeploymentConfig) -> JoinSecrets | None:
        """A machine of its own needs no token (sources disagree); where one is given it must be good."""
        from akslite_ps.sandbox.device.deployment import join_secrets

        if not config.is_join and self._deployment.deployment_type == "SingleMachineCluster":
            return None
        if not config.is_join:
            raise DeploymentFailed(assumptions.config_refused(["Join: nothing"]))
        return join_secrets(self._text)

    async def _take_back(self, kinds_before: Sequence[str]) -> None:
        deployment = self._device.state.deployment
        for node in deployment.nodes if deployment else ():
            if node.kind not in kinds_before:
                await self._device.cluster.remove_node(node.kind)
                self._device.update(deployment=self._deployment.without_node(node.kind))


# -- leaving ------------------------------------------------------------------------------------------------------


def why_not_removed(device: SimulatedDevice, kind: NodeKind, *, forced: bool) -> str | None:
    """Why a node of this machine cannot be removed, None where it can."""
    deployment = device.state.deployment
    assert deployment is not None
    node = deployment.find_node(kind)
    if node is None:
        return assumptions.no_node(kind)
    if deployment.deployment_type == "SingleMachineCluster" and kind == "Linux":
        return assumptions.ONLY_NODE
    if len(deployment.nodes) == 1 and not assumptions.LAST_NODE_ENDS_DEPLOYMENT:
        return assumptions.no_node("Windows" if kind == "Linux" else "Linux")
    return _last_control_plane(device, [node.name], forced=forced)


def why_not_removed_all(device: SimulatedDevice, *, forced: bool) -> str | None:
    """Why the deployment of this machine cannot be removed, None where it can."""
    deployment = device.state.deployment
    assert deployment is not None
    return _last_control_plane(device, [node.name for node in deployment.nodes], forced=forced)


def leaves_in_order(device: SimulatedDevice, kind: NodeKind) -> bool:
    """Whether a node can leave its cluster in order: its VM runs and the cluster answers."""
    return device.cluster.is_node_up(kind) and device.cluster.cluster is not None


async def remove_node(device: SimulatedDevice, kind: NodeKind) -> None:
    """Remove a node of this machine; with its last node the deployment is gone."""
    deployment = device.state.deployment
    assert deployment is not None
    await device.clock.sleep(assumptions.NODE_REMOVAL_SECONDS)
    await device.cluster.remove_node(kind)
    device.node_files(kind).clear()
    left = deployment.without_node(kind)
    note(device, f"AksEdge - {kind} node removed")
    if left.nodes:
        device.update(deployment=left)
    else:
        await device.cluster.remove(with_cluster=False)
        device.update(deployment=None)


async def remove_deployment(device: SimulatedDevice) -> None:
    """Remove every node of this machine, and the cluster where nobody else keeps it."""
    await device.clock.sleep(assumptions.REMOVAL_SECONDS)
    await device.cluster.remove()
    for kind in ("Linux", "Windows"):
        device.node_files(kind).clear()
    device.update(deployment=None, product_update=None, left_switches=_staying_switches(device))
    product_faults.cure(device, "removal")
    note(device, "AksEdge - Deployment removed")


def _staying_switches(device: SimulatedDevice) -> tuple[str, ...]:
    """The virtual switches that outlive the deployment which is removed now."""
    deployment, staying = device.state.deployment, device.state.left_switches
    if deployment is None or deployment.adapter is None or not assumptions.EXTERNAL_SWITCH_STAYS:
        return staying
    return tuple(dict.fromkeys((*staying, deployment.switch)))


def _last_control_plane(device: SimulatedDevice, leaving: Sequence[str], *, forced: bool) -> str | None:
    served = device.cluster.served
    if served is None or not served.exists or forced:
        return None
    control_planes = set(served.cluster.control_plane_nodes())
    others = set(served.cluster.node_names()) - set(leaving)
    if control_planes & set(leaving) and control_planes <= set(leaving) and others:
        return assumptions.LAST_CONTROL_PLANE
    return None
