"""One typed call per current cmdlet, in agreement with the catalog, sending what it should and reading what comes back."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from akslite_ps.aksedge import AksEdge, load_catalog
from akslite_ps.aksedge.calls.described import TYPED_CALLS
from akslite_ps.errors import CmdletFailed, ConfigError, UsageError
from akslite_ps.secrets import redact

CURRENT = {spec.name: spec for spec in load_catalog().current}
NOT_ON_OFFER = {"JsonConfigFilePath", "Force", "WhatIf", "Confirm"}
"""The config always goes as text, and what would ask is answered."""
NO_FILES_OF_SECRETS = {("New-AksEdgeScaleConfig", "outFile")}
RENAMED = {"JsonConfigString": "config_json", "KubeConfigPath": "folder", "PushFile": "push", "LinuxNodeIp": "linux_node_ip"}
ABOUT_THE_CALL = {"self", "timeout_s", "on_record"}

Sessions = Callable[..., Any]


def snake(name: str) -> str:
    return RENAMED.get(name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def test_every_current_cmdlet_has_a_call_named_like_it() -> None:
    assert TYPED_CALLS.keys() == CURRENT.keys()
    for name, call in TYPED_CALLS.items():
        assert call.__name__ == snake(name.replace("-AksEdge", ""))
        assert getattr(AksEdge, call.__name__) is call


@pytest.mark.parametrize("name", CURRENT)
def test_a_call_takes_what_the_catalog_says(name: str) -> None:
    call, spec = TYPED_CALLS[name], CURRENT[name]
    taken = {key: value for key, value in inspect.signature(call).parameters.items() if key not in ABOUT_THE_CALL}
    offered = {
        snake(p.name): p for p in spec.parameters if p.name not in NOT_ON_OFFER and (name, p.name) not in NO_FILES_OF_SECRETS
    }
    assert taken.keys() == offered.keys()
    hints = get_type_hints(call, localns={"Record": object})
    for key, parameter in offered.items():
        if get_origin(hints[key]) is Literal:
            assert set(get_args(hints[key])) == set(parameter.allowed)
        if parameter.mandatory:
            assert taken[key].default is inspect.Parameter.empty


@pytest.mark.parametrize("name", CURRENT)
def test_the_documentation_is_the_catalogs(name: str) -> None:
    told = inspect.getdoc(TYPED_CALLS[name]) or ""
    assert CURRENT[name].synopsis in told
    assert all(note in told for note in CURRENT[name].notes)


@pytest.mark.parametrize(
    ("do", "command", "parameters"),
    [
        (lambda e: e.stop_node("LinuxAndWindows"), "Stop-AksEdgeNode", {"NodeType": "LinuxAndWindows"}),
        (
            lambda e: e.set_node_to_drain("Linux", timeout_seconds=30),
            "Set-AksEdgeNodeToDrain",
            {"Force": True, "NodeType": "Linux", "TimeoutSeconds": 30},
        ),
        (lambda e: e.remove_node("Windows"), "Remove-AksEdgeNode", {"Force": True, "NodeType": "Windows"}),
        (lambda e: e.set_upgrade(True), "Set-AksEdgeUpgrade", {"AcceptUpgrade": True}),
        (
            lambda e: e.start_control_plane_update(first_control_plane=False),
            "Start-AksEdgeControlPlaneUpdate",
            {"Force": True, "firstControlPlane": False},
        ),
        (lambda e: e.set_node_connectivity_mode("off"), "Set-AksEdgeNodeConnectivityMode", {"mode": "off"}),
        (
            lambda e: e.copy_node_file("/etc/os-release", r"C:\Temp\os-release"),
            "Copy-AksEdgeNodeFile",
            {"FromFile": "/etc/os-release", "ToFile": r"C:\Temp\os-release", "NodeType": "Linux"},
        ),
        (
            lambda e: e.copy_node_file(r"C:\a", "/tmp/a", push=True),  # noqa: S108 - a path on a node
            "Copy-AksEdgeNodeFile",
            {"FromFile": r"C:\a", "ToFile": "/tmp/a", "NodeType": "Linux", "PushFile": True},  # noqa: S108
        ),
        (lambda e: e.repair_kms(), "Repair-AksEdgeKms", {}),
    ],
)
def test_what_is_sent(session_with: Sessions, do: Any, command: str, parameters: dict[str, Any]) -> None:
    session = session_with()
    do(AksEdge(session))
    (sent,) = session.sent
    assert (sent.name, sent.parameters) == (command, parameters)


def test_a_scale_config_is_read_and_its_secrets_are_held(session_with: Sessions, scalable: dict[str, Any]) -> None:
    token = "K10deadbeefdeadbeefdeadbeef::server:cafecafecafe"
    scalable["Join"] = {"ClusterJoinToken": token, "ClusterId": "11111111-2222-3333-4444-555555555555"}
    session = session_with({"New-AksEdgeScaleConfig": json.dumps(scalable)})
    made = AksEdge(session).new_scale_config("AddMachine", linux_node_ip="192.168.1.20", control_plane=True)
    assert made.config.is_join
    assert token not in repr(made)
    assert token not in redact(f"the token is {token}")
    assert session.sent[0].parameters == {
        "ScaleType": "AddMachine",
        "NodeType": "Linux",
        "LinuxNodeIp": "192.168.1.20",
        "ControlPlane": True,
    }


@pytest.mark.parametrize(
    ("answer", "error"), [("", CmdletFailed), ("The cluster cannot be scaled", CmdletFailed), ("{", ConfigError)]
)
def test_an_answer_that_is_no_scale_config_is_a_failure(session_with: Sessions, answer: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        AksEdge(session_with({"New-AksEdgeScaleConfig": answer})).new_scale_config("AddNode")


def test_a_token_is_redacted_from_then_on(session_with: Sessions) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.payload-of-a-token.signature"
    assert AksEdge(session_with({"Get-AksEdgeManagedServiceToken": token})).get_managed_service_token() == token
    assert token not in redact(f"Bearer {token}")


def test_lines_of_a_node_command(session_with: Sessions) -> None:
    session = session_with()
    session.give("Invoke-AksEdgeNodeCommand", "Linux press-01-ledge\r\n5.15", "x86_64")
    assert AksEdge(session).invoke_node_command("uname -a") == ["Linux press-01-ledge", "5.15", "x86_64"]


@pytest.mark.parametrize("do", [lambda e: e.invoke_node_command("  "), lambda e: e.get_kube_config("")])
def test_nothing_is_sent_for_nothing(session_with: Sessions, do: Any) -> None:
    session = session_with()
    with pytest.raises(UsageError):
        do(AksEdge(session))
    assert not session.sent


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (r"C:\Windows\Temp\aksedgelogs-250412-0331.zip", r"C:\Windows\Temp\aksedgelogs-250412-0331.zip"),
        (r"Logs written to 'D:\logs\aksedge logs.zip'.", r"D:\logs\aksedge logs.zip"),
        ("", None),
        ("done", None),
    ],
)
def test_the_zip_is_found_where_it_is_told(session_with: Sessions, answer: str, path: str | None) -> None:
    assert AksEdge(session_with({"Get-AksEdgeLogs": answer})).get_logs() == path


def test_a_refused_disconnection_is_a_failure(session_with: Sessions) -> None:
    with pytest.raises(CmdletFailed, match="no such cluster"):
        AksEdge(session_with({"Disconnect-AksEdgeArc": "no such cluster"})).disconnect_arc("{}")


@pytest.mark.parametrize(("answer", "on"), [("On", True), ("Off", False), ("", False)])
def test_the_connectivity_mode_is_read(session_with: Sessions, answer: str, on: bool) -> None:
    assert AksEdge(session_with({"Get-AksEdgeNodeConnectivityMode": answer})).get_node_connectivity_mode() is on
