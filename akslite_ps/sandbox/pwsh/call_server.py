"""Where the PowerShell processes of a device call its commands: a listener on the device's loopback address.

Run by ``pwsh.device_engine``. A call is one TCP connection: a line with the shell's token and what is to be run, then lines
with what the command writes, until it is done. A connection that closes earlier stops the command. The other side is
``data/DeviceChannel.psm1``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, Progress, PsValue
from akslite_ps.sandbox.pwsh import wire
from akslite_ps.sandbox.pwsh.proxied_call import Asking, ProxiedRunspace
from akslite_ps.sandbox.pwsh.windows_programs import PROGRAMS

_log = logging.getLogger(__name__)

_LONGEST_LINE = 64 * 1024 * 1024
_FIRST_LINE_LIMIT_S = 30.0


class CallServer:
    """The listener of one device.

    Args:
        address: Loopback address to listen on.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = 0
        self._runspaces: dict[str, ProxiedRunspace] = {}
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Listen on a free port, once."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(self._accept, self.address, 0, limit=_LONGEST_LINE)
                self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and every call."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def admit(self, runspace: ProxiedRunspace) -> str:
        """Take calls for a shell; returns the token they must carry."""
        token = secrets.token_urlsafe(32)
        self._runspaces[token] = runspace
        return token

    def dismiss(self, token: str) -> None:
        """Take no more calls for a shell."""
        self._runspaces.pop(token, None)

    def _find(self, given: str) -> ProxiedRunspace | None:
        return next((one for token, one in self._runspaces.items() if hmac.compare_digest(token.encode(), given.encode())), None)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, ValueError) as error:
            _log.info("a call of a PowerShell process broke off: %s", error)
        except asyncio.CancelledError:
            # The machine goes down, or the caller has left: nobody waits for this task's outcome.
            pass
        finally:
            self._calls.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_FIRST_LINE_LIMIT_S):
            token, _, text = (await reader.readline()).decode().strip().partition(" ")
        runspace = self._find(token)
        if runspace is None:
            _log.warning("a call without a known token is refused")
            return
        if text.startswith("{"):
            await self._run_program(runspace, json.loads(text), reader, writer)
            return
        request = wire.decode(text)
        if not isinstance(request, dict):
            raise ValueError("a call is a table")
        streams = _LineStreams(reader, writer)
        async with streams.stopping_with_the_caller():
            try:
                await runspace.run(
                    str(request["Command"]),
                    _arguments(request),
                    str(request["ParameterSet"]),
                    str(request["Location"] or ""),
                    streams,
                )
            except PipelineFailed as failed:
                streams.failed(failed.error)
            except ConnectionError:
                raise
            except Exception as failure:  # noqa: BLE001 - whatever a command does, its caller gets an answer
                _log.exception("a call of a PowerShell process ended in an unexpected error")
                streams.failed(ErrorInfo(str(failure) or type(failure).__name__, type(failure).__name__))
            else:
                streams.done()
            await writer.drain()

    async def _run_program(
        self, runspace: ProxiedRunspace, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One line of JSON each way: the stand-ins for programs have nothing but the standard library."""
        program = PROGRAMS.get(str(request["program"]).casefold())
        async with _LineStreams(reader, writer).stopping_with_the_caller():
            if program is None:
                code, output, complaint = 1, "", f"{request['program']} is not simulated\n"
            else:
                with runspace.device.working():
                    code, output, complaint = await program(runspace.device, runspace.paths_on_the_drive(request["arguments"]))
            writer.write(json.dumps({"exit_code": code, "output": output, "error": complaint}).encode() + b"\n")
            await writer.drain()


def _arguments(request: dict[Any, Any]) -> dict[str, Any]:
    found = request["Arguments"]
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


class _LineStreams:
    """``engine.Streams`` of one call, and the questions a command may ask of its caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers: asyncio.Queue[str] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def stopping_with_the_caller(self) -> AsyncIterator[None]:
        """Cancels the current task when the caller closes the connection."""
        running = asyncio.current_task()
        assert running is not None
        listening = asyncio.get_running_loop().create_task(self._listen(running))
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, running: asyncio.Task[Any]) -> None:
        try:
            while line := await self._reader.readline():
                self._answers.put_nowait(line.decode().strip())
        except ConnectionError:
            pass
        running.cancel()

    def _write(self, kind: str, value: Any = None) -> None:
        if not self._writer.is_closing():
            self._writer.write(f"{kind} {wire.encode(value)}\n".encode() if value is not None else f"{kind}\n".encode())

    async def _ask(self, kind: str, value: Any) -> Any:
        self._write(kind, value)
        await self._writer.drain()
        return wire.decode(await self._answers.get())

    # ---- engine.Streams

    def output(self, value: Any) -> None:
        # A pipeline's null is an object too, but a line without a value says nothing of it.
        self._write("output", value) if value is not None else self._write("null")

    def error(self, error: ErrorInfo) -> None:
        self._write("error", _fields(error))

    def warning(self, message: str) -> None:
        self._write("warning", message)

    def verbose(self, message: str) -> None:
        self._write("verbose", message)

    def debug(self, message: str) -> None:
        self._write("debug", message)

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        self._write("information", [message, list(tags), source])

    def progress(self, progress: Progress) -> None:
        self._write(
            "progress",
            [
                progress.activity_id,
                progress.activity,
                progress.status,
                progress.percent,
                progress.seconds_remaining,
                progress.current_operation,
                progress.parent_id,
                progress.completed,
            ],
        )

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if method != "PromptForChoice":
            raise PipelineFailed(
                ErrorInfo(f"A simulated command cannot call {method} of its host.", "HostFunctionNotImplemented", "NotImplemented")
            )
        return await self._ask(Asking.CHOICE, list(arguments))

    # ---- of a proxied call

    async def should_process(self, target: str, action: str) -> bool:
        """PowerShell's own ShouldProcess, in the function that called."""
        return bool(await self._ask(Asking.SHOULD_PROCESS, [target, action]))

    def exit_code(self, code: int) -> None:
        """What $LASTEXITCODE is from now on."""
        self._write("exit", code)

    def failed(self, error: ErrorInfo) -> None:
        if error.category == "OperationStopped" and error.error_id == error.message:
            self._write("throw", error.message)
        else:
            self._write("fail", _fields(error))

    def done(self) -> None:
        self._write("done")


def _fields(error: ErrorInfo) -> list[Any]:
    """An error as the other side makes a record of it; PowerShell itself adds the name of the function to the id."""
    error_id = error.error_id.rpartition(",")[0] or error.error_id
    target = error.target if not isinstance(error.target, PsValue) else error.target_name
    return [
        error.message,
        error_id,
        error.category,
        error.exception_type,
        target,
        error.reason,
        error.target_name,
        error.target_type,
    ]
