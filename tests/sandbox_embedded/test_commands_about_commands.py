"""Get-Command, Get-Help and TabExpansion2 tell the truth about the session's commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.commands.restricted import DEFAULT_PARAMETERS

if TYPE_CHECKING:
    from conftest import Desk

PWSH = shutil.which("pwsh")
needs_powershell = pytest.mark.skipif(PWSH is None, reason="needs PowerShell 7 on PATH")


async def names(desk: Desk, *arguments: Any, **named: Any) -> list[str]:
    heard = await desk.run(desk.call("Get-Command", *arguments, **named))
    assert heard.failed is None, heard.failed
    return [value.properties["Name"] for value in heard.output]


async def test_names_patterns_verbs_nouns_and_modules_choose_commands(desk: Desk) -> None:
    assert await names(desk, "get-date") == ["Get-Date"]
    assert await names(desk, Noun=["Date", "Serv*"]) == ["Get-Date", "Get-Service"]
    assert await names(desk, Verb="Sta*", Noun="Sleep") == ["Start-Sleep"]
    assert await names(desk, "*-AksLiteBoot*") == ["Get-AksLiteBootTime"]
    assert "Get-Date" in await names(desk, Module="Microsoft.PowerShell.Ut*")
    assert await names(desk, "Microsoft.PowerShell.Utility\\Get-D*") == ["Get-Date"]
    assert await names(desk, Module="Nobody") == []
    assert await names(desk, "nobody*") == []


async def test_aliases_come_first_and_only_where_they_are_meant(desk: Desk) -> None:
    everything = await names(desk)

    assert await names(desk, "g*m*") == ["gcm", "gm", *[n for n in await names(desk, "g*m*") if "-" in n]]
    assert await names(desk, CommandType="Alias") == sorted(await names(desk, CommandType="Alias"), key=str.casefold)
    assert not [name for name in everything if "-" not in name and name != "TabExpansion2"]
    assert await names(desk, "s*", CommandType=["Cmdlet"]) == ["Select-Object", "Sort-Object", "Start-Sleep"]


async def test_a_parameters_name_or_alias_finds_its_commands(desk: Desk) -> None:
    assert await names(desk, ParameterName="Milli*") == ["Start-Sleep"]
    assert await names(desk, ParameterName="ServiceName") == ["Get-Service"]


async def test_what_does_not_exist_is_an_error_and_the_rest_comes(desk: Desk) -> None:
    heard = await desk.run(desk.call("Get-Command", ["Get-Date", "nope"]))

    assert [value.properties["Name"] for value in heard.output] == ["Get-Date"]
    assert [error.error_id for error in heard.errors] == [
        "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
    ]


async def test_an_alias_tells_what_it_stands_for(desk: Desk) -> None:
    (alias,) = (await desk.run(desk.call("Get-Command", "gcm"))).output

    assert alias.type_names[0] == "System.Management.Automation.AliasInfo"
    assert (alias.properties["DisplayName"], alias.properties["Definition"]) == ("gcm -> Get-Command", "Get-Command")
    assert (await desk.text("Get-Command gcm -Syntax")).output == ["Get-Command"]


async def test_help_has_its_views(installed: Desk) -> None:
    plain = (await installed.text("Get-Help New-AksEdgeConfig")).output[0]
    full = (await installed.text("Get-Help New-AksEdgeConfig -Full")).output[0]
    examples = (await installed.text("Get-Help New-AksEdgeConfig -Examples")).output[0]
    several = (await installed.text("Get-Help *-AksEdgeNode")).output
    one = (await installed.text("Get-Help Stop-AksEdgeNode -Parameter NodeT*")).output

    assert plain.properties["ModuleName"] == "AksEdge"
    assert "PARAMETERS" not in plain.text
    assert "-DeploymentType <String>" in full.text
    assert re.search(r"Position\?\s+3", full.text)
    assert "SYNTAX" not in examples.text
    assert {value.type_names[0] for value in several} == {"HelpInfoShort"}
    assert [value.properties["name"] for value in one] == ["NodeType"]


async def test_help_says_what_it_cannot_find(desk: Desk) -> None:
    nothing = await desk.text("Get-Help Nobody-Knows")
    no_parameter = await desk.text("Get-Help Get-Date -Parameter Nope")

    assert nothing.errors[0].error_id == "HelpNotFound,Microsoft.PowerShell.Commands.GetHelpCommand"
    assert no_parameter.errors[0].error_id == "NoParmsFound,Microsoft.PowerShell.Commands.GetHelpCommand"


async def test_a_command_describes_itself_for_forms(installed: Desk) -> None:
    (info,) = (await installed.text("Get-Command Stop-AksEdgeNode -ShowCommandInfo")).output

    (parameter_set,) = info.properties["ParameterSets"]
    node_type = parameter_set.properties["Parameters"][0].properties
    assert (node_type["Name"], node_type["Position"], node_type["HasParameterSet"]) == ("NodeType", 1, True)
    assert node_type["ValidParamSetValues"] == ["Linux", "Windows", "LinuxAndWindows"]
    assert node_type["ParameterType"].properties["FullName"] == "System.String"


@pytest.mark.parametrize(
    ("text", "start", "completions"),
    [
        ("Stop-AksEdgeNode -NodeType L", 27, ["Linux", "LinuxAndWindows"]),
        ("Stop-AksEdgeNode ", 17, ["Linux", "LinuxAndWindows", "Windows"]),
        ("New-AksEdgeDeployment -JsonConfigS", 22, ["-JsonConfigString"]),
        ("New-AksEdgeDeployment -JsonConfigString '{}' -Json", 45, []),
        ("Get-Date | Sort-", 11, ["Sort-Object"]),
        ("gsv w", 4, ["WinRM", "wssdagent"]),
        ("Get-Command Get-AksLiteF", 12, ["Get-AksLiteFacts"]),
        ("Write-Error x -Category Invalida", 24, ["InvalidArgument"]),
        ("Nobody-Knows -", 13, []),
    ],
)
async def test_the_tab_key_completes_commands_parameters_and_values(
    installed: Desk, text: str, start: int, completions: list[str]
) -> None:
    (answer,) = (await installed.run(installed.call("TabExpansion2", text, len(text)))).output

    assert answer.properties["ReplacementIndex"] == start
    assert answer.properties["ReplacementLength"] == len(text) - start
    assert [match.properties["CompletionText"] for match in answer.properties["CompletionMatches"]] == completions


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What PowerShell says of itself."""
    script: Path = tmp_path_factory.mktemp("discovery") / "run.ps1"
    script.write_text(_ASK, encoding="utf-8")
    assert PWSH is not None
    done = subprocess.run(
        [PWSH, "-NoLogo", "-NoProfile", "-File", str(script)], capture_output=True, text=True, encoding="utf-8", timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


_ASK = """
function Test-Function {
    [CmdletBinding(DefaultParameterSetName='a')]
    param([Parameter(ParameterSetName='a', Position=0)][ValidateSet('one', 'two')][string] $Kind)
}
$texts = 'Test-Function -', 'Test-Function -Ki', 'Test-Function ', 'Test-Function -Kind t', 'Get-Command -CommandType Al',
    'Get-Command Test-Fun'
$restricted = @{}
foreach ($command in [System.Management.Automation.CommandMetadata]::GetRestrictedCommands('RemoteServer').Values) {
    $restricted[$command.Name] = @($command.Parameters.Values | ForEach-Object {
        $limits = @($_.Attributes | ForEach-Object {
            $limit = $_
            switch ($limit.GetType().Name) {
                'ValidateLengthAttribute' { "length $($limit.MinLength) $($limit.MaxLength)" }
                'ValidateCountAttribute' { "count $($limit.MinLength) $($limit.MaxLength)" }
                'ValidatePatternAttribute' { 'pattern' }
                'ValidateSetAttribute' { 'set' }
            } } | Sort-Object)
        @{ name = $_.Name; type = $_.ParameterType.Name; limits = $limits } })
}
$complete = @{}
foreach ($text in $texts) {
    $answer = TabExpansion2 $text $text.Length
    $complete[$text] = @{ start = $answer.ReplacementIndex; length = $answer.ReplacementLength
        matches = @($answer.CompletionMatches | ForEach-Object { ,@($_.CompletionText, $_.ListItemText, "$($_.ResultType)") }) }
}
@{ restricted = $restricted; complete = $complete
   cmdlet = @((Get-Command Get-Command).PSObject.Properties.Name)
   function = @((Get-Command Test-Function).PSObject.Properties.Name)
   show = @((Get-Command Test-Function -ShowCommandInfo).PSObject.Properties.Name)
   alias = @((Get-Command gcm).PSObject.Properties.Name) } | ConvertTo-Json -Depth 6 -Compress
"""
_NEW = {"DLL", "ScriptBlock"}  # of no use without the file, and the text of a script


@pytest.mark.pwsh
@needs_powershell
async def test_command_objects_have_the_properties_of_real_ones(installed: Desk, real: dict[str, Any]) -> None:
    for name, kind in (("Get-Date", "cmdlet"), ("Stop-AksEdgeNode", "function"), ("gcm", "alias")):
        (mine,) = (await installed.run(installed.call("Get-Command", name))).output
        assert set(real[kind]) - _NEW <= set(mine.properties), kind
    (shown,) = (await installed.text("Get-Command Stop-AksEdgeNode -ShowCommandInfo")).output
    assert list(shown.properties) == real["show"]


@pytest.mark.pwsh
@needs_powershell
def test_the_default_commands_of_a_restricted_session_are_those_of_powershell(real: dict[str, Any]) -> None:
    mine = {
        name: [
            {
                "name": p.name,
                "type": p.type,
                "limits": sorted(
                    (["length {} {}".format(*p.length)] if p.length else [])
                    + (["count {} {}".format(*p.count)] if p.count else [])
                    + (["pattern"] if p.pattern else [])
                    + (["set"] if p.allowed else [])
                ),
            }
            for p in parameters
        ]
        for name, parameters in DEFAULT_PARAMETERS.items()
        if name != "Clear-Host"
    }

    assert mine == real["restricted"]


@pytest.mark.pwsh
@needs_powershell
async def test_completion_answers_as_powershells_does(desk: Desk, real: dict[str, Any]) -> None:
    """The same function on both sides, but for the common parameter that PowerShell 7 has more."""
    from akslite_ps.sandbox.commands.table import CommandTable
    from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
    from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace

    async def nothing(_call: object) -> None: ...

    kind = parameter("Kind", "String", sets=["a"], position=0, allowed=("one", "two"))
    own = CommandInfo(CommandSyntax("Test-Function", (kind,), "a", error_source="Test-Function"), nothing, "")
    commands = CommandTable([*desk.runspace.commands, own], desk.runspace.commands.aliases)
    runspace = EmbeddedRunspace(desk.device, desk.runspace.session, commands)

    for text, expected in real["complete"].items():
        (answer,) = (await desk.run(desk.call("TabExpansion2", text, len(text)), runspace=runspace)).output
        mine = [
            [m.properties["CompletionText"], m.properties["ListItemText"], m.properties["ResultType"].name]
            for m in answer.properties["CompletionMatches"]
        ]
        assert (answer.properties["ReplacementIndex"], answer.properties["ReplacementLength"]) == (
            expected["start"],
            expected["length"],
        )
        assert mine == [match for match in expected["matches"] if match[1] != "ProgressAction"], text
