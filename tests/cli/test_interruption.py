"""Ctrl-C in the middle, the same command again, and two controllers at once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Akslite

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
OFFLINE = ("--config", str(SAMPLE), "--set", "Network.InternetDisabled=true")


def wait_for(process: subprocess.Popen[str], text: str) -> list[str]:
    """The messages of the running command up to the line that holds this text."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"the command ended without saying {text!r}:\n{''.join(lines)}")


@pytest.mark.skipif(os.name == "nt", reason="a test cannot send Ctrl-C to one process alone on Windows")
def test_ctrl_c_leaves_a_run_that_the_same_command_goes_on_with(akslite: Akslite) -> None:
    deploy = ("deploy", "press-01", *OFFLINE, "--accept-eula")
    first = akslite.start(*deploy)
    wait_for(first, "Deploying AKS Edge Essentials")
    first.send_signal(signal.SIGINT)
    _, messages = first.communicate(timeout=60)

    assert first.returncode == 130
    assert "Traceback" not in messages
    run = akslite.json("runs", "list", "--device", "press-01")[0]
    assert f"akslite resume {run['run_id']}" in messages
    assert run["ended"] is None

    again = akslite.json(*deploy)

    assert again["run_id"] == run["run_id"]
    assert again["outcome"] == "changed"
    rows = akslite.json("runs", "show", run["run_id"])["rows"]
    create = [r for r in rows if r["step_id"] == "deploy.create"]
    assert [r["kind"] for r in create].count("sent") == 1, "the deployment was sent once, and its end collected later"
    said = [r["data"]["message"] for r in create if r["kind"] == "record" and "message" in r["data"]]
    assert any("Deploying AKS Edge Essentials" in text for text in said)
    assert any("Waiting for Kubernetes node" in text for text in said)
    assert len(said) == len(set(said)), "nothing the device said is there twice"


def test_a_second_controller_is_told_who_works_on_the_device(akslite: Akslite) -> None:
    first = akslite.start("deploy", "press-02", *OFFLINE, "--accept-eula")
    wait_for(first, "step 1/")

    second = akslite("deploy", "press-02", *OFFLINE, "--accept-eula", code=4)

    assert "press-02" in second.stderr
    assert str(first.pid) in second.stderr or "run 2" in second.stderr
    assert "next:" in second.stderr
    stdout, stderr = first.communicate(timeout=240)
    assert first.returncode == 0, stdout + stderr
    assert len(akslite.json("runs", "list", "--device", "press-02")) == 1, "the second one recorded nothing"


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without asking them")
def test_a_scheduler_that_ends_the_command_leaves_a_run_that_can_go_on(akslite: Akslite) -> None:
    deploy = ("deploy", "press-03", *OFFLINE, "--accept-eula")
    first = akslite.start(*deploy)
    wait_for(first, "step 3/")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        first.send_signal(number)
    _, messages = first.communicate(timeout=60)

    assert first.returncode == 130
    assert "Traceback" not in messages
    run = akslite.json("runs", "list", "--device", "PRESS-03")[0]
    assert run["ended"] is None
    refused = akslite.json(*deploy, "--plan-hash", "deadbeefdead", code=4)
    assert refused["error"] == "PlanOutdated"
    again = akslite.json("resume", "--device", "PRESS-03")
    assert (again["run_id"], again["outcome"]) == (run["run_id"], "changed")
