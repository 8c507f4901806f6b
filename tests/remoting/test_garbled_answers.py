"""A device whose answers are damaged: an error of ours that says what is known, at once; what can be read is read."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.errors import AksLiteError, CommandFate, SessionLost, Unreachable
from akslite_ps.remoting import PsObject, Session
from akslite_ps.remoting.transport import Transport

Damage = Callable[[bytes], bytes]


def fragments(damage: Damage) -> Damage:
    """Damage to what the first stream of an answer carries."""

    def damaged(answer: bytes) -> bytes:
        stream = re.search(rb"(<rsp:Stream[^>]*>)([^<]+)", answer)
        if stream is None:
            return answer
        return answer[: stream.start(2)] + base64.b64encode(damage(base64.b64decode(stream[2]))) + answer[stream.end(2) :]

    return damaged


OF_THE_ANSWER: dict[str, Damage] = {
    "empty": lambda answer: b"",
    "cut off": lambda answer: answer[:-30],
    "another document": lambda answer: b"<html/>",
    "another's": lambda answer: re.sub(rb"RelatesTo>[^<]*<", b"RelatesTo>uuid:0<", answer),
    "without body": lambda answer: re.sub(rb"<s:Body>.*</s:Body>", b"", answer, flags=re.DOTALL),
    "cut in base64": lambda answer: re.sub(rb"(<rsp:Stream[^>]*>..)[^<]+", rb"\1xyz", answer),
}
OF_THE_FRAGMENTS: dict[str, Damage] = {
    "cut off": fragments(lambda data: data[: len(data) // 2]),
    "cut in the header": fragments(lambda data: data[:10]),
    "a length beyond the end": fragments(lambda data: data[:17] + struct.pack(">I", 2**31 - 1) + data[21:]),
}


@pytest.fixture
def damage(lab: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Damage, bytes], None]:
    """Damages the answers to requests that hold the given text, from now on."""

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    send = Transport.send

    def to(how: Damage, where: bytes) -> None:
        def damaged(self: Transport, message: bytes, **options: Any) -> bytes:
            answer = send(self, message, **options)
            return how(answer) if where in message else answer

        monkeypatch.setattr(Transport, "send", damaged)

    return to


@pytest.mark.parametrize("kind", [*OF_THE_ANSWER, *(f"fragments {name}" for name in OF_THE_FRAGMENTS)])
def test_a_damaged_answer_ends_the_command_with_what_is_known(lab: Any, damage: Any, kind: str) -> None:
    with Session.open(lab.target()) as session:
        damage({**OF_THE_ANSWER, **{f"fragments {name}": how for name, how in OF_THE_FRAGMENTS.items()}}[kind], b"shell/Receive<")
        with pytest.raises(SessionLost) as caught:
            session.invoke("Get-Greeting")

    assert caught.value.fate is CommandFate.UNKNOWN
    assert caught.value.device == "press-01"
    assert caught.value.next_action


@pytest.mark.parametrize(
    "how",
    [
        *OF_THE_ANSWER.values(),
        *OF_THE_FRAGMENTS.values(),
        fragments(lambda data: data[:64] + b"<" * (len(data) - 64)),
        fragments(lambda data: data[:64] + b"\xff" * (len(data) - 64)),
        fragments(lambda data: data[:25] + b"\x99" * 4 + data[29:]),
    ],
)
def test_a_damaged_answer_while_a_session_opens_is_told(lab: Any, damage: Any, how: Damage) -> None:
    damage(how, b"/")
    with pytest.raises(AksLiteError) as caught:
        Session.open(lab.target(), open_timeout_s=5)

    assert isinstance(caught.value, Unreachable)
    assert caught.value.attempted == "open a session"
    assert caught.value.next_action


@pytest.mark.parametrize("fault", ["end", "middle"])
def test_a_record_that_is_not_whole_is_no_result(lab: Any, damage: Any, fault: str) -> None:
    def torn(data: bytes) -> bytes:
        if fault == "end":
            return data[:16] + bytes([data[16] & ~2]) + data[17:]
        object_id, size = data[:8], len(data) - 21
        first = object_id + struct.pack(">QBI", 0, 1, 40) + data[21:61]
        return first + object_id + struct.pack(">QBI", 2, 2, size - 40) + data[61:]

    with Session.open(lab.target()) as session:
        damage(fragments(torn), b"shell/Receive<")
        with pytest.raises(SessionLost, match=r"in the middle of a record|a fragment is missing"):
            session.invoke("Get-Greeting")


def test_a_record_that_is_no_clixml_keeps_its_text(lab: Any, damage: Any) -> None:
    with Session.open(lab.target()) as session:
        damage(fragments(lambda data: data[:64] + b"<" * (len(data) - 64)), b"shell/Receive<")
        (value,) = session.invoke("Get-Greeting").output

    assert isinstance(value, PsObject)
    assert "<<<" in str(value)
