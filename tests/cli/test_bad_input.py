"""What clumsy users type, and machines on which something is in the way: one message, one document, a true exit code."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.cli import output
from akslite_ps.cli.app import main
from akslite_ps.cli.carrying_out import check_hash
from akslite_ps.cli.questions import Questions
from akslite_ps.errors import PlanOutdated, UsageError
from akslite_ps.fleet import Inventory


def add_device(run: Any, name: str = "press-07", *more: str) -> None:
    code, _, err = run(
        "device", "add", name, "--host", "127.0.0.1", "--port", "1", "--username", "ops", "--password", "env:NOT_SET", *more
    )
    assert code == 0, err


@pytest.mark.parametrize(
    "line",
    [
        ("nonsense",),
        ("plan",),
        ("plan", "press-07"),
        ("runs", "list", "--limit", "0"),
        ("device", "add", "x", "--host", "h", "--port", "70000"),
        ("device", "add", "x", "--host", "h", "--label", "no-value"),
        ("device", "show", "nobody"),
        ("device", "remove", "nobody"),
        ("config", "check", "no-such-file.json"),
        ("resume",),
        ("resume", "no-such-run"),
        ("runs", "show", "no-such-run"),
    ],
)
def test_a_refused_command_line_is_one_document_of_the_usual_form(run: Any, line: tuple[str, ...]) -> None:
    code, out, err = run(*line, "--json")

    assert code == 2
    assert set(json.loads(out)) >= {"error", "message", "device", "attempted", "next_action"}
    assert "next:" in err


def test_an_interrupted_command_is_one_document_and_says_how_to_go_on(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Inventory, "load", interrupt)

    code, out, err = run("device", "list", "--json")

    assert code == 130
    assert json.loads(out)["error"] == "Interrupted"
    assert "akslite resume" in err


def test_a_name_with_a_line_break_is_refused(run: Any, home: Path) -> None:
    code, _, err = run("device", "add", "press-07\n", "--host", "h", "--username", "u", "--password", "env:X")

    assert code == 2
    assert "name" in err
    assert not home.exists()


def test_a_removed_device_is_told_as_a_document(run: Any) -> None:
    add_device(run)

    code, out, _ = run("device", "remove", "PRESS-07", "--json")

    assert (code, json.loads(out)["name"]) == (0, "press-07")


@pytest.mark.parametrize("command", ["status", "kubeconfig"])
def test_a_missing_password_is_usage_and_names_the_device(run: Any, command: str) -> None:
    add_device(run)

    code, out, err = run(command, "press-07", "--json")

    assert code == 2
    assert json.loads(out)["device"] == "press-07"
    assert "env:NOT_SET" in err


def test_a_folder_given_as_a_config_is_called_a_folder(run: Any, tmp_path: Path) -> None:
    code, _, err = run("config", "check", tmp_path)

    assert code == 2
    assert "is a folder" in err


@pytest.mark.skipif(os.name == "nt", reason="named pipes are another thing on Windows")
def test_a_config_may_come_through_a_pipe(run: Any, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"{}")
    os.close(writing)
    try:
        code, out, _ = run("config", "check", f"/dev/fd/{reading}", "--json")
    finally:
        os.close(reading)

    assert code == 2
    assert "SchemaVersion" in {issue["path"] for issue in json.loads(out)["issues"]}


def test_a_home_that_is_a_file_is_told(run: Any, home: Path) -> None:
    home.write_text("not a folder", encoding="utf-8")

    for line in (("sandbox", "up"), ("device", "list"), ("runs", "list")):
        code, _, err = run(*line)
        assert code in (2, 4)
        assert "next:" in err


def test_the_sandbox_does_not_take_the_name_of_a_real_device(run: Any, home: Path) -> None:
    add_device(run, "press-02")

    code, _, err = run("sandbox", "up")

    assert code == 2
    assert "press-02" in err
    assert "--prefix" in err
    assert not (home / "sandbox").exists()
    assert Inventory.load().get("press-02").endpoint.port == 1


def test_a_damaged_sandbox_can_be_deleted_as_its_message_says(run: Any, home: Path) -> None:
    (home / "sandbox").mkdir(parents=True)
    (home / "sandbox" / "sandbox.json").write_text("{", encoding="utf-8")

    code, _, err = run("sandbox", "status")
    assert code == 4
    assert "akslite sandbox down --delete" in err
    code, _, _ = run("sandbox", "down", "--delete")

    assert code == 0
    assert not (home / "sandbox").exists()


def test_a_plan_hash_that_is_too_short_approves_nothing(run: Any) -> None:
    add_device(run)
    device = Inventory.load().get("press-07")

    check_hash("abcdef0123456789", "ABCDEF01", device)
    with pytest.raises(UsageError, match="too short"):
        check_hash("abcdef0123456789", "abc", device)
    with pytest.raises(PlanOutdated, match="the plan is abcdef0123456789"):
        check_hash("abcdef0123456789", "01234567", device)


def test_what_is_copied_into_the_next_command_is_never_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    run_id = "20261122-221902-9ea103e8"

    output.table(("RUN", "DEVICE", "OPERATION", "STARTED", "ENDED"), [(run_id, "press-01", "deploy", "2026-11-22 22:19:02", "")])

    assert run_id in capsys.readouterr().out


def test_a_process_without_standard_streams_works(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    with pytest.raises(SystemExit) as left:
        main(["device", "list", "--json"])

    assert left.value.code == 0
    sys.stdin.close()
    sys.stdout.close()
    sys.stderr.close()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_reader_that_went_away_does_not_end_the_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as nobody_reads:
        monkeypatch.setattr(sys, "stdout", nobody_reads)
        with pytest.raises(SystemExit) as left:
            main(["sandbox", "fault", "kinds", *form])

    assert left.value.code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_once(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as left:
            main(["device", "list", "--json"])

    assert left.value.code == 4
    assert capsys.readouterr().err.count("No space left on device") == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that this user cannot write")
def test_a_home_that_cannot_be_written_is_told(run: Any, home: Path) -> None:
    home.mkdir()
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)

    code, _, err = run("device", "add", "x", "--host", "h", "--username", "u", "--password", "env:X")

    assert code == 2
    assert "AKSLITE_HOME" in err


def test_a_secret_is_asked_for_once_while_the_display_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    class Display:
        def start(self) -> None:
            happened.append("start")

        def stop(self) -> None:
            happened.append("stop")

    class Terminal:
        def isatty(self) -> bool:
            return True

    def getpass(prompt: str) -> str:
        happened.append(prompt)
        return "canary-password"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", getpass)
    ask = Questions().over(Display())

    assert [ask("ops"), ask("ops")] == ["canary-password"] * 2
    assert happened == ["stop", "ops: ", "start"]
