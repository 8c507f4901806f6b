"""One device without a WinRM listener, and runspaces in its session configurations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace
from akslite_ps.sandbox.engine import CommandCall, ErrorInfo, Parameter, PipelineFailed, PipelineRequest, Progress
from akslite_ps.sandbox.supervisor import Sandbox


@dataclass
class Heard:
    """What a pipeline wrote, what it asked, and how it ended. ``answers`` plays the client's host, in order."""

    answers: list[Any] = field(default_factory=list)
    output: list[Any] = field(default_factory=list)
    errors: list[ErrorInfo] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    asked: list[tuple[str, list[Any]]] = field(default_factory=list)
    failed: ErrorInfo | None = None

    def error(self, error: ErrorInfo) -> None:
        self.errors.append(error)

    def warning(self, message: str) -> None:
        self.messages.append(f"warning: {message}")

    def verbose(self, message: str) -> None:
        self.messages.append(f"verbose: {message}")

    def debug(self, message: str) -> None:
        self.messages.append(f"debug: {message}")

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        self.messages.append(message)

    def progress(self, progress: Progress) -> None:
        self.messages.append(f"progress: {progress.activity}")

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if method.startswith("Write"):
            self.messages.append(arguments[0])
            return None
        self.asked.append((method, list(arguments)))
        if method.startswith("Set"):
            return None
        if not self.answers:
            raise PipelineFailed(ErrorInfo("Nobody can be asked.", "HostFunctionNotImplemented", "NotImplemented"))
        return self.answers.pop(0)


class _Written:
    """Heard, with the method that its field of the same name would hide."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return self._heard.output.append if name == "output" else getattr(self._heard, name)


class Desk:
    """A device, and pipelines on it."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.runspace = self.open()

    def open(self, configuration: str = "Microsoft.PowerShell", user: str = "aksadmin") -> EmbeddedRunspace:
        runspace = self.device.open_runspace(configuration, user)
        assert isinstance(runspace, EmbeddedRunspace)
        return runspace

    async def text(self, text: str, *, answers: Sequence[Any] = (), runspace: EmbeddedRunspace | None = None) -> Heard:
        """Send script text, to the one runspace that keeps its variables unless told otherwise."""
        return await self.run(CommandCall(text, is_script=True), answers=answers, runspace=runspace)

    async def run(
        self,
        *calls: CommandCall,
        answers: Sequence[Any] = (),
        runspace: EmbeddedRunspace | None = None,
        given: Sequence[Any] | None = None,
    ) -> Heard:
        """Send commands joined by pipes."""
        heard = Heard(list(answers))
        streams: Any = _Written(heard)
        try:
            await (runspace or self.runspace).run(PipelineRequest(calls, given), streams)
        except PipelineFailed as failed:
            heard.failed = failed.error
        return heard

    @staticmethod
    def call(name: str, *arguments: Any, **named: Any) -> CommandCall:
        parameters = [Parameter(None, value) for value in arguments] + [Parameter(key, value) for key, value in named.items()]
        return CommandCall(name, parameters)


class NoListener:
    """Takes the place of the WinRM service."""

    http_port = 5985
    https_port = 5986

    async def start(self) -> None: ...
    async def stop(self, *, abort: bool = False) -> None: ...
    async def follow_network(self, away: str | None) -> None: ...
    def cut(self) -> None: ...


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    sandbox = Sandbox(tmp_path / "sandbox", speed=20000.0, make_listener=lambda _device: NoListener())
    await sandbox.start()
    sandbox.choose(name_prefix="press", address_base="127.83.1.0", free_ports=True)
    device = await sandbox.add_device(sandbox.next_spec())
    try:
        yield Desk(device)
    finally:
        await sandbox.stop()


@pytest.fixture
async def installed(desk: Desk) -> Desk:
    """The product is installed."""
    assert (await desk.run(desk.call("Enable-AksLiteHostFeatures"))).failed is None
    await desk.device.reboot()
    done = await desk.run(desk.call("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi"))
    assert done.output[0].properties["ExitCode"] == 0
    return Desk(desk.device)
