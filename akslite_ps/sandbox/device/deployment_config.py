"""A deployment config on a simulated device: what the product finds wrong with it, and the node VMs that it asks for.

Used by the cmdlets that deploy, scale and check. The rules between fields are ``akslite_ps.aksedge.config``'s; here stands what
only the machine and its network can tell.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import ConfigError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.reported_failures import OVERLAP, DeploymentFailed, addresses_taken
from akslite_ps.sandbox.device.state import Node, NodeKind

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.config.machines import LinuxNode, Machine, WindowsNode
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

INTERNAL_SWITCH = "aksedgesw-int"
EXTERNAL_SWITCH = "aksedgesw-ext"
WINDOWS_FEATURE = "WindowsNodeFeature"
_SECRET_FIELDS = frozenset({"clientsecret", "clusterjointoken", "certificatekey", "discoverytokenhash", "clusterid"})
_SUFFIXES: dict[NodeKind, str] = {"Linux": "ledge", "Windows": "wedge"}
_HOST_NUMBERS: dict[NodeKind, int] = {"Linux": 2, "Windows": 3}
_FIRST_SERVICE = 4
_NETWORK_PATHS = ("Network.", "Init.Service", "Machines[0].NetworkConnection")


def parse(text: str) -> tuple[DeploymentConfig | None, list[str]]:
    """The config, or None and what is wrong with its fields."""
    from akslite_ps.aksedge.config import DeploymentConfig

    try:
        return DeploymentConfig.parse(text, source="the deployment configuration"), []
    except ConfigError as error:
        return None, [str(issue) for issue in error.issues]


def network_faults(device: SimulatedDevice, text: str) -> list[str]:
    """What Test-AksEdgeNetworkParameters finds in a config. The nodes of other machines are invisible to it, as to the product."""
    config, faults = parse(text)
    if config is None:
        return faults
    product = device.state.product
    issues = config.check(distribution=product.distribution if product else None, release=product.version if product else None)
    faults = [str(issue) for issue in issues if issue.path.startswith(_NETWORK_PATHS) or issue.path.endswith("Ip4Address")]
    if faults:
        return faults
    try:
        return host_faults(device, config)
    except DeploymentFailed as no_network:
        return [str(no_network)]


def host_faults(device: SimulatedDevice, config: DeploymentConfig) -> list[str]:
    """What the machine and its network have against a config: adapters and addresses.

    Raises:
        DeploymentFailed: There is no network for the nodes.
    """
    faults = []
    if config.deployment_type == "ScalableCluster":
        adapter = config.machine.network_connection.adapter_name
        known = {name.casefold(): name for name in device.hardware.network_adapters}
        if adapter is not None and adapter.casefold() not in known:
            faults.append(assumptions.no_such_adapter(adapter, tuple(known.values())))
    if not config.network.skip_address_free_check:
        taken = _taken(device, config)
        if taken is not None:
            faults.append(addresses_taken(taken))
    return faults


def _taken(device: SimulatedDevice, config: DeploymentConfig) -> str | None:
    """An address of the config that somebody answers for."""
    everything = device.fault("address-not-free") is not None
    if config.deployment_type != "ScalableCluster":
        return str(subnet(device, config)[_HOST_NUMBERS["Linux"]]) if everything else None
    wanted = [str(node.ip4_address) for _, node in nodes_of(config.machine) if node.ip4_address is not None]
    if not config.is_join:
        wanted += [str(config.network.control_plane_endpoint_ip), *service_addresses(device, config)]
    return next((address for address in wanted if everything or device.site.host_at(address) is not None), None)


def nodes_of(machine: Machine) -> Iterator[tuple[NodeKind, LinuxNode | WindowsNode]]:
    """The nodes that a config asks for, Linux first."""
    if machine.linux_node is not None:
        yield "Linux", machine.linux_node
    if machine.windows_node is not None:
        yield "Windows", machine.windows_node


def subnet(device: SimulatedDevice, config: DeploymentConfig) -> ipaddress.IPv4Network:
    """The network of the nodes. For a single machine the config's, else the first /24 of 192.168.x that the host does not use.

    Raises:
        DeploymentFailed: None is free.
    """
    network = config.network
    if config.deployment_type == "ScalableCluster":
        return ipaddress.IPv4Network(f"{network.ip4_gateway_address}/{network.ip4_prefix_length}", strict=False)
    if network.ip4_address_prefix is not None:
        return ipaddress.IPv4Network(str(network.ip4_address_prefix), strict=False)
    hardware = device.hardware
    used = [ipaddress.IPv4Network(f"{address}/24", strict=False) for address in hardware.ip4_addresses]
    used += [ipaddress.IPv4Network(other, strict=False) for other in hardware.other_networks]
    for third in range(256):
        candidate = ipaddress.IPv4Network(f"192.168.{third}.0/24")
        if not any(candidate.overlaps(other) for other in used):
            return candidate
    raise DeploymentFailed(OVERLAP)


def service_addresses(device: SimulatedDevice, config: DeploymentConfig) -> tuple[str, ...]:
    """The addresses for LoadBalancer services; a joining machine brings none."""
    size = config.init.service_ip_range_size
    if config.is_join or size == 0:
        return ()
    if config.deployment_type == "ScalableCluster":
        first = ipaddress.IPv4Address(str(config.init.service_ip_range_start))
    else:
        first = subnet(device, config)[_FIRST_SERVICE]
    return tuple(str(first + number) for number in range(size))


def planned_nodes(device: SimulatedDevice, config: DeploymentConfig, network: ipaddress.IPv4Network) -> tuple[Node, ...]:
    """The node VMs that a config asks for.

    Args:
        device: The machine they will run on.
        config: Its first machine is this one.
        network: Subnet of the nodes; on a single machine they get fixed numbers in it.
    """
    scalable = config.deployment_type == "ScalableCluster"
    planned = []
    for kind, node in nodes_of(config.machine):
        address = str(node.ip4_address) if scalable else str(network[_HOST_NUMBERS[kind]])
        linux = config.machine.linux_node if kind == "Linux" else None
        planned.append(
            Node(
                kind=kind,
                name=f"{device.computer_name.lower()}-{_SUFFIXES[kind]}",
                address=address,
                mac=str(node.mac_address).replace(":", "-").upper() if node.mac_address else _mac(f"{device.name} {kind}"),
                cpu_count=node.cpu_count,
                memory_mb=node.memory_in_mb,
                data_size_gb=linux.data_size_in_gb if linux else assumptions.WINDOWS_NODE_DISK_GB,
                log_size_gb=linux.log_size_in_gb if linux else 0,
                control_plane=linux is not None and (linux.control_plane or not config.is_join),
            )
        )
    return tuple(planned)


def without_secrets(value: Any) -> Any:
    """JSON-ready data of a config with its secrets blanked, at any depth."""
    if isinstance(value, dict):
        return {key: None if key.casefold() in _SECRET_FIELDS else without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def _mac(name: str) -> str:
    """A stable address from Hyper-V's range."""
    digest = hashlib.sha256(name.encode()).digest()
    return "00-15-5D-" + "-".join(f"{byte:02X}" for byte in digest[:3])
