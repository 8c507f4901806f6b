"""Plan, show, approve, apply or go on: the way that all commands share that change a device.

A command gives its plan and, where it has them, its own questions; the options, the exit codes and the going on of an
interrupted run are the same everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from akslite_ps.cli import views
from akslite_ps.cli.exit_codes import CHANGES, FAILED, OK, for_outcome
from akslite_ps.cli.output import console, emit, say
from akslite_ps.cli.questions import Questions
from akslite_ps.errors import ConfirmationRequired, PlanOutdated, UsageError
from akslite_ps.home import journal_file

if TYPE_CHECKING:
    from rich.status import Status

    from akslite_ps.operations.controller import Ask
    from akslite_ps.operations.plan import Plan, Run
    from akslite_ps.remoting import Device

_SHORTEST_HASH = 8

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask at a terminal; this flag approves the plan.")]
PlanHash = Annotated[
    str | None, typer.Option("--plan-hash", metavar="HASH", help="Apply only if the plan has this hash, or begins with it.")
]
WhatIf = Annotated[bool, typer.Option("--what-if", help="Show the plan and change nothing.")]
DetailedExitCode = Annotated[
    bool,
    typer.Option("--detailed-exitcode", help="With --what-if: exit code 3 where the plan has changes, 0 where it is already so."),
]
WindowsExitCodes = Annotated[bool, typer.Option("--windows-exit-codes", help="Exit code 3010 or 1641 where a reboot is due.")]
Unlock = Annotated[
    str | None,
    typer.Option("--force-unlock", metavar="TOKEN", help="Take the device's lock from the controller that holds this token."),
]


def carry_out(
    operation: str,
    device: Device,
    make_plan: Callable[[Ask], Plan],
    *,
    same: Callable[[Plan], bool],
    confirm: Callable[[Plan], None] = lambda plan: None,
    refuse: Callable[[Plan], None] = lambda plan: None,
    blocked_code: Callable[[Plan], int] = lambda plan: FAILED,
    yes: bool,
    plan_hash: str | None,
    what_if: bool,
    detailed_exitcode: bool,
    unlock: str | None,
    as_json: bool,
    windows_exit_codes: bool = False,
) -> NoReturn:
    """Carry an operation out, or go on with its run that did not end.

    Args:
        operation: As the plans name it.
        device: The device.
        make_plan: Reads the device; gets what answers ``prompt:`` secret references.
        same: Whether the plan of an unfinished run is what this command wants.
        confirm: Raises where a person must confirm and has not; asked before anything is sent.
        refuse: Raises for a new plan that the command itself does not apply; asked once the plan was shown.
        blocked_code: Exit code of ``--what-if`` for a blocked plan.
        yes, plan_hash, what_if, detailed_exitcode, unlock, as_json, windows_exit_codes: The command's options.
    """
    from akslite_ps.cli.progress import TerminalView
    from akslite_ps.journal import Journal, RowKind
    from akslite_ps.operations import Plan, apply, find_resumable, resume

    questions = Questions()
    with Journal.open(journal_file()) as journal:
        unfinished = None if what_if else find_resumable(journal, device.name, operation)
        if unfinished is not None:
            begun = Plan.model_validate(journal.rows(unfinished.run_id, kinds=[RowKind.RUN_STARTED])[0].data["plan"])
            if same(begun):
                check_hash(unfinished.plan_hash, plan_hash, device)
                confirm(begun)
                say(f"going on with run {unfinished.run_id}, which did not end")
                with TerminalView(quiet=as_json) as view:
                    run = resume(
                        device,
                        journal=journal,
                        run_id=unfinished.run_id,
                        listener=view,
                        ask=questions.over(view.live),
                        force_token=unlock,
                    )
                finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)
        with reading_display(device) as live:
            the_plan = make_plan(questions.over(live))
        if what_if:
            emit(plan_data(the_plan), as_json=as_json, show=lambda: views.plan(the_plan))
            if the_plan.blocked:
                raise typer.Exit(blocked_code(the_plan))
            raise typer.Exit(CHANGES if detailed_exitcode and the_plan.has_changes else OK)
        if not as_json:
            views.plan(the_plan, all_findings=False)
        refuse(the_plan)
        check_hash(the_plan.hash, plan_hash, device)
        if not the_plan.blocked:
            confirm(the_plan)
        approve(the_plan, yes=yes or as_json or plan_hash is not None)
        with TerminalView(quiet=as_json) as view:
            run = apply(
                the_plan,
                device,
                approved_hash=the_plan.hash,
                journal=journal,
                listener=view,
                ask=questions.over(view.live),
                force_token=unlock,
            )
    finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)


def reading_display(device: Device) -> Status:
    """What is shown while a device is read."""
    return console(stderr=True).status(f"reading {device.name} ...")


def check_hash(actual: str, wanted: str | None, device: Device) -> None:
    """Refuse to apply a plan that is not the one approved with ``--plan-hash``.

    Raises:
        UsageError: The hash is too short to name one plan.
        PlanOutdated: The plan has another hash.
    """
    if wanted is None:
        return
    if len(wanted) < _SHORTEST_HASH:
        raise UsageError(
            f"--plan-hash {wanted} is too short to name one plan", next_action=f"give at least {_SHORTEST_HASH} of its digits"
        )
    if not actual.startswith(wanted.casefold()):
        raise PlanOutdated(
            f"approved was {wanted}, the plan is {actual}",
            device=device.name,
            attempted="apply the plan",
            next_action="read the new plan and approve its hash",
        )


def approve(the_plan: Plan, *, yes: bool) -> None:
    """Ask the person at the terminal, where there is one and something would change.

    Raises:
        ConfirmationRequired: The person said no.
    """
    if yes or the_plan.blocked or not the_plan.has_changes or not sys.stdin.isatty():
        return
    if not typer.confirm(f"apply this plan to {the_plan.device}?", err=True):
        raise ConfirmationRequired("not applied", device=the_plan.device, next_action="give --yes to approve without being asked")


def finish(run: Run, *, windows_exit_codes: bool, as_json: bool) -> NoReturn:
    """Report a run and leave with its exit code."""
    emit(run_data(run), as_json=as_json, show=lambda: views.run(run))
    raise typer.Exit(for_outcome(run.outcome, windows_exit_codes=windows_exit_codes))


def plan_data(the_plan: Plan) -> dict[str, Any]:
    """A plan as ``--json`` prints it."""
    return {
        **the_plan.model_dump(mode="json"),
        "hash": the_plan.hash,
        "blocked": the_plan.blocked,
        "has_changes": the_plan.has_changes,
    }


def run_data(run: Run) -> dict[str, Any]:
    """A run as ``--json`` prints it."""
    return {
        "run_id": run.run_id,
        "device": run.plan.device,
        "operation": run.plan.operation,
        "outcome": run.outcome.value,
        "finished": run.finished,
        "plan_hash": run.plan.hash,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "results": [result.model_dump(mode="json") for result in run.results],
        "journal": str(journal_file()),
    }
