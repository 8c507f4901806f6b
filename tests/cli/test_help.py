"""``akslite --help``: what a person sees first."""

from __future__ import annotations

from collections.abc import Callable

from typer.main import get_command

from akslite_ps.cli.app import app


def test_help_shows_every_command_under_a_heading(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("--help")
    assert code == 0
    commands = out[out.index("Set up") :]
    assert [name for name in get_command(app).commands if f" {name} " not in commands] == []  # type: ignore[attr-defined]
    assert "─ Commands ─" not in out
