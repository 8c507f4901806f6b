"""The typed calls of our device-side module, and the facts they give."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from akslite_ps.aksedge import HostFacts, load_ops_catalog, ops
from akslite_ps.aksedge.installer import classify_exit_code
from akslite_ps.errors import CmdletFailed, NotPermitted
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.records import PsObject
from akslite_ps.secrets import redact

Sessions = Callable[..., Any]
BOOT = dt.datetime(2026, 11, 22, 6, 0, tzinfo=dt.UTC)
FACTS = {
    "ComputerName": "PRESS-01",
    "OsCaption": "Microsoft Windows 10 IoT Enterprise LTSC",
    "OsEdition": "IoTEnterpriseS",
    "OsVersion": "10.0.19045",
    "OsBuild": 19045,
    "OsInstallationType": "Client",
    "UiLanguage": "de-DE",
    "Architecture": "AMD64",
    "LogicalProcessors": 8,
    "TotalMemoryMB": 16384,
    "FreeMemoryMB": 11000,
    "SystemDrive": "C:",
    "FreeDiskGB": 80.5,
    "VirtualizationFirmwareEnabled": True,
    "HypervisorPresent": False,
    "DefaultGateway": "192.168.10.1",
    "Ip4Addresses": ["192.168.10.5"],
    "BootTime": BOOT,
    "LocalTime": dt.datetime(2026, 11, 22, 9, 0),  # noqa: DTZ001 (a device may send a time without a zone)
    "PendingReboot": False,
    "PendingRebootReasons": [],
    "HostFeatures": {"Microsoft-Hyper-V": "Disabled"},
    "OpenSshClient": "NotPresent",
    "PowerShellVersion": "5.1.19041.3803",
    "LanguageMode": "NoLanguage",
    "ProductName": None,
    "ProductVersion": None,
    "Distribution": None,
    "DeploymentExists": False,
    "InstallDir": None,
    "VhdxDir": None,
    "IsElevated": True,
    "Activated": True,
}


def commands(*names: str) -> list[PsObject]:
    return [PsObject({"Name": name}) for name in names]


# -- facts ----------------------------------------------------------------------------------------------------


def test_all_facts_of_a_device_become_one_typed_object(session_with: Sessions) -> None:
    facts = ops.host_facts(session_with({"Get-AksLiteFacts": PsObject(FACTS)}))
    assert facts.computer_name == "PRESS-01"
    assert (facts.os_build, facts.logical_processors, facts.free_disk_gb) == (19045, 8, 80.5)
    assert facts.ip4_addresses == ("192.168.10.5",)
    assert facts.host_features == {"Microsoft-Hyper-V": "Disabled"}
    assert facts.boot_time == BOOT
    assert facts.untold == ("product_name", "product_version", "distribution", "install_dir", "vhdx_dir")


def test_every_fact_of_the_contract_has_its_member() -> None:
    members = {name.replace("_", "") for name in HostFacts.model_fields}
    assert members == {name.casefold() for name in FACTS}


def test_missing_unknown_and_unusable_facts_are_none_and_never_an_error() -> None:
    facts = HostFacts.read(
        {"OSBUILD": "many", "FreeDiskGB": "12.5", "Surprise": object(), "HostFeatures": 7, "Ip4Addresses": "10.0.0.1"}
    )
    assert facts.os_build is None
    assert facts.free_disk_gb == 12.5
    assert facts.host_features == {}
    assert facts.ip4_addresses == ("10.0.0.1",)
    assert HostFacts.read({}).boot_time is None


def test_a_boot_time_without_a_zone_is_utc(session_with: Sessions) -> None:
    naive = BOOT.replace(tzinfo=None)
    assert HostFacts.read({"BootTime": naive}).boot_time == BOOT
    assert ops.boot_time(session_with({"Get-AksLiteBootTime": naive})) == BOOT
    assert ops.boot_time(session_with({"Get-AksLiteBootTime": "2026-11-22T07:00:00+01:00"})) == BOOT


@pytest.mark.parametrize("answer", [None, "yesterday", 5])
def test_a_boot_time_that_is_none_is_a_failure(session_with: Sessions, answer: Any) -> None:
    with pytest.raises(CmdletFailed, match="without a time"):
        ops.boot_time(session_with({"Get-AksLiteBootTime": answer}))


def test_facts_that_are_no_object_are_a_failure(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed, match="without an object"):
        ops.host_facts(session_with({"Get-AksLiteFacts": "nothing"}))


# -- changing -------------------------------------------------------------------------------------------------


def test_enabled_features_and_a_due_restart_are_told(session_with: Sessions) -> None:
    answer = PsObject({"Changed": ["Microsoft-Hyper-V"], "RebootRequired": True})
    change = ops.enable_host_features(session_with({"Enable-AksLiteHostFeatures": answer}))
    assert change.changed == ("Microsoft-Hyper-V",)
    assert change.reboot_required
    nothing = ops.enable_host_features(
        session_with({"Enable-AksLiteHostFeatures": PsObject({"Changed": None, "RebootRequired": False})})
    )
    assert nothing.changed == ()


def test_only_what_is_given_goes_to_the_installer(session_with: Sessions) -> None:
    answer = PsObject(
        {"ExitCode": 0, "Product": "AKS Edge Essentials - K3s", "Version": "1.12.269.0", "LogPath": "C:\\l", "Sha256": "ab"}
    )
    session = session_with({"Install-AksLiteMsi": answer})
    result = ops.install_msi(session, source="https://host/x.msi", features=["CoreFeature"])
    assert session.sent[0].parameters == {"Source": "https://host/x.msi", "Features": ["CoreFeature"]}
    assert result.outcome is Outcome.CHANGED
    assert result.version == "1.12.269.0"


def test_an_installer_without_an_exit_code_is_a_failure(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed, match="without an exit code"):
        ops.install_msi(session_with({"Install-AksLiteMsi": PsObject({"ExitCode": None})}), source="C:\\x.msi")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, Outcome.CHANGED),
        (1707, Outcome.CHANGED),
        (3010, Outcome.OK_REBOOT_SOFT),
        (1641, Outcome.OK_REBOOT_HARD),
        (1618, Outcome.RETRY_LATER),
        (1602, Outcome.FAILED),
        (1603, Outcome.FAILED),
        (1638, Outcome.FAILED),
        (-1, Outcome.FAILED),
        (77, Outcome.FAILED),
    ],
)
def test_exit_codes_have_their_class_and_say_what_to_do(code: int, outcome: Outcome) -> None:
    known = classify_exit_code(code)
    assert known.outcome is outcome
    assert known.meaning
    assert bool(known.next_action) == (outcome is not Outcome.CHANGED)


def test_unsigned_exit_codes_are_taken_as_signed() -> None:
    assert classify_exit_code(0xFFFFFFFF).code == -1
    assert classify_exit_code(3010 + 2**32).code == 3010


def test_a_restart_is_asked_for_with_a_reason(session_with: Sessions) -> None:
    due = BOOT + dt.timedelta(hours=3)
    session = session_with({"Request-AksLiteReboot": PsObject({"BootTime": BOOT, "DueAt": due})})
    request = ops.request_reboot(session, reason="host features", delay_s=10)
    assert session.sent[0].parameters == {"DelaySeconds": 10, "Reason": "host features"}
    assert (request.boot_time, request.due_at) == (BOOT, due)


def test_the_keys_of_a_kubeconfig_are_redacted_from_then_on(session_with: Sessions) -> None:
    text = (
        "apiVersion: v1\nclusters: []\nusers:\n- name: admin\n  user:\n    client-key-data: S2V5S2V5S2V5\n    token: tok-12345678\n"
    )
    assert ops.kube_config(session_with({"Get-AksLiteKubeConfig": text})) == text
    assert "S2V5S2V5S2V5" not in redact(text)
    assert "tok-12345678" not in redact(text)


def test_what_is_no_kubeconfig_is_a_failure(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed, match="without a kubeconfig"):
        ops.kube_config(session_with({"Get-AksLiteKubeConfig": "oops"}))


def test_workloads_come_as_kubernetes_gives_them(session_with: Sessions) -> None:
    session = session_with({"Get-AksLiteWorkload": '{"kind": "List", "items": []}'})
    assert ops.workload(session, "Pods", namespace="kube-system") == {"kind": "List", "items": []}
    ops.workload(session, "Nodes")
    assert [sent.parameters for sent in session.sent] == [{"Kind": "Pods", "Namespace": "kube-system"}, {"Kind": "Nodes"}]


@pytest.mark.parametrize("answer", ["", "error: no", "[]", None])
def test_what_is_no_kubernetes_object_is_a_failure(session_with: Sessions, answer: Any) -> None:
    with pytest.raises(CmdletFailed, match="without Kubernetes objects"):
        ops.workload(session_with({"Get-AksLiteWorkload": answer}), "Nodes")


def test_failures_of_our_functions_get_cause_and_remedy_too(session_with: Sessions) -> None:
    failed = CmdletFailed("No deployment found", command="Get-AksLiteKubeConfig", device="press-01")
    with pytest.raises(CmdletFailed) as caught:
        ops.kube_config(session_with({"Get-AksLiteKubeConfig": failed}))
    assert caught.value.cause


def test_each_call_sends_one_command(session_with: Sessions) -> None:
    session = session_with({"Get-AksLiteFacts": PsObject(FACTS)})
    ops.host_facts(session)
    assert len(session.sent) == 1


# -- making sure the functions are there ----------------------------------------------------------------------

ALL = [spec.name for spec in load_ops_catalog().current]


def _with_commands(session_with: Sessions, *names: str, language: str) -> Any:
    session = session_with({}, language=language)
    session.give("Get-Command", *commands(*names))
    return session


def test_a_device_that_has_the_functions_is_left_alone(session_with: Sessions) -> None:
    session = _with_commands(session_with, *ALL, language="none")
    assert ops.ensure_ops(session) is False
    assert session.scripts == []


def test_missing_functions_are_defined_where_scripts_are_allowed(session_with: Sessions) -> None:
    session = _with_commands(session_with, "Get-AksLiteFacts", language="full")
    assert ops.ensure_ops(session) is True
    script = session.scripts[0]
    assert script.parameters == {"Source": ops.module_source()}
    assert "Get-AksLiteFacts" not in script.name


@pytest.mark.parametrize("language", ["none", "constrained"])
def test_missing_functions_on_a_restricted_endpoint_are_explained(session_with: Sessions, language: str) -> None:
    with pytest.raises(NotPermitted, match="AksLiteOps") as caught:
        ops.ensure_ops(_with_commands(session_with, language=language))
    assert "install the module AksLiteOps" in (caught.value.next_action or "")


def test_a_role_need_not_allow_every_function(session_with: Sessions) -> None:
    assert ops.ensure_ops(_with_commands(session_with, "Get-AksLiteFacts", language="none")) is False


@pytest.mark.parametrize(
    ("command", "endpoint"),
    [
        ("Get-AksLiteFacts", "AksLite.Viewer"),
        ("Request-AksLiteReboot", "AksLite.Operator"),
        ("Get-AksLiteKubeConfig", "Microsoft.PowerShell"),
    ],
)
def test_a_refused_function_names_the_endpoint_that_allows_it(session_with: Sessions, command: str, endpoint: str) -> None:
    session = session_with({command: NotPermitted("hidden", next_action="ask")}, language="none")
    call = {
        "Get-AksLiteFacts": ops.host_facts,
        "Request-AksLiteReboot": partial(ops.request_reboot, reason="a test"),
        "Get-AksLiteKubeConfig": ops.kube_config,
    }[command]
    with pytest.raises(NotPermitted) as caught:
        call(session)
    assert endpoint in (caught.value.next_action or "")


def test_where_get_command_is_hidden_the_functions_are_simply_tried(session_with: Sessions) -> None:
    session = session_with({"Get-Command": NotPermitted("hidden")}, language="none")
    assert ops.ensure_ops(session) is False
    full = session_with({"Get-Command": CmdletFailed("broken", command="Get-Command")}, language="full")
    assert ops.ensure_ops(full) is True
