"""Rules between the fields of a deployment config, and against what is installed on the device.

Called by ``DeploymentConfig.check``; what the product takes though a person should know it is in
``config.advice``. Sources: Microsoft's how-to pages, config table and release notes, and issue threads
of Azure/AKS-Edge; a rule about which sources disagree says so in its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.config.machines import HOST_CPU_LIMIT
from akslite_ps.aksedge.config.reading import Shown, shown_value
from akslite_ps.aksedge.releases import FIRST_SCHEMA, LATEST_SCHEMA, Distribution, distribution_named, schema_for
from akslite_ps.aksedge.versions import compare, version_key
from akslite_ps.errors import ConfigIssue

if TYPE_CHECKING:
    from akslite_ps.aksedge.config.deployment_config import DeploymentConfig

ARC_ENFORCED_SCHEMA = "1.16"
ARC_ENFORCED_RELEASE = "1.11"
ARC_WAYS_OUT = (
    "a complete Arc section (ClusterName, Location, ResourceGroupName, SubscriptionId, TenantId, ClientId, ClientSecret), "
    "or Network.InternetDisabled = true for an offline device, "
    "or User.VolumeLicense with EnrollmentId and PartNumber for a volume-licensed one"
)
PLUGIN_OF: dict[Distribution, str] = {"K3s": "flannel", "K8s": "calico"}
CLUSTER_NETWORKS: dict[Distribution, tuple[str, ...]] = {
    "K3s": ("10.42.0.0/16", "10.43.0.0/16"),
    "K8s": ("10.244.0.0/16", "10.96.0.0/12"),
}
"""Pod and service networks; the product lets nobody choose them."""

_LAST_CALICO_ON_K3S = "1.10.868.0"
_ARC_FIELDS = ("ClusterName", "Location", "ResourceGroupName", "SubscriptionId", "TenantId", "ClientId", "ClientSecret")
_AUTOMATIC_ADDRESSES = 4  # network address, host .1, Linux node .2, Windows node .3; services follow


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule looks at."""

    config: DeploymentConfig
    values: dict[str, Any]
    distribution: Distribution | None
    release: str | None

    @property
    def is_scalable(self) -> bool:
        return self.config.deployment_type == "ScalableCluster"

    def issue(self, path: str, allowed: str, reason: str) -> ConfigIssue:
        """An issue about a path, with the value set there."""
        return ConfigIssue(path, shown_value(self.values[path]) if path in self.values else Shown("nothing"), allowed, reason)


Rule = Callable[[Facts], Iterator[ConfigIssue]]


def apply_rules(
    rules: tuple[Rule, ...], config: DeploymentConfig, *, distribution: str | None, release: str | None
) -> list[ConfigIssue]:
    """What the rules find, in their order.

    Raises:
        UsageError: There is no such distribution, or the release is no version.
    """
    if release:
        version_key(release)
    facts = Facts(config, config.values(), distribution_named(distribution) if distribution else None, release)
    return [issue for rule in rules for issue in rule(facts)]


# -- schema and release ---------------------------------------------------------------------------------------


def _schema_is_known(facts: Facts) -> Iterator[ConfigIssue]:
    schema, allowed = facts.config.schema_version, f'"{FIRST_SCHEMA}" to "{LATEST_SCHEMA}"'
    if compare(schema, FIRST_SCHEMA) < 0:
        yield facts.issue("SchemaVersion", allowed, "no release took such a schema")
    elif compare(schema, LATEST_SCHEMA) > 0:
        yield facts.issue("SchemaVersion", allowed, "it is newer than any schema known here")
    elif facts.release and (newest := schema_for(facts.release)) and compare(schema, newest) > 0:
        yield facts.issue(
            "SchemaVersion", f'up to "{newest}"', f"the installed release {facts.release} is not known to take a newer schema"
        )


def _fields_are_in_the_schema(facts: Facts) -> Iterator[ConfigIssue]:
    schema = facts.config.schema_version
    for path in facts.values:
        spec = facts.config.explain(path)
        if compare(spec.since_schema, schema) > 0:
            yield facts.issue(
                path,
                f"nothing at schema {schema}",
                f"the field came with schema {spec.since_schema}: raise SchemaVersion or take it out",
            )


