"""Runs of plans: apply an approved one, go on with one that was interrupted, find it, give it up.

The face of this package for the command line, notebooks and fleets. The steps are walked by ``operations.engine``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from akslite_ps.errors import PlanOutdated, PreflightFailed, UsageError
from akslite_ps.journal import DeviceLock, Journal, RowKind, RunSummary, owner_name
from akslite_ps.operations import deploy, scale_join
from akslite_ps.operations.controller import Ask, Controller
from akslite_ps.operations.engine import CODE, Walk
from akslite_ps.operations.events import Listener
from akslite_ps.operations.history import History, read_history, read_in_flight, read_plan
from akslite_ps.operations.invocation import stop_in_flight
from akslite_ps.operations.plan import Plan, Run, StepResult, plan_hash
from akslite_ps.operations.steps import StepCode
from akslite_ps.operations.work import Sessions
from akslite_ps.outcome import Outcome
from akslite_ps.secrets import REDACTOR

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

_ACCEPTS_TERMS = frozenset({deploy.CREATE, scale_join.JOIN})
"""Steps with which a device accepts the product's licence terms."""


def apply(
    plan: Plan,
    device: Device,
    *,
    approved_hash: str,
    journal: Journal,
    listener: Listener | None = None,
    ask: Ask | None = None,
    stop: threading.Event | None = None,
    controller: Controller | None = None,
    force_token: str | None = None,
) -> Run:
    """Apply an approved plan. Where the same plan was interrupted on the device, that run goes on.

    Args:
        plan: The plan.
        device: The device it was made for.
        approved_hash: The hash that a person or a flag approved.
        journal: Where the run is written; also holds the device's lock.
        listener: Takes events, in this thread.
        ask: Answers ``prompt:`` secret references.
        stop: Set it to interrupt, as Ctrl-C does; what runs on the device goes on there.
        controller: The surroundings; default: real sessions and clusters, and this journal.
        force_token: Token of a lock to be taken by force.

    Returns:
        The run. Failure, unreachability and interruption are outcomes, not exceptions.

    Raises:
        PlanOutdated: The hash is another, or another run on the device has a command in flight.
        PreflightFailed: The plan has findings of severity ``error``.
        ConfirmationRequired: The product's licence terms are not accepted.
        RunLocked: Another controller works on the device.
        JournalError: The journal cannot be written; nothing (more) is sent then.
    """
    controller = controller or Controller(journal)
    _check_approval(plan, device, approved_hash, controller.code or CODE)
    with journal.lock(device.name, what=plan.operation, force_token=force_token) as lock:
        unfinished = journal.unfinished(device.name)
        if unfinished is not None:
            if unfinished.operation == plan.operation and unfinished.plan_hash == plan.hash:
                return _go_on(unfinished, device, lock, controller, listener, ask, stop)
            _supersede(journal, unfinished)
        run_id = journal.begin_run(
            operation=plan.operation, device=device.name, plan=plan.model_dump(mode="json"), plan_hash=plan.hash
        )
        lock.assign(run_id)
        journal.append(
            run_id,
            RowKind.APPROVED,
            data={"plan_hash": plan.hash, "by": owner_name(), "eula_accepted_by": plan.eula_accepted_by},
        )
        history = History(plan=plan, started=controller.clock.now())
        return Walk(run_id, device, history, lock, controller, listener, ask, stop).walk(resumed=False)


