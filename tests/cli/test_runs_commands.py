"""``akslite runs export`` and ``verify``: on runs that an earlier version journaled, and after somebody changed them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
STORED = Path(__file__).parents[1] / "journal" / "stored"


@pytest.fixture
def journal_path(home: Path) -> Path:
    path = home / "journal" / "journal.sqlite"
    path.parent.mkdir(parents=True)
    shutil.copyfile(STORED / "journal-1.sqlite", path)
    return path


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    connection.close()


def test_a_run_is_exported_and_verified_from_the_file_alone(run: Run, journal_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    killed = json.loads(run("runs", "list", "--json")[1])[0]["run_id"]
    code, _, told = run("runs", "export", killed, file)
    assert (code, f"rows written to {file}" in told) == (0, True)
    assert json.loads(file.read_text(encoding="utf-8"))["run"]["run_id"] == killed

    shutil.rmtree(journal_path.parent)
    code, out, _ = run("runs", "verify", file)
    assert code == 0
    assert "intact" in out
    assert "hash of the last row" in out
    assert run("runs", "export", killed, file)[0] == 2


def test_without_a_name_the_newest_run_is_shown(run: Run, home: Path) -> None:
    code, _, told = run("runs", "show")
    assert (code, "no runs yet" in told) == (2, True)


def test_the_newest_run_is_the_first_of_the_list(run: Run, journal_path: Path) -> None:
    newest = json.loads(run("runs", "list", "--json")[1])[0]["run_id"]
    assert json.loads(run("runs", "show", "--json")[1])["run_id"] == newest


def test_an_untouched_journal_is_verified_whole_and_run_by_run(run: Run, journal_path: Path) -> None:
    code, out, _ = run("runs", "verify", "--json")
    found = json.loads(out)
    assert (code, found["intact"], found["runs"], found["faults"]) == (0, True, 2, [])
    killed = json.loads(run("runs", "list", "--json")[1])[0]["run_id"]
    assert run("runs", "verify", killed[:18])[0] == 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE rows SET data = '{}' WHERE kind = 'sent'", "its data was changed"),
        ("DELETE FROM rows WHERE kind = 'approved'", "row 2 is missing"),
        ("UPDATE runs SET plan_hash = 'f00' WHERE operation = 'deploy'", "the plan has the hash"),
    ],
)
def test_what_was_changed_is_told_with_its_first_row_and_exit_code_4(
    statement: str, told: str, run: Run, journal_path: Path
) -> None:
    change(journal_path, statement)
    code, out, err = run("runs", "verify")
    assert code == 4
    assert "NOT as it was journaled" in out
    assert "first: run" in err
    assert told in err


def test_an_exported_run_that_somebody_changed_is_told(run: Run, journal_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text((STORED / "run-1.json").read_text(encoding="utf-8").replace("Creating vnet", "Nothing done"), encoding="utf-8")
    code, out, _ = run("runs", "verify", file, "--json")
    assert code == 4
    assert "its data was changed" in json.loads(out)["faults"][0]


def test_what_is_neither_a_run_nor_a_file_is_said_to_be_so(run: Run, home: Path, tmp_path: Path) -> None:
    assert run("runs", "verify")[0] == 2
    code, _, err = run("runs", "verify", tmp_path / "none.json")
    assert (code, "No such file" in err or "cannot find" in err) == (2, True)


DAMAGES = [
    "UPDATE rows SET data = '{broken' WHERE seq = 3",
    "UPDATE rows SET data = '[1]' WHERE kind IN ('run-ended', 'interrupted')",
    "UPDATE rows SET kind = 'telepathy' WHERE seq = 3",
    "UPDATE runs SET started = 'yesterday'",
]


@pytest.mark.parametrize("statement", DAMAGES)
def test_a_damaged_journal_is_a_clear_failure_of_every_command(
    statement: str, run: Run, journal_path: Path, tmp_path: Path
) -> None:
    killed = json.loads(run("runs", "list", "--json")[1])[0]["run_id"]
    change(journal_path, statement)
    for line in (("runs", "show", killed), ("runs", "export", killed, tmp_path / "run.json"), ("runs", "verify")):
        code, _, err = run(*line)
        assert (code, "fault of akslite" in err) == (4, False), line
    assert "next:" in run("runs", "show", killed)[2]


def test_an_exported_run_is_a_record_and_not_gone_on_with(run: Run, journal_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    killed = json.loads(run("runs", "list", "--json")[1])[0]["run_id"]
    run("runs", "export", killed, file)
    code, _, err = run("resume", file)
    assert code == 2
    assert f"akslite resume {killed}" in err
    assert "give the command (deploy) anew" in err
