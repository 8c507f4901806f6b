"""Clients that send rubbish: a proper refusal, nothing kept of it, and the device goes on."""

from __future__ import annotations

import asyncio
import struct
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psrpcore import ClientRunspacePool
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell

from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_inbox import Inbox, ProtocolViolation
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault

_FRAGMENT = struct.Struct(">QQBI")
_POOL = uuid.UUID(int=7)
_START, _END = 1, 2


def fragment(data: bytes, *, object_id: int = 1, number: int = 0, flags: int = _START | _END, length: int | None = None) -> bytes:
    return _FRAGMENT.pack(object_id, number, flags, len(data) if length is None else length) + data


def message(kind: int, text: str = "", *, destination: int = 2, pool: uuid.UUID = _POOL, pipeline: int = 0) -> bytes:
    return struct.pack("<II", destination, kind) + pool.bytes_le + uuid.UUID(int=pipeline).bytes_le + text.encode()


def new_pool() -> PsrpPool:
    return PsrpPool(computer="PRESS-01", user="u", os_version="10.0.19045.0", process_id=7, buffer_limit=1_000)


def opened() -> tuple[ClientRunspacePool, PsrpPool]:
    client, server = ClientRunspacePool(runspace_pool_id=_POOL), new_pool()
    client.open()
    server.receive(said(client))
    server.opened()
    return client, server


def said(client: ClientRunspacePool) -> bytes:
    data = b""
    while (payload := client.data_to_send()) is not None:
        data += payload.data
    return data


MESSAGE = message(0x21007, '<Obj RefId="0"><MS><I64 N="ci">1</I64></MS></Obj>')


def test_fragments_are_joined_to_the_message_they_came_from():
    inbox = Inbox()
    one = [
        fragment(MESSAGE[:50], flags=_START),
        fragment(MESSAGE[50:60], number=1, flags=0),
        fragment(MESSAGE[60:], number=2, flags=_END),
    ]
    other = [fragment(MESSAGE[:45], object_id=2, flags=_START), fragment(MESSAGE[45:], object_id=2, number=1, flags=_END)]
    assert inbox.add(one[0] + other[0]) == []
    assert inbox.add(one[1]) == []
    found = inbox.add(other[1] + one[2])
    assert [each.body for each in found] == [MESSAGE[40:]] * 2
    assert inbox.add(fragment(MESSAGE) + fragment(MESSAGE, object_id=2))[1].pool_id == _POOL


@pytest.mark.parametrize(
    "data",
    [
        b"short",
        fragment(MESSAGE)[:-1],
        fragment(MESSAGE, length=2**31),
        fragment(b""),
        fragment(MESSAGE, flags=0x80 | _START | _END),
        fragment(MESSAGE, number=1),
        fragment(MESSAGE, number=5, flags=_END),
        fragment(MESSAGE, flags=_END),
        fragment(MESSAGE, flags=_START) * 2,
        fragment(MESSAGE, flags=_START) + fragment(MESSAGE, number=2, flags=_END),
        fragment(MESSAGE[:30]),
        fragment(message(0x21007, destination=1)),
        b"".join(fragment(MESSAGE, object_id=number, flags=_START) for number in range(100)),
    ],
)
def test_fragments_that_do_not_fit_are_refused_and_forgotten(data):
    inbox = Inbox()
    with pytest.raises(ProtocolViolation):
        inbox.add(data)
    assert len(inbox.add(fragment(MESSAGE, object_id=9))) == 1


def test_a_message_that_is_too_large_is_refused_before_it_is_whole():
    one = b"".join(fragment(b"x" * 100, number=number, flags=_START if number == 0 else 0) for number in range(11))
    many = b"".join(fragment(b"x" * 100, object_id=number, flags=_START) for number in range(11))
    for data in (one, many):
        with pytest.raises(ProtocolViolation, match="maximum object size is 1000"):
            Inbox(object_limit=1_000).add(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 2))
