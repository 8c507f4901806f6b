"""What a simulated Windows host tells about itself: memory, disk, services, virtualization.

Derived from the device's spec and state; read by the commands and by the deployment's own checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from akslite_ps.aksedge.versions import compare
from akslite_ps.sandbox import assumptions

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.device.state import Node

_UPDATED_BUILDS = ((19041, 19045), (22621, 22631))
_FIRST_BUILD_OF_24H2 = 26100
_GPU_MENDED_IN = "1.11"
PRODUCT_DIR = "C:\\Program Files\\AksEdge"


def free_memory_mb(device: SimulatedDevice) -> int:
    """Free physical memory: what Windows and a running node leave."""
    short = device.fault("low-memory")
    if short is not None:
        return int(short.parameters["free_mb"])
    hardware, deployment = device.hardware, device.state.deployment
    used = hardware.base_memory_mb
    if deployment is not None:
        used += sum(node.memory_mb for node in deployment.nodes if node.running)
    return max(0, hardware.total_memory_mb - used)


def free_disk_gb(device: SimulatedDevice) -> float:
    """Free space of the system drive: the product and a node's disks take their part."""
    full = device.fault("disk-full")
    if full is not None:
        return float(full.parameters["free_gb"])
    free = device.hardware.free_disk_gb
    if device.state.product is not None:
        free -= assumptions.PRODUCT_DISK_GB
    if device.state.deployment is not None:
        free -= sum(disk_of_node_gb(node) for node in device.state.deployment.nodes)
    return max(0.0, round(free, 1))


def disk_of_node_gb(node: Node) -> float:
    """What the virtual disks of a node take on the host."""
    return assumptions.NODE_SYSTEM_DISK_GB + assumptions.NODE_DATA_DISK_USED * node.data_size_gb


def hypervisor_present(device: SimulatedDevice) -> bool:
    """True where Windows runs on its own hypervisor."""
    return device.state.features_enabled and device.hardware.virtualization_firmware_enabled


def has_internet(device: SimulatedDevice) -> bool:
    """True where addresses outside the site can be reached."""
    return device.hardware.internet and device.hardware.default_gateway is not None


def agent_runs(device: SimulatedDevice) -> bool:
    """True where the VM agent (service wssdagent) runs: it wants a default gateway, even offline, and the Host Network Service."""
    hardware = device.hardware
    return device.state.product is not None and hardware.default_gateway is not None and not hardware.network_service_disabled


def gpu_sharing_breaks(device: SimulatedDevice) -> bool:
    """True where the node shares a GPU of the host and its libraries cannot be loaded: Windows 11 24H2 before release 1.11."""
    product, deployment = device.state.product, device.state.deployment
    if product is None or deployment is None or device.hardware.os_build < _FIRST_BUILD_OF_24H2:
        return False
    shares = any((machine.get("LinuxNode") or {}).get("GpuPassthrough") for machine in deployment.config.get("Machines") or ())
    return bool(shares) and compare(product.version, _GPU_MENDED_IN) < 0


def can_run_virtual_machines(device: SimulatedDevice) -> bool:
    """True where a virtual machine really starts."""
    return hypervisor_present(device) and not device.hardware.nested_virtualization_missing


@dataclass(frozen=True, slots=True)
class Service:
    """A Windows service."""

    name: str
    display_name: str
    status: Literal["Running", "Stopped"]
    start_type: Literal["Automatic", "Manual", "Disabled"]


def services(device: SimulatedDevice) -> list[Service]:
    """The services that matter to the product, in order of name."""
    found = [Service("WinRM", "Windows Remote Management (WS-Management)", "Running", "Automatic")]
    if hypervisor_present(device):
        found.append(Service("vmms", "Hyper-V Virtual Machine Management", "Running", "Automatic"))
        off = device.hardware.network_service_disabled
        found.append(Service("hns", "Host Network Service", "Stopped" if off else "Running", "Disabled" if off else "Manual"))
    if device.state.product is not None:
        found.append(Service("wssdagent", "WSSD Agent Service", "Running" if agent_runs(device) else "Stopped", "Automatic"))
    return sorted(found, key=lambda service: service.name.casefold())


def powershell_version(device: SimulatedDevice) -> str:
    """The version of Windows PowerShell. It carries the build of the Windows release that later ones only update."""
    build = device.hardware.os_build
    base = next((first for first, last in _UPDATED_BUILDS if first < build <= last), build)
    return f"5.1.{base}.{assumptions.POWERSHELL_REVISION}"
