"""Work that outlives the process that started it: the next process gets the rest of the output, in order, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import SessionLost, UsageError
from akslite_ps.remoting import InvocationReference, InvocationState, OutputRecord, Session, attach, sessions_on
from akslite_ps.sandbox import assumptions

PATIENCE_S = 20

FIRST_PROCESS = """
import json, sys, time
from pathlib import Path
from akslite_ps.remoting import Device, Session

device = Device.model_validate_json(sys.argv[1])
kept, held_at = Path(sys.argv[2]), int(sys.argv[3])

def keep(reference, value=None):
    with kept.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"value": value, "reference": reference.as_text()}) + "\\n")

invocation = Session.open(device).start("Write-Numbers", remember=keep)
for record in invocation.records():
    if record.value == held_at:
        print("holding", flush=True)
        time.sleep(600)
    keep(invocation.reference, record.value)
print("silent", flush=True)
"""


class Numbers:
    """Write-Numbers writes what :meth:`write` gives it, all of one call at once, until :meth:`end`."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._orders: asyncio.Queue[list[Any] | None] = asyncio.Queue()
        self.stopped = threading.Event()

        @lab.device.command("Write-Numbers")
        async def numbers(call: Any, streams: Any, request: Any) -> None:
            try:
                while (batch := await self._orders.get()) is not None:
                    for value in batch:
                        streams.output(value)
            except asyncio.CancelledError:
                self.stopped.set()
                raise

    def write(self, *values: Any) -> None:
        self._lab.soon(lambda: self._orders.put_nowait(list(values)))

    def end(self) -> None:
        self._lab.soon(lambda: self._orders.put_nowait(None))


@pytest.fixture
def numbers(lab: Any) -> Numbers:
    return Numbers(lab)


def read(invocation: Any, count: int) -> list[Any]:
    """The values of the next so many records."""
    return [record.value for _, record in zip(range(count), invocation.records(), strict=False)]


def rest(lab: Any, reference: InvocationReference) -> list[Any]:
    """What another process gets."""
    session, invocation = attach(lab.target(), InvocationReference.from_text(reference.as_text()))
    with session:
        records = list(invocation.records())
        assert invocation.state is InvocationState.COMPLETED
    assert [record.seq for record in records] == list(
        range(reference.place.received + 1, reference.place.received + 1 + len(records))
    )
    return [record.value for record in records if isinstance(record, OutputRecord)]


