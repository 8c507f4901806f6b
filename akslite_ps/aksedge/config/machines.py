"""The machines and nodes of a deployment config, with what is known of each field.

Composed into ``config.deployment_config``. Sizes are static: the product cannot change them after deployment.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from akslite_ps.aksedge.config.fields import setting
from akslite_ps.aksedge.config.value_types import Ipv4, MacAddress, Section, Text, choice

GpuType = Literal["ParaVirtualization"]
HOST_CPU_LIMIT = 16
"""vCPUs that all node VMs of one host may have together."""


class HugePages(Section):
    """Huge pages of the Linux node."""

    size: Literal[2048, 1048576] = setting(
        "Size",
        "Huge page size",
        "Size of one huge page.",
        kind="choice",
        default=2048,
        allowed="2048 or 1048576",
        unit="KB",
        since="1.13",
        group="Linux node",
        node="Linux",
        advanced=True,
    )
    count: int = setting(
        "count",
        "Huge pages",
        "Number of huge pages.",
        kind="integer",
        default=0,
        allowed="a whole number, 0 or more",
        since="1.13",
        group="Linux node",
        node="Linux",
        advanced=True,
        note="Spelled with a lower-case c in the schema diagram.",
        ge=0,
    )


class SecondaryNetwork(Section):
    """One more network adapter of the Linux node."""

    vm_switch_name: Text = setting(
        "VMSwitchName",
        "Hyper-V switch",
        "Name of an existing Hyper-V switch.",
        kind="text",
        required_field=True,
        since="1.6",
        group="Secondary networks",
        required="for each entry",
        node="Linux",
        advanced=True,
    )
    ip4_address: Ipv4 | None = setting(
        "Ip4Address",
        "Address",
        "Static address; DHCP where absent.",
        kind="ipv4",
        since="1.6",
        group="Secondary networks",
        node="Linux",
        advanced=True,
    )
    ip4_gateway_address: Ipv4 | None = setting(
        "Ip4GatewayAddress",
        "Gateway",
        "Router; only with a static address.",
        kind="ipv4",
        since="1.6",
        group="Secondary networks",
        node="Linux",
        advanced=True,
    )
    ip4_prefix_length: int | None = setting(
        "Ip4PrefixLength",
        "Prefix length",
        "Length of the subnet prefix; only with a static address.",
        kind="integer",
        allowed="a whole number from 1 to 31",
        unit="bits",
        since="1.6",
        group="Secondary networks",
        node="Linux",
        advanced=True,
        ge=1,
        le=31,
    )


class GpuPassthrough(Section):
    """A GPU shared with the Linux node (preview)."""

    name: Text | None = setting(
        "Name",
        "GPU",
        "Model name of the GPU.",
        kind="text",
        since="1.13",
        group="GPU",
        node="Linux",
        advanced=True,
        note="Not in nested virtualisation; broken on Windows 11 24H2 up to 1.10.",
    )
    type: Annotated[GpuType, choice(GpuType)] | None = setting(
        "Type",
        "Kind of sharing",
        "How the GPU is shared.",
        kind="choice",
        allowed="ParaVirtualization",
        since="1.13",
        group="GPU",
        node="Linux",
        advanced=True,
    )
    count: int | None = setting(
        "Count",
        "GPUs",
        "Number of GPUs.",
        kind="integer",
        allowed="a whole number, 0 or more",
        since="1.13",
        group="GPU",
        node="Linux",
        advanced=True,
        ge=0,
    )


def _cpu(node: str, note: str = "") -> Any:
    return setting(
        "CpuCount",
        "vCPUs",
        f"Virtual processors of the {node} node; all nodes of a host together may have {HOST_CPU_LIMIT}.",
        kind="integer",
        default=2,
        allowed=f"a whole number from 2 to {HOST_CPU_LIMIT}",
        unit="vCPU",
        group=f"{node} node",
        node=node,
        note=note,
        ge=2,
        le=HOST_CPU_LIMIT,
    )


def _memory(node: str) -> Any:
    return setting(
        "MemoryInMB",
        "Memory",
        f"Memory of the {node} node; it must be free on the host when the node is made.",
        kind="integer",
        default=2048,
        allowed="an even number, 2048 or more",
        unit="MB",
        group=f"{node} node",
        node=node,
        note="Documented default 2048; the schema diagram and the samples say 4096.",
        ge=2048,
        multiple_of=2,
    )


def _address(node: str, note: str = "") -> Any:
    return setting(
        "Ip4Address",
        "Address",
        f"Static address of the {node} node, outside the range of any DHCP server.",
        kind="ipv4",
        group=f"{node} node",
        required="in a ScalableCluster",
        node=node,
        note=note,
    )


def _mac_address(node: str) -> Any:
    return setting(
        "MacAddress",
        "MAC address",
        f"Fixed MAC address of the {node} node; random and remembered where absent. Differs per machine.",
        kind="mac",
        group=f"{node} node",
        node=node,
        advanced=True,
    )


def _mtu(group: str, node: str, default: int | None, note: str = "") -> Any:
    return setting(
        "Mtu",
        "MTU",
        "Largest packet; 0 leaves it alone.",
        kind="integer",
        default=default,
        allowed="a whole number from 0 to 65535",
        unit="bytes",
        group=group,
        node=node,
        advanced=True,
        note=note,
        ge=0,
        le=65535,
    )


def _timeout(node: str, default: int) -> Any:
    return setting(
        "TimeoutSeconds",
        "Start time limit",
        f"How long the product waits for the {node} node to come up.",
        kind="integer",
        default=default,
        allowed="a whole number, 1 or more",
        unit="s",
        group=f"{node} node",
        node=node,
        advanced=True,
        ge=1,
    )


class LinuxNode(Section):
    """The Linux VM: control plane or worker."""

    cpu_count: int = _cpu("Linux", "Documented default 2; the schema diagram and the samples say 4.")
    memory_in_mb: int = _memory("Linux")
    memory_huge_pages: HugePages = setting(
        "MemoryHugePages",
        "Huge pages",
        "Huge pages of the Linux node.",
        kind="section",
        factory=HugePages,
        since="1.13",
        group="Linux node",
        node="Linux",
        advanced=True,
    )
    data_size_in_gb: int = setting(
        "DataSizeInGB",
        "Data disk",
        "Partition for images and volumes. Samples use 20, Azure IoT Operations 40.",
        kind="integer",
        default=10,
        allowed="a whole number, 1 or more",
        unit="GB",
        group="Linux node",
        node="Linux",
        note="The smallest size the product takes is not documented.",
        ge=1,
    )
    log_size_in_gb: int = setting(
        "LogSizeInGB",
        "Log disk",
        "Partition for /var/log. With Azure Arc or IoT Operations 1 GB fills within days.",
        kind="integer",
        default=1,
        allowed="a whole number from 1 to 10",
        unit="GB",
        since="1.9",
        group="Linux node",
        node="Linux",
        note="In a build of 2023 it fell back to 1 GB after a while.",
        ge=1,
        le=10,
    )
    ip4_address: Ipv4 | None = _address(
        "Linux", "The config table lists it for single machines too; the how-to forbids address fields there."
    )
    mac_address: MacAddress | None = _mac_address("Linux")
    mtu: int | None = _mtu("Linux node", "Linux", None, "Found in the schema diagram only.")
    control_plane: bool = setting(
        "ControlPlane",
        "Control plane",
        "Joins as a control plane. A cluster has 1, 3 or 5 of them.",
        kind="boolean",
        default=False,
        group="Linux node",
        node="Linux",
        advanced=True,
    )
    timeout_seconds: int = _timeout("Linux", 300)
    tpm_passthrough: bool = setting(
        "TpmPassthrough",
        "TPM access",
        "Gives the Linux node access to the host's TPM. The product asks for confirmation.",
        kind="boolean",
        default=False,
        since="1.6",
        group="Linux node",
        node="Linux",
        advanced=True,
    )
    secondary_networks: tuple[SecondaryNetwork, ...] = setting(
        "SecondaryNetworks",
        "Secondary networks",
        "More network adapters of the Linux node.",
        kind="section",
        default=(),
        allowed="a list of objects with VMSwitchName",
        since="1.6",
        group="Secondary networks",
        node="Linux",
        advanced=True,
    )
    gpu_passthrough: GpuPassthrough = setting(
        "GpuPassthrough",
        "GPU",
        "A GPU shared with the Linux node (preview).",
        kind="section",
        factory=GpuPassthrough,
        since="1.13",
        group="GPU",
        node="Linux",
        advanced=True,
    )


class WindowsNode(Section):
    """The Windows VM: always a worker, experimental."""

    cpu_count: int = _cpu("Windows")
    memory_in_mb: int = _memory("Windows")
    ip4_address: Ipv4 | None = _address("Windows")
    mac_address: MacAddress | None = _mac_address("Windows")
    mtu: int | None = _mtu("Windows node", "Windows", None, "Found in the schema diagram only.")
    timeout_seconds: int = _timeout("Windows", 900)


class NetworkConnection(Section):
    """The physical network of the machine."""

    adapter_name: Text | None = setting(
        "AdapterName",
        "Network adapter",
        "Name of the physical adapter as Get-NetAdapter -Physical shows it; the product makes an external switch on it.",
        kind="text",
        group="Machine",
        required="in a ScalableCluster",
        only_in="ScalableCluster",
        note="With Wi-Fi the switch must be made first: making it automatically is broken.",
    )
    mtu: int = _mtu("Machine", "any", 0)


class Machine(Section):
    """One Windows host and the nodes on it."""

    arc_hybrid_compute_machine_id: Text | None = setting(
        "ArcHybridComputeMachineId",
        "Arc machine",
        "Reserved by the product.",
        kind="text",
        group="Machine",
        fixed=False,
        advanced=True,
    )
    network_connection: NetworkConnection = setting(
        "NetworkConnection",
        "Network connection",
        "The machine's physical network.",
        kind="section",
        factory=NetworkConnection,
        group="Machine",
    )
    linux_node: LinuxNode | None = setting(
        "LinuxNode",
        "Linux node",
        "The Linux VM; the first machine of a cluster needs one.",
        kind="section",
        group="Linux node",
        node="Linux",
    )
    windows_node: WindowsNode | None = setting(
        "WindowsNode",
        "Windows node",
        "The Windows VM (experimental).",
        kind="section",
        group="Windows node",
        node="Windows",
        advanced=True,
    )
