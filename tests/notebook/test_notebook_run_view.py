"""The view of a run: stage, time left, steps and messages, painted at most five times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import ipywidgets
import pytest

from akslite_ps.notebook import RunPrinter, RunView
from akslite_ps.notebook.run_state import MESSAGES_KEPT, RunState
from akslite_ps.operations.events import Event, RecordArrived, RunEnded, RunStarted, StepEnded, StepProgress, StepStarted
from akslite_ps.operations.plan import Plan, Run, Step, StepResult
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.records import ErrorRecord, InformationRecord, OutputRecord, ProgressRecord, WarningRecord
from akslite_ps.secrets import REDACTOR

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def view(clock: Hands) -> Iterator[RunView]:
    made = RunView(clock=clock, interval_s=0.2)
    yield made
    made.close()
    ipywidgets.Widget.close_all()


def ended(plan: Plan, *outcomes: Outcome) -> Run:
    results = tuple(StepResult(step_id=s.id, outcome=o) for s, o in zip(plan.steps, outcomes, strict=False))
    return Run(run_id="r-1", plan=plan, results=results, started=NOW)


def begin(take: Callable[[Event], None], plan: Plan, place: int = 3) -> Step:
    take(RunStarted("r-1", plan))
    take(StepStarted(plan.steps[place], place + 1, len(plan.steps)))
    return plan.steps[place]


def test_stage_and_time_left_are_shown(view: RunView, plan: Plan, clock: Hands) -> None:
    step = begin(view, plan)
    clock.now += 1
    view(StepProgress(step, "Creating the Linux node", 0.3, 240, 0.2))
    clock.now += 10
    view(StepProgress(step, "Waiting for the node", 0.5, 200, 0.6))
    assert "press-01, step 4 of 4: Deploy the cluster" in view._head.value
    assert "Waiting for the node (about 3 min left)" in view._head.value
    assert view._bar.value == 600
    assert "60%, about 10 s left" in view._left.value


def test_steps_show_waiting_working_and_their_outcomes(view: RunView, plan: Plan) -> None:
    view(RunStarted("r-1", plan))
    view(StepStarted(plan.steps[0], 1, 4))
    view(StepEnded(plan.steps[0], StepResult(step_id="read", outcome=Outcome.OK, detail="8 cores")))
    view(StepStarted(plan.steps[1], 2, 4))
    states = [(line.title, line.state) for line in view.state.steps.values()]
    assert states == [
        ("Read the host", "ok"),
        ("Enable host features", "working"),
        ("Install the product", "already so"),
        ("Deploy the cluster", "waiting"),
    ]
    assert "8 cores" in view._steps.value


def test_changes_in_quick_succession_are_painted_later_but_not_lost(plan: Plan, clock: Hands) -> None:
    view = RunView(clock=clock, interval_s=0.05)
    painted = threading.Event()
    step = begin(view, plan)
    view._log.observe(lambda change: painted.set() if "message 49" in change["new"] else None, "value")
    before = view._log.value
    for number in range(50):
        view(RecordArrived(step, InformationRecord(f"message {number}")))
    assert view._log.value == before
    assert painted.wait(10)
    view.close()


def test_painting_is_throttled(view: RunView, plan: Plan, clock: Hands) -> None:
    step = begin(view, plan)
    seen: list[str] = []
    view._log.observe(lambda change: seen.append(change["new"]), "value")
    for number in range(100):
        clock.now += 0.01
        view(RecordArrived(step, InformationRecord(f"message {number}")))
    assert 4 <= len(seen) <= 6


def test_messages_are_escaped_redacted_and_bounded(view: RunView, plan: Plan) -> None:
    REDACTOR.add("canary-aa31")
    step = begin(view, plan)
    view(RecordArrived(step, InformationRecord("<img src=x> canary-aa31")))
    for number in range(MESSAGES_KEPT + 5):
        view(RecordArrived(step, WarningRecord(f"warning {number}")))
    view.paint()
    assert "<img" not in view._log.value
    assert "canary-aa31" not in str(view.state.messages)
    assert view._log.value.count("<div>") <= MESSAGES_KEPT + 5
    assert "6 earlier messages are in the journal" in view._log.value
    assert f"warning {MESSAGES_KEPT + 4}" in view._log.value


def test_progress_and_objects_are_no_messages(view: RunView, plan: Plan) -> None:
    step = begin(view, plan)
    for record in (ProgressRecord("Deploy", percent=5), OutputRecord({"a": 1}), OutputRecord("OK"), ErrorRecord("it broke")):
        view(RecordArrived(step, record))
    assert [(message.kind, message.text) for message in view.state.messages] == [("text", "OK"), ("error", "it broke")]


def test_a_finished_run_fills_the_bar_and_says_its_outcome(view: RunView, plan: Plan) -> None:
    begin(view, plan)
    view(RunEnded(ended(plan, Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED_CONDITION, Outcome.CHANGED)))
    assert view._bar.value == view._bar.max
    assert view._bar.bar_style == "success"
    assert "changed" in view._head.value


@pytest.mark.parametrize(
    ("outcome", "word"), [(Outcome.FAILED, "failed"), (Outcome.OK, "interrupted"), (Outcome.CANCELLED, "cancelled")]
)
def test_a_run_that_did_not_finish_never_looks_completed(view: RunView, plan: Plan, outcome: Outcome, word: str) -> None:
    begin(view, plan)
    view(StepProgress(plan.steps[3], "x", overall=0.4))
    view(RunEnded(ended(plan, outcome)))
    assert view._bar.value < view._bar.max
    assert view._bar.bar_style in ("warning", "danger")
    assert word in view._head.value


def test_time_left_follows_the_pace_and_not_the_start_of_a_resumed_run(plan: Plan, clock: Hands) -> None:
    state = RunState(clock)
    state.take(RunStarted("r-1", plan, resumed=True))
    state.take(StepProgress(plan.steps[3], "x", overall=0.5))
    assert state.left_s is None
    clock.now += 30
    state.take(StepProgress(plan.steps[3], "x", overall=0.75))
    assert state.left_s == pytest.approx(30)
    state.take(StepProgress(plan.steps[3], "x", overall=0.6))
    assert state.overall == 0.75


def test_headless_every_change_is_a_line(plan: Plan, clock: Hands) -> None:
    lines: list[str] = []
    printer = RunPrinter(lines.append, clock=clock)
    step = begin(printer, plan)
    printer(StepProgress(step, "Creating the node", 0.1, 240, 0.25))
    printer(StepProgress(step, "Creating the node", 0.2, 200, 0.3))
    for megabytes in range(100):
        clock.now += 0.2
        printer(StepProgress(step, f"Downloading: {megabytes} of 820 MB", overall=0.3))
    printer(RecordArrived(step, InformationRecord("Testing SSH connection")))
    printer(RecordArrived(step, WarningRecord("slow disk")))
    printer(StepEnded(step, StepResult(step_id="deploy", outcome=Outcome.CHANGED, detail="OK")))
    printer(RunEnded(ended(plan, Outcome.OK)))
    assert lines == [
        "run r-1 on press-01",
        "step 4/4 Deploy the cluster",
        "   25% Creating the node (about 4 min left)",
        "   30% Downloading: 0 of 820 MB",
        "   30% Downloading: 75 of 820 MB",
        "  | Testing SSH connection",
        "  | warning: slow disk",
        "  changed: OK",
        "run r-1: not finished",
    ]