@pytest.mark.parametrize("held_at", [1, 4, 7])
def test_a_killed_process_is_followed_by_one_that_gets_exactly_the_rest(
    lab: Any, numbers: Numbers, tmp_path: Path, held_at: int
) -> None:
    kept = tmp_path / "kept.jsonl"
    numbers.write(1, 2, 3)
    first = subprocess.Popen(
        [sys.executable, "-c", FIRST_PROCESS, lab.target().model_dump_json(), str(kept), str(held_at)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    with first:
        wait_until(lambda: held_at == 1 or (kept.exists() and '"value": 3' in kept.read_text(encoding="utf-8")))
        numbers.write(4, 5, 6, 7, 8)
        assert first.stdout.readline() == "holding\n"
        first.kill()
    numbers.write(9)
    numbers.end()

    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    stored = [row["value"] for row in rows if row["value"] is not None]
    reference = InvocationReference.from_text(rows[-1]["reference"])
    assert sessions_on(lab.target())[0].shell_id == reference.shell_id

    assert stored == list(range(1, held_at))
    assert stored + rest(lab, reference) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert len(lab.device.requests) == 1


@pytest.mark.parametrize("seed", range(4))
def test_however_often_and_wherever_readers_die_every_record_is_told_once(lab: Any, numbers: Numbers, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chances that can be repeated
    values = [f"{number} {'x' * chance.choice([0, 10, 40_000, 90_000])}" for number in range(40)]
    waiting = list(values)
    told: list[Any] = []
    session = Session.open(lab.target())
    invocation = session.start("Write-Numbers")
    kept = invocation.reference.as_text()
    while waiting or len(told) < len(values):
        batch = waiting[: chance.randint(0, 8)]
        del waiting[: len(batch)]
        numbers.write(*batch)
        unread = len(values) - len(waiting) - len(told)
        for record in itertools.islice(invocation.records(), chance.randint(0, unread)):
            assert isinstance(record, OutputRecord)
            told.append(record.value)
            kept = invocation.reference.as_text()
        if chance.random() < 0.7:
            session._pool.hang_up()
            session, invocation = attach(lab.target(), InvocationReference.from_text(kept))
    numbers.end()

    assert list(invocation.records()) == []
    assert invocation.state is InvocationState.COMPLETED
    assert told == values
    session.close()


async def turns(count: int) -> None:
    """Time enough, on the device's event loop, for a command that does not wait to go on."""
    for _ in range(count):
        await asyncio.sleep(0)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_detached_work_goes_on_and_is_collected(lab: Any, numbers: Numbers) -> None:
    with Session.open(lab.target()) as session:
        invocation = session.start("Write-Numbers")
        numbers.write(1, 2, 3)
        assert read(invocation, 2) == [1, 2]
        reference = session.detach()
        assert invocation.state is InvocationState.DISCONNECTED

    numbers.write(4)
    numbers.end()
    assert reference.place.received == 2
    assert rest(lab, reference) == [3, 4]
    assert sessions_on(lab.target()) == []


def test_work_whose_output_fills_the_devices_buffer_waits_and_loses_nothing(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assumptions, "OUTPUT_BUFFER_BYTES", 20_000)
    written: list[int] = []

    @lab.device.command("Write-Much")
    async def much(call: Any, streams: Any, request: Any) -> None:
        for number in range(200):
            streams.output(f"{number:04}" * 250)
            written.append(number)
            await asyncio.sleep(0)

    with Session.open(lab.target()) as session:
        session.start("Write-Much")
        reference = session.detach()
    (shell,) = lab.listener.shells._shells.values()
    (pipeline,) = shell.commands.values()
    wait_until(lambda: len(written) >= 10)
    lab.run(turns(500))
    assert len(written) < 30
    assert not pipeline.done

    assert [text[:4] for text in rest(lab, reference)] == [f"{number:04}" for number in range(200)]


def test_a_record_that_came_half_before_the_end_of_the_process_arrives_whole(lab: Any, numbers: Numbers) -> None:
    kept: list[InvocationReference] = []

    class Dead(BaseException):
        pass

    def keep(reference: InvocationReference) -> None:
        kept.append(reference)
        if reference.place.parts:
            raise Dead

    text = "".join(chr(97 + number % 26) for number in range(1_500_000))
    session = Session.open(lab.target())
    invocation = session.start("Write-Numbers", remember=keep)
    numbers.write(1, text, 2)
    numbers.end()
    with pytest.raises(Dead):
        invocation.wait()
    session._pool.hang_up()

    assert rest(lab, kept[-1]) == [text, 2]


def test_a_process_that_died_with_its_receive_open_is_followed_by_the_next(lab: Any, numbers: Numbers) -> None:
    session = Session.open(lab.target())
    invocation = session.start("Write-Numbers")
    numbers.write(1)
    assert read(invocation, 1) == [1]
    reference = invocation.reference

    def read_on() -> None:
        with contextlib.suppress(SessionLost):
            next(invocation.records())

    reading = threading.Thread(target=read_on)
    reading.start()
    lab.wait_for_receive()
    numbers.write(2)
    reading.join(PATIENCE_S)
    session._pool.hang_up()
    numbers.write(3)
    numbers.end()

    assert rest(lab, reference) == [2, 3]


def test_text_for_the_screen_is_not_told_again_by_its_second_form(lab: Any) -> None:
    @lab.device.command("Write-Screen")
    async def screen(call: Any, streams: Any, request: Any) -> None:
        streams.information("hello", tags=("PSHOST",))
        await streams.host_call("WriteLine2", ["hello"])

    first = Session.open(lab.target())
    invocation = first.start("Write-Screen")
    (told,) = [record.message for _, record in zip(range(1), invocation.records(), strict=False)]
    reference = invocation.reference
    first._pool.hang_up()

    assert told == "hello"
    assert rest(lab, reference) == []


def test_a_finished_command_is_collected_with_its_errors_once(lab: Any, numbers: Numbers) -> None:
    from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed

    @lab.device.command("Fail-Late")
    async def fail(call: Any, streams: Any, request: Any) -> None:
        streams.output(1)
        raise PipelineFailed(ErrorInfo("no space", "DiskFull", "WriteError", "System.IO.IOException"))

    first = Session.open(lab.target())
    invocation = first.start("Fail-Late")
    kinds = [type(record).__name__ for _, record in zip(range(2), invocation.records(), strict=False)]
    reference = invocation.reference
    assert kinds == ["OutputRecord", "ErrorRecord"]
    first._pool.hang_up()

    session, again = attach(lab.target(), reference)
    with session:
        result = again.wait()
    assert result.state is InvocationState.FAILED
    assert result.records == []


def test_work_whose_session_ended_for_idleness_is_told_as_such(lab: Any, numbers: Numbers) -> None:
    with Session.open(lab.target()) as session:
        invocation = session.start("Write-Numbers")
        numbers.write(1)
        assert read(invocation, 1) == [1]
        reference = session.detach(idle_limit_s=0.1)
    assert reference.idle_limit_s == 0.1
    assert numbers.stopped.wait(PATIENCE_S)
    wait_until(lambda: not sessions_on(lab.target()))

    with pytest.raises(SessionLost, match=r"keeps an idle session for 0\.1 s") as caught:
        attach(lab.target(), reference)
    assert "1 record of its output had been received" in str(caught.value)
    assert "unknown" in str(caught.value)


def test_work_whose_session_vanished_early_is_not_blamed_on_idleness(lab: Any, numbers: Numbers) -> None:
    with Session.open(lab.target()) as session:
        session.start("Write-Numbers")
        reference = session.detach()
    assert reference.idle_limit_s == 7_200
    Session.attach(lab.target(), reference.shell_id).close()

    with pytest.raises(SessionLost, match="restarted, or somebody closed the session") as caught:
        attach(lab.target(), reference)
    assert "no record" in str(caught.value)


def test_work_that_somebody_else_collected_is_told_as_such(lab: Any, numbers: Numbers) -> None:
    session = Session.open(lab.target())
    invocation = session.start("Write-Numbers")
    reference = invocation.reference
    numbers.end()
    invocation.wait()
    session.disconnect()

    with pytest.raises(SessionLost, match="no longer in its session"):
        attach(lab.target(), reference)


def test_a_reference_of_another_device_is_refused(lab: Any, numbers: Numbers) -> None:
    with Session.open(lab.target()) as session:
        session.start("Write-Numbers")
        reference = session.detach()

    with pytest.raises(UsageError, match="runs on press-99"):
        attach(lab.target(), replace(reference, device="press-99"))


def test_an_idle_session_has_nothing_to_detach(session: Session) -> None:
    with pytest.raises(UsageError, match="nothing runs"):
        session.detach()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"form": 2}', '{"form": 1, "parts": {"x": "?"}}'])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no reference"):
        InvocationReference.from_text(text)


def test_a_reference_survives_being_text_and_hides_output_from_its_repr() -> None:
    from akslite_ps.remoting.detached import ReadingPlace

    place = ReadingPlace(3, 17, "uuid:1", {18: b"s3cret-output"}, "abcd")
    reference = InvocationReference("press-01", "A", "B", "New-Thing", place, 7200.0, dt.datetime(2026, 1, 2, tzinfo=dt.UTC))

    assert InvocationReference.from_text(reference.as_text()) == reference
    assert "s3cret" not in repr(reference)
