"""Where-Object and ForEach-Object: the script blocks that have a form without script text."""

from __future__ import annotations

import pytest

from akslite_ps.command_line import BARE, Call, CommandLineError, Pipeline, calls_of, parse


def filters(text: str, **variables: object) -> list[Call]:
    """The calls after ``Get-Foo |``."""
    (pipeline,) = parse(f"Get-Foo | {text}").statements
    assert isinstance(pipeline, Pipeline)
    return calls_of(pipeline.commands, variables)[1:]


def where(name: str, operator: str, value: object) -> Call:
    return Call("Where-Object", {"Property": name, operator: BARE, "Value": value})


@pytest.mark.parametrize(
    ("block", "call"),
    [
        ("Where-Object { $_.Name -eq 'x' }", where("Name", "EQ", "x")),
        ("?{$_.Count -gt 5}", where("Count", "GT", 5)),
        ("where { $PSItem.Name -notlike 'a*' }", where("Name", "NotLike", "a*")),
        ("Where-Object { $_.'two words' -cmatch \"^x\" }", where("two words", "CMatch", "^x")),
        ("Where-Object { $_.Name -ieq 'x' }", where("Name", "EQ", "x")),
        ("Where-Object { $_.Name -in 'a', 'b' }", where("Name", "In", ["a", "b"])),
        ("Where-Object { $_.Ready -eq $false }", where("Ready", "EQ", False)),
        ("Where-Object -FilterScript { $_.Name -eq 'x' }", where("Name", "EQ", "x")),
        ("Where-Object {\n  ($_.Size -ge 1GB)\n}", where("Size", "GE", 2**30)),
        ("Where-Object { $_.Ready }", Call("Where-Object", {"Property": "Ready"})),
        ("ForEach-Object { $_.Name }", Call("ForEach-Object", {"MemberName": "Name"})),
        ("% { $_.'two words' }", Call("ForEach-Object", {"MemberName": "two words"})),
        ("ForEach-Object -Process { $_.Name }", Call("ForEach-Object", {"MemberName": "Name"})),
        ("ForEach-Object Name", Call("ForEach-Object", {}, ("Name",))),
    ],
)
def test_a_simple_block_becomes_parameters(block: str, call: Call) -> None:
    assert filters(block) == [call]


def test_conditions_joined_by_and_become_one_filter_each() -> None:
    assert filters("? { $_.A -eq $x -and ($_.B -lt 2) -and $_.C } | select A", x="v") == [
        where("A", "EQ", "v"),
        where("B", "LT", 2),
        Call("Where-Object", {"Property": "C"}),
        Call("Select-Object", {}, ("A",)),
    ]


@pytest.mark.parametrize(
    "block",
    [
        "Where-Object { $_ -eq 'x' }",
        "Where-Object { -not $_.A }",
        "Where-Object { $_.A.B -eq 1 }",
        "Where-Object { $_.A -eq $_.B }",
        "Where-Object { $_.A -eq 1; $true }",
        "Where-Object { 'x' -eq $_.A }",
        "Where-Object { $_.A -eq (Get-Bar) }",
        "Where-Object Name { $_.A }",
        "ForEach-Object { $_.Name; $_.B }",
        "ForEach-Object { Get-Bar $_ }",
        "ForEach-Object { $_ }",
        "ForEach-Object { $_.A } { $_.B }",
        "Sort-Object { $_.A }",
        "Select-Object @{ n = 'x'; e = { $_.A } }",
    ],
)
def test_any_other_block_is_refused(block: str) -> None:
    with pytest.raises(CommandLineError) as caught:
        filters(block)
    assert not caught.value.incomplete
