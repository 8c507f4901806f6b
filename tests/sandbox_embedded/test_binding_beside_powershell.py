"""The same calls bound by PowerShell and by the simulated device: names, positions, sets, types, checks, pipeline objects.

Functions of many shapes are declared to both; a table of calls and several hundred generated ones are sent to both. What was bound,
in which parameter set, and every refusal (id, category line, message) must be the same.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from akslite_ps.sandbox.commands.restricted import DEFAULT_PARAMETERS
from akslite_ps.sandbox.embedded.binder import bind
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.evaluation import Variables
from akslite_ps.sandbox.embedded.parameters import ALL_SETS, CommandSyntax, ParameterInfo, SetMembership
from akslite_ps.sandbox.embedded.values import is_sequence, text_of
from akslite_ps.sandbox.engine import ErrorInfo, Parameter, PipelineFailed, PsValue, Streams

PWSH = shutil.which("pwsh")
pytestmark = [pytest.mark.pwsh, pytest.mark.skipif(PWSH is None, reason="needs PowerShell 7 on PATH")]

RUNNER = """
function describe($value) {
    if ($value -is [switch]) { return [string] [bool] $value }
    if ($value -is [Collections.IDictionary]) { return 'table' }
    if ($value -is [Collections.IList]) { return '[' + (@($value | ForEach-Object { describe $_ }) -join ',') + ']' }
    return "$value"
}
function refusal($record) {
    $target = if ($null -ne $record.CategoryInfo.TargetType) { "$($record.CategoryInfo.TargetType)" } else { '' }
    @{ id = $record.FullyQualifiedErrorId; category = "$($record.CategoryInfo.Category)"; activity = $record.CategoryInfo.Activity
       target = $target; message = $record.ToString() }
}
$results = foreach ($case in $cases) {
    $shell = [powershell]::Create('CurrentRunspace')
    $null = $shell.AddCommand($case.c)
    foreach ($pair in $case.n) {
        if ($pair.Count -eq 1) { $null = $shell.AddParameter($pair[0]) } else { $null = $shell.AddParameter($pair[0], $pair[1]) }
    }
    foreach ($argument in $case.p) { $null = $shell.AddArgument($argument) }
    $answer = @{ output = @(); errors = @() }
    try {
        $answer.output = @(if ($case.ContainsKey('i')) { $shell.Invoke($case.i) } else { $shell.Invoke() })
        $answer.errors = @($shell.Streams.Error | ForEach-Object { refusal $_ })
    }
    catch { $answer.refused = refusal $_.Exception.InnerException.ErrorRecord }
    $answer
}
ConvertTo-Json -InputObject @($results) -Depth 6 -Compress
"""


def shape(name: str, *parameters: ParameterInfo, default: str | None = None, should_process: bool = False) -> CommandSyntax:
    return CommandSyntax(name, parameters, default, should_process, error_source=name)


def p(name: str, kind: str = "String", sets: dict[str, str] | str = "", **more: Any) -> ParameterInfo:
    """A parameter; its membership in a set in letters: mandatory, by value, by property name, and a digit for its position."""
    by_set = sets if isinstance(sets, dict) else {ALL_SETS: sets}
    return ParameterInfo(name, kind, {key: _membership(letters) for key, letters in by_set.items()}, **more)


def _membership(letters: str) -> SetMembership:
    digits = re.sub(r"\D", "", letters)
    return SetMembership("m" in letters, int(digits) if digits else None, "v" in letters, "n" in letters)


SHAPES = (
    shape(
        "Test-Names",
        p("NodeType"),
        p("NodeName", aliases=("nn",)),
        p("Force", "SwitchParameter"),
        p("Verbosity"),
        p("Count", "Int32"),
    ),
    shape("Test-Process", p("Name", sets="0"), p("What"), should_process=True),
    shape("Test-Order", p("Third", sets="3"), p("First", "Int32", sets="1"), p("Second", sets="2")),
    shape("Test-SamePlace", p("X", sets="0"), p("Y", "Int32", sets="0")),
    shape("Test-TwoPlaces", p("X", sets={"A": "0"}), p("Y", "Int32", sets={"B": "0"})),
    shape("Test-TwoNeeded", p("X", sets={"A": "0m"}), p("Y", "Int32", sets={"B": "0m"})),
    shape(
        "Test-WithDefault", p("X", sets={"A": "0"}), p("Y", "Int32", sets={"B": "0"}), p("Z", sets={"A": "", "B": "m"}), default="B"
    ),
    shape("Test-EmptyDefault", p("Text", sets={"text": "m"}), p("Other"), default="file"),
    shape("Test-InBoth", p("X", sets={"A": "", ALL_SETS: ""}), p("Y", sets={"B": ""}), default="B"),
    shape("Test-Rest", p("X", sets="0"), p("Rest", "String[]", sets="1", remaining=True)),
    shape(
        "Test-Needed",
        p("Name", sets="m"),
        p("Names", "String[]", sets="m"),
        p("Any", "Object", sets="m"),
        p("Table", "Hashtable", sets=""),
    ),
    shape(
        "Test-Checks",
        p("Length", length=(2, 3)),
        p("Counted", "String[]", count=(1, 2)),
        p("NotNull", "Object", not_null=True),
        p("NotEmpty", not_empty=True),
        p("Filled", "String[]", not_empty=True),
        p("Chosen", "String[]", allowed=("a", "b")),
        p("Ranged", "Int32[]", minimum=1, maximum=5),
        p("Matched", "String[]", pattern="^x"),
    ),
    shape(
        "Test-Types",
        p("Text"),
        p("Texts", "String[]"),
        p("Whole", "Int32"),
        p("Wholes", "Int32[]"),
        p("Long", "Int64"),
        p("Tiny", "Byte"),
        p("Real", "Double"),
        p("Money", "Decimal"),
        p("Letter", "Char"),
        p("Yes", "Boolean"),
        p("On", "SwitchParameter"),
        p("Span", "TimeSpan"),
        p("Release", "Version"),
        p("Id", "Guid"),
        p("Color", "ConsoleColor"),
        p("Table", "Hashtable"),
        p("Secret", "SecureString"),
        p("Thing", "Object"),
        p("Things", "Object[]"),
    ),
    shape("Test-ByValue", p("Number", "Int32", sets="mv"), p("Label", sets="n")),
    shape("Test-ByProperty", p("Number", "Int32", sets="mn", aliases=("No",)), p("Label", sets="mn")),
    shape("Test-Either", p("Text", sets={"S": "mv"}), p("Number", "Int32", sets={"I": "mv"}), default="S"),
    shape("Test-EitherName", p("Name", sets={"N": "mv0"}), p("Item", "Object", sets={"O": "mv"}), p("Tag", sets="n"), default="N"),
    shape("Test-NoInput", p("Name")),
)
# The commands of every restricted session: here as the device has them, there as PowerShell itself tells their metadata.
RESTRICTED = {
    name: shape(f"Test-{name.replace('-', '')}", *parameters)
    for name, parameters in DEFAULT_PARAMETERS.items()
    if name != "Clear-Host"
}
BY_NAME = {syntax.name: syntax for syntax in (*SHAPES, *RESTRICTED.values())}


@dataclass(frozen=True)
class Case:
    """A call: named arguments (name alone, or name and value), positional ones, and what is piped in."""

    command: str
    named: list[list[Any]] = field(default_factory=list)
    positional: list[Any] = field(default_factory=list)
    piped: list[Any] | None = None


OBJECTS: list[Any] = [
    1,
    "2",
    "x",
    None,
    PsValue({"Number": 3, "Label": "k"}),
    PsValue({"No": "4"}),
    PsValue({"Number": "z", "Label": 1}),
]
VALUES: dict[str, list[Any]] = {
    "String": ["v", "", None, 5, 1.5, True, ["a", "b"], ["a"], {"k": 1}],
    "String[]": ["v", "", None, 5, ["a", 2], [], [None], ["a", ""], [["a"], "b"]],
    "Int32": [
        7,
        "7",
        " 7 ",
        "",
        None,
        "x",
        "1.5",
        "2.5",
        "1e2",
        "0x10",
        "1kb",
        "1,000",
        2.5,
        3.5,
        True,
        2**40,
        str(2**40),
        [1],
        "-3",
        {"k": 1},
    ],
    "Int32[]": [1, "2", [1, "2"], ["x"], None, [], 9, [1, 9]],
    "Int64": [2**40, str(2**40), "x", None],
    "Byte": [1, 300, "-1"],
    "Double": ["1.5", 2, "x", None, "", "1e3", ["1"]],
    "Decimal": ["1.5", 2, "x"],
    "Char": ["a", "ab", ""],
    "Boolean": [True, False, 1, 0, 2.5, None, "x", "True", "", ["a"]],
    "SwitchParameter": [True, False, None, 1, "x"],
    "TimeSpan": ["00:01:00", "1.02:03:04.5", "3", "x"],
    "Version": ["1.2", "1.2.3.4", "1", "x"],
    "Guid": ["3f6d4b5c-7a0e-4d55-9d0a-2f0f0a6f4c11", "x"],
    "ConsoleColor": ["red", "Dark", "darkr", 4, 99, "x", "", None],
    "Hashtable": [{"k": 1}, "x", None, 1],
    "SecureString": ["x", 1, None],
    "Object": [1, None, "", [1, "a"], {"k": 1}, []],
    "Object[]": [1, None, [1, "a"], "x"],
}
# Several objects go to shapes of one set only: $PSBoundParameters still holds what an earlier object gave to another set.
TABLE: tuple[Case, ...] = (
    *(
        Case("Test-Names", [[name, "5"]])
        for name in ("Node", "NodeT", "nodename", "nn", "n", "Ver", "v", "Verb", "Fo", "Count", "c", "Cou", "-Count", "Nope")
    ),
    *(Case("Test-Names", [[name]]) for name in ("Force", "f", "Verb", "Verbose", "vb", "Debug", "NodeType")),
    *(
        Case("Test-Names", [[name, value]])
        for name in ("ErrorAction", "ea", "WarningA", "InformationAction")
        for value in ("Stop", "silent", 1, 77, "x", None)
    ),
    *(Case("Test-Names", [["OutBuffer", value]]) for value in (5, "x", -1, None)),
    *(Case("Test-Names", [["Verbose", value]]) for value in (True, False, None, 1, 0, "x", "True")),
    Case("Test-Names", [["Count", 1], ["Cou", 2]]),
    Case("Test-Names", [["Nope", 1], ["Count", "x"]]),
    Case("Test-Names", [["Count", "x"], ["Nope", 1]]),
    Case("Test-Names", [], ["a"]),
    Case("Test-Names", [], [None]),
    Case("Test-Names", [], [["a", "b"]]),
    Case("Test-Names", [["Nope", 1]], ["a", "b"]),
    *(Case("Test-Process", [[name]]) for name in ("WhatIf", "wi", "Wh", "Wha", "Confirm", "cf", "Con", "W")),
    *(
        Case("Test-Order", [], list(values))
        for values in (["1"], ["1", "b"], ["1", "b", "c"], ["x"], ["1", "b", "c", "d"], [1, 2, 3])
    ),
    Case("Test-Order", [["First", 1]], ["b", "c"]),
    Case("Test-Order", [["Second", "s"]], ["1", "c"]),
    Case("Test-Order", [["Nope", "s"]], ["1", "c"]),
    *(
        Case(name, [], [value])
        for name in ("Test-SamePlace", "Test-TwoPlaces", "Test-TwoNeeded", "Test-WithDefault")
        for value in (1, "1", "x", None)
    ),
    *(Case(name) for name in BY_NAME),
    *(
        Case("Test-WithDefault", named)
        for named in ([["Z", "z"]], [["X", "x"]], [["Y", 1]], [["Y", 1], ["Z", "z"]], [["X", "x"], ["Y", 1]])
    ),
    *(Case("Test-EmptyDefault", named) for named in ([["Text", "t"]], [["Other", "o"]], [["Text", "t"], ["Other", "o"]])),
    Case("Test-InBoth", [["X", "x"]]),
    Case("Test-InBoth", [["X", "x"], ["Y", "y"]]),
    *(Case("Test-Rest", [], list(values)) for values in (["a"], ["a", "b"], ["a", "b", "c"], ["a", ["b", "c"]], ["a", ["b"], "c"])),
    Case("Test-Rest", [["Nope", "q"]], ["a", "b"]),
    Case("Test-Rest", [["Rest", ["q"]]], ["a", "b"]),
    Case("Test-Rest", [["Rest", ["q"]]], ["a"]),
    *(Case(name, piped=[item]) for name in BY_NAME for item in OBJECTS),
    *(Case(name, piped=OBJECTS) for name in ("Test-ByValue", "Test-ByProperty", "Test-NoInput")),
    *(Case(name, [["Number", 9]], piped=[item]) for name in ("Test-ByValue", "Test-ByProperty", "Test-Either") for item in OBJECTS),
    Case("Test-EitherName", [["Tag", "t"]], piped=["a"]),
    Case("Test-EitherName", [["Item", "t"]], piped=[PsValue({"Tag": "z"})]),
    Case("Test-EitherName", [], ["pos"], piped=["a"]),
)


def every_value() -> list[Case]:
    """Every parameter of every shape with the values of its type."""
    return [Case(s.name, [[q.name, value]]) for s in SHAPES for q in s.parameters for value in VALUES[q.type]]


def generated(count: int) -> list[Case]:
    """Calls that nobody thought of; the same ones in every run."""
    chance = random.Random(5)  # noqa: S311 - test data
    cases = []
    for _ in range(count):
        syntax = chance.choice(SHAPES)
        chosen = chance.sample(syntax.parameters, chance.randint(0, min(3, len(syntax.parameters))))
        named = [
            [chance.choice([q.name, q.name.lower(), q.name[: max(1, len(q.name) - 2)]]), chance.choice(VALUES[q.type])]
            for q in chosen
        ]
        if chance.random() < 0.1:
            named.append(
                chance.choice([["ErrorAction", "Stop"], ["ea", True], ["Verbose", 1], ["Nope", "n"], ["OutVariable", "ov"]])
            )
        positional = [chance.choice(["a", 1, "2", None, ["x", "y"]]) for _ in range(chance.choice([0, 0, 0, 1, 1, 2, 3]))]
        piped = [chance.choice(OBJECTS)] if chance.random() < 0.3 else None
        cases.append(Case(syntax.name, named, positional, piped))
    return cases


def restricted() -> list[Case]:
    """What Import-PSSession and Enter-PSSession send to a restricted session, and what it does not take."""
    chance = random.Random(6)  # noqa: S311 - test data
    values: list[Any] = [
        "Name",
        "Get-*",
        "x1",
        "nope",
        "",
        None,
        5,
        ["Name", "Count"],
        ["Name", "Nope"],
        [],
        "All",
        "Function",
        "2.0",
    ]
    values += ["x" * 101, ["a"] * 101, "a b", "Function, Cmdlet"]
    asked = ["Name", "CommandType", "ListImported", "ArgumentList", "Property", "TypeName", "Category", "Module", "InputObject"]
    asked += [
        "ShowCommandInfo",
        "Verb",
        "First",
        "Sum",
        "Full",
        "TotalCount",
        "PowerShellVersion",
        "ErrorAction",
        "N",
        "Transcript",
    ]
    imported = [
        Case("Test-GetCommand", [["Name", ["*"]], ["CommandType", "All"], ["Module", []], ["ArgumentList", None]]),
        Case("Test-GetCommand", [["CommandType", "Alias, Function, Filter, Cmdlet"], ["ListImported", True]], ["*"]),
        Case(
            "Test-SelectObject", [["Property", ["Name", "Namespace", "HelpUri", "CommandType", "ResolvedCommandName"]]], piped=[1]
        ),
        Case("Test-GetFormatData", [["TypeName", ["System.Int32"]]]),
        Case("Test-MeasureObject", piped=[1, 2]),
        Case("Test-OutDefault", piped=[1]),
        Case("Test-ExitPSSession"),
    ]
    return imported + [
        Case(
            chance.choice(list(RESTRICTED.values())).name,
            [[name, chance.choice(values)] for name in chance.sample(asked, chance.choice([0, 1, 1, 2]))],
            chance.choices(values, k=chance.choice([0, 0, 1, 1, 2])),
            [chance.choice(OBJECTS)] if chance.random() < 0.4 else None,
        )
        for _ in range(300)
    ]


CASES = [*TABLE, *every_value(), *generated(900), *restricted()]

# -- PowerShell's side --------------------------------------------------------------------------------------------

BODY = """
process { $values = @{}; foreach ($key in $PSBoundParameters.Keys) { $values[$key] = describe $PSBoundParameters[$key] }
@{ set = $PSCmdlet.ParameterSetName; values = $values } }
"""
RESTRICTED_DECLARATIONS = """
$remoting = [System.Management.Automation.SessionCapabilities]::RemoteServer
foreach ($found in [System.Management.Automation.CommandMetadata]::GetRestrictedCommands($remoting).Values) {
    $attribute = [System.Management.Automation.ProxyCommand]::GetCmdletBindingAttribute($found)
    $block = [System.Management.Automation.ProxyCommand]::GetParamBlock($found)
    Invoke-Expression "function Test-$($found.Name.Replace('-', '')) { $attribute param($block) $body }"
}
"""

_TYPES = {
    "SwitchParameter": "switch",
    "Int32": "int",
    "Int64": "long",
    "Boolean": "bool",
    "Version": "version",
    "SecureString": "securestring",
    "ConsoleColor": "System.ConsoleColor",
    "Hashtable": "hashtable",
}


def declaration(syntax: CommandSyntax) -> str:
    options = [f"DefaultParameterSetName='{syntax.default_set}'"] if syntax.default_set else []
    options += ["SupportsShouldProcess"] if syntax.should_process else []
    parameters = ",\n".join(_declared(q) for q in syntax.parameters)
    return (
        f"function {syntax.name} {{ [CmdletBinding({', '.join([*options, 'PositionalBinding=$false'])})] param({parameters})\n"
        f"{BODY} }}"
    )


def _declared(q: ParameterInfo) -> str:
    lines = []
    for set_name, m in q.sets.items():
        parts = [] if set_name == ALL_SETS else [f"ParameterSetName='{set_name}'"]
        parts += ["Mandatory"] if m.mandatory else []
        parts += [f"Position={m.position}"] if m.position is not None else []
        parts += ["ValueFromPipeline"] if m.from_pipeline else []
        parts += ["ValueFromPipelineByPropertyName"] if m.from_property else []
        parts += ["ValueFromRemainingArguments"] if q.remaining else []
        lines.append(f"[Parameter({', '.join(parts)})]")
    lines += [f"[Alias({', '.join(repr(a) for a in q.aliases)})]"] if q.aliases else []
    lines += [f"[ValidateSet({', '.join(repr(a) for a in q.allowed)})]"] if q.allowed else []
    lines += [f"[ValidateRange({q.minimum}, {q.maximum})]"] if q.minimum is not None else []
    lines += [f"[ValidatePattern('{q.pattern}')]"] if q.pattern else []
    lines += ["[ValidateLength({}, {})]".format(*q.length)] if q.length else []
    lines += ["[ValidateCount({}, {})]".format(*q.count)] if q.count else []
    lines += ["[ValidateNotNull()]"] if q.not_null else []
    lines += ["[ValidateNotNullOrEmpty()]"] if q.not_empty else []
    bare = q.type.removesuffix("[]")
    return "".join(lines) + f"[{_TYPES.get(bare, bare.lower())}{q.type[len(bare) :]}]${q.name}"


def literal(value: Any) -> str:
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case int() | float():
            return str(value)
        case list():
            return array([literal(item) for item in value])
        case PsValue(properties=properties):
            return "[pscustomobject] " + literal(dict(properties))
        case dict():
            return "@{" + ";".join(f"{key}={literal(item)}" for key, item in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"


def array(items: list[str]) -> str:
    """A list in PowerShell; the comma before a single item keeps it one where it is a list itself."""
    return f"@(,{items[0]})" if len(items) == 1 else f"@({','.join(items)})"


def as_script(case: Case) -> str:
    named = array([literal(pair) for pair in case.named])
    piped = "" if case.piped is None else f";i={literal(case.piped)}"
    return f"@{{c='{case.command}';n={named};p={literal(case.positional)}{piped}}}"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What PowerShell says to every case, from one process."""
    script = tmp_path_factory.mktemp("binding") / "run.ps1"
    cases = "$cases = @(\n" + ",\n".join(as_script(case) for case in CASES) + "\n)\n"
    restricted_ones = f"$body = @'\n{BODY}\n'@\n{RESTRICTED_DECLARATIONS}"
    script.write_text("\n".join([*(declaration(s) for s in SHAPES), restricted_ones, cases, RUNNER]), encoding="utf-8")
    assert PWSH is not None
    done = subprocess.run(
        [PWSH, "-NoLogo", "-NoProfile", "-File", str(script)], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return cast(list[dict[str, Any]], json.loads(done.stdout))


# -- the device's side --------------------------------------------------------------------------------------------


class Errors:
    """The error stream of a call."""

    def __init__(self) -> None:
        self.written: list[ErrorInfo] = []

    def error(self, error: ErrorInfo) -> None:
        self.written.append(error)


async def ours(case: Case) -> dict[str, Any]:
    syntax, errors, output = BY_NAME[case.command], Errors(), []
    arguments = [Parameter(pair[0], pair[1] if len(pair) > 1 else True) for pair in case.named]
    arguments += [Parameter(None, value) for value in case.positional]
    try:
        binding = bind(syntax, arguments, has_input=case.piped is not None)
        runspace: Any = SimpleNamespace(variables=Variables({}))
        call = Call(CommandInfo(syntax, nothing, ""), binding, _piped(case.piped), cast(Streams, errors), runspace)
        if case.piped is not None and not binding.awaiting_pipeline:
            for item in case.piped:
                call.refuse_input(item)
        else:
            async for values in call.each():
                output.append({"set": binding.parameter_set, "values": {name: described(value) for name, value in values.items()}})
    except PipelineFailed as failed:
        return {"output": [], "errors": [], "refused": refusal(failed.error)}
    return {"output": output, "errors": [refusal(error) for error in errors.written]}


async def nothing(_call: Call) -> None: ...


def _piped(items: Sequence[Any] | None) -> AsyncIterator[Any] | None:
    async def one_by_one() -> AsyncIterator[Any]:
        for item in items or ():
            yield item

    return None if items is None else one_by_one()


def described(value: Any) -> str:
    if isinstance(value, dict):
        return "table"
    return "[" + ",".join(described(item) for item in value) + "]" if is_sequence(value) else text_of(value)


def refusal(error: ErrorInfo) -> dict[str, Any]:
    return {
        "id": error.error_id,
        "category": error.category,
        "activity": error.activity,
        "target": error.target_type,
        "message": error.message,
    }


def today(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what changed from Windows PowerShell 5.1 to PowerShell 7, which are wordings of .NET and one parameter."""
    for record in [*answer.get("errors", []), *([answer["refused"]] if "refused" in answer else [])]:
        text = record["message"]
        text = re.sub(r"[Tt]he input string '[^']*' was not in a correct format", "Input string was not in a correct format", text)
        text = re.sub(r"(too short or too long\.)\s*\(?Parameter.*", r'\1"', text, flags=re.DOTALL)
        record["message"] = (
            re.sub(r"enumerator names and try again:.*", "", text, flags=re.DOTALL)
            .replace(" -ProgressAction", "")
            .replace(",Break", "")
            .replace(", Break", "")
            .replace(",Workflow", "")
            .replace(", Workflow", "")
            .replace(",DscResource,Class,", ",")
            .strip()
        )
    return answer


def test_every_call_is_bound_or_refused_as_powershell_does(theirs: list[dict[str, Any]]) -> None:
    assert len(CASES) == len(theirs) > 1200

    differences = []
    for case, answer in zip(CASES, theirs, strict=True):
        expected, mine = today(answer), today(asyncio.run(ours(case)))
        if mine != expected:
            differences.append(f"{case}\n   PowerShell: {expected}\n   device:     {mine}")

    assert not differences, f"{len(differences)} of {len(CASES)}:\n" + "\n".join(differences[:25])
