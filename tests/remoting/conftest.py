"""A device to talk to: the simulated WinRM listener in a thread of its own, with a runspace that each test scripts."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.remoting import Device, Endpoint, Session
from akslite_ps.sandbox.certificates import CertificateAuthority
from akslite_ps.sandbox.engine import Account, CommandCall, ErrorInfo, PipelineFailed, PipelineRequest, Streams
from akslite_ps.sandbox.protocol.winrm import WinRMListener
from akslite_ps.secrets import SecretRef

PASSWORD = "Ox-bow-lake 7"
PATIENCE_S = 20.0

Behaviour = Callable[[CommandCall, Streams, PipelineRequest], Awaitable[None]]


@dataclass
class ScriptedRunspace:
    """Runs the pipelines of a test: behaviours by command name, everything else is not recognised."""

    behaviours: Mapping[str, Behaviour]
    requests: list[PipelineRequest]

    async def run(self, request: PipelineRequest, streams: Streams) -> None:
        self.requests.append(request)
        call = request.commands[0]
        if call.is_script:
            behaviour = self.behaviours.get("<script>")
            if behaviour is None:
                raise PipelineFailed(
                    ErrorInfo(
                        "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
                        "ScriptsNotAllowed",
                        "ParserError",
                        "System.Management.Automation.ParseException",
                    )
                )
        else:
            behaviour = self.behaviours.get(call.text)
        if behaviour is None:
            raise PipelineFailed(
                ErrorInfo(
                    f"The term '{call.text}' is not recognized as the name of a cmdlet, function or operable program.",
                    "CommandNotFoundException",
                    "ObjectNotFound",
                    "System.Management.Automation.CommandNotFoundException",
                    target=call.text,
                )
            )
        await behaviour(call, streams, request)

    def close(self) -> None:
        pass


@dataclass
class ScriptedDevice:
    """A hosted device whose commands a test defines with :meth:`command`."""

    address: str
    name: str = "press-01"
    computer_name: str = "PRESS-01"
    http_port: int = 0
    https_port: int = 0
    os_version: str = "10.0.19045.0"
    accounts: list[Account] = field(default_factory=lambda: [Account("PRESS-01", "aksadmin", PASSWORD)])
    authority: CertificateAuthority = field(default_factory=lambda: CertificateAuthority.create("Test WinRM authority"))
    configurations: tuple[str, ...] = ("Microsoft.PowerShell",)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[PipelineRequest] = field(default_factory=list)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def server_certificate(self) -> tuple[bytes, bytes]:
        pair = self.authority.issue_server("PRESS-01", addresses=[self.address])
        return pair.certificate, pair.key

    def open_runspace(self, configuration_name: str, user: str) -> ScriptedRunspace:
        if configuration_name not in self.configurations:
            raise LookupError(configuration_name)
        return ScriptedRunspace(self.behaviours, self.requests)

    def command(self, name: str) -> Callable[[Behaviour], Behaviour]:
        def add(behaviour: Behaviour) -> Behaviour:
            self.behaviours[name] = behaviour
            return behaviour

        return add


class Lab:
    """A device that listens, and how to reach it."""

    def __init__(self, tmp_path: Path) -> None:
        octets = random.SystemRandom()
        self.device = ScriptedDevice(f"127.{octets.randint(80, 250)}.{octets.randint(1, 250)}.{octets.randint(1, 250)}")
        self.password_file = tmp_path / "password"
        self.password_file.write_text(PASSWORD, encoding="utf-8")
        self.ca_file = tmp_path / "ca.pem"
        self.ca_file.write_bytes(self.device.authority.pair.certificate)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="simulated device")
        self.listener = WinRMListener(self.device)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run on the device's event loop and wait."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def soon(self, call: Callable[[], object]) -> None:
        """Call on the device's event loop."""
        self.loop.call_soon_threadsafe(call)

    def start(self) -> None:
        self.thread.start()
        self.run(self.listener.start())

    def stop(self) -> None:
        self.run(self.listener.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()

    def target(self, **changes: Any) -> Device:
        """The device as an inventory would hold it; Negotiate over HTTP unless changed."""
        transport = changes.get("transport", "http")
        endpoint: dict[str, Any] = {
            "host": self.device.address,
            "port": self.listener.https_port if transport == "https" else self.listener.http_port,
            "auth": "negotiate",
            "username": "PRESS-01\\aksadmin",
            "password": SecretRef("file", str(self.password_file)),
        }
        if transport == "https":
            endpoint["ca_file"] = self.ca_file
        return Device(name="press-01", endpoint=Endpoint(**{**endpoint, **changes}))

    @property
    def password(self) -> str:
        return PASSWORD

    def wait_for_receive(self) -> None:
        """Wait until a Receive of a client is open."""

        deadline = time.monotonic() + PATIENCE_S
        while not any(shell._receivers for shell in list(self.listener._shells._shells.values())):
            assert time.monotonic() < deadline, "no Receive came"
            time.sleep(0.005)

    def connections(self) -> list[Any]:
        """The open server sides of TCP connections."""
        server = self.listener._web
        assert server is not None
        return [connection.transport for connection in server.connections if connection.transport is not None]

    def cut(self) -> None:
        """Reset every TCP connection; shells live on."""

        async def reset() -> None:
            for transport in self.connections():
                transport.abort()

        self.run(reset())


class Relay:
    """A wire between client and device that can be made to fail at a chosen moment."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.lose_next_reply = False
        self.lose_next_request = False
        self.losses = 0
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._lab.device.address, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)

    async def _serve(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        device_reader, device_writer = await asyncio.open_connection(self._lab.device.address, self._lab.listener.http_port)
        pair = [client_writer, device_writer]
        self._writers += pair
        await asyncio.gather(
            self._pass(client_reader, device_writer, pair, "lose_next_request"),
            self._pass(device_reader, client_writer, pair, "lose_next_reply"),
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: list[asyncio.StreamWriter], flag: str
    ) -> None:
        try:
            while data := await reader.read(2**16):
                if getattr(self, flag):
                    setattr(self, flag, False)
                    self.losses += 1
                    break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        for end in pair:
            end.transport.abort()


@pytest.fixture
def relay(lab: Lab) -> Iterator[Relay]:
    """A wire to the device's HTTP listener: ``lab.target(port=relay.port)``."""
    relay = Relay(lab)
    lab.run(relay.start())
    yield relay
    lab.run(relay.stop())


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A listening device."""
    lab = Lab(tmp_path)
    lab.start()
    try:
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def session(lab: Lab) -> Iterator[Session]:
    """A session on the device: Negotiate over HTTP with message encryption."""
    with Session.open(lab.target()) as opened:
        yield opened
