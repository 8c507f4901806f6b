"""The Azure Arc connection of a device's cluster: signing in to Azure, the agents in the cluster, and how it ends.

Called by the Arc cmdlets and by New-AksEdgeDeployment. Talks to the sandbox's Azure side (``sandbox.azure``) as far as the device
has internet. The service principal's secret is used for signing in and kept nowhere.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.azure.cloud import AzureError, SimulatedAzure
from akslite_ps.sandbox.azure.records import ConnectedCluster, Connectivity, ResourceGroup, ServicePrincipal
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.product_log import ProductLog, note
from akslite_ps.sandbox.device.state import ArcConnection

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

OK = "OK"
PLACEHOLDER = "< was unexpected at this time."
SAME_KEY = 'Exception calling "Add" with "2" argument(s): "An item with the same key has already been added."'
MODULE_CLASH = (
    'Exception calling "ProcessCustomAttributesAtRuntime" with "4" argument(s): '
    '"Object reference not set to an instance of an object."'
)
AZ_NOT_FOUND = (
    "The term 'az' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of "
    "the name, or if a path was included, verify that the path is correct and try again."
)
_CONNECT_STACK = ("Test-ClusterConnectivity", "Set-ArcConnectionInternal", "Connect-AksEdgeArc")
_DISCONNECT_STACK = ("Set-ArcConnectionInternal", "Disconnect-AksEdgeArc")


@dataclass(frozen=True, slots=True)
class ArcSettings:
    """The Arc section of a config, complete. Its repr hides the secret."""

    cluster_name: str
    location: str
    resource_group: str
    subscription_id: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def has_placeholder(self) -> bool:
        """Whether a ``<...>`` was left where a value belongs."""
        names = (self.cluster_name, self.location, self.resource_group, self.subscription_id, self.tenant_id, self.client_id)
        return any("<" in value for value in (*names, self.client_secret))


class ArcFailed(Exception):
    """Ends a connection or disconnection with the text that the cmdlet answers instead of OK."""


def read_settings(text: str) -> ArcSettings | None:
    """The Arc section of a config, None where it is missing, incomplete or no JSON. Nothing is checked but that it is there."""
    try:
        section = _member(json.loads(text), "Arc")
    except ValueError:
        return None
    names = ("ClusterName", "Location", "ResourceGroupName", "SubscriptionId", "TenantId", "ClientId", "ClientSecret")
    values = [_member(section, name) for name in names]
    if not all(isinstance(value, str) and value.strip() for value in values):
        return None
    return ArcSettings(*(str(value).strip() for value in values))


def sign_in(device: SimulatedDevice, settings: ArcSettings) -> ServicePrincipal:
    """Sign in to Azure from the device.

    Raises:
        ArcFailed: Without the beginning that the module puts before its failures.
    """
    if not host.has_internet(device):
        raise ArcFailed(assumptions.NO_INTERNET)
    try:
        # Azure goes by the true time, not by the device's clock.
        return device.azure.sign_in(settings.tenant_id, settings.client_id, settings.client_secret, dt.datetime.now(dt.UTC))
    except AzureError as refusal:
        raise ArcFailed(str(refusal)) from None


class ArcConnector:
    """Connects the cluster of a device to Azure Arc, and disconnects it.

    Args:
        device: The device; it has a deployment with a running control plane.
        console: The streams of the running cmdlet.
    """

    def __init__(self, device: SimulatedDevice, console: Console) -> None:
        self._device = device
        self._console = console
        self._log = ProductLog(device, console)

    async def connect(self, text: str) -> str:
        """Connect with the Arc section of a config; returns OK or the text of the failure, as the product does."""
        settings = read_settings(text)
        if settings is None or self._device.take_fault("arc-parameters-invalid", at="arc") is not None:
            note(self._device, assumptions.ARC_INVALID, level="Error", stack=("Set-ArcConnectionInternal", "Connect-AksEdgeArc"))
            return assumptions.ARC_INVALID
        try:
            await self._connect(settings)
        except ArcFailed as failed:
            return self._caught(f"{assumptions.ARC_FAILED}{failed}", "Connecting cluster to Azure Arc failed", _CONNECT_STACK)
        return OK

    async def disconnect(self, text: str) -> str:
        """Delete the cluster's resource in Azure and the agents; returns OK or the text of the failure."""
        settings = read_settings(text)
        if settings is None:
            note(self._device, assumptions.ARC_INVALID, level="Error", stack=_DISCONNECT_STACK)
            return assumptions.ARC_INVALID
        try:
            await self._disconnect(settings)
        except ArcFailed as failed:
            told = f"{assumptions.ARC_DISCONNECT_FAILED}{failed}"
            return self._caught(told, "Disconnecting cluster from Azure Arc failed", _DISCONNECT_STACK)
        return OK

    async def _connect(self, settings: ArcSettings) -> None:
        device = self._device
        cluster = _running_cluster(device)
        self._log.say(f"Establishing Azure Connected Kubernetes for {settings.cluster_name}")
        self._strike()
        if settings.has_placeholder:
            raise ArcFailed(PLACEHOLDER)
        principal = sign_in(device, settings)
        await device.clock.sleep(assumptions.ARC_SIGN_IN_SECONDS)
        group = self._group(principal, settings)
        known = device.azure.find_cluster(group, settings.cluster_name)
        if known is not None and known.cluster != cluster_uid(cluster):
            raise ArcFailed(assumptions.arc_resource_exists(known.name, known.group))
        await device.clock.sleep(assumptions.DEPLOYMENT_SECONDS["arc"])
        resource = self._resource(settings, group, cluster)
        self._install_agents(settings, cluster)
        # The module does not look at roles: without the right one the agents are there and never get a certificate.
        if device.azure.may(principal, "write", group):
            device.azure.put_cluster(resource)
            if self._gets_certificate():
                from akslite_ps.sandbox.kubernetes.arc_agents import give_identity

                give_identity(cluster)
        device.cluster.save()
        deployment = device.state.deployment
        assert deployment is not None
        connection = ArcConnection(resource_id=resource.id, connected_at=device.now())
        device.update(deployment=deployment.model_copy(update={"arc": connection}))
        note(device, f"AksEdge - Cluster {settings.cluster_name} connected to Azure Arc")

    async def _disconnect(self, settings: ArcSettings) -> None:
        from akslite_ps.sandbox.kubernetes.arc_agents import has_agents, remove_agents

        device = self._device
        cluster = _running_cluster(device)
        deployment = device.state.deployment
        assert deployment is not None
        if deployment.arc is None and not has_agents(cluster):
            raise ArcFailed(assumptions.ARC_NOT_CONNECTED)
        self._log.say(f"Deleting Azure Connected Kubernetes for {settings.cluster_name}")
        self._strike()
        principal = sign_in(device, settings)
        await device.clock.sleep(assumptions.ARC_SIGN_IN_SECONDS)
        group = self._group(principal, settings)
        resource = _own_resource(device) or device.azure.find_cluster(group, settings.cluster_name)
        if resource is not None:
            try:
                device.azure.delete_cluster(principal, resource)
            except AzureError as refusal:
                raise ArcFailed(str(refusal)) from None
        await device.clock.sleep(assumptions.ARC_REMOVAL_SECONDS)
        if device.take_fault("arc-pods-left", at="arc") is None:
            remove_agents(cluster)
        device.cluster.save()
        device.update(deployment=deployment.model_copy(update={"arc": None}))
        note(device, f"AksEdge - Cluster {settings.cluster_name} disconnected from Azure Arc")

    def _strike(self) -> None:
        """What goes wrong in the Azure modules and tools on a host, where it was asked for."""
        for fault, text in (("same-key", SAME_KEY), ("az-module-mismatch", MODULE_CLASH), ("placeholder-left", PLACEHOLDER)):
            if self._device.take_fault(fault, at="arc") is not None:
                raise ArcFailed(text)
        if self._device.take_fault("az-not-recognized", at="arc") is not None:
            self._console.error(
                AZ_NOT_FOUND,
                "CommandNotFoundException",
                "ObjectNotFound",
                exception="System.Management.Automation.CommandNotFoundException",
                target="az",
            )
            raise ArcFailed(AZ_NOT_FOUND)

    def _group(self, principal: ServicePrincipal, settings: ArcSettings) -> ResourceGroup:
        azure = self._device.azure
        try:
            return azure.find_group(principal, settings.subscription_id, settings.resource_group, settings.location)
        except AzureError as refusal:
            raise ArcFailed(str(refusal)) from None

    def _gets_certificate(self) -> bool:
        skew = abs(self._device.clock.skew.total_seconds())
        return skew <= assumptions.ARC_CLOCK_TOLERANCE_SECONDS and self._device.take_fault("arc-stays-connecting", at="arc") is None

    def _resource(self, settings: ArcSettings, group: ResourceGroup, cluster: SimulatedCluster) -> ConnectedCluster:
        product = self._device.state.product
        assert product is not None
        return ConnectedCluster(
            subscription=group.subscription,
            group=group.name,
            name=settings.cluster_name,
            location=group.location,
            cluster=cluster_uid(cluster),
            distribution=product.distribution.lower(),
            kubernetes_version=cluster.state.facts.version,
            tags={"SKU": "AKSEdgeEssentials", "AKSEE Version": product.version, "ClusterId": cluster_uid(cluster)},
            created_at=dt.datetime.now(dt.UTC),
        )

    def _install_agents(self, settings: ArcSettings, cluster: SimulatedCluster) -> None:
        from akslite_ps.sandbox.kubernetes.arc_agents import add_agents

        add_agents(
            cluster,
            {
                "AZURE_REGION": settings.location,
                "AZURE_RESOURCE_GROUP": settings.resource_group,
                "AZURE_RESOURCE_NAME": settings.cluster_name,
                "AZURE_SUBSCRIPTION_ID": settings.subscription_id,
                "AZURE_TENANT_ID": settings.tenant_id,
            },
        )

    def _caught(self, text: str, attempted: str, stack: tuple[str, ...]) -> str:
        self._log.say(text)
        self._log.caught(text, logged=f"AksEdge - {attempted}: {text}", stack=stack)
        return text


