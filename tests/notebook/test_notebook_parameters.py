"""Parameters of a runbook: known ones by the tagged cell, values by the defaults' types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from akslite_ps.errors import UsageError
from akslite_ps.notebook.parameters import Parameter, coerce, inject, known_parameters, read_notebook

CELL = """\
device = ""  # name in the inventory
offline: bool = False
cores = 4  # vCPUs, "ä" counts as one character
ratio = 0.5
servers = ["10.0.0.1"]
labels = {}
nothing = None
client_secret = ""
computed = 2 * 3
"""


@pytest.fixture
def known(make_notebook: Callable[..., Path]) -> tuple[Parameter, ...]:
    return known_parameters(read_notebook(make_notebook("1", parameters=CELL)))


def test_names_defaults_and_comments_are_read_without_running_anything(known: tuple[Parameter, ...]) -> None:
    assert [(p.name, p.default) for p in known] == [
        ("device", ""),
        ("offline", False),
        ("cores", 4),
        ("ratio", 0.5),
        ("servers", ["10.0.0.1"]),
        ("labels", {}),
        ("nothing", None),
        ("client_secret", ""),
    ]
    assert known[0].description == "name in the inventory"
    assert known[2].description == 'vCPUs, "ä" counts as one character'


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("offline", "true", True),
        ("offline", "No", False),
        ("offline", True, True),
        ("cores", "8", 8),
        ("ratio", "0.25", 0.25),
        ("ratio", 1, 1.0),
        ("servers", '["10.0.0.9"]', ["10.0.0.9"]),
        ("labels", '{"site": "hamburg"}', {"site": "hamburg"}),
        ("device", "true", "true"),
        ("device", Path("a"), "a"),
        ("nothing", "5", "5"),
        ("client_secret", "env:SECRET", "env:SECRET"),
        ("client_secret", "", ""),
    ],
)
def test_a_value_becomes_what_its_default_is(known: tuple[Parameter, ...], name: str, given: object, value: object) -> None:
    result = coerce(known, {name: given})[name]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("offline", "maybe", "must be true or false"),
        ("offline", 1, "must be true or false"),
        ("cores", "many", "must be a whole number"),
        ("cores", "8.5", "must be a whole number"),
        ("cores", True, "must be a whole number"),
        ("servers", "10.0.0.1", "must be a JSON list"),
        ("labels", "[]", "must be a JSON object"),
        ("device", 5, "must be a text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(known: tuple[Parameter, ...], name: str, given: object, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        coerce(known, {name: given})


def test_an_unknown_parameter_is_refused_with_the_known_ones(known: tuple[Parameter, ...]) -> None:
    with pytest.raises(UsageError, match="no parameter 'ofline'") as caught:
        coerce(known, {"ofline": "true"})
    assert caught.value.next_action is not None
    assert "did you mean offline?" in caught.value.next_action
    assert "device, offline, cores" in caught.value.next_action


def test_a_secret_in_plain_is_refused_and_not_repeated(known: tuple[Parameter, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        coerce(known, {"client_secret": "canary-91ab"})
    assert "canary-91ab" not in str(caught.value)
    assert "env:NAME" in str(caught.value)


def test_the_values_follow_the_parameters_cell_and_replace_earlier_ones(make_notebook: Callable[..., Path]) -> None:
    notebook = read_notebook(make_notebook("print(device)", parameters='device = ""'))
    inject(notebook, {"device": "old"})
    inject(notebook, {"device": "it's"})
    assert [cell.source for cell in notebook.cells] == [
        'device = ""',
        '# Parameters of this run\ndevice = "it\'s"',
        "print(device)",
    ]
    assert notebook.cells[1].metadata.tags == ["injected-parameters"]


def test_a_notebook_without_parameters_takes_none(make_notebook: Callable[..., Path]) -> None:
    notebook = read_notebook(make_notebook("1"))
    assert known_parameters(notebook) == ()
    with pytest.raises(UsageError, match="no parameter"):
        coerce((), {"device": "x"})


@pytest.mark.parametrize("content", [None, "not a notebook", '{"cells": 5}', "{}"])
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"no notebook|not a Jupyter notebook"):
        read_notebook(path)
