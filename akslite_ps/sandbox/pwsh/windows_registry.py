"""The registry of a simulated Windows host, as far as our own scripts read it.

Called through ``pwsh.proxied_call`` by the class that stands for ``Microsoft.Win32.RegistryKey`` in a session
(``data/SimulatedWindows.ps1``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter
from akslite_ps.sandbox.engine import PsValue

READ = "Read-SimulatedRegistry"
_CURRENT_VERSION = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
_UNINSTALL = f"{_CURRENT_VERSION}\\Uninstall"
_NAMES = "SYSTEM\\CurrentControlSet\\Control\\ComputerName"
_PORT_PROXIES = "SYSTEM\\CurrentControlSet\\Services\\PortProxy\\v4tov4\\tcp"
_PRODUCT_ID = "{5B9B1F56-2B6D-4C0E-9B43-6A6E0B1C9D11}"

Keys = Mapping[str, Mapping[str, Any]]


def machine_keys(device: SimulatedDevice) -> Keys:
    """The keys below HKEY_LOCAL_MACHINE with their values; a key's parents exist too."""
    hardware, state = device.hardware, device.state
    kind = "Server" if hardware.os_installation_type == "Server" else hardware.os_installation_type
    keys: dict[str, Mapping[str, Any]] = {
        "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion": {
            "EditionID": hardware.os_edition,
            "InstallationType": kind,
            "CurrentBuild": str(hardware.os_build),
        },
        f"{_NAMES}\\ActiveComputerName": {"ComputerName": device.computer_name},
        f"{_NAMES}\\ComputerName": {"ComputerName": device.computer_name},
        _UNINSTALL: {},
    }
    session_manager: dict[str, Any] = {}
    for reason in state.pending_reboot:
        match reason:
            case "component servicing":
                keys[f"{_CURRENT_VERSION}\\Component Based Servicing\\RebootPending"] = {}
            case "Windows Update":
                keys[f"{_CURRENT_VERSION}\\WindowsUpdate\\Auto Update\\RebootRequired"] = {}
            case "file renames":
                session_manager["PendingFileRenameOperations"] = ["\\??\\C:\\Windows\\Temp\\akslite.tmp", ""]
    keys["SYSTEM\\CurrentControlSet\\Control\\Session Manager"] = session_manager
    if state.port_proxies:
        keys[_PORT_PROXIES] = {
            f"{p.listen_address}/{p.listen_port}": f"{p.connect_address}/{p.connect_port}" for p in state.port_proxies
        }
    if state.product is not None:
        keys[f"{_UNINSTALL}\\{_PRODUCT_ID}"] = {
            "DisplayName": state.product.display_name,
            "DisplayVersion": state.product.version,
            "InstallLocation": state.product.install_dir,
            "Publisher": "Microsoft Corporation",
        }
    return keys


async def read_key(call: Call) -> PsValue | None:
    """A key's values and the names of the keys below it; nothing where there is no such key."""
    wanted = call["Key"].strip("\\").casefold()
    keys = {path.casefold(): (path, values) for path, values in machine_keys(call.device).items()}
    below = {path[len(wanted) + 1 :].partition("\\")[0] for folded, (path, _) in keys.items() if folded.startswith(f"{wanted}\\")}
    if wanted not in keys and not below:
        return None
    return PsValue({"Values": dict(keys[wanted][1]) if wanted in keys else {}, "SubKeys": sorted(below)})


COMMANDS = (
    CommandInfo(
        CommandSyntax(READ, (parameter("Key", "String", mandatory=True),), error_source=READ), read_key, "", read_only=True
    ),
)
