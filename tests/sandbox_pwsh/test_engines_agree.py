"""The same command lines on a simulated device and on one with a real PowerShell: what comes back is the same.

Where the two differ, the embedded engine is wrong. One session each serves the whole table.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pypsrp.complex_objects import ApartmentState, GenericComplexObject, PSInvocationState
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.messages import ErrorRecordMessage, MessageType, WarningRecord
from pypsrp.powershell import PowerShell, RunspacePool

from akslite_ps.sandbox import LocalSandbox

if TYPE_CHECKING:
    from conftest import Devices

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH"),
]

Step = tuple[str, tuple[Any, ...], dict[str, Any]]
Row = str | Step | list[Step]
Pools = Mapping[str, RunspacePool]

_NAME = re.compile(r"press-0[12]", re.IGNORECASE)
_VARIES = re.compile(
    r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"  # the device's clock
    r"|00-15-5D(-[0-9A-F]{2}){3}"  # made up for each node
    r"|\b127\.\d+\.\d+\.\d+\b"
    r"|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)


_NO_NUMBER = re.compile(r"[Tt]he input string '[^']*' was not in a correct format")
_NEVER_SHORTENED = 12
_STATES = {PSInvocationState.COMPLETED: "completed", PSInvocationState.FAILED: "failed", PSInvocationState.STOPPED: "stopped"}
_REWORDED = (
    (
        "is not recognized as a name of a cmdlet, function, script file, or executable program.\nCheck",
        "is not recognized as the name of a cmdlet, function, script file, or operable program. Check",
    ),
    ("Ignore, Suspend, Break", "Ignore, Suspend"),
    ("Ignore,Suspend,Break", "Ignore,Suspend"),
)


def c(name: str, *arguments: Any, **parameters: Any) -> Step:
    """A command sent as such, with its parameters as objects."""
    return name, arguments, parameters


_COMPLETED = "| Select-Object -ExpandProperty CompletionMatches | Select-Object CompletionText, ListItemText, ResultType"
ROWS: Mapping[str, Row] = {
    # text within text
    "iex: an unknown command": c("Invoke-Expression", "1; Get-Nothing; 2"),
    "iex: an unknown parameter": c("Invoke-Expression", "1; Get-Date -Nothing; 2"),
    "iex: an error that ends nothing": c("Invoke-Expression", "Write-Error no; 2"),
    "iex: in a script": "Invoke-Expression 'Get-Nothing; 1'; Invoke-Expression '2; 3'; 4",
    # names
    "unknown command": c("Get-Nothing"),
    "unknown command in text": "Get-Nothing",
    "unknown command in text, and more after it": "Get-Nothing; 'after'",
    "unknown parameter": c("Get-AksEdgeNodeAddr", Foo=1),
    "unknown parameter in text": "Get-AksEdgeNodeAddr -Foo 1",
    "prefix of a parameter": c("Get-AksEdgeNodeAddr", Node="Linux"),
    "ambiguous prefix": c("New-AksEdgeDeployment", J="x"),
    "same parameter by name and prefix": "Get-AksEdgeNodeAddr -NodeType Linux -NodeT Linux",
    "positional argument too many": c("Test-AksEdgeDeployment", "x"),
    "same switch twice": "Test-AksEdgeDeployment -Verbose -Verbose",
    "same switch by name and alias": "Test-AksEdgeDeployment -Verbose -vb",
    "same parameter with a colon": "Get-AksEdgeNodeAddr -NodeType Linux -NodeT:Linux",
    "positional number too many, as written": "Test-AksEdgeDeployment 0x10",
    "positional list too many": c("Test-AksEdgeDeployment", [1, 2]),
    "alias of a parameter": "Get-AksEdgeNodeAddr -ea SilentlyContinue -NodeType Mac",
    # values
    "value outside of the set": c("Get-AksEdgeNodeAddr", NodeType="Mac"),
    "value of the set in other case": c("Test-AksEdgeNode", NodeType="linux"),
    "empty text for a set": c("Get-AksEdgeNodeAddr", NodeType=""),
    "null for a set": c("Get-AksEdgeNodeAddr", NodeType=None),
    "list for a text": c("Get-AksEdgeNodeAddr", NodeType=["Linux", "Windows"]),
    "list for a text, in text": "Get-AksEdgeNodeAddr -NodeType Linux,Windows",
    "number for a text": c("Get-AksEdgeNodeAddr", NodeType=5),
    "what is no parameter, as a value": "Get-AksEdgeNodeAddr -NodeType -Mac; Get-AksEdgeNodeAddr -NodeType --Mac",
    "parameter instead of a value": "Get-AksEdgeNodeAddr -NodeType -Verbose; Get-AksEdgeNodeAddr -NodeType -Warn x",
    "unknown parameter with a colon instead of a value": "Get-AksEdgeNodeAddr -NodeType -Mac:x",
    "splatted null instead of a value": "Get-AksEdgeNodeAddr -NodeType @nothing",
    "value after the parameter": [("Get-AksEdgeNodeAddr", ("Mac",), {"-NodeType": None})],
    "signed number as a value": "Set-AksEdgeUpgrade -AcceptUpgrade -5; Write-Output -5",
    "relative path that is not there": "Connect-AksEdgeArc -JsonConfigFilePath 5.50",
    "mandatory parameter missing": c("Invoke-AksEdgeNodeCommand"),
    "mandatory text empty": c("New-AksEdgeDeployment", JsonConfigString=""),
    "mandatory text null": c("New-AksEdgeDeployment", JsonConfigString=None),
    "two sets at once": c("New-AksEdgeDeployment", JsonConfigString="{}", JsonConfigFilePath="C:\\x.json"),
    "switch with a value": "Stop-AksEdgeNode -Confirm:$false",
    "switch with text": c("New-AksEdgeDeployment", JsonConfigString="{}", Force="yes"),
    "preference that is none": c("Test-AksEdgeDeployment", ErrorAction="Whatever"),
    # what the commands give
    "a boolean": c("Test-AksEdgeDeployment"),
    "a boolean in text": "Test-AksEdgeDeployment",
    "output and records in order": "Test-AksEdgeDeployment; Write-Warning w; 1; Get-Nothing; 2; Write-Error e; Write-Host h; 4",
    "an error that ends the command": c("Get-AksEdgeNodeAddr"),
    "the same in text, and more after it": "Get-AksEdgeNodeAddr; 'after'",
    "quietly": c("Get-AksEdgeNodeAddr", ErrorAction="SilentlyContinue"),
    "a config": c("New-AksEdgeConfig", DeploymentType="SingleMachineCluster"),
    "host text and a boolean": c("Test-AksEdgeNetworkParameters", JsonConfigString="{}"),
    "what if": c("Install-AksEdgeHostFeatures", WhatIf=True),
    "file that is not there": c("New-AksEdgeDeployment", JsonConfigFilePath="C:\\nothing.json"),
    # pipelines
    "input that is not taken": "5 | Test-AksEdgeDeployment",
    "select": [c("New-AksEdgeConfig", DeploymentType="SingleMachineCluster"), c("Select-Object", Property=["SchemaVersion"])],
    "select in text": "New-AksEdgeConfig -DeploymentType SingleMachineCluster | Select-Object SchemaVersion",
    "measure": [c("Write-Output", [1, 2, 3]), c("Measure-Object")],
    "sort": [c("Write-Output", [3, 1, 2]), c("Sort-Object", Descending=True)],
    "mandatory parameter missing, nobody to ask": c("Set-AksEdgeUpgrade"),
    "verbose": c("Test-AksEdgeDeployment", Verbose=True),
    # text
    "values": "1; 2.5; 'a'; $true; $null; @(1, 2); 5MB; 0x10; 10000000000",
    "a table": "@{ a = 1 }",
    "a variable": "$x = Test-AksEdgeDeployment; $x; $x",
    "interpolation": '$n = 5; "n is $n, `$n"',
    "index into null": "$nothing[0]",
    # help
    "help of a command": "Get-Help Stop-AksEdgeNode | Select-Object Name, Synopsis, Category, ModuleName, Role",
    "help has parameters": "Get-Help New-AksEdgeDeployment -Parameter * | Select-Object name, required, position, pipelineInput",
    "help of one parameter": "Get-Help Stop-AksEdgeNode -Parameter N* | Select-Object defaultValue, globbing",
    "help of commands": "Get-Help *-AksEdgeNode | Select-Object Name, Synopsis",
    "help asked for with -?": "Stop-AksEdgeNode -? | Select-Object Name, Synopsis",
    "help of nothing that matches": "Get-Help zz*; Get-Help *-AksEdgeNode -Parameter Nope",
    "no wildcard pattern": "Get-Command '[z'; Get-Help '['; 1 | Where-Object Length -Like '['; 'after'",
    # the tab key
    "completing in the middle of a word": f"TabExpansion2 'Get-AksEdgeNodeA' 8 {_COMPLETED}",
    "completing between quotes": f'TabExpansion2 "Get-AksEdgeNodeAddr -NodeType \'l" {_COMPLETED}',
    "completing an alias": f"TabExpansion2 'Get-AksEdgeNodeAddr -ea' {_COMPLETED}",
    "completing behind a comma": f"TabExpansion2 'Test-AksEdgeNode -NodeType Linux,' {_COMPLETED}",
    "completing before a word": f"TabExpansion2 'Get-AksEdgeNodeAddr -N' 20 {_COMPLETED}",
    "completing nothing": "TabExpansion2 '' 0 | Select-Object ReplacementIndex, ReplacementLength",
    "completing behind the end": "TabExpansion2 'x' 99; 'after'",
    # selected objects
    "a selected object selected again": "@{a=1} | Select-Object a | Select-Object a",
    "a selected object as a text": '$s = @{a=1} | Select-Object a; "$s"; $s | Test-AksEdgeDeployment',
    "members that are not there": "1, 'x' | ForEach-Object Nope | Measure-Object; 1 | ForEach-Object ToString",
    "values that have no order": "'pear' | Where-Object Length -GT 'b'",
    "null for a text that may be empty": "Write-Warning $null; Write-Warning ''",
    "what is shown goes to the screen": "1 | Out-Default; 'after'",
    # enums
    "an enum as a property": "Get-Command Write-Output | Select-Object Name, CommandType",
    "an enum alone": '$c = Get-Command Write-Output; $t = $c.CommandType; "is $t"; $c | Select-Object -Expand CommandType',
    "an enum compared": "Get-Command Write-Output | Where-Object CommandType -eq Cmdlet | Select-Object Name",
    "an enum compared with its number": "Get-Command Write-Output | Where-Object CommandType -eq 8 | Select-Object Name",
    "enums in order": "Get-Command Write-Output,Test-AksEdgeDeployment | Sort-Object CommandType | Select-Object Name",
    "enums in groups": "Get-Command Write-Output,Test-AksEdgeDeployment | Group-Object CommandType | Select-Object Name,Count",
    "enums as members": "Get-Command Write-Output | Select-Object CommandType | Get-Member C* | Select-Object -Exp Definition",
    "an enum there and back": c("Write-Output", ApartmentState(value=1)),
    # common parameters
    "asked about a thrown error, nobody to ask": "Get-AksEdgeNodeAddr -NodeType Linux -ErrorAction Inquire; 'after'",
    "asked about an error, nobody to ask": c("Write-Error", "x", ErrorAction="Inquire"),
    "asked about a warning, nobody to ask": "Write-Warning 'w' -WarningAction Inquire; 'after'",
    "stopped by a warning": "Write-Warning 'w' -WarningAction Stop; 'after'",
    "stopped by information": "Write-Information 'hello' -InformationAction Stop; 'after'",
    "warnings in a variable": "Write-Warning 'w' -WarningVariable w; Write-Warning 'v' -WarningVariable +w; $w; $w.Count",
    "a silent warning in a variable": "Write-Warning 'w' -WarningAction SilentlyContinue -WarningVariable w; $w",
    "errors in a variable": "Write-Error 'x' -ErrorVariable e -ea SilentlyContinue; Write-Error 'y' -ev +e -ea 0; $e",
    "ignored errors": "Write-Error 'x' -ErrorVariable e -ErrorAction Ignore; $e.Count; Get-AksEdgeNodeAddr -ErrorAction Ignore",
    "an error that stops, in a variable": "Write-Error 'x' -ErrorVariable e -ErrorAction Stop; $e.Count",
    "host text kept": "Write-Host 'a' -InformationVariable i; Write-Host 'b' -InformationVariable +i; $i.Count; $i[1].Source",
    "information with tags": "Write-Information 'hello' -InformationVariable i -Tags a,b; $i[0].MessageData; $i[0].Tags",
    "ignored host text": "Write-Host 'hello' -InformationAction Ignore -InformationVariable i; $i.Count",
    "host text of a function kept": "Test-AksEdgeNetworkParameters -JsonConfigString '{}' -InformationVariable i; $i.Count",
    "output in a variable": "Write-Output 1,2 -OutVariable o; Write-Output 3 -OutVariable +o; $o.Count; $o",
    "one output in a variable": "Test-AksEdgeDeployment -OutVariable o; $o.Count; $o[0]",
    "output buffer": "1,2,3 | Write-Output -OutBuffer 2 | Select-Object -First 2",
    "output buffer below nothing": c("Write-Output", 1, OutBuffer=-1),
    "pipeline variable after its pipeline": "Write-Output 1,2 -PipelineVariable p; $p; 'x'",
    "variable without a name": c("Write-Output", 1, OutVariable=""),
    "pipeline variable without a name": c("Write-Output", 1, PipelineVariable=""),
    "verbose on and off": "Write-Verbose 'v' -Verbose; Write-Verbose 'v' -Verbose:$false; Write-Verbose 'v'",
    "suspended errors": "Test-AksEdgeDeployment -ErrorAction Suspend",
    "suspended warnings": "Write-Warning 'w' -WarningAction Suspend",
    "a preference as a list": "Test-AksEdgeDeployment -WarningAction Inquire,Stop; Test-AksEdgeDeployment -wa Stop,x",
    "a preference as a number in text": "Test-AksEdgeDeployment -ErrorAction '1'; Test-AksEdgeDeployment -ErrorAction '77'",
    "a variable's name that is null": "Test-AksEdgeDeployment -ErrorVariable $null",
    "a preference as a number": c("Test-AksEdgeDeployment", ErrorAction=2),
}
ASKED: Mapping[str, tuple[str, int]] = {
    "an error, yes": ("Write-Error 'x' -ErrorAction Inquire -ErrorVariable e; $e.Count", 0),
    "errors, yes to all": ("'a','b' | Write-Error -ErrorAction Inquire; 'after'", 1),
    "errors, yes each time": ("'a','b' | Write-Error -ErrorAction Inquire; 'after'", 0),
    "an error, halt": ("Write-Error 'x' -ErrorAction Inquire; 'after'", 2),
    "a warning, yes": ("Write-Warning 'x' -WarningAction Inquire; 'after'", 0),
    "a warning, halt": ("Write-Warning 'x' -WarningAction Inquire; 'after'", 2),
    "information, yes": ("Write-Information 'x' -InformationAction Inquire; 'after'", 0),
    "information, halt": ("Write-Information 'x' -InformationAction Inquire; 'after'", 2),
    "an exception, go on": ("Get-AksEdgeNodeAddr -ErrorAction Inquire; 'after'", 0),
    "an exception, go on silently": ("Get-AksEdgeNodeAddr -ErrorAction Inquire; 'after'", 1),
    "an exception, break": ("Get-AksEdgeNodeAddr -ErrorAction Inquire; 'after'", 2),
}
"""Command lines whose client is asked, and the choice that it answers each time."""


class Journal(list[Any]):
    """A stream of pypsrp that also notes what came when among all streams."""

    def __init__(self, name: str, notes: list[tuple[str, Any]]) -> None:
        super().__init__()
        self._name = name
        self._notes = notes

    def append(self, item: Any) -> None:
        super().append(item)
        self._notes.append((self._name, item))


DEPLOYED_ROWS: Mapping[str, Row] = {
    "address of the node": c("Get-AksEdgeNodeAddr"),
    "address of a node that is not there": c("Get-AksEdgeNodeAddr", NodeType="Windows"),
    "name of the node": c("Get-AksEdgeNodeName"),
    "the deployment": c("Get-AksEdgeDeploymentInfo"),
    "the deployment in text": "$d = Get-AksEdgeDeploymentInfo; $d.LinuxNodeConfig",
    "is it there": c("Test-AksEdgeDeployment"),
    "are its nodes there": "Test-AksEdgeNode; Test-AksEdgeNode -NodeType Windows",
    "a second one": c("New-AksEdgeDeployment", JsonConfigString="{}"),
    "what if it were removed": c("Remove-AksEdgeDeployment", WhatIf=True),
    "exit code of a node command that fails": "Invoke-AksEdgeNodeCommand 'exit 3'; $LASTEXITCODE",
    "exit code of a node command that may fail": "Invoke-AksEdgeNodeCommand 'cat /nope' -ignoreError; $LASTEXITCODE",
    "exit code of a node command": "Invoke-AksEdgeNodeCommand 'uname -r'; $LASTEXITCODE",
}
KNOWN_DIFFERENCES: Mapping[str, str] = {}
"""Rows in which the embedded engine is known to be wrong."""


def _marks(name: str) -> Sequence[pytest.MarkDecorator]:
    reason = KNOWN_DIFFERENCES.get(name)
    return [pytest.mark.xfail(reason=reason, strict=False)] if reason else []


@contextmanager
def open_pools(devices: Devices) -> Iterator[Pools]:
    with ExitStack() as opened:
        pools = {
            engine: opened.enter_context(RunspacePool(opened.enter_context(devices.connection(name))))
            for engine, name in (("embedded", devices.embedded), ("pwsh", devices.pwsh))
        }
        for pool in pools.values():
            keep_order(pool)
        yield pools


@pytest.fixture(scope="module")
def pools(shared: Devices) -> Iterator[Pools]:
    with open_pools(shared) as pools:
        yield pools


def keep_order(pool: RunspacePool) -> None:
    """Have each message count when it comes: pypsrp hands the output of a reply over after the reply's other records."""
    parse, take_apart = pool._parse_responses, pool._fragmenter.defragment
    one_by_one: list[Any] = []
    pool._fragmenter.defragment = lambda _data: [one_by_one.pop(0)]

    def in_order(data: bytes, pipeline: PowerShell | None = None) -> list[tuple[int, Any]]:
        found = []
        one_by_one.extend(take_apart(data))
        while one_by_one:
            for kind, value in parse(b"", pipeline):
                if kind == MessageType.PIPELINE_OUTPUT and pipeline is not None:
                    pipeline.output.append(value.data.data)
                else:
                    found.append((kind, value))
        return found

    pool._parse_responses = in_order


