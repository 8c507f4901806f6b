"""The functions of our device-side module AksLiteOps, as commands of the simulated device.

Parameters come from the module's catalog (``akslite_ps.aksedge``), behaviour from the device's state. Names and
outputs are the contract with the real module; what it does on Windows is not repeated here.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NoReturn

from akslite_ps.aksedge import load_ops_catalog
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands import ops_events, ops_exposure, ops_removal, ops_update
from akslite_ps.sandbox.commands.aksedge.nodes import kubeconfig_text
from akslite_ps.sandbox.commands.catalog import command_from_spec
from akslite_ps.sandbox.device import host, installer, kubectl
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, Implementation
from akslite_ps.sandbox.engine import Progress, PsValue

VERSION = "0.1.0"
_FEATURES_ACTIVITY = "Enabling host features"
_PROGRESS_STEPS = 20
_INVALID_OPERATION = "System.InvalidOperationException"


async def get_facts(call: Call) -> PsValue:
    device, hardware, state = call.device, call.device.hardware, call.device.state
    product, hypervisor = state.product, host.hypervisor_present(device)
    return PsValue(
        {
            "ComputerName": device.computer_name,
            "OsCaption": hardware.os_caption,
            "OsEdition": hardware.os_edition,
            "OsVersion": hardware.os_version,
            "OsBuild": hardware.os_build,
            "OsInstallationType": hardware.os_installation_type,
            "UiLanguage": hardware.ui_language,
            "Architecture": hardware.architecture,
            "LogicalProcessors": hardware.logical_processors,
            "TotalMemoryMB": hardware.total_memory_mb,
            "FreeMemoryMB": host.free_memory_mb(device),
            "SystemDrive": "C:",
            "FreeDiskGB": host.free_disk_gb(device),
            "VirtualizationFirmwareEnabled": hardware.virtualization_firmware_enabled or hypervisor,
            "HypervisorPresent": hypervisor,
            "DefaultGateway": hardware.default_gateway,
            "Ip4Addresses": list(hardware.ip4_addresses),
            "BootTime": state.boot_time,
            "LocalTime": device.now(),
            "PendingReboot": bool(state.pending_reboot),
            "PendingRebootReasons": list(state.pending_reboot),
            "HostFeatures": dict(state.features),
            "OpenSshClient": state.openssh_client,
            "PowerShellVersion": host.powershell_version(device),
            "LanguageMode": "NoLanguage",
            "ProductName": product.display_name if product else None,
            "ProductVersion": product.version if product else None,
            "Distribution": product.distribution if product else None,
            "DeploymentExists": state.deployment is not None,
            "InstallDir": product.install_dir if product else None,
            "VhdxDir": product.vhdx_dir if product else None,
            "IsElevated": True,
            "Activated": hardware.activated,
        }
    )


async def get_boot_time(call: Call) -> dt.datetime:
    return call.device.state.boot_time


async def enable_host_features(call: Call) -> PsValue:
    device, changed = call.device, []
    steps = len(device.state.features) + 2

    def show(done: int, status: str) -> None:
        call.progress(Progress(_FEATURES_ACTIVITY, status, percent=100 * done // steps))

    for done, (name, state) in enumerate(device.state.features.items()):
        show(done, name)
        if state == "Disabled":
            await device.clock.sleep(assumptions.FEATURE_SECONDS)
            changed.append(name)
            device.switch_on(name)
    show(steps - 2, "OpenSSH client")
    if device.state.openssh_client != "Installed":
        await device.clock.sleep(assumptions.FEATURE_SECONDS)
        device.update(openssh_client="Installed")
        changed.append("OpenSSH.Client")
    show(steps - 1, "Power settings")
    call.progress(Progress(_FEATURES_ACTIVITY, completed=True))
    return PsValue({"Changed": changed, "RebootRequired": "EnablePending" in device.state.features.values()})


async def install_msi(call: Call) -> PsValue:
    device, source = call.device, call["Source"]
    package = installer.find_package(source)
    if package is None:
        _no_installer(call, source)
    await _fetch(call, package)
    if call["Sha256"] and call["Sha256"].casefold() != package.sha256:
        call.fail(
            f"the installer's SHA-256 is {package.sha256}, not {call['Sha256'].casefold()}",
            "ChecksumMismatch",
            "SecurityError",
            exception=_INVALID_OPERATION,
        )
    await _run_installer(call)
    code = installer.install(
        device, package, install_dir=call["InstallDir"], vhdx_dir=call["VhdxDir"], features=call["Features"] or []
    )
    if code == installer.REBOOT_INITIATED:
        device.begin_reboot(assumptions.SHUTDOWN_SECONDS)
    product = device.state.product
    return PsValue(
        {
            "ExitCode": code,
            "Product": product.display_name if product else None,
            "Version": product.version if product else None,
            "LogPath": f"C:\\Windows\\AksLiteTemp\\logs\\msi-{device.now():%Y%m%d-%H%M%S}.log",
            "Sha256": package.sha256,
        }
    )


async def _fetch(call: Call, package: installer.Package) -> None:
    activity = "Downloading the installer" if call["Source"].lower().startswith("https:") else "Copying the installer"
    size = installer.PACKAGE_MB
    for done in range(0, size, size // _PROGRESS_STEPS):
        status = f"{done} of {size} MB"
        call.progress(Progress(activity, status, percent=100 * done // size))
        await call.device.clock.sleep(assumptions.DOWNLOAD_SECONDS / _PROGRESS_STEPS)
    call.progress(Progress(activity, completed=True))


async def _run_installer(call: Call) -> None:
    activity, passed = "Installing the product", 0.0
    while passed < assumptions.MSI_SECONDS:
        call.progress(Progress(activity, f"{passed:.0f} s"))
        await call.device.clock.sleep(assumptions.MSI_SECONDS / _PROGRESS_STEPS)
        passed += assumptions.MSI_SECONDS / _PROGRESS_STEPS
        if passed > assumptions.MSI_SECONDS / 2 and call.device.take_fault("reboot-during", at="msi"):
            await call.device.reboot_under_us()
    call.progress(Progress(activity, completed=True))


def _no_installer(call: Call, source: str) -> NoReturn:
    if source.lower().startswith("https:"):
        call.fail(
            'Exception calling "GetResponse" with "0" argument(s): "The remote server returned an error: (404) Not Found."',
            "WebException",
            exception="System.Net.WebException",
        )
    call.fail(
        f'Exception calling "OpenRead" with "1" argument(s): "Could not find file \'{source}\'."',
        "FileNotFoundException",
        exception="System.IO.FileNotFoundException",
    )


async def request_reboot(call: Call) -> PsValue:
    device, delay = call.device, call["DelaySeconds"]
    due = device.now() + dt.timedelta(seconds=device.clock.notice_seconds(delay))
    device.begin_reboot(delay)
    return PsValue({"BootTime": device.state.boot_time, "DueAt": due})


async def get_kube_config(call: Call) -> str:
    if call.device.state.product is None:
        call.runspace.find("AksEdge\\Get-AksEdgeKubeConfig")
    return kubeconfig_text(call)


async def get_workload(call: Call) -> str:
    await get_kube_config(call)
    cluster = call.device.cluster.cluster
    assert cluster is not None, "without a running node there is no kubeconfig"
    return kubectl.get(cluster, call["Kind"], call["Namespace"] or "")


_RUN: dict[str, Implementation] = {
    "Get-AksLiteFacts": get_facts,
    "Get-AksLiteBootTime": get_boot_time,
    "Get-AksLiteEvent": ops_events.get_event,
    "Enable-AksLiteHostFeatures": enable_host_features,
    "Install-AksLiteMsi": install_msi,
    "Request-AksLiteReboot": request_reboot,
    "Get-AksLiteKubeConfig": get_kube_config,
    "Get-AksLiteWorkload": get_workload,
    **ops_exposure.RUN,
    **ops_removal.RUN,
    **ops_update.RUN,
}
_FOLDER = r"^[A-Za-z]:\\[^\"<>|?*:\r\n]*\Z"
_IPV4 = r"^(\d{1,3}\.){3}\d{1,3}\Z"
_STRICTER: dict[str, dict[str, dict[str, Any]]] = {
    "Install-AksLiteMsi": {
        "Source": {"pattern": r"^(https://[^\s\"']+|\\\\[^\"<>|?*\r\n]+|[A-Za-z]:\\[^\"<>|?*:\r\n]+)\Z"},
        "Sha256": {"pattern": r"^[0-9A-Fa-f]{64}\Z"},
        "InstallDir": {"pattern": _FOLDER},
        "VhdxDir": {"pattern": _FOLDER},
    },
    "Add-AksLiteExposure": {
        "ListenPort": {"minimum": 1, "maximum": 65535},
        "ListenAddress": {"pattern": _IPV4},
        "ConnectAddress": {"pattern": _IPV4},
        "ConnectPort": {"minimum": 1, "maximum": 65535},
        "RemoteAddress": {"pattern": r"^(LocalSubnet|(\d{1,3}\.){3}\d{1,3}(/\d{1,2})?)\Z"},
    },
    "Remove-AksLiteExposure": {"ListenPort": {"minimum": 1, "maximum": 65535}, "ListenAddress": {"pattern": _IPV4}},
    "Get-AksLiteEvent": {"Newest": {"minimum": 1, "maximum": 1000}},
    "Get-AksLiteLeftover": {"VhdxDir": {"pattern": _FOLDER}},
    "Get-AksLiteWorkload": {"Namespace": {"pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"}},
    "Request-AksLiteReboot": {
        "DelaySeconds": {"minimum": 2, "maximum": 86400},
        "Reason": {"pattern": r"^[^\"\r\n]{0,499}[^\"\\\r\n]\Z"},
    },
}
COMMANDS: tuple[CommandInfo, ...] = tuple(
    command_from_spec(spec, _RUN[spec.name], version=VERSION, stricter=_STRICTER.get(spec.name))
    for spec in load_ops_catalog().current
    if spec.name in _RUN
)
