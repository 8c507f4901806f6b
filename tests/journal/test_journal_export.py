"""One run as a file that stands alone, and journals and files that earlier versions wrote."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import UsageError
from akslite_ps.journal import Journal, RowKind, read_export, write_export
from akslite_ps.secrets import REDACTOR

STORED = Path(__file__).with_name("stored")
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
PLAN = {"operation": "deploy", "device": "press-01", "findings": [], "steps": []}


@pytest.fixture
def run_id(journal: Journal) -> str:
    run_id = journal.begin_run(operation="deploy", device="press-01", plan=PLAN, plan_hash="0" * 64)
    journal.append(run_id, "intent", step_id="s", attempt=1, data={"command": "A", "share": 0.1, "umlaut": "Käse"})
    journal.append_records(run_id, "s", 1, [{"stream": "output", "value": "z" * 100_000}] * 2)
    journal.append(run_id, "run-ended", data={"outcome": "changed", "finished": True})
    return run_id


@pytest.fixture
def file(journal: Journal, run_id: str, tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    write_export(path, journal.find_run(run_id), journal.rows(run_id), now=NOW)
    return path


def test_an_exported_run_is_read_back_as_it_was_journaled(journal: Journal, run_id: str, file: Path) -> None:
    found = read_export(file)
    assert found.report.ok, found.report.detail
    assert found.rows == tuple(journal.rows(run_id))
    assert found.summary == journal.find_run(run_id)
    assert found.exported == NOW


def test_the_file_is_json_with_a_version_and_holds_large_data_once(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (document["format"], document["schema_version"]) == ("akslite run", 1)
    assert len(document["blobs"]) == 1
    assert file.stat().st_size < 110_000


def test_no_secret_is_in_the_file(journal: Journal, tmp_path: Path) -> None:
    secret = "S3cr3t-export/9"
    REDACTOR.add(secret)
    run_id = journal.begin_run(operation="deploy", device="press-01", plan={**PLAN, "notes": [secret]}, plan_hash="0" * 64)
    journal.append(run_id, "result", step_id="s", data={"detail": f"wrong password {secret}", "log": f"{secret} " * 9000})
    path = tmp_path / "run.json"
    write_export(path, journal.find_run(run_id), journal.rows(run_id), now=NOW)
    assert secret not in path.read_text(encoding="utf-8")
    assert read_export(path).report.ok


def test_a_file_that_is_there_is_not_written_over(journal: Journal, run_id: str, file: Path) -> None:
    with pytest.raises(UsageError, match="there already"):
        write_export(file, journal.find_run(run_id), [], now=NOW)
    with pytest.raises(UsageError, match=r"No such file|cannot find"):
        write_export(file.parent / "none" / "run.json", journal.find_run(run_id), [], now=NOW)


def row(document: Any, seq: int) -> Any:
    return document["rows"][seq - 1]


TAMPERINGS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "data": (lambda d: row(d, 2)["data"].update(command="B"), "row 2: its data was changed"),
    "large data": (lambda d: d["blobs"].update({key: {"value": "y"} for key in d["blobs"]}), "row 3: its data was changed"),
    "large data removed": (lambda d: d["blobs"].clear(), "row 3: its data was changed"),
    "time": (lambda d: row(d, 2).update(time="2020-01-01T00:00:00+00:00"), "row 2: it was changed"),
    "kind": (lambda d: row(d, 2).update(kind="sent"), "row 2: it was changed"),
    "a row removed": (lambda d: d["rows"].pop(1), "row 2 is missing"),
    "the tail removed": (lambda d: d["rows"].pop(), "the rows after row 4 are missing"),
    "order": (lambda d: d["rows"].insert(1, d["rows"].pop(2)), "row 2 is missing"),
    "device": (lambda d: d["run"].update(device="press-02"), "says something else"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_first_row_that_was_changed_is_told(name: str, file: Path) -> None:
    tamper, told = TAMPERINGS[name]
    document = json.loads(file.read_text(encoding="utf-8"))
    tamper(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    report = read_export(file).report
    assert not report.ok
    assert told in report.faults[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[]", "has no"),
        ('{"format": "akslite run", "schema_version": 99}', "known here: up to 1"),
        ('{"format": "akslite run", "schema_version": "1"}', "schema version '1'"),
        ('{"format": "akslite run", "schema_version": 1}', "missing or of the wrong kind"),
        ('{"format": "akslite run", "schema_version": 1, "run": [], "blobs": {}, "rows": [1]}', "missing or of the wrong kind"),
    ],
)
def test_a_file_that_is_no_exported_run_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why) as caught:
        read_export(path)
    assert caught.value.next_action


# -- what earlier versions wrote ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in STORED.glob("journal-*.sqlite")))
def test_a_stored_journal_is_read_and_gone_on_with(name: str, tmp_path: Path) -> None:
    path = tmp_path / "journal" / "journal.sqlite"
    path.parent.mkdir()
    shutil.copyfile(STORED / name, path)
    with Journal.open(path) as journal:
        assert journal.verify().ok
        killed, ended = journal.runs()
        assert (killed.operation, killed.state, ended.operation, ended.outcome) == ("deploy", "interrupted", "prepare", "changed")
        assert {row.kind for row in journal.rows(killed.run_id)} >= {RowKind.INTENT, RowKind.SENT, RowKind.RECORD, RowKind.PLACE}
        journal.append(killed.run_id, RowKind.RESUMED, data={"by": "user@host"})
        assert journal.verify().ok


@pytest.mark.parametrize("name", sorted(path.name for path in STORED.glob("run-*.json")))
def test_a_stored_run_is_read(name: str) -> None:
    found = read_export(STORED / name)
    assert found.report.ok, found.report.detail
    assert (found.summary.operation, found.summary.device, found.summary.state) == ("deploy", "press-01", "interrupted")


def test_something_is_stored() -> None:
    assert {"journal-1.sqlite", "run-1.json"} <= {path.name for path in STORED.iterdir()}
