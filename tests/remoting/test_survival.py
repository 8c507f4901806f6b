"""What a session survives: broken connections, interrupts, another client, a device that restarts."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.errors import AuthenticationFailed, SessionLost, UsageError
from akslite_ps.remoting import InvocationState, OutputRecord, Session, recovery, sessions_on
from akslite_ps.sandbox.engine import Account

PATIENCE_S = 20
WAYS = [{}, {"auth": "basic", "transport": "https"}]


class Steps:
    """Count-Up writes 1, 2, 3 ...: one number for each :meth:`go`, and ends at :meth:`end`."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._orders: asyncio.Queue[int | None] = asyncio.Queue()
        self._next = 1
        self.stopped = threading.Event()

        @lab.device.command("Count-Up")
        async def count(call: Any, streams: Any, request: Any) -> None:
            try:
                while (number := await self._orders.get()) is not None:
                    streams.output(number)
            except asyncio.CancelledError:
                self.stopped.set()
                raise

    def go(self, count: int = 1) -> None:
        for _ in range(count):
            number, self._next = self._next, self._next + 1
            self._lab.soon(lambda number=number: self._orders.put_nowait(number))

    def end(self) -> None:
        self._lab.soon(lambda: self._orders.put_nowait(None))


@pytest.fixture
def steps(lab: Any) -> Steps:
    return Steps(lab)


@pytest.fixture
def greeting(lab: Any) -> None:
    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Run in a thread; the function returned waits and gives the result or raises the error."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE_S)
        assert outcome, "the background work did not end"
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    return result


def interrupt_when_receiving(lab: Any) -> threading.Thread:
    """Press Ctrl-C as soon as the main thread waits for the device."""
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        lab.wait_for_receive()
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal to a thread")


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.usefixtures("greeting")
def test_an_idle_connection_that_was_dropped_is_built_anew(lab: Any, way: dict[str, str]) -> None:
    with Session.open(lab.target(**way)) as session:
        session.invoke("Get-Greeting")
        lab.cut()

        assert session.invoke("Get-Greeting").output == ["hello"]
        assert session.is_alive()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_connection_reset_in_the_middle_costs_no_record(lab: Any, steps: Steps, way: dict[str, str]) -> None:
    with Session.open(lab.target(**way)) as session:
        result = in_background(session.start("Count-Up").wait)
        steps.go()
        lab.wait_for_receive()
        lab.cut()
        steps.go(2)
        steps.end()

        assert result().output == [1, 2, 3]


def test_a_lost_answer_is_given_again_and_counted_once(lab: Any, relay: Any, steps: Steps) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        result = in_background(session.start("Count-Up").wait)
        lab.wait_for_receive()
        relay.lose_next_reply = True
        steps.go()
        steps.go()
        steps.end()

        assert result().output == [1, 2]
        assert relay.losses == 1


@pytest.mark.usefixtures("greeting")
def test_a_command_whose_confirmation_was_lost_is_found_and_not_sent_again(lab: Any, relay: Any) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        relay.lose_next_reply = True

        assert session.invoke("Get-Greeting").output == ["hello"]
        assert relay.losses == 1
        assert len(lab.device.requests) == 1


@pytest.mark.usefixtures("greeting")
def test_a_command_that_the_device_says_it_does_not_have_is_sent_again(lab: Any, relay: Any) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        relay.lose_next_request = True

        assert session.invoke("Get-Greeting").output == ["hello"]
        assert relay.losses == 1
        assert len(lab.device.requests) == 1


def test_a_large_command_whose_first_piece_is_not_confirmed_goes_on_with_the_second(lab: Any, relay: Any, steps: Steps) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        relay.lose_next_reply = True
        steps.go()
        steps.end()

        assert session.invoke("Count-Up", Text="x" * 1_000_000).output == [1]
        assert len(lab.device.requests) == 1


def test_a_restart_of_the_device_is_told_as_a_lost_session(lab: Any, session: Session, steps: Steps) -> None:
    running = session.start("Count-Up")
    result = in_background(running.wait)
    lab.wait_for_receive()
    lab.run(lab.listener.stop(abort=True))
    lab.run(lab.listener.start())

    with pytest.raises(SessionLost, match="no longer exists") as caught:
        result()
    assert running.state is InvocationState.LOST
    assert caught.value.next_action
    assert not session.is_alive()


