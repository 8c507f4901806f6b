"""What a device says may hold commands to a terminal: they are shown, never sent there."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest

from akslite_ps.cli import views
from akslite_ps.cli.app import _set_up_logging
from akslite_ps.cli.output import cell, emit_json, facts, say, show_error, visible
from akslite_ps.cli.progress import TerminalView
from akslite_ps.errors import StepFailed
from akslite_ps.operations import Plan, RecordArrived, Run, Step, StepEnded, StepProgress, StepResult
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.records import ErrorRecord, InformationRecord, WarningRecord

NASTY = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eetadpu\x00 half \ud83d"
STEP = Step(id="deploy.create", title="Create")


def terminal_commands(text: str) -> list[str]:
    return [char for char in text if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 or char == "\u202e"]


def in_progress() -> None:
    with TerminalView() as view:
        for record in (InformationRecord(NASTY), WarningRecord(NASTY), ErrorRecord(NASTY)):
            view(RecordArrived(STEP, record))
        view(StepProgress(STEP, NASTY, 0.5, 3, 0.5))
        view(StepEnded(STEP, StepResult(step_id=STEP.id, outcome=Outcome.FAILED, detail=NASTY)))


def in_a_run() -> None:
    plan = Plan(operation="deploy", device="press-01", created=dt.datetime.now(dt.UTC), steps=(STEP,), notes=(NASTY,))
    views.plan(plan)
    error = {"message": NASTY, "next_action": NASTY}
    result = StepResult(step_id=STEP.id, outcome=Outcome.FAILED, detail=NASTY, error=error)
    views.run(Run(run_id="r", plan=plan, results=(result,), started=dt.datetime.now(dt.UTC)))


SHOWN = {
    "progress": in_progress,
    "a run": in_a_run,
    "a line": lambda: say(NASTY),
    "facts": lambda: facts({"node": NASTY}),
    "an error": lambda: show_error(StepFailed(NASTY, device="press-01", next_action=NASTY), as_json=False),
    "JSON": lambda: emit_json({"said": NASTY}),
}


@pytest.mark.parametrize("where", SHOWN)
def test_no_command_to_the_terminal_reaches_it(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    SHOWN[where]()
    printed = "".join(capsys.readouterr())
    assert "etadpu" in printed
    assert terminal_commands(printed) == []


def test_what_is_printed_as_json_is_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"said": NASTY})
    assert json.loads(capsys.readouterr().out) == {"said": NASTY}


def test_text_of_people_stays_as_it_is() -> None:
    text = "größer → 設定\tמוכן\nnext"
    assert visible(text) == cell(text) == text
    assert visible("one\r\ntwo\rthree") == "one\ntwo\nthree"


def test_the_log_holds_none_either(capsys: pytest.CaptureFixture[str]) -> None:
    root, known = logging.getLogger(), list(logging.getLogger().handlers)
    levels = root.level, logging.getLogger("akslite_ps").level
    try:
        _set_up_logging(debug=True)
        logging.getLogger("akslite_ps.test").debug("said: %s", NASTY)
    finally:
        root.handlers[:] = known
        root.setLevel(levels[0])
        logging.getLogger("akslite_ps").setLevel(levels[1])
    printed = capsys.readouterr().err
    assert "etadpu" in printed
    assert terminal_commands(printed) == []
