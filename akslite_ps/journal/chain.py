"""Verifies hash chains of runs: in a journal file for ``Journal.verify``, in an exported run for ``journal.export``.

Reads only, and never stops at damaged data: whatever is wrong becomes a sentence.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from akslite_ps.journal.rows import GENESIS, ChainReport, RowKind, content_hash, row_hash
from akslite_ps.journal.store import unpack

_ROWS = (
    "SELECT seq, time, kind, step_id, attempt, coalesce(r.data, b.data), r.content, previous, hash"
    " FROM rows r LEFT JOIN blobs b ON r.data IS NULL AND b.content = r.content WHERE r.run_id = ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True)
class RunChain:
    """What the list of runs says about a run. ``number`` counts the journal's runs from 1; None outside a journal."""

    run_id: str
    number: int | None
    operation: str
    device: str
    owner: str
    plan_hash: str


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A row as it is stored. ``text`` is its data as JSON text, None where it is missing or cannot be read."""

    seq: int
    time: str
    kind: str
    step_id: str | None
    attempt: int
    text: str | None
    content: str
    previous: str
    hash: str


def verify_chain(connection: sqlite3.Connection, run_id: str | None) -> ChainReport:
    """Check one run, or every run and how runs hang together.

    Args:
        connection: An open journal.
        run_id: The run; None for all.
    """
    found = connection.execute(
        "SELECT run_id, number, operation, device, owner, plan_hash FROM runs WHERE ?1 IS NULL OR run_id = ?1 ORDER BY number",
        (run_id,),
    ).fetchall()
    runs = [RunChain(*columns) for columns in found]
    faults: list[str] = []
    count = 0
    if run_id is not None and not runs:
        faults.append(f"run {run_id} is not in the journal")
    for run in runs:
        rows = [_chain_row(*columns) for columns in connection.execute(_ROWS, (run.run_id,))]
        count += len(rows)
        faults += run_faults(run, rows, anchored=partial(_follows, connection, run.number or 0))
    if run_id is None:
        orphans = connection.execute("SELECT DISTINCT run_id FROM rows WHERE run_id NOT IN (SELECT run_id FROM runs)").fetchall()
        faults += [f"run {orphan} was removed from the list of runs" for (orphan,) in orphans]
        numbers = [run.number for run in runs if run.number]
        missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
        faults += [f"run number {number} was removed" for number in missing]
    return ChainReport(runs=len(runs), rows=count, faults=tuple(faults))


def run_faults(run: RunChain, rows: Sequence[ChainRow], *, anchored: Callable[[str], bool]) -> list[str]:
    """What is wrong with one run, the first broken row first.

    Args:
        run: What the list of runs says.
        rows: Its rows in order.
        anchored: Whether a hash is that of a row of the run before it.
    """
    faults: list[str] = []
    before: ChainRow | None = None
    for expected, row in enumerate(rows, start=1):
        where = f"run {run.run_id}, row {row.seq}"
        if row.seq != expected:
            return [*faults, f"run {run.run_id}: row {expected} is missing"]
        if row.text is None:
            faults.append(f"{where}: its data was changed: it is missing or cannot be read")
        elif content_hash(row.text) != row.content:
            faults.append(f"{where}: its data was changed")
        if _hash_of(run.run_id, row) != row.hash:
            faults.append(f"{where}: it was changed")
        if before is None:
            faults += _first_row_faults(where, run, row, anchored)
        elif row.previous != before.hash:
            faults.append(f"{where}: it does not follow the row before it")
        before = row
    if not rows:
        faults.append(f"run {run.run_id} has no rows")
    return faults


def _hash_of(run_id: str, row: ChainRow) -> str:
    return row_hash(
        run_id=run_id,
        seq=row.seq,
        time=row.time,
        kind=row.kind,
        step_id=row.step_id,
        attempt=row.attempt,
        content=row.content,
        previous=row.previous,
    )


def _first_row_faults(where: str, run: RunChain, row: ChainRow, anchored: Callable[[str], bool]) -> list[str]:
    faults: list[str] = []
    if row.kind != RowKind.RUN_STARTED:
        faults.append(f"{where}: the first row is '{row.kind}', not '{RowKind.RUN_STARTED}'")
    elif row.previous == GENESIS and (run.number or 1) > 1:
        faults.append(f"{where}: it does not follow the run before it")
    elif row.previous != GENESIS and not anchored(row.previous):
        faults.append(f"{where}: rows of the run before it were changed or removed")
    try:
        data = json.loads(row.text or "")
    except ValueError:
        return faults  # already reported as changed
    described = data if isinstance(data, dict) else {}
    told = tuple(described.get(name) for name in ("operation", "device", "owner", "plan_hash"))
    if told != (run.operation, run.device, run.owner, run.plan_hash):
        faults.append(f"{where}: the list of runs says something else than the run itself")
    return faults


def _follows(connection: sqlite3.Connection, number: int, anchor: str) -> bool:
    known = connection.execute(
        "SELECT 1 FROM rows JOIN runs USING (run_id) WHERE number = ? AND hash = ?", (number - 1, anchor)
    ).fetchone()
    return known is not None


def _chain_row(
    seq: int,
    time: str,
    kind: str,
    step_id: str | None,
    attempt: int,
    data: str | bytes | None,
    content: str,
    previous: str,
    digest: str,
) -> ChainRow:
    text = unpack(data) if isinstance(data, bytes) else data
    return ChainRow(seq, time, kind, step_id, attempt, text, content, previous, digest)
