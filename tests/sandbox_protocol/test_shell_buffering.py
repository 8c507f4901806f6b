"""Output of a shell that nobody reads: held back or lost as its buffer mode says, and never without bound."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from lxml import etree
from psrpcore import ClientPowerShell, ClientRunspacePool, Command, PipelineOutputEvent, PipelineStateEvent, PSRPPayload, StreamType
from psrpcore.types import PSInvocationState

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol.pacing import paced
from akslite_ps.sandbox.protocol.runspace_slots import RunspaceSlots
from akslite_ps.sandbox.protocol.shells import Shell
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault
from akslite_ps.sandbox.protocol.wsman_shell import Quotas, ShellIdentity

_HEADER = wsman.Header(message_id="uuid:1", action="Receive", timeout_s=5, max_envelope_size=512_000)
_PIECE = "x" * 10_000
_LIMIT = 100_000


class Reader:
    """A client's connection, and how much it read."""

    address = "10.0.2.2"
    alive = True


class Bench:
    """One shell and psrpcore's client of it."""

    def __init__(self, device: Any, **wishes: Any) -> None:
        self.expired = asyncio.Event()
        self.device = device
        self.client = ClientRunspacePool()
        self.shell = Shell(
            wsman.Create(None, "Microsoft.PowerShell", b"", **wishes),
            ShellIdentity("S", "uri", "PRESS-01\\aksadmin", "10.0.2.2", 7),
            runspaces=RunspaceSlots(lambda: device.open_runspace("Microsoft.PowerShell", "aksadmin")),
            device=device,
            quotas=Quotas(),
            expired=lambda _: self.expired.set(),
        )

    def said(self) -> bytes:
        data = b""
        while (payload := self.client.data_to_send()) is not None:
            data += payload.data
        return data

    async def open(self) -> None:
        self.client.open()
        await self.shell.start(self.said())
        await self.read(None)
        await self.read(None)

    async def begin(self, name: str) -> uuid.UUID:
        pipeline = ClientPowerShell(self.client)
        pipeline.add_command(Command(name))
        pipeline.start()
        self.shell.start_command(str(pipeline.pipeline_id), self.said())
        return pipeline.pipeline_id

    async def read(self, command: uuid.UUID | None) -> list[Any]:
        """What one Receive brings."""
        reply = etree.fromstring(await self.shell.receive(_HEADER, str(command) if command else None, Reader()))
        for stream in reply.iter("{*}Stream"):
            self.client.receive_data(PSRPPayload(base64.b64decode(stream.text), StreamType.default, command))
        found = []
        while (event := self.client.next_event()) is not None:
            found.append(event)
        return found

    async def rest(self, command: uuid.UUID) -> tuple[list[Any], PSInvocationState]:
        """The output that is left, and how the pipeline ended."""
        output: list[Any] = []
        while True:
            for event in await self.read(command):
                if isinstance(event, PipelineOutputEvent):
                    output.append(event.data)
                if isinstance(event, PipelineStateEvent):
                    return output, event.state


