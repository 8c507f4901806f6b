"""What is refused: the construct is named, with its place and what to write instead."""

from __future__ import annotations

import pytest

from akslite_ps.command_line import CommandLineError, Pipeline, parse
from akslite_ps.errors import UsageError

REFUSED = [
    ("if ($x) { Get-Foo }", "the keyword if", 1, 1),
    ("Get-Foo\nforeach ($d in 1) { $d }", "the keyword foreach", 2, 1),
    ("function f { }", "the keyword function", 1, 1),
    ("try { Get-Foo } catch { }", "the keyword try", 1, 1),
    ("return 5", "the keyword return", 1, 1),
    ("Get-Foo (Get-Bar)", "the word Get-Bar", 1, 10),
    ("Get-Foo $(Get-Bar)", "a sub-expression $(...)", 1, 9),
    ('Get-Foo "$(Get-Bar)"', "a sub-expression $(...)", 1, 10),
    ("Get-Foo @(Get-Bar)", "the word Get-Bar", 1, 11),
    ("Get-Foo @{ a = b }", "the word b", 1, 16),
    ("Get-Foo { 1 }", "a script block { ... }", 1, 9),
    ("Get-Foo | Where-Object { Test-It $_ }", "a script block { ... }", 1, 24),
    ("Get-Foo | Where-Object { $_.A -or $_.B }", "a script block { ... }", 1, 24),
    ("Get-Foo | ForEach-Object { $_.Name.Length }", "a script block { ... }", 1, 26),
    ("Get-Foo > out.txt", "a redirection", 1, 9),
    ("Get-Foo 2>$null", "a redirection", 1, 9),
    ("Get-Foo && Get-Bar", "the chain operator &&", 1, 9),
    ("Get-Foo &", "a background job &", 1, 9),
    ("& Get-Foo", "the call operator &", 1, 1),
    (". .\\x.ps1", "the call operator .", 1, 1),
    ("[int]5", "a type [...]", 1, 1),
    ("[Math]::Max(1, 2)", "a type [...]", 1, 1),
    ("1 + 2", "the operator +", 1, 3),
    ("$x -eq 5", "the operator -eq", 1, 4),
    ("$x++", "the operator ++", 1, 3),
    ("1..3", "a range ..", 1, 1),
    ("$x += 1", "the operator +=", 1, 4),
    ("$x.Name = 'a'", "an assignment to a member", 1, 1),
    ("$true = 1", "an assignment to $true", 1, 1),
    ("$x.Trim()", "the method call .Trim(...)", 1, 3),
    ("Get-Foo $x::Y", "a static member ::", 1, 11),
    ("Get-Foo $_", "$_", 1, 9),
    ("Get-Foo $global:x", "the scope $global:", 1, 9),
    ('Get-Foo "$x: y"', "$x:", 1, 10),
    ("Get-Foo(1, 2)", "a call name(...)", 1, 8),
    ("Get-Foo -Name=x", "a = in a parameter's name", 1, 9),
    ("Get-Foo -Name x -name y", "the parameter -name", 1, 17),
    ("Get-Foo -Name: ; Get-Bar", "the parameter -Name:", 1, 9),
    ("Get-Foo 'a'b", "text directly after a value", 1, 12),
    ("Get-Foo $x.Name/b", "text directly after a value", 1, 16),
    ("Get-Foo --% a", "the stop-parsing sign --%", 1, 9),
    ("Get-Foo a -- b", "the end-of-parameters sign --", 1, 11),
    ("Get-Foo | 'text'", "a value", 1, 11),
    ("Get-Foo | | Get-Bar", "a pipeline", 1, 11),
    ("Get-Foo\n| Get-Bar", "a |", 2, 1),
    ("Get-Foo }", "a }", 1, 9),
    ("Get-Foo `  \n -A 1", "a ` before white space", 1, 9),
    ("'Get-Foo' -A 1", "the operator -A", 1, 11),
    ("Get-Foo @{ a = 1; A = 2 }", "the key A", 1, 23),
    ("exit 'now'", "exit", 1, 5),
]


@pytest.mark.parametrize(("text", "construct", "line", "column"), REFUSED, ids=[text for text, *_ in REFUSED])
def test_a_construct_is_named_with_its_place_and_an_alternative(text: str, construct: str, line: int, column: int) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse(text)
    error = caught.value
    assert (error.construct, error.place.line, error.place.column) == (construct, line, column)
    assert str(error).startswith(f"line {line}, column {column}: {construct} ")
    assert error.next_action
    assert not error.incomplete
    assert isinstance(error, UsageError)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "Get-Foo |",
            "Get-Foo | # a note",
            "Get-Foo a,",
            "Get-Foo `",
            "Get-Foo 'abc",
            'Get-Foo "abc',
            "Get-Foo @(1, 2",
            "Get-Foo @(",
        ],
        *[
            "Get-Foo @{",
            "Get-Foo @{ a",
            "Get-Foo @{ a = ",
            "Get-Foo @{ a = 1",
            "Get-Foo (1",
            "Get-Foo @'\nabc",
            '@"\n$x',
            "<# note",
            "$x =",
        ],
        *["Get-Foo | Where-Object { $_.Name -eq 'x'", 'Get-Foo "${x', "Get-Foo $x[0"],
    ],
)
def test_a_text_that_only_stops_too_early_is_incomplete(text: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        parse(text)
    assert caught.value.incomplete


@pytest.mark.parametrize(
    "text",
    [
        *["(" * 3000, "@(" * 3000, "@{a=" * 3000, "Get-Foo | where {" + "(" * 3000 + "$_.a"],
        *["Get-Foo a,-N:5", "Get-Foo -A:-B:5"],
        *["9" * 400, "9" * 5000, "9" * 5000 + "kb", "1e" + "9" * 30 + "d", "exit " + "9" * 5000, "$x[" + "9" * 5000 + "]"],
    ],
)
def test_a_text_that_no_value_fits_is_refused_however_long_it_is(text: str) -> None:
    with pytest.raises(CommandLineError):
        parse(text)


def test_brackets_may_stand_in_each_other_as_deep_as_people_write_them() -> None:
    (statement,) = parse("Get-Foo " + "@(" * 40 + "1" + ")" * 40).statements
    assert isinstance(statement, Pipeline)
