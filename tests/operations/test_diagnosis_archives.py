"""Archives of logs as evidence: read in memory, bounded, and never a reason to fail."""

from __future__ import annotations

import zipfile
from pathlib import Path

from akslite_ps.operations.diagnosis import Reading, Text, cleaned, cleaned_data
from akslite_ps.operations.diagnosis_files import texts_of
from akslite_ps.operations.diagnosis_judging import judge
from akslite_ps.operations.diagnosis_readings import Seen

ENTRY = (
    '<Obj><Props><By N="Level">2</By><DT N="TimeCreated">2026-11-23T02:00:00.1234560Z</DT></Props>'
    '<MS><S N="Message">Failed &lt;here&gt;_x000D__x000A_at line 1</S></MS></Obj>'
)


def archive(folder: Path, **members: bytes) -> Path:
    path = folder / "aksedgelogs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "."), content)
    return path


def test_exported_events_are_read_with_time_and_severity(tmp_path: Path) -> None:
    (found,) = texts_of(archive(tmp_path, aksedgeevents__xml=ENTRY.encode("utf-16")))
    assert found.text == "Failed <here>\r\nat line 1"
    assert found.time is not None
    assert found.time.isoformat() == "2026-11-23T02:00:00.123456+00:00"
    assert found.failure


def test_a_log_is_read_from_its_end_and_other_files_not_at_all(tmp_path: Path) -> None:
    big = b"x" * 3_000_000 + b"\nno space left on device\n"
    found = list(texts_of(archive(tmp_path, k3s__log=big, disk__vhdx=b"no space left on device")))
    assert len(found) == 1
    assert len(found[0].text) <= 1024 * 1024
    causes, _ = judge(Seen(texts=found), device="press-01")
    assert [(cause.id, cause.sure) for cause in causes] == [("node-disk-full", "possible")]


def test_a_file_that_is_no_archive_gives_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 not one")
    assert list(texts_of(broken)) == []
    assert list(texts_of(tmp_path / "absent.zip")) == []


def test_the_newest_failure_outranks_an_older_one_and_a_cause_outranks_a_symptom(tmp_path: Path) -> None:
    (newest,) = texts_of(archive(tmp_path, aksedgeevents__xml=ENTRY.encode()))
    assert newest.time is not None
    texts = [
        Text("event log", "IP address '10.0.0.2' is not free", newest.time.replace(year=2025), failure=True),
        Text("event log", "New-Node failed with error Creation of Linux node failed", newest.time, failure=True),
        Text("event log", "error during ConnectToVirtualMachine", newest.time, failure=True),
    ]
    causes, unknown = judge(Seen(texts=texts), device="press-01")
    assert [cause.id for cause in causes] == ["vm-connect", "address-taken", "node-not-created"]
    assert [cause.sure for cause in causes] == ["likely", "possible", "likely"]
    assert unknown == ()


def test_what_a_log_itself_calls_a_secret_is_masked() -> None:
    assert "s3cret" not in cleaned('"Password" : "s3cret1", Authorization: Bearer s3cret2s3cret2s3cret2')
    assert cleaned_data({"Arc": {"ClientSecret": "s3cret", "Location": "westeurope"}}) == {
        "Arc": {"ClientSecret": "<redacted>", "Location": "westeurope"}
    }


def test_questions_that_take_long_are_a_finding() -> None:
    slow = Reading(id="facts", title="Host", ok=False, found="it did not end within 120 s", duration_s=120.0)
    causes, _ = judge(Seen(readings=[slow]), device="press-01")
    assert [(cause.id, cause.evidence[0].text) for cause in causes] == [("slow-device", "it took 120 s")]
