"""Output that a PowerShell process writes while nobody reads it: held back or lost as the shell's buffer mode says."""

from __future__ import annotations

import asyncio
import base64
import struct
import uuid
from typing import Any

import pytest
from lxml import etree

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol.fragments import MessageKind, fragments_in, message_to_client
from akslite_ps.sandbox.protocol.relayed_shell import RelayedShell
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault
from akslite_ps.sandbox.protocol.wsman_shell import Quotas, ShellIdentity

_HEADER = wsman.Header(message_id="uuid:1", action="Receive", timeout_s=5, max_envelope_size=512_000)
_LIMIT = 100_000
_PIECE = 10_000
POOL, PIPELINE = uuid.uuid4(), uuid.uuid4()


class Engine:
    """A process that takes everything and says nothing by itself."""

    def __init__(self) -> None:
        self.started = False
        self.sent: list[bytes] = []

    async def start(self, receiver: Any, data: bytes) -> None:
        self.started = True

    def send(self, target: uuid.UUID | None, data: bytes, *, answers_prompt: bool = False) -> None:
        self.sent.append(data)

    def start_command(self, command: uuid.UUID, data: bytes) -> None: ...
    def close_command(self, command: uuid.UUID) -> None: ...
    def kill(self) -> None: ...
    async def close(self) -> None: ...


class Reader:
    address = "10.0.2.2"
    alive = True


def message(number: int, *, kind: MessageKind = MessageKind.PIPELINE_OUTPUT, pieces: int = 1, text: bytes = b"") -> list[bytes]:
    """The fragments of a message of the pipeline; its object id is its number."""
    header = struct.pack("<II", 1, kind) + POOL.bytes_le + PIPELINE.bytes_le
    body = header + (text or b"x" * (_PIECE * pieces - len(header)))
    cut = [body[at : at + _PIECE] for at in range(0, len(body), _PIECE)]
    last = len(cut) - 1
    return [struct.pack(">QQBI", number, n, (n == 0) | 2 * (n == last), len(each)) + each for n, each in enumerate(cut)]


ENDED = message(999, kind=MessageKind.PIPELINE_STATE, text=b'<Obj><MS><I32 N="PipelineState">4</I32></MS></Obj>')


@pytest.fixture
async def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(assumptions, "OUTPUT_BUFFER_BYTES", _LIMIT)
    engine: Any = Engine()
    made = RelayedShell(
        wsman.Create(None, "Microsoft.PowerShell", b""),
        ShellIdentity("S", "uri", "PRESS-01\\aksadmin", "10.0.2.2", 7),
        engine=engine,
        quotas=Quotas(),
        expired=lambda _: None,
    )
    made.start_command(str(PIPELINE), b"")
    yield made
    await made.close()


async def write(shell: RelayedShell, *messages: list[bytes]) -> None:
    for each in messages:
        for fragment in each:
            await shell.arrived(PIPELINE, fragment)


async def read(shell: RelayedShell) -> list[tuple[int, int]]:
    """Object and fragment ids of all that is left."""
    found = []
    while shell._pending(PIPELINE):
        reply = etree.fromstring(await shell.receive(_HEADER, str(PIPELINE), Reader()))
        for stream in reply.iter("{*}Stream"):
            found += [(each.object_id, each.number) for each in fragments_in(base64.b64decode(stream.text))]
    return found


async def test_dropped_output_is_the_oldest_and_the_end_is_told(shell: RelayedShell) -> None:
    shell.disconnect(None, "Drop")

    async with asyncio.timeout(5):
        await write(shell, *(message(number) for number in range(1, 51)), ENDED)

    shell.reconnect()
    left = [number for number, _ in await read(shell)]
    assert left[-1] == 999
    assert left[:-1] == list(range(51 - len(left[:-1]), 51))
    assert 0 < len(left[:-1]) * _PIECE <= _LIMIT


async def test_a_message_is_lost_whole_or_not_at_all(shell: RelayedShell) -> None:
    shell.disconnect(None, "Drop")

    await write(shell, message(1, pieces=6), message(2, pieces=30), message(3, pieces=3), ENDED)

    shell.reconnect()
    assert await read(shell) == [(3, 0), (3, 1), (3, 2), (999, 0)]


async def test_a_message_that_has_begun_to_leave_is_not_lost(shell: RelayedShell) -> None:
    await write(shell, message(1, pieces=20))
    (left_already,) = shell._take(PIPELINE, _PIECE)
    shell.disconnect(None, "Drop")
    await write(shell, message(2))
    shell.reconnect()

    assert [each.number for each in fragments_in(left_already.data)] == [0]
    assert await read(shell) == [(1, number) for number in range(1, 20)]


