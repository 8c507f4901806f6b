"""Commands of Windows that PowerShell has on a device and lacks elsewhere, and what programs and the registry of the device answer.

Called through ``pwsh.proxied_call``. They are what our own device-side module and ops scripts lean on: CIM, Windows
features, services, restart. What is not here a session does not have either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands import system
from akslite_ps.sandbox.commands.table import CommandTable
from akslite_ps.sandbox.device import port_proxies
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.device.state import FirewallRule
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter, switch
from akslite_ps.sandbox.embedded.values import wildcard
from akslite_ps.sandbox.engine import EnumValue, PsValue
from akslite_ps.sandbox.pwsh import event_logs, windows_programs, windows_registry
from akslite_ps.sandbox.pwsh.cim import BadQuery, instances

_MANAGEMENT = "Microsoft.PowerShell.Management"
_CIM = "CimCmdlets"
_DISM = "Dism"
_NET_SECURITY = "NetSecurity"
_DISM_ERROR = "System.Runtime.InteropServices.COMException"
_CIM_ERROR = "Microsoft.Management.Infrastructure.CimException"
_FEATURE_STATES = {"Disabled": 2, "Enabled": 4, "EnablePending": 5}
_CAPABILITY_STATES = {"NotPresent": 0, "Installed": 4}
_SSH_CLIENT = "OpenSSH.Client~~~~0.0.1.0"


async def get_cim_instance(call: Call) -> AsyncIterator[PsValue]:
    name, where, wanted = call["ClassName"], call["Filter"], call["Property"]
    try:
        found = instances(call.device, name, where)
    except BadQuery as error:
        call.error(str(error), "HRESULT 0x80041017", "InvalidArgument", exception=_CIM_ERROR, target=where)
        return
    if found is None:
        call.error("Invalid class ", "HRESULT 0x80041010", "MetadataError", exception=_CIM_ERROR, target=name)
        return
    chosen = {name.casefold() for name in wanted or ()}
    for instance in found:
        # A property that was not asked for is there, without its value.
        values = {key: value if not chosen or key.casefold() in chosen else None for key, value in instance.properties.items()}
        yield PsValue(values, instance.type_names, instance.text)


async def get_optional_feature(call: Call) -> AsyncIterator[PsValue]:
    features, wanted = call.device.state.features, call["FeatureName"]
    found = [name for name in features if wanted is None or wildcard(wanted).fullmatch(name)]
    if not found and wanted is not None:
        call.fail(
            f"Feature name {wanted} is unknown.", "Microsoft.Dism.Commands.GetWindowsOptionalFeatureCommand", exception=_DISM_ERROR
        )
    for name in found:
        yield _feature(name, features[name])


async def enable_optional_feature(call: Call) -> AsyncIterator[PsValue]:
    device: SimulatedDevice = call.device
    for name in call["FeatureName"]:
        if name not in device.state.features:
            call.fail(
                f"Feature name {name} is unknown.",
                "Microsoft.Dism.Commands.EnableWindowsOptionalFeatureCommand",
                exception=_DISM_ERROR,
            )
        if device.state.features[name] == "Disabled":
            await device.clock.sleep(assumptions.FEATURE_SECONDS)
            device.switch_on(name)
    pending = "EnablePending" in device.state.features.values()
    yield _image_result(pending)
    if pending and not call["NoRestart"]:
        device.begin_reboot(assumptions.SHUTDOWN_SECONDS)


async def get_capability(call: Call) -> AsyncIterator[PsValue]:
    wanted = call["Name"]
    if wanted is None or wildcard(wanted).fullmatch(_SSH_CLIENT):
        state = call.device.state.openssh_client
        kind = EnumValue("Microsoft.Dism.Commands.PackageFeatureState", _CAPABILITY_STATES[state], state)
        yield PsValue({"Name": _SSH_CLIENT, "State": kind}, ("Microsoft.Dism.Commands.BasicCapabilityObject", "System.Object"))


async def add_capability(call: Call) -> AsyncIterator[PsValue]:
    if not wildcard(call["Name"]).fullmatch(_SSH_CLIENT):
        call.fail(
            "A Windows capability name was not recognized. ",
            "Microsoft.Dism.Commands.AddWindowsCapabilityCommand",
            exception=_DISM_ERROR,
        )
    await call.device.clock.sleep(assumptions.FEATURE_SECONDS)
    call.device.update(openssh_client="Installed")
    yield _image_result(restart=False)


async def restart_computer(call: Call) -> None:
    name = call.device.computer_name
    if await call.should_process(f"localhost ({name})", "Enable the Local shutdown access rights and restart the computer."):
        call.device.begin_reboot(assumptions.SHUTDOWN_SECONDS)


async def get_firewall_rule(call: Call) -> AsyncIterator[PsValue]:
    found = port_proxies.find_rules(call.device, group=call["Group"], name=call["Name"])
    if not found:
        what = call["Group"] or call["Name"]
        call.error(f"No MSFT_NetFirewallRule objects found with '{what}'.", "CmdletizationQuery_NotFound", "ObjectNotFound")
    for rule in found:
        yield _rule(rule)


async def new_firewall_rule(call: Call) -> PsValue:
    remote = call["RemoteAddress"] or ["Any"]
    return _rule(port_proxies.add_rule(call.device, call["Name"], call["Group"] or "", int(call["LocalPort"]), remote))


async def remove_firewall_rule(call: Call) -> None:
    if not port_proxies.remove_rules(call.device, call["Name"]):
        call.error(
            f"No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '{call['Name']}'.",
            "CmdletizationQuery_NotFound_InstanceID",
            "ObjectNotFound",
        )


def _rule(rule: FirewallRule) -> PsValue:
    return PsValue({"Name": rule.name, "Group": rule.group, "Enabled": "True", "Direction": "Inbound", "Action": "Allow"})


def _feature(name: str, state: str) -> PsValue:
    kind = EnumValue("Microsoft.Dism.Commands.FeatureState", _FEATURE_STATES[state], state)
    return PsValue(
        {"FeatureName": name, "State": kind},
        ("Microsoft.Dism.Commands.AdvancedFeatureObject", "Microsoft.Dism.Commands.BasicFeatureObject", "System.Object"),
    )


def _image_result(restart: bool) -> PsValue:
    return PsValue({"Path": "", "Online": True, "RestartNeeded": restart}, ("Microsoft.Dism.Commands.ImageObject", "System.Object"))


def _dism(name: str, run: Any, *own: Any, synopsis: str, read_only: bool = False) -> CommandInfo:
    verb, _, noun = name.partition("-")
    return cmdlet(
        name,
        run,
        switch("Online"),
        *own,
        module=_DISM,
        class_name=f"{verb}{noun}Command",
        synopsis=synopsis,
        read_only=read_only,
    )


EXPORTED: tuple[CommandInfo, ...] = (
    *(info for info in system.COMMANDS if info.name == "Get-Service"),
    event_logs.COMMAND,
    cmdlet(
        "Get-CimInstance",
        get_cim_instance,
        parameter("ClassName", "String", mandatory=True, position=0, sets=["ClassNameComputerSet"]),
        parameter("Namespace", "String"),
        parameter("Filter", "String", sets=["ClassNameComputerSet"]),
        parameter("Property", "String[]", sets=["ClassNameComputerSet"], aliases=("SelectProperties",)),
        parameter("OperationTimeoutSec", "Int32"),
        module=_CIM,
        class_name="GetCimInstanceCommand",
        default_set="ClassNameComputerSet",
        synopsis="Tells what Windows knows of its system, as instances of CIM classes.",
        read_only=True,
    ),
    _dism(
        "Get-WindowsOptionalFeature",
        get_optional_feature,
        parameter("FeatureName", "String"),
        synopsis="Tells the state of optional features of Windows.",
        read_only=True,
    ),
    _dism(
        "Enable-WindowsOptionalFeature",
        enable_optional_feature,
        parameter("FeatureName", "String[]", mandatory=True),
        switch("All"),
        switch("NoRestart"),
        synopsis="Switches an optional feature of Windows on.",
    ),
    _dism(
        "Get-WindowsCapability",
        get_capability,
        parameter("Name", "String"),
        switch("LimitAccess"),
        synopsis="Tells the state of capabilities of Windows.",
        read_only=True,
    ),
    _dism(
        "Add-WindowsCapability",
        add_capability,
        parameter("Name", "String", mandatory=True),
        switch("LimitAccess"),
        parameter("Source", "String[]"),
        synopsis="Adds a capability to Windows.",
    ),
    cmdlet(
        "Get-NetFirewallRule",
        get_firewall_rule,
        parameter("Name", "String"),
        parameter("Group", "String"),
        module=_NET_SECURITY,
        class_name="GetNetFirewallRuleCommand",
        synopsis="Tells the firewall rules of a name or group.",
        read_only=True,
    ),
    cmdlet(
        "New-NetFirewallRule",
        new_firewall_rule,
        parameter("Name", "String", mandatory=True),
        parameter("DisplayName", "String", mandatory=True),
        parameter("Group", "String"),
        parameter("Direction", "String"),
        parameter("Action", "String"),
        parameter("Protocol", "String"),
        parameter("LocalPort", "String"),
        parameter("RemoteAddress", "String[]"),
        module=_NET_SECURITY,
        class_name="NewNetFirewallRuleCommand",
        synopsis="Adds a firewall rule.",
    ),
    cmdlet(
        "Remove-NetFirewallRule",
        remove_firewall_rule,
        parameter("Name", "String", mandatory=True),
        module=_NET_SECURITY,
        class_name="RemoveNetFirewallRuleCommand",
        synopsis="Removes the firewall rules of a name.",
    ),
    CommandInfo(
        CommandSyntax(
            "Restart-Computer",
            (switch("Force"),),
            should_process=True,
            error_source="Microsoft.PowerShell.Commands.RestartComputerCommand",
            is_function=False,
        ),
        restart_computer,
        _MANAGEMENT,
        synopsis="Restarts the device.",
    ),
)
"""Commands that a session sees, by the modules that have them on Windows."""

ALL = CommandTable((*EXPORTED, *windows_programs.COMMANDS, *windows_registry.COMMANDS), {})
"""Also what only the files beside the generated modules call."""
