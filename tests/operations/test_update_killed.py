"""A controller that dies in the middle of an update: the next one goes on, and no phase is sent twice."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, resume
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.sandbox.device import updates

CONTROLLER = """
import os, sys
from pathlib import Path
from akslite_ps.journal import Journal
from akslite_ps.operations import apply, update
from akslite_ps.remoting.endpoint import Device

device = Device.model_validate_json(sys.argv[1])
journal = Journal.open(Path(sys.argv[2]))
kind, nth = sys.argv[3], int(sys.argv[4])
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
plan = update.plan(device)
apply(plan, device, approved_hash=plan.hash, journal=journal)
"""


@pytest.mark.parametrize(
    ("kind", "nth"), [("approved", 1), ("intent", 1), ("sent", 1), ("record", 1), ("result", 1), ("sent", 2), ("result", 2)]
)
def test_an_update_survives_the_death_of_its_controller(
    kind: str, nth: int, simulated: Any, config: DeploymentConfig, operator: Controller, journal: Journal
) -> None:
    simulated.install("1.10.868.0", "1.30.6")
    older = DeploymentConfig.parse({**config.as_data(), "SchemaVersion": "1.15"})
    with Session.open(simulated.device) as session:
        assert AksEdge(session).new_deployment(older.to_json(eula_accepted=True)) == "OK"

    async def stage() -> None:
        updates.stage(simulated.sandbox.device(simulated.name))

    simulated.sandbox.run(stage())
    simulated.fault("slow", factor=4.0)
    done = subprocess.run(
        [sys.executable, "-c", CONTROLLER, simulated.device.model_dump_json(), str(journal.path), kind, str(nth)],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    (run,) = journal.runs()

    resumed = resume(simulated.device, journal=journal, controller=operator)

    assert resumed.run_id == run.run_id
    assert resumed.outcome is Outcome.CHANGED, [(result.step_id, result.detail) for result in resumed.results]
    sent = [row.data["command"] for row in journal.rows(run.run_id, kinds=[RowKind.SENT])]
    assert sent == ["Start-AksEdgeUpdate", "Start-AksEdgeControlPlaneUpdate"]
    assert simulated.state.product.version == "1.11.230.0"
    assert simulated.state.product_update is None
    assert journal.verify().ok