@pytest.fixture
async def bench(scripted_device: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(assumptions, "OUTPUT_BUFFER_BYTES", _LIMIT)
    made = Bench(scripted_device)
    await made.open()
    yield made
    await made.shell.close()


class Numbered:
    """A command that writes numbered pieces, and how many it has written."""

    def __init__(self, device: Any, count: int) -> None:
        self.written = 0
        self.ended = asyncio.Event()
        self._count = count
        device.commands["Write"] = self._write

    async def _write(self, call: Any, request: Any, streams: Any) -> None:
        for number in range(self._count):
            streams.output(f"{number:06d}{_PIECE}")
            self.written = number + 1
            await asyncio.sleep(0)
        self.ended.set()

    async def stands_still(self) -> int:
        """How many pieces it has written when it writes no more."""
        before = -1
        while before != self.written:
            before = self.written
            for _ in range(20):
                await asyncio.sleep(0)
        return before


def numbers(output: list[str]) -> list[int]:
    return [int(str(piece)[:6]) for piece in output]


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_command_is_held_back_while_nobody_reads_and_nothing_is_lost(bench, leaves):
    pieces = Numbered(bench.device, 50)
    command = await bench.begin("Write")
    if leaves:
        bench.shell.disconnect(None)
    held = await pieces.stands_still()
    assert held * len(_PIECE) <= _LIMIT + 2 * len(_PIECE)
    if leaves:
        bench.shell.reconnect()
    output, state = await bench.rest(command)
    assert (numbers(output), state) == (list(range(50)), PSInvocationState.Completed)


async def test_with_drop_the_command_goes_on_and_the_oldest_output_is_lost(bench):
    pieces = Numbered(bench.device, 50)
    command = await bench.begin("Write")
    bench.shell.disconnect(None, "Drop")
    await pieces.ended.wait()
    bench.shell.reconnect()
    output, state = await bench.rest(command)
    kept = numbers(output)
    assert state == PSInvocationState.Completed
    assert kept == list(range(50 - len(kept), 50))
    assert 0 < len(kept) * len(_PIECE) <= _LIMIT


async def test_drop_counts_only_while_nobody_is_connected(bench):
    bench.shell.disconnect(None, "Drop")
    bench.shell.reconnect()
    pieces = Numbered(bench.device, 50)
    command = await bench.begin("Write")
    assert await pieces.stands_still() < 50
    output, _ = await bench.rest(command)
    assert numbers(output) == list(range(50))


async def test_a_command_that_is_held_back_goes_on_when_its_client_leaves_and_wants_no_more(bench):
    pieces = Numbered(bench.device, 50)
    await bench.begin("Write")
    assert await pieces.stands_still() < 50
    bench.shell.disconnect(None, "Drop")
    await pieces.ended.wait()


async def test_a_message_that_has_begun_to_leave_is_not_lost(bench):
    async def write(call: Any, request: Any, streams: Any) -> None:
        streams.output("y" * 600_000)
        await asyncio.sleep(0)
        streams.output("last")

    bench.device.commands["Write"] = write
    command = await bench.begin("Write")
    first = await bench.read(command)
    bench.shell.disconnect(None, "Drop")
    bench.shell.reconnect()
    output, state = await bench.rest(command)
    assert not [event for event in first if isinstance(event, PipelineOutputEvent)]
    assert (str(output[0]), str(output[1]), state) == ("y" * 600_000, "last", PSInvocationState.Completed)


async def test_a_command_that_is_held_back_can_be_stopped(bench):
    pieces = Numbered(bench.device, 50)
    command = await bench.begin("Write")
    await pieces.stands_still()
    await bench.shell.signal(str(command), release=False)
    _, state = await bench.rest(command)
    assert state == PSInvocationState.Stopped
    assert not pieces.ended.is_set()


async def test_a_full_buffer_of_one_command_does_not_hold_back_another(bench):
    one = Numbered(bench.device, 50)
    first = await bench.begin("Write")
    await one.stands_still()
    bench.device.commands["Short"] = _short
    bench.client.set_max_runspaces(2)
    bench.shell.feed(bench.said())
    second = await bench.begin("Short")
    assert (await bench.rest(second))[0] == ["short"]
    assert numbers((await bench.rest(first))[0]) == list(range(50))


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_shell_ends_when_nobody_spoke_to_it_for_its_idle_time(scripted_device, leaves):
    bench = Bench(scripted_device, idle_timeout_s=60.0)
    await bench.open()
    if leaves:
        bench.shell.disconnect(0.01)
    else:
        bench.shell.reconnect(0.01)
    await asyncio.wait_for(bench.expired.wait(), 5)
    await bench.shell.close()


async def test_a_waiting_receive_keeps_a_connected_shell_and_a_running_command_does_not_keep_a_left_one(scripted_device):
    bench = Bench(scripted_device)
    await bench.open()
    bench.device.commands["Wait"] = _wait
    command = await bench.begin("Wait")
    waiting = asyncio.create_task(bench.shell.receive(wsman.Header(message_id="uuid:2", timeout_s=0.5), None, Reader()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert bench.shell._receivers
    bench.shell.reconnect(0.1)
    with pytest.raises(WSManFault, match="OperationTimeout"):
        await waiting
    assert not bench.expired.is_set()
    assert not bench.shell.commands[command].done
    bench.shell.disconnect(0.02)
    await asyncio.wait_for(bench.expired.wait(), 5)
    await bench.shell.close()


async def test_work_that_is_held_back_gets_what_is_thrown_at_it():
    held, seen = asyncio.Event(), []

    async def work() -> str:
        try:
            await asyncio.sleep(0)
            seen.append("goes on")
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return "done"

    async def hold_back() -> str:
        return await paced(work(), held.wait)

    task = asyncio.create_task(hold_back())
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def _wait(call: Any, request: Any, streams: Any) -> None:
    await asyncio.Event().wait()


async def _short(call: Any, request: Any, streams: Any) -> None:
    streams.output("short")