def test_a_device_that_stays_away_is_given_up_after_the_limit(
    lab: Any, relay: Any, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "OUTAGE_LIMIT_S", 0.2)
    with Session.open(lab.target(port=relay.port)) as session:
        result = in_background(session.start("Count-Up").wait)
        lab.wait_for_receive()
        lab.run(relay.stop())

        with pytest.raises(SessionLost, match="connection refused"):
            result()
        lab.run(relay.start())


def test_reading_for_a_while_comes_back_during_an_outage_and_goes_on_after_it(lab: Any, relay: Any, steps: Steps) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        invocation = session.start("Count-Up")
        lab.run(relay.stop())

        assert list(invocation.records(timeout_s=0.2)) == []
        assert list(invocation.records(timeout_s=0.2)) == []

        lab.run(relay.start())
        steps.go()
        steps.go()
        steps.end()
        assert invocation.wait().output == [1, 2]


def test_a_device_that_comes_back_in_time_is_waited_for(lab: Any, relay: Any, steps: Steps) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        result = in_background(session.start("Count-Up").wait)
        steps.go()
        lab.wait_for_receive()
        lab.run(relay.stop())
        steps.go()
        steps.end()
        lab.run(relay.start())

        assert result().output == [1, 2]


def test_a_session_that_the_device_put_aside_is_taken_up_again(lab: Any, session: Session, steps: Steps) -> None:
    result = in_background(session.start("Count-Up").wait)
    steps.go()
    lab.wait_for_receive()

    async def put_aside() -> None:
        for shell in lab.listener.shells._shells.values():
            shell.disconnect(None)

    lab.run(put_aside())
    steps.go()
    steps.end()

    assert result().output == [1, 2]


def test_a_changed_password_is_refused_credentials_not_a_lost_session(lab: Any, session: Session) -> None:
    lab.device.accounts[:] = [Account("PRESS-01", "aksadmin", "another-Password-1")]
    lab.cut()

    with pytest.raises(AuthenticationFailed):
        session.invoke("Get-Greeting")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_work_left_on_the_device_is_collected_by_a_new_client(lab: Any, steps: Steps, way: dict[str, str]) -> None:
    device = lab.target(**way)
    first = Session.open(device)
    running = first.start("Count-Up")
    steps.go(2)
    seen = []
    for record in running.records():
        assert isinstance(record, OutputRecord)
        seen.append(record.value)
        if len(seen) == 2:
            break
    first.disconnect()
    assert running.state is InvocationState.DISCONNECTED
    steps.go(2)

    with Session.attach(device, first.shell_id) as second:
        (found,) = second.running()
        assert found.id == running.id
        steps.go()
        steps.end()
        result = found.wait()

    assert result.state is InvocationState.COMPLETED
    assert seen + result.output == [1, 2, 3, 4, 5]


def test_work_of_a_client_that_died_is_collected_by_a_new_one(lab: Any, steps: Steps) -> None:
    first = Session.open(lab.target())
    first.start("Count-Up")
    steps.go(2)
    steps.end()
    first._pool.hang_up()

    with Session.attach(lab.target(), first.shell_id) as second:
        (found,) = second.running()
        assert found.wait().output == [1, 2]


def test_work_left_on_the_device_can_be_stopped_by_a_new_client(lab: Any, steps: Steps) -> None:
    first = Session.open(lab.target())
    first.start("Count-Up")
    first.disconnect()

    with Session.attach(lab.target(), first.shell_id) as second:
        (found,) = second.running()
        assert found.stop()
        assert steps.stopped.is_set()


@pytest.mark.usefixtures("greeting")
def test_an_attached_session_runs_new_commands_and_secrets(lab: Any) -> None:
    first = Session.open(lab.target())
    first.disconnect()

    with Session.attach(lab.target(), first.shell_id) as second:
        assert second.running() == []
        assert second.invoke("Get-Greeting").output == ["hello"]
        assert second.shell_id == first.shell_id


def test_the_same_client_takes_its_session_up_again(lab: Any, steps: Steps) -> None:
    with Session.open(lab.target()) as session:
        running = session.start("Count-Up")
        session.disconnect()
        with pytest.raises(UsageError, match="disconnected"):
            session.start("Count-Up")
        steps.go()
        steps.end()
        session.reconnect()

        assert running.wait().output == [1]


