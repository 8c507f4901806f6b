"""Files to a device and back, with PowerShell itself at the other end; refused where an endpoint takes no scripts."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.errors import CmdletFailed, NotPermitted, SessionLost, UsageError
from akslite_ps.remoting import CopyProgress, Device, Session, copy_from_device, copy_to_device, file_copy
from akslite_ps.remoting.connection import Transport
from akslite_ps.sandbox import LocalSandbox

needs_pwsh = pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell 7 (pwsh) is not on PATH")


WHOLE_PIECE = file_copy.PIECE_BYTES
PIECE = 8 * 1024


class Broken(Exception):
    """The test's own break."""


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - not a secret


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A device whose pipelines run in this machine's PowerShell, so that its files are this machine's too."""
    with LocalSandbox(tmp_path_factory.mktemp("device"), engine="pwsh", wait_s=60) as sandbox:
        yield as_inventory_device(sandbox.devices[0])


@pytest.fixture(scope="module")
def opened(target: Device) -> Iterator[Session]:
    with Session.open(target) as session:
        yield session


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the device."""
    folder = tmp_path / "device's [folder] with späces"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.mark.pwsh
@needs_pwsh
class TestWithPowerShell:
    @pytest.fixture(autouse=True)
    def small_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_copy, "PIECE_BYTES", PIECE)

    def test_pieces_of_the_usual_size_fit_into_one_envelope(
        self, opened: Session, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_copy, "PIECE_BYTES", WHOLE_PIECE)
        sent: list[int] = []
        send = Transport.send
        monkeypatch.setattr(Transport, "send", lambda self, message, **how: sent.append(len(message)) or send(self, message, **how))
        data = content(2 * WHOLE_PIECE)
        (here / "a.bin").write_bytes(data)

        copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        copy_from_device(opened, str(there / "a.bin"), here / "b.bin")
        assert (here / "b.bin").read_bytes() == data
        assert sum(size > WHOLE_PIECE for size in sent) == 2
        assert max(sent) < 512_000

    @pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 7])
    def test_a_file_goes_there_and_comes_back_whole(self, opened: Session, here: Path, there: Path, size: int) -> None:
        data = content(size)
        (here / "a.bin").write_bytes(data)

        sent = copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        assert (there / "a.bin").read_bytes() == data
        assert (sent.size, sent.sha256, sent.resumed) == (size, sha256(data), 0)

        fetched = copy_from_device(opened, sent.remote, here / "b.bin")
        assert (here / "b.bin").read_bytes() == data
        assert fetched.sha256 == sent.sha256
        assert [path.name for path in there.iterdir()] == ["a.bin"]
        assert sorted(path.name for path in here.iterdir()) == ["a.bin", "b.bin"]

    @pytest.mark.parametrize(
        "name", ["a [1] b.txt", "$env~'q'; `x.txt", "G\u00fcrtel \u65e5\u672c \U0001f600.bin", ".hidden", "x" * 120]
    )
    def test_a_name_is_taken_to_the_letter(self, opened: Session, here: Path, there: Path, name: str) -> None:
        source = here / "source"
        source.write_bytes(b"content")

        sent = copy_to_device(opened, source, str(there / name))
        back = copy_from_device(opened, sent.remote, here / "back")

        assert [path.name for path in there.iterdir()] == [name]
        assert (here / "back").read_bytes() == b"content"
        assert back.sha256 == sent.sha256

    def test_progress_is_told_in_bytes(self, opened: Session, here: Path, there: Path) -> None:
        told: list[CopyProgress] = []
        (here / "a.bin").write_bytes(content(2 * PIECE + 5))

        copy_to_device(opened, here / "a.bin", str(there / "a.bin"), on_progress=told.append)

        total = 2 * PIECE + 5
        assert told == [CopyProgress(done, total) for done in (0, PIECE, 2 * PIECE, total)]

    def test_a_broken_copy_to_the_device_goes_on_where_it_stopped(self, opened: Session, here: Path, there: Path) -> None:
        data = content(4 * PIECE)
        (here / "a.bin").write_bytes(data)

        def break_off(progress: CopyProgress) -> None:
            if progress.done == 2 * PIECE:
                raise Broken

        with pytest.raises(Broken):
            copy_to_device(opened, here / "a.bin", str(there / "a.bin"), on_progress=break_off)
        assert not (there / "a.bin").exists()

        sent = copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        assert sent.resumed == 2 * PIECE
        assert (there / "a.bin").read_bytes() == data

    def test_a_broken_copy_from_the_device_goes_on_where_it_stopped(self, opened: Session, here: Path, there: Path) -> None:
        data = content(4 * PIECE + 3)
        (there / "a.bin").write_bytes(data)

        def break_off(progress: CopyProgress) -> None:
            if progress.done == 3 * PIECE:
                raise Broken

        with pytest.raises(Broken):
            copy_from_device(opened, str(there / "a.bin"), here / "a.bin", on_progress=break_off)
        assert not (here / "a.bin").exists()

        fetched = copy_from_device(opened, str(there / "a.bin"), here / "a.bin")
        assert fetched.resumed == 3 * PIECE
        assert (here / "a.bin").read_bytes() == data
        assert [path.name for path in here.iterdir()] == ["a.bin"]

    def test_what_came_over_of_another_content_is_not_gone_on_with(self, opened: Session, here: Path, there: Path) -> None:
        data = content(2 * PIECE)
        (here / "a.bin").write_bytes(data)
        (there / f"a.bin.{sha256(data)[:16]}.akslite-partial").write_bytes(b"something else")

        sent = copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        assert sent.resumed == 0
        assert (there / "a.bin").read_bytes() == data

    def test_a_lost_session_is_told_and_the_next_one_goes_on(
        self, target: Device, opened: Session, here: Path, there: Path
    ) -> None:
        (here / "a.bin").write_bytes(content(3 * PIECE))
        session = Session.open(target)

        def lose(progress: CopyProgress) -> None:
            if progress.done == PIECE:
                Session.attach(target, session.shell_id).close()

        with pytest.raises(SessionLost):
            copy_to_device(session, here / "a.bin", str(there / "a.bin"), on_progress=lose)
        assert copy_to_device(opened, here / "a.bin", str(there / "a.bin")).resumed == PIECE

    def test_a_copy_of_what_is_there_sends_nothing(self, opened: Session, here: Path, there: Path) -> None:
        (here / "a.bin").write_bytes(b"same")
        (there / "a.bin").write_bytes(b"same")
        before = (there / "a.bin").stat().st_mtime_ns

        assert copy_to_device(opened, here / "a.bin", str(there / "a.bin")).resumed == 4
        assert copy_from_device(opened, str(there / "a.bin"), here / "a.bin").resumed == 4
        assert (there / "a.bin").stat().st_mtime_ns == before

    def test_another_file_of_that_name_is_replaced_only_where_allowed(self, opened: Session, here: Path, there: Path) -> None:
        (here / "a.bin").write_bytes(b"mine")
        (there / "a.bin").write_bytes(b"theirs!")

        with pytest.raises(UsageError, match="another content"):
            copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        with pytest.raises(UsageError, match="another content"):
            copy_from_device(opened, str(there / "a.bin"), here / "a.bin")

        copy_to_device(opened, here / "a.bin", str(there / "a.bin"), overwrite=True)
        assert (there / "a.bin").read_bytes() == b"mine"
        (there / "a.bin").write_bytes(b"theirs again")
        copy_from_device(opened, str(there / "a.bin"), here / "a.bin", overwrite=True)
        assert (here / "a.bin").read_bytes() == b"theirs again"

    def test_a_file_that_changes_meanwhile_is_not_given_its_name(self, opened: Session, here: Path, there: Path) -> None:
        (here / "a.bin").write_bytes(content(2 * PIECE))

        def change(progress: CopyProgress) -> None:
            if progress.done == 0:
                (here / "a.bin").write_bytes(b"x" * 2 * PIECE)

        with pytest.raises(UsageError, match="changed while it was copied"):
            copy_to_device(opened, here / "a.bin", str(there / "a.bin"), on_progress=change)
        assert list(there.iterdir()) == []

    def test_a_copy_leaves_nothing_behind_in_the_session(self, opened: Session, here: Path, there: Path) -> None:
        (here / "a.bin").write_bytes(b"x")

        copy_to_device(opened, here / "a.bin", str(there / "a.bin"))
        left = opened.run_script("$ErrorActionPreference; Test-Path -Path Variable:stream; Test-Path -Path Variable:sha256")
        assert list(map(str, left.output)) == ["Continue", "False", "False"]

    def test_folders_and_files_that_are_not_there_are_told(self, opened: Session, here: Path, there: Path) -> None:
        (here / "a.bin").write_bytes(b"x")

        with pytest.raises(UsageError, match="no file"):
            copy_to_device(opened, here / "b.bin", str(there / "b.bin"))
        with pytest.raises(CmdletFailed, match="Could not find a part of the path"):
            copy_to_device(opened, here / "a.bin", str(there / "nowhere" / "a.bin"))
        with pytest.raises(CmdletFailed, match="There is no file") as caught:
            copy_from_device(opened, str(there / "b.bin"), here / "b.bin")
        assert caught.value.attempted == f"copy {there / 'b.bin'} from the device"
        with pytest.raises(UsageError, match="no folder"):
            copy_from_device(opened, str(there / "a.bin"), here / "nowhere" / "a.bin")


def test_a_restricted_endpoint_is_refused_with_what_to_use_instead(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")

    with pytest.raises(NotPermitted, match="takes no scripts") as caught:
        copy_to_device(session, tmp_path / "a.bin", "C:\\a.bin")
    assert "Install-AksLiteMsi" in str(caught.value.next_action)
    with pytest.raises(NotPermitted, match="takes no scripts"):
        copy_from_device(session, "C:\\a.bin", tmp_path / "b.bin")


def test_a_restricted_endpoint_that_hides_its_language_is_refused_too(lab: Any, session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    session._language = "full"

    with pytest.raises(NotPermitted, match="Copy-AksEdgeNodeFile"):
        copy_to_device(session, tmp_path / "a.bin", "C:\\a.bin")
