"""Session configurations are enforced as JEA enforces them: what a role does not list does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from akslite_ps.aksedge import load_catalog, load_ops_catalog
from akslite_ps.aksedge.roles import VisibleCommand, VisibleParameter, operator_role, viewer_role
from akslite_ps.sandbox.commands import commands_for
from akslite_ps.sandbox.commands.restricted import restricted_to
from akslite_ps.sandbox.engine import CommandCall

if TYPE_CHECKING:
    from conftest import Desk

DEFAULT_SET = {
    *(
        "Clear-Host",
        "Exit-PSSession",
        "Get-Command",
        "Get-FormatData",
        "Get-Help",
        "Measure-Object",
        "Out-Default",
        "Select-Object",
    ),
}
VIEWER, OPERATOR = "AksLite.Viewer", "AksLite.Operator"


def risks(*wanted: str) -> set[str]:
    return {spec.name for spec in (*load_catalog().current, *load_ops_catalog().current) if spec.risk in wanted}


def test_the_roles_list_commands_by_their_risk_and_none_that_hands_out_power() -> None:
    assert {c.name for c in viewer_role().commands} == risks("read") | {"Get-Service"}
    assert {c.name for c in operator_role().commands} == risks("read", "routine", "build") | {"Get-Service"}
    assert not {c.name for c in operator_role().commands} & risks("destroy", "power")


def test_a_role_gives_content_and_no_paths() -> None:
    parameters = [p.name for c in operator_role().commands for p in c.parameters or ()]

    assert "JsonConfigString" in parameters
    assert not [name for name in parameters if name.endswith("Path") or name.casefold() == "outfile"]


def test_a_constrained_command_is_named_with_its_module() -> None:
    (service,) = [c for c in viewer_role().commands if c.name == "Get-Service"]

    assert service.qualified_name == "Microsoft.PowerShell.Management\\Get-Service"
    assert service == VisibleCommand(
        "Get-Service",
        "Microsoft.PowerShell.Management",
        "Cmdlet",
        (VisibleParameter("Name", ("WinRM", "hns", "iphlpsvc", "vmms", "wssdagent")),),
    )


@pytest.mark.parametrize(
    ("configuration", "user"),
    [
        ("Microsoft.PowerShell", "aksviewer"),
        ("Microsoft.PowerShell", "PRESS-01\\aksoperator"),
        (OPERATOR, "aksviewer"),
        (VIEWER, "aksoperator"),
    ],
)
async def test_users_may_open_their_own_configuration_only(desk: Desk, configuration: str, user: str) -> None:
    with pytest.raises(PermissionError):
        desk.open(configuration, user)


async def test_every_account_opens_its_configuration_and_an_administrator_all(desk: Desk) -> None:
    for configuration, user in ((VIEWER, "aksviewer"), (OPERATOR, "aksoperator")):
        assert desk.open(configuration, user).session.configuration == configuration
        assert desk.open(configuration.upper(), "aksadmin").session.configuration == configuration
    assert {account.user for account in desk.device.accounts} == {"aksadmin", "aksoperator", "aksviewer"}
    assert len({account.password for account in desk.device.accounts}) == 3
    assert (desk.device.store.folder / "password-aksviewer").is_file()


async def test_commands_run_as_a_virtual_account(desk: Desk) -> None:
    session = desk.open(VIEWER, "PRESS-01\\aksviewer").session

    assert session.user == "PRESS-01\\aksviewer"
    assert session.runs_as == "WinRM Virtual Users\\WinRM VA_1_PRESS-01_aksviewer"


async def test_a_restricted_session_shows_the_roles_commands_and_the_default_eight(installed: Desk) -> None:
    for configuration, role in ((VIEWER, viewer_role()), (OPERATOR, operator_role())):
        runspace = installed.open(configuration)

        heard = await installed.run(installed.call("Get-Command"), runspace=runspace)

        assert {value.properties["Name"] for value in heard.output} == {c.name for c in role.commands} | DEFAULT_SET


@pytest.mark.parametrize(
    "name", ["Remove-AksEdgeDeployment", "AksEdge\\Remove-AksEdgeDeployment", "Where-Object", "Invoke-Expression", "sort"]
)
async def test_a_command_that_is_not_visible_is_not_recognized(installed: Desk, name: str) -> None:
    heard = await installed.run(installed.call(name), runspace=installed.open(OPERATOR))

    assert heard.failed is not None
    assert (heard.failed.error_id, heard.failed.category) == ("CommandNotFoundException", "ObjectNotFound")


@pytest.mark.parametrize("text", ["Get-AksLiteFacts", "Get-Service -Name WinRM", "$x = 1", "1"])
async def test_script_text_is_refused_even_where_it_is_one_command(desk: Desk, text: str) -> None:
    heard = await desk.run(CommandCall(text, is_script=True), runspace=desk.open(VIEWER))

    assert heard.failed is not None
    assert heard.failed.error_id == "ScriptsNotAllowed"
    assert (
        heard.failed.message
        == "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."
    )


async def test_hidden_parameters_do_not_exist(installed: Desk) -> None:
    runspace = installed.open(OPERATOR)

    by_file = await installed.run(installed.call("New-AksEdgeDeployment", JsonConfigFilePath="C:\\x.json"), runspace=runspace)
    forced = await installed.run(installed.call("New-AksEdgeDeployment", JsonConfigString="{}", Force=True), runspace=runspace)
    verbose = await installed.run(installed.call("Get-AksEdgeNodeName", NodeType="Linux", Verbose=True), runspace=runspace)

    for heard in (by_file, forced):
        assert heard.failed is not None
        assert heard.failed.error_id == "NamedParameterNotFound,New-AksEdgeDeployment"
    assert verbose.failed is None or not verbose.failed.error_id.startswith("NamedParameterNotFound")


async def test_values_outside_a_roles_set_are_refused(desk: Desk) -> None:
    runspace = desk.open(VIEWER)

    good = await desk.run(desk.call("Get-Service", Name="winrm"), runspace=runspace)
    bad = await desk.run(desk.call("Get-Service", Name="Spooler"), runspace=runspace)

    assert [value.properties["Name"] for value in good.output] == ["winrm"]
    assert bad.failed is not None
    assert bad.failed.error_id == "ParameterArgumentValidationError,Get-Service"
    assert 'does not belong to the set "WinRM,hns,iphlpsvc,vmms,wssdagent"' in bad.failed.message


async def test_the_default_commands_have_only_what_remoting_needs(desk: Desk) -> None:
    runspace = desk.open(VIEWER)
    facts = desk.call("Get-AksLiteFacts")

    selected = await desk.run(facts, desk.call("Select-Object", Property=["Name"]), runspace=runspace)
    other = await desk.run(facts, desk.call("Select-Object", Property=["ComputerName"]), runspace=runspace)
    first = await desk.run(facts, desk.call("Select-Object", First=1), runspace=runspace)
    counted = await desk.run(facts, desk.call("Measure-Object"), runspace=runspace)
    summed = await desk.run(facts, desk.call("Measure-Object", Sum=True), runspace=runspace)

    assert list(selected.output[0].properties) == ["Name"]
    assert other.failed is not None
    assert other.failed.error_id == "ParameterArgumentValidationError,Select-Object"
    assert first.failed is not None
    assert first.failed.error_id == "NamedParameterNotFound,Select-Object"
    assert counted.output[0].properties["Count"] == 1
    assert summed.failed is not None


async def test_help_takes_only_names_that_are_names(desk: Desk) -> None:
    heard = await desk.run(desk.call("Get-Help", "Get-*; rm"), runspace=desk.open(VIEWER))

    assert heard.failed is not None
    assert heard.failed.error_id == "ParameterArgumentValidationError,Get-Help"


def test_a_roles_pattern_takes_the_place_of_its_set() -> None:
    commands = commands_for(None)
    role = viewer_role()
    narrowed = VisibleCommand(
        "Get-Service", "Microsoft.PowerShell.Management", "Cmdlet", (VisibleParameter("Name", ("WinRM",), pattern="Win.*|vmms"),)
    )

    table = restricted_to(type(role)("Test", "", (), (narrowed,)), commands)

    info = table.find("Get-Service")
    assert info is not None
    assert (info.syntax.parameters[0].pattern, info.syntax.parameters[0].allowed) == ("^(Win.*|vmms)$", ())
    assert info.command_type == "Function"
