"""Devices without a WinRM listener, run in the test's own event loop, and a recorder for what a pipeline writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.engine import CommandCall, ErrorInfo, Parameter, PipelineFailed, PipelineRequest, Progress, Runspace
from akslite_ps.sandbox.supervisor import Sandbox

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
Step = str | tuple[Any, ...]


@dataclass
class Recorded:
    """What one pipeline wrote, and how it ended."""

    output: list[Any] = field(default_factory=list)
    errors: list[ErrorInfo] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    verboses: list[str] = field(default_factory=list)
    host: list[str] = field(default_factory=list)
    progresses: list[Progress] = field(default_factory=list)
    host_calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    failed: ErrorInfo | None = None

    @property
    def error_ids(self) -> list[str]:
        return [error.error_id for error in self.errors]


class Recorder:
    """``engine.Streams`` that writes into a record; ``answer`` plays the client's host."""

    def __init__(self, recorded: Recorded, answer: Callable[..., Any] | None) -> None:
        self._recorded = recorded
        self._answer = answer

    def output(self, value: Any) -> None:
        self._recorded.output.append(value)

    def error(self, error: ErrorInfo) -> None:
        self._recorded.errors.append(error)

    def warning(self, message: str) -> None:
        self._recorded.warnings.append(message)

    def verbose(self, message: str) -> None:
        self._recorded.verboses.append(message)

    def debug(self, message: str) -> None:
        raise AssertionError(f"nothing here writes to the debug stream: {message}")

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        self._recorded.host.append(message)

    def progress(self, progress: Progress) -> None:
        self._recorded.progresses.append(progress)

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if method.startswith("Write"):
            self._recorded.host.append(arguments[0])
            return None
        self._recorded.host_calls.append((method, list(arguments)))
        if self._answer is None:
            raise PipelineFailed(ErrorInfo("nobody is there to answer", "HostFunctionNotImplemented", "NotImplemented"))
        return self._answer(method, arguments)


def as_call(step: Step) -> CommandCall:
    """A command as a client sends it: its name, or (name, arguments..., {parameter: value}); None is a switch without a value."""
    if isinstance(step, str):
        return CommandCall(step)
    name, *rest = step
    named = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    parameters = [Parameter(None, value) for value in rest]
    parameters += [Parameter(f"-{key}" if value is None else key, value) for key, value in named.items()]
    return CommandCall(name, parameters)


class Bench:
    """One device, and a way to run pipelines on it."""

    def __init__(self, sandbox: Sandbox, device: SimulatedDevice) -> None:
        self.sandbox = sandbox
        self.device = device

    def open(self) -> Runspace:
        """A new runspace."""
        return self.device.open_runspace("Microsoft.PowerShell", "aksadmin")

    async def run(
        self, *steps: Step | CommandCall, input: Sequence[Any] | None = None, answer: Callable[..., Any] | None = None
    ) -> Recorded:
        """Run one pipeline in a new runspace."""
        return await self.run_in(self.open(), *steps, input=input, answer=answer)

    async def run_in(
        self,
        runspace: Runspace,
        *steps: Step | CommandCall,
        input: Sequence[Any] | None = None,
        answer: Callable[..., Any] | None = None,
        recorded: Recorded | None = None,
    ) -> Recorded:
        """Run one pipeline in a runspace; ``recorded`` fills up while it runs."""
        recorded = recorded or Recorded()
        calls = [step if isinstance(step, CommandCall) else as_call(step) for step in steps]
        try:
            await runspace.run(PipelineRequest(calls, input), Recorder(recorded, answer))
        except PipelineFailed as failed:
            recorded.failed = failed.error
        return recorded

    async def one(self, name: str, *arguments: Any, **parameters: Any) -> Any:
        """The one output object of a command that must succeed."""
        recorded = await self.run((name, *arguments, parameters))
        assert recorded.failed is None, recorded.failed
        assert recorded.errors == []
        assert len(recorded.output) == 1, recorded.output
        return recorded.output[0]

    async def prepare(self) -> None:
        """Features on, product installed."""
        await self.one("Enable-AksLiteHostFeatures")
        await self.device.reboot()
        result = await self.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")
        assert result.properties["ExitCode"] == 0

    async def deploy(self, **changes: Any) -> str:
        """What New-AksEdgeDeployment answers to Microsoft's sample, made offline and changed by path."""
        return str(await self.one("New-AksEdgeDeployment", JsonConfigString=self.config(**changes)))

    @staticmethod
    def config(**changes: Any) -> str:
        """Microsoft's sample, offline, with values changed by path, e.g. ``Network__NetworkPlugin="calico"``."""
        data = json.loads(SAMPLE.read_text(encoding="utf-8"))
        data["Network"]["InternetDisabled"] = True
        for path, value in changes.items():
            *parents, last = path.split("__")
            place: Any = data
            for name in parents:
                place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
            place[last] = value
        return json.dumps(data)

    @staticmethod
    async def wait_until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        """Wait for a condition; fail the test where it does not come true."""
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - the condition is the device's state, which tells nobody when it changes
                await asyncio.sleep(0.002)


class NoListener:
    """Takes the place of the WinRM service where a test talks to the runspace itself."""

    http_port = 5985
    https_port = 5986

    async def start(self) -> None: ...
    async def stop(self, *, abort: bool = False) -> None: ...
    async def follow_network(self, away: Any) -> None: ...
    def cut(self) -> None: ...


@pytest.fixture
def sandbox_on(tmp_path: Path) -> Callable[..., Sandbox]:
    """Makes a sandbox whose devices have no WinRM listener; always on the same folder."""

    def make(*, speed: float = 20000.0) -> Sandbox:
        return Sandbox(tmp_path / "sandbox", speed=speed, make_listener=lambda _device: NoListener())

    return make


@pytest.fixture
async def bench(sandbox_on: Callable[..., Sandbox]) -> AsyncIterator[Bench]:
    """A bare device on which minutes pass in milliseconds."""
    sandbox = sandbox_on()
    await sandbox.start()
    sandbox.choose(name_prefix="press", address_base="127.83.0.0", free_ports=True)
    device = await sandbox.add_device(sandbox.next_spec())
    try:
        yield Bench(sandbox, device)
    finally:
        await sandbox.stop()


@pytest.fixture
async def prepared(bench: Bench) -> Bench:
    """A device with the product installed."""
    await bench.prepare()
    return bench


@pytest.fixture
async def deployed(prepared: Bench) -> Bench:
    """A device with a running cluster."""
    assert await prepared.deploy() == "OK"
    return prepared
