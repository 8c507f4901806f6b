"""Pipelines of a runspace pool while they run: the runspaces they take turns in, and the streams they write to.

Called by ``protocol.shells``. Between the protocol (``protocol.psrp``) and the engine (``sandbox.engine``); knows nothing of SOAP.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, Progress, Runspace
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_events import Destination, Informational, PipelineRequested, StreamName

_log = logging.getLogger(__name__)

_STOP_LIMIT_S = 1.5
_NO_HOST = ErrorInfo(
    message="A command that prompts the user failed because the host program or the command type does not support user "
    "interaction.",
    error_id="HostFunctionNotImplemented",
    category="NotImplemented",
    exception_type="System.Management.Automation.Host.HostException",
)


class RunspaceSlots:
    """The runspaces of a pool: opened when needed, at most so many, one pipeline in each at a time, in order of arrival.

    Args:
        open_runspace: Makes one; raises what ``HostedDevice.open_runspace`` raises.
    """

    def __init__(self, open_runspace: Callable[[], Runspace]) -> None:
        self._open = open_runspace
        self._free: list[Runspace] = [open_runspace()]
        self._busy: list[Runspace] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.maximum = 1

    @property
    def available(self) -> int:
        return max(0, self.maximum - len(self._busy))

    async def acquire(self) -> Runspace:
        while len(self._busy) >= self.maximum:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
                if turn.done() and not turn.cancelled():
                    self._next_turn()
                raise
        runspace = self._free.pop() if self._free else self._open()
        self._busy.append(runspace)
        return runspace

    def release(self, runspace: Runspace) -> None:
        if runspace in self._busy:
            self._busy.remove(runspace)
            self._free.append(runspace)
            self._next_turn()

    def innermost(self) -> Runspace | None:
        """The runspace that a nested pipeline runs in: that of the latest pipeline."""
        return self._busy[-1] if self._busy else None

    def set_maximum(self, maximum: int) -> None:
        self.maximum = maximum
        for _ in range(self.available):
            self._next_turn()

    def reset(self) -> bool:
        """Start over with a fresh runspace; False where a pipeline runs."""
        if self._busy:
            return False
        self.close()
        self._free = [self._open()]
        return True

    def close(self) -> None:
        """Close all, also those whose pipeline did not end when it was told to."""
        for runspace in (*self._free, *self._busy):
            runspace.close()
        self._free.clear()
        self._busy.clear()

    def _next_turn(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


class Pipeline:
    """One pipeline from its creation until the client releases it.

    Args:
        pipeline_id: Its id in PSRP and in WSMan.
        psrp: The pool's protocol.
        slots: The pool's runspaces.
        now: The device's clock.
        wake: Called when there is something new to send to this pipeline's client.
    """

    def __init__(
        self,
        pipeline_id: uuid.UUID,
        *,
        psrp: PsrpPool,
        slots: RunspaceSlots,
        now: Callable[[], dt.datetime],
        wake: Callable[[], None],
    ) -> None:
        self.pipeline_id = pipeline_id
        self.done = False
        self.end_told = False
        self._psrp = psrp
        self._slots = slots
        self._now = now
        self._wake = wake
        self._input: list[Any] = []
        self._input_ended = asyncio.Event()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stop_requested = False

    def start(self, requested: PipelineRequested) -> None:
        """Run it; it waits for its input and for a free runspace."""
        if not requested.expects_input:
            self._input_ended.set()
        self._task = asyncio.create_task(self._run(requested), name=f"pipeline {self.pipeline_id}")

    def complete_with(self, values: Sequence[Any]) -> None:
        """End at once with these results, for requests that no runspace has to run."""
        for value in values:
            self._psrp.output(self.pipeline_id, value)
        self._psrp.completed(self.pipeline_id)
        self.done = True
        self._wake()

    def feed(self, value: Any) -> None:
        self._input.append(value)

    def end_input(self) -> None:
        self._input_ended.set()

    def answer(self, call_id: int, value: Any, error: str | None) -> bool:
        """Hand over a host's answer; False where this pipeline did not ask."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return False
        if not call.done():
            if error is None:
                call.set_result(value)
            else:
                call.set_exception(PipelineFailed(replace(_NO_HOST, message=error)))
        return True

    async def stop(self) -> None:
        """Cancel it and wait, within limits, until it has stopped."""
        self._stop_requested = True
        if self._task is None:
            if not self.done:
                self._psrp.stopped(self.pipeline_id)
                self._finish()
            return
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_STOP_LIMIT_S)

    def abandon(self) -> None:
        """Cancel it without waiting; nothing more is sent."""
        self._stop_requested = True
        self.done = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def _run(self, requested: PipelineRequested) -> None:
        error: ErrorInfo | None = None
        try:
            await self._run_in_runspace(requested)
        except asyncio.CancelledError:
            self._stop_requested = True
        except PipelineFailed as failure:
            error = failure.error
        except Exception as failure:  # noqa: BLE001 - whatever an engine does, its client gets an answer
            _log.exception("pipeline %s ended in an unexpected error", self.pipeline_id)
            error = ErrorInfo(message=str(failure) or type(failure).__name__, error_id=type(failure).__name__)
        if self.done:
            return
        if self._stop_requested:
            self._psrp.stopped(self.pipeline_id)
        elif error is not None:
            self._psrp.failed(self.pipeline_id, error)
        else:
            self._psrp.completed(self.pipeline_id)
        self._finish()

    async def _run_in_runspace(self, requested: PipelineRequested) -> None:
        await self._input_ended.wait()
        request = replace(requested.request, input=tuple(self._input) if requested.expects_input else None)
        streams = PipelineStreams(self, interactive=requested.interactive, redirects=requested.redirects)
        parent = self._slots.innermost() if requested.nested else None
        if parent is not None:
            await parent.run(request, streams)
            return
        runspace = await self._slots.acquire()
        try:
            await runspace.run(request, streams)
        finally:
            self._slots.release(runspace)

    def _finish(self) -> None:
        self.done = True
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        self._wake()

    # ---- what PipelineStreams needs

    def send(self, write: Callable[[PsrpPool, uuid.UUID], None]) -> None:
        if not self.done:
            write(self._psrp, self.pipeline_id)
            self._wake()

    def now(self) -> dt.datetime:
        return self._now()

    async def call_host(self, method: str, arguments: Sequence[Any]) -> Any:
        call_id = self._psrp.host_call(self.pipeline_id, method, arguments)
        self._wake()
        if call_id is None:
            return None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = answer
        try:
            return await answer
        finally:
            self._calls.pop(call_id, None)


