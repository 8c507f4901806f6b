"""What Windows itself writes to the event logs System and Application of a simulated device: restarts, services, installations.

Called by the device when it goes down and comes up, and by the installer. Sources, numbers and texts are Windows' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.event_log import APPLICATION, SYSTEM, Level

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_KERNEL = "Microsoft-Windows-Kernel-General"
_SERVICES = "Service Control Manager"
_DISABLED = "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it."


def note_shutdown(device: SimulatedDevice, *, is_announced: bool) -> None:
    """The machine goes down; one that nobody announced says nothing."""
    if not is_announced:
        return
    who = f"{device.computer_name}\\{device.spec.user}"
    text = (
        f"The process C:\\Windows\\system32\\shutdown.exe ({device.computer_name}) has initiated the restart of computer "
        f"{device.computer_name} on behalf of user {who} for the following reason: Other (Planned)"
    )
    _write(device, SYSTEM, "User32", 1074, text)
    _write(device, SYSTEM, "EventLog", 6006, "The Event log service was stopped.")
    _write(device, SYSTEM, _KERNEL, 13, f"The operating system is shutting down at system time {device.now().isoformat()}.")


def note_start(device: SimulatedDevice, *, was_announced: bool) -> None:
    """The machine has come up."""
    if not was_announced:
        text = (
            "The system has rebooted without cleanly shutting down first. This error could be caused if the system stopped "
            "responding, crashed, or lost power unexpectedly."
        )
        _write(device, SYSTEM, "Microsoft-Windows-Kernel-Power", 41, text, level="Critical")
        _write(device, SYSTEM, "EventLog", 6008, "The previous system shutdown was unexpected.", level="Error")
    _write(device, SYSTEM, _KERNEL, 12, f"The operating system started at system time {device.state.boot_time.isoformat()}.")
    _write(device, SYSTEM, "EventLog", 6005, "The Event log service was started.")
    note_agent(device)


def note_agent(device: SimulatedDevice) -> None:
    """The service control manager has tried to start the VM agent; says why where it could not."""
    if device.state.product is None:
        return
    if device.hardware.network_service_disabled:
        text = (
            "The WSSD Agent Service service depends on the Host Network Service service which failed to start because of the "
            f"following error: \r\n{_DISABLED}"
        )
        _write(device, SYSTEM, _SERVICES, 7001, text, level="Error")
    elif not host.agent_runs(device):
        text = "The WSSD Agent Service service terminated unexpectedly.  It has done this 1 time(s)."
        _write(device, SYSTEM, _SERVICES, 7034, text, level="Error")


def note_installation(device: SimulatedDevice, product: str, version: str, exit_code: int) -> None:
    """Windows Installer has run a package."""
    worked = exit_code in {0, 1641, 3010}
    text = (
        f"Windows Installer installed the product. Product Name: {product}. Product Version: {version}. Product Language: 1033. "
        f"Manufacturer: Microsoft Corporation. Installation success or error status: {exit_code}."
    )
    _write(device, APPLICATION, "MsiInstaller", 1033, text)
    ended = "Installation completed successfully." if worked else "Installation failed."
    _write(device, APPLICATION, "MsiInstaller", 11707 if worked else 11708, f"Product: {product} -- {ended}")


def note_update_arrived(device: SimulatedDevice, title: str) -> None:
    """Windows Update has downloaded and installed the files of an update."""
    source = "Microsoft-Windows-WindowsUpdateClient"
    _write(device, SYSTEM, source, 44, f"Windows Update started downloading an update: {title}")
    text = f"Installation Successful: Windows successfully installed the following update: {title}"
    _write(device, SYSTEM, source, 19, text)


def _write(device: SimulatedDevice, log: str, source: str, event_id: int, message: str, *, level: Level = "Information") -> None:
    device.events.write(log, source, event_id, message, device.now(), level=level)