def test_leaving_a_disconnected_session_leaves_it_on_the_device(lab: Any, steps: Steps) -> None:
    with Session.open(lab.target()) as session:
        session.start("Count-Up")
        session.disconnect()

    assert not steps.stopped.is_set()
    Session.attach(lab.target(), session.shell_id).close()
    assert steps.stopped.wait(PATIENCE_S)


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_session_is_ended_although_the_connection_breaks_meanwhile(lab: Any, relay: Any, lost: str) -> None:
    session = Session.open(lab.target(port=relay.port))
    setattr(relay, f"lose_next_{lost}", True)

    session.close()

    assert relay.losses == 1
    assert lab.listener.shells._shells == {}


def test_a_session_that_is_not_there_cannot_be_attached(lab: Any) -> None:
    with pytest.raises(SessionLost, match="no longer exists"):
        Session.attach(lab.target(), "00000000-1111-2222-3333-444444444444")


@needs_signals
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_after_ctrl_c_the_work_can_be_left_on_the_device(lab: Any, steps: Steps, way: dict[str, str]) -> None:
    device = lab.target(**way)
    with Session.open(device) as session:
        steps.go()
        pressing = interrupt_when_receiving(lab)
        with pytest.raises(KeyboardInterrupt):
            session.invoke("Count-Up")
        pressing.join(PATIENCE_S)
        (running,) = session.running()
        session.disconnect()

    steps.go()
    steps.end()
    with Session.attach(device, session.shell_id) as again:
        (found,) = again.running()
        assert running.result().output + found.wait().output == [1, 2]


@needs_signals
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_after_ctrl_c_the_command_can_be_stopped(lab: Any, steps: Steps, way: dict[str, str]) -> None:
    with Session.open(lab.target(**way)) as session:
        pressing = interrupt_when_receiving(lab)
        with pytest.raises(KeyboardInterrupt):
            session.invoke("Count-Up")
        pressing.join(PATIENCE_S)

        assert session.running()[0].stop()
        assert steps.stopped.is_set()


@needs_signals
@pytest.mark.usefixtures("greeting")
def test_after_ctrl_c_waiting_can_go_on(lab: Any, session: Session, steps: Steps) -> None:
    pressing = interrupt_when_receiving(lab)
    with pytest.raises(KeyboardInterrupt):
        session.invoke("Count-Up")
    pressing.join(PATIENCE_S)
    steps.go(2)
    steps.end()

    assert session.running()[0].wait().output == [1, 2]
    assert session.invoke("Get-Greeting").output == ["hello"]


def test_liveness_is_told_even_while_a_command_runs(lab: Any, session: Session, steps: Steps) -> None:
    assert session.is_alive()
    result = in_background(session.start("Count-Up").wait)
    lab.wait_for_receive()

    assert session.is_alive()
    steps.end()
    assert result().state is InvocationState.COMPLETED


def test_sessions_left_on_a_device_are_listed(lab: Any) -> None:
    assert sessions_on(lab.target()) == []
    first = Session.open(lab.target())
    first.disconnect()

    with Session.open(lab.target()) as second:
        found = {left.shell_id: left for left in sessions_on(lab.target())}

    assert found.keys() == {first.shell_id, second.shell_id}
    assert not found[first.shell_id].connected
    assert found[second.shell_id].connected
    assert found[first.shell_id].configuration_name == "Microsoft.PowerShell"
    assert found[first.shell_id].owner.casefold() == "press-01\\aksadmin"
    assert found[first.shell_id].idle_s is not None


def test_a_disconnect_that_fails_never_ends_the_work(lab: Any, relay: Any, steps: Steps) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        session.start("Count-Up")
        lab.run(relay.stop())
        with pytest.raises(SessionLost):
            session.disconnect()
        lab.run(relay.start())

    assert not steps.stopped.is_set()
    with Session.attach(lab.target(), session.shell_id) as again:
        assert len(again.running()) == 1


def test_closing_a_session_ends_a_command_that_another_thread_waits_for(lab: Any, steps: Steps) -> None:
    session = Session.open(lab.target())
    result = in_background(session.start("Count-Up").wait)
    lab.wait_for_receive()

    session.close()

    assert steps.stopped.wait(PATIENCE_S)
    with pytest.raises(SessionLost):
        result()
