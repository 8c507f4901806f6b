"""What passes between the listener and a PowerShell process, without either: packets, fragments, values."""

from __future__ import annotations

import base64
import datetime as dt
import struct
import uuid
from decimal import Decimal
from typing import Any

import pytest

from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version
from akslite_ps.sandbox.protocol.fragments import MessageKind, MessageWatch, NotFragments, message_to_client
from akslite_ps.sandbox.pwsh import wire
from akslite_ps.sandbox.pwsh.packets import NotAPacket, Packet, read_packet

POOL = uuid.UUID("0f3b0a5c-6e65-4f0e-9d0c-8f6f8a4b2c11")
PIPELINE = uuid.UUID("9d9ab0a1-7a53-4f3c-8f5d-1b2e7c1f0a22")


@pytest.mark.parametrize(
    "packet",
    [
        Packet("Data", None, b"\x00fragment\xff"),
        Packet("Data", PIPELINE, b"answer", answers_prompt=True),
        Packet("Data", PIPELINE),
        Packet("Command", PIPELINE),
        Packet("SignalAck", PIPELINE),
        Packet("Close"),
    ],
)
def test_a_packet_is_read_as_it_was_written(packet: Packet) -> None:
    assert read_packet(packet.line()) == packet


def test_packets_have_the_form_of_the_out_of_process_protocol() -> None:
    assert Packet("Data", PIPELINE, b"abc").line() == f"<Data Stream='Default' PSGuid='{PIPELINE}'>YWJj</Data>\n".encode()
    assert Packet("Close").line() == b"<Close PSGuid='00000000-0000-0000-0000-000000000000' />\n"
    assert read_packet(b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000' />\r\n") == Packet("DataAck")


@pytest.mark.parametrize("line", [b"", b"Hello", b"<Data PSGuid='x'/>", b"<Other PSGuid='" + str(POOL).encode() + b"' />"])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(NotAPacket):
        read_packet(line)


def fragments(object_id: int, body: bytes, size: int) -> list[bytes]:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    last = len(pieces) - 1
    return [
        struct.pack(">QQBI", object_id, number, (number == 0) | 2 * (number == last), len(piece)) + piece
        for number, piece in enumerate(pieces)
    ]


def body(kind: MessageKind, text: str) -> bytes:
    return struct.pack("<II", 1, kind) + POOL.bytes_le + PIPELINE.bytes_le + b"\xef\xbb\xbf" + text.encode()


def test_messages_are_told_when_their_last_fragment_has_passed() -> None:
    watch = MessageWatch()
    state = fragments(8, body(MessageKind.PIPELINE_STATE, "<Obj>" + "x" * 300), 100)
    call = fragments(9, body(MessageKind.PIPELINE_HOST_CALL, "<Obj>call</Obj>"), 500)
    assert watch.see(state[0]) == []
    assert [message.kind for message in watch.see(call[0])] == [MessageKind.PIPELINE_HOST_CALL]
    for piece in state[1:-1]:
        assert watch.see(piece) == []
    (ended,) = watch.see(state[-1])
    assert (ended.kind, ended.pool_id) == (MessageKind.PIPELINE_STATE, POOL)
    assert ended.beginning.startswith(b"<Obj>xxx")


def test_several_fragments_in_one_packet_are_several_messages() -> None:
    first = message_to_client(MessageKind.SESSION_CAPABILITY, POOL, "<Obj/>", object_id=1)
    second = message_to_client(MessageKind.RUNSPACEPOOL_INIT_DATA, POOL, "<Obj/>", object_id=2)
    assert [message.kind for message in MessageWatch().see(first + second)] == [
        MessageKind.SESSION_CAPABILITY,
        MessageKind.RUNSPACEPOOL_INIT_DATA,
    ]


@pytest.mark.parametrize("cut", [1, 20, 21, 60])
def test_bytes_that_are_no_fragments_are_refused(cut: int) -> None:
    whole = message_to_client(MessageKind.SESSION_CAPABILITY, POOL, "<Obj/>", object_id=1)
    with pytest.raises(NotFragments):
        MessageWatch().see(whole[:cut])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        2**40,
        2.5,
        "two\nlines, 'quotes' and \U0001f600",
        Decimal("1.50"),
        dt.datetime(2026, 11, 22, 6, 30, 0, 250_000, tzinfo=dt.UTC),
        dt.timedelta(seconds=90),
        uuid.UUID(int=7),
        b"\x00\x01",
        Version("5.1.19041.1"),
    ],
)
def test_primitives_keep_their_type_on_the_line(value: Any) -> None:
    line = wire.encode(value)
    assert not set(line) & set(" \r\n")
    assert wire.decode(line) == value


def test_what_is_no_primitive_says_what_it_is() -> None:
    status = EnumValue("System.ServiceProcess.ServiceControllerStatus", 4, "Running")
    service = PsValue({"Name": "vmms", "Status": status, "Ports": [1, 2]}, ("Some.Service",), "vmms")
    told = wire.decode(wire.encode([service, {"a": 1}, SecureText("secret")]))
    assert told[0] == "list"
    kind, names, text, *members = told[1]
    assert (kind, names, text) == ("object", ["list", "Some.Service"], "vmms")
    assert members[:3] == ["Name", "vmms", "Status"]
    assert members[3][:3] == ["enum", status.type_name, 4]
    assert dict(zip(members[3][3::2], members[3][4::2], strict=True))["Stopped"] == 1
    assert members[5] == ["list", 1, 2]
    assert told[2:] == [["table", "a", 1], ["secure", "secret"]]


def test_a_secret_that_powershell_sends_is_one() -> None:
    credential = (
        '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><MS>'
        '<S N="UserName">somebody</S><Obj N="Password" RefId="1"><MS><S N="AksLiteSecret">s3cret</S></MS></Obj>'
        "</MS></Obj></Objs>"
    )
    given = wire.decode(base64.b64encode(credential.encode()).decode())
    assert given.properties == {"UserName": "somebody", "Password": SecureText("s3cret")}