# -- distribution ---------------------------------------------------------------------------------------------


def _plugin_fits_distribution(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.distribution is None:
        return
    plugin, wanted = facts.config.network.network_plugin, PLUGIN_OF[facts.distribution]
    if plugin == wanted:
        return
    if facts.distribution == "K3s" and facts.release and compare(facts.release, _LAST_CALICO_ON_K3S) < 0:
        return
    given = "" if "Network.NetworkPlugin" in facts.values else " and an absent value means flannel"
    yield facts.issue(
        "Network.NetworkPlugin", wanted, f"the installed {facts.distribution} product works with {wanted} only{given}"
    )


def _fields_fit_distribution(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.distribution is None:
        return
    for path, value in facts.values.items():
        spec = facts.config.explain(path)
        if value is not False and facts.distribution not in spec.distributions:
            yield facts.issue(path, f"nothing on {facts.distribution}", f"it exists on {' and '.join(spec.distributions)} only")


# -- machines and nodes ---------------------------------------------------------------------------------------


def _one_machine(facts: Facts) -> Iterator[ConfigIssue]:
    if len(facts.config.machines) > 1:
        count = Shown(f"{len(facts.config.machines)} machines")
        reason = "a config is about the local machine; New-AksEdgeScaleConfig makes one for each other machine"
        yield ConfigIssue("Machines", count, "one machine", reason)


def _machine_has_its_nodes(facts: Facts) -> Iterator[ConfigIssue]:
    for index, machine in enumerate(facts.config.machines):
        path = f"Machines[{index}]"
        if machine.linux_node is None and machine.windows_node is None:
            yield ConfigIssue(path, Shown("no node"), "LinuxNode, WindowsNode or both", "there is nothing to deploy")
        elif machine.linux_node is None and not facts.config.is_join:
            reason = "the first machine of a cluster needs a Linux node as its control plane"
            yield ConfigIssue(f"{path}.LinuxNode", Shown("nothing"), "a LinuxNode", reason)


def _processors_fit_the_host_limit(facts: Facts) -> Iterator[ConfigIssue]:
    for index, machine in enumerate(facts.config.machines):
        counts = [node.cpu_count for node in (machine.linux_node, machine.windows_node) if node]
        if sum(counts) > HOST_CPU_LIMIT:
            yield ConfigIssue(
                f"Machines[{index}]",
                Shown(f"{sum(counts)} vCPUs in all"),
                f"at most {HOST_CPU_LIMIT} vCPUs for all nodes of a host",
                "the product's limit per machine",
            )


def _secondary_networks_are_complete(facts: Facts) -> Iterator[ConfigIssue]:
    for index, machine in enumerate(facts.config.machines):
        networks = machine.linux_node.secondary_networks if machine.linux_node else ()
        for number, network in enumerate(networks):
            path = f"Machines[{index}].LinuxNode.SecondaryNetworks[{number}]"
            for name, value in (("Ip4GatewayAddress", network.ip4_gateway_address), ("Ip4PrefixLength", network.ip4_prefix_length)):
                if value is not None and network.ip4_address is None:
                    yield facts.issue(
                        f"{path}.{name}", "nothing without Ip4Address", "without a static address the adapter uses DHCP"
                    )


def _gpu_question_is_answered(facts: Facts) -> Iterator[ConfigIssue]:
    asks = any(".GpuPassthrough." in path for path in facts.values)
    if asks and not facts.config.user.accept_gpu_warning:
        yield facts.issue(
            "User.AcceptGpuWarning", "true", "the product warns about GPU sharing and waits for an answer nobody can give remotely"
        )


# -- Azure Arc ------------------------------------------------------------------------------------------------


def arc_is_enforced(config: DeploymentConfig, release: str | None) -> bool:
    """Whether the product refuses to deploy without Azure Arc, where nothing exempts the device."""
    return compare(config.schema_version, ARC_ENFORCED_SCHEMA) >= 0 or bool(release and compare(release, ARC_ENFORCED_RELEASE) >= 0)


def _arc_or_a_way_out(facts: Facts) -> Iterator[ConfigIssue]:
    config = facts.config
    licence = config.user.volume_license
    exempt = config.network.internet_disabled or (licence.enrollment_id and licence.part_number) or config.is_join
    missing = [name for name in _ARC_FIELDS if f"Arc.{name}" not in facts.values]
    if exempt or not missing or not arc_is_enforced(config, facts.release):
        return
    have = "nothing" if len(missing) == len(_ARC_FIELDS) else "without " + ", ".join(missing)
    reason = f"from release {ARC_ENFORCED_RELEASE} (schema {ARC_ENFORCED_SCHEMA}) the product refuses to deploy without Azure Arc"
    yield ConfigIssue("Arc", Shown(have), ARC_WAYS_OUT, reason)


# -- addresses ------------------------------------------------------------------------------------------------

_SCALABLE_NEEDS = (
    "Network.ControlPlaneEndpointIp",
    "Network.Ip4GatewayAddress",
    "Network.Ip4PrefixLength",
    "Network.DnsServers",
    "Machines[0].NetworkConnection.AdapterName",
)
_SCALABLE_ONLY = ("Network.ControlPlaneEndpointIp", "Network.Ip4GatewayAddress", "Network.Ip4PrefixLength")


def _scalable_addresses_are_given(facts: Facts) -> Iterator[ConfigIssue]:
    if not facts.is_scalable:
        return
    needed = list(_SCALABLE_NEEDS)
    if facts.config.init.service_ip_range_size > 0 and not facts.config.is_join:
        needed.append("Init.ServiceIPRangeStart")
    needed += [f"Machines[0].{node}.Ip4Address" for node in named_nodes(facts)]
    for path in needed:
        if facts.values.get(path, ()) == ():  # an empty list names no server
            yield facts.issue(path, facts.config.explain(path).allowed, "a ScalableCluster takes its addresses from the config")


def _single_machine_has_no_addresses(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.is_scalable:
        if "Network.Ip4AddressPrefix" in facts.values:
            reason = "it chooses the subnet of a single machine's internal switch"
            yield facts.issue("Network.Ip4AddressPrefix", "nothing in a ScalableCluster", reason)
        return
    for path in _SCALABLE_ONLY:
        if path in facts.values:
            reason = "the network of a single machine is made automatically; choose its subnet with Network.Ip4AddressPrefix"
            yield facts.issue(path, "nothing in a SingleMachineCluster", reason)


def named_nodes(facts: Facts) -> list[str]:
    """The nodes the local machine asks for, by the config's names."""
    machine = facts.config.machine
    return [name for name, node in (("LinuxNode", machine.linux_node), ("WindowsNode", machine.windows_node)) if node is not None]


def _addresses(facts: Facts) -> dict[str, IPv4Address]:
    """The single addresses of a scalable cluster by path."""
    paths = ["Network.ControlPlaneEndpointIp", "Network.Ip4GatewayAddress"]
    paths += [f"Machines[0].{node}.Ip4Address" for node in named_nodes(facts)]
    return {path: IPv4Address(facts.values[path]) for path in paths if path in facts.values}


def _service_range(facts: Facts) -> tuple[int, int] | None:
    """First and last service address as numbers."""
    init = facts.config.init
    if init.service_ip_range_start is None or init.service_ip_range_size == 0:
        return None
    first = int(IPv4Address(init.service_ip_range_start))
    return first, first + init.service_ip_range_size - 1


def _addresses_are_different(facts: Facts) -> Iterator[ConfigIssue]:
    if not facts.is_scalable:
        return
    for (first, one), (second, other) in combinations(_addresses(facts).items(), 2):
        if one == other:
            yield facts.issue(second, f"an address other than {first}", "each of them needs an address of its own")
    services = _service_range(facts)
    for path, address in _addresses(facts).items():
        if services and services[0] <= int(address) <= services[1]:
            yield facts.issue(path, "an address outside the service addresses", "Init.ServiceIPRangeStart and its size cover it")


def _addresses_are_in_one_subnet(facts: Facts) -> Iterator[ConfigIssue]:
    network, gateway = facts.config.network, facts.config.network.ip4_gateway_address
    if not facts.is_scalable or gateway is None or network.ip4_prefix_length is None:
        return
    subnet = IPv4Network(f"{gateway}/{network.ip4_prefix_length}", strict=False)
    edges = (subnet.network_address, subnet.broadcast_address) if subnet.prefixlen < 31 else ()
    for path, address in _addresses(facts).items():
        if address not in subnet or address in edges:
            yield facts.issue(path, f"a host address in {subnet}", "all addresses of the cluster are in the gateway's subnet")
    services = _service_range(facts)
    if services and (services[0] <= int(subnet.network_address) or services[1] >= int(subnet.broadcast_address)):
        size = facts.config.init.service_ip_range_size
        yield facts.issue(
            "Init.ServiceIPRangeStart", f"a start with {size} host addresses in {subnet}", "the service addresses leave the subnet"
        )


def _single_subnet_is_large_enough(facts: Facts) -> Iterator[ConfigIssue]:
    prefix, size = facts.config.network.ip4_address_prefix, facts.config.init.service_ip_range_size
    if facts.is_scalable or prefix is None:
        return
    needed = _AUTOMATIC_ADDRESSES + size + 1
    if IPv4Network(prefix).num_addresses < needed:
        reason = "host, nodes and service addresses come from it: .1, .2, .3 and from .4 on"
        yield facts.issue("Network.Ip4AddressPrefix", f"a subnet of at least {needed} addresses", reason)


def _cluster_networks_are_free(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.distribution is None:
        return
    for cluster_network in map(IPv4Network, CLUSTER_NETWORKS[facts.distribution]):
        reason = f"{cluster_network} is used inside the cluster ({facts.distribution})"
        prefix = facts.config.network.ip4_address_prefix
        if prefix is not None and not facts.is_scalable and IPv4Network(prefix).overlaps(cluster_network):
            yield facts.issue("Network.Ip4AddressPrefix", f"a subnet outside {cluster_network}", reason)
        if not facts.is_scalable:
            continue
        for path, address in _addresses(facts).items():
            if address in cluster_network:
                yield facts.issue(path, f"an address outside {cluster_network}", reason)
        services, edges = _service_range(facts), (int(cluster_network.network_address), int(cluster_network.broadcast_address))
        if services and services[0] <= edges[1] and services[1] >= edges[0]:
            yield facts.issue("Init.ServiceIPRangeStart", f"addresses outside {cluster_network}", reason)


# -- joining --------------------------------------------------------------------------------------------------


def _join_is_complete(facts: Facts) -> Iterator[ConfigIssue]:
    if not facts.config.is_join:
        return
    needed = ["Join.ClusterJoinToken", "Join.ClusterId"]
    if facts.distribution == "K8s":
        linux = facts.config.machine.linux_node
        needed += ["Join.DiscoveryTokenHash"] + (["Join.CertificateKey"] if linux and linux.control_plane else [])
    for path in needed:
        if path not in facts.values:
            reason = "a join config is made by New-AksEdgeScaleConfig on the primary machine, never by hand"
            yield facts.issue(path, facts.config.explain(path).allowed, reason)


FAULT_RULES: tuple[Rule, ...] = (
    _schema_is_known,
    _fields_are_in_the_schema,
    _plugin_fits_distribution,
    _fields_fit_distribution,
    _one_machine,
    _machine_has_its_nodes,
    _processors_fit_the_host_limit,
    _secondary_networks_are_complete,
    _gpu_question_is_answered,
    _arc_or_a_way_out,
    _scalable_addresses_are_given,
    _single_machine_has_no_addresses,
    _addresses_are_different,
    _addresses_are_in_one_subnet,
    _single_subnet_is_large_enough,
    _cluster_networks_are_free,
    _join_is_complete,
)
