"""What a simulated Windows host tells about itself: memory, disk, services, virtualization.

Derived from the device's spec and state; read by the commands and by the deployment's own checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from akslite_ps.sandbox import assumptions

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_UPDATED_BUILDS = ((19041, 19045), (22621, 22631))
PRODUCT_DIR = "C:\\Program Files\\AksEdge"


def free_memory_mb(device: SimulatedDevice) -> int:
    """Free physical memory: what Windows and a running node leave."""
    short = device.fault("low-memory")
    if short is not None:
        return int(short.parameters["free_mb"])
    hardware, deployment = device.hardware, device.state.deployment
    used = hardware.base_memory_mb
    if deployment is not None and deployment.node.running:
        used += deployment.node.memory_mb
    return max(0, hardware.total_memory_mb - used)


def free_disk_gb(device: SimulatedDevice) -> float:
    """Free space of the system drive: the product and a node's disks take their part."""
    free = device.hardware.free_disk_gb
    if device.state.product is not None:
        free -= assumptions.PRODUCT_DISK_GB
    if device.state.deployment is not None:
        free -= assumptions.NODE_SYSTEM_DISK_GB + device.state.deployment.node.data_size_gb * assumptions.NODE_DATA_DISK_USED
    return max(0.0, round(free, 1))


def hypervisor_present(device: SimulatedDevice) -> bool:
    """True where Windows runs on its own hypervisor."""
    return device.state.features_enabled and device.hardware.virtualization_firmware_enabled


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
    if device.state.product is not None:
        # Without a default gateway the agent does not start, even on an offline device.
        running = device.hardware.default_gateway is not None
        found.append(Service("wssdagent", "WSSD Agent Service", "Running" if running else "Stopped", "Automatic"))
    return sorted(found, key=lambda service: service.name.casefold())


def powershell_version(device: SimulatedDevice) -> str:
    """The version of Windows PowerShell. It carries the build of the Windows release that later ones only update."""
    build = device.hardware.os_build
    base = next((first for first, last in _UPDATED_BUILDS if first < build <= last), build)
    return f"5.1.{base}.{assumptions.POWERSHELL_REVISION}"
