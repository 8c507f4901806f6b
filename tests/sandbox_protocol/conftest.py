"""A served device whose runspace does what a test tells it, and unmodified pypsrp clients for it."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import gc
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.embedded.merging import MergingStreams
from akslite_ps.sandbox.engine import Account, CommandCall, CommandDescription, LogonSettings, PipelineRequest, Streams
from akslite_ps.sandbox.protocol.winrm import WinRMListener
from akslite_ps.sandbox.protocol.wsman_shell import Quotas

T = TypeVar("T")
Behaviour = Callable[[CommandCall, PipelineRequest, Streams], Awaitable[None]]

PASSWORD = "Str0ng:Pass,word"


async def echo(call: CommandCall, request: PipelineRequest, streams: Streams) -> None:
    """Write every argument and every input to the output."""
    for parameter in call.parameters:
        streams.output(parameter.value)
    for value in request.input or ():
        streams.output(value)


class ScriptedRunspace:
    """Runs the behaviours that the test put under a command's name."""

    def __init__(self, device: ScriptedDevice) -> None:
        self._device = device
        self.closed = False

    async def run(self, request: PipelineRequest, streams: Streams) -> None:
        self._device.requests.append(request)
        for call in request.commands:
            merging = MergingStreams(streams, call.merges, into=streams.output, errors_into=None, now=self._device.now)
            await self._device.commands[call.text](call, request, merging)

    def describe_commands(self) -> list[CommandDescription]:
        return self._device.descriptions

    def close(self) -> None:
        self.closed = True


class ScriptedDevice:
    """``engine.HostedDevice`` with the least that the listener needs."""

    def __init__(self, *, name: str = "press-01", address: str | None = None) -> None:
        self.name = name
        self.computer_name = name.upper()
        self.address = address or f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311
        self.http_port = 0
        self.https_port = 0
        self.accounts = [Account(self.computer_name, "aksadmin", PASSWORD)]
        self.os_version = "10.0.19045.0"
        self.commands: dict[str, Behaviour] = {"Echo": echo}
        self.descriptions: list[CommandDescription] = []
        self.requests: list[PipelineRequest] = []
        self.runspaces: list[ScriptedRunspace] = []
        self.certificates_asked_for = 0
        self.logon_settings = LogonSettings()
        self.logons: list[tuple[str, bool]] = []

    @functools.cached_property
    def authority(self) -> CertificateAuthority:
        return CertificateAuthority.create("Test authority")

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)

    def server_certificate(self) -> tuple[bytes, bytes]:
        self.certificates_asked_for += 1
        return self.certificate.certificate, self.certificate.key

    @functools.cached_property
    def certificate(self) -> CertificateAndKey:
        return self.authority.issue_server(self.computer_name, addresses=[self.address], dns_names=[self.computer_name])

    def note_logon(self, user: str, *, succeeded: bool) -> None:
        self.logons.append((user, succeeded))

    def strike(self, at: str) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def open_runspace(self, configuration_name: str, user: str) -> ScriptedRunspace:
        if configuration_name == "AksLite.Forbidden":
            raise PermissionError(user)
        if configuration_name != "Microsoft.PowerShell":
            raise LookupError(configuration_name)
        self.runspaces.append(ScriptedRunspace(self))
        return self.runspaces[-1]


class Served:
    """A device with its listener, in an event loop on a thread of its own.

    Args:
        device: The device.
        quotas: The service's limits.
        directory: For the authority's certificate.
    """

    def __init__(self, device: ScriptedDevice, directory: Path, quotas: Quotas | None = None) -> None:
        self.device = device
        self.ca_file = directory / f"{device.name}-ca.pem"
        self.ca_file.write_bytes(device.authority.pair.certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"serve {device.name}", daemon=True)
        self._thread.start()
        self._clients: list[WSMan] = []
        self.listener = self.call(self._make(quotas))
        self.call(self.listener.start())

    async def _make(self, quotas: Quotas | None) -> WinRMListener:
        return WinRMListener(self.device, quotas=quotas)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the device's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    def post(self, action: Callable[[], object]) -> None:
        """Do something in the device's event loop without waiting for it."""
        self._loop.call_soon_threadsafe(action)

    def client(self, **options: Any) -> WSMan:
        """A pypsrp connection: Negotiate over HTTP, unless told otherwise."""
        over_tls = bool(options.setdefault("ssl", False))
        if over_tls:
            options.setdefault("cert_validation", str(self.ca_file))
        options.setdefault("port", self.listener.https_port if over_tls else self.listener.http_port)
        options.setdefault("username", f"{self.device.computer_name}\\aksadmin")
        options.setdefault("password", PASSWORD)
        options.setdefault("operation_timeout", 10)
        options.setdefault("server", self.device.address)
        client = WSMan(**options)
        self._clients.append(client)
        return client

    def pool(self, client: WSMan | None = None, **options: Any) -> RunspacePool:
        """An open runspace pool."""
        pool = RunspacePool(client or self.client(), **options)
        pool.open()
        return pool

    def challenges(self, *, tls: bool = False) -> list[str]:
        """What the listener offers a caller without credentials."""
        port = self.listener.https_port if tls else self.listener.http_port
        url = f"http{'s' if tls else ''}://{self.device.address}:{port}/wsman"
        response = requests.post(url, verify=str(self.ca_file), timeout=5)
        assert response.status_code == 401
        return response.raw.headers.getlist("WWW-Authenticate")

    @property
    def receive_waits(self) -> bool:
        """Whether a client's Receive waits for output."""
        return any(shell._receivers for shell in self.listener.shells._shells.values())

    @property
    def shell_count(self) -> int:
        return len(self.listener.shells._shells)

    @property
    def saw_a_client_leave(self) -> bool:
        """Whether a connection closed whose request is still being served."""
        server = self.listener._web
        return server is not None and any(connection.transport is None for connection in server.connections)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.call(self.listener.stop())
        self.call(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def run(pool: RunspacePool, name: str, *arguments: Any, **parameters: Any) -> PowerShell:
    """Invoke one command to its end and release it."""
    shell = PowerShell(pool)
    shell.add_cmdlet(name)
    for argument in arguments:
        shell.add_argument(argument)
    if parameters:
        shell.add_parameters(parameters)
    shell.invoke()
    shell.close()
    return shell


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Makes served devices; closes them after the test."""
    opened: list[Served] = []

    def start(name: str = "press-01", quotas: Quotas | None = None, *, address: str | None = None) -> Served:
        opened.append(Served(ScriptedDevice(name=name, address=address), tmp_path, quotas))
        return opened[-1]

    yield start
    for served in opened:
        served.close()


@pytest.fixture
def scripted_device() -> ScriptedDevice:
    """A device that nobody serves."""
    return ScriptedDevice()


@pytest.fixture
def half_way_log_ons() -> Iterator[None]:
    """pypsrp leaves the connection of a log-on that broke off half-way to the garbage collector: it runs before the next test.

    It looks at what the test has made only; all that pytest and its plugins have in memory takes it too long.
    """
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture
def run_command() -> Callable[..., PowerShell]:
    return run
