"""A device to talk to: the simulated WinRM listener in a thread of its own, with a runspace that each test scripts."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import random
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import RemotingError
from akslite_ps.remoting import Device, Endpoint, Session, recovery
from akslite_ps.sandbox import FAULT_KINDS, LocalSandbox
from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.engine import Account, CommandCall, ErrorInfo, LogonSettings, PipelineFailed, PipelineRequest, Streams
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
    logon_settings: LogonSettings = field(default_factory=LogonSettings)
    logons: list[tuple[str, bool]] = field(default_factory=list)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def server_certificate(self) -> tuple[bytes, bytes]:
        return self.certificate.certificate, self.certificate.key

    @functools.cached_property
    def certificate(self) -> CertificateAndKey:
        return self.authority.issue_server("PRESS-01", addresses=[self.address])

    def note_logon(self, user: str, *, succeeded: bool) -> None:
        self.logons.append((user, succeeded))

    def strike(self, at: str) -> Mapping[str, Mapping[str, Any]]:
        return {}

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
        while not any(shell._receivers for shell in list(self.listener.shells._shells.values())):
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


class FaultyDevice:
    """A device of a sandbox with its fault switch, whose commands a test defines with :meth:`command`.

    Args:
        sandbox: With one device.
    """

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.sandbox = sandbox
        (self.shown,) = sandbox.devices
        self.simulated = sandbox.device(self.shown.name)
        self.behaviours: dict[str, Behaviour] = {"Count-Up": self._count}
        self.requests: list[PipelineRequest] = []
        self.asked: list[str] = []
        self.struck_at: int | None = None
        self.hold = threading.Event()
        self._strike = self.simulated.strike
        replaced: Any = self.simulated
        replaced.open_runspace = lambda configuration, user: ScriptedRunspace(self.behaviours, self.requests)
        replaced.strike = self._watch

    def command(self, name: str) -> Callable[[Behaviour], Behaviour]:
        def add(behaviour: Behaviour) -> Behaviour:
            self.behaviours[name] = behaviour
            return behaviour

        return add

    def fault(self, name: str, **how: Any) -> None:
        """Switch a fault on."""
        if self.struck_at is None and "at" not in how and FAULT_KINDS[name].form != "strike":
            self.struck_at = len(self.asked)
        self.sandbox.add_fault(self.shown.name, name, **how)

    def clear(self) -> None:
        """Switch every fault off."""
        self.sandbox.clear_faults(self.shown.name)

    def target(self, **changes: Any) -> Device:
        """The device as an inventory would hold it; Negotiate over HTTP unless changed."""
        over_tls = changes.get("transport") == "https"
        endpoint: dict[str, Any] = {
            "host": self.shown.address,
            "port": self.shown.https_port if over_tls else self.shown.http_port,
            "auth": "negotiate",
            "username": self.shown.username,
            "password": SecretRef("file", str(self.shown.password_file)),
        }
        if over_tls:
            endpoint["ca_file"] = self.shown.ca_file
        return Device(name=self.shown.name, endpoint=Endpoint(**{**endpoint, **changes}))

    def wait_until_up(self) -> None:
        """Wait until the device listens again."""

        def listens() -> bool:
            try:
                socket.create_connection((self.shown.address, self.shown.http_port), 1).close()
            except OSError:
                return False
            return True

        wait_until(listens, "the device did not come up again")

    @property
    def after_the_strike(self) -> list[str]:
        """What the client asked for since the first fault struck, each thing once."""
        return list(dict.fromkeys(self.asked[self.struck_at :])) if self.struck_at is not None else []

    def wait_for(self, moment: str, count: int = 1) -> None:
        """Wait until the client has asked for something so often."""
        wait_until(lambda: self.asked.count(moment) >= count, f"the client did not ask for {moment}")

    async def _count(self, call: CommandCall, streams: Streams, request: PipelineRequest) -> None:
        """Write the numbers from 1 to Count; behind number HoldAt wait for ``hold``."""
        given = {parameter.name: parameter.value for parameter in call.parameters}
        with self.simulated.working():
            for number in range(1, given["Count"] + 1):
                streams.output(number)
                await asyncio.sleep(0.01)
                # The event is a thread's: the test sets it.
                while number == given.get("HoldAt") and not self.hold.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    def _watch(self, at: str) -> Mapping[str, Mapping[str, Any]]:
        before = {fault.name for fault in self.simulated.state.faults if fault.at is not None}
        struck = self._strike(at)
        begun = any(fault.name in before and fault.at is None for fault in self.simulated.state.faults)
        self.asked.append(at)
        if self.struck_at is None and (struck or begun):
            self.struck_at = len(self.asked)
        return struck


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.005)


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyDevice]:
    """A device with a fault switch; ten of its minutes pass in a second, and the client pauses less between attempts."""
    monkeypatch.setattr(recovery, "_PAUSES_S", (0.02, 0.05, 0.1, 0.2))
    with LocalSandbox(tmp_path / "sandbox", speed=600) as sandbox:
        device = FaultyDevice(sandbox)
        yield device
        device.hold.set()


_HEAD = """# Fault matrix

