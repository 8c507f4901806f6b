"""What New-AksEdgeDeployment does on a simulated device: checks, stages, messages, and what is left when it fails.

Called by ``sandbox.commands.aksedge``. Makes the first machine of a cluster, or lets this machine join one where the config has a
Join section. The order of the messages and the total time follow what users of the product report; what is not known stands in
``sandbox.assumptions``.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import reported_failures
from akslite_ps.sandbox.device.arc import ArcConnector
from akslite_ps.sandbox.device.deployment_config import (
    EXTERNAL_SWITCH,
    INTERNAL_SWITCH,
    WINDOWS_FEATURE,
    host_faults,
    nodes_of,
    parse,
    planned_nodes,
    service_addresses,
    subnet,
    without_secrets,
)
from akslite_ps.sandbox.device.join_tokens import JoinSecrets
from akslite_ps.sandbox.device.node_building import NodeBuilder
from akslite_ps.sandbox.device.reported_failures import DeploymentFailed
from akslite_ps.sandbox.device.state import Deployment

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.served_cluster import ServedCluster
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

OK = "OK"
ARC_ASKED_SINCE = "1.10"


class NewDeployment(NodeBuilder):
    """One run of New-AksEdgeDeployment.

    Args:
        device: The device; the product is installed.
        text: The config, JSON.
        console: The streams of the running cmdlet.
    """

    def __init__(self, device: SimulatedDevice, text: str, console: Console) -> None:
        super().__init__(device, console)
        self._text = text

    async def run(self) -> str:
        """Deploy; returns ``OK`` or the text of the failure, as the product does."""
        try:
            return await self._run()
        except DeploymentFailed as failed:
            answer = reported_failures.told(self._device, self._console, failed)
            await self._roll_back()
            return answer
        except asyncio.CancelledError:
            self._leave_broken()
            raise

    async def _run(self) -> str:
        reported_failures.check_before(self._device, self._console)
        await self._check_features()
        config = await self._check_config()
        await self._prepare_host(config)
        await self._create_nodes(config)
        if config.is_join:
            await self._join_cluster(config)
        else:
            await self._begin_cluster(config)
        return await self._finish(config)

    # -- stages ---------------------------------------------------------------------------------------------

    async def _check_features(self) -> None:
        async with self.stage("features"):
            self._log.say("Checking host for required features")
        if not self._device.state.features_enabled or self._device.state.openssh_client != "Installed":
            raise DeploymentFailed(assumptions.FEATURES_MISSING)
        self._log.say("All required host features are installed")

    async def _check_config(self) -> DeploymentConfig:
        async with self.stage("network"):
            self._log.say("Validating AksEdge network parameters...")
        config, faults = parse(self._text)
        if config is None:
            raise self._refusal(faults)
        issues = config.check(distribution=self._product.distribution, release=self._product.version)
        arc = [issue for issue in issues if issue.path.split(".")[0] == "Arc"]
        others = [str(issue) for issue in issues if issue not in arc]
        if others:
            raise self._refusal(others)
        faults = host_faults(self._device, config)
        if faults:
            self._list_faults(faults)
            raise DeploymentFailed(faults[0])
        self._console.host("*** 0 errors found in the deployment configuration.")
        if not config.user.accept_eula:
            raise DeploymentFailed(assumptions.EULA_NOT_ACCEPTED)
        if arc:
            raise DeploymentFailed(assumptions.ARC_INVALID)
        if config.machine.windows_node is not None and WINDOWS_FEATURE not in self._product.features:
            raise DeploymentFailed(assumptions.WINDOWS_NODE_NOT_INSTALLED)
        return config

    async def _prepare_host(self, config: DeploymentConfig) -> None:
        name, scalable = self._product.display_name, config.deployment_type == "ScalableCluster"
        async with self.stage("prepare"):
            kinds = [kind for kind, _ in nodes_of(config.machine)]
            self._console.host(
                assumptions.deployment_line(kinds, self._product.distribution, scalable=scalable, joins=config.is_join)
            )
            self._log.say(f"Step 1: Preparing host for {name}")
            self._log.say("Enabling Microsoft Update. ...")
        async with self.stage("wssdagent"):
            self._log.say("Associating wssdagent service with nodectl")
        reported_failures.start_agent(self._device, self._console)
        async with self.stage("vnet"):
            if scalable:
                self._make_external_switch(config)
            else:
                self._make_internal_switch(config)

    def _make_internal_switch(self, config: DeploymentConfig) -> None:
        self._log.say(f"Creating vnet (name: {INTERNAL_SWITCH})")
        self._log.say("Creating single machine cluster hcs network")
        self._log.say("AksEdge - private network carved:")
        self._log.detail(str(subnet(self._device, config)))
        self._log.say(f"Checking for virtual switch with name '{INTERNAL_SWITCH}'")

    def _make_external_switch(self, config: DeploymentConfig) -> None:
        adapter = config.machine.network_connection.adapter_name
        assert adapter is not None
        self._log.say(f"Checking for virtual switch with name '{EXTERNAL_SWITCH}'")
        if assumptions.is_wireless(adapter):
            raise DeploymentFailed(assumptions.switch_not_made(adapter))
        self._log.say(f"Creating vnet (name: {EXTERNAL_SWITCH})")
        if assumptions.EXTERNAL_SWITCH_CUTS_CONNECTIONS:
            self._device.cut_connections()

    async def _create_nodes(self, config: DeploymentConfig) -> None:
        self._log.say(f"Deploying {self._product.display_name}")
        record = self._record(config)
        self.check_disk(record.nodes)
        shortage = self.shortage(record.nodes)
        self._device.update(deployment=record)
        for node in record.nodes:
            await self.make_vm(node, shortage)

    async def _begin_cluster(self, config: DeploymentConfig) -> None:
        """The first machine: its Linux node makes the cluster, a Windows node joins it."""
        if config.init.kms_plugin.enable:
            async with self.stage("kms"):
                self._log.say("Preparing to install kms-plugin as encryption provider...")
        deployment = self._deployment
        linux, windows = deployment.find_node("Linux"), deployment.find_node("Windows")
        machine = config.machine
        assert linux is not None
        assert machine.linux_node is not None
        address = deployment.control_plane_address
        taken = self._device.site.node_at(linux.address, but=self._device) if address else None
        conflict = taken is not None or (address is not None and bool(self._device.site.clusters_at(address)))
        await self.start_kubernetes(linux)
        await self._device.cluster.create()
        await self.wait_for_ready(linux, machine.linux_node.timeout_seconds, conflict=conflict)
        if windows is not None:
            assert machine.windows_node is not None
            await self.join(self._device.cluster.served, windows, None, machine.windows_node.timeout_seconds)
            await self.wait_for_ready(windows, machine.windows_node.timeout_seconds)

    async def _join_cluster(self, config: DeploymentConfig) -> None:
        """A further machine: its nodes join the cluster that answers at the control plane's address."""
        given, timeouts = join_secrets(self._text), {kind: node.timeout_seconds for kind, node in nodes_of(config.machine)}
        for node in self._deployment.nodes:
            served = self._control_plane(str(config.network.control_plane_endpoint_ip), given)
            joined = await self.join(served, node, given, timeouts[node.kind])
            record = joined.record
            self._device.update(
                deployment=self._deployment.model_copy(update={"cluster_id": record.cluster_id, "cluster_name": record.name})
            )
            conflict = self._device.site.node_at(node.address, but=self._device) is not None
            await self.wait_for_ready(node, timeouts[node.kind], conflict=conflict)

    async def _finish(self, config: DeploymentConfig) -> str:
        from akslite_ps.aksedge.versions import compare

        connects = compare(self._product.version, ARC_ASKED_SINCE) >= 0 and not config.is_join
        has_arc = _arc_is_complete(config)
        answer = OK
        if connects and has_arc:
            async with self.stage("arc", seconds=0.0):
                answer = await ArcConnector(self._device, self._console).connect(self._text)
        elif has_arc and not config.is_join:
            self._console.host(assumptions.ARC_NOT_USED)
        async with self.stage("finish"):
            pass
        self._device.update(deployment=self._deployment.model_copy(update={"phase": "complete"}))
        self._keep_kubeconfig()
        self._device.cluster.save()
        exempt = config.network.internet_disabled or config.user.volume_license.enrollment_id is not None
        return answer if has_arc or exempt or not connects else assumptions.ARC_INVALID

    # -- parts ----------------------------------------------------------------------------------------------

    @property
    def _deployment(self) -> Deployment:
        deployment = self._device.state.deployment
        assert deployment is not None
        return deployment

    def _control_plane(self, address: str, given: JoinSecrets) -> ServedCluster | None:
        """Who answers at the control plane's address: where two clusters claim it, the one that the config is about."""
        found = self._device.site.clusters_at(address)
        return next((cluster for cluster in found if cluster.record.cluster_id == given.cluster_id), found[0] if found else None)

    def _refusal(self, faults: list[str]) -> DeploymentFailed:
        self._list_faults(faults)
        return DeploymentFailed(assumptions.config_refused(faults))

    def _list_faults(self, faults: list[str]) -> None:
        self._console.host(f"*** {len(faults)} errors found in the deployment configuration.")
        for fault in faults:
            self._console.host(f" - {fault}")

    def _record(self, config: DeploymentConfig) -> Deployment:
        device, network = self._device, subnet(self._device, config)
        scalable = config.deployment_type == "ScalableCluster"
        return Deployment(
            phase="creating",
            config=without_secrets(json.loads(self._text)),
            deployment_type=config.deployment_type,
            network=str(network),
            switch=EXTERNAL_SWITCH if scalable else INTERNAL_SWITCH,
            adapter=config.machine.network_connection.adapter_name if scalable else None,
            control_plane_address=str(config.network.control_plane_endpoint_ip) if scalable else None,
            nodes=planned_nodes(device, config, network),
            cluster_id=str(uuid.uuid4()),
            cluster_name=config.arc.cluster_name or f"{device.computer_name.lower()}-cluster",
            joined=config.is_join,
            service_addresses=service_addresses(device, config),
            encrypts_secrets=config.init.kms_plugin.enable,
            started_at=device.now(),
        )

    def _keep_kubeconfig(self) -> None:
        """The deployment fetches the kubeconfig for the account that runs it."""
        served = self._device.cluster.served
        if served is not None and self._device.fault("no-kubeconfig") is None:
            kubeconfig = served.cluster.kubeconfig(served.server_url)
            self._device.keep_file(f"C:\\Users\\{self._device.spec.user}\\.kube\\config", kubeconfig)

    async def _roll_back(self) -> None:
        deployment = self._device.state.deployment
        if deployment is not None and deployment.phase == "creating" and assumptions.ROLLS_BACK:
            await self._device.cluster.remove(with_cluster=not deployment.joined)
            self._device.update(deployment=None)

    def _leave_broken(self) -> None:
        deployment = self._device.state.deployment
        if deployment is not None and deployment.phase == "creating":
            self._device.update(deployment=deployment.model_copy(update={"phase": "broken"}))


def join_secrets(text: str) -> JoinSecrets:
    """The Join section of a config that has been checked. Names ignore case, as PowerShell's do."""
    data = {key.casefold(): value for key, value in json.loads(text).items()}
    join = {key.casefold(): value for key, value in data["join"].items()}
    return JoinSecrets(
        str(join["clusterid"]), str(join["clusterjointoken"]), join.get("discoverytokenhash"), join.get("certificatekey")
    )


def _arc_is_complete(config: DeploymentConfig) -> bool:
    arc = config.arc
    needed = (arc.cluster_name, arc.location, arc.resource_group_name, arc.subscription_id, arc.tenant_id, arc.client_id)
    return all(value is not None for value in (*needed, arc.client_secret))
