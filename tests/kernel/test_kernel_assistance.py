"""Completion, help and completeness, with what the catalog and a device tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akslite_ps.fleet.inventory import Inventory
from akslite_ps.remoting import Device, Endpoint, PsObject
from akslite_ps_kernel import assistance
from akslite_ps_kernel.commands import CommandTable
from akslite_ps_kernel.connection import Connection


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """Not connected; the inventory has two devices."""
    inventory = Inventory.load(tmp_path / "inventory.json")
    endpoint = Endpoint(host="127.0.0.9", username="u", password="env:P")
    inventory.add(Device(name="press-01", endpoint=endpoint), Device(name="press-02", endpoint=endpoint))
    return Connection(inventory=lambda: inventory)


def complete(marked: str, connection: Connection, *, powershell: bool = True, **variables: Any) -> list[str] | None:
    """The proposals at ``^``."""
    position = marked.index("^")
    code = marked.replace("^", "")
    reply = assistance.complete(code, position, powershell, connection, variables)
    if reply is None:
        return None
    assert reply["cursor_end"] == position
    return [code[: reply["cursor_start"]] + match for match in reply["matches"]]


def test_commands_of_the_catalog_before_there_is_a_device(connection: Connection) -> None:
    assert complete("$x = Get-AksEdgeNodeA^", connection) == ["$x = Get-AksEdgeNodeAddr"]
    assert complete("Get-AksEdgeNodeAddr | sort^", connection) == ["Get-AksEdgeNodeAddr | Sort-Object"]


def test_commands_of_the_device_once_there_is_one(connection: Connection) -> None:
    parameters = {"Path": "System.String", "Deep": "System.Management.Automation.SwitchParameter"}
    connection.commands.learn([PsObject({"Name": "Get-Own"}), PsObject({"Other": 1}), "Get-Text"])
    assert connection.commands.unknown_parameters(["get-own", "Get-AksEdgeNodeAddr", "sort"]) == ["get-own"]
    connection.commands.learn_details([PsObject({"Name": "Get-Own", "Parameters": parameters})], ["Get-Own", "Get-Text"])
    assert connection.commands.unknown_parameters(["Get-Own", "Get-Text"]) == []
    assert complete("Get-^", connection) == ["Get-Own", "Get-Text"]
    assert complete("Get-Own | Fo^", connection) == ["Get-Own | Format-List", "Get-Own | Format-Table"]
    assert complete("Get-Own -D^", connection) == ["Get-Own -Deep", "Get-Own -Debug"]
    assert connection.commands.is_switch("get-own", "deep")
    assert not connection.commands.is_switch("Get-Own", "Path")
    assert connection.commands.wants_text("Get-Own", "Path")
    connection.commands.forget()
    assert complete("Get-Own^", connection) == []


def test_parameters_and_their_allowed_values(connection: Connection) -> None:
    assert complete("Get-AksEdgeNodeAddr -No^", connection) == ["Get-AksEdgeNodeAddr -NodeType"]
    assert complete("Get-AksEdgeNodeAddr -NodeType L^", connection) == ["Get-AksEdgeNodeAddr -NodeType Linux"]
    assert complete("Get-AksEdgeNodeAddr -NodeType ^", connection) == [
        "Get-AksEdgeNodeAddr -NodeType Linux",
        "Get-AksEdgeNodeAddr -NodeType Windows",
    ]


def test_variables_and_their_members(connection: Connection) -> None:
    facts = PsObject({"ComputerName": "P", "OsBuild": 1})
    assert complete("Get-Foo $fa^", connection, facts=facts) == ["Get-Foo $facts", "Get-Foo $false"]
    assert complete("$facts.Co^", connection, facts=[facts]) == ["$facts.ComputerName"]


def test_devices_options_and_magics(connection: Connection) -> None:
    assert complete("%connect ^", connection) == ["%connect press-01", "%connect press-02"]
    assert complete("%connect press-02^", connection, powershell=False) == ["%connect press-02"]
    assert complete("%%ps --no^", connection) == ["%%ps --no-fail"]
    assert complete("%dev^", connection) == ["%devices"]


def test_python_is_left_to_python(connection: Connection) -> None:
    assert complete("pri^", connection, powershell=False) is None


def test_help_on_the_command_under_the_cursor_or_of_the_argument_under_it(connection: Connection) -> None:
    for position in (3, 24):
        reply = assistance.inspect("Get-AksEdgeNodeAddr -NodeType Linux", position, connection, {})
        assert reply["found"]
        assert reply["data"]["text/plain"].startswith("Get-AksEdgeNodeAddr\n")
        assert "-NodeType <String>" in reply["data"]["text/plain"]
    assert not assistance.inspect("Get-Nothing", 3, connection, {})["found"]


def test_help_on_a_variable_shows_its_value(connection: Connection) -> None:
    reply = assistance.inspect("$x | Sort-Object", 1, connection, {"x": ["a", "b"]})
    assert reply["data"]["text/plain"] == "a\nb"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Get-Help", "complete"),
        ("%%ps --no-fail\nGet-Help", "complete"),
        ("%connect press-01", "complete"),
        ("Get-Help |", "incomplete"),
        ("$x = @{\n a = 1", "incomplete"),
        ("foreach ($x in 1) { }", "invalid"),
    ],
)
def test_completeness(code: str, status: str, connection: Connection) -> None:
    assert assistance.is_complete(code, connection)["status"] == status


def test_a_mistyped_command_has_a_neighbour() -> None:
    assert CommandTable().similar("Get-AksEdgeNodAddr") == "Get-AksEdgeNodeAddr"
    assert CommandTable().similar("Quux") is None
    assert CommandTable().similar("Get-AksEdgeNodeAddr") != "Get-AksEdgeNodeAddr"


def test_abbreviations_of_unknown_commands_are_not_guessed() -> None:
    table = CommandTable()
    assert not table.is_switch("Get-Unknown", "C")
    assert table.is_switch("Get-Unknown", "Confirm")
    assert table.is_switch("Sort-Object", "Desc")
