"""Rows: what is appended is read back in order, durable, redacted, of any size, from several threads and processes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from akslite_ps.aksedge.config.secret_values import HeldSecret
from akslite_ps.errors import UsageError
from akslite_ps.journal import Journal, JournalError, RowKind, read_export, store, write_export, writer
from akslite_ps.journal import journal as journal_module
from akslite_ps.journal.rows import json_ready
from akslite_ps.journal.store import MIGRATIONS, connect
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import SecureValue
from akslite_ps.remoting.records import PsObject
from akslite_ps.secrets import REDACTOR, SecretRef

PLAN = {"operation": "deploy", "steps": []}


def begin(journal: Journal, device: str = "press-01", operation: str = "deploy") -> str:
    return journal.begin_run(operation=operation, device=device, plan=PLAN, plan_hash="ab" * 32, owner="kim@desk")


def test_a_run_is_read_back_as_it_was_written(journal: Journal) -> None:
    run_id = begin(journal)
    journal.append(run_id, "intent", step_id="deploy.create", attempt=1, data={"command": "New-AksEdgeDeployment"})
    journal.append(run_id, "sent", step_id="deploy.create", attempt=1, data={"shell_id": "S", "command_id": "C"})
    journal.append(run_id, "record", step_id="deploy.create", attempt=1, data={"stream": "information", "message": "Creating vnet"})
    journal.append(run_id, "result", step_id="deploy.create", attempt=1, data={"outcome": Outcome.CHANGED})
    journal.append(run_id, "run-ended", data={"outcome": "changed"})

    rows = journal.rows(run_id)

    assert [row.kind for row in rows] == ["run-started", "intent", "sent", "record", "result", "run-ended"]
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0].data["plan"] == PLAN
    assert rows[4].data == {"outcome": "changed"}
    assert rows[2].previous == rows[1].hash
    assert json.loads(json.dumps([row.as_data() for row in rows]))[1]["data"]["command"] == "New-AksEdgeDeployment"


def test_only_wanted_rows_are_read(journal: Journal) -> None:
    run_id = begin(journal)
    for number in range(3):
        journal.append(run_id, "record", step_id="s", data={"n": number})
    assert [row.data["n"] for row in journal.rows(run_id, kinds=[RowKind.RECORD])] == [0, 1, 2]
    assert [row.seq for row in journal.rows(run_id, after=3)] == [4]


def test_the_summary_follows_the_milestones(journal: Journal) -> None:
    run_id = begin(journal)
    assert (journal.find_run(run_id).state, journal.find_run(run_id).outcome) == ("interrupted", None)
    with journal.lock("press-01", what="deploy", run_id=run_id):
        assert journal.find_run(run_id).state == "running"
        journal.append(run_id, "interrupted", data={"outcome": "cancelled"})
    interrupted = journal.find_run(run_id)
    assert (interrupted.state, interrupted.outcome, interrupted.ended) == ("interrupted", "cancelled", None)
    journal.append(run_id, "resumed")
    assert journal.find_run(run_id).outcome is None
    journal.append(run_id, "run-ended", data={"outcome": "changed"})
    ended = journal.find_run(run_id)
    assert (ended.state, ended.outcome) == ("ended", "changed")
    assert ended.ended is not None
    assert ended.as_data()["owner"] == "kim@desk"


def test_unfinished_is_the_newest_run_that_has_not_ended(journal: Journal) -> None:
    assert journal.unfinished("press-01") is None
    first = begin(journal)
    found = journal.unfinished("press-01", "deploy")
    assert found is not None
    assert found.run_id == first
    assert journal.unfinished("press-02") is None
    assert journal.unfinished("press-01", "verify") is None
    journal.append(first, "run-ended", data={"outcome": "failed"})
    assert journal.unfinished("press-01") is None


def test_runs_are_listed_newest_first_and_by_device(journal: Journal) -> None:
    ids = [begin(journal, device) for device in ("a", "b", "a")]
    assert [run.run_id for run in journal.runs()] == ids[::-1]
    assert [run.run_id for run in journal.runs(device="a")] == [ids[2], ids[0]]
    assert len(journal.runs(limit=2)) == 2


def test_a_run_is_found_by_the_start_of_its_id(journal_path: Path) -> None:
    moments = iter(dt.datetime(2026, 1, day, 12, tzinfo=dt.UTC) for day in range(1, 9))
    now = next(moments)
    with Journal.open(journal_path, clock=lambda: now) as journal:
        first = begin(journal)
        now = next(moments)
        second = begin(journal)
        assert journal.find_run(first[:8]).run_id == first
        with pytest.raises(UsageError, match="several runs"):
            journal.find_run("2026")
        with pytest.raises(UsageError, match="no run 'x'"):
            journal.find_run("x")
        with pytest.raises(UsageError, match="no run"):
            journal.find_run("")
        assert journal.find_run(second).run_id == second


def test_secrets_are_redacted_in_every_form_before_they_are_written(journal: Journal, journal_path: Path) -> None:
    secret = 'S3cr3t-"Käse"/9'
    REDACTOR.add(secret)
    run_id = begin(journal)
    encoded = base64.b64encode(secret.encode()).decode()
    utf16 = base64.b64encode(secret.encode("utf-16-le")).decode()
    journal.append(run_id, "record", data={"message": f"token={secret}", "b64": encoded, "list": [utf16, {"deep": secret}]})
    journal.append(run_id, "result", data={"big": (f"{secret} " * 9000)})
    journal.close()
    raw = b"".join(file.read_bytes() for file in journal_path.parent.iterdir() if file.is_file())
    for form in (secret, encoded.rstrip("="), utf16.rstrip("="), json.dumps(secret)[1:-1]):
        assert form.encode() not in raw
    with Journal.open(journal_path) as again:
        rows = again.rows(run_id)
        assert rows[1].data["message"] == "token=<redacted>"
        assert rows[2].data["big"].startswith("<redacted> <redacted>")
        assert secret not in rows[2].data["big"]


def test_large_data_is_kept_whole_and_once_but_there_is_a_cap_for_records(journal: Journal, journal_path: Path) -> None:
    run_id = begin(journal)
    journal.append(run_id, "result", step_id="s", data={"output": "x" * 300_000})
    for _ in range(2):
        journal.append(run_id, "record", step_id="s", data={"message": "y" * 300_000})
    journal.append(run_id, "record", step_id="s", data={"message": "z" * 5_000_000})
    rows = journal.rows(run_id)
    assert len(rows[1].data["output"]) == 300_000
    assert [len(row.data["message"]) for row in rows[2:4]] == [300_000, 300_000]
    assert rows[4].data["cut"] is True
    assert rows[4].data["characters"] > 5_000_000
    assert len(rows[4].data["sha256"]) == 64
    assert len(rows[4].data["preview"]) == 4096
    assert journal.verify().ok
    with sqlite3.connect(journal_path) as connection:
        blobs = connection.execute("SELECT content FROM blobs").fetchall()
    connection.close()
    assert len(blobs) == 2, "what is the same is stored once, under its hash"


def test_values_json_lacks_become_plain(journal: Journal) -> None:
    run_id = begin(journal)
    data = {
        "when": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC),
        "object": PsObject({"Name": "a", "Size": 3}),
        "path": Path("a") / "b",
        "bytes": b"\x00\x01",
        "infinite": float("inf"),
        "set": {1},
        "outcome": Outcome.OK,
    }
    journal.append(run_id, "result", data=data)
    stored = journal.rows(run_id)[1].data
    assert stored["when"] == "2026-01-02T03:04:00+00:00"
    assert stored["object"] == {"Name": "a", "Size": 3}
    assert stored["path"] == str(Path("a") / "b")
    assert stored["bytes"] == {"base64": "AAE="}
    assert stored["infinite"] == "inf"
    assert stored["set"] == [1]


HALVES = {"value": "a half \ud83d", "\udc00": ["\udfff\ud800"]}
"""A .NET string may hold half of a character; UTF-8 does not."""


def test_half_a_character_is_kept(journal: Journal, tmp_path: Path) -> None:
    run_id = begin(journal)
    journal.append_records(run_id, "s", 1, [HALVES])
    journal.append(run_id, "result", data={**HALVES, "large": "\ud83d" * 40_000})
    assert journal.rows(run_id)[1].data == HALVES
    assert journal.verify().ok
    write_export(tmp_path / "run.json", journal.find_run(run_id), journal.rows(run_id), now=dt.datetime.now(dt.UTC))
    exported = read_export(tmp_path / "run.json")
    assert exported.report.ok
    assert exported.rows == tuple(journal.rows(run_id))


def test_whatever_keeps_a_row_from_being_written_is_told(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(journal)
    with monkeypatch.context() as broken:
        broken.setattr(writer, "row_hash", lambda **row: 1 // 0)
        with pytest.raises(JournalError, match="could not be written"):
            journal.append(run_id, "intent")
    journal.append(run_id, "intent")
    assert journal.verify().ok


def test_many_threads_append_to_many_runs_without_gaps(journal: Journal) -> None:
    runs = [begin(journal, f"d{n}") for n in range(8)]

    def work(run_id: str) -> None:
        for n in range(25):
            journal.append(run_id, "intent" if n % 5 == 0 else "record", step_id="s", attempt=1, data={"n": n})

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run_id in runs:
        assert [row.data["n"] for row in journal.rows(run_id)[1:]] == list(range(25))
    assert journal.verify().ok


def test_appends_share_commits(journal: Journal, journal_path: Path) -> None:
    run_id = begin(journal)
    journal.flush()
    with sqlite3.connect(journal_path) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer must wait, so everything queues up behind its first row
        for n in range(50):
            journal.append(run_id, "record", data={"n": n})
        other.rollback()
    other.close()
    journal.append(run_id, "result", data={})
    assert len(journal.rows(run_id)) == 52


def test_two_processes_write_into_one_journal(journal: Journal, journal_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from akslite_ps.journal import Journal\n"
        "with Journal.open(Path(sys.argv[1])) as j:\n"
        "    r = j.begin_run(operation='deploy', device='other', plan={}, plan_hash='0' * 64)\n"
        "    for n in range(20): j.append(r, 'intent', step_id='s', data={'n': n})\n"
        "    print(r)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(journal_path)], stdout=subprocess.PIPE, text=True) as process:
        mine = begin(journal)
        for n in range(20):
            journal.append(mine, "intent", step_id="s", data={"n": n})
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(journal.rows(output.strip())) == 21
    assert journal.verify().ok


def test_a_killed_process_leaves_every_row_it_was_told_is_written(journal_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from akslite_ps.journal import Journal\n"
        "j = Journal.open(Path(sys.argv[1]))\n"
        "r = j.begin_run(operation='deploy', device='d', plan={}, plan_hash='0' * 64)\n"
        "j.append(r, 'record', data={'n': 1}); j.append(r, 'sent', step_id='s', data={'n': 2})\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(journal_path)], timeout=60, check=False)
    with Journal.open(journal_path) as journal:
        (run,) = journal.runs()
        assert [row.kind for row in journal.rows(run.run_id)] == ["run-started", "record", "sent"]
        assert run.state == "interrupted"
        assert journal.verify().ok


def test_a_row_of_an_unknown_run_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="could not be written"):
        journal.append("20260101-000000-00000000", "intent")
    begin(journal)  # and the journal still works


def test_a_record_that_could_not_be_written_is_told_at_the_next_append(journal: Journal) -> None:
    run_id = begin(journal)
    journal.append("20260101-000000-00000000", "record", data={})
    journal.flush()
    with pytest.raises(JournalError, match="could not be written"):
        journal.append(run_id, "intent")
    journal.append(run_id, "intent")


def test_a_closed_journal_says_so(journal_path: Path) -> None:
    journal = Journal.open(journal_path)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        begin(journal)


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_the_files_are_the_users_own(journal: Journal, journal_path: Path) -> None:
    begin(journal)
    assert journal_path.stat().st_mode & 0o077 == 0


def test_a_foreign_or_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(JournalError, match="another program"):
        Journal.open(foreign)
    newer = tmp_path / "newer.sqlite"
    Journal.open(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="newer version"):
        Journal.open(newer)
    text = tmp_path / "text.sqlite"
    text.write_text("this is not a database, and long enough to be read as one" * 20, encoding="utf-8")
    with pytest.raises(JournalError, match="not a database"):
        Journal.open(text)
    assert text.read_text(encoding="utf-8").startswith("this is")


@pytest.fixture
def not_writable(journal: Journal, journal_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A journal with a run, on a medium that cannot be written."""
    run_id = begin(journal)
    journal.close()

    def refuse(path: Path) -> sqlite3.Connection:
        cause = sqlite3.OperationalError("attempt to write a readonly database")
        cause.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise JournalError(f"{path}: {cause}") from cause

    monkeypatch.setattr(store, "connect", refuse)
    monkeypatch.setattr(journal_module, "connect", refuse)
    return run_id


