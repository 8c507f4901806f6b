"""Pipelines of a runspace pool while they run, and the streams they write to.

Called by ``protocol.shells``. Between the protocol (``protocol.psrp``) and the engine (``sandbox.engine``); knows nothing of SOAP.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import fnmatch
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from akslite_ps.sandbox.engine import CommandDescription, ErrorInfo, PipelineFailed, Pool, Progress
from akslite_ps.sandbox.protocol.pacing import paced
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_events import HostInfo, Informational, MetadataRequested, PipelineRequested
from akslite_ps.sandbox.protocol.psrp_metadata import COMMAND_TYPES
from akslite_ps.sandbox.protocol.runspace_slots import RunspaceSlots

_log = logging.getLogger(__name__)

_STOP_LIMIT_S = 1.5
INPUT_LIMIT = 50 * 1024 * 1024
"""MaximumReceivedDataSizePerCommandMB of a session configuration; 50 by default."""
_NO_HOST = ErrorInfo(
    message="A command that prompts the user failed because the host program or the command type does not support user "
    "interaction.",
    error_id="HostFunctionNotImplemented",
    category="NotImplemented",
    exception_type="System.Management.Automation.Host.HostException",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all pipelines of a pool share.

    Args:
        psrp: The pool's protocol.
        slots: The pool's runspaces.
        pool: The pool as the device sees it.
        now: The device's clock.
        host: The pool's client's host.
    """

    psrp: PsrpPool
    slots: RunspaceSlots
    pool: Pool
    now: Callable[[], dt.datetime]
    host: Callable[[], HostInfo]


class Pipeline:
    """One pipeline from its creation until the client releases it.

    Args:
        pipeline_id: Its id in PSRP and in WSMan.
        surroundings: Where it runs.
        wake: Called when there is something new to send to this pipeline's client.
    """

    def __init__(self, pipeline_id: uuid.UUID, surroundings: Surroundings, *, wake: Callable[[], None]) -> None:
        self.pipeline_id = pipeline_id
        self.done = False
        self.end_told = False
        self._around = surroundings
        self._psrp = surroundings.psrp
        self._wake = wake
        self._input: list[Any] = []
        self._input_size = 0
        self._input_ended = asyncio.Event()
        self._room = asyncio.Event()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._expects_input = False
        self._stop_requested = False

    @property
    def started(self) -> bool:
        """Whether the client has said what it is to run."""
        return self._task is not None

    def start(self, requested: PipelineRequested) -> None:
        """Run it; it waits for its input and for a free runspace."""
        self._expects_input = requested.expects_input
        if not requested.expects_input:
            self._input_ended.set()
        self._begin(lambda: self._run_in_runspace(requested))

    def describe_commands(self, requested: MetadataRequested) -> None:
        """Answer with the metadata of the session's commands; it waits for a free runspace."""
        self._begin(lambda: self._describe(requested))

    def feed(self, value: Any, size: int) -> None:
        """Take one object of its input.

        Raises:
            ValueError: It takes no input, or its input is too large in all; the text is PowerShell's.
        """
        if not self._expects_input or self._input_ended.is_set():
            raise ValueError("the pipeline takes no input, or its input has ended")
        self._input_size += size
        if self._input_size > INPUT_LIMIT:
            self._input.clear()
            raise ValueError(
                "The total data received from the remote client exceeded the allowed maximum. The total data received is "
                f"{self._input_size}. The allowed maximum is {INPUT_LIMIT}"
            )
        self._input.append(value)

    def end_input(self) -> None:
        self._input_ended.set()

    def answer(self, call_id: int, value: Any, error: str | None) -> bool:
        """Hand over a host's answer; False where this pipeline did not ask."""
        return settle(self._calls, call_id, value, error)

    def look_at_room(self) -> None:
        """The client has taken output, or it is no matter any more how much waits: go on where there is room."""
        if not self._psrp.is_full(self.pipeline_id):
            self._room.set()

    async def stop(self) -> None:
        """Cancel it and wait, within limits, until it has stopped."""
        self._stop_requested = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_STOP_LIMIT_S)
        if not self.done and (self._task is None or self._task.done()):
            # It had not begun: nobody else tells its end.
            self._psrp.stopped(self.pipeline_id)
            self._finish()

    def abandon(self) -> None:
        """Cancel it without waiting; nothing more is sent."""
        self._stop_requested = True
        self.done = True
        self._input.clear()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        self._task = asyncio.create_task(self._run(work), name=f"pipeline {self.pipeline_id}")

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        error: ErrorInfo | None = None
        try:
            await work()
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
        given = tuple(self._input) if requested.expects_input else None
        self._input.clear()
        request = replace(requested.request, input=given, pool=self._around.pool)
        host = self._around.host() if requested.host.is_pools else requested.host
        streams = PipelineStreams(self, interactive=host.interactive)
        parent = self._around.slots.innermost() if requested.nested else None
        if parent is not None:
            await paced(parent.run(request, streams), self._hold)
            return
        runspace = await self._around.slots.acquire()
        try:
            await paced(runspace.run(request, streams), self._hold)
        finally:
            self._around.slots.release(runspace)

    async def _describe(self, requested: MetadataRequested) -> None:
        runspace = await self._around.slots.acquire()
        try:
            commands = runspace.describe_commands()
        finally:
            self._around.slots.release(runspace)
        for missing in _not_found(requested, commands):
            self._psrp.error(self.pipeline_id, missing)
        self._psrp.command_metadata(self.pipeline_id, [command for command in commands if _is_wanted(requested, command)])

    def _hold(self) -> Awaitable[object] | None:
        if self.done or not self._psrp.is_full(self.pipeline_id):
            return None
        self._room.clear()
        return self._room.wait()

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
        return self._around.now()

    async def call_host(self, method: str, arguments: Sequence[Any]) -> Any:
        call_id = self._psrp.host_call(self.pipeline_id, method, arguments)
        self._wake()
        return await answer_to(self._calls, call_id)


