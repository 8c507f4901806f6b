"""The sections Init, Join, Arc, Network and User of a deployment config, with what is known of each field.

Composed into ``config.deployment_config``. Attribute names are Python's, aliases the product's. An absent field
reads as the product's documented default and is not written to the device.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from akslite_ps.aksedge.config.fields import setting
from akslite_ps.aksedge.config.secret_values import SecretField
from akslite_ps.aksedge.config.value_types import Guid, Ipv4, ProxyAddress, Section, Subnet, Text, choice

NetworkPlugin = Literal["flannel", "calico"]

_ARC_REQUIRED = "from release 1.11 (schema 1.16), unless offline or volume-licensed"
_ARC_NOTE = (
    "Sources disagree on when it is enforced: the release notes say from 1.11.230, "
    "Microsoft's scripts tolerate a missing section below schema 1.16."
)
_JOIN_NOTE = "Written by New-AksEdgeScaleConfig, never by hand. A Join section turns the deployment into a join."


class KmsPlugin(Section):
    """Encryption of Kubernetes secrets."""

    enable: bool = setting(
        "Enable",
        "Encrypt Kubernetes secrets",
        "Encrypts the cluster's secrets with a key that changes every 30 days. Can only be chosen at deployment.",
        kind="boolean",
        default=False,
        since="1.15",
        group="Cluster",
        note="Single-node clusters only while in preview; the page of Repair-AksEdgeKms also names scalable clusters.",
    )


class Init(Section):
    """What the cluster starts with."""

    service_ip_range_start: Ipv4 | None = setting(
        "ServiceIPRangeStart",
        "First service address",
        "First of the addresses reserved for LoadBalancer services; free, and inside the nodes' subnet.",
        kind="ipv4",
        group="Cluster",
        required="in a ScalableCluster with ServiceIPRangeSize above 0",
        only_in="ScalableCluster",
        note="Automatic on a single machine (.4); the config table lists it for both types.",
    )
    service_ip_range_size: int = setting(
        "ServiceIPRangeSize",
        "Service addresses",
        "How many addresses are reserved for LoadBalancer services. With 0 services are reached by NodePort on the node.",
        kind="integer",
        default=0,
        allowed="a whole number from 0 to 127",
        unit="addresses",
        group="Cluster",
        note="The schema diagram starts at 1. GitOps samples with an ingress need more than 0.",
        ge=0,
        le=127,
    )
    kms_plugin: KmsPlugin = setting(
        "KmsPlugin",
        "KMS plugin",
        "Encryption of Kubernetes secrets.",
        kind="section",
        factory=KmsPlugin,
        since="1.15",
        group="Cluster",
    )


class Join(Section):
    """How to join an existing cluster; made by New-AksEdgeScaleConfig on its primary machine."""

    cluster_join_token: SecretField | None = setting(
        "ClusterJoinToken",
        "Join token",
        "Lets a machine join for 24 hours; the next New-AksEdgeScaleConfig makes it invalid.",
        kind="secret",
        group="Join",
        required="in join configs",
        only_in="ScalableCluster",
        advanced=True,
        note=_JOIN_NOTE,
    )
    discovery_token_hash: SecretField | None = setting(
        "DiscoveryTokenHash",
        "Discovery hash",
        "Hash by which a joining K8s node recognises the cluster.",
        kind="secret",
        group="Join",
        required="in join configs of K8s",
        only_in="ScalableCluster",
        distributions=("K8s",),
        advanced=True,
        note=_JOIN_NOTE,
    )
    certificate_key: SecretField | None = setting(
        "CertificateKey",
        "Certificate key",
        "Key of the control-plane certificates for a K8s node that joins as control plane.",
        kind="secret",
        group="Join",
        required="in join configs of K8s control planes",
        only_in="ScalableCluster",
        distributions=("K8s",),
        advanced=True,
        note=_JOIN_NOTE + " Its role is inferred from kubeadm.",
    )
    cluster_id: SecretField | None = setting(
        "ClusterId",
        "Cluster identity",
        "Identity of the cluster to join.",
        kind="secret",
        group="Join",
        required="in join configs",
        only_in="ScalableCluster",
        advanced=True,
        note=_JOIN_NOTE,
    )


def _arc(name: str, title: str, description: str, **more: Any) -> Any:
    return setting(name, title, description, group="Azure Arc", required=_ARC_REQUIRED, fixed=False, note=_ARC_NOTE, **more)


class Arc(Section):
    """The connection to Azure Arc."""

    cluster_name: Text | None = _arc(
        "ClusterName", "Cluster name in Azure", "Name of the connected cluster in Azure; documented defaults differ.", kind="text"
    )
    location: Text | None = _arc("Location", "Azure region", "Region of the resource group, e.g. westeurope.", kind="text")
    resource_group_name: Text | None = _arc(
        "ResourceGroupName", "Resource group", "Resource group that will hold the connected cluster.", kind="text"
    )
    subscription_id: Guid | None = _arc("SubscriptionId", "Subscription", "Azure subscription.", kind="guid")
    tenant_id: Guid | None = _arc("TenantId", "Tenant", "Microsoft Entra tenant.", kind="guid")
    client_id: Guid | None = _arc(
        "ClientId", "Service principal", "Application id of the service principal that connects.", kind="guid"
    )
    client_secret: SecretField | None = _arc(
        "ClientSecret",
        "Service principal's secret",
        "Secret of the service principal. Keep it out of the file: give a reference, and rotate it after connecting.",
        kind="secret",
    )
    custom_locations_oid: Guid | None = setting(
        "CustomLocationsOid",
        "Custom Locations object id",
        "Object id of the Custom Locations application in your tenant; switches custom locations on.",
        kind="guid",
        since="1.13",
        group="Azure Arc",
        fixed=False,
        advanced=True,
    )
    enable_workload_identity: bool | None = setting(
        "EnableWorkloadIdentity",
        "Workload identity",
        "Switches the OIDC issuer and workload identity on. Documented for Azure IoT Operations only; cannot be switched on later.",
        kind="boolean",
        since="1.14",
        group="Azure Arc",
        distributions=("K3s",),
        advanced=True,
    )


class Proxy(Section):
    """Proxy of the node VMs; fixed at deployment."""

    http: ProxyAddress | None = setting("Http", "HTTP proxy", "Proxy for http traffic of the nodes.", kind="address", group="Proxy")
    https: ProxyAddress | None = setting(
        "Https", "HTTPS proxy", "Proxy for https traffic of the nodes.", kind="address", group="Proxy"
    )
    no: Text | None = setting(
        "No",
        "Without proxy",
        "Addresses that are reached without the proxy, with commas between them.",
        kind="text",
        group="Proxy",
        note="With a proxy it must hold localhost, 127.0.0.0/8, the node, pod and service networks, .svc and 169.254.169.254.",
    )


class Network(Section):
    """Addresses, names and the way out."""

    network_plugin: Annotated[NetworkPlugin, choice(NetworkPlugin)] = setting(
        "NetworkPlugin",
        "Network plugin",
        "The cluster's network plugin: flannel comes with K3s, calico with K8s.",
        kind="choice",
        default="flannel",
        allowed="flannel (K3s) or calico (K8s)",
        group="Network",
        note="Calico on K3s was a preview that ended with 1.10.868.0.",
    )
    control_plane_endpoint_ip: Ipv4 | None = setting(
        "ControlPlaneEndpointIp",
        "Control-plane address",
        "Address of the Kubernetes API: free for the life of the cluster, not a node's, the same on every machine of the cluster.",
        kind="ipv4",
        group="Network",
        required="in a ScalableCluster",
        only_in="ScalableCluster",
    )
    ip4_gateway_address: Ipv4 | None = setting(
        "Ip4GatewayAddress",
        "Gateway",
        "Router of the nodes' subnet.",
        kind="ipv4",
        group="Network",
        required="in a ScalableCluster",
        only_in="ScalableCluster",
    )
    ip4_prefix_length: int | None = setting(
        "Ip4PrefixLength",
        "Prefix length",
        "Length of the nodes' subnet prefix.",
        kind="integer",
        product_default=24,
        allowed="a whole number from 1 to 31",
        unit="bits",
        group="Network",
        required="in a ScalableCluster",
        only_in="ScalableCluster",
        ge=1,
        le=31,
    )
    ip4_address_prefix: Subnet | None = setting(
        "Ip4AddressPrefix",
        "Subnet of the single machine",
        "Subnet to use instead of the first free /24 in 192.168.x: host .1, Linux node .2, Windows node .3, services from .4.",
        kind="subnet",
        since="1.8",
        group="Network",
        only_in="SingleMachineCluster",
        note="Documented while the schema was 1.8; it may have worked earlier.",
    )
    dns_servers: tuple[Ipv4, ...] | None = setting(
        "DnsServers",
        "DNS servers",
        "DNS servers of the nodes; without them the nodes use the Windows host's.",
        kind="ipv4 list",
        group="Network",
        required="in a ScalableCluster",
        note="The how-to requires it for a ScalableCluster; the networking page says it falls back to the host's DNS.",
    )
    internet_disabled: bool = setting(
        "InternetDisabled",
        "Offline",
        "Deploys without internet: no internet and DNS checks, no Azure Arc needed. A default gateway is still needed.",
        kind="boolean",
        default=False,
        group="Network",
    )
    skip_address_free_check: bool = setting(
        "SkipAddressFreeCheck",
        "Skip the free-address check",
        "Goes on where an address seems taken; for networks where a VPN or proxy ARP answers for free addresses.",
        kind="boolean",
        default=False,
        group="Network",
        advanced=True,
        note="The config table lists it for ScalableCluster only; users report success on single machines.",
    )
    skip_dns_check: bool = setting(
        "SkipDnsCheck",
        "Skip the DNS check",
        "Does not test the given DNS servers.",
        kind="boolean",
        default=False,
        since="1.8",
        group="Network",
        advanced=True,
    )
    proxy: Proxy = setting("Proxy", "Proxy", "Proxy of the node VMs.", kind="section", factory=Proxy, group="Proxy")


class VolumeLicense(Section):
    """Licence by an enterprise agreement, for devices that are not connected to Azure."""

    enrollment_id: Text | None = setting(
        "EnrollmentId",
        "Enrolment",
        "Enrolment of the enterprise agreement; lifts the Azure Arc requirement.",
        kind="text",
        since="1.8",
        group="Terms",
        fixed=False,
        advanced=True,
        note="Also spelled EnrollmentID; the product ignores case.",
    )
    part_number: Text | None = setting(
        "PartNumber",
        "Part number",
        "Part number of the licence.",
        kind="text",
        since="1.8",
        group="Terms",
        fixed=False,
        advanced=True,
    )


class User(Section):
    """Licence terms and telemetry."""

    accept_eula: bool = setting(
        "AcceptEula",
        "Licence terms accepted",
        "Acceptance of Microsoft's licence terms. What a file says here counts for nothing: a person accepts when deploying.",
        kind="boolean",
        default=False,
        group="Terms",
        required="true for unattended deployments; set from the person's answer only",
        fixed=False,
    )
    accept_optional_telemetry: bool = setting(
        "AcceptOptionalTelemetry",
        "Optional telemetry",
        "Sends optional telemetry to Microsoft; required telemetry is always on.",
        kind="boolean",
        default=False,
        group="Terms",
        fixed=False,
    )
    volume_license: VolumeLicense = setting(
        "VolumeLicense",
        "Volume licence",
        "Licence by an enterprise agreement.",
        kind="section",
        factory=VolumeLicense,
        since="1.8",
        group="Terms",
    )
    accept_gpu_warning: bool = setting(
        "AcceptGpuWarning",
        "GPU warning accepted",
        "Answers the product's warning about GPU sharing, which nobody could answer remotely.",
        kind="boolean",
        default=False,
        since="1.13",
        group="GPU",
        advanced=True,
    )
