"""Stopping and answering questions while the way to the device is broken: no hang, no question asked twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.errors import CommandFate, InvocationTimedOut, RemotingError, SessionLost
from akslite_ps.remoting import InvocationState, Session
from akslite_ps.sandbox.engine import CommandCall, PipelineRequest, Streams


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Run in a thread; the function returned waits for the end and gives the result or the error."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except RemotingError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(20)
        assert outcome, "the background work did not end"
        return outcome[0]

    return result


class Person:
    """Answers questions; ``before_answering`` is called each time one is asked."""

    def __init__(self, before_answering: Callable[[], None]) -> None:
        self.asked = 0
        self._before_answering = before_answering

    def confirm(self, question: Any) -> bool:
        self.asked += 1
        self._before_answering()
        return True

    def choice(self, question: Any) -> int:
        raise AssertionError("not asked")

    def read_line(self, label: str) -> str:
        self.asked += 1
        self._before_answering()
        return "blue"

    def read_secure(self, label: str) -> str:
        raise AssertionError("not asked")


@pytest.fixture
def asking(faulty: Any) -> Any:
    """A device whose Ask-Colour asks the client's host and writes what it heard."""

    @faulty.command("Ask-Colour")
    async def ask(call: CommandCall, streams: Streams, request: PipelineRequest) -> None:
        streams.output("first")
        streams.output(await streams.host_call("ReadLine", []))

    return faulty


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("tcp-reset", {"at": "send"}),
        ("lost-reply", {"at": "send"}),
        ("half-reply", {"at": "send"}),
        ("idle-drop", {"at": "send"}),
        ("network-away", {"lasts_s": 150}),
    ],
)
def test_a_question_is_asked_once_although_its_answer_meets_a_fault(
    asking: Any, matrix: Any, fault: str, how: dict[str, Any]
) -> None:
    person = Person(lambda: asking.fault(fault, **how))
    with Session.open(asking.target(), prompts=person) as session:
        result = session.invoke("Ask-Colour")
        matrix.note(fault, "answer to a question", "Negotiate over HTTP", asking, result)

        assert result.output == ["first", "blue"]
        assert person.asked == 1


def test_an_answer_that_cannot_be_given_any_more_leaves_no_hang(asking: Any) -> None:
    person = Person(lambda: asking.fault("shell-gone", at="send"))
    with Session.open(asking.target(), prompts=person) as session, pytest.raises(SessionLost) as caught:
        session.invoke("Ask-Colour")

    assert caught.value.fate is CommandFate.ENDED
    assert person.asked == 1


@pytest.fixture
def stopped(faulty: Any) -> threading.Event:
    """Set when the device's Wait-Long is stopped."""
    stopped = threading.Event()

    @faulty.command("Wait-Long")
    async def wait(call: CommandCall, streams: Streams, request: PipelineRequest) -> None:
        streams.output(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise

    return stopped


def test_a_stop_during_a_short_outage_reaches_the_device(faulty: Any, stopped: threading.Event) -> None:
    with Session.open(faulty.target()) as session:
        invocation = session.start("Wait-Long")
        next(invocation.records())
        faulty.fault("network-away", lasts_s=120)

        assert invocation.stop(timeout_s=10)
        assert invocation.state is InvocationState.STOPPED
        assert stopped.is_set()


def test_a_stop_that_cannot_be_told_says_so_within_its_time_and_is_told_later(faulty: Any, stopped: threading.Event) -> None:
    with Session.open(faulty.target()) as session:
        invocation = session.start("Wait-Long")
        next(invocation.records())
        before = faulty.asked.count("receive")
        reading = in_background(invocation.wait)
        faulty.wait_for("receive", before + 1)
        faulty.fault("network-away", lasts_s=1e6)
        with pytest.raises(SessionLost) as caught:
            invocation.stop(timeout_s=0.3)
        assert caught.value.fate is CommandFate.UNKNOWN
        assert not stopped.is_set()

        faulty.clear()
        assert reading().state is InvocationState.STOPPED
        assert stopped.is_set()


def test_a_time_limit_holds_during_an_outage(faulty: Any) -> None:
    with Session.open(faulty.target()) as session:
        invocation = session.start("Count-Up", Count=3, HoldAt=1, timeout_s=0.5)
        next(invocation.records())
        faulty.fault("network-away", lasts_s=1e6)

        with pytest.raises(RemotingError) as caught:
            list(invocation.records())
        assert caught.value.fate is CommandFate.UNKNOWN
        assert not isinstance(caught.value, InvocationTimedOut) or "not confirmed" in caught.value.message


def test_reading_for_a_while_comes_back_during_an_outage_before_the_command_is_known_to_have_arrived(faulty: Any) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault("network-away", at="command", lasts_s=1e6)
        invocation = session.start("Count-Up", Count=3)

        assert list(invocation.records(timeout_s=0.2)) == []
        faulty.clear()
        assert invocation.wait().output == [1, 2, 3]
        assert len(faulty.requests) == 1


def test_a_command_stopped_before_the_device_had_it_is_never_sent(faulty: Any) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault("tcp-reset", at="command")
        invocation = session.start("Count-Up", Count=3)
        invocation.stop()

        with pytest.raises(SessionLost) as caught:
            invocation.wait()
        assert caught.value.fate is CommandFate.NOT_STARTED
        assert faulty.requests == []
