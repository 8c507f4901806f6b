"""Preflight: each finding says what was read, what is needed, what to do; nothing told is never taken as good."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.host_facts import HostFacts
from akslite_ps.operations.plan import Finding
from akslite_ps.operations.preflight import config_findings, host_findings, missing_features, product_findings

GOOD: dict[str, Any] = {
    "os_caption": "Microsoft Windows 10 IoT Enterprise LTSC",
    "os_edition": "IoTEnterpriseS",
    "os_build": 19045,
    "os_installation_type": "Client",
    "ui_language": "en-US",
    "architecture": "AMD64",
    "logical_processors": 8,
    "total_memory_mb": 16384,
    "free_memory_mb": 12000,
    "system_drive": "C:",
    "free_disk_gb": 180.0,
    "virtualization_firmware_enabled": True,
    "hypervisor_present": False,
    "default_gateway": "10.0.0.1",
    "boot_time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "pending_reboot": False,
    "host_features": {
        "Microsoft-Hyper-V": "Enabled",
        "Microsoft-Hyper-V-Management-PowerShell": "Enabled",
        "Microsoft-Hyper-V-Hypervisor": "Enabled",
    },
    "open_ssh_client": "Installed",
    "power_shell_version": "5.1.19045.3803",
    "is_elevated": True,
    "activated": True,
    "deployment_exists": False,
}


def findings(config: DeploymentConfig | None = None, restart_planned: bool = False, **changes: Any) -> dict[str, Finding]:
    facts = HostFacts.model_validate({**GOOD, **changes})
    return {found.check: found for found in host_findings(facts, config=config, restart_planned=restart_planned)}


def test_a_good_host_has_no_findings_to_act_on() -> None:
    found = findings()
    assert {finding.severity for finding in found.values()} == {"ok"}
    assert all(finding.read and finding.needed and not finding.action for finding in found.values())


@pytest.mark.parametrize(
    ("check", "changes", "severity", "read"),
    [
        ("os", {"os_edition": "Core"}, "error", "Core"),
        ("os", {"os_build": 10240}, "error", "10240"),
        ("os", {"os_edition": "ServerStandard", "os_installation_type": "Server", "os_build": 26100}, "warning", "26100"),
        ("architecture", {"architecture": "ARM64"}, "error", "ARM64"),
        ("powershell", {"power_shell_version": "7.4.6"}, "error", "7.4.6"),
        ("elevation", {"is_elevated": False}, "error", "not elevated"),
        ("activation", {"activated": False}, "warning", "not activated"),
        ("language", {"ui_language": "fr-FR"}, "warning", "fr-FR"),
        ("processors", {"logical_processors": 1}, "error", "1"),
        ("memory", {"total_memory_mb": 2048}, "error", "2048 MB"),
        ("free-memory", {"free_memory_mb": 1000}, "error", "1000 MB"),
        ("disk", {"free_disk_gb": 9.5}, "error", "9.5 GB"),
        ("virtualization", {"virtualization_firmware_enabled": False}, "error", "disabled in firmware"),
        ("gateway", {"default_gateway": None}, "error", "none"),
        ("pending-reboot", {"pending_reboot": True, "pending_reboot_reasons": ("Windows Update",)}, "warning", "Windows Update"),
    ],
)
def test_each_fault_is_found_and_says_what_to_do(check: str, changes: dict[str, Any], severity: str, read: str) -> None:
    found = findings(**changes)
    assert found[check].severity == severity
    assert read in found[check].read
    assert found[check].needed
    assert found[check].action
    assert {other.severity for name, other in found.items() if name != check} == {"ok"}


@pytest.mark.parametrize(
    "fact",
    [
        "os_edition", "architecture", "power_shell_version", "is_elevated", "logical_processors", "total_memory_mb",
        "free_memory_mb", "free_disk_gb", "pending_reboot",
    ],
)  # fmt: skip
def test_what_the_host_does_not_tell_is_a_warning(fact: str) -> None:
    warned = [finding for finding in findings(**{fact: None}).values() if finding.severity != "ok"]
    assert [(finding.severity, finding.read) for finding in warned] == [("warning", "not told")]


def test_a_running_hypervisor_proves_virtualization() -> None:
    found = findings(virtualization_firmware_enabled=False, hypervisor_present=True)
    assert found["virtualization"].severity == "ok"
    assert findings(virtualization_firmware_enabled=None)["virtualization"].severity == "warning"


def test_a_machine_sold_with_four_gigabytes_is_enough() -> None:
    assert findings(total_memory_mb=3990)["memory"].severity == "ok"


def test_the_config_decides_how_much_is_needed(config: DeploymentConfig) -> None:
    large = config.with_values(
        {"Machines[0].LinuxNode.CpuCount": 8, "Machines[0].LinuxNode.MemoryInMB": 8192, "Machines[0].LinuxNode.DataSizeInGB": 100}
    )
    found = findings(config=large, logical_processors=4, free_memory_mb=6000, free_disk_gb=50.0)
    assert found["processors"].needed == "at least 8"
    assert found["free-memory"].needed == "at least 8704 MB"
    assert {name for name, finding in found.items() if finding.severity == "error"} == {"processors", "free-memory"}
    assert found["disk"].severity == "warning"
    assert "once the nodes' disks are full" in found["disk"].needed


def test_a_deployed_device_has_given_its_memory_and_disk_away() -> None:
    found = findings(deployment_exists=True, free_memory_mb=500)
    assert found["free-memory"].severity == "info"


def test_a_restart_that_the_plan_does_is_no_warning() -> None:
    assert findings(restart_planned=True, pending_reboot=True)["pending-reboot"].severity == "info"


def test_features_that_a_server_does_not_list_are_not_missed() -> None:
    some = {"Microsoft-Hyper-V": "Enabled", "Microsoft-Hyper-V-Management-PowerShell": "EnablePending"}
    server = HostFacts.model_validate({**GOOD, "os_installation_type": "Server", "host_features": some})
    assert missing_features(server) == []
    client = HostFacts.model_validate({**GOOD, "host_features": some, "open_ssh_client": "NotPresent"})
    assert missing_features(client) == ["Microsoft-Hyper-V-Hypervisor", "OpenSSH.Client"]


def product(version: str | None = None, **facts: Any) -> Finding:
    (found,) = product_findings(HostFacts.model_validate({**GOOD, **facts}), distribution="K3s", version=version)
    return found


def test_the_installed_product_is_judged() -> None:
    assert product().severity == "info"
    installed = {"product_name": "AKS Edge Essentials - K3s", "product_version": "1.12.269.0", "distribution": "K3s"}
    assert product(**installed).severity == "ok"
    assert product("1.12.269.0", **installed).severity == "ok"
    assert product("1.11.247.0", **installed).severity == "warning"
    other = product(**{**installed, "product_name": "AKS Edge Essentials - K8s", "distribution": "K8s"})
    assert other.severity == "error"
    assert "uninstall" in other.action


def test_every_fault_of_the_config_is_a_finding(config: DeploymentConfig) -> None:
    good = config_findings(config, distribution="K3s", release="1.12.269.0")
    assert good[0].severity == "ok"
    bad = config_findings(config.with_values({"Network.NetworkPlugin": "calico"}), distribution="K3s", release="1.12.269.0")
    (fault,) = [found for found in bad if found.severity == "error"]
    assert fault.check == "config:Network.NetworkPlugin"
    assert fault.needed == "flannel"
    assert fault.action
