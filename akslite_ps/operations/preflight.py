"""Is the device fit? One finding per check: what was read, what is needed, what to do. Changes nothing.

Called by the ``plan`` functions of the operations. Pure judgement over facts already read; the numbers and names
come from ``aksedge.host_requirements`` and the rules of the config.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.host_requirements import (
    ARCHITECTURES,
    CLIENT_ONLY_FEATURES,
    HOST_FEATURES,
    LOCAL,
    TESTED_BUILDS,
    HostNeeds,
    edition_verdict,
    needs_of,
)
from akslite_ps.aksedge.releases import Distribution
from akslite_ps.operations.plan import Finding

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts

Severity = Literal["ok", "info", "warning", "error"]
_BUILT_IN_SHARE = 0.95
_LOCAL_NEEDS = HostNeeds(
    free_memory_mb=LOCAL.free_memory_mb,
    total_memory_mb=LOCAL.total_memory_mb,
    processors=LOCAL.processors,
    free_disk_gb=LOCAL.free_disk_gb,
    comfortable_disk_gb=LOCAL.free_disk_gb,
    profile=LOCAL,
)


def missing_features(facts: HostFacts) -> list[str]:
    """Windows features the product needs that are neither on nor about to be after a restart, in the product's order."""
    server = (facts.os_installation_type or "").casefold().startswith("server")
    wanted = [name for name in HOST_FEATURES if not (server and name in CLIENT_ONLY_FEATURES)]
    missing = [name for name in wanted if facts.host_features.get(name) not in ("Enabled", "EnablePending")]
    return missing if facts.open_ssh_client == "Installed" else [*missing, "OpenSSH.Client"]


def features_wait_for_restart(facts: HostFacts) -> bool:
    """True where a feature was switched on and works only after a restart."""
    return "EnablePending" in facts.host_features.values()


def host_findings(facts: HostFacts, *, config: DeploymentConfig | None = None, restart_planned: bool = False) -> list[Finding]:
    """The findings about the host.

    Args:
        facts: What was read.
        config: The config to be deployed; its sizes decide. None: the documented least for a local cluster.
        restart_planned: The plan restarts the device, so that a restart that is due is taken care of.
    """
    needs = needs_of(config) if config is not None else _LOCAL_NEEDS
    return [
        _system(facts),
        _architecture(facts),
        _powershell(facts),
        _elevation(facts),
        *_activation(facts),
        *_language(facts),
        _processors(facts, needs),
        _memory(facts, needs),
        _free_memory(facts, needs),
        _disk(facts, needs),
        _virtualization(facts),
        _gateway(facts),
        _pending_reboot(facts, restart_planned),
    ]


def product_findings(facts: HostFacts, *, distribution: Distribution, version: str | None) -> list[Finding]:
    """The findings about the installed product.

    Args:
        facts: What was read.
        distribution: The distribution that is wanted.
        version: The product version the installer would bring, None where its name does not tell.
    """
    needed = f"AKS Edge Essentials - {distribution}" + (f" {version}" if version else "")
    if facts.product_name is None:
        return [
            Finding(
                check="product",
                title="Product",
                severity="info",
                read="not installed",
                needed=needed,
                action="the plan installs it",
            )
        ]
    read = f"{facts.product_name} {facts.product_version or ''}".strip()
    if facts.distribution != distribution:
        return [
            _bad(
                "product",
                "Product",
                read,
                needed,
                f"use config and installer for {facts.distribution}, or uninstall the product, restart the device, and plan again",
            )
        ]
    if version and facts.product_version and facts.product_version != version:
        return [
            Finding(
                check="product",
                title="Product",
                severity="warning",
                read=read,
                needed=needed,
                action="the installed version stays: updating is another operation",
            )
        ]
    return [_good("product", "Product", read, needed)]


