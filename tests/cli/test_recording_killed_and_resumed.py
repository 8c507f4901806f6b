"""A deployment whose controller is killed, and resumed, as a person sees it: the recording in ``docs/recordings`` is a real run.

With ``AKSLITE_SAVE_RECORDING=1`` the recording is written anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.outcome import Outcome

RECORDING = Path(__file__).parents[2] / "docs" / "recordings" / "killed-and-resumed.txt"
SAMPLE = Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
KILL_AT = "Deploying AKS Edge Essentials"
OUTCOMES = {outcome.value for outcome in Outcome}


def record(akslite: Any, *, kill_at: str | None, line: tuple[str, ...]) -> list[str]:
    """What a command prints, as it comes; killed once it has printed this."""
    process = subprocess.Popen(
        [sys.executable, "-m", "akslite_ps.cli", *line],
        env={**akslite.env, "PYTHONUNBUFFERED": "1", "COLUMNS": "130"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    shown = ["$ akslite " + " ".join(word.replace(str(SAMPLE), SAMPLE.name) for word in line)]
    for text in process.stdout:
        shown.append(text.rstrip().replace(str(akslite.home), "~/akslite"))
        if kill_at is not None and kill_at in text:
            process.kill()
            shown.append("-- here the controller was killed (kill -9); the device knows nothing of it and works on --")
            kill_at = None
            break
    process.stdout.close()
    code = process.wait(timeout=60)
    assert kill_at is None
    assert code == 0 or "killed" in shown[-1], shown
    return [*shown, ""]


@pytest.fixture(scope="module")
def recording(akslite: Any) -> list[str]:
    deploy = ("deploy", "press-01", "--config", str(SAMPLE), "--set", "Network.InternetDisabled=true", "--accept-eula")
    shown = record(akslite, kill_at=KILL_AT, line=deploy)
    shown += record(akslite, kill_at=None, line=("runs", "list"))
    shown += record(akslite, kill_at=None, line=("resume",))
    shown += record(akslite, kill_at=None, line=("runs", "list"))
    shown += record(akslite, kill_at=None, line=("runs", "verify"))
    if os.environ.get("AKSLITE_SAVE_RECORDING"):
        RECORDING.parent.mkdir(exist_ok=True)
        RECORDING.write_text("\n".join(shown).rstrip() + "\n", encoding="utf-8")
    return shown


def shape(lines: list[str]) -> list[str]:
    """Commands, steps, outcomes and tables, without what the device says, how long it takes and what is counted."""
    kept = [line for line in lines if line and (not line.startswith(" ") or line.split()[0] in OUTCOMES)]
    return [re.sub(r"\s+", " ", re.sub(r"\b[0-9a-f]*\d[0-9a-f]*\b", "0", line)).strip() for line in kept]


def test_the_recording_shows_what_happens(recording: list[str]) -> None:
    assert shape(recording) == shape(RECORDING.read_text(encoding="utf-8").splitlines())


def test_the_resumed_run_is_the_killed_one_and_sent_nothing_twice(recording: list[str], akslite: Any) -> None:
    (run,) = akslite.json("runs", "list", "--device", "press-01")
    assert run["outcome"] == "changed"
    rows = akslite.json("runs", "show", run["run_id"])["rows"]
    sent = [row["data"]["command"] for row in rows if row["kind"] == "sent"]
    assert len(sent) == len(set(sent))
    assert [row["kind"] for row in rows].count("resumed") == 1
