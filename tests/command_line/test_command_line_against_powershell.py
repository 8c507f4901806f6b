"""The parser against PowerShell's own: what we accept means the same there, what PowerShell refuses we refuse."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from akslite_ps.command_line import (
    Argument,
    Assignment,
    Collected,
    CommandLineError,
    Exit,
    Expression,
    Interpolated,
    Items,
    Literal,
    Number,
    Pipeline,
    Script,
    Splat,
    Statement,
    Table,
    Variable,
    full_name,
    parse,
)

pytestmark = pytest.mark.pwsh

WRITTEN = [
    "Get-AksEdgeNodeAddr -NodeType Linux",
    "Get-Foo a,b , c -Switch; Get-Bar 'x''y' \"a`tb\"",
    "Get-Foo |\n# a note\n\n Select-Object Name, Status | Sort-Object Name",
    "Get-Foo `\n  -A 1 `\n  -B 2",
    "$x = Get-Foo -Size 4GB -Ratio 1.5 -Mask 0x1F -Count -3",
    "$x=5\n$y = 'a', 2, $x\n$x",
    "1, 2, 3 | Get-Foo",
    "Get-Foo @(1; 2, 3\n4) @{ a = 1; 'b c' = 'x'\n d = @(1) }",
    "Get-Foo -A:1 -B: 2 -C:$x -D:'t'",
    "Get-Foo C:\\a\\b \\\\share\\x http://h/p?q=1#f a>b a=b [int] *.txt ~/x 7z 1.2.3 5..6 12:30",
    "Get-Foo a$x $x/y \"$x and ${y z} $($x.Name)\" $x.Name $x[0] $x['k'].A",
    "Get-Foo @'\none 'two'\n'@ @\"\n$x\n\"@",
    "Get-Foo @splat -A 1",
    "<# note #> Get-Foo # end\nexit 3",
    "Get-Foo “smart” ‘quotes’ –Dash 1",
    "$null | Get-Foo $true $false",
    "exit",
    'Get-Foo `"a `$b a`,b',
    "(1,2) | Get-Foo (3)",
    "-5",
    ".5, 5., 1e3, 1.5kb, 0xFFFFFFFF, 2147483648, 9223372036854775808, 5d, 7L, 1kb",
]

FRAGMENTS = [
    *["Get-Foo", "Get-Foo ", "Where ", "a", "b-c", "x.y", "é", "-Name", " -Name ", "-N:", "-Switch ", "-1", "- ", "--", "–Dash "],
    *["1", "42", "0x1F", "1.5", ".5", "5.", "1kb", "2GB", "7L", "3d", "1e3", "1e", "09", "0x", "9999999999999999999"],
    *[
        "'text'",
        "'it''s'",
        '"text"',
        '"a $x b"',
        '"`t`"q"',
        "'",
        '"',
        "“q”",
        "`",
        "`,",
        "`\n",
        " `\n",
        '"$($x.A)"',
        '"${x}"',
        '"a""b"',
    ],
    *["$x", "$x.Name", "$x[0]", "$x['k']", "${a b}", "$env:A", "$true", "$null", "$", "@x", "$x = ", "$x=", "= "],
    *["@(", "@{", "(", ")", "{", "}", "a=1", "'k' = 2", "@()", "@{}", "@(1,2)", "@{a=1}"],
    *[
        " ",
        " ",
        " ",
        "\n",
        ";",
        "|",
        " | ",
        ",",
        ", ",
        "#",
        " # note",
        "<# note #>",
        "<#",
        "&",
        "..",
        "%",
        "?",
        "!",
        "+",
        "*",
        "/",
        "\\",
    ],
    *["-N:-5", "--x", " +5", "-5kb", "a,-1"],
    *["@'\ntext\n'@", '@"\n$x\n"@', "@'", "'@", "exit", "exit 1", ">", " > x", "2>", "\t", "\r\n"],
]


def _random_lines() -> list[str]:
    dice = random.Random(7)  # noqa: S311
    lines = ["".join(dice.choices(FRAGMENTS, k=dice.randint(1, 9))) for _ in range(1000)]
    lines += ["Get-Foo " + " ".join(dice.choices(FRAGMENTS, k=dice.randint(1, 5))) for _ in range(1200)]
    return [line for line in lines if not re.search("`[eu]", line)]  # escapes that Windows PowerShell 5.1 does not have


RANDOM = _random_lines()
Answers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def answers(powershell_parser: Callable[[Sequence[str]], list[dict[str, Any]]]) -> Answers:
    """What PowerShell makes of every line, from one process."""
    lines = [*WRITTEN, *RANDOM]
    return dict(zip(lines, powershell_parser(lines), strict=True))


def test_lines_written_by_hand_mean_what_powershell_says(answers: Answers) -> None:
    for line in WRITTEN:
        answer = answers[line]
        assert answer["errors"] == [], line
        assert [_ours(statement) for statement in parse(line).statements] == [_theirs(s) for s in answer["statements"]], line


@pytest.mark.parametrize("joins_values", [True, False])
def test_random_lines_mean_what_powershell_says(answers: Answers, joins_values: bool) -> None:
    accepted = 0
    for line in RANDOM:
        answer, script = answers[line], _parsed(line, joins_values)
        if isinstance(script, CommandLineError):
            wants_more = script.incomplete and not line.endswith("`")
            assert not wants_more or answer["errors"], f"{line!r} is complete to PowerShell"
            continue
        accepted += 1
        assert answer["errors"] == [], f"{line!r} is accepted and PowerShell refuses it: {answer['errors']}"
        assert [_ours(s) for s in script.statements] == [_theirs(s) for s in answer["statements"]], repr(line)
    assert accepted > 200


def _parsed(line: str, joins_values: bool) -> Script | CommandLineError:
    try:
        return parse(line, joins_values=joins_values)
    except CommandLineError as error:
        return error


def _ours(statement: Statement) -> Any:
    match statement:
        case Exit():
            return "exit"
        case Assignment(name=name, pipeline=pipeline):
            return ["assign", name, *_our_pipeline(pipeline)]
        case Pipeline():
            return _our_pipeline(statement)


def _our_pipeline(pipeline: Pipeline) -> list[Any]:
    head = None if pipeline.head is None else _our_value(pipeline.head)
    commands = []
    for command in pipeline.commands:
        parts: list[Any] = []
        for argument in command.arguments:
            parts += _our_argument(argument)
        commands.append([command.name, parts])
    return [head, commands]


def _our_argument(argument: Argument | Splat) -> list[Any]:
    if isinstance(argument, Splat):
        return [["splat", argument.variable.name]]
    value = [] if argument.value is None else [_our_value(argument.value)]
    return value if argument.name is None else [["parameter", argument.name], *value]


def _our_value(value: Expression) -> Any:
    match value:
        case Literal(value=str() as text):
            return _signed(text) or ["text", text]
        case Literal(value=constant):
            return ["variable", {True: "true", False: "false", None: "null"}[constant]]
        case Number(value=number, written=written):
            return _number(float(number), written)
        case Variable(name=name, path=()):
            return ["variable", name.casefold()]
        case Variable():
            return ["path"]
        case Interpolated():
            return ["interpolated"]
        case Items(items=items):
            return ["items", [_our_value(item) for item in items]]
        case Collected(items=items):
            return ["collected", [_our_value(item) for item in items]]
        case Table(entries=entries):
            return ["table", [key for key, _ in entries]]


def _number(value: float, written: str) -> list[Any]:
    return _signed(written) or ["number", f"{value:.12g}"]


def _signed(written: str) -> list[Any] | None:
    """A word with a sign: PowerShell keeps such a number of an argument as text until it is bound, we have both forms."""
    return ["signed", "-" + written[1:]] if written[:1] in ("-", "\u2013") else ["signed", written] if written[:1] == "+" else None


def _theirs(statement: dict[str, Any]) -> Any:
    match statement["is"]:
        case "exit":
            return "exit"
        case "assignment":
            assert statement["operator"] == "Equals"
            return ["assign", statement["name"], *_their_pipeline(statement["value"])]
        case "pipeline":
            return _their_pipeline(statement)
    return statement


def _their_pipeline(pipeline: dict[str, Any]) -> list[Any]:
    assert not pipeline["background"]
    head = None if pipeline["head"] is None else _their_value(pipeline["head"])
    commands = []
    for command in pipeline["commands"]:
        assert command["redirections"] == 0
        assert command["operator"] == "Unknown"
        parts: list[Any] = []
        for element in command["elements"]:
            if element["is"] == "parameter":
                parts.append(["parameter", element["name"]])
                parts += [] if element["argument"] is None else [_their_value(element["argument"])]
            elif element["is"] == "variable" and element["splat"]:
                parts.append(["splat", element["value"]])
            else:
                parts.append(_their_value(element))
        commands.append([full_name(command["name"]), parts])
    return [head, commands]


def _their_value(value: dict[str, Any]) -> Any:
    match value["is"]:
        case "text":
            return _signed(value["value"]) or ["text", value["value"]]
        case "number":
            return _number(float(value["value"].replace("Infinity", "inf")), value["written"])
        case "variable":
            return ["variable", value["value"].casefold()]
        case "items" | "collected":
            return [value["is"], [_their_value(item) for item in value["items"]]]
        case "table":
            return ["table", value["keys"]]
        case "path" | "interpolated":
            return [value["is"]]
    return value