def ask(pool: RunspacePool, row: Row, *, goes_on: bool = True) -> list[Any]:
    """What a row gives, in order of arrival.

    Args:
        pool: On a device of one of the engines.
        row: The command line.
        goes_on: Text goes on after a statement that failed, as PowerShell's own clients ask for.
    """
    pipeline, notes = PowerShell(pool), list[tuple[str, Any]]()
    pipeline.output = Journal("output", notes)
    for stream in ("error", "warning", "verbose", "debug", "information", "progress"):
        setattr(pipeline.streams, stream, Journal(stream, notes))
    if isinstance(row, str):
        pipeline.add_script(row)
    else:
        for name, arguments, parameters in [row] if isinstance(row, tuple) else row:
            pipeline.add_cmdlet(name).add_parameters(parameters)
            for argument in arguments:
                pipeline.add_argument(argument)
    pipeline.invoke(redirect_shell_error_to_out=goes_on)
    pipeline.close()
    searching = [note for note in notes if note[0] == "progress" and note[1].activity == "Get-Help"]
    return [*(normal(stream, item) for stream, item in notes if (stream, item) not in searching), _STATES[pipeline.state]]


def normal(stream: str, item: Any) -> tuple[Any, ...]:
    match stream:
        case "output":
            return ("output", told(item))
        case "error":
            kind = item.exception.types[0] if isinstance(item.exception, GenericComplexObject) else None
            return ("error", text(item.fq_error), category(item), text(str(item)), kind)
        case "information":
            data = item.message_data
            message = data.adapted_properties.get("Message") if isinstance(data, GenericComplexObject) else data
            return ("information", text(str(message)), sorted(item.tags))
        case "progress":
            return ("progress", item.activity, item.description, item.percent_complete)
    return (stream, text(str(item.message)))


