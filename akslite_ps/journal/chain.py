"""Verifies the hash chains of a journal file. Called by ``Journal.verify``; reads only."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from akslite_ps.journal.rows import GENESIS, ChainReport, RowKind, content_hash, row_hash
from akslite_ps.journal.store import unpack

_ROWS = (
    "SELECT seq, time, kind, step_id, attempt, r.data, r.content, previous, hash, b.data"
    " FROM rows r LEFT JOIN blobs b ON r.data IS NULL AND b.content = r.content WHERE r.run_id = ? ORDER BY seq"
)


def verify_chain(connection: sqlite3.Connection, run_id: str | None) -> ChainReport:
    """Check one run, or every run and how runs hang together.

    Args:
        connection: An open journal.
        run_id: The run; None for all.
    """
    runs = connection.execute(
        "SELECT run_id, number, operation, device, owner, plan_hash FROM runs WHERE ?1 IS NULL OR run_id = ?1 ORDER BY number",
        (run_id,),
    ).fetchall()
    faults: list[str] = []
    count = 0
    if run_id is not None and not runs:
        faults.append(f"run {run_id} is not in the journal")
    for run in runs:
        rows = connection.execute(_ROWS, (run[0],)).fetchall()
        count += len(rows)
        faults += _run_faults(connection, run, rows)
    if run_id is None:
        orphans = connection.execute("SELECT DISTINCT run_id FROM rows WHERE run_id NOT IN (SELECT run_id FROM runs)").fetchall()
        faults += [f"run {orphan} was removed from the list of runs" for (orphan,) in orphans]
        numbers = [run[1] for run in runs]
        missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
        faults += [f"run number {number} was removed" for number in missing]
    return ChainReport(runs=len(runs), rows=count, faults=tuple(faults))


def _run_faults(connection: sqlite3.Connection, run: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    run_id, number, *described = run
    faults: list[str] = []
    previous: str | None = None
    for expected, row in enumerate(rows, start=1):
        seq, time, kind, step_id, attempt, text, content, row_previous, digest, blob = row
        where = f"run {run_id}, row {seq}"
        if seq != expected:
            return [*faults, f"run {run_id}: row {expected} is missing"]
        if text is None:
            text = unpack(blob) or ""
        if content_hash(text) != content:
            faults.append(f"{where}: its data was changed")
        recomputed = row_hash(
            run_id=run_id, seq=seq, time=time, kind=kind, step_id=step_id, attempt=attempt, content=content, previous=row_previous
        )
        if recomputed != digest:
            faults.append(f"{where}: it was changed")
        if previous is None:
            faults += _first_row_faults(connection, where, number, kind, row_previous)
            faults += _description_faults(where, described, text)
        elif row_previous != previous:
            faults.append(f"{where}: it does not follow the row before it")
        previous = digest
    if not rows:
        faults.append(f"run {run_id} has no rows")
    return faults


def _first_row_faults(connection: sqlite3.Connection, where: str, number: int, kind: str, anchor: str) -> list[str]:
    if kind != RowKind.RUN_STARTED:
        return [f"{where}: the first row is '{kind}', not '{RowKind.RUN_STARTED}'"]
    if anchor == GENESIS:
        return [] if number == 1 else [f"{where}: it does not follow the run before it"]
    known = connection.execute(
        "SELECT 1 FROM rows JOIN runs USING (run_id) WHERE number = ? AND hash = ?", (number - 1, anchor)
    ).fetchone()
    return [] if known else [f"{where}: rows of the run before it were changed or removed"]


def _description_faults(where: str, described: list[Any], text: str) -> list[str]:
    try:
        data = json.loads(text)
    except ValueError:
        return []  # already reported as changed
    told = [data.get("operation"), data.get("device"), data.get("owner"), data.get("plan_hash")]
    return [] if told == described else [f"{where}: the list of runs says something else than the run itself"]
