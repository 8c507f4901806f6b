"""Walks a plan's steps: journals before it tells, survives interruption, settles what is unknown.

Called by ``operations.running``. Knows no operation; the steps' code is in ``prepare``, ``install``, ``deploy`` and
``verify``. Never sends again what may have been sent, unless reading the device says that it did not take effect.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from akslite_ps.errors import (
    AksLiteError,
    AuthenticationFailed,
    CommandFate,
    InvocationTimedOut,
    RunLocked,
    SessionLost,
    StepFailed,
    Unreachable,
)
from akslite_ps.journal import DeviceLock, JournalError, RowKind, json_ready
from akslite_ps.operations import arc, change, deploy, expose, install, prepare, remove, scale_join, scale_node, update, verify
from akslite_ps.operations.controller import Ask, Controller
from akslite_ps.operations.events import Listener, RunEnded, RunStarted, StepEnded, StepStarted
from akslite_ps.operations.history import History, InFlight
from akslite_ps.operations.invocation import EndMissed, Sender
from akslite_ps.operations.known_secrets import know_secrets
from akslite_ps.operations.permission import require_permission
from akslite_ps.operations.plan import Run, Step, StepResult
from akslite_ps.operations.stages import OverallTracker
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Sessions, Stopped, Teller, Work
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.faults import is_unanswered
from akslite_ps.secrets import REDACTOR

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

_T = TypeVar("_T")
CODE: Mapping[str, StepCode] = {
    **prepare.CODE,
    **install.CODE,
    **deploy.CODE,
    **verify.CODE,
    **arc.CODE,
    **remove.CODE,
    **update.CODE,
    **change.CODE,
    **expose.CODE,
    **scale_node.CODE,
    **scale_join.CODE,
}
"""The code behind every step id."""

_GOES_ON = (Outcome.UNREACHABLE, Outcome.UNKNOWN, Outcome.RETRY_LATER, Outcome.CANCELLED)
_READ_AGAIN = 2
_REPEAT = 2


class Walk:
    """One passage over a plan's steps.

    Args:
        run_id: The run, already in the journal.
        device: The device.
        history: What is known of the run so far.
        lock: The device's lock, held by the caller.
        controller: The run's surroundings.
        listener: Takes events.
        ask: Answers ``prompt:`` secret references.
        stop: Set when a person wants the run to stop.
    """

    def __init__(
        self,
        run_id: str,
        device: Device,
        history: History,
        lock: DeviceLock,
        controller: Controller,
        listener: Listener | None,
        ask: Ask | None,
        stop: threading.Event | None,
    ) -> None:
        self._run_id = run_id
        self._history = history
        self._plan = history.plan
        self._lock = lock
        self._controller = controller
        self._journal = controller.journal
        self._code = controller.code or CODE
        self._ask = ask
        self._stop = stop or threading.Event()
        self._sessions = Sessions(controller, device, ask, computer=history.plan.computer)
        self._results = {step_id: result for step_id, result in history.results.items() if result.outcome.is_success}
        to_do = {step.id: step.typical_s for step in self._plan.steps if step.needed}
        self._teller = Teller(listener, OverallTracker(to_do))
        self._in_flight: InFlight | None = None
        self._is_permitted = False

    def walk(self, *, resumed: bool) -> Run:
        """Do what is left to do."""
        interrupted = False
        current: Step | None = None
        know_secrets(self._plan.config)
        try:
            self._teller.tell(RunStarted(self._run_id, self._plan, resumed))
            for index, step in enumerate(self._plan.steps, start=1):
                current = step
                if not self._pass(step, index):
                    break
        except (KeyboardInterrupt, Stopped):
            interrupted = True
            if current is not None and current.id not in self._results:
                self._results[current.id] = self._interruption(current)
                self._teller.tell(StepEnded(current, self._results[current.id]))
        finally:
            self._let_go()
        return self._end(interrupted=interrupted)

    def _pass(self, step: Step, index: int) -> bool:
        """Do one step, unless the run did it before; returns whether the next one may follow."""
        self._teller.tell(StepStarted(step, index, len(self._plan.steps)))
        result = self._results.get(step.id) or self._step(step)
        self._results[step.id] = result
        if result.outcome.is_success:
            self._teller.step_done(step)
        self._teller.tell(StepEnded(step, result))
        return result.outcome.is_success

    def _let_go(self) -> None:
        """Close the session, unless a command may still run in it: that is left on the device, to be taken up later."""
        if self._in_flight is not None:
            with suppress(AksLiteError):
                self._sessions.leave()
        self._sessions.drop()

    def _end(self, *, interrupted: bool) -> Run:
        run = Run(
            run_id=self._run_id,
            plan=self._plan,
            results=tuple(self._results[step.id] for step in self._plan.steps if step.id in self._results),
            started=self._history.started,
            interrupted=interrupted,
        )
        data: dict[str, object] = {"outcome": run.outcome, "finished": run.finished}
        if run.outcome in _GOES_ON:
            if self._in_flight is not None:
                flight = self._in_flight
                data |= {"step_id": flight.step_id, "attempt": flight.attempt}
                data |= {"command": flight.command, "shell_id": flight.shell_id, "command_id": flight.command_id}
            self._journal.append(self._run_id, RowKind.INTERRUPTED, data=data)
        else:
            run = run.model_copy(update={"ended": self._controller.clock.now()})
            self._journal.append(self._run_id, RowKind.RUN_ENDED, data=data)
        self._teller.tell(RunEnded(run))
        return run

    # -- one step ---------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> StepResult:
        started = self._controller.clock.now()
        error: AksLiteError | None = None
        try:
            if step.needed:
                self._lock.check()
                done = self._attempts(step, self._code[step.kind])
            else:
                done = Done(Outcome.SKIPPED_CONDITION, "already so when the plan was made")
        except (RunLocked, JournalError):
            raise
        except AksLiteError as caught:
            error = caught
            done = Done(self._outcome_of(caught), caught.message)
            if done.outcome is Outcome.FAILED and (changed := self._changed_since_planned(step)):
                error.next_action = f"the device is no longer as the plan found it ({changed}): make a new plan"
        if self._in_flight is not None and done.outcome in (Outcome.UNREACHABLE, Outcome.UNKNOWN):
            return self._result(step, done, error, started)  # no result row: the attempt is still on its way
        return self._journal_result(step, done, error, started)

    def _changed_since_planned(self, failed: Step) -> str | None:
        """What the plan found already so before a step that failed, and is so no longer; None where nothing is."""
        for step in self._plan.steps[: self._plan.steps.index(failed)]:
            code = self._code[step.kind]
            if step.needed or type(code).check is StepCode.check:
                continue
            try:
                check = code.check(self._work(step, None, attempt=0))
            except (AksLiteError, Stopped):
                return None
            if check.verdict is Verdict.NOT_SO:
                return check.detail
        return None

    def _journal_result(self, step: Step, done: Done, error: AksLiteError | None, started: dt.datetime | None = None) -> StepResult:
        result = self._result(step, done, error, started)
        attempt = self._history.attempts.get(step.id, 0)
        self._in_flight = None
        self._journal.append(self._run_id, RowKind.RESULT, step_id=step.id, attempt=attempt, data=result.model_dump(mode="json"))
        return result

    def _result(self, step: Step, done: Done, error: AksLiteError | None, started: dt.datetime | None) -> StepResult:
        return StepResult(
            step_id=step.id,
            outcome=done.outcome,
            detail=REDACTOR.text(done.detail),
            evidence=REDACTOR.value(json_ready(done.evidence)),
            started=started,
            ended=self._controller.clock.now(),
            error=REDACTOR.value(json_ready(error.to_dict())) if error else None,
        )

    def _outcome_of(self, error: AksLiteError) -> Outcome:
        match error:
            case Unreachable():
                return Outcome.UNREACHABLE
            case SessionLost():
                return Outcome.UNREACHABLE if self._in_flight is None or is_unanswered(error) else Outcome.UNKNOWN
            case AuthenticationFailed(fate=CommandFate.UNKNOWN):
                return Outcome.UNKNOWN
            case InvocationTimedOut():
                return Outcome.TIMED_OUT
        return Outcome.FAILED

    def _attempts(self, step: Step, code: StepCode) -> Done:
        """Attempt the step, at first by taking up what an earlier passage left in flight."""
        left, self._history.in_flight = self._history.in_flight, None
        if left is not None and left.step_id != step.id:
            left = None
        for again in range(_REPEAT + 1):
            self._in_flight = left
            work = self._work(step, left)
            try:
                if left is None:
                    self._ask_permission(work)
                return self._attempt(work, code, taken_up=left is not None)
            except EndMissed as missed:
                check = self._read(work, partial(code.settle, work))
                if check.verdict is Verdict.SO:
                    return self._verified(work, code, Done(Outcome.CHANGED, _joined(check.detail, missed.why), check.evidence))
                if check.verdict is Verdict.CANNOT_TELL and not code.repeatable:
                    return Done(Outcome.UNKNOWN, _joined(check.detail, missed.why), check.evidence)
                error = self._no_effect(work, missed, check)
                if again == _REPEAT or (left is None and not code.repeatable):
                    raise error from missed.cause
                self._journal_result(step, Done(Outcome.FAILED, f"{error.message}; it is done again"), None)
                left = None
        raise AssertionError("the last repetition raises")

    def _ask_permission(self, work: Work) -> None:
        """Once, before anything is changed."""
        if not self._is_permitted and self._plan.has_changes:
            self._read(work, lambda: require_permission(work.session(), self._plan))
        self._is_permitted = True

    def _attempt(self, work: Work, code: StepCode, *, taken_up: bool) -> Done:
        if not taken_up:
            check = self._read(work, partial(code.check, work))
            if check.verdict is Verdict.SO:
                return Done(Outcome.SKIPPED_CONDITION, check.detail, check.evidence)
        return self._verified(work, code, code.act(work))

    def _verified(self, work: Work, code: StepCode, done: Done) -> Done:
        if not done.outcome.is_success:
            return done
        verified = self._read(work, partial(code.verify, work, done))
        return replace(verified, evidence={**done.evidence, **verified.evidence})

    def _read(self, work: Work, read: Callable[[], _T]) -> _T:
        """Run code that only reads; a session lost meanwhile is opened again."""
        for _ in range(_READ_AGAIN):
            try:
                return read()
            except SessionLost:
                self._sessions.drop()
                work.wait_until_back(
                    self._controller.limits.back_within_s,
                    stage="Waiting for the device to answer again",
                    ready=lambda: bool(self._sessions.boot_time()),
                )
        return read()

    def _work(self, step: Step, left: InFlight | None, *, attempt: int | None = None) -> Work:
        if attempt is None:
            attempt = left.attempt if left is not None else self._history.attempts.get(step.id, 0) + 1
            self._history.attempts[step.id] = attempt
        return Work(
            controller=self._controller,
            sessions=self._sessions,
            plan=self._plan,
            step=step,
            teller=self._teller,
            stop=self._stop,
            ask=self._ask,
            sender=partial(Sender, run_id=self._run_id, attempt=attempt, note=self._flies, in_flight=left),
        )

    def _flies(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    def _no_effect(self, work: Work, missed: EndMissed, check: Check) -> StepFailed:
        flight = self._in_flight
        command = flight.command if flight else work.step.title
        restarted = self._restarted_since(flight.boot_time if flight else None)
        if restarted:
            why = f"the device restarted at {restarted:%Y-%m-%d %H:%M:%S} UTC while {command} ran"
        else:
            why = f"the end of {command} was missed: {missed.why}"
        return work.failure(
            _joined(f"{why}; reading the device back shows that it did not take effect", check.detail),
            next_action=check.next_action
            or f"find out why (akslite status {work.device.name}), then: akslite resume {self._run_id}",
        )

    def _restarted_since(self, before: dt.datetime | None) -> dt.datetime | None:
        now = self._sessions.boot_time()
        return now if before is not None and now != before else None

    def _interruption(self, step: Step) -> StepResult:
        now = self._controller.clock.now()
        if self._in_flight is None:
            return StepResult(step_id=step.id, outcome=Outcome.CANCELLED, detail="interrupted before it was sent", ended=now)
        return StepResult(
            step_id=step.id,
            outcome=Outcome.UNKNOWN,
            detail=f"interrupted; {self._in_flight.command} goes on in the device; take it up with: akslite resume {self._run_id}",
            ended=now,
        )


def _joined(sentence: str, why: str) -> str:
    return f"{sentence} ({why})" if sentence and why else sentence or why
