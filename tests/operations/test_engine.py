"""The engine: journals before it tells, never sends twice, takes up what was left, settles what is unknown by reading."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import PlanOutdated, PreflightFailed, RunLocked, StepFailed, UsageError
from akslite_ps.journal import Journal, JournalError, RowKind
from akslite_ps.operations import (
    Controller,
    Event,
    Finding,
    Limits,
    Plan,
    RecordArrived,
    Run,
    RunEnded,
    RunStarted,
    Step,
    StepEnded,
    StepProgress,
    StepStarted,
    abandon,
    apply,
    find_resumable,
    resume,
)
from akslite_ps.operations.plan import plan_hash
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.endpoint import Device


class MakeSo(StepCode):
    """Sends ``Set-So``; so where the host says so."""

    def check(self, work: Work) -> Check:
        so = work.session().invoke("Get-So").output[0]
        return Check(Verdict.SO if so else Verdict.NOT_SO, "it is so" if so else "it is not so")

    def act(self, work: Work) -> Done:
        result = work.sender.invoke("Set-So")  # type: ignore[arg-type]
        if result.output != ["OK"]:
            raise StepFailed(f"the answer was {result.output}", device=work.device.name)
        return Done(Outcome.CHANGED, "done", {"output": result.output})

    def verify(self, work: Work, done: Done) -> Done:
        if self.check(work).verdict is not Verdict.SO:
            raise StepFailed("still not so", device=work.device.name)
        return Done(done.outcome, done.detail, {"verified": True})


class Look(StepCode):
    """Sends ``Test-So``; may be sent again."""

    repeatable = True

    def act(self, work: Work) -> Done:
        return Done(Outcome.OK, str(work.sender.invoke("Test-So").output))


class NeverSure(MakeSo):
    def settle(self, work: Work) -> Check:
        return Check(Verdict.CANNOT_TELL, "the device does not say")


CODE: dict[str, StepCode] = {"make": MakeSo(), "look": Look(), "unsure": NeverSure()}
LIMITS = Limits(first_poll_s=0.01, longest_poll_s=0.02, back_within_s=0.2, tick_s=0.02)


@pytest.fixture
def controller(journal: Journal, host: Any) -> Controller:
    host.scripts = {
        "Set-So": [host.say("one"), host.say("two"), host.become_so, host.put_out("OK")],
        "Test-So": [host.put_out(True)],
    }
    return Controller(journal, open_session=host.open_session, attach_session=host.attach_session, limits=LIMITS, code=CODE)


def plan_of(*ids: str, **changes: Any) -> Plan:
    steps = tuple(Step(id=id_, title=f"Step {id_}", change="x", typical_s=10) for id_ in ids)
    values = {"operation": "test", "device": "press-01", "created": dt.datetime.now(dt.UTC), "steps": steps}
    return Plan.model_validate({**values, **changes})


Go = Callable[..., Run]


@pytest.fixture
def go(device: Device, journal: Journal, controller: Controller) -> Go:
    def run(plan: Plan, **options: Any) -> Run:
        return apply(plan, device, approved_hash=plan.hash, journal=journal, controller=controller, **options)

    return run


@pytest.fixture
def again(device: Device, journal: Journal, controller: Controller) -> Go:
    def run(**options: Any) -> Run:
        return resume(device, journal=journal, controller=controller, **options)

    return run


def kinds(journal: Journal, run_id: str) -> list[str]:
    return [row.kind.value for row in journal.rows(run_id)]


def said(journal: Journal, run_id: str) -> list[str]:
    return [row.data["message"] for row in journal.rows(run_id, kinds=[RowKind.RECORD]) if row.data["stream"] == "information"]


# -- the plain way ------------------------------------------------------------------------------------------------


def test_a_step_is_checked_done_verified_and_journaled(go: Go, journal: Journal, host: Any) -> None:
    run = go(plan_of("make"))
    assert run.outcome is Outcome.CHANGED
    assert run.finished
    assert run.ended is not None
    assert run.results[0].evidence == {"output": ["OK"], "verified": True}
    assert host.sent == ["Set-So"]
    assert kinds(journal, run.run_id) == [
        "run-started", "approved", "intent", "sent", "record", "record", "record", "result", "run-ended",
    ]  # fmt: skip
    intent, sent = journal.rows(run.run_id)[2:4]
    assert intent.data["shell_id"] == sent.data["shell_id"]
    assert sent.data["command_id"]
    assert journal.verify(run.run_id).ok


def test_what_is_already_so_is_not_sent(go: Go, host: Any) -> None:
    host.so = True
    run = go(plan_of("make"))
    assert run.outcome is Outcome.OK
    assert run.results[0].outcome is Outcome.SKIPPED_CONDITION
    assert host.sent == []


def test_a_step_that_the_plan_does_not_need_is_skipped_unread(go: Go, host: Any) -> None:
    run = go(plan_of("make", steps=(Step(id="make", title="m", needed=False),)))
    assert run.results[0].outcome is Outcome.SKIPPED_CONDITION
    assert host.opened == 0


def test_rows_are_written_before_anything_is_told(go: Go, journal: Journal) -> None:
    seen: list[tuple[str, list[str]]] = []

    def listener(event: Event) -> None:
        run_id = journal.runs(limit=1)[0].run_id
        seen.append((type(event).__name__, kinds(journal, run_id)))

    go(plan_of("make"), listener=listener)
    for name, rows in seen:
        if name == "RunStarted":
            assert "approved" in rows
        if name == "RecordArrived":
            assert "sent" in rows
        if name == "StepEnded":
            assert "result" in rows
        if name == "RunEnded":
            assert "run-ended" in rows
    assert [name for name, _ in seen if name != "StepProgress"] == [
        "RunStarted", "StepStarted", "RecordArrived", "RecordArrived", "RecordArrived", "StepEnded", "RunEnded",
    ]  # fmt: skip


def test_events_tell_the_whole_story(go: Go) -> None:
    events: list[Event] = []
    go(plan_of("make", "look"), listener=events.append)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    assert [e.index for e in events if isinstance(e, StepStarted)] == [1, 2]
    assert [e.result.outcome for e in events if isinstance(e, StepEnded)] == [Outcome.CHANGED, Outcome.OK]
    overall = [e.overall for e in events if isinstance(e, StepProgress)]
    assert overall == sorted(overall, key=lambda value: value or 0)
    assert any(isinstance(e, RecordArrived) for e in events)


def test_a_listener_that_fails_does_not_stop_the_run(go: Go, caplog: pytest.LogCaptureFixture) -> None:
    def listener(event: Event) -> None:
        raise ValueError("boom")

    assert go(plan_of("make"), listener=listener).finished
    assert "a listener failed on RunStarted" in caplog.text


# -- failure ------------------------------------------------------------------------------------------------------


def test_a_failing_step_ends_the_run_and_says_why(go: Go, again: Go, journal: Journal, host: Any) -> None:
    host.scripts["Set-So"] = [host.say("one"), host.fail("no room on disk")]
    run = go(plan_of("make", "look"))
    assert run.outcome is Outcome.FAILED
    assert [r.step_id for r in run.results] == ["make"]
    assert run.results[0].error is not None
    assert "no room on disk" in run.results[0].detail
    assert run.results[0].error["device"] == "press-01"
    assert kinds(journal, run.run_id)[-2:] == ["result", "run-ended"]
    assert journal.find_run(run.run_id).outcome == "failed"


def test_a_failed_run_can_be_resumed_by_its_id(go: Go, again: Go, journal: Journal, host: Any) -> None:
    good = host.scripts["Set-So"]
    host.scripts["Set-So"] = [host.fail("no room on disk")]
    failed = go(plan_of("make", "look"))
    host.scripts["Set-So"] = good
    run = again(run_id=failed.run_id)
    assert run.run_id == failed.run_id
    assert run.finished
    assert run.outcome is Outcome.CHANGED
    assert [row.attempt for row in journal.rows(run.run_id, kinds=[RowKind.INTENT])] == [1, 2, 1]


def test_a_wrong_answer_and_an_unverified_result_are_failures(go: Go, host: Any) -> None:
    host.scripts["Set-So"] = [host.put_out("Azure Arc parameters not set or invalid")]
    assert go(plan_of("make")).outcome is Outcome.FAILED
    host.scripts["Set-So"] = [host.put_out("OK")]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.FAILED
    assert run.results[0].detail == "still not so"


def test_an_unreachable_device_is_not_a_failed_step(go: Go, journal: Journal, host: Any) -> None:
    host.reachable = False
    run = go(plan_of("make"))
    assert run.outcome is Outcome.UNREACHABLE
    assert run.ended is None
    assert kinds(journal, run.run_id) == ["run-started", "approved", "result", "interrupted"]
    host.reachable = True
    resumed = go(plan_of("make"))
    assert resumed.run_id == run.run_id
    assert resumed.finished


# -- approval and locks ----------------------------------------------------------------------------------------------


def test_another_hash_is_refused_and_nothing_is_sent(device: Device, journal: Journal, controller: Controller, host: Any) -> None:
    plan = plan_of("make")
    with pytest.raises(PlanOutdated, match="approved was 0000"):
        apply(plan, device, approved_hash="0" * 64, journal=journal, controller=controller)
    assert journal.runs() == []
    assert host.sent == []


def test_a_blocked_plan_is_refused(go: Go, journal: Journal) -> None:
    bad = Finding(check="memory", title="Memory", severity="error", read="1 GB", needed="4 GB", action="add memory")
    with pytest.raises(PreflightFailed, match="Memory: 1 GB, needed is 4 GB") as caught:
        go(plan_of("make", findings=(bad,)))
    assert caught.value.next_action == "add memory"
    assert journal.runs() == []


def test_a_plan_for_another_device_or_with_unknown_steps_is_refused(go: Go) -> None:
    with pytest.raises(UsageError, match="made for press-02"):
        go(plan_of("make", device="press-02"))
    with pytest.raises(PlanOutdated, match="does not know the step fly"):
        go(plan_of("fly"))


def test_a_second_controller_is_refused_while_the_first_works(go: Go, journal: Journal, host: Any) -> None:
    gate = threading.Event()
    host.scripts["Set-So"] = [host.say("one"), gate, host.become_so, host.put_out("OK")]
    started = threading.Event()
    runs: list[Run] = []

    def listener(event: Event) -> None:
        if isinstance(event, RecordArrived):
            started.set()

    first = threading.Thread(target=lambda: runs.append(go(plan_of("make"), listener=listener)))
    first.start()
    assert started.wait(10)
    with pytest.raises(RunLocked) as caught:
        go(plan_of("look"))
    running = journal.runs()[0]
    assert running.state == "running"
    assert running.run_id in str(caught.value)
    gate.set()
    first.join()
    assert runs[0].finished
    assert host.sent == ["Set-So"]


def test_a_lock_taken_by_force_stops_the_first_controller_at_its_next_step(go: Go, journal: Journal, host: Any) -> None:
    def take(shell: Any) -> None:
        holder = journal.holder("press-01")
        assert holder is not None
        taken.append(journal.locks.acquire("press-01", what="other", force_token=holder.token))

    taken: list[Any] = []
    host.scripts["Set-So"] = [take, host.become_so, host.put_out("OK")]
    with pytest.raises(RunLocked, match="taken by force"):
        go(plan_of("make", "look"))
    assert host.sent == ["Set-So"]
    taken[0].release()


# -- interruption ------------------------------------------------------------------------------------------------------


def stop_at(text: str) -> tuple[threading.Event, Callable[[Event], None]]:
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, RecordArrived) and getattr(event.record, "message", "") == text:
            stop.set()

    return stop, listener


def test_an_interrupted_command_goes_on_in_the_device_and_its_rest_is_collected(
    go: Go, again: Go, journal: Journal, host: Any
) -> None:
    stop, listener = stop_at("one")
    run = go(plan_of("make", "look"), listener=listener, stop=stop)
    assert run.interrupted
    assert run.outcome is Outcome.CANCELLED
    assert run.results[0].outcome is Outcome.UNKNOWN
    assert "akslite resume" in run.results[0].detail
    assert [shell.disconnected for shell in host.shells.values()] == [True]
    last = journal.rows(run.run_id)[-1]
    assert last.kind is RowKind.INTERRUPTED
    assert last.data["command_id"]
    assert last.data["shell_id"] in host.shells
    assert find_resumable(journal, "press-01", "test") == journal.unfinished("press-01")

    resumed = again()

    assert resumed.run_id == run.run_id
    assert resumed.finished
    assert resumed.outcome is Outcome.CHANGED
    assert host.sent == ["Set-So", "Test-So"]
    assert said(journal, run.run_id) == ["one", "two"]
    assert kinds(journal, run.run_id).count("intent") == 2


def test_the_same_command_again_resumes(go: Go, host: Any) -> None:
    stop, listener = stop_at("two")
    first = go(plan_of("make"), listener=listener, stop=stop)
    second = go(plan_of("make"))
    assert second.run_id == first.run_id
    assert second.finished
    assert host.sent == ["Set-So"]


def test_ctrl_c_is_an_interruption_too(go: Go, again: Go, host: Any) -> None:
    def listener(event: Event) -> None:
        if isinstance(event, RecordArrived) and not pressed:
            pressed.append(True)
            raise KeyboardInterrupt

    pressed: list[bool] = []
    run = go(plan_of("make"), listener=listener)
    assert run.interrupted
    assert again().finished
    assert host.sent == ["Set-So"]


def test_an_interruption_between_sending_and_its_row_leaves_the_command_alone(
    go: Go, again: Go, journal: Journal, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal.append

    def interrupted(run_id: str, kind: str, **row: Any) -> None:
        append(run_id, kind, **row)
        if kind == RowKind.SENT and not host.so:
            monkeypatch.undo()
            raise KeyboardInterrupt

    monkeypatch.setattr(journal, "append", interrupted)
    assert go(plan_of("make")).interrupted
    assert [shell.disconnected for shell in host.shells.values()] == [True]
    assert again().finished
    assert host.sent == ["Set-So"]


def test_a_journal_that_cannot_be_written_stops_the_run_but_not_the_command(
    go: Go, again: Go, journal: Journal, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*row: Any) -> None:
        monkeypatch.undo()
        raise JournalError("the disk is full")

    monkeypatch.setattr(journal, "append_records", full)
    with pytest.raises(JournalError):
        go(plan_of("make"))
    assert again().finished
    assert host.sent == ["Set-So"]


def test_a_run_whose_rows_were_changed_is_not_resumed(go: Go, again: Go, journal: Journal, host: Any) -> None:
    stop, listener = stop_at("one")
    go(plan_of("make"), listener=listener, stop=stop)
    with sqlite3.connect(journal.path) as connection:
        connection.execute("DROP TRIGGER rows_no_UPDATE")
        connection.execute("UPDATE rows SET data = replace(data, 'Set-So', 'Set-No') WHERE kind = 'intent'")
    connection.close()
    with pytest.raises(PlanOutdated, match="were changed afterwards"):
        again()


@pytest.mark.parametrize("moment", [RunStarted, StepStarted, StepProgress, StepEnded])
def test_ctrl_c_while_events_are_shown_loses_nothing(moment: type, go: Go, again: Go, journal: Journal, host: Any) -> None:
    def listener(event: Event) -> None:
        if isinstance(event, moment) and not pressed:
            pressed.append(True)
            raise KeyboardInterrupt

    pressed: list[bool] = []
    run = go(plan_of("make", "look"), listener=listener)
    assert run.interrupted
    assert journal.rows(run.run_id)[-1].kind is RowKind.INTERRUPTED
    assert again().finished
    assert host.sent == ["Set-So", "Test-So"]


class Interrupting:
    """A journal whose user presses Ctrl-C before or after the n-th time that it writes."""

    def __init__(self, journal: Journal, at: int) -> None:
        self._journal, self._at, self.calls = journal, at, 0
        self.append, self.append_records = self._around(journal.append), self._around(journal.append_records)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def _around(self, write: Callable[..., None]) -> Callable[..., None]:
        def written(*row: Any, **how: Any) -> None:
            self._pass()
            write(*row, **how)
            self._pass()

        return written

    def _pass(self) -> None:
        self.calls += 1
        if self.calls == self._at:
            raise KeyboardInterrupt


def test_ctrl_c_at_any_boundary_of_the_journal_can_be_resumed_and_sends_nothing_twice(
    device: Device, tmp_path: Path, host: Any, controller: Controller
) -> None:
    whole = Interrupting(controller.journal, 0)
    plan = plan_of("make", "look")
    apply(plan, device, approved_hash=plan.hash, journal=controller.journal, controller=replace(controller, journal=whole))
    scripts = {"Set-So": [host.say("one"), host.say("two"), host.become_so, host.put_out("OK")], "Test-So": [host.put_out(True)]}
    assert whole.calls > 20
    for at in range(1, whole.calls + 1):
        fresh = type(host)()
        fresh.scripts = scripts
        with Journal.open(tmp_path / f"{at}" / "journal.sqlite") as journal:
            now = replace(controller, journal=journal, open_session=fresh.open_session, attach_session=fresh.attach_session)
            interrupted = replace(now, journal=Interrupting(journal, at))
            with suppress(KeyboardInterrupt):
                apply(plan, device, approved_hash=plan.hash, journal=journal, controller=interrupted)
            (run,) = journal.runs()
            assert (run.state, journal.holder(device.name)) == ("interrupted" if at < whole.calls else "ended", None)
            if run.state == "interrupted":
                assert resume(device, journal=journal, controller=now).finished
            assert fresh.sent.count("Set-So") == 1, f"interrupted at write {at}"
            assert said(journal, run.run_id) == ["one", "two"]
            assert journal.verify().ok


def test_an_interruption_before_sending_is_cancelled_and_nothing_is_left(go: Go, again: Go, host: Any) -> None:
    stop = threading.Event()
    stop.set()
    run = go(plan_of("make"), stop=stop)
    assert run.results[0].outcome is Outcome.CANCELLED
    assert host.sent == []
    assert again().finished


def test_a_silent_command_is_interrupted_within_a_tick(go: Go, host: Any) -> None:
    host.scripts["Set-So"] = [threading.Event(), host.become_so, host.put_out("OK")]
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    run = go(plan_of("make"), stop=stop)
    timer.join()
    assert run.interrupted


def test_output_that_came_before_the_interruption_still_counts(go: Go, again: Go, host: Any) -> None:
    host.scripts["Set-So"] = [host.become_so, host.put_out("OK"), host.say("last")]
    stop, listener = stop_at("last")
    go(plan_of("make"), listener=listener, stop=stop)
    run = again()
    assert run.finished
    assert run.results[0].evidence["output"] == ["OK"]


def test_a_run_whose_shell_is_gone_is_settled_by_reading_the_device(go: Go, again: Go, journal: Journal, host: Any) -> None:
    stop, listener = stop_at("two")
    go(plan_of("make"), listener=listener, stop=stop)
    host.shells.clear()
    host.so = True
    run = again()
    assert run.finished
    assert host.sent == ["Set-So"]
    assert "its session is no longer there" in run.results[0].detail


def test_a_lost_command_without_effect_is_sent_again_only_after_reading(go: Go, again: Go, journal: Journal, host: Any) -> None:
    stop, listener = stop_at("one")
    first = go(plan_of("make"), listener=listener, stop=stop)
    host.reboot()
    run = again()
    assert run.finished
    assert host.sent == ["Set-So", "Set-So"]
    rows = [row for row in journal.rows(first.run_id) if row.kind in (RowKind.INTENT, RowKind.RESULT)]
    assert [(row.kind.value, row.attempt) for row in rows] == [("intent", 1), ("result", 1), ("intent", 2), ("result", 2)]
    assert "did not take effect" in rows[1].data["detail"]
    assert "restarted" in rows[1].data["detail"]


def test_what_cannot_be_told_stays_unknown_and_is_never_sent_again(go: Go, again: Go, journal: Journal, host: Any) -> None:
    stop, listener = stop_at("one")
    go(plan_of("unsure"), listener=listener, stop=stop)
    host.shells.clear()
    for _ in range(2):
        run = again()
        assert run.outcome is Outcome.UNKNOWN
        assert run.ended is None
    assert host.sent == ["Set-So"]


def test_a_controller_that_died_after_its_intent_is_settled_by_reading(
    go: Go, again: Go, journal: Journal, host: Any, device: Device
) -> None:
    plan = plan_of("make")
    for so, sent in ((True, []), (False, ["Set-So"])):
        host.so = so
        run_id = journal.begin_run(operation="test", device="press-01", plan=plan.model_dump(mode="json"), plan_hash=plan.hash)
        journal.append(run_id, "intent", step_id="make", attempt=1, data={"command": "Set-So", "shell_id": "GONE"})
        run = again()
        assert run.run_id == run_id
        assert run.finished
        assert host.sent == sent


def test_a_controller_that_died_leaves_its_lock_and_the_next_says_so(again: Go, journal: Journal, host: Any) -> None:
    plan = plan_of("make")
    run_id = journal.begin_run(operation="test", device="press-01", plan=plan.model_dump(mode="json"), plan_hash=plan.hash)
    lock = journal.locks.acquire("press-01", what="test", run_id=run_id)
    lock._file_lock.release()  # as the operating system does when a process dies
    assert again().finished
    resumed = journal.rows(run_id, kinds=[RowKind.RESUMED])[0]
    assert resumed.data["left_by"]["run_id"] == run_id


# -- a connection that breaks ----------------------------------------------------------------------------------------


def test_a_lost_connection_is_taken_up_again_in_the_same_run(go: Go, journal: Journal, host: Any) -> None:
    host.scripts["Set-So"] = [host.say("one"), host.lose_connection, host.say("two"), host.become_so, host.put_out("OK")]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.CHANGED
    assert host.sent == ["Set-So"]
    assert said(journal, run.run_id) == ["one", "two"]


def test_a_connection_lost_while_sending_is_taken_up_again(go: Go, host: Any) -> None:
    host.scripts["Set-So"] = ["lost while sending", host.say("one"), host.become_so, host.put_out("OK")]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.CHANGED
    assert host.sent == ["Set-So"]


def test_a_restart_amid_a_step_fails_it_clearly_and_the_run_can_go_on(go: Go, again: Go, journal: Journal, host: Any) -> None:
    good = host.scripts["Set-So"]
    host.scripts["Set-So"] = [host.say("one"), host.restart_unasked]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.FAILED
    assert "the device restarted at 2026-01-01 01:00:00 UTC while Set-So ran" in run.results[0].detail
    assert run.results[0].error is not None
    assert "akslite resume" in run.results[0].error["next_action"]
    assert host.sent == ["Set-So"]
    host.scripts["Set-So"] = good
    assert again(run_id=run.run_id).finished


def test_a_restart_after_the_work_was_done_is_no_failure(go: Go, host: Any) -> None:
    host.scripts["Set-So"] = [host.become_so, host.restart_unasked]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.CHANGED
    assert host.sent == ["Set-So"]


def test_a_looking_step_is_simply_done_again(go: Go, host: Any) -> None:
    host.scripts["Test-So"] = [host.restart_unasked]

    def mend(event: Event) -> None:
        if host.opened > 1:
            host.scripts["Test-So"] = [host.put_out(True)]

    run = go(plan_of("look"), listener=mend)
    assert run.finished


def test_a_device_that_stays_away_is_unreachable_and_the_command_stays_in_flight(
    go: Go, again: Go, journal: Journal, host: Any
) -> None:
    host.scripts["Set-So"] = [host.say("one"), host.go_dark, host.say("two"), host.become_so, host.put_out("OK")]
    run = go(plan_of("make"))
    assert run.outcome is Outcome.UNREACHABLE
    assert "result" not in kinds(journal, run.run_id)
    host.reachable = True
    resumed = again()
    assert resumed.finished
    assert host.sent == ["Set-So"]
    assert said(journal, run.run_id) == ["one", "two"]


def test_a_session_lost_between_steps_is_opened_again(go: Go, host: Any) -> None:
    host.scripts["Set-So"] = [host.become_so, host.put_out("OK"), lambda shell: shell.host.shells.clear()]
    run = go(plan_of("make", "look"))
    assert run.finished
    assert host.sent == ["Set-So", "Test-So"]


# -- another computer ------------------------------------------------------------------------------------------------


def test_another_computer_under_the_devices_address_is_left_alone(go: Go, again: Go, host: Any) -> None:
    host.computer = "LATHE-07"
    run = go(plan_of("make", computer="press-01"))
    assert run.outcome is Outcome.UNREACHABLE
    assert "another computer answers at 127.0.0.1: LATHE-07" in run.results[0].detail
    assert "akslite device show press-01" in str(run.results[0].error)
    assert host.sent == []
    assert host.shells == {}
    host.computer = "PRESS-01"
    assert again().finished


def test_what_is_in_flight_on_the_device_is_not_settled_by_reading_another_computer(go: Go, again: Go, host: Any) -> None:
    own: dict[str, Any] = {}

    def change_places(shell: Any) -> None:
        own.update(host.shells)
        host.shells.clear()
        host.computer = "LATHE-07"
        host.lose_connection(shell)

    host.scripts["Set-So"] = [host.say("one"), change_places, host.become_so, host.put_out("OK")]
    run = go(plan_of("make", computer="PRESS-01"))
    assert run.outcome is Outcome.UNREACHABLE
    host.computer, host.shells = "PRESS-01", own
    assert again().finished
    assert host.sent == ["Set-So"]


# -- several plans -----------------------------------------------------------------------------------------------------


def test_another_plan_is_refused_while_a_command_is_in_flight(go: Go, host: Any) -> None:
    stop, listener = stop_at("one")
    first = go(plan_of("make"), listener=listener, stop=stop)
    with pytest.raises(PlanOutdated, match=f"Set-So of run {first.run_id} may still run") as caught:
        go(plan_of("look"))
    assert first.run_id in (caught.value.next_action or "")


def test_another_plan_takes_the_place_of_a_run_with_nothing_in_flight(go: Go, journal: Journal, host: Any) -> None:
    host.reachable = False
    first = go(plan_of("make"))
    host.reachable = True
    second = go(plan_of("look"))
    assert second.run_id != first.run_id
    assert journal.find_run(first.run_id).outcome == "cancelled"


def test_an_interrupted_run_can_be_given_up(
    go: Go, again: Go, device: Device, journal: Journal, controller: Controller, host: Any
) -> None:
    stop, listener = stop_at("one")
    run = go(plan_of("make"), listener=listener, stop=stop)
    assert abandon(device, run.run_id, journal=journal, controller=controller)
    assert journal.find_run(run.run_id).outcome == "cancelled"
    assert host.shells == {}
    assert go(plan_of("look")).finished
    with pytest.raises(UsageError, match="has ended"):
        abandon(device, run.run_id, journal=journal, controller=controller)


def test_giving_up_a_run_whose_session_is_gone_stops_nothing(
    go: Go, device: Device, journal: Journal, controller: Controller, host: Any
) -> None:
    stop, listener = stop_at("one")
    run = go(plan_of("make"), listener=listener, stop=stop)
    host.reboot()
    assert not abandon(device, run.run_id, journal=journal, controller=controller)
    assert journal.find_run(run.run_id).state == "ended"


def test_a_plan_changed_in_the_journal_is_not_resumed(again: Go, journal: Journal) -> None:
    plan = plan_of("make")
    journal.begin_run(operation="test", device="press-01", plan=plan.model_dump(mode="json"), plan_hash="1" * 64)
    with pytest.raises(PlanOutdated, match="approved was 1111"):
        again()


@pytest.fixture
def unreadable(journal: Journal) -> str:
    """An interrupted run whose plan another version wrote, with a field that this one does not know."""
    data = {**plan_of("make").model_dump(mode="json"), "later": True}
    return journal.begin_run(operation="test", device="press-01", plan=data, plan_hash=plan_hash(data))


def test_a_run_whose_plan_cannot_be_read_gives_way_to_a_new_plan(go: Go, again: Go, journal: Journal, unreadable: str) -> None:
    with pytest.raises(PlanOutdated, match="cannot be read by this version") as caught:
        again()
    assert "make a new plan" in (caught.value.next_action or "")
    assert find_resumable(journal, "press-01", "test") is None
    assert go(plan_of("make")).finished
    assert journal.find_run(unreadable).outcome == "cancelled"


def test_a_run_whose_plan_cannot_be_read_can_be_given_up(
    device: Device, journal: Journal, controller: Controller, unreadable: str
) -> None:
    assert not abandon(device, unreadable, journal=journal, controller=controller)
    assert journal.find_run(unreadable).outcome == "cancelled"


def test_there_must_be_something_to_resume(go: Go, again: Go, journal: Journal) -> None:
    with pytest.raises(UsageError, match="no run of this device can go on"):
        again()
    run = go(plan_of("look"))
    with pytest.raises(UsageError, match="has ended: ok"):
        again(run_id=run.run_id)


def test_a_resumable_run_is_found_for_the_same_config_only(go: Go, journal: Journal, host: Any) -> None:
    stop, listener = stop_at("one")
    run = go(plan_of("make", config={"a": 1}), listener=listener, stop=stop)
    found = find_resumable(journal, "press-01", "test", config={"a": 1})
    assert found is not None
    assert found.run_id == run.run_id
    assert find_resumable(journal, "press-01", "test", config={"a": 2}) is None
    assert find_resumable(journal, "press-01", "other") is None
    assert find_resumable(journal, "press-02", "test") is None


def test_done_steps_are_not_done_again_but_told(go: Go, again: Go, host: Any) -> None:
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, StepEnded):
            stop.set()

    go(plan_of("make", "look"), listener=listener, stop=stop)
    events: list[Event] = []
    run = again(listener=events.append)
    assert run.finished
    assert host.sent == ["Set-So", "Test-So"]
    assert [e.result.step_id for e in events if isinstance(e, StepEnded)] == ["make", "look"]
    assert isinstance(events[0], RunStarted)
    assert events[0].resumed
