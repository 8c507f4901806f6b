"""CIM classes of a simulated Windows host, as far as our own scripts read them, and the WQL conditions they are asked with.

Called by ``pwsh.windows_commands``. Names and units are those of the Win32 provider's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.embedded.comparison import compare
from akslite_ps.sandbox.embedded.values import property_of, wildcard
from akslite_ps.sandbox.engine import PsValue

_NAMESPACE = "root/cimv2"
_WINDOWS = "55c92734-d682-4d71-983e-d6ec3f16059f"
_KB, _MB, _GB = 1024, 1024**2, 1024**3
_CONDITION = re.compile(
    r"""\s*(?P<name>\w+)\s*(?:
        (?P<null>IS\s+(?P<not>NOT\s+)?NULL)
        | (?P<operator>=|<>|!=|LIKE)\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<word>\w+))
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_AND = re.compile(r"AND\b", re.IGNORECASE)


class BadQuery(ValueError):
    """A condition that is not read."""


def instances(device: SimulatedDevice, class_name: str, condition: str | None) -> list[PsValue] | None:
    """The instances of a class.

    Args:
        device: Whose.
        class_name: Ignoring case.
        condition: WQL: comparisons joined by AND; None for all.

    Returns:
        The instances, None where the class is not known.

    Raises:
        BadQuery: The condition is something else.
    """
    known = {name.casefold(): name for name in _CLASSES}
    name = known.get(class_name.casefold())
    if name is None:
        return None
    names = (
        f"Microsoft.Management.Infrastructure.CimInstance#{_NAMESPACE}/{name}",
        "Microsoft.Management.Infrastructure.CimInstance",
    )
    found = [PsValue(values, (*names, "System.Object"), text=name) for values in _CLASSES[name](device)]
    return [one for one in found if _fits(one, condition)] if condition else found


def _fits(instance: PsValue, condition: str) -> bool:
    position = 0
    while True:
        match = _CONDITION.match(condition, position)
        if match is None:
            raise BadQuery("Invalid query ")
        if not _holds(instance, match):
            return False
        position = match.end()
        if position == len(condition):
            return True
        joined = _AND.match(condition, position)
        if joined is None:
            raise BadQuery("Invalid query ")
        position = joined.end()


def _holds(instance: PsValue, match: re.Match[str]) -> bool:
    _, value = property_of(instance, match["name"])
    if match["null"]:
        is_null = value is None
        return is_null != bool(match["not"])
    wanted: Any = match["single"] if match["single"] is not None else match["double"]
    if wanted is None:
        wanted = {"true": True, "false": False}.get(match["word"].casefold(), match["word"])
    if match["operator"].upper() == "LIKE":
        return wildcard(str(wanted).replace("%", "*").replace("_", "?")).fullmatch(str(value)) is not None
    equal = compare(value, wanted) == 0
    return equal == (match["operator"] == "=")


def _operating_system(device: SimulatedDevice) -> list[dict[str, Any]]:
    hardware = device.hardware
    return [
        {
            "Caption": hardware.os_caption,
            "Version": hardware.os_version,
            "BuildNumber": str(hardware.os_build),
            "CSName": device.computer_name,
            "OSArchitecture": "64-bit",
            "TotalVisibleMemorySize": hardware.total_memory_mb * _KB,
            "FreePhysicalMemory": host.free_memory_mb(device) * _KB,
            "LastBootUpTime": device.state.boot_time,
            "LocalDateTime": device.now(),
            "WindowsDirectory": "C:\\Windows",
            "SystemDrive": "C:",
        }
    ]


def _computer_system(device: SimulatedDevice) -> list[dict[str, Any]]:
    hardware = device.hardware
    return [
        {
            "Name": device.computer_name,
            "HypervisorPresent": host.hypervisor_present(device),
            "NumberOfLogicalProcessors": hardware.logical_processors,
            "TotalPhysicalMemory": hardware.total_memory_mb * _MB,
            "PartOfDomain": False,
            "Domain": "WORKGROUP",
        }
    ]


def _processor(device: SimulatedDevice) -> list[dict[str, Any]]:
    hardware = device.hardware
    # Under a hypervisor the processor no longer reports the firmware's setting.
    enabled = hardware.virtualization_firmware_enabled and not host.hypervisor_present(device)
    return [
        {
            "DeviceID": "CPU0",
            "NumberOfLogicalProcessors": hardware.logical_processors,
            "VirtualizationFirmwareEnabled": enabled,
        }
    ]


def _network_adapters(device: SimulatedDevice) -> list[dict[str, Any]]:
    hardware = device.hardware
    gateway = None if hardware.default_gateway is None else [hardware.default_gateway]
    return [
        {
            "Index": 1,
            "Description": "Ethernet",
            "IPEnabled": True,
            "IPAddress": list(hardware.ip4_addresses),
            "DefaultIPGateway": gateway,
        }
    ]


def _logical_disks(device: SimulatedDevice) -> list[dict[str, Any]]:
    return [{"DeviceID": "C:", "DriveType": 3, "FreeSpace": int(host.free_disk_gb(device) * _GB), "FileSystem": "NTFS"}]


def _licences(device: SimulatedDevice) -> list[dict[str, Any]]:
    activated = device.hardware.activated
    if activated is None:
        return []
    return [
        {
            "ApplicationID": _WINDOWS,
            "Name": device.hardware.os_edition,
            "PartialProductKey": "8HVX7",
            "LicenseStatus": 1 if activated else 5,
        }
    ]


def _services(device: SimulatedDevice) -> list[dict[str, Any]]:
    return [
        {"Name": s.name, "DisplayName": s.display_name, "State": s.status, "StartMode": s.start_type} for s in host.services(device)
    ]


_CLASSES: Mapping[str, Callable[[SimulatedDevice], list[dict[str, Any]]]] = {
    "Win32_OperatingSystem": _operating_system,
    "Win32_ComputerSystem": _computer_system,
    "Win32_Processor": _processor,
    "Win32_NetworkAdapterConfiguration": _network_adapters,
    "Win32_LogicalDisk": _logical_disks,
    "Win32_Service": _services,
    "SoftwareLicensingProduct": _licences,
}