def config_findings(config: DeploymentConfig, *, distribution: Distribution, release: str | None) -> list[Finding]:
    """The findings about the config: what the product would refuse, and what a person should know before."""
    faults = [
        _bad(f"config:{issue.path}", f"Config field {issue.path}", _shown(issue.value), issue.allowed, issue.reason)
        for issue in config.check(distribution=distribution, release=release)
    ]
    advice = [
        Finding(
            check=f"advice:{issue.path}",
            title=f"Config field {issue.path}",
            severity="warning",
            read=_shown(issue.value),
            needed=issue.allowed,
            action=issue.reason,
        )
        for issue in config.advice(distribution=distribution, release=release)
    ]
    if faults:
        return faults + advice
    against = f"{distribution} {release}" if release else distribution
    return [_good("config", "Config", "no faults", f"every rule kept, for {against}"), *advice]


def _good(check: str, title: str, read: str, needed: str) -> Finding:
    return Finding(check=check, title=title, severity="ok", read=read, needed=needed)


def _bad(check: str, title: str, read: str, needed: str, action: str) -> Finding:
    return Finding(check=check, title=title, severity="error", read=read, needed=needed, action=action)


def _judged(check: str, title: str, severity: Severity, read: str, needed: str, action: str) -> Finding:
    return Finding(check=check, title=title, severity=severity, read=read, needed=needed, action="" if severity == "ok" else action)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _compared(check: str, title: str, value: float | None, needed: float, unit: str, action: str) -> Finding:
    """A number that must be at least so large."""
    wanted = f"at least {needed:g}{unit}"
    if value is None:
        return _untold(check, title, wanted)
    return _judged(check, title, "ok" if value >= needed else "error", f"{value:g}{unit}", wanted, action)


def _untold(check: str, title: str, needed: str) -> Finding:
    action = "look at the device: the host does not tell it"
    return Finding(check=check, title=title, severity="warning", read="not told", needed=needed, action=action)


def _system(facts: HostFacts) -> Finding:
    check, title = "os", "Windows edition and build"
    needed = f"a listed edition; recommended is build {' or '.join(map(str, TESTED_BUILDS))}"
    if facts.os_edition is None or facts.os_installation_type is None or facts.os_build is None:
        return _untold(check, title, needed)
    read = f"{facts.os_caption or 'Windows'} ({facts.os_edition}), build {facts.os_build}"
    match edition_verdict(facts.os_edition, facts.os_installation_type, facts.os_build):
        case "supported":
            return _good(check, title, read, needed)
        case "unlisted":
            action = "Microsoft does not list this Windows: try it on a device that may fail"
            return _judged(check, title, "warning", read, needed, action)
        case "unsupported":
            return _bad(
                check, title, read, needed, "use Windows 10/11 Pro, Enterprise or IoT Enterprise, or Windows Server 2019 or 2022"
            )


def _architecture(facts: HostFacts) -> Finding:
    if facts.architecture is None:
        return _untold("architecture", "Processor architecture", "x64")
    known = facts.architecture.casefold() in {name.casefold() for name in ARCHITECTURES}
    severity: Severity = "ok" if known else "error"
    action = "use a device with an x64 processor"
    return _judged("architecture", "Processor architecture", severity, facts.architecture, "x64", action)


def _powershell(facts: HostFacts) -> Finding:
    check, title, needed = "powershell", "PowerShell of the session", "Windows PowerShell 5.1"
    if facts.power_shell_version is None:
        return _untold(check, title, needed)
    severity: Severity = "ok" if facts.power_shell_version.startswith("5.1") else "error"
    action = "name a session configuration of Windows PowerShell in the endpoint (configuration_name), such as Microsoft.PowerShell"
    return _judged(check, title, severity, facts.power_shell_version, needed, action)


def _elevation(facts: HostFacts) -> Finding:
    check, title, needed = "elevation", "Rights of the session", "elevated (administrator)"
    if facts.is_elevated is None:
        return _untold(check, title, needed)
    if facts.is_elevated:
        return _good(check, title, "elevated", needed)
    action = "use an account of the Administrators group, or a session configuration that runs as a virtual account"
    return _bad(check, title, "not elevated", needed, action)


def _activation(facts: HostFacts) -> Iterator[Finding]:
    if facts.activated is None:
        return
    check, title = "activation", "Windows activation"
    if facts.activated:
        yield _good(check, title, "activated", "activated")
    else:
        action = "activate Windows: Microsoft supports the product on activated Windows only"
        yield _judged(check, title, "warning", "not activated", "activated", action)


