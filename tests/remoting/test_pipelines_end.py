"""However a pipeline ends, or is given up here: it runs no longer on the device, and the device keeps nothing of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.errors import CmdletFailed, InvocationTimedOut, PromptUnanswered, UsageError
from akslite_ps.remoting import InvocationState, Session
from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed

PATIENCE_S = 20.0


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def kept(lab: Any) -> int:
    """Pipelines that the device keeps."""
    (shell,) = lab.listener.shells._shells.values()
    return len(shell.commands)


@pytest.fixture
def stopped(lab: Any) -> threading.Event:
    """Set when Write-Stream, which writes without end, was stopped. Write-Two, Write-Error and Ask end by themselves."""
    event = threading.Event()

    @lab.device.command("Write-Stream")
    async def stream(call: Any, streams: Any, request: Any) -> None:
        try:
            number = 0
            while True:
                for _ in range(20):
                    streams.output(number)
                    number += 1
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            event.set()
            raise

    @lab.device.command("Write-Two")
    async def two(call: Any, streams: Any, request: Any) -> None:
        streams.output(1)
        streams.output(2)

    @lab.device.command("Fail")
    async def fail(call: Any, streams: Any, request: Any) -> None:
        streams.output(1)
        raise PipelineFailed(ErrorInfo("no", "No", "InvalidOperation", "System.InvalidOperationException"))

    @lab.device.command("Ask")
    async def ask(call: Any, streams: Any, request: Any) -> None:
        await streams.host_call("ReadLine", [])

    return event


@pytest.mark.usefixtures("stopped")
def test_nothing_is_kept_of_a_command_that_ended_well_or_not(lab: Any, session: Session) -> None:
    session.invoke("Write-Two")
    with pytest.raises(CmdletFailed):
        session.invoke("Fail")
    with pytest.raises(PromptUnanswered):
        session.invoke("Ask")
    assert kept(lab) == 0


def test_a_stream_without_end_is_stopped_from_another_thread(lab: Any, session: Session, stopped: threading.Event) -> None:
    invocation = session.start("Write-Stream")
    reading = threading.Thread(target=invocation.wait)
    reading.start()
    wait_until(lambda: len(invocation.result().records) > 100)

    assert invocation.stop()
    reading.join(PATIENCE_S)
    assert invocation.state is InvocationState.STOPPED
    assert stopped.wait(PATIENCE_S)
    assert kept(lab) == 0


def test_a_time_limit_ends_a_stream_on_the_device(lab: Any, session: Session, stopped: threading.Event) -> None:
    with pytest.raises(InvocationTimedOut, match=r"limit of 0\.2 s"):
        session.invoke("Write-Stream", timeout_s=0.2)
    assert stopped.wait(PATIENCE_S)
    assert kept(lab) == 0


def test_a_stream_that_was_given_up_half_way_goes_on_behind_it(lab: Any, session: Session, stopped: threading.Event) -> None:
    invocation = session.start("Write-Stream")
    first = [record.seq for _, record in zip(range(30), invocation.records(), strict=False)]
    second = [record.seq for _, record in zip(range(30), invocation.records(), strict=False)]

    assert first + second == list(range(1, 61))
    with pytest.raises(UsageError, match="still running"):
        session.invoke("Write-Two")


def test_leaving_the_block_of_an_invocation_ends_it(lab: Any, session: Session, stopped: threading.Event) -> None:
    with session.start("Write-Stream") as invocation:
        for record in invocation.records():
            if record.seq == 30:
                break
    assert stopped.wait(PATIENCE_S)
    assert invocation.state is InvocationState.STOPPED
    assert kept(lab) == 0
    assert session.invoke("Write-Two").output == [1, 2]


@pytest.mark.usefixtures("stopped")
def test_an_end_that_nobody_read_is_cleared_away_before_the_next_command(lab: Any, session: Session) -> None:
    invocation = session.start("Write-Two")
    for _ in invocation.records():
        if invocation.state.is_over:
            break
    assert kept(lab) == 1

    assert session.invoke("Write-Two").output == [1, 2]
    assert kept(lab) == 0


def test_leaving_the_block_of_a_detached_invocation_leaves_it_alone(lab: Any, stopped: threading.Event) -> None:
    session = Session.open(lab.target())
    with session.start("Write-Stream"):
        session.detach()
    assert not stopped.is_set()
    Session.attach(lab.target(), session.shell_id).close()
    assert stopped.wait(PATIENCE_S)


def test_closing_the_session_ends_what_runs_in_it(lab: Any, stopped: threading.Event) -> None:
    with Session.open(lab.target()) as session:
        session.start("Write-Stream")
    assert stopped.wait(PATIENCE_S)
    wait_until(lambda: not lab.listener.shells._shells)


def test_a_script_can_be_started_and_read_as_it_writes(lab: Any, session: Session) -> None:
    go_on = asyncio.Event()

    @lab.device.command("<script>")
    async def script(call: Any, streams: Any, request: Any) -> None:
        streams.output(call.parameters[0].value)
        await go_on.wait()
        streams.output(request.commands[0].text)

    invocation = session.start_script("param($Word) 'all of it'", Word="first")
    records = invocation.records()
    assert next(records).value == "first"  # type: ignore[attr-defined]
    lab.soon(go_on.set)
    assert [record.value for record in records] == ["param($Word) 'all of it'"]  # type: ignore[attr-defined]
