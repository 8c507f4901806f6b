"""One PowerShell process that serves one shell: started, fed, read and ended.

Made by ``pwsh.device_engine``, driven by ``protocol.relayed_shell`` as ``relayed_engine.RelayedEngine``. The process handles the
packets of its input side by side, so what is sent to one target waits for the acknowledgement of what was sent to it
before. It ends by itself when its input ends, also where this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from akslite_ps.sandbox.protocol.fragments import MessageWatch, NotFragments
from akslite_ps.sandbox.pwsh.first_pipeline import Beginning, first_pipeline
from akslite_ps.sandbox.pwsh.packets import Kind, NotAPacket, Packet, read_packet
from akslite_ps.sandbox.relayed_engine import EngineReceiver, EngineUnavailable, TooManyEngines

_log = logging.getLogger(__name__)

PROCESS_LIMIT = 32
"""Processes of one sandbox at once, about 80 MB of memory each."""
if sys.platform == "win32":
    _NO_WINDOW = subprocess.CREATE_NO_WINDOW
else:
    _NO_WINDOW = 0
_START_LIMIT_S = 60.0
_LOST_FOR_GOOD = "Remote transport error"
"""What a process says that cannot make sense of its client. It stays and is silent from then on; on Windows the session ends."""
_LAST_WORDS_S = 0.1
"""How long it may go on to say why."""
_CLOSE_LIMIT_S = 2.0
_LONGEST_LINE = 4 * 1024 * 1024
_STDERR_LINES = 5
_ACKNOWLEDGED: Mapping[Kind, Kind] = {"Data": "DataAck", "Command": "CommandAck", "Close": "CloseAck", "Signal": "SignalAck"}

Target = uuid.UUID | None


class ProcessSlots:
    """How many processes may run at once, for all devices of a sandbox.

    Args:
        limit: The number.
    """

    def __init__(self, limit: int = PROCESS_LIMIT) -> None:
        self._limit = limit
        self._taken = 0

    def take(self) -> None:
        """Raises TooManyEngines where all are taken."""
        if self._taken >= self._limit:
            raise TooManyEngines(
                f"The sandbox runs {self._limit} PowerShell processes, which is all it may. Close existing shells."
            )
        self._taken += 1

    def give_back(self) -> None:
        self._taken -= 1


@dataclass(frozen=True, slots=True)
class Launch:
    """What a process is started with.

    Args:
        command: The program and its arguments.
        environment: All its environment variables.
        folder: Its working folder.
        first_script: What its first runspace runs before the client learns that the pool is open.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    first_script: str