def resume(
    device: Device,
    *,
    journal: Journal,
    run_id: str | None = None,
    listener: Listener | None = None,
    ask: Ask | None = None,
    stop: threading.Event | None = None,
    controller: Controller | None = None,
    force_token: str | None = None,
) -> Run:
    """Go on with a run that was interrupted, or that failed at a step.

    Args:
        device: The device.
        journal: The journal that has the run.
        run_id: The run; default: the device's newest run, if it has not ended.
        listener, ask, stop, controller, force_token: As for :func:`apply`.

    Raises:
        UsageError: There is nothing to go on with, or the run belongs to another device.
        PlanOutdated: The plan in the journal is not the approved one.
        RunLocked, JournalError: As for :func:`apply`.
    """
    controller = controller or Controller(journal)
    summary = journal.find_run(run_id) if run_id else journal.unfinished(device.name)
    if summary is None:
        raise UsageError(
            "no run of this device can go on",
            device=device.name,
            attempted="resume",
            next_action=f"see `akslite runs list --device {device.name}`",
        )
    summary = _run_of(summary, device)
    with journal.lock(device.name, what=f"resume {summary.operation}", run_id=summary.run_id, force_token=force_token) as lock:
        return _go_on(journal.find_run(summary.run_id), device, lock, controller, listener, ask, stop)


def find_resumable(
    journal: Journal, device: str, operation: str, *, config: Mapping[str, object] | None = None
) -> RunSummary | None:
    """The interrupted run that the same command would go on with.

    Args:
        journal: The journal.
        device: Name of the device.
        operation: e.g. ``deploy``.
        config: The config's data with secrets as references (``DeploymentConfig.as_data()``): the run must be for an
            equal one. None: whatever its config.

    Returns:
        The run, or None where the device's newest run ended, is another operation, is for another config, or has a plan
        that this version cannot go on with.
    """
    summary = journal.unfinished(device)
    if summary is None or summary.operation != operation:
        return None
    try:
        begun = read_plan(summary, journal.rows(summary.run_id, kinds=[RowKind.RUN_STARTED]))
    except PlanOutdated:
        return None
    return None if config is not None and begun.config != config else summary


def abandon(
    device: Device,
    run_id: str,
    *,
    journal: Journal,
    ask: Ask | None = None,
    controller: Controller | None = None,
    force_token: str | None = None,
) -> bool:
    """Give up a run that was interrupted: stop what may still run on the device, and end the run as cancelled.

    Args:
        device: The device.
        run_id: The run.
        journal: The journal that has it.
        ask: Answers ``prompt:`` secret references.
        controller: The surroundings.
        force_token: Token of a lock to be taken by force.

    Returns:
        True where a command was found running on the device and stopped; False where nothing was left there. A
        device in the middle of a change stays as it is: read it with ``akslite status``.

    Raises:
        UsageError: The run has ended, or belongs to another device.
        RemotingError: The device cannot be asked whether something still runs; the run stays as it is.
        RunLocked: Another controller works on the device.
    """
    controller = controller or Controller(journal)
    summary = _run_of(journal.find_run(run_id), device)
    if summary.state == "ended":
        raise UsageError(
            f"run {summary.run_id} has ended: {summary.outcome}",
            device=device.name,
            attempted="give up the run",
            next_action="nothing is left to give up",
        )
    with journal.lock(device.name, what="give up a run", run_id=summary.run_id, force_token=force_token):
        in_flight = read_in_flight(journal.rows(summary.run_id))
        stopped = in_flight is not None and stop_in_flight(Sessions(controller, device, ask), in_flight)
        detail = f"given up by {owner_name()}" + (f"; {in_flight.command} was stopped" if in_flight and stopped else "")
        journal.append(summary.run_id, RowKind.RUN_ENDED, data={"outcome": Outcome.CANCELLED, "finished": False, "detail": detail})
        return stopped


def _run_of(summary: RunSummary, device: Device) -> RunSummary:
    if summary.device != device.name:
        raise UsageError(
            f"run {summary.run_id} belongs to device {summary.device}", device=device.name, attempted="take up the run"
        )
    return summary


