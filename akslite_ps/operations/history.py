"""What a run's journal rows say about its steps: results, attempts, and what may still be on its way.

Read by ``operations.engine`` when a run goes on. Pure reading of rows; asks no device.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from akslite_ps.errors import PlanOutdated, UsageError
from akslite_ps.journal import Row, RowKind, RunSummary
from akslite_ps.operations.plan import Plan, StepResult, plan_hash
from akslite_ps.operations.record_rows import record_from
from akslite_ps.remoting.detached import InvocationReference
from akslite_ps.remoting.records import Record


@dataclass(slots=True)
class InFlight:
    """An attempt with an intent and no result: it may have been sent, may still run, may be over.

    Args:
        step_id: The step.
        attempt: Which attempt at it.
        command: The command's name.
        shell_id: The session on the device it went to.
        command_id: The invocation in that session; None where the controller died before the device took it.
        boot_time: When the device had last started at that time.
        records: What the device had said so far, as far as the journal holds it.
        place: Where the invocation is and how far its output was read; None in journals of earlier versions.
    """

    step_id: str
    attempt: int
    command: str
    shell_id: str | None = None
    command_id: str | None = None
    boot_time: dt.datetime | None = None
    records: list[Record] = field(default_factory=list)
    place: InvocationReference | None = None


@dataclass(slots=True)
class History:
    """A run as far as its rows tell it.

    Args:
        plan: The plan that was approved.
        started: When the run began.
        results: The last result of each step that has one.
        attempts: How many attempts each step has had.
        in_flight: The attempt without a result, if there is one.
    """

    plan: Plan
    started: dt.datetime
    results: dict[str, StepResult] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    in_flight: InFlight | None = None


def read_history(summary: RunSummary, rows: Sequence[Row]) -> History:
    """Read a run's rows.

    Raises:
        PlanOutdated: The plan in the journal is not the one that was approved, or cannot be read by this version.
    """
    history = History(plan=read_plan(summary, rows), started=summary.started, in_flight=read_in_flight(rows))
    for row in rows:
        if row.step_id is None:
            continue
        if row.kind is RowKind.INTENT:
            history.attempts[row.step_id] = row.attempt
        elif row.kind is RowKind.RESULT:
            history.results[row.step_id] = StepResult.model_validate(row.data)
            history.attempts[row.step_id] = max(row.attempt, history.attempts.get(row.step_id, 0))
    return history


def read_in_flight(rows: Sequence[Row]) -> InFlight | None:
    """The attempt without a result, whether or not this version can read the run's plan."""
    in_flight: InFlight | None = None
    for row in rows:
        if row.step_id is not None:
            in_flight = _after(in_flight, row.step_id, row)
    return in_flight


def _after(in_flight: InFlight | None, step_id: str, row: Row) -> InFlight | None:
    data = row.data
    match row.kind:
        case RowKind.INTENT:
            return InFlight(step_id, row.attempt, data.get("command", ""), shell_id=data.get("shell_id"), boot_time=_moment(data))
        case RowKind.SENT if in_flight:
            in_flight.shell_id = data.get("shell_id", in_flight.shell_id)
            in_flight.command_id = data.get("command_id")
            in_flight.place = _place(data)
        case RowKind.PLACE if in_flight:
            in_flight.place = _place(data)
        case RowKind.RECORD if in_flight and (record := record_from(data)) is not None:
            in_flight.records.append(record)
        case RowKind.RESULT:
            return None
    return in_flight


def _moment(data: Mapping[str, Any]) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(data["boot_time"])
    except (KeyError, TypeError, ValueError):
        return None


def _place(data: Mapping[str, Any]) -> InvocationReference | None:
    try:
        return InvocationReference.from_text(data["reference"])
    except (KeyError, TypeError, UsageError):
        return None


def read_plan(summary: RunSummary, rows: Sequence[Row]) -> Plan:
    """The plan of a run, from its first row.

    Raises:
        PlanOutdated: It is not the one that was approved, or cannot be read by this version.
    """
    try:
        plan = Plan.model_validate(rows[0].data["plan"])
    except (IndexError, KeyError, ValidationError) as error:
        raise PlanOutdated(
            f"the plan of run {summary.run_id} cannot be read by this version of akslite-ps",
            device=summary.device,
            attempted="resume the run",
            next_action=f"make a new plan for {summary.operation}; steps that are done will be found so",
        ) from error
    # by what was stored, not by the model: a field that this version added has no part in an older approval
    found = plan_hash(rows[0].data["plan"])
    if found != summary.plan_hash:
        raise PlanOutdated(
            f"the plan of run {summary.run_id} has the hash {found[:12]}, approved was {summary.plan_hash[:12]}",
            device=summary.device,
            attempted="resume the run",
            next_action=f"look at it with `akslite runs show {summary.run_id}`, then make a new plan for {summary.operation}",
        )
    return plan
