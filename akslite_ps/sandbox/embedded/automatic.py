"""The variables that PowerShell itself sets in a session on the device: ``$PWD``, ``$PSVersionTable``, ``$env:COMPUTERNAME``.

Made by ``embedded.runspace`` when a runspace is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.dotnet import PRIMITIVE_DICTIONARY, TypedDictionary
from akslite_ps.sandbox.engine import PsValue, Sender, Version

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_PREFERENCES = {
    "ErrorActionPreference": "Continue",
    "WarningPreference": "Continue",
    "InformationPreference": "SilentlyContinue",
    "VerbosePreference": "SilentlyContinue",
    "DebugPreference": "SilentlyContinue",
    "ProgressPreference": "Continue",
    "ConfirmPreference": "High",
    "WhatIfPreference": False,
}


def automatic_variables(device: SimulatedDevice, user: str) -> dict[str, Any]:
    """The automatic variables and the environment of a session of ``user`` (with or without the computer's name before it)."""
    name = user.rpartition("\\")[2]
    profile = f"C:\\Users\\{name}"
    version = host.powershell_version(device)
    return {
        **_PREFERENCES,
        **{f"env:{key}": value for key, value in _environment(device, name, profile).items()},
        "HOME": profile,
        "PWD": path_info(f"{profile}\\Documents"),
        "PSVersionTable": {
            "PSVersion": Version(version),
            "PSEdition": "Desktop",
            "PSCompatibleVersions": [Version(text) for text in ("1.0", "2.0", "3.0", "4.0", "5.0", version)],
            "BuildVersion": Version(f"{device.hardware.os_version}.1"),
            "CLRVersion": Version("4.0.30319.42000"),
            "WSManStackVersion": Version("3.0"),
            "PSRemotingProtocolVersion": Version("2.3"),
            "SerializationVersion": Version("1.1.0.1"),
        },
        "Host": PsValue({"Name": "ServerRemoteHost", "Version": Version(version)}),
        "PSCulture": "en-US",
        "PSUICulture": device.hardware.ui_language,
        "ShellId": "Microsoft.PowerShell",
        "LASTEXITCODE": None,
    }


def sender_info(sender: Sender) -> PsValue:
    """``$PSSenderInfo``: who opened the session, and what the client said about itself."""
    identity = PsValue(
        {"Name": sender.user, "IsAuthenticated": True}, ("System.Management.Automation.Remoting.PSIdentity", "System.Object")
    )
    return PsValue(
        {
            "UserInfo": PsValue({"Identity": identity}, ("System.Management.Automation.Remoting.PSPrincipal", "System.Object")),
            "ConnectedUser": sender.user,
            "ConnectionString": sender.connection,
            "ApplicationArguments": TypedDictionary(sender.application_arguments, PRIMITIVE_DICTIONARY),
            "ConfigurationName": f"http://schemas.microsoft.com/powershell/{sender.configuration}",
        },
        ("System.Management.Automation.Remoting.PSSenderInfo", "System.Object"),
    )


def path_info(path: str) -> PsValue:
    """A place in the file system, as ``$PWD`` and ``Get-Location`` give it."""
    return PsValue(
        {"Drive": path.partition(":")[0], "Provider": "Microsoft.PowerShell.Core\\FileSystem", "ProviderPath": path, "Path": path},
        ("System.Management.Automation.PathInfo", "System.Object"),
        path,
    )


def _environment(device: SimulatedDevice, user: str, profile: str) -> dict[str, str]:
    return {
        "COMPUTERNAME": device.computer_name,
        "USERNAME": user,
        "USERDOMAIN": device.computer_name,
        "USERPROFILE": profile,
        "APPDATA": f"{profile}\\AppData\\Roaming",
        "LOCALAPPDATA": f"{profile}\\AppData\\Local",
        "TEMP": f"{profile}\\AppData\\Local\\Temp",
        "TMP": f"{profile}\\AppData\\Local\\Temp",
        "HOMEDRIVE": "C:",
        "SystemDrive": "C:",
        "SystemRoot": "C:\\Windows",
        "windir": "C:\\Windows",
        "ProgramData": "C:\\ProgramData",
        "ProgramFiles": "C:\\Program Files",
        "PUBLIC": "C:\\Users\\Public",
        "OS": "Windows_NT",
        "PROCESSOR_ARCHITECTURE": device.hardware.architecture,
        "NUMBER_OF_PROCESSORS": str(device.hardware.logical_processors),
    }
