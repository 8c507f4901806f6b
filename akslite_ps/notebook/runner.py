"""Runs a runbook without a browser; the executed copy is the record.

Used by ``akslite runbook run`` and from Python. Follows papermill's conventions (cells tagged ``parameters`` and
``injected-parameters``). A failed run never looks completed, and Ctrl-C leaves the record of what was done.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from akslite_ps.errors import AksLiteError
from akslite_ps.home import records_dir
from akslite_ps.notebook import record as records
from akslite_ps.notebook.front_end import VARIABLE
from akslite_ps.notebook.kernels import FALLBACK, EnvironmentKernels, kernel_manager
from akslite_ps.notebook.parameters import coerce, inject, known_parameters, read_notebook
from akslite_ps.notebook.record import RunbookRecord
from akslite_ps.secrets import redact

log = logging.getLogger(__name__)

_SET_UP = "__import__('akslite_ps.notebook.kernel_setup', fromlist=['set_up_kernel']).set_up_kernel()"
_STARTUP_S = 120
_INTERRUPT_GRACE_S = 20.0
_PREVIEW_LINES = 12


@dataclass(frozen=True, slots=True)
class CellEvent:
    """What happens in a run, for whoever shows it.

    Args:
        state: ``started``, ``completed`` or ``failed`` for a cell; ``output`` for text that the running cell printed.
        number: The code cell, counted from 1.
        total: Code cells in all.
        title: The heading above the cell, or its first line.
        text: Printed text, or why it failed.
        seconds: How long the cell took, where it has ended.
    """

    state: Literal["started", "output", "completed", "failed"]
    number: int
    total: int
    title: str
    text: str = ""
    seconds: float | None = None

    def line(self) -> str:
        """The event as text for a terminal."""
        where = f"[{self.number}/{self.total}] {self.title}"
        match self.state:
            case "output":
                return self.text.rstrip("\n")
            case "started":
                return where
            case "completed":
                return f"{where}: done in {self.seconds or 0:.1f} s"
            case "failed":
                return f"{where}: FAILED: {self.text}"


OnCell = Callable[[CellEvent], object]


def run_runbook(
    path: Path,
    parameters: Mapping[str, object] | None = None,
    *,
    output_dir: Path | None = None,
    on_cell: OnCell | None = None,
    cell_timeout_s: int | None = None,
    kernel_name: str | None = None,
) -> RunbookRecord:
    """Execute a runbook with parameters and keep its record.

    Args:
        path: The notebook.
        parameters: Values by name; texts are read according to the defaults in the parameters cell.
        output_dir: A new folder for this run is made below it; default: :func:`akslite_ps.home.records_dir`.
        on_cell: Told what happens, from another thread.
        cell_timeout_s: Longest time for one cell in seconds; default: no limit.
        kernel_name: Kernel to use instead of the one that the notebook names.

    Returns:
        The record. A runbook that failed is a record with the state ``failed``, not an exception.

    Raises:
        UsageError: The notebook or a parameter is not usable; nothing was run and no record made.
        KeyboardInterrupt: After the cell was interrupted and the record written.
    """
    path = Path(path)
    notebook = read_notebook(path)
    values = coerce(known_parameters(notebook), parameters or {})
    inject(notebook, values)
    kernel = kernel_name or notebook.metadata.get("kernelspec", {}).get("name") or FALLBACK
    EnvironmentKernels().get_kernel_spec(kernel)
    started = dt.datetime.now(dt.UTC)
    device = str(values.get("device") or "")
    folder = records.new_folder(output_dir or records_dir(), f"{path.stem}-{device}" if device else path.stem, started)
    record = RunbookRecord(
        name=path.stem,
        state="running",
        folder=folder,
        notebook=folder / path.name,
        started=started,
        parameters=values,
        cells=sum(_is_code(cell) for cell in notebook.cells),
    )
    execution = _Execution(notebook, record, kernel, on_cell, cell_timeout_s)
    return execution.run()


class _Execution:
    """One run in a thread of its own, so that Ctrl-C reaches the caller at once on every platform."""

    def __init__(
        self, notebook: NotebookNode, record: RunbookRecord, kernel: str, on_cell: OnCell | None, cell_timeout_s: int | None
    ) -> None:
        self._notebook = notebook
        self._record = record
        self._tell = on_cell or (lambda event: None)
        self._number = 0
        self._titles = _titles(notebook)
        self._cell_started = record.started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._crash: BaseException | None = None
        self._interrupted = False
        self._cut_short = ""
        self._done = threading.Event()
        self._client = _Client(
            notebook,
            km=kernel_manager(kernel),
            timeout=cell_timeout_s,
            startup_timeout=_STARTUP_S,
            store_widget_state=False,
            coalesce_streams=True,
            record_timing=False,
            on_cell_execute=self._cell_begins,
            on_cell_executed=self._cell_ended,
        )
        self._client.on_text = self._printed

    def run(self) -> RunbookRecord:
        _clear(self._notebook)
        self._write()
        worker = threading.Thread(target=self._work, name="akslite-runbook", daemon=True)
        worker.start()
        try:
            self._wait()
        except KeyboardInterrupt:
            self._interrupt()
            self._end("interrupted", f"interrupted in {self._where()}: {self._cut_short or 'the cell did not end in time'}")
            raise
        if self._crash is not None:
            self._end("failed", f"{type(self._crash).__name__}: {self._crash}")
            raise self._crash
        return self._record

    def _work(self) -> None:
        try:
            # The selector loop: pyzmq needs it on Windows, where another is the default.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._execute())
        except BaseException as error:  # noqa: BLE001 - handed to the calling thread
            self._crash = error
        finally:
            self._done.set()

    async def _execute(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        try:
            # What cells print comes as messages; what the kernel's process prints beside them would mix with our own output.
            beside = None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL
            await self._client.async_start_new_kernel(env={**os.environ, VARIABLE: "0"}, stdout=subprocess.DEVNULL, stderr=beside)
            await self._client.async_start_new_kernel_client()
            await self._client.set_up_kernel()
            for index, cell in enumerate(self._notebook.cells):
                await self._client.async_execute_cell(cell, index, execution_count=self._client.code_cells_executed + 1)
            self._end("completed", None)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            if self._interrupted:
                self._cut_short = _reason(error)
            else:
                self._fail(_reason(error))
        finally:
            await self._client.stop()

    def _cell_begins(self, cell: NotebookNode, cell_index: int) -> None:
        self._number += 1
        self._cell_started = dt.datetime.now(dt.UTC)
        self._tell(self._event("started"))

    def _cell_ended(self, cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        ended = dt.datetime.now(dt.UTC)
        failed = execute_reply["content"]["status"] != "ok" and "raises-exception" not in cell.metadata.get("tags", ())
        cell.metadata[records.METADATA] = {
            "started": self._cell_started.isoformat(),
            "ended": ended.isoformat(),
            "state": "failed" if failed else "completed",
        }
        if failed:
            return
        self._record = dataclasses.replace(self._record, cells_run=self._record.cells_run + 1)
        self._write()
        self._tell(self._event("completed", seconds=(ended - self._cell_started).total_seconds()))

    def _printed(self, text: str) -> None:
        self._tell(self._event("output", text=redact(text)))

    def _event(
        self, state: Literal["started", "output", "completed", "failed"], text: str = "", seconds: float | None = None
    ) -> CellEvent:
        return CellEvent(state, self._number, self._record.cells, self._title(), text, seconds)

    def _title(self) -> str:
        return self._titles[self._number - 1] if 0 < self._number <= len(self._titles) else "starting the kernel"

    def _where(self) -> str:
        return f"cell {self._number} of {self._record.cells} ({self._title()})" if self._number else "the start of the kernel"

    def _fail(self, reason: str) -> None:
        self._end("failed", f"{self._where()}: {reason}\n\n{self._preview()}".rstrip())
        self._tell(self._event("failed", text=reason))

    def _preview(self) -> str:
        code = [cell for cell in self._notebook.cells if _is_code(cell)]
        lines = code[self._number - 1].source.splitlines() if 0 < self._number <= len(code) else []
        rest = len(lines) - _PREVIEW_LINES
        return "\n".join([*lines[:_PREVIEW_LINES], *([f"... and {rest} more lines"] if rest > 0 else [])])

    def _end(self, state: records.State, failure: str | None) -> None:
        self._record = dataclasses.replace(
            self._record,
            state=state,
            failure=redact(failure) if failure else None,
            ended=dt.datetime.now(dt.UTC),
            html=self._record.notebook.with_suffix(".html"),
        )
        self._write()

    def _write(self) -> None:
        records.write(self._record, self._notebook)

    def _wait(self) -> None:
        # Not by joining the thread, which Python 3.11 takes for ended after a Ctrl-C; in steps, as Windows needs it to notice one.
        while not self._done.wait(0.2):
            pass

    def _interrupt(self) -> None:
        self._interrupted = True
        loop = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._client.interrupt(), loop)
            if not self._done.wait(_INTERRUPT_GRACE_S) and self._task is not None:
                loop.call_soon_threadsafe(self._task.cancel)
        self._done.wait(_INTERRUPT_GRACE_S)


class _Client(NotebookClient):
    """nbclient with our kernel set-up, and told of printed text as it comes."""

    on_text: Callable[[str], object] = staticmethod(lambda text: None)

    async def set_up_kernel(self) -> None:
        """Evaluate the set-up as an expression: it runs whatever language the kernel's cells have, and leaves no trace."""
        assert self.kc is not None
        message = self.kc.execute("", silent=True, store_history=False, user_expressions={"set_up": _SET_UP})
        reply = await self.async_wait_for_reply(message)
        answer = (reply or {}).get("content", {}).get("user_expressions", {}).get("set_up", {})
        if answer.get("status") != "ok":
            raise AksLiteError(
                f"the notebook's kernel cannot load akslite: {answer.get('evalue', 'no answer')}",
                attempted="start the runbook",
                next_action="check the installation with: akslite --version",
            )

    def output(self, outs: Any, msg: dict[str, Any], display_id: str | None, cell_index: int) -> NotebookNode | None:
        if msg["msg_type"] == "stream":
            self.on_text(msg["content"]["text"])
        return super().output(outs, msg, display_id, cell_index)

    async def interrupt(self) -> None:
        """Interrupt what the kernel runs, as the stop button of a front end does."""
        if self.km is not None and self.km.has_kernel:
            await ensure_async(self.km.interrupt_kernel())

    async def stop(self) -> None:
        """End the kernel and remove what was made for it."""
        if self.km is not None:
            await self._async_cleanup_kernel()


def _is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip())


def _clear(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
            cell.metadata.pop(records.METADATA, None)


def _titles(notebook: NotebookNode) -> list[str]:
    titles: list[str] = []
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = [line.lstrip("#").strip() for line in cell.source.splitlines() if line.startswith("#")]
            heading = headings[-1] if headings else heading
        elif _is_code(cell):
            titles.append(heading or cell.source.strip().splitlines()[0])
    return titles


def _reason(error: Exception) -> str:
    match error:
        case CellExecutionError():
            return f"{error.ename}: {error.evalue}"
        case CellTimeoutError():
            return "the cell took longer than allowed"
        case _:
            return "the kernel died"
