"""Values are written, converted and compared as PowerShell does it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from akslite_ps.sandbox.embedded.comparison import compare
from akslite_ps.sandbox.embedded.conversion import ConversionFailed, convert
from akslite_ps.sandbox.embedded.formatting import format_objects
from akslite_ps.sandbox.embedded.values import InvalidWildcard, property_of, text_of, type_name_of, wildcard
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText

MOMENT = dt.datetime(2026, 4, 1, 13, 5, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "text", "type_name"),
    [
        (True, "True", "System.Boolean"),
        (7, "7", "System.Int32"),
        (2**40, "1099511627776", "System.Int64"),
        (2.0, "2", "System.Double"),
        (0.5, "0.5", "System.Double"),
        (MOMENT, "04/01/2026 13:05:09", "System.DateTime"),
        (dt.timedelta(days=1, seconds=90), "1.00:01:30", "System.TimeSpan"),
        (["a", 1, None], "a 1 ", "System.Object[]"),
        ({"a": 1}, "System.Collections.Hashtable", "System.Collections.Hashtable"),
        (SecureText("hidden"), "System.Security.SecureString", "System.Security.SecureString"),
        (EnumValue("A.Color", 2, "Red"), "Red", "A.Color"),
        (PsValue({"A": 1, "B": "x"}), "@{A=1; B=x}", "System.Management.Automation.PSCustomObject"),
        (PsValue({"A": 1}, ("My.Type",)), "My.Type", "My.Type"),
    ],
)
def test_a_value_has_a_text_and_a_type(value: Any, text: str, type_name: str) -> None:
    assert text_of(value) == text
    assert type_name_of(value) == type_name


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("a", "B", -1),
        ("A", "a", 0),
        (10, "9", 1),
        ("10", 9, -1),
        (None, 1, -1),
        (None, None, 0),
        (True, 0, 1),
        (MOMENT, "2026-04-01", 1),
        (5, "many", None),
        (EnumValue("S", 4, "Running"), "running", 0),
    ],
)
def test_the_right_side_is_compared_as_what_the_left_side_is(left: Any, right: Any, order: int | None) -> None:
    assert compare(left, right) == order


@pytest.mark.parametrize(
    ("value", "type_name"),
    [("x", "Double"), ("soon", "DateTime"), ("{}", "Hashtable"), ("plain", "SecureString"), (2**31, "Int32")],
)
def test_what_powershell_would_not_convert_is_refused(value: Any, type_name: str) -> None:
    with pytest.raises(ConversionFailed, match="Cannot convert"):
        convert(value, type_name)


def test_dates_are_read_in_both_usual_forms() -> None:
    expected = dt.datetime(2026, 4, 1, 13, 5, 9, tzinfo=dt.UTC)

    assert convert("2026-04-01T13:05:09", "DateTime") == expected
    assert convert("04/01/2026 13:05:09", "DateTime") == expected


def test_wildcards_match_like_powershells() -> None:
    assert wildcard("Get-*").fullmatch("get-date")
    assert wildcard("?[ab]").fullmatch("xB")
    assert not wildcard("a.c").fullmatch("abc")
    assert wildcard("`*[^d]").fullmatch("*^")
    assert not wildcard("*a" * 50 + "b").fullmatch("a" * 5000)


@pytest.mark.parametrize("text", ["[", "x[a", "[]", "[b-a]"])
def test_what_is_no_wildcard_pattern_is_refused_in_powershells_words(text: str) -> None:
    with pytest.raises(InvalidWildcard, match="The specified wildcard character pattern is not valid: "):
        wildcard(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1 + 0.2, "0.3"), (1e15, "1E+15"), (1e14, "100000000000000"), (1e-5, "1E-05"), (-0.0, "0"), (float("inf"), "Infinity")],
)
def test_doubles_are_written_with_fifteen_digits(value: float, text: str) -> None:
    assert text_of(value) == text


def test_properties_are_found_without_regard_to_case() -> None:
    assert property_of(PsValue({"Name": 1}), "NAME") == (True, 1)
    assert property_of({"Key": None}, "key") == (True, None)
    assert property_of("four", "Length") == (True, 4)
    assert property_of(5, "Name") == (False, None)


def test_objects_of_different_shape_are_shown_one_group_after_the_other() -> None:
    text = format_objects([1, "two", PsValue({"A": [1, 2, 3, 4, 5]}), {"K": "V"}])

    assert [line.rstrip() for line in text.splitlines() if line] == [
        "1",
        "two",
        "A",
        "-",
        "{1, 2, 3, 4...}",
        "Name                           Value",
        "----                           -----",
        "K                              V",
    ]