def connectivity(device: SimulatedDevice) -> Connectivity | None:
    """How Azure shows the connection of the device's cluster now; None where it shows none."""
    beat(device)
    resource = _own_resource(device)
    return None if resource is None else shown_connectivity(device, resource)


def _own_resource(device: SimulatedDevice) -> ConnectedCluster | None:
    """What stands in Azure for the device's cluster, whichever of its machines connected it."""
    deployment, served = device.state.deployment, device.cluster.served
    if deployment is None:
        return None
    known = device.azure.cluster_of(deployment.arc.resource_id) if deployment.arc is not None else None
    if known is not None or served is None:
        return known
    uid = cluster_uid(served.cluster)
    return next((resource for resource in device.azure.records.clusters if resource.cluster == uid), None)


def shown_connectivity(device: SimulatedDevice, resource: ConnectedCluster) -> Connectivity:
    """The state of a connection in Azure; its time limits shrink with the sandbox's speed as all durations do."""
    return resource.connectivity(
        dt.datetime.now(dt.UTC),
        offline_after=dt.timedelta(seconds=device.clock.real_seconds(assumptions.ARC_OFFLINE_SECONDS)),
        expired_after=dt.timedelta(seconds=device.clock.real_seconds(assumptions.ARC_EXPIRED_SECONDS)),
    )


