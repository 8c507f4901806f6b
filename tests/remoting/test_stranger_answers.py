"""Something else answers than a device's WinRM service: an error of ours with what to do, soon; nothing is followed or believed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from akslite_ps.errors import AuthenticationFailed, Unreachable
from akslite_ps.remoting import Device, Endpoint, Session, http_bounds, recovery
from akslite_ps.secrets import SecretRef

PATIENCE_S = 20.0
SOAP = "application/soap+xml"

Answer = Callable[[socket.socket], bool]


class Stranger:
    """Listens in a device's place. Every request gets the same answer."""

    def __init__(self, address: str) -> None:
        self._listening = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.address = address
        self.port: int = self._listening.getsockname()[1]
        self.answer: Answer = lambda wire: False
        self.requests = 0
        self._wires: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def device(self, **changes: Any) -> Device:
        endpoint = {"host": self.address, "port": self.port, "auth": "ntlm", "username": "PRESS-01\\ops", **changes}
        return Device(name="press-01", endpoint=Endpoint(password=SecretRef("env", "STRANGER_TEST_PASSWORD"), **endpoint))

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listening.accept()
            except OSError:
                return
            self._wires.append(wire)
            thread = threading.Thread(target=self._serve, args=(wire,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket) -> None:
        with wire:
            received = b""
            try:
                while data := wire.recv(65536):
                    received += data
                    head, end, body = received.partition(b"\r\n\r\n")
                    length = next(
                        (int(n.split(b":")[1]) for n in head.split(b"\r\n") if n.lower().startswith(b"content-length")), 0
                    )
                    if end and len(body) >= length:
                        received = body[length:]
                        self.requests += 1
                        if not self.answer(wire):
                            return
            except OSError:
                return


def always(answer: bytes) -> Answer:
    def send(wire: socket.socket) -> bool:
        wire.sendall(answer)
        return not answer.startswith(b"SSH")

    return send


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stranger]:
    monkeypatch.setenv("STRANGER_TEST_PASSWORD", "Ox-bow-lake 7")
    stranger = Stranger("127.0.0.1")
    yield stranger
    stranger.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(200), "does not ask to log on"),
        (http(200, b"<html>Welcome</html>", "Content-Type: text/html"), "does not ask to log on"),
        (http(500, "<a/>".encode("utf-16"), f"Content-Type: {SOAP}"), "HTTP 500"),
        (http(500, b"<a/>", f"Content-Type: {SOAP}"), "HTTP 500"),
        (http(404), "HTTP 404"),
        (http(407), "HTTP 407"),
        (http(503, b"", "Retry-After: 1"), "WinRM service is not running"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not answer as a web service"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "not answer as a web service"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "not answer as a web service"),
    ],
)
def test_what_is_no_winrm_service_is_told_as_such(stranger: Stranger, answer: bytes, said: str) -> None:
    stranger.answer = always(answer)

    with pytest.raises(Unreachable, match=said) as caught:
        Session.open(stranger.device())

    assert caught.value.device == "press-01"
    assert caught.value.attempted == "open a session"
    assert caught.value.next_action


@pytest.mark.parametrize("token", ["!!!!", "TlRMTVNTUAACAAAA", "QUFBQQ=="])
def test_a_log_on_that_makes_no_sense_is_told_as_such(stranger: Stranger, token: str) -> None:
    stranger.answer = always(http(401, b"", f"WWW-Authenticate: NTLM {token}"))

    with pytest.raises(AuthenticationFailed) as caught:
        Session.open(stranger.device())

    assert caught.value.next_action


def test_no_redirection_is_followed(stranger: Stranger) -> None:
    other = Stranger("127.0.0.1")
    other.answer = always(http(200))
    stranger.answer = always(http(307, b"", f"Location: http://127.0.0.1:{other.port}/wsman"))

    with pytest.raises(Unreachable, match="another address"):
        Session.open(stranger.device())

    other.close()
    assert other.requests == 0


def test_an_answer_that_trickles_is_given_up(stranger: Stranger) -> None:
    gone = threading.Event()

    def trickle(wire: socket.socket) -> bool:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while not gone.wait(0.02):
                wire.sendall(b"x")
        except OSError:
            pass
        return False

    stranger.answer = trickle
    try:
        with pytest.raises(Unreachable, match=r"went silent|did not end"):
            Session.open(stranger.device(), open_timeout_s=0.2)
    finally:
        gone.set()


def test_an_answer_without_end_does_not_fill_the_memory(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_bounds, "LONGEST_ANSWER_BYTES", 1024 * 1024)

    def endless(wire: socket.socket) -> bool:
        wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            wire.sendall(b"<" * 65536)

    stranger.answer = endless
    with pytest.raises(Unreachable, match="longer than 1 MiB"):
        Session.open(stranger.device())


def test_an_answer_in_clear_is_not_believed_where_messages_are_encrypted(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_PAUSES_S", (0.01,))

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    forged = requests.Response()
    forged.status_code, forged._content = 200, b"<s:Envelope/>"
    forged.headers["Content-Type"] = SOAP
    with Session.open(lab.target()) as session:
        transport: Any = session._pool.connection.transport
        broken = transport.session

        def answer_in_between(*_: Any, **__: Any) -> requests.Response:
            transport._last_response = forged
            return forged

        broken.send = answer_in_between
        assert session.invoke("Get-Greeting").output == ["hello"]
        assert transport.session is not broken
    assert len(lab.device.requests) == 1


def test_a_device_may_have_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    monkeypatch.setenv("STRANGER_TEST_PASSWORD", "Ox-bow-lake 7")
    try:
        stranger = Stranger("::1")
    except OSError:
        pytest.skip("this machine has no ::1")
    stranger.answer = always(http(503))
    with pytest.raises(Unreachable, match=r"http://\[::1\]:\d+/wsman answered HTTP 503"):
        Session.open(stranger.device())
    stranger.close()
