"""The hash chain: whatever is changed, removed, inserted or reordered afterwards is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from akslite_ps.journal import Journal, JournalError


@pytest.fixture
def two_runs(journal: Journal) -> list[str]:
    runs = []
    for device in ("press-01", "press-02"):
        run_id = journal.begin_run(operation="deploy", device=device, plan={"x": 1}, plan_hash="0" * 64)
        journal.append(run_id, "intent", step_id="s", attempt=1, data={"command": "A"})
        journal.append(run_id, "result", step_id="s", attempt=1, data={"outcome": "failed", "output": "z" * 100_000})
        journal.append(run_id, "run-ended", data={"outcome": "failed"})
        runs.append(run_id)
    return runs


def tamper(path: Path, statement: str, values: dict[str, str]) -> None:
    with sqlite3.connect(path) as connection:
        triggers = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement, values)
    connection.close()


def test_an_untouched_journal_is_intact(journal: Journal, two_runs: list[str]) -> None:
    report = journal.verify()
    assert report.ok
    assert (report.runs, report.rows) == (2, 8)
    assert journal.verify(two_runs[0]).ok


def test_rows_cannot_be_changed_through_sql(journal: Journal, journal_path: Path, two_runs: list[str]) -> None:
    connection = sqlite3.connect(journal_path)
    for statement in ("UPDATE rows SET data = '{}'", "DELETE FROM rows", "DELETE FROM runs", "UPDATE blobs SET data = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
TAMPERINGS = {
    "data of a row": ("UPDATE rows SET data = '{}' WHERE run_id = :a AND seq = 2", "row 2: its data was changed"),
    "data and its hash": ("UPDATE rows SET data = '{}', content = :empty WHERE run_id = :a AND seq = 2", "row 2: it was changed"),
    "large data": ("UPDATE blobs SET data = x'789c03000000000001'", "row 3: its data was changed"),
    "large data removed": ("DELETE FROM blobs", "row 3: its data was changed"),
    "time": ("UPDATE rows SET time = '2020-01-01T00:00:00+00:00' WHERE run_id = :b AND seq = 4", "row 4: it was changed"),
    "a row removed": ("DELETE FROM rows WHERE run_id = :a AND seq = 3", "row 3 is missing"),
    "the tail removed": ("DELETE FROM rows WHERE run_id = :a AND seq > 2", "the run before it were changed or removed"),
    "a run removed": ("DELETE FROM runs WHERE run_id = :a", "was removed"),
    "device in the list": ("UPDATE runs SET device = 'x' WHERE run_id = :a", "the list of runs says something else"),
    "a row appended": (
        "INSERT INTO rows SELECT run_id, 5, time, kind, step_id, attempt, data, content, previous, hash FROM rows"
        " WHERE run_id = :b AND seq = 4",
        "row 5",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_detected(name: str, journal: Journal, journal_path: Path, two_runs: list[str]) -> None:
    statement, told = TAMPERINGS[name]
    tamper(journal_path, statement, {"a": two_runs[0], "b": two_runs[1], "empty": EMPTY})
    report = journal.verify()
    assert not report.ok
    assert told in report.detail


def test_an_unknown_run_is_not_intact(journal: Journal) -> None:
    assert not journal.verify("20260101-000000-00000000").ok


DAMAGES = {
    "no JSON": "UPDATE rows SET data = '{broken' WHERE seq IN (1, 2, 4)",
    "no object": "UPDATE rows SET data = '[1]' WHERE seq IN (1, 2, 4)",
    "an unknown kind": "UPDATE rows SET kind = 'telepathy' WHERE seq = 2",
    "no time": "UPDATE rows SET time = 'yesterday' WHERE seq IN (2, 4)",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_rows_are_said_to_be_damaged(name: str, journal: Journal, journal_path: Path, two_runs: list[str]) -> None:
    tamper(journal_path, DAMAGES[name], {})
    with pytest.raises(JournalError, match="is damaged") as caught:
        journal.rows(two_runs[0])
    assert "akslite runs verify" in (caught.value.next_action or "")
    assert not journal.verify(two_runs[0]).ok
