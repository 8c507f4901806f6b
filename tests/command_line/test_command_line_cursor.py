"""What stands at the cursor, marked ``^`` in these lines."""

from __future__ import annotations

import pytest

from akslite_ps.command_line import spot_at, word_around


@pytest.mark.parametrize(
    ("marked", "kind", "word", "command", "parameter"),
    [
        ("^", "command", "", "", ""),
        ("Get-Ak^", "command", "Get-Ak", "", ""),
        ("Get-A; Get-B^", "command", "Get-B", "", ""),
        ("Get-A |\n  Sort^", "command", "Sort", "", ""),
        ("$x = Get-^", "command", "Get-", "", ""),
        ("$x=Get-^", "command", "Get-", "", ""),
        ("Get-A -No^", "parameter", "No", "Get-A", ""),
        ("Get-A x -^", "parameter", "", "Get-A", ""),
        ("Get-A -NodeType ^", "value", "", "Get-A", "NodeType"),
        ("Get-A -NodeType Li^", "value", "Li", "Get-A", "NodeType"),
        ("Get-A -NodeType:Li^", "value", "Li", "Get-A", "NodeType"),
        ("Get-A -NodeType 'Li^", "value", "Li", "Get-A", "NodeType"),
        ("Get-A -NodeType Linux ^", "value", "", "Get-A", ""),
        ("Get-A `\n -No^", "parameter", "No", "Get-A", ""),
        ("Get-A a, b^", "value", "b", "Get-A", ""),
        ("Get-A -Name $fa^", "variable", "fa", "Get-A", ""),
        ("$facts.Na^", "variable", "facts.Na", "", ""),
        ("Get-A # note ^", "nothing", "", "Get-A", ""),
        ("Get-A -Count -5^", "value", "-5", "Get-A", "Count"),
    ],
)
def test_the_spot_at_the_cursor(marked: str, kind: str, word: str, command: str, parameter: str) -> None:
    offset = marked.index("^")
    spot = spot_at(marked.replace("^", ""), offset)
    assert (spot.kind, spot.word, spot.command, spot.parameter) == (kind, word, command, parameter)


def test_the_word_around_the_cursor() -> None:
    text = "Get-A -Name 'two words' | Sort-Object"
    assert text[slice(*word_around(text, 2))] == "Get-A"
    assert text[slice(*word_around(text, len(text)))] == "Sort-Object"
    assert text[slice(*word_around(text, 8))] == "-Name"
