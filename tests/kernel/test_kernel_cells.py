"""What a cell is: its language, its options, the line magics above it."""

from __future__ import annotations

import pytest

from akslite_ps.errors import UsageError
from akslite_ps_kernel.cells import (
    CellOptions,
    foreign_magic,
    language_of,
    python_source,
    read_options,
    read_powershell_cell,
)


@pytest.mark.parametrize(
    ("cell", "default", "language"),
    [
        ("Get-Help", "powershell", "powershell"),
        ("1 + 1", "python", "python"),
        ("%%ps\nGet-Help", "python", "powershell"),
        ("\n  %%ps --no-fail\nGet-Help", "python", "powershell"),
        ("%%python\n1", "powershell", "python"),
        ("%%local\n1", "powershell", "python"),
        ("%%psx\n1", "python", "python"),
        ("%%time\n1", "powershell", "powershell"),
        ("Get-Foo | % Name\n%%python", "powershell", "powershell"),
        ("? Name", "powershell", "powershell"),
        ("", "powershell", "powershell"),
    ],
)
def test_the_first_line_decides_the_language(cell: str, default: str, language: str) -> None:
    assert language_of(cell, default) == language  # type: ignore[arg-type]


def test_python_source_loses_the_header_only() -> None:
    assert python_source("%%python\na = 1\n\nb") == "a = 1\n\nb"
    assert python_source("\n%%local\nx") == "x"
    assert python_source("%%python") == ""
    assert python_source("x = '%%python'\n%%python") == "x = '%%python'\n%%python"


def test_options() -> None:
    assert read_options("") == CellOptions()
    assert read_options("--in a --in $b,c --out d --timeout 2.5 --no-fail --script") == CellOptions(
        ("a", "b", "c"), "d", 2.5, may_fail=True, script=True
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "--nope",
        "stray",
        "--in",
        "--out 'a b'",
        "--out 1x",
        "--in class",
        "--timeout soon",
        "--timeout 0",
        "--timeout nan",
        "--in 'a",
    ],
)
def test_an_unusable_option_is_a_usage_error_that_shows_the_options(arguments: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_options(arguments)
    assert caught.value.message.startswith("%%ps: ")
    assert "--out NAME" in str(caught.value.next_action)


def test_line_magics_above_the_source_are_taken_off_and_lines_keep_their_numbers() -> None:
    cell = read_powershell_cell("%%ps --out x\n# note\n%connect press-01\n\n%devices\nGet-Help\n%connect later")
    assert cell.magics == (("connect", "press-01"), ("devices", ""))
    assert cell.source.split("\n") == ["", "# note", "", "", "", "Get-Help", "%connect later"]
    assert cell.options.give == "x"


def test_an_alias_that_looks_like_a_magic_stays_powershell() -> None:
    assert read_powershell_cell("% Name").magics == ()
    assert read_powershell_cell("%connection x").magics == ()


def test_a_magic_of_ipython_is_told_from_ours() -> None:
    assert foreign_magic("%%time\nGet-Help") == "%%time"
    assert foreign_magic("%%ps\nGet-Help") is None
    assert foreign_magic("Get-Help") is None