def _check_approval(plan: Plan, device: Device, approved_hash: str, code: Mapping[str, StepCode]) -> None:
    attempted = f"apply the plan '{plan.operation}'"
    if plan.device != device.name:
        raise UsageError(f"the plan was made for {plan.device}", device=device.name, attempted=attempted)
    if approved_hash != plan.hash:
        raise PlanOutdated(
            f"approved was {approved_hash[:12]}, the plan is {plan.hash[:12]}: the config or the device changed in between",
            device=device.name,
            attempted=attempted,
            next_action="read the new plan and approve it",
        )
    if plan.blocked:
        faults = [finding for finding in plan.findings if finding.severity == "error"]
        raise PreflightFailed(
            "; ".join(f"{finding.title}: {finding.read}, needed is {finding.needed}" for finding in faults),
            device=device.name,
            attempted=attempted,
            next_action="; ".join(dict.fromkeys(finding.action for finding in faults if finding.action)),
        )
    unknown = [step.id for step in plan.steps if step.kind not in code]
    if unknown:
        raise PlanOutdated(
            f"this version of akslite-ps does not know the step {unknown[0]}",
            device=device.name,
            attempted=attempted,
            next_action="make a new plan",
        )
    if not _can_be_journaled(plan):
        raise UsageError(
            "the plan holds the value of a secret in clear text, so it cannot be journaled; it may also be that a password equals "
            "a name or word in the plan, or one of the journal's own words",
            device=device.name,
            attempted=attempted,
            next_action="use references for secrets, and passwords that are no everyday words",
        )
    if plan.eula_accepted_by is None and any(step.needed and step.id in _ACCEPTS_TERMS for step in plan.steps):
        raise deploy.eula_refusal(device.name)


def _can_be_journaled(plan: Plan) -> bool:
    """Whether plan and journal stay what they are when every known secret is taken out."""
    words = [*Outcome, *RowKind, *Plan.model_fields, *Run.model_fields, *StepResult.model_fields]
    if any(REDACTOR.text(word) != word for word in words):
        return False
    try:
        return plan_hash(REDACTOR.value(plan.model_dump(mode="json"))) == plan.hash
    except (KeyError, TypeError):
        return False


def _supersede(journal: Journal, unfinished: RunSummary) -> None:
    in_flight = read_in_flight(journal.rows(unfinished.run_id))
    if in_flight is not None:
        raise PlanOutdated(
            f"{in_flight.command} of run {unfinished.run_id} may still run on the device",
            device=unfinished.device,
            attempted="start another run",
            next_action=f"go on with it first (akslite resume {unfinished.run_id}), or give it up (akslite runs abandon, same run)",
        )
    journal.append(
        unfinished.run_id, RowKind.RUN_ENDED, data={"outcome": Outcome.CANCELLED, "detail": "another plan took its place"}
    )


def _go_on(
    summary: RunSummary,
    device: Device,
    lock: DeviceLock,
    controller: Controller,
    listener: Listener | None,
    ask: Ask | None,
    stop: threading.Event | None,
) -> Run:
    journal = controller.journal
    intact = journal.verify(summary.run_id)
    if not intact.ok:
        raise PlanOutdated(
            f"the journal's rows of run {summary.run_id} were changed afterwards: {intact.detail}",
            device=device.name,
            attempted="resume the run",
            next_action=f"make a new plan for {summary.operation}; steps that are done will be found so",
        )
    history = read_history(summary, journal.rows(summary.run_id))
    if summary.state == "ended" and _finished(history):
        raise UsageError(
            f"run {summary.run_id} has ended: {summary.outcome}",
            device=device.name,
            attempted="resume",
            next_action="nothing is left to do; make a new plan to do it again",
        )
    lock.assign(summary.run_id)
    crashed = lock.left_by.as_data() if lock.left_by else None
    journal.append(summary.run_id, RowKind.RESUMED, data={"by": owner_name(), "left_by": crashed})
    return Walk(summary.run_id, device, history, lock, controller, listener, ask, stop).walk(resumed=True)


def _finished(history: History) -> bool:
    return Run(run_id="", plan=history.plan, started=history.started, results=tuple(history.results.values())).finished