def test_a_journal_that_cannot_be_written_can_be_read(not_writable: str, journal_path: Path) -> None:
    with Journal.open(journal_path) as journal:
        assert [run.run_id for run in journal.runs()] == [not_writable]
        assert journal.verify().ok
        with pytest.raises(JournalError, match="readonly"):
            journal.append(not_writable, "intent")


def test_one_with_rows_that_only_its_log_holds_is_not_read_in_part(not_writable: str, journal_path: Path) -> None:
    journal_path.with_name(f"{journal_path.name}-wal").write_bytes(b"rows")
    with pytest.raises(JournalError, match="readonly") as caught:
        Journal.open(journal_path)
    assert "copy the whole folder" in (caught.value.next_action or "")


def test_an_older_file_takes_the_migrations_it_lacks_and_keeps_its_rows(journal: Journal, journal_path: Path) -> None:
    run_id = begin(journal)
    journal.close()

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE runs ADD COLUMN ring TEXT")

    newer = (*MIGRATIONS, add_column)
    for _ in range(2):
        connection = connect(journal_path, migrations=newer)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert connection.execute("SELECT run_id, ring FROM runs").fetchall() == [(run_id, None)]
        connection.close()
    with pytest.raises(JournalError, match="newer version"):
        Journal.open(journal_path)


def test_a_migration_that_fails_leaves_the_file_as_it_was(journal: Journal, journal_path: Path) -> None:
    begin(journal)
    journal.close()

    def break_off(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        connection.execute("SELECT * FROM nowhere")

    with pytest.raises(JournalError, match="nowhere"):
        connect(journal_path, migrations=(*MIGRATIONS, break_off))
    with Journal.open(journal_path) as again:
        assert len(again.runs()) == 1
        assert again.verify().ok


def test_an_object_that_holds_a_secret_is_stored_as_it_shows_itself() -> None:
    """However short the secret: redaction by value leaves those of three characters alone."""
    data = json_ready({"given": SecureValue("abc"), "looked up": SecretRef("env", "PASSWORD"), "held": [HeldSecret("xyz")]})
    assert data == {"given": "SecureValue(<redacted>)", "looked up": "env:PASSWORD", "held": ["<redacted>"]}
