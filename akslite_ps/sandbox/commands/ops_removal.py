"""The functions of AksLiteOps for Azure Arc and for removal, as commands of the simulated device.

Registered by ``commands.ops``. The rules for what is found are those of the real module; the host behind them is the device's
state and its drive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, installer
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import Progress, PsValue

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_ADDRESSES = ("https://login.microsoftonline.com", "https://management.azure.com", "https://mcr.microsoft.com")
_SECRET = re.compile(rb'("(?:ClientSecret|Password)"\s*:\s*")(?:[^"\\]|\\.)+(")', re.IGNORECASE)
_SCRIPT_FOLDER = assumptions.KEPT_CONFIG_FOLDERS[0]
_STEPS = 10


async def test_internet(call: Call) -> PsValue:
    reached = _ADDRESSES if host.has_internet(call.device) else ()
    return PsValue({"Reached": list(reached), "Missed": [address for address in _ADDRESSES if address not in reached]})


async def clear_config_secret(call: Call) -> PsValue:
    drive, found = call.device.drive, []
    for folder in assumptions.KEPT_CONFIG_FOLDERS:
        for path in _json_files(call.device, folder):
            data = drive.read(path) or b""
            if _SECRET.search(data):
                found.append(path)
                if not call["ListOnly"]:
                    drive.write(path, _SECRET.sub(rb"\1\2", data))
    return PsValue({"Files": found, "Failed": []})


def _json_files(device: SimulatedDevice, folder: str) -> Iterator[str]:
    for entry in list(device.drive.entries(folder)):
        if entry.is_folder:
            yield from _json_files(device, entry.path)
        elif entry.path.casefold().endswith(".json"):
            yield entry.path


async def uninstall_product(call: Call) -> PsValue:
    device, activity = call.device, "Uninstalling the product"
    if device.state.product is None:
        call.fail(
            "the product is not installed", "ProductNotInstalled", "ObjectNotFound", exception="System.InvalidOperationException"
        )
    for done in range(_STEPS):
        call.progress(Progress(activity, f"{assumptions.UNINSTALL_SECONDS * done / _STEPS:.0f} s"))
        await device.clock.sleep(assumptions.UNINSTALL_SECONDS / _STEPS)
    code = await installer.uninstall(device)
    call.progress(Progress(activity, completed=True))
    log = f"C:\\Windows\\AksLiteTemp\\logs\\uninstall-{device.now():%Y%m%d-%H%M%S}.log"
    return PsValue({"ExitCode": code, "LogPath": log})


async def get_leftover(call: Call) -> PsValue:
    device, state = call.device, call.device.state
    folder = call["VhdxDir"] or (state.product.vhdx_dir if state.product else host.PRODUCT_DIR)
    names = [node.name for node in state.deployment.nodes] if state.deployment else []
    if not names and device.fault("already-deployed") is not None:
        names = [f"{device.computer_name.lower()}-ledge"]
    switches = [*state.left_switches, *([state.deployment.switch] if state.deployment else [])]
    folders = [path for path in assumptions.KEPT_CONFIG_FOLDERS if device.drive.entry(path) is not None]
    hyper_v = host.hypervisor_present(device)
    keys = [*(["HKLM:\\SOFTWARE\\Microsoft\\AksEdge"] if state.product else [])]
    if _SCRIPT_FOLDER in folders:
        keys.append("HKLM:\\SOFTWARE\\AksEdgeScript")
    return PsValue(
        {
            "NodeDisks": [f"{folder}\\{name}.vhdx" for name in names],
            "Switches": list(dict.fromkeys(switches)) if hyper_v else None,
            "Networks": list(dict.fromkeys(switches)) if hyper_v else None,
            "PortProxies": [
                f"{p.listen_address}:{p.listen_port} -> {p.connect_address}:{p.connect_port}" for p in state.port_proxies
            ],
            "RegistryKeys": keys,
            "Folders": folders,
        }
    )


RUN: dict[str, Implementation] = {
    "Clear-AksLiteConfigSecret": clear_config_secret,
    "Get-AksLiteLeftover": get_leftover,
    "Test-AksLiteInternet": test_internet,
    "Uninstall-AksLiteProduct": uninstall_product,
}