class PipelineStreams:
    """``engine.Streams`` of one pipeline.

    Args:
        pipeline: Whose streams.
        interactive: The client's host can be asked.
        redirects: What the pipeline's last command merges into its output or drops.
    """

    def __init__(self, pipeline: Pipeline, *, interactive: bool, redirects: Mapping[StreamName, Destination]) -> None:
        self._pipeline = pipeline
        self._interactive = interactive
        self._redirects = redirects

    def output(self, value: Any) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.output(pipeline, value))

    def error(self, error: ErrorInfo) -> None:
        destination = self._redirects.get("error")
        if destination != "null":
            self._pipeline.send(lambda psrp, pipeline: psrp.error(pipeline, error, to_output=destination == "output"))

    def warning(self, message: str) -> None:
        self._informational("Warning", "warning", message)

    def verbose(self, message: str) -> None:
        self._informational("Verbose", "verbose", message)

    def debug(self, message: str) -> None:
        self._informational("Debug", "debug", message)

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        destination = self._redirects.get("information")
        if destination != "null":
            generated = self._pipeline.now()
            self._pipeline.send(
                lambda psrp, pipeline: psrp.information(
                    pipeline, message, tags=tags, source=source, generated=generated, to_output=destination == "output"
                )
            )

    def progress(self, progress: Progress) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.progress(pipeline, progress))

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if self._interactive:
            return await self._pipeline.call_host(method, arguments)
        if method.startswith(("Write", "Set", "Notify")):
            return None
        raise PipelineFailed(_NO_HOST)

    def _informational(self, kind: Informational, stream: StreamName, message: str) -> None:
        destination = self._redirects.get(stream)
        if destination != "null":
            self._pipeline.send(
                lambda psrp, pipeline: psrp.informational(pipeline, kind, message, to_output=destination == "output")
            )
