"""The C: drive of a device: Windows' rules for paths, on any host."""

from __future__ import annotations

from pathlib import Path

import pytest

from akslite_ps.sandbox.device.drive import BadPath, Drive


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    return Drive(tmp_path / "drive")


def test_a_path_ignores_case_and_keeps_the_first_spelling(drive: Drive) -> None:
    assert drive.write("C:\\ProgramData\\AksEdge\\Config.json", b"1") == "C:\\ProgramData\\AksEdge\\Config.json"
    assert drive.write("c:/programdata/AKSEDGE/config.JSON", b"22") == "C:\\ProgramData\\AksEdge\\Config.json"

    assert drive.read("C:\\PROGRAMDATA\\aksedge\\CONFIG.json") == b"22"
    assert [(entry.name, entry.size) for entry in drive.entries("C:\\programdata\\aksedge")] == [("Config.json", 2)]
    assert [entry.is_folder for entry in drive.entries("C:\\")] == [True]


@pytest.mark.parametrize(
    "path",
    [
        "C:\\..\\..\\outside.txt",
        "C:\\a\\..\\..\\..\\outside.txt",
        "C:/../outside.txt",
    ],
)
def test_no_path_leads_out_of_the_drive(drive: Drive, tmp_path: Path, path: str) -> None:
    assert drive.write(path, b"x") == "C:\\outside.txt"

    assert not (tmp_path / "outside.txt").exists()
    assert (tmp_path / "drive" / "outside.txt").is_file()


@pytest.mark.parametrize(
    "path",
    [
        "D:\\other.txt",
        "relative.txt",
        "\\\\server\\share\\file.txt",
        "C:relative.txt",
        "C:\\",
        "C:\\what?.txt",
        "C:\\a:stream",
        "C:\\aux.txt",
        "C:\\folder\\NUL",
        "C:\\" + "x" * 300,
    ],
)
def test_what_windows_would_not_take_is_refused(drive: Drive, path: str) -> None:
    with pytest.raises(BadPath):
        drive.write(path, b"x")
    assert drive.read(path) is None


def test_blanks_and_dots_at_the_end_of_a_name_are_dropped(drive: Drive) -> None:
    drive.write("C:\\folder. \\file.txt. .", b"x")

    assert drive.read("C:\\folder\\file.txt") == b"x"


def test_a_file_is_no_folder_and_a_folder_no_file(drive: Drive) -> None:
    drive.write("C:\\one\\two", b"x")

    with pytest.raises(BadPath, match="already exists"):
        drive.write("C:\\one\\two\\three", b"x")
    with pytest.raises(BadPath, match="denied"):
        drive.write("C:\\one", b"x")
    assert drive.read("C:\\one") is None
    assert drive.remove("C:\\ONE\\Two")
    assert not drive.remove("C:\\one\\two")