def told(value: Any) -> Any:
    if isinstance(value, ErrorRecordMessage):
        return normal("error", value)
    if isinstance(value, ApartmentState):
        return ("enum", value.value, str(value))
    if isinstance(value, WarningRecord):
        return ("warning", value.message)
    if isinstance(value, GenericComplexObject):
        members = {**value.adapted_properties, **value.extended_properties}
        return (value.types[:1], {name: told(item) for name, item in members.items()})
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    return text(value) if isinstance(value, str) else (type(value).__name__, value)


def text(value: str) -> str:
    """Without what differs between two devices, and in the wording of 5.1 where 7 only says the same in other words."""
    value = _VARIES.sub("#", _NAME.sub("DEVICE", value)).replace("\r\n", "\n")
    value = _NO_NUMBER.sub("Input string was not in a correct format", value)
    for newer, older in _REWORDED:
        value = value.replace(newer, older)
    return value


def category(error: Any) -> tuple[str, ...]:
    """The fields of a category line. Both versions shorten long fields, each in its own way: then only the beginning counts."""
    fields = (error.category, error.activity, error.reason, error.target_name, error.target_type)
    return tuple(str(field or "")[:_NEVER_SHORTENED] for field in fields)


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in ROWS])
def test_both_engines_answer_the_same(pools: Pools, name: str) -> None:
    row = ROWS[name]
    assert ask(pools["embedded"], row) == ask(pools["pwsh"], row)


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, devices_of: Callable[[LocalSandbox], Devices], offline_config: str
) -> Iterator[Pools]:
    """Pools on two devices on which the same cluster was made with the same cmdlet, which must have said the same."""
    with LocalSandbox(tmp_path_factory.mktemp("deployed"), devices=2, engine=("embedded", "pwsh"), speed=20000) as sandbox:
        devices = devices_of(sandbox)
        devices.install(devices.embedded)
        devices.install(devices.pwsh)
        with open_pools(devices) as pools:
            row = c("New-AksEdgeDeployment", JsonConfigString=offline_config)
            said = {engine: ask(pool, row) for engine, pool in pools.items()}
            assert said["embedded"] == said["pwsh"]
            assert ("output", "OK") in said["pwsh"]
            yield pools


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in DEPLOYED_ROWS])
def test_both_engines_answer_the_same_about_a_cluster(deployed: Pools, name: str) -> None:
    row = DEPLOYED_ROWS[name]
    assert ask(deployed["embedded"], row) == ask(deployed["pwsh"], row)