async def test_blocked_output_waits_and_nothing_is_lost(shell: RelayedShell) -> None:
    shell.disconnect(None, "Block")
    writing = asyncio.ensure_future(write(shell, *(message(number) for number in range(1, 31)), ENDED))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not writing.done()

    shell.reconnect()

    async with asyncio.timeout(5):
        await writing
    assert [number for number, _ in await read(shell)] == [*range(1, 31), 999]


async def test_output_that_was_blocked_is_lost_when_the_mode_becomes_drop(shell: RelayedShell) -> None:
    shell.disconnect(None, "Block")
    writing = asyncio.ensure_future(write(shell, *(message(number) for number in range(1, 31)), ENDED))
    for _ in range(100):
        await asyncio.sleep(0)

    shell.disconnect(None, "Drop")

    async with asyncio.timeout(5):
        await writing
    shell.reconnect()
    left = [number for number, _ in await read(shell)]
    assert left[-1] == 999
    assert len(left) < 15


def pool_request(kind: MessageKind, text: bytes = b"") -> bytes:
    """A message of the client for the pool."""
    body = struct.pack("<II", 2, kind) + POOL.bytes_le + bytes(16) + text
    return struct.pack(">QQBI", 1, 0, 3, len(body)) + body


def object_ids(reply: bytes) -> list[int]:
    streams = etree.fromstring(reply).iter("{*}Stream")
    return [each.object_id for stream in streams for each in fragments_in(base64.b64decode(stream.text))]


def pool_message(number: int, kind: MessageKind) -> bytes:
    return message_to_client(kind, POOL, "<S>x</S>", object_id=number)


async def test_what_a_process_says_of_itself_is_one_reply_and_the_pools_state_another(shell: Any) -> None:
    """As recorded, however the process hands it over."""
    shell.feed(pool_request(MessageKind.INIT_RUNSPACEPOOL), None, "stdin")
    waiting = asyncio.create_task(shell.receive(_HEADER, None, Reader()))
    await asyncio.sleep(0)
    for number, kind in enumerate(
        (MessageKind.SESSION_CAPABILITY, MessageKind.APPLICATION_PRIVATE_DATA, MessageKind.RUNSPACEPOOL_STATE), 1
    ):
        await shell.arrived(None, pool_message(number, kind))
        await asyncio.sleep(0)
    assert object_ids(await waiting) == [1, 2]
    assert object_ids(await shell.receive(_HEADER, None, Reader())) == [3]


async def test_a_client_that_connects_hears_the_pools_capabilities_with_its_id(shell: Any) -> None:
    for number, kind in enumerate((MessageKind.SESSION_CAPABILITY, MessageKind.APPLICATION_PRIVATE_DATA), 1):
        await shell.arrived(None, pool_message(number, kind))
    shell._pool.pool_id = POOL
    answer = shell.connect(pool_request(MessageKind.CONNECT_RUNSPACEPOOL), Reader())
    pools = [uuid.UUID(bytes_le=fragment.piece[8:24]) for fragment in fragments_in(answer)]
    assert pools == [POOL, POOL]
    assert b"<S>x</S>" in answer


async def test_a_process_goes_by_the_pipelines_id_where_that_is_not_the_commands(shell: Any) -> None:
    command = uuid.uuid4()
    asked = struct.pack("<II", 2, 0x21006) + POOL.bytes_le + PIPELINE.bytes_le + b"<Obj />"
    shell.start_command(str(command), struct.pack(">QQBI", 5, 0, 3, len(asked)) + asked)
    (ended,) = ENDED
    await shell.arrived(PIPELINE, ended)
    reply = etree.fromstring(await shell.receive(_HEADER, str(command), Reader()))
    assert reply.find(".//{*}CommandState").get("State").endswith("/Done")


async def test_limits_that_are_none_are_refused_and_the_process_is_not_started(shell: Any) -> None:
    limits = b'<Obj RefId="0"><MS><I32 N="MinRunspaces">5</I32><I32 N="MaxRunspaces">4</I32></MS></Obj>'
    with pytest.raises(WSManFault, match="5 to 4 runspaces"):
        await shell.start(pool_request(MessageKind.INIT_RUNSPACEPOOL, limits))
    assert not shell._engine.started


async def test_a_client_that_tells_its_capability_first_hears_the_other_sides_first(shell: Any) -> None:
    await shell.arrived(None, pool_message(1, MessageKind.SESSION_CAPABILITY))
    assert object_ids(await shell.receive(_HEADER, None, Reader())) == [1]


@pytest.mark.parametrize("data", [b"", b"rubbish", struct.pack(">QQBI", 1, 0, 3, 500)])
async def test_a_process_sees_fragments_only(shell: Any, data: bytes) -> None:
    """Anything else would end it."""
    with pytest.raises(WSManFault):
        await shell.start(data)
    for command in (None, str(PIPELINE)):
        if data:
            with pytest.raises(WSManFault):
                shell.feed(data, command, "stdin")
        else:
            shell.feed(data, command, "stdin")
    assert not shell._engine.started
    assert shell._engine.sent == []
