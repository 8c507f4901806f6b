"""Clients that send text: simple command lines run, with variables and exit codes; everything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from akslite_ps.sandbox.engine import CommandCall

if TYPE_CHECKING:
    from conftest import Desk

REFUSED = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1",
        "if ($true) { 'x' }",
        "foreach ($x in 1,2) { $x }",
        "function f { 1 }",
        "[int]5",
        "Get-Service | ForEach-Object { $_.Stop() }",
        "& { 1 }",
        "Get-Service > out.txt",
        "(Get-Service).Name",
        "$x = @(",
        "'open",
        "Get-Date; 1 +",
    ],
)
async def test_what_is_no_simple_command_line_is_refused_as_a_whole(desk: Desk, text: str) -> None:
    heard = await desk.text(text)

    assert heard.failed is not None
    assert heard.failed.message.startswith(REFUSED + " At line 1, column ")
    assert (heard.failed.error_id, heard.failed.category) == ("ScriptsNotAllowed", "ParserError")
    assert heard.failed.exception_type == "System.Management.Automation.ParseException"
    assert heard.output == []


async def test_variables_live_as_long_as_the_runspace(desk: Desk) -> None:
    await desk.text("$service = Get-Service WinRM")
    heard = await desk.text('$service.Name; "$($service.Status)"')
    other = await desk.text("$service", runspace=desk.open())

    assert heard.output == ["WinRM", "Running"]
    assert other.output == [None]


async def test_automatic_variables_and_the_environment_tell_of_the_device(desk: Desk) -> None:
    heard = await desk.text("$env:COMPUTERNAME; $env:USERNAME; $PWD.Path; $PSVersionTable.PSEdition; $LASTEXITCODE; $env:NOPE")

    assert heard.output == ["PRESS-01", "aksadmin", "C:\\Users\\aksadmin\\Documents", "Desktop", None, None]


@pytest.mark.parametrize(
    ("text", "code"), [("Get-Date\nexit $LASTEXITCODE", 0), ("exit 3; 'never'", 3), ("$code = 7\nexit $code", 7), ("'x'; exit", 0)]
)
async def test_exit_tells_the_clients_host(desk: Desk, text: str, code: int) -> None:
    heard = await desk.text(text)

    assert heard.failed is None
    assert heard.asked == [("SetShouldExit", [code])]
    assert "never" not in heard.output


async def test_text_and_commands_can_stand_in_one_pipeline(desk: Desk) -> None:
    heard = await desk.run(CommandCall("'b', 'a'", is_script=True), desk.call("Sort-Object"))

    assert heard.output == ["a", "b"]


async def test_invoke_expression_runs_a_line_as_a_tool_sends_it(desk: Desk) -> None:
    heard = await desk.run(desk.call("Invoke-Expression", Command="$pwd.Path"), desk.call("Out-String", Stream=True))

    assert heard.output == ["C:\\Users\\aksadmin\\Documents"]


@pytest.mark.parametrize("text", ["Get-Nothing", "1; Get-Nothing; 2", "$x = Get-Nothing; 2", "Invoke-Expression 'Get-Nothing'; 2"])
async def test_an_error_ends_all_of_an_invoke_expression_and_fails_its_pipeline(desk: Desk, text: str) -> None:
    """What pypsrp's ``execute_ps`` and others send: they learn from the failed pipeline that there were errors (recorded)."""
    heard = await desk.run(desk.call("Invoke-Expression", Command=text), desk.call("Out-String", Stream=True))

    assert (heard.output, heard.errors) == ([], [])
    assert heard.failed is not None
    assert heard.failed.error_id == "CommandNotFoundException,Microsoft.PowerShell.Commands.InvokeExpressionCommand"
    assert heard.failed.activity == "Invoke-Expression"


async def test_in_a_script_an_invoke_expression_that_failed_is_one_statement_of_many(desk: Desk) -> None:
    heard = await desk.text("Invoke-Expression '1; Get-Nothing; 2'; Invoke-Expression 'Write-Error x; 3'; 4")

    assert heard.failed is None
    assert heard.output == [3, 4]
    assert len(heard.errors) == 2


async def test_a_number_goes_to_a_text_parameter_as_it_was_written(desk: Desk) -> None:
    heard = await desk.text("Write-Warning 1.10; Write-Warning -Message 007")

    assert heard.messages == ["warning: 1.10", "warning: 007"]


async def test_a_parameter_without_its_value_is_refused(desk: Desk) -> None:
    heard = await desk.text("Get-Service -Name; 'after'")

    assert [error.error_id for error in heard.errors] == ["MissingArgument,Microsoft.PowerShell.Commands.GetServiceCommand"]
    assert heard.output == ["after"]


async def test_a_throw_ends_the_script_and_an_error_only_its_statement(installed: Desk) -> None:
    failed = await installed.text("Get-Nothing; Get-AksEdgeNodeName; 'after'")

    assert failed.failed is not None
    assert failed.failed.category == "OperationStopped"
    assert [error.error_id for error in failed.errors] == ["CommandNotFoundException"]
    assert failed.output == []


@pytest.mark.parametrize("value", ["'Stop'", "'sTOP'", "1"])
async def test_with_stop_as_preference_the_first_error_ends_a_script(desk: Desk, value: str) -> None:
    for failing, error_id in (
        ("Write-Error no", "Microsoft.PowerShell.Commands.WriteErrorException,Microsoft.PowerShell.Commands.WriteErrorCommand"),
        ("Get-Nothing", "CommandNotFoundException"),
        (
            "Invoke-Expression 'Write-Error no'",
            "Microsoft.PowerShell.Commands.WriteErrorException,Microsoft.PowerShell.Commands.WriteErrorCommand",
        ),
    ):
        heard = await desk.text(f"$ErrorActionPreference = {value}; 'before'; {failing}; 'after'")
        assert (heard.output, heard.errors) == (["before"], [])
        assert heard.failed is not None
        assert heard.failed.error_id == error_id


@pytest.mark.parametrize("value", ["'SilentlyContinue'", "'Ignore'", "0"])
async def test_with_silence_as_preference_errors_are_not_told(desk: Desk, value: str) -> None:
    heard = await desk.text(f"$ErrorActionPreference = {value}; Write-Error no; Get-Nothing; 'after'")
    assert (heard.output, heard.errors, heard.failed) == (["after"], [], None)
    heard = await desk.text(f"$ErrorActionPreference = {value}; Write-Error yes -ErrorAction Continue")
    assert len(heard.errors) == 1


async def test_preferences_say_which_records_are_written(desk: Desk) -> None:
    heard = await desk.text(
        "$VerbosePreference = 'Continue'; $DebugPreference = 'Continue'; $WarningPreference = 'SilentlyContinue';"
        "Write-Verbose v; Write-Verbose never -Verbose:$false; Write-Debug d; Write-Warning never;"
        "Write-Warning w -WarningAction Continue"
    )
    assert heard.messages == ["verbose: v", "debug: d", "warning: w"]
