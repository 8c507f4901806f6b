"""``akslite --help``: what a person sees first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.main import get_command

from akslite_ps.cli.app import app


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command's words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def test_help_shows_every_command_under_a_heading(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("--help")
    assert code == 0
    commands = out[out.index("Set up") :]
    assert [name for name in get_command(app).commands if f" {name} " not in commands] == []  # type: ignore[attr-defined]
    assert "─ Commands ─" not in out


def test_options_are_whole_in_a_narrow_terminal(run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cut = [" ".join(words) for words in commands(get_command(app)) if "…" in run(*words, "--help")[1]]
    assert cut == []