What can go wrong between akslite-ps and a device, what akslite-ps does then, and how the command under way ends. Each row is what
tests saw on a simulated device with that fault switched on: `akslite sandbox fault add DEVICE FAULT --at MOMENT`.

The outcomes:

- **ok**: the command ran once, and every record arrived once and in order. There was a pause, no more.
- **not started**: the device did not start the command. Do what the error says, then run it again.
- **ended, result unknown**: the command ran and runs no more. Read the device's state before anything is sent again.
- **unknown**: the command was sent; it may still run. Read the device's state before anything is sent again.

akslite-ps never sends a command a second time unless the device has said that it does not have it. A broken way to the device is
tried again for five minutes; where messages are encrypted, each new connection logs on anew. A device or a WinRM service that
restarts has lost its sessions, and what ran in them has ended.

## At a glance

| Fault | What happens | How the command ends |
|---|---|---|
"""
_DETAIL = """
## In detail

| Fault | Strikes at | Connection | What akslite-ps did | What you see | Outcome |
|---|---|---|---|---|---|
"""
_STEPS = {
    "get": "asked for the session",
    "enumerate": "asked whether the command had arrived",
    "reconnect": "took the session up again",
    "command": "sent the command",
    "send": "sent the answer again",
    "receive": "asked for the output again",
}


class FaultMatrix:
    """Collects what the tests saw; the document must say the same."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, ...]] = set()

    def note(self, fault: str, moment: str, way: str, device: FaultyDevice, seen: Any) -> None:
        """Note what became of an invocation.

        Args:
            fault: In the words of the fault switch.
            moment: When it struck.
            way: How the client was connected.
            device: Saw what the client did.
            seen: The result, or the error.
        """
        did = ", ".join(step for asked in device.after_the_strike if (step := _STEPS.get(asked)))
        if isinstance(seen, RemotingError):
            outcome = f"{type(seen).__name__}: {seen.fate}"
            told = re.sub(r":\d+", ":PORT", seen.message.partition("; the command")[0]).replace(device.shown.address, "DEVICE")
        else:
            outcome, told = "ok", "a pause" if did else "nothing"
        self.seen.add((f"`{fault}`", moment, did or "nothing more", told, outcome, way))

    def text(self) -> str:
        """The document."""
        ways: dict[tuple[str, ...], list[str]] = {}
        ends: dict[str, dict[str, list[str]]] = {}
        for fault, moment, did, told, outcome, way in sorted(self.seen):
            ways.setdefault((fault, moment, did, told, outcome), []).append(way)
            moments = ends.setdefault(fault.strip("`").split()[0], {}).setdefault(outcome.rpartition(": ")[2], [])
            moments.extend([] if moment in moments else [moment])
        detail = ((fault, moment, ", ".join(by), *rest) for (fault, moment, *rest), by in ways.items())
        glance = ((f"`{fault}`", FAULT_KINDS[fault].summary, _ends(by)) for fault, by in ends.items())
        return _HEAD + _table(glance) + _DETAIL + _table(detail)

    def read(self, document: str) -> set[tuple[str, ...]]:
        """What a document says was seen."""
        rows = (line.strip("| ").split(" | ") for line in document.partition(_DETAIL)[2].splitlines())
        return {(fault, moment, *rest, way) for fault, moment, ways, *rest in rows for way in ways.split(", ")}


def _ends(by_outcome: dict[str, list[str]]) -> str:
    if len(by_outcome) == 1:
        return next(iter(by_outcome))
    return "; ".join(f"{outcome} (at: {', '.join(moments)})" for outcome, moments in by_outcome.items())


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


_matrix = FaultMatrix()


@pytest.fixture
def matrix() -> FaultMatrix:
    """Where a test notes what it saw for the fault matrix."""
    return _matrix
