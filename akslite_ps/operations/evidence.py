"""Whether runs are as they were journaled: their hash chains, their large data, and the plans that were approved.

For ``akslite runs verify`` and reports. Reads only; asks no device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from akslite_ps.journal import ChainReport, ExportedRun, Journal, JournalError, Row, RowKind, RunSummary
from akslite_ps.operations.plan import plan_hash

_ALL = 2**31


def verify_runs(journal: Journal, run_id: str | None = None) -> ChainReport:
    """Check one run of a journal, or all.

    Args:
        journal: The journal.
        run_id: The whole id; None for all runs and how they hang together.

    Raises:
        JournalError: The file cannot be read at all.
    """
    summaries = [journal.find_run(run_id)] if run_id is not None else journal.runs(limit=_ALL)[::-1]
    faults = []
    for summary in summaries:
        try:
            faults += _plan_faults(summary, journal.rows(summary.run_id, kinds=[RowKind.RUN_STARTED]))
        except JournalError:
            continue  # a damaged first row: the chain tells of it
    report = journal.verify(run_id)
    return replace(report, faults=(*report.faults, *faults))


def verify_export(exported: ExportedRun) -> ChainReport:
    """Check a run that was read from a file."""
    faults = _plan_faults(exported.summary, exported.rows[:1])
    return replace(exported.report, faults=(*exported.report.faults, *faults))


def _plan_faults(summary: RunSummary, rows: Sequence[Row]) -> list[str]:
    if not rows or rows[0].kind is not RowKind.RUN_STARTED:
        return []  # the chain tells of it
    try:
        found = plan_hash(rows[0].data["plan"])
    except (KeyError, TypeError, AttributeError):
        return [f"run {summary.run_id}, row 1: it holds no plan"]
    if found != summary.plan_hash:
        return [f"run {summary.run_id}, row 1: the plan has the hash {found[:12]}, approved was {summary.plan_hash[:12]}"]
    return []