class EngineProcess:
    """A PowerShell process for one shell.

    Args:
        prepare: Makes ready what it is started with; raises EngineUnavailable where it cannot be.
        slots: Where it takes its place among all processes of the sandbox.
        gone: Called when it is gone, or was never there.
    """

    def __init__(
        self, prepare: Callable[[], Awaitable[Launch]], *, slots: ProcessSlots, gone: Callable[[EngineProcess], None]
    ) -> None:
        self._prepare = prepare
        self._name = "the PowerShell process"
        self._first_script = ""
        self._slots = slots
        self._gone = gone
        self._process: asyncio.subprocess.Process | None = None
        self._receiver: EngineReceiver | None = None
        self._lanes: dict[Target, _Lane] = {}
        self._acknowledgements: dict[tuple[Kind, Target], asyncio.Future[None]] = {}
        self._answered = asyncio.Event()
        self._complaints: deque[str] = deque(maxlen=_STDERR_LINES)
        self._serving: asyncio.Task[None] | None = None
        self._begun = False
        self._ending = False
        self._beginning: Beginning | None = None

    # ---- relayed_engine.RelayedEngine

    async def start(self, receiver: EngineReceiver, data: bytes) -> None:
        self._begun = True
        try:
            self._slots.take()
        except TooManyEngines:
            self._gone(self)
            raise
        try:
            process = await self._launch()
        except BaseException:
            self._slots.give_back()
            self._gone(self)
            raise
        self._process = process
        self._receiver = receiver
        pool_id = next((message.pool_id for message in MessageWatch().see(data) if message.pool_id.int), uuid.UUID(int=0))
        self._beginning = Beginning(first_pipeline(pool_id, self._first_script), begin=self.start_command, end=self.close_command)
        if self._ending:
            process.kill()
        self._serving = asyncio.get_running_loop().create_task(self._serve(process), name=f"engine process {process.pid}")
        self.send(None, data)
        await self._first_answer()

    def send(self, target: Target, data: bytes, *, answers_prompt: bool = False) -> None:
        self._put(Packet("Data", target, data, answers_prompt))

    def start_command(self, command: uuid.UUID, data: bytes) -> None:
        self._put(Packet("Command", command))
        if data:
            self.send(command, data)

    def stop_command(self, command: uuid.UUID) -> asyncio.Future[None]:
        return self._put(Packet("Signal", command))

    def close_command(self, command: uuid.UUID) -> None:
        self._put(Packet("Close", command)).add_done_callback(lambda _: self._end_lane(command))

    async def close(self) -> None:
        """The pipelines stop, the pool closes, the input ends; a process that is then still there is killed."""
        serving = self._serving
        if serving is None or self._process is None:
            return
        self._ending = True
        for command in [target for target in self._lanes if target is not None]:
            self._put(Packet("Close", command))
        await asyncio.wait({self._put(Packet("Close"))}, timeout=_CLOSE_LIMIT_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.wait({serving}, timeout=_CLOSE_LIMIT_S)
        self.kill()
        await self.wait()

    def kill(self) -> None:
        self._ending = True
        if not self._begun:
            self._begun = True
            self._gone(self)
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    # ---- for the device

    async def wait(self) -> None:
        """Until the process is gone."""
        if self._serving is not None:
            await asyncio.wait({self._serving})

    # ---- to the process

    async def _launch(self) -> asyncio.subprocess.Process:
        launch = await self._prepare()
        self._name = launch.command[0]
        self._first_script = launch.first_script
        try:
            return await asyncio.create_subprocess_exec(
                *launch.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=launch.folder,
                env=dict(launch.environment),
                limit=_LONGEST_LINE,
                creationflags=_NO_WINDOW,
            )
        except OSError as error:
            raise EngineUnavailable(f"{self._name} cannot be started: {error.strerror or error}.") from None

    def _put(self, packet: Packet) -> asyncio.Future[None]:
        lane = self._lanes.get(packet.target)
        if lane is None:
            lane = self._lanes[packet.target] = _Lane(self._deliver)
        return lane.put(packet)

    def _end_lane(self, target: Target) -> None:
        lane = self._lanes.get(target)
        # A client may use the id of a pipeline that it has released at once for the next one.
        if lane is not None and lane.is_idle:
            del self._lanes[target]

    async def _deliver(self, packet: Packet) -> None:
        """Write a packet and wait until the process has taken it."""
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        key = (_ACKNOWLEDGED[packet.kind], packet.target)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledgements[key] = acknowledged
        try:
            process.stdin.write(packet.line())
            await process.stdin.drain()
        except (ConnectionError, RuntimeError):
            # The process is gone; what reads its output tells so.
            del self._acknowledgements[key]
            return
        await acknowledged

    # ---- from the process

    async def _first_answer(self) -> None:
        assert self._serving is not None
        answering = asyncio.get_running_loop().create_task(self._answered.wait())
        try:
            await asyncio.wait({answering, self._serving}, timeout=_START_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
        if self._answered.is_set():
            return
        ended = self._serving.done()
        self.kill()
        await self.wait()
        raise EngineUnavailable(self._why("ended at once" if ended else f"did not answer within {_START_LIMIT_S:.0f} s"))

    async def _serve(self, process: asyncio.subprocess.Process) -> None:
        """Read what it writes until it ends, then clean up."""
        assert process.stdout is not None
        assert process.stderr is not None
        complaining = asyncio.get_running_loop().create_task(self._note_complaints(process.stderr))
        try:
            await self._read(process.stdout)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            unasked = not self._ending
            await self._end_of(process)
            await complaining
            for lane in self._lanes.values():
                lane.end()
            self._lanes.clear()
            for acknowledged in self._acknowledgements.values():
                acknowledged.cancel()
            self._acknowledgements.clear()
            self._slots.give_back()
            self._gone(self)
        if unasked and self._answered.is_set() and self._receiver is not None:
            self._receiver.ended(self._why("ended"))

    async def _end_of(self, process: asyncio.subprocess.Process) -> None:
        """A process that has closed its output is about to end; one that does not is killed."""
        ending = asyncio.get_running_loop().create_task(process.wait())
        await asyncio.wait({ending}, timeout=_CLOSE_LIMIT_S)
        if not ending.done():
            self.kill()
            await ending

    async def _read(self, output: asyncio.StreamReader) -> None:
        assert self._receiver is not None
        while True:
            try:
                line = await output.readline()
            except ValueError as error:
                _log.warning("%s: %s", self._name, error)
                return
            if not line:
                return
            try:
                packet = read_packet(line)
            except NotAPacket as other:
                self._complaints.append(str(other).strip())
                continue
            if packet.kind == "Data":
                self._answered.set()
                await self._pass_on(packet)
            else:
                acknowledged = self._acknowledgements.pop((packet.kind, packet.target), None)
                if acknowledged is not None and not acknowledged.done():
                    acknowledged.set_result(None)

    async def _pass_on(self, packet: Packet) -> None:
        assert self._receiver is not None
        beginning = self._beginning
        try:
            passing = [packet] if beginning is None else beginning.filter(packet)
        except NotFragments:
            passing = [packet]
        if beginning is not None and beginning.over:
            self._beginning = None
        for passed in passing:
            await self._receiver.arrived(passed.target, passed.data)

    async def _note_complaints(self, errors: asyncio.StreamReader) -> None:
        while line := await errors.readline():
            complaint = line.decode(errors="replace").strip()
            self._complaints.append(complaint)
            if complaint.startswith(_LOST_FOR_GOOD):
                asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._end_lost)

    def _end_lost(self) -> None:
        """End a process that is lost, as if it had ended by itself."""
        if not self._ending and self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _why(self, what: str) -> str:
        said = " ".join(line for line in self._complaints if line)
        code = self._process.returncode if self._process is not None else None
        with_code = f" with code {code}" if code is not None else ""
        return f"{self._name} {what}{with_code}{f', saying: {said}' if said else ''}."


class _Lane:
    """What is sent to one target, one packet after the other.

    Args:
        deliver: Writes a packet and waits for its acknowledgement.
    """

    def __init__(self, deliver: Callable[[Packet], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._waiting: deque[tuple[Packet, asyncio.Future[None]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    def put(self, packet: Packet) -> asyncio.Future[None]:
        """Queue a packet; the future is done when it was acknowledged, or cannot be any more."""
        delivered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((packet, delivered))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())
        return delivered

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not self._waiting and (self._worker is None or self._worker.done())

    def end(self) -> None:
        """Nothing is sent any more."""
        if self._worker is not None:
            self._worker.cancel()
        for _, delivered in self._waiting:
            _finish(delivered)
        self._waiting.clear()

    async def _work(self) -> None:
        while self._waiting:
            packet, delivered = self._waiting.popleft()
            try:
                await self._deliver(packet)
            finally:
                _finish(delivered)


def _finish(delivered: asyncio.Future[None]) -> None:
    if not delivered.done():
        delivered.set_result(None)
