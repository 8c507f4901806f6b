"""Properties that hold for every text: errors are CommandLineErrors inside the text, and what is quoted comes back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from akslite_ps.command_line import BARE, Call, CommandLineError, Pipeline, calls_of, parse, spot_at, word_around

FRAGMENTS = st.sampled_from(
    [
        *[
            "Get-Foo",
            "Where-Object",
            "{ $_.",
            "-eq ",
            "-Name ",
            "-N:",
            "a",
            "1.5",
            "4GB",
            "'",
            '"',
            "`",
            "$x",
            "$(",
            "${",
            "@(",
            "@{",
            "@'\n",
        ],
        *[
            "'@",
            ")",
            "}",
            "(",
            "[",
            "]",
            "=",
            ",",
            ";",
            "|",
            "&",
            "#",
            "<#",
            "#>",
            ">",
            "\n",
            "\r\n",
            " ",
            "\t",
            "..",
            "--",
            "–",
            "”",
            "’",
            "é",
        ],
    ]
)
SCRIPTS = st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=14).map("".join))
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES.map(str.lower), inner, max_size=4),
    ),
    max_leaves=8,
)


def written(value: Any) -> str:
    """A value as PowerShell text."""
    if value is None or isinstance(value, bool):
        return {None: "$null", True: "$true", False: "$false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        quoted = "".join(2 * c if c in "'\u2018\u2019\u201a\u201b" else c for c in value)
        return f"'{quoted}'"
    if isinstance(value, list):
        return "@(" + ", ".join(f"({written(item)})" for item in value) + ("" if len(value) != 1 else ", 0") + ")"
    return "@{" + "; ".join(f"'{key}' = {written(item)}" for key, item in value.items()) + "}"


def padded(value: Any) -> Any:
    """The value that :func:`written` stands for: a list of one gets a second item, or @() would unroll it."""
    if isinstance(value, list):
        items = [padded(item) for item in value]
        return [*items, 0] if len(items) == 1 else items
    if isinstance(value, dict):
        return {key: padded(item) for key, item in value.items()}
    return value


def refusal_of(text: str) -> CommandLineError | None:
    """What the parser refuses the text with."""
    try:
        parse(text)
    except CommandLineError as error:
        return error
    return None


@settings(max_examples=400, deadline=None)
@given(SCRIPTS)
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    refusal = refusal_of(text)
    if refusal is None:
        assert all(0 <= statement.place.offset <= len(text) for statement in parse(text).statements)
    else:
        assert 0 <= refusal.place.offset <= len(text)
        assert refusal.place.line == text[: refusal.place.offset].count("\n") + 1
        assert refusal.next_action


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(NAMES.map(str.lower), VALUES, max_size=4), st.lists(VALUES, max_size=3))
def test_what_is_written_as_a_command_comes_back_as_its_call(parameters: dict[str, Any], arguments: list[Any]) -> None:
    line = "Get-Thing" + "".join(f" {written(value)}" for value in arguments)
    line += "".join(f" -{name}:{written(value)}" for name, value in parameters.items()) + " -Verbose"
    (statement,) = parse(line).statements
    assert isinstance(statement, Pipeline)
    parameters.pop("verbose", None)
    if "-verbose:" in line:
        return
    (call,) = calls_of(statement.commands, {})
    expected = {name: padded(value) for name, value in parameters.items()} | {"Verbose": BARE}
    assert call == Call("Get-Thing", expected, tuple(padded(value) for value in arguments))


@settings(max_examples=120, deadline=None)
@given(SCRIPTS, st.integers(0, 80))
def test_any_cursor_position_has_a_spot(text: str, offset: int) -> None:
    spot = spot_at(text, offset)
    assert 0 <= spot.start <= len(text)
    start, end = word_around(text, offset)
    assert 0 <= start <= end <= len(text)