def _language(facts: HostFacts) -> Iterator[Finding]:
    if facts.ui_language is not None and not facts.ui_language.casefold().startswith("en"):
        yield Finding(
            check="language",
            title="Display language",
            severity="warning",
            read=facts.ui_language,
            needed="en-US for progress that can be read",
            action="go on; progress is estimated by time alone, and the product's messages are shown as they come",
        )


def _processors(facts: HostFacts, needs: HostNeeds) -> Finding:
    action = "give the config's nodes fewer CPUs, or use a larger device"
    return _compared("processors", "Logical processors", facts.logical_processors, needs.processors, "", action)


def _memory(facts: HostFacts, needs: HostNeeds) -> Finding:
    # Firmware and graphics keep a part of the built-in memory: a machine sold with 4 GB tells a little less.
    needed = needs.total_memory_mb * _BUILT_IN_SHARE
    action = f"use a device with more memory ({needs.profile.name}: {needs.profile.source})"
    return _compared("memory", "Memory", facts.total_memory_mb, needed, " MB", action)


def _free_memory(facts: HostFacts, needs: HostNeeds) -> Finding:
    check, title = "free-memory", "Free memory"
    if facts.deployment_exists and facts.free_memory_mb is not None:
        read = f"{facts.free_memory_mb} MB"
        return Finding(check=check, title=title, severity="info", read=read, needed="the nodes have theirs already")
    action = "close programs on the device, lower MemoryInMB of the config's nodes, or use a device with more memory"
    return _compared(check, title, facts.free_memory_mb, needs.free_memory_mb, " MB", action)


def _disk(facts: HostFacts, needs: HostNeeds) -> Finding:
    check, title = "disk", f"Free disk on {facts.system_drive or 'the system drive'}"
    free = facts.free_disk_gb
    if free is None or free < needs.free_disk_gb or free >= needs.comfortable_disk_gb:
        return _compared(check, title, free, needs.free_disk_gb, " GB", "free disk space on the device")
    if facts.deployment_exists:
        return Finding(check=check, title=title, severity="info", read=f"{free:g} GB", needed="the nodes have theirs already")
    needed = f"{needs.comfortable_disk_gb} GB once the nodes' disks are full"
    action = "free disk space, or lower DataSizeInGB: virtual disks grow with use"
    return _judged(check, title, "warning", f"{free:g} GB", needed, action)


def _virtualization(facts: HostFacts) -> Finding:
    check, title, needed = "virtualization", "Virtualization", "enabled in firmware"
    # With a hypervisor running, Windows reports the firmware's switch as off: either sign is enough.
    if facts.hypervisor_present:
        return _good(check, title, "a hypervisor runs", needed)
    if facts.virtualization_firmware_enabled is None:
        return _untold(check, title, needed)
    if facts.virtualization_firmware_enabled:
        return _good(check, title, "enabled in firmware", needed)
    action = "enable Intel VT-x or AMD-V in the firmware; for a virtual machine expose nested virtualization to it"
    return _bad(check, title, "disabled in firmware", needed, action)


def _gateway(facts: HostFacts) -> Finding:
    check, title, needed = "gateway", "Default gateway", "a default gateway, even on a device without internet"
    if facts.default_gateway:
        return _good(check, title, facts.default_gateway, needed)
    return _bad(check, title, "none", needed, "set address, mask and default gateway on the device's network adapter")


def _pending_reboot(facts: HostFacts, restart_planned: bool) -> Finding:
    check, title = "pending-reboot", "Pending restart"
    if facts.pending_reboot is None:
        return _untold(check, title, "none")
    if not facts.pending_reboot:
        return _good(check, title, "none", "none")
    severity: Severity = "info" if restart_planned else "warning"
    read = ", ".join(facts.pending_reboot_reasons) or "a restart is due"
    action = "the plan restarts the device" if restart_planned else "restart the device first"
    return _judged(check, title, severity, read, "none", action)