def test_a_client_may_have_text_end_at_its_first_failed_statement(pools: Pools) -> None:
    row = "Get-Nothing; 'after'"
    assert ask(pools["embedded"], row, goes_on=False) == ask(pools["pwsh"], row, goes_on=False)


class Deciding(PSHostUserInterface):
    """A host that gives every question the same answer and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = 0
        self.asked: list[Any] = []

    def PromptForChoice(self, runspace: Any, pipeline: Any, caption: str, message: str, choices: Any, default: int) -> int:  # noqa: N802
        told_choices = [tuple(_members(choice)[name] for name in ("label", "helpMessage")) for choice in choices]
        self.asked.append((caption, text(message), told_choices, default))
        return self.answer


def _members(choice: GenericComplexObject) -> dict[str, Any]:
    return {**choice.adapted_properties, **choice.extended_properties}


Deciders = Mapping[str, tuple[RunspacePool, Deciding]]


@pytest.fixture(scope="module")
def deciders(shared: Devices) -> Iterator[Deciders]:
    """Pools whose clients can be asked."""
    with ExitStack() as opened:
        found: dict[str, tuple[RunspacePool, Deciding]] = {}
        for engine, name in (("embedded", shared.embedded), ("pwsh", shared.pwsh)):
            connection, screen = opened.enter_context(shared.connection(name)), Deciding()
            pool = RunspacePool(connection, host=PSHost(None, None, False, "test", None, screen, "1.0"))
            found[engine] = (opened.enter_context(pool), screen)
            keep_order(pool)
        yield found


@pytest.mark.parametrize("name", ASKED)
def test_both_engines_ask_the_same_and_take_the_answer_alike(deciders: Deciders, name: str) -> None:
    row, answer = ASKED[name]
    said: dict[str, Any] = {}
    for engine, (pool, screen) in deciders.items():
        screen.answer, screen.asked = answer, []
        said[engine] = (ask(pool, row), screen.asked)

    assert said["embedded"] == said["pwsh"]
    assert said["pwsh"][1]