class PipelineStreams:
    """``engine.Streams`` of one pipeline.

    Args:
        pipeline: Whose streams.
        interactive: The client's host can be asked.
    """

    def __init__(self, pipeline: Pipeline, *, interactive: bool) -> None:
        self._pipeline = pipeline
        self._interactive = interactive

    def output(self, value: Any) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.output(pipeline, value))

    def error(self, error: ErrorInfo) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.error(pipeline, error))

    def warning(self, message: str) -> None:
        self._informational("Warning", message)

    def verbose(self, message: str) -> None:
        self._informational("Verbose", message)

    def debug(self, message: str) -> None:
        self._informational("Debug", message)

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        generated = self._pipeline.now()
        self._pipeline.send(
            lambda psrp, pipeline: psrp.information(pipeline, message, tags=tags, source=source, generated=generated)
        )

    def progress(self, progress: Progress) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.progress(pipeline, progress))

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if self._interactive:
            return await self._pipeline.call_host(method, arguments)
        return without_host(method)

    def _informational(self, kind: Informational, message: str) -> None:
        self._pipeline.send(lambda psrp, pipeline: psrp.informational(pipeline, kind, message))


def without_host(method: str) -> None:
    """What becomes of a call where the client has no host that can be asked: what only shows something is left out.

    Raises:
        PipelineFailed: It is a question.
    """
    if not method.startswith(("Write", "Set", "Notify")):
        raise PipelineFailed(_NO_HOST)


async def answer_to(calls: dict[int, asyncio.Future[Any]], call_id: int | None) -> Any:
    """Wait for the answer to a host call; None is a call without one.

    Raises:
        PipelineFailed: The host answered with an error.
    """
    if call_id is None:
        return None
    answer = calls[call_id] = asyncio.get_running_loop().create_future()
    try:
        return await answer
    finally:
        calls.pop(call_id, None)


def settle(calls: dict[int, asyncio.Future[Any]], call_id: int, value: Any, error: str | None) -> bool:
    """Hand an answer to who waits for it in :func:`answer_to`; False where nobody does."""
    call = calls.pop(call_id, None)
    if call is None:
        return False
    if not call.done():
        if error is None:
            call.set_result(value)
        else:
            call.set_exception(PipelineFailed(replace(_NO_HOST, message=error)))
    return True


def _is_wanted(requested: MetadataRequested, command: CommandDescription) -> bool:
    return (
        bool(requested.kinds & COMMAND_TYPES[command.kind])
        and any(_matches(pattern, command.name) for pattern in requested.names)
        and (not requested.modules or any(_matches(pattern, command.module) for pattern in requested.modules))
    )


def _matches(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name.casefold(), pattern.casefold())


def _not_found(requested: MetadataRequested, commands: Sequence[CommandDescription]) -> list[ErrorInfo]:
    """An error for each name that is no pattern and no command's, as Get-Command writes it."""
    return [
        ErrorInfo(
            message=f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
            error_id="CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand",
            category="ObjectNotFound",
            exception_type="System.Management.Automation.CommandNotFoundException",
            target=name,
            activity="Get-Command",
        )
        for name in requested.names
        if not set(name) & set("*?[") and not any(_matches(name, command.name) for command in commands)
    ]
