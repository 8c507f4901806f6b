"""One controller per device: a second one is told who, a dead one is replaced, force needs the token."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from akslite_ps.errors import RunLocked
from akslite_ps.journal import DeviceLocks, Journal, JournalError

HOLD = (
    "import sys; from pathlib import Path; from akslite_ps.journal import DeviceLocks\n"
    "lock = DeviceLocks(Path(sys.argv[1])).acquire('press-01', what='deploy', run_id='R1')\n"
    "print(lock.info.token, flush=True); sys.stdin.read()\n"
)


@contextmanager
def other_controller(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        assert token
        try:
            yield process, token
        finally:
            process.kill()


@pytest.fixture
def locks(tmp_path: Path) -> DeviceLocks:
    return DeviceLocks(tmp_path / "locks")


def test_a_second_controller_is_told_who_since_when_and_for_what(locks: DeviceLocks, tmp_path: Path) -> None:
    with other_controller(tmp_path / "locks") as (process, token):
        with pytest.raises(RunLocked) as caught:
            locks.acquire("press-01", what="verify")
        text = str(caught.value)
        holder = locks.holder("press-01")
    assert f"process {process.pid}" in text
    assert token in text
    assert "R1" in text
    assert "deploy" in text
    assert "UTC" in text
    assert caught.value.device == "press-01"
    assert caught.value.next_action
    assert holder is not None
    assert holder.pid == process.pid
    assert json.dumps(holder.as_data())


def test_the_lock_of_a_crashed_controller_is_taken_over(locks: DeviceLocks, tmp_path: Path) -> None:
    with other_controller(tmp_path / "locks") as (process, token):
        process.kill()
        process.wait()
    assert locks.holder("press-01") is None
    with locks.hold("press-01", what="deploy") as lock:
        assert lock.left_by is not None
        assert lock.left_by.token == token
        assert lock.left_by.run_id == "R1"
        lock.check()


def test_a_released_device_is_free(locks: DeviceLocks) -> None:
    with locks.hold("press-01", what="deploy"):
        pass
    assert locks.holder("press-01") is None
    with locks.hold("press-01", what="deploy") as lock:
        assert lock.left_by is None


def test_two_threads_of_one_process_exclude_each_other(locks: DeviceLocks) -> None:
    refused: list[RunLocked] = []

    def second() -> None:
        try:
            locks.acquire("press-01", what="verify")
        except RunLocked as error:
            refused.append(error)

    with locks.hold("press-01", what="deploy"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_devices_do_not_exclude_each_other_but_spellings_of_one_name_do(locks: DeviceLocks) -> None:
    with locks.hold("press-01", what="deploy"), locks.hold("press-02", what="deploy"), pytest.raises(RunLocked):
        locks.acquire("PRESS-01", what="deploy")


def test_force_needs_the_token_and_tells_the_old_controller(locks: DeviceLocks, tmp_path: Path) -> None:
    with locks.hold("press-01", what="deploy") as old:
        with pytest.raises(RunLocked):
            locks.acquire("press-01", what="deploy", force_token="wrong")
        new = locks.acquire("press-01", what="deploy", force_token=old.info.token)
        new.check()
        with pytest.raises(RunLocked, match="taken by force"):
            old.check()
        old.assign("R9")  # must not overwrite the new holder
        assert locks.holder("press-01") == new.info
    assert locks.holder("press-01") == new.info  # the old one's release must not free it
    new.release()
    assert locks.holder("press-01") is None
    with locks.hold("press-01", what="deploy"):
        pass


def test_a_lock_left_by_another_machine_is_not_taken_over(locks: DeviceLocks, tmp_path: Path) -> None:
    with locks.hold("press-01", what="deploy") as lock:
        info = lock.info.as_data()
    file = tmp_path / "locks" / "press-01.json"
    file.write_text(json.dumps({**info, "host": "elsewhere", "owner": "kim@elsewhere"}), encoding="utf-8")
    with pytest.raises(RunLocked, match="kim@elsewhere"):
        locks.acquire("press-01", what="deploy")
    holder = locks.holder("press-01")
    assert holder is not None
    with locks.hold("press-01", what="deploy", force_token=holder.token) as taken:
        assert taken.left_by == holder


def test_a_damaged_info_file_does_not_lock_the_device(locks: DeviceLocks, tmp_path: Path) -> None:
    with locks.hold("press-01", what="deploy"):
        (tmp_path / "locks" / "press-01.json").write_text("{", encoding="utf-8")
        with pytest.raises(RunLocked, match="about to work"):
            locks.acquire("press-01", what="deploy")
    with locks.hold("press-01", what="deploy"):
        pass


def test_the_run_of_a_lock_is_told_once_known(journal: Journal) -> None:
    with journal.lock("press-01", what="deploy") as lock:
        lock.assign("R7")
        holder = journal.holder("press-01")
        assert holder is not None
        assert holder.run_id == "R7"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks_is_told_with_a_way_out(
    number: int, locks: DeviceLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FileLock, *arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(JournalError, match="cannot be used") as caught, locks.hold("press-01", what="deploy"):
        pass
    assert "AKSLITE_HOME" in (caught.value.next_action or "")


def test_a_folder_that_cannot_be_written_locks_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.write_text("", encoding="utf-8")
    with pytest.raises(JournalError, match="cannot be used"), DeviceLocks(folder).hold("press-01", what="deploy"):
        pass


def test_a_device_is_free_where_the_lock_could_not_be_described(locks: DeviceLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**how: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(tempfile, "mkstemp", full)
        with pytest.raises(JournalError, match="cannot be used"), locks.hold("press-01", what="deploy"):
            pass
    with locks.hold("press-01", what="deploy"):
        pass