def overview(azure: SimulatedAzure, devices: Iterable[SimulatedDevice]) -> dict[str, Any]:
    """What Azure shows of tenants, groups, principals and clusters now, JSON-ready; no secret is part of it."""
    known = list(devices)
    for device in known:
        beat(device)
    records = azure.records
    roles = [(assignment.client_id, assignment.role) for assignment in records.assignments]
    return {
        "tenants": [tenant.model_dump() for tenant in records.tenants],
        "subscriptions": [subscription.model_dump() for subscription in records.subscriptions],
        "resource_groups": [group.model_dump() for group in records.groups],
        "service_principals": [
            {
                "client_id": principal.client_id,
                "tenant": principal.tenant,
                "roles": [role for client_id, role in roles if client_id == principal.client_id],
                "expires_at": principal.expires_at.isoformat() if principal.expires_at else None,
            }
            for principal in records.principals
        ],
        "clusters": [_shown_cluster(cluster, known) for cluster in records.clusters],
    }


def _shown_cluster(cluster: ConnectedCluster, devices: list[SimulatedDevice]) -> dict[str, Any]:
    owner = next((device for device in devices if (own := _own_resource(device)) is not None and own.id == cluster.id), None)
    anyone = owner or next(iter(devices), None)
    return {
        "id": cluster.id,
        "name": cluster.name,
        "resource_group": cluster.group,
        "location": cluster.location,
        "kubernetes_version": cluster.kubernetes_version,
        "connectivity": shown_connectivity(anyone, cluster) if anyone else "Offline",
        "device": owner.name if owner else None,
    }


def beat(device: SimulatedDevice) -> None:
    """Let the agents report to Azure, if they work and the device has internet."""
    from akslite_ps.sandbox.kubernetes.arc_agents import agents_work

    cluster = device.cluster.cluster
    if cluster is None or not device.azure.records.clusters or not host.has_internet(device):
        return
    resource = _own_resource(device)
    if resource is not None and resource.cluster == cluster_uid(cluster) and agents_work(cluster):
        report = {"last_seen": dt.datetime.now(dt.UTC), "kubernetes_version": cluster.state.facts.version}
        device.azure.put_cluster(resource.model_copy(update=report))


def cluster_uid(cluster: SimulatedCluster) -> str:
    """What tells a cluster from every other one: the uid of its kube-system namespace."""
    from akslite_ps.sandbox.kubernetes import resources

    namespace = cluster.state.get(resources.NAMESPACES, "kube-system")
    assert namespace is not None
    return str(namespace["metadata"]["uid"])


def _running_cluster(device: SimulatedDevice) -> SimulatedCluster:
    cluster = device.cluster.cluster
    if cluster is None:
        raise ArcFailed(assumptions.NODE_NOT_RUNNING)
    return cluster


def _member(value: Any, name: str) -> Any:
    """A member of a JSON object, whose names ignore case as PowerShell's do."""
    if not isinstance(value, Mapping):
        return None
    return next((item for key, item in value.items() if key.casefold() == name.casefold()), None)