def test_no_bytes_bring_the_inbox_down(data, flags, number):
    inbox = Inbox()
    for each in (data, fragment(data, flags=flags, number=number)):
        try:
            inbox.add(each)
        except ProtocolViolation:
            assert inbox._unfinished == {}


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        (0x99999, "<S />", "no message type 0x99999"),
        (0x21007, "<What />", "no element What"),
        (0x21007, "rubbish", "well-formed"),
        (0x21007, '<!DOCTYPE a [<!ENTITY b "b">]><S>&b;</S>', "declarations"),
        (0x21007, "<S>no object</S>", "no object"),
        (0x21007, '<Obj RefId="0"><MS><S N="ci">1</S></MS></Obj>', "no whole number"),
        (0x21007, '<Obj RefId="0"><MS><S N="cj">1</S></MS></Obj>', "has no ci"),
        (0x21002, '<Obj RefId="0"><MS><I64 N="ci">1</I64></MS></Obj>', "has no MaxRunspaces"),
        (0x21006, '<Obj RefId="0"><MS><B N="NoInput">true</B></MS></Obj>', "no object"),
        (0x21006, "<Nil />", "no object"),
        (0x2100A, '<Obj RefId="0"><MS><Nil N="Name" /></MS></Obj>', "for no pipeline"),
        (0x41002, "<I32>1</I32>", "for no pipeline"),
        (0x41003, "", "for no pipeline"),
        (0x10004, '<Obj RefId="0"><MS /></Obj>', "no MinRunspaces"),
        (0x10002, '<Obj RefId="0"><MS><Version N="protocolversion">3.0</Version></MS></Obj>', "protocol 3.0"),
        (0x10002, '<Obj RefId="0"><MS><S N="protocolversion">2.3</S></MS></Obj>', "no protocolversion"),
        (0x10005, '<Obj RefId="0"><MS><S N="PublicKey">AAAA</S></MS></Obj>', "public key"),
        (0x41101, '<Obj RefId="0"><MS><I64 N="ci">1</I64><SS N="mr">AAAA</SS></MS></Obj>', "session key"),
    ],
)
def test_messages_that_are_not_what_they_say_are_refused(kind, text, complaint):
    _, server = opened()
    with pytest.raises(ProtocolViolation, match=complaint):
        server.receive(fragment(message(kind, text), object_id=50))
    assert server.receive(fragment(MESSAGE, object_id=51)) == [events.AvailabilityRequested(1)]


def test_messages_in_the_wrong_order_or_for_another_pool_are_refused():
    client = ClientRunspacePool(runspace_pool_id=_POOL)
    client.open()
    opening = said(client)
    capability = opening[: _FRAGMENT.size + _FRAGMENT.unpack_from(opening)[3]]
    init = opening[len(capability) :]
    for early in (fragment(MESSAGE), init):
        with pytest.raises(ProtocolViolation):
            new_pool().receive(early)
    _, server = opened()
    with pytest.raises(ProtocolViolation, match="opened once"):
        server.receive(init)
    with pytest.raises(ProtocolViolation, match="is for runspace pool"):
        server.receive(fragment(message(0x21007, pool=uuid.UUID(int=8)), object_id=60))


def test_a_pipeline_without_commands_is_refused():
    _, server = opened()
    text = (
        '<Obj RefId="0"><MS><B N="NoInput">true</B><Obj N="HostInfo" RefId="1"><MS /></Obj><Obj N="PowerShell" RefId="2"><MS>'
        '<Obj N="Cmds" RefId="3"><LST /></Obj></MS></Obj></MS></Obj>'
    )
    with pytest.raises(ProtocolViolation, match="no command"):
        server.receive(fragment(message(0x21006, text, pipeline=3), object_id=70))


def test_messages_that_only_a_server_sends_are_left_alone(caplog):
    _, server = opened()
    assert server.receive(fragment(message(0x41004, "<S>output</S>", pipeline=5), object_id=80)) == []
    assert "has no use for" in caplog.text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_no_text_brings_the_reader_of_envelopes_down(text):
    for data in (
        text.encode(),
        b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'>" + text.encode() + b"</s:Envelope>",
    ):
        with pytest.raises(wsman.RefusedRequest):
            wsman.parse_request(data)


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "lollollol">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    "data",
    [
        (BOMB + '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>&i;</s:Body></s:Envelope>').encode(),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&a;</a>',
        ('<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>' + "<a>" * 100_000).encode(),
        b"\x00" * 1_000,
        b"<a/>",
    ],
    ids=["billion laughs", "external", "deep", "zeros", "another root"],
)
def test_envelopes_made_to_hurt_get_a_fault_and_the_device_goes_on(served, run_command, data):
    with served.client() as client, pytest.raises(WinRMTransportError) as caught:
        client.transport.send(data)
    assert caught.value.code == 500
    assert 'Code="2150858817"' in caught.value.response_text
    with served.pool() as pool:
        assert run_command(pool, "Echo", "still here").output == ["still here"]


def test_rubbish_in_a_running_session_is_refused_and_its_commands_go_on(served):
    release = asyncio.Event()

    async def wait(call: Any, request: Any, streams: Any) -> None:
        await release.wait()
        streams.output("done")

    served.device.commands["Wait"] = wait
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Wait")
        shell.begin_invoke()
        for rubbish in (b"rubbish", fragment(message(0x99999), object_id=90), fragment(message(0x21006), object_id=91)):
            with pytest.raises(WSManFaultError) as caught:
                pool.shell.send("stdin", rubbish)
            assert caught.value.code == 2150858817
        served.post(release.set)
        assert shell.end_invoke() == ["done"]
        shell.close()


def test_a_command_that_is_rubbish_leaves_nothing_behind(served, run_command):
    with served.pool() as pool:
        shell = next(iter(served.listener.shells._shells.values()))
        with pytest.raises(WSManFault) as caught:
            served.call(_start(shell))
        assert caught.value.code == 2150858817
        assert shell.commands == {}
        assert run_command(pool, "Echo", 1).output == [1]


async def _start(shell: Any) -> None:
    shell.start_command(str(uuid.uuid4()), b"rubbish" * 10)
