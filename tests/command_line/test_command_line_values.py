"""Values: what a quoted text, a number, a list or a table on a command line becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from akslite_ps.command_line import CommandLineError, Pipeline, calls_of, parse, value_of


def value(text: str, **variables: Any) -> Any:
    """The value of the only argument of ``Get-Foo TEXT``."""
    (pipeline,) = parse(f"Get-Foo {text}").statements
    assert isinstance(pipeline, Pipeline)
    (call,) = calls_of(pipeline.commands, variables)
    (argument,) = call.arguments
    return argument


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("press-01", "press-01"),
        ("'it''s $x `n'", "it's $x `n"),
        ('"a`tb`"c""d`$e"', 'a\tb"c"d$e'),
        ("a`,b", "a,b"),
        ('C:\\logs\\"my file".txt', "C:\\logs\\my file.txt"),
        ("“typographic ’quotes”", "typographic ’quotes"),
        ("127.0.0.1", "127.0.0.1"),
        ("v1.33.5+k3s1", "v1.33.5+k3s1"),
        ("https://host/p?q=1#part", "https://host/p?q=1#part"),
        ("*.msi", "*.msi"),
        ("@'\nfirst 'line'\n$second\n'@", "first 'line'\n$second"),
        ("@'\r\ntext\r\n'@", "text"),
        ("@'\n'@", ""),
    ],
)
def test_texts(written: str, meant: str) -> None:
    assert value(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("42", 42),
        ("-3", -3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("0x1F", 31),
        ("0xFFFFFFFF", -1),
        ("4GB", 4 * 2**30),
        ("1.5kb", 1536.0),
        ("2d", Decimal(2)),
        ("7L", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", Decimal(2**63)),
        ("007", 7),
    ],
)
def test_numbers(written: str, meant: object) -> None:
    found = value(written)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize("written", ["7z", "1.2.3", "5..6", "1kbx", "0x1G", "1e", "12:30", "5u"])
def test_words_that_only_look_like_numbers_stay_texts(written: str) -> None:
    assert value(written) == written


def test_a_string_parameter_gets_a_number_as_it_was_written() -> None:
    (pipeline,) = parse("Get-Foo -Version 1.30 -Count 1.30 -Many 007,2 8").statements
    assert isinstance(pipeline, Pipeline)
    (call,) = calls_of(pipeline.commands, {}, wants_text=lambda command, parameter: parameter in ("Version", "Many"))
    assert call.parameters == {"Version": "1.30", "Count": 1.3, "Many": ["007", "2"]}
    assert call.arguments == (8,)


def test_lists_and_tables() -> None:
    assert value("a, 2 ,'c d'") == ["a", 2, "c d"]
    assert value("a,\n  b") == ["a", "b"]
    assert value("@('a'; 2\n'c', 'd')") == ["a", 2, "c", "d"]
    assert value("@()") == []
    assert value("@(1)") == [1]
    assert value("@{ Name = 'x'; 'two words' = 1, 2\n Inner = @{ a = $true } }") == {
        "Name": "x",
        "two words": [1, 2],
        "Inner": {"a": True},
    }
    assert value("(5)") == 5
    assert value("('a', 'b')") == ["a", "b"]


def test_constants() -> None:
    assert value("$true, $FALSE, $null") == [True, False, None]


def test_variables_with_members_and_indexes() -> None:
    facts = {"Nodes": [{"Name": "a"}, {"Name": "b"}], "two words": 2}
    assert value("$facts", facts=facts) == facts
    assert value("$FACTS.nodes[1].NAME", facts=facts) == "b"
    assert value("$facts.Nodes.Name", facts=facts) == ["a", "b"]
    assert value("$facts.Nodes.Count", facts=facts) == 2
    assert value("$facts.'two words'", facts=facts) == 2
    assert value("${facts}['two words']", facts=facts) == 2
    assert value("$facts.Nodes[-1].Name", facts=facts) == "b"
    assert value("@($facts.Nodes.Name; 'c')", facts=facts) == ["a", "b", "c"]


def test_variables_in_texts() -> None:
    variables = {"name": "press-01", "n": 2.0, "all": [1, 2], "nothing": None, "yes": True, "o": {"A": "x"}}
    assert value('"device $name, $n, $all|$nothing|$yes"', **variables) == "device press-01, 2, 1 2||True"
    assert value('"$($o.A) ${name}s $o.A"', **variables) == "x press-01s System.Collections.Hashtable.A"
    assert value("C:\\$name\\logs", **variables) == "C:\\press-01\\logs"
    assert value("$name-$n", **variables) == "press-01-2"
    assert value('"costs 5$ or `$name"', **variables) == "costs 5$ or $name"
    assert value('@"\n$name\n"@', **variables) == "press-01"


def test_environment_variables_only_where_the_caller_gives_them() -> None:
    (pipeline,) = parse("$env:SITE").statements
    assert isinstance(pipeline, Pipeline)
    assert pipeline.head is not None
    assert value_of(pipeline.head, {"env:site": "hamburg"}) == "hamburg"
    with pytest.raises(CommandLineError, match=r"\$env:SITE is not set"):
        value_of(pipeline.head, {})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("$missing", r"\$missing is not set"),
        ("$x.Nope", r"\$x\.Nope does not exist"),
        ("$x[5]", r"\$x\[5\] does not exist"),
        ("$x.A[3]", r"\$x\.A\[3\] does not exist"),
        ('"$($x.Nope)"', r"\$x\.Nope does not exist"),
    ],
)
def test_what_a_variable_does_not_have_is_an_error_with_its_place(written: str, message: str) -> None:
    with pytest.raises(CommandLineError, match=message) as caught:
        value(written, x={"A": [1, 2]})
    assert caught.value.place.column >= 9
    assert caught.value.next_action
