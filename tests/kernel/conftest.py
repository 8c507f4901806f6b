"""Fixtures of the kernel's tests: one simulated device, an inventory that names it, and running kernels."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from akslite_ps.fleet.inventory import Inventory
from akslite_ps.remoting import Device, Endpoint
from akslite_ps.sandbox import LocalSandbox
from akslite_ps_kernel import kernelspecs

REPLY_S = 60


@dataclass
class CellRun:
    """What one execution of a cell gave."""

    status: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)

    def texts(self, stream: str) -> str:
        """What was written to a stream."""
        return "".join(o["text"] for o in self.outputs if o["type"] == "stream" and o["name"] == stream)

    @property
    def result(self) -> str:
        """The text form of the cell's result."""
        return "".join(o["data"]["text/plain"] for o in self.outputs if o["type"] == "execute_result")

    @property
    def shown(self) -> list[str]:
        """The text forms of everything displayed, results and updates included."""
        return [o["data"]["text/plain"] for o in self.outputs if "data" in o]

    @property
    def error(self) -> dict[str, Any]:
        """The error output."""
        (error,) = [o for o in self.outputs if o["type"] == "error"]
        return error

    @property
    def error_text(self) -> str:
        """The error as shown, without colours."""
        text = "\n".join(self.error["traceback"])
        return text.replace("\x1b[31m", "").replace("\x1b[0m", "")


class RunningKernel:
    """A kernel in its own process and a client of it."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=REPLY_S)

    def run(self, cell: str, *, watched: bool = False, answers: tuple[str, ...] = ()) -> CellRun:
        """Execute a cell to its end.

        Args:
            watched: A person sits at the front end: the kernel may ask.
            answers: What that person answers, in order.
        """
        return self.finish(self.begin(cell, watched=watched or bool(answers)), answers=answers)

    def begin(self, cell: str, *, watched: bool = False) -> str:
        """Send a cell; returns the request's id."""
        request: str = self.client.execute(cell, allow_stdin=watched)
        return request

    def finish(
        self, request: str, *, answers: tuple[str, ...] = (), on_output: Callable[[dict[str, Any]], None] | None = None
    ) -> CellRun:
        """Collect the outputs of a cell until it is over."""
        run = CellRun()
        waiting = list(answers)
        while True:
            if waiting and self._asks():
                self.client.input(waiting.pop(0))
            try:
                message = self.client.get_iopub_msg(timeout=0.05 if waiting else REPLY_S)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind in ("stream", "display_data", "update_display_data", "execute_result", "error"):
                run.outputs.append({"type": kind, **content})
                if on_output is not None:
                    on_output(run.outputs[-1])
        while True:
            reply = self.client.get_shell_msg(timeout=REPLY_S)
            if reply["parent_header"].get("msg_id") == request:
                run.status = reply["content"]["status"]
                return run

    def _asks(self) -> bool:
        try:
            return bool(self.client.get_stdin_msg(timeout=0.05)["msg_type"] == "input_request")
        except queue.Empty:
            return False

    def shutdown(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel()
        self.manager.context.destroy()


@pytest.fixture(scope="session", autouse=True)
def _client_loop() -> Iterator[None]:
    """Close the event loop that jupyter_client keeps for its blocking calls."""
    yield
    ensure_event_loop().close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSandbox]:
    """One simulated device, press-01, on which nothing is installed."""
    with LocalSandbox(tmp_path_factory.mktemp("sandbox"), devices=1, speed=2000) as running:
        yield running


@pytest.fixture(scope="session")
def home(sandbox: LocalSandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An akslite home whose inventory names the device twice: with a password in a file, and with one to be typed."""
    folder = tmp_path_factory.mktemp("home")
    (simulated,) = sandbox.devices
    common = {"host": simulated.address, "port": simulated.http_port, "username": simulated.username}
    Inventory.load(folder / "inventory.json").add(
        Device(name=simulated.name, endpoint=Endpoint(**common, password=f"file:{simulated.password_file}")),
        Device(name="typed", endpoint=Endpoint(**common, password="prompt:password of press-01")),
    )
    return folder


@pytest.fixture(scope="session")
def kernels(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningKernel]]:
    """Starts kernels by name, from freshly installed kernelspecs."""
    prefix = tmp_path_factory.mktemp("prefix")
    kernelspecs.install(prefix=prefix)
    specs = KernelSpecManager(kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")])
    environment = {**os.environ, "AKSLITE_HOME": str(home), "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))}
    environment.pop("AKSLITE_INTERACTIVE", None)
    started: list[RunningKernel] = []

    def start(name: str) -> RunningKernel:
        manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
        manager.start_kernel(env=environment)
        started.append(RunningKernel(manager))
        return started[-1]

    yield start
    for kernel in started:
        kernel.shutdown()


@pytest.fixture(scope="session")
def powershell_kernel(kernels: Callable[[str], RunningKernel]) -> RunningKernel:
    """The PowerShell kernel, shared by the tests."""
    return kernels("akslite-powershell")


@pytest.fixture(scope="session")
def python_kernel(kernels: Callable[[str], RunningKernel]) -> RunningKernel:
    """The Python kernel, shared by the tests."""
    return kernels("akslite-ps")


@pytest.fixture
def powershell(powershell_kernel: RunningKernel) -> RunningKernel:
    """The PowerShell kernel with a session on press-01."""
    assert powershell_kernel.run("%connect press-01").status == "ok"
    return powershell_kernel
