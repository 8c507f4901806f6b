"""A controller that dies at any moment: the next one finds the run, takes up what runs on the device, sends nothing twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, deploy, resume
from akslite_ps.outcome import Outcome

CONTROLLER = """
import os, sys
from pathlib import Path
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.journal import Journal
from akslite_ps.operations import apply, deploy
from akslite_ps.remoting.endpoint import Device

device = Device.model_validate_json(sys.argv[1])
config = DeploymentConfig.parse(sys.argv[2])
journal = Journal.open(Path(sys.argv[3]))
kind, nth = sys.argv[4], int(sys.argv[5])
append, append_records, seen = journal.append, journal.append_records, 0

def count(row_kind, rows):
    global seen
    seen += rows if row_kind == kind else 0
    if seen >= nth:
        os._exit(9)

def append_then_die(run_id, row_kind, **what):
    append(run_id, row_kind, **what)
    count(row_kind, 1)

def append_records_then_die(run_id, step_id, attempt, records):
    append_records(run_id, step_id, attempt, records)
    count("record", len(records))

journal.append, journal.append_records = append_then_die, append_records_then_die
plan = deploy.plan(device, config, accept_eula=True)
apply(plan, device, approved_hash=plan.hash, journal=journal)
"""


WHOLE_OUTPUT = [
    "Checking host for required features",
    "All required host features are installed",
    "Validating AksEdge network parameters...",
    "*** 0 errors found in the deployment configuration.",
    "AksEdge - deploying a new Linux single machine k3s cluster",
    "Step 1: Preparing host for AKS Edge Essentials - K3s",
    "Enabling Microsoft Update. ...",
    "Associating wssdagent service with nodectl",
    "Creating vnet (name: aksedgesw-int)",
    "Creating single machine cluster hcs network",
    "AksEdge - private network carved:",
    " - 192.168.0.0/24",
    "Checking for virtual switch with name 'aksedgesw-int'",
    "Deploying AKS Edge Essentials - K3s",
    "Testing SSH connection",
    "Initializing kubernetes runtime in Linux node",
    "Waiting for Kubernetes node (press-01-ledge) to reach condition Ready, timeout = 300 seconds",
]


@pytest.mark.parametrize(
    ("kind", "nth"), [("approved", 1), ("intent", 3), ("sent", 3), ("record", 14), ("record", 22), ("result", 6)]
)
def test_a_killed_controller_loses_nothing_and_nothing_is_sent_twice(
    kind: str, nth: int, simulated: Any, config: DeploymentConfig, tmp_path: Path, operator: Controller, journal: Journal
) -> None:
    simulated.install()
    simulated.fault("slow", factor=4.0)
    path = journal.path
    done = subprocess.run(
        [sys.executable, "-c", CONTROLLER, simulated.device.model_dump_json(), config.to_json(), str(path), kind, str(nth)],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    (run,) = journal.runs()
    assert run.state == "interrupted"

    resumed = resume(simulated.device, journal=journal, controller=operator)

    assert resumed.run_id == run.run_id
    assert resumed.finished, [(result.step_id, result.detail) for result in resumed.results]
    assert resumed.outcome is Outcome.CHANGED
    sent = [row.data["command"] for row in journal.rows(run.run_id, kinds=[RowKind.SENT])]
    assert sent.count("New-AksEdgeDeployment") == 1
    lines = [
        row.data["message"]
        for row in journal.rows(run.run_id, kinds=[RowKind.RECORD])
        if row.step_id == deploy.CREATE and row.data["stream"] == "information"
    ]
    assert [line.partition("] ")[2] or line for line in lines] == WHOLE_OUTPUT
    assert simulated.state.deployment.phase == "complete"
    assert journal.verify().ok
