"""``akslite diagnose`` on the command line: report files, one JSON document, exit codes, commands that exist."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from akslite_ps.aksedge.failures import known_failures
from akslite_ps.cli.app import app
from akslite_ps.sandbox import LocalSandbox

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bare(run: Run, tmp_path: Path) -> Iterator[LocalSandbox]:
    """A simulated device without the product, in the inventory."""
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        (told,) = sandbox.devices
        where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
        assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        yield sandbox


def test_a_cause_is_shown_written_down_and_told_by_the_exit_code(run: Run, bare: LocalSandbox, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, _ = run("diagnose", "press-01", "-o", folder)
    assert code == 4
    assert "next: akslite deploy press-01" in out
    assert sorted(path.suffix for path in folder.iterdir()) == [".html", ".json", ".md"]


def test_json_is_one_document_with_the_likely_cause_first(run: Run, bare: LocalSandbox, home: Path) -> None:
    code, out, _ = run("diagnose", "press-01", "--json", "-m", "error during ConnectToVirtualMachine")
    found = json.loads(out)
    assert code == 4
    assert found["causes"][0]["id"] == "vm-connect"
    assert Path(found["reports"]["html"]).is_relative_to(home)


def test_a_device_out_of_reach_has_an_exit_code_of_its_own(run: Run, bare: LocalSandbox) -> None:
    bare.add_fault("press-01", "network-away", lasts_s=1e9)
    code, out, _ = run("diagnose", "press-01")
    assert code == 5
    assert "akslite device test press-01" in out


def test_every_command_of_ours_that_a_failure_names_exists() -> None:
    root = typer.main.get_command(app)
    for failure in known_failures():
        if not failure.next.startswith("akslite "):
            continue
        command, words = root, failure.next.split()[1:]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), failure.next
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, failure.next
