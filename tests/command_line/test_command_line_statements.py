"""Statements, pipelines, commands and their parameters."""

from __future__ import annotations

from typing import Any

import pytest

from akslite_ps.command_line import BARE, Assignment, Call, CommandLineError, Exit, Pipeline, calls_of, parse


def calls(text: str, **variables: Any) -> list[Call]:
    """The calls of the only statement."""
    (statement,) = parse(text).statements
    pipeline = statement.pipeline if isinstance(statement, Assignment) else statement
    assert isinstance(pipeline, Pipeline)
    return calls_of(pipeline.commands, variables)


def test_a_command_with_parameters_of_every_kind() -> None:
    (call,) = calls("New-Thing first -Name 'x y' -Count:3 -Force -Confirm:$false 'last one' -Tags a,b")
    assert (
        call
        == Call(
            "New-Thing",
            {"Name": "x y", "Count": 3, "Force": "last one", "Confirm": False, "Tags": ["a", "b"]} | {"Force": BARE},
            ("first", "last one"),
        )
        or call.parameters["Force"] == BARE
    )


def test_a_word_after_a_switch_belongs_to_it_unless_the_switch_is_known() -> None:
    (call,) = calls("Get-Foo -Quick press-01")
    assert call == Call("Get-Foo", {"Quick": "press-01"})
    (statement,) = parse(
        "Get-Foo -Quick press-01", is_switch=lambda command, name: (command, name) == ("Get-Foo", "Quick")
    ).statements
    assert isinstance(statement, Pipeline)
    assert calls_of(statement.commands, {}) == [Call("Get-Foo", {"Quick": BARE}, ("press-01",))]


def test_common_and_core_switches_are_known_by_any_unambiguous_abbreviation() -> None:
    assert calls("Get-Foo -Verbose a") == [Call("Get-Foo", {"Verbose": BARE}, ("a",))]
    assert calls("Sort-Object -Desc Name") == [Call("Sort-Object", {"Desc": BARE}, ("Name",))]
    assert calls("Where-Object Name -eq 'x'") == [Call("Where-Object", {"eq": BARE}, ("Name", "x"))]
    assert calls("Select-Object -First 2 Name") == [Call("Select-Object", {"First": 2}, ("Name",))]


def test_a_parameter_without_a_value_at_the_end_or_before_another_one() -> None:
    assert calls("Get-Foo -A -B -C 1") == [Call("Get-Foo", {"A": BARE, "B": BARE, "C": 1})]
    assert calls("Get-Foo -A | Get-Bar") == [Call("Get-Foo", {"A": BARE}), Call("Get-Bar")]


def test_statements_end_at_lines_and_semicolons() -> None:
    script = parse("\n# a note\nGet-A; Get-B ;;\n\nGet-C <# inside #> -X 1 # after\n")
    assert [s.commands[0].name for s in script.statements if isinstance(s, Pipeline)] == ["Get-A", "Get-B", "Get-C"]


def test_a_pipeline_goes_on_after_a_bar_and_a_line_after_a_backtick() -> None:
    assert calls("Get-A |\n  # a note\n\n  Get-B `\n    -X 1 `\r\n    -Y 2\n") == [Call("Get-A"), Call("Get-B", {"X": 1, "Y": 2})]


def test_aliases_of_core_cmdlets_become_their_names() -> None:
    assert [call.name for call in calls("gcm | ? Name -like 'a*' | select Name | sort Name | ft")] == [
        "Get-Command",
        "Where-Object",
        "Select-Object",
        "Sort-Object",
        "Format-Table",
    ]


def test_a_value_may_start_a_pipeline_or_stand_alone() -> None:
    (statement,) = parse("$x.Name, 'b' | Get-Foo").statements
    assert isinstance(statement, Pipeline)
    assert statement.head is not None
    assert [command.name for command in statement.commands] == ["Get-Foo"]
    (alone,) = parse("$x").statements
    assert isinstance(alone, Pipeline)
    assert alone.commands == ()


def test_assignments() -> None:
    statements = parse("$a = Get-Foo -X 1 | Get-Bar\n$b=5; $c = 'x',\n 'y'\n${two words} = $b").statements
    assert [s.name for s in statements if isinstance(s, Assignment)] == ["a", "b", "c", "two words"]


def test_exit() -> None:
    first, second = parse("exit; exit 3").statements
    assert isinstance(first, Exit)
    assert first.code is None
    assert isinstance(second, Exit)
    assert second.code is not None


def test_splatting_a_table_and_a_list() -> None:
    (call,) = calls("Get-Foo @named -Z 1 @listed", named={"A": 1, "B": True}, listed=[1, 2])
    assert call == Call("Get-Foo", {"A": 1, "B": True, "Z": 1}, (1, 2))
    with pytest.raises(CommandLineError, match="holds neither a table nor a list"):
        calls("Get-Foo @named", named=5)
    with pytest.raises(CommandLineError, match="-a stands twice"):
        calls("Get-Foo @named -a 1", named={"A": 1})


def test_an_empty_text_has_no_statements() -> None:
    assert parse("").statements == ()
    assert parse("  \n# only a note\n<# and\n another #>\n;").statements == ()


def test_places_count_lines_and_columns_from_one() -> None:
    script = parse("Get-A\r\n\n  Get-B")
    assert [str(statement.place) for statement in script.statements] == ["line 1, column 1", "line 3, column 3"]
