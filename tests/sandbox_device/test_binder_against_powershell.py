"""The same calls bound by PowerShell 7 and by the simulated device: same values, same refusals.

Every current cmdlet of the product's catalog is declared to PowerShell as a function with the same parameters.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import load_catalog, load_ops_catalog
from akslite_ps.sandbox.commands.catalog import command_from_spec
from akslite_ps.sandbox.embedded.binder import bind
from akslite_ps.sandbox.embedded.parameters import ALL_SETS, CommandSyntax, ParameterInfo, parameter, switch
from akslite_ps.sandbox.embedded.syntax import syntax_lines
from akslite_ps.sandbox.engine import Parameter, PipelineFailed

PWSH = shutil.which("pwsh")
pytestmark = [pytest.mark.pwsh, pytest.mark.skipif(PWSH is None, reason="needs PowerShell 7 on PATH")]

RUNNER = """
param([string] $Path)
$plan = Get-Content -LiteralPath $Path -Raw | ConvertFrom-Json
foreach ($text in $plan.functions) { . ([scriptblock]::Create($text)) }
$results = foreach ($case in $plan.cases) {
    $shell = [powershell]::Create('CurrentRunspace')
    $null = $shell.AddCommand($case.command)
    foreach ($pair in $case.named) {
        if ($pair.Count -eq 1) { $null = $shell.AddParameter($pair[0]) } else { $null = $shell.AddParameter($pair[0], $pair[1]) }
    }
    foreach ($argument in $case.positional) { $null = $shell.AddArgument($argument) }
    try {
        $bound = $shell.Invoke()[0]
        @{ set = $bound.Set; values = $bound.Values }
    }
    catch {
        $record = $_.Exception.InnerException.ErrorRecord
        @{ id = $record.FullyQualifiedErrorId; category = [string] $record.CategoryInfo.Category; message = $record.ToString() }
    }
}
$syntax = $plan.names | ForEach-Object { Get-Command $_ -Syntax }
ConvertTo-Json -InputObject @{ results = @($results); syntax = @($syntax) } -Depth 6 -Compress
"""

MIXED = CommandSyntax(
    "Test-Mixed",
    (
        parameter("Path", "String", mandatory=True, position=0, sets=["Path"]),
        parameter("Literal", "String", mandatory=True, sets=["Literal"], aliases=("LP",)),
        parameter("Count", "Int32", position=1, minimum=1, maximum=5),
        parameter("Names", "String[]"),
        parameter("Accept", "Boolean"),
        parameter("Item", "Object"),
        switch("Force"),
    ),
    "Path",
    should_process=True,
    error_source="Test-Mixed",
)
TWO_SETS = CommandSyntax(
    "Test-TwoSets",
    (
        parameter("X", "String", mandatory=True, sets=["A"]),
        parameter("Y", "String", mandatory=True, sets=["B"]),
        parameter("First", "String", position=1),
        parameter("Second", "String", position=2),
        parameter("Both", "String", mandatory=True, sets=["A", "B"]),
    ),
    error_source="Test-TwoSets",
)

Case = tuple[str, list[list[Any]], list[Any]]


def generic_cases(syntax: CommandSyntax) -> list[Case]:
    """Calls that any command can be asked with."""
    name, first = syntax.name, syntax.parameters[:1]
    cases: list[Case] = [(name, [], []), (name, [["NoSuchParameter", 1]], []), (name, [], ["a", "b", "c", "d", "e", "f"])]
    cases += [(name, [["Verb"]], []), (name, [["W", "x"]], []), (name, [["ErrorAction", 1]], [])]
    for p in syntax.parameters:
        value: Any = {"Int32": "7", "Boolean": True, "SwitchParameter": True}.get(
            p.type, p.allowed[0].upper() if p.allowed else "v"
        )
        cases += [(name, [[p.name.upper(), value]], []), (name, [[p.name[:4], value]], [])]
        cases += [(name, [[p.name, "wrong"]], []), (name, [[p.name, ""]], []), (name, [[p.name, ["a", "b"]]], [])]
        cases += [(name, [[p.name, value], [other.name, "v"]], []) for other in first if other is not p]
    return cases


CASES: list[Case] = [
    ("Test-Mixed", [["Path", "p"], ["LP", "q"]], []),
    ("Test-Mixed", [], ["p", "3"]),
    ("Test-Mixed", [], ["p", 9]),
    ("Test-Mixed", [["Count", 0], ["Path", "p"]], []),
    ("Test-Mixed", [["Path", "p"], ["Force"], ["wi"], ["cf", False]], []),
    ("Test-Mixed", [["Path", "p"], ["Names", "one"]], []),
    ("Test-Mixed", [["Path", "p"], ["Names", [1, 2]]], []),
    ("Test-Mixed", [["Path", "p"], ["Accept", 0]], []),
    ("Test-Mixed", [["Path", "p"], ["Item", [1, "a"]]], []),
    ("Test-Mixed", [["Path", 5], ["Count", "0x3"]], []),
    ("Test-Mixed", [["Path", "p"], ["Count", 2.5]], []),
    ("Test-Mixed", [["Path", "p"], ["Path", "q"]], []),
    ("Test-TwoSets", [["X", "x"]], []),
    ("Test-TwoSets", [["X", "x"], ["Both", "b"]], ["1", "2"]),
    ("Test-TwoSets", [["Both", "b"]], []),
]


def syntaxes() -> list[CommandSyntax]:
    async def nothing(_call: object) -> None: ...

    specs = [*load_catalog().current, *load_ops_catalog().current]
    return [MIXED, TWO_SETS, *(command_from_spec(spec, nothing, version="1.0").syntax for spec in specs)]


def declaration(syntax: CommandSyntax) -> str:
    """The command as a PowerShell function that returns what was bound."""
    binding = [f"DefaultParameterSetName='{syntax.default_set}'"] if syntax.default_set else []
    binding += ["SupportsShouldProcess"] if syntax.should_process else []
    binding += ["PositionalBinding=$false"]
    parameters = ",\n".join(_declared(p) for p in syntax.parameters)
    return (
        f"function {syntax.name} {{ [CmdletBinding({', '.join(binding)})] param({parameters})\n"
        "$values = @{}; foreach ($key in $PSBoundParameters.Keys) { $value = $PSBoundParameters[$key]; "
        "if ($value -is [switch]) { $value = [bool] $value } elseif ($value -is [enum]) { $value = [string] $value }; "
        "$values[$key] = $value }\n"
        "[pscustomobject] @{ Set = $PSCmdlet.ParameterSetName; Values = $values } }"
    )


def _declared(p: ParameterInfo) -> str:
    lines = []
    for set_name, membership in p.sets.items():
        parts = [] if set_name == ALL_SETS else [f"ParameterSetName='{set_name}'"]
        parts += ["Mandatory"] if membership.mandatory else []
        parts += [f"Position={membership.position}"] if membership.position is not None else []
        lines.append(f"[Parameter({', '.join(parts)})]")
    if p.aliases:
        lines.append(f"[Alias({', '.join(repr(a) for a in p.aliases)})]")
    if p.allowed:
        lines.append(f"[ValidateSet({', '.join(repr(a) for a in p.allowed)})]")
    if p.minimum is not None:
        lines.append(f"[ValidateRange({p.minimum}, {p.maximum})]")
    kind = {"SwitchParameter": "switch", "Int32": "int", "Boolean": "bool", "String": "string", "String[]": "string[]"}.get(
        p.type, "object"
    )
    return "".join(lines) + f"[{kind}]${p.name}"


def ours(syntax: CommandSyntax, case: Case) -> dict[str, Any]:
    _, named, positional = case
    arguments = [Parameter(pair[0], pair[1] if len(pair) > 1 else True) for pair in named]
    arguments += [Parameter(None, value) for value in positional]
    try:
        bound = bind(syntax, arguments, has_input=False)
    except PipelineFailed as failed:
        return {"id": failed.error.error_id, "category": failed.error.category, "message": plain(failed.error.message)}
    return {"set": bound.parameter_set, "values": bound.values}


def plain(message: str) -> str:
    """Messages without what changed from Windows PowerShell 5.1 to PowerShell 7."""
    message = re.sub(
        r"[Tt]he input string '[^']*' was not in a correct format", "Input string was not in a correct format", message
    )
    return re.sub(r"enumerator names and try again:.*", "", message, flags=re.DOTALL).strip()


@pytest.fixture(scope="module")
def powershell(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[CommandSyntax, Case]], dict[str, Any]]:
    """All cases and what PowerShell says to them, from one process."""
    commands = syntaxes()
    by_name = {syntax.name: syntax for syntax in commands}
    cases = [(syntax, case) for syntax in commands for case in generic_cases(syntax)]
    cases += [(by_name[case[0]], case) for case in CASES]
    folder: Path = tmp_path_factory.mktemp("powershell")
    plan = {
        "functions": [declaration(syntax) for syntax in commands],
        "names": [syntax.name for syntax in commands],
        "cases": [{"command": c, "named": named, "positional": positional} for _, (c, named, positional) in cases],
    }
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "run.ps1").write_text(RUNNER, encoding="utf-8")
    assert PWSH is not None
    done = subprocess.run(
        [PWSH, "-NoLogo", "-NoProfile", "-File", str(folder / "run.ps1"), str(folder / "plan.json")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return cases, json.loads(done.stdout)


def test_every_call_is_bound_or_refused_as_powershell_does(
    powershell: tuple[list[tuple[CommandSyntax, Case]], dict[str, Any]],
) -> None:
    cases, said = powershell
    assert len(cases) == len(said["results"]) > 300

    differences = []
    for (syntax, case), theirs in zip(cases, said["results"], strict=True):
        if "message" in theirs:
            theirs["message"] = plain(theirs["message"])
        mine = ours(syntax, case)
        if mine != theirs:
            differences.append(f"{case}\n   PowerShell: {theirs}\n   device:     {mine}")

    assert not differences, f"{len(differences)} of {len(cases)}:\n" + "\n".join(differences[:20])


def test_the_syntax_is_written_as_powershell_writes_it(powershell: tuple[list[tuple[CommandSyntax, Case]], dict[str, Any]]) -> None:
    _, said = powershell

    for syntax, theirs in zip(syntaxes(), said["syntax"], strict=True):
        assert syntax_lines(syntax) == [line.strip() for line in theirs.splitlines() if line.strip()]
