"""A run that an earlier version was killed in can be checked, and gone on with. The stored files are in ``tests/journal/stored``.

With ``AKSLITE_SAVE_STORED=1`` the files of this version are written where they are missing; those of earlier ones stay.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.journal import Journal, read_export, write_export
from akslite_ps.journal.export import EXPORT_SCHEMA
from akslite_ps.journal.store import MIGRATIONS
from akslite_ps.operations import Controller, Event, RecordArrived, apply, deploy, prepare
from akslite_ps.operations.evidence import verify_export, verify_runs
from akslite_ps.operations.history import read_history

STORED = Path(__file__).parents[1] / "journal" / "stored"


@pytest.fixture(params=sorted(path.name for path in STORED.glob("journal-*.sqlite")))
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / "stored" / "journal.sqlite"
    path.parent.mkdir()
    shutil.copyfile(STORED / request.param, path)
    with Journal.open(path) as opened:
        yield opened


def test_the_plan_of_a_stored_run_is_the_approved_one_and_what_was_on_its_way_is_known(stored: Journal) -> None:
    assert verify_runs(stored).ok, verify_runs(stored).detail
    run = stored.runs()[0]
    history = read_history(run, stored.rows(run.run_id))
    assert history.plan.hash == run.plan_hash
    assert history.in_flight is not None
    assert history.in_flight.command == "New-AksEdgeDeployment"
    assert history.in_flight.place is not None
    assert history.in_flight.records


@pytest.mark.parametrize("name", sorted(path.name for path in STORED.glob("run-*.json")))
def test_the_plan_of_a_stored_export_is_the_approved_one(name: str) -> None:
    report = verify_export(read_export(STORED / name))
    assert report.ok, report.detail


@pytest.mark.skipif(
    not os.environ.get("AKSLITE_SAVE_STORED"), reason="the stored files are there; AKSLITE_SAVE_STORED=1 adds this version's"
)
def test_store_what_this_version_writes(simulated: Any, config: DeploymentConfig, journal: Journal, operator: Controller) -> None:
    whole = prepare.plan(simulated.device)
    assert apply(whole, simulated.device, approved_hash=whole.hash, journal=journal, controller=operator).finished
    simulated.install()
    stop, plan = threading.Event(), deploy.plan(simulated.device, config, accept_eula=True)

    def listen(event: Event) -> None:
        if isinstance(event, RecordArrived) and "Creating vnet" in getattr(event.record, "message", ""):
            stop.set()

    run = apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=listen, stop=stop)
    assert run.interrupted
    STORED.mkdir(exist_ok=True)
    exported = STORED / f"run-{EXPORT_SCHEMA}.json"
    if not exported.exists():
        write_export(exported, journal.find_run(run.run_id), journal.rows(run.run_id), now=dt.datetime.now(dt.UTC))
    file = STORED / f"journal-{len(MIGRATIONS)}.sqlite"
    if not file.exists():
        connection = sqlite3.connect(journal.path)
        connection.execute("VACUUM INTO ?", (str(file),))
        connection.close()
