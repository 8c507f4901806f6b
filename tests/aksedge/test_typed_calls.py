"""The typed calls of the product's cmdlets: what is sent, and what an answer means."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.aksedge import AksEdge, load_catalog
from akslite_ps.errors import CmdletFailed, UsageError
from akslite_ps.remoting.records import ErrorRecord, PsObject, WarningRecord

CONFIG = json.dumps({"SchemaVersion": "1.16", "Machines": [{"LinuxNode": {}}]})
Sessions = Callable[..., Any]
Told = Callable[..., Any]


def test_ok_is_the_one_answer_that_means_success(session_with: Sessions) -> None:
    session = session_with({"New-AksEdgeDeployment": "OK"})
    assert AksEdge(session).new_deployment(CONFIG) == "OK"
    assert session.sent[0].parameters == {"JsonConfigString": CONFIG}


def test_another_answer_is_the_failure_with_cause_and_remedy(session_with: Sessions) -> None:
    text = "Failed to get nodeagent certificate: Not Found"
    with pytest.raises(CmdletFailed) as caught:
        AksEdge(session_with({"New-AksEdgeDeployment": text})).new_deployment(CONFIG)
    error = caught.value
    assert error.message == text
    assert error.command == "New-AksEdgeDeployment"
    assert error.device == "press-01"
    assert error.cause is not None
    assert "default gateway" in error.cause
    assert error.next_action is not None
    assert "gateway" in error.next_action


def test_the_cause_is_looked_for_in_what_was_told_too(session_with: Sessions, told: Told) -> None:
    answer = told("Deployment failed", lines=("Creating vnet", "error during ConnectToVirtualMachine", "giving up"))
    with pytest.raises(CmdletFailed) as caught:
        AksEdge(session_with({"New-AksEdgeDeployment": answer})).new_deployment(CONFIG)
    assert caught.value.message == "Deployment failed"
    assert "not quite gone" in (caught.value.cause or "")


def test_no_answer_at_all_is_a_failure(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed, match="answered nothing"):
        AksEdge(session_with()).new_deployment(CONFIG)


def test_an_unknown_failure_says_where_to_look(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed) as caught:
        AksEdge(session_with({"New-AksEdgeDeployment": "no idea"})).new_deployment(CONFIG)
    assert caught.value.cause is None
    assert "logs" in (caught.value.next_action or "")


def test_errors_that_did_not_end_it_do_not_spoil_an_ok(session_with: Sessions, told: Told) -> None:
    answer = told("OK")
    answer.records.append(ErrorRecord("Cannot find path"))
    assert AksEdge(session_with({"New-AksEdgeDeployment": answer})).new_deployment(CONFIG) == "OK"


@pytest.mark.parametrize(("schema", "tolerated"), [("1.15", True), ("1.9", True), ("1.16", False), (None, False)])
def test_missing_arc_is_tolerated_below_schema_1_16_only(session_with: Sessions, schema: str | None, tolerated: bool) -> None:
    text = "Azure Arc parameters not set or invalid"
    edge = AksEdge(session_with({"New-AksEdgeDeployment": text}))
    config = json.dumps({"SchemaVersion": schema})
    if tolerated:
        assert edge.new_deployment(config) == text
        return
    with pytest.raises(CmdletFailed, match="Arc"):
        edge.new_deployment(config)


def test_the_question_about_the_tpm_is_answered(session_with: Sessions) -> None:
    session = session_with({"New-AksEdgeDeployment": "OK"})
    config = json.dumps({"Machines": [{"linuxnode": {"tpmpassthrough": True}}]})
    AksEdge(session).new_deployment(config)
    assert session.sent[0].parameters == {"JsonConfigString": config, "Confirm": False}


def test_what_is_no_json_is_not_sent(session_with: Sessions) -> None:
    session = session_with()
    with pytest.raises(UsageError, match="no JSON"):
        AksEdge(session).new_deployment("{")
    assert session.sent == []


def test_host_features_that_complain_are_not_taken_as_fine(session_with: Sessions, told: Told) -> None:
    complaint = "OpenSSH.Client version does not meet the version compatible. Please manually upgrade to the latest version"
    answer = told(
        True,
        lines=(
            " - Checking host for required features",
            f" - Checking OpenSSH version of the Host\n{complaint}",
            "All required host features are installed",
        ),
    )
    answer.records.append(WarningRecord("Nested virtualization is not enabled"))
    session = session_with({"Install-AksEdgeHostFeatures": answer})
    features = AksEdge(session).install_host_features()
    assert features.ready
    assert features.complaints == (complaint, "Nested virtualization is not enabled")
    assert session.sent[0].parameters == {"Confirm": False}


def test_quiet_host_features_have_no_complaints(session_with: Sessions, told: Told) -> None:
    lines = (
        " - Checking the status of 'Microsoft-Hyper-V'",
        " - Checking the status of 'OpenSSH.Client*'",
        " - Checking power management settings of the Host",
    )
    assert AksEdge(session_with({"Install-AksEdgeHostFeatures": told(True, lines=lines)})).install_host_features().complaints == ()


def test_a_network_check_keeps_its_lines(session_with: Sessions, told: Told) -> None:
    lines = ("Validating AksEdge network parameters...", "*** 0 errors found in the deployment configuration.")
    check = AksEdge(session_with({"Test-AksEdgeNetworkParameters": told(True, lines=lines)})).test_network_parameters(CONFIG)
    assert check.passed
    assert check.lines == lines


@pytest.mark.parametrize(("answer", "meant"), [(True, True), ("True", True), (False, False), ("False", False), (None, False)])
def test_yes_and_no_are_read_in_whatever_form(session_with: Sessions, answer: Any, meant: bool) -> None:
    edge = AksEdge(
        session_with({"Test-AksEdgeDeployment": answer, "Test-AksEdgeNode": answer, "Test-AksEdgeArcConnection": answer})
    )
    assert (edge.test_deployment(), edge.test_node(), edge.test_arc_connection()) == (meant,) * 3


@pytest.mark.parametrize(
    "answer",
    [
        PsObject({"Ipv4": "192.168.1.2", "MacAddress": "00-15-5D-01-02-03"}),
        ["00-15-5D-01-02-03", "192.168.1.2"],
        "Node address: 192.168.1.2, 00-15-5D-01-02-03",
    ],
    ids=["object", "list", "text"],
)
def test_a_nodes_address_is_read_in_whatever_form(session_with: Sessions, answer: Any) -> None:
    address = AksEdge(session_with({"Get-AksEdgeNodeAddr": answer})).get_node_addr()
    assert (address.ip, address.mac) == ("192.168.1.2", "00-15-5D-01-02-03")


def test_an_address_that_is_not_told_is_none(session_with: Sessions) -> None:
    address = AksEdge(session_with()).get_node_addr("Windows")
    assert (address.ip, address.mac) == (None, None)


def test_names_and_deployment_info_are_read(session_with: Sessions) -> None:
    info = PsObject({"LinuxNodeConfig": {"ServiceIpRange": "192.168.1.4-192.168.1.13"}})
    edge = AksEdge(session_with({"Get-AksEdgeNodeName": "PRESS-01-ledge\r\n", "Get-AksEdgeDeploymentInfo": info}))
    assert edge.get_node_name() == "PRESS-01-ledge"
    assert edge.get_deployment_info()["linuxnodeconfig"]["ServiceIpRange"].startswith("192.168.1.4")
    assert AksEdge(session_with()).get_deployment_info() == {}


def test_a_kubeconfig_is_never_written_to_the_callers_own(session_with: Sessions) -> None:
    session = session_with()
    with pytest.raises(UsageError):
        AksEdge(session).get_kube_config(" ")
    AksEdge(session).get_kube_config(r"C:\temp\kube")
    assert session.sent[0].parameters == {"Confirm": False, "KubeConfigPath": r"C:\temp\kube", "NodeType": "Linux"}


def test_removing_is_forced_and_must_be_confirmed_by_the_answer(session_with: Sessions) -> None:
    session = session_with({"Remove-AksEdgeDeployment": True})
    AksEdge(session).remove_deployment()
    assert session.sent[0].parameters == {"Force": True}
    with pytest.raises(CmdletFailed):
        AksEdge(session_with()).remove_deployment()


@pytest.mark.parametrize("answer", ["OK", True, "True"])
def test_both_answers_of_the_arc_connection_are_success(session_with: Sessions, answer: Any) -> None:
    AksEdge(session_with({"Connect-AksEdgeArc": answer})).connect_arc(CONFIG)


def test_a_refused_arc_connection_has_its_cause(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed) as caught:
        AksEdge(session_with({"Connect-AksEdgeArc": "An item with the same key has already been added."})).connect_arc(CONFIG)
    assert "connectivity test" in (caught.value.cause or "")


# -- any cmdlet of the catalog --------------------------------------------------------------------------------


def test_any_cmdlet_is_sent_in_the_catalogs_spelling_and_kept_quiet(session_with: Sessions) -> None:
    session = session_with()
    AksEdge(session).call("set-aksedgenodetodrain", nodetype="LinuxAndWindows", timeoutseconds=60, erroraction="Stop")
    assert session.sent[0].name == "Set-AksEdgeNodeToDrain"
    assert session.sent[0].parameters == {"Force": True, "NodeType": "LinuxAndWindows", "TimeoutSeconds": 60, "ErrorAction": "Stop"}


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("Get-AksEdgeNodeAdress", {}, "no cmdlet"),
        ("Set-AksEdgeArcConnection", {}, "not part of today's product"),
        ("Set-AksEdgeBillingPodState", {}, "not part of today's product"),
        ("Get-AksEdgeNodeAddr", {"NodeTyp": "Linux"}, "no parameter NodeTyp"),
        ("Get-AksEdgeNodeAddr", {"NodeType": "BSD"}, "does not take NodeType"),
        ("Remove-AksEdgeNode", {}, "needs NodeType"),
        ("Copy-AksEdgeNodeFile", {"FromFile": "a"}, "needs ToFile"),
        ("Connect-AksEdgeArc", {}, "needs JsonConfig"),
        ("Connect-AksEdgeArc", {"JsonConfigString": "{}", "JsonConfigFilePath": "c"}, "together"),
    ],
)
def test_a_wrong_call_is_refused_before_it_is_sent(
    session_with: Sessions, name: str, parameters: dict[str, Any], message: str
) -> None:
    session = session_with()
    with pytest.raises(UsageError, match=message) as caught:
        AksEdge(session).call(name, **parameters)
    assert caught.value.next_action
    assert session.sent == []


def test_an_error_of_any_cmdlet_gets_cause_and_remedy(session_with: Sessions) -> None:
    failed = CmdletFailed(
        "Please create a deployment before using this commandlet.",
        command="New-AksEdgeScaleConfig",
        device="press-01",
        error_id="X",
    )
    with pytest.raises(CmdletFailed) as caught:
        AksEdge(session_with({"New-AksEdgeScaleConfig": failed})).call("New-AksEdgeScaleConfig", ScaleType="AddNode")
    assert "no deployment" in (caught.value.cause or "")
    assert caught.value.error_id == "X"
    assert caught.value.__cause__ is failed


def test_every_current_cmdlet_without_mandatory_parameters_can_be_called(session_with: Sessions) -> None:
    session = session_with()
    plain = [spec for spec in load_catalog().current if not any(p.mandatory for p in spec.parameters)]
    for spec in plain:
        AksEdge(session).call(spec.name)
    assert [sent.name for sent in session.sent] == [spec.name for spec in plain]
