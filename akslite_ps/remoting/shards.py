"""Processes beside this one that share the work on many devices: the interpreter's lock of one process is its limit.

Used by ``remoting.many``. Each process is started anew (``spawn``, as on Windows) and has a crew of threads. A device goes
to whichever process has room: no state of a device stays in one. Processes keep nothing on disk.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from akslite_ps.errors import AksLiteError, SessionLost, UsageError
from akslite_ps.remoting.crew import Crew, DeviceResult, Settings, Task
from akslite_ps.secrets import REDACTOR, redact

if TYPE_CHECKING:
    from akslite_ps.remoting.session import Session

T = TypeVar("T")

_READY = "ready"
_CANCEL = "cancel"
_END_S = 5.0


class Shards(Generic[T]):
    """The processes.

    Args:
        work: What is done with each session; must be picklable.
        settings: Of the crew in each process.
        count: How many processes.

    Raises:
        UsageError: The work is not picklable.
    """

    def __init__(self, work: Callable[[Session], T], settings: Settings, count: int) -> None:
        self.capacity = settings.capacity * count
        self._settings = settings
        self._work = _pickled(work)
        self._cancelled = False
        self._shards = [self._start() for _ in range(count)]

    def submit(self, task: Task) -> None:
        """Hand a device to the process with the most room."""
        min(self._shards, key=lambda shard: len(shard.devices)).submit(task)

    def collect(self, wait_s: float) -> list[DeviceResult[T]]:
        """The results there are, waiting for the first one for up to ``wait_s`` seconds.

        Raises:
            UsageError: A process could not even load the work.
        """
        ready = wait([shard.pipe for shard in self._shards], wait_s)
        found: list[DeviceResult[T]] = []
        for number, shard in enumerate(self._shards):
            if shard.pipe not in ready:
                continue
            try:
                found += shard.results()
            except (EOFError, OSError):
                found += self._buried(shard)
                if not self._cancelled:
                    self._shards[number] = self._start()
        return found

    def cancel(self) -> None:
        """Begin nothing more, and end the sessions of the work at hand."""
        if not self._cancelled:
            self._cancelled = True
            for shard in self._shards:
                shard.cancel()

    def close(self) -> None:
        """Cancel, and wait until all processes are gone."""
        self.cancel()
        for shard in self._shards:
            shard.end()

    def _start(self) -> _Shard[T]:
        return _Shard(self._work, self._settings)

    def _buried(self, shard: _Shard[T]) -> list[DeviceResult[T]]:
        """The results of the devices that a process had when it died."""
        shard.end()
        if not shard.was_ready:
            raise UsageError(
                "the work could not be loaded in another process; what that process wrote on its error output says why",
                attempted="work on many devices",
                next_action='define it at the top level of an importable module; a script needs if __name__ == "__main__":',
            )
        return [DeviceResult(name, error=_died(name, shard.exit_code)) for name in shard.devices]


class _Shard(Generic[T]):
    """One process, as seen from the one that started it."""

    def __init__(self, work: bytes, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.devices: list[str] = []
        self.was_ready = False
        self._process: SpawnProcess = context.Process(target=serve, args=(there, work, settings), name="akslite shard", daemon=True)
        self._process.start()
        there.close()

    @property
    def exit_code(self) -> int | None:
        """The process's, once it ended."""
        return self._process.exitcode

    def submit(self, task: Task) -> None:
        self.devices.append(task.device.name)
        self._send(task)

    def results(self) -> list[DeviceResult[T]]:
        """What has come.

        Raises:
            EOFError, OSError: The process is gone.
        """
        found: list[DeviceResult[T]] = []
        while self.pipe.poll():
            message = self.pipe.recv()
            if message == _READY:
                self.was_ready = True
                continue
            if isinstance(message, _Secrets):
                for value in message.values:
                    REDACTOR.add(value)
                continue
            self.devices.remove(message.device)
            found.append(message)
        return found

    def cancel(self) -> None:
        self._send(_CANCEL)

    def end(self) -> None:
        self._send(None)
        until = time.monotonic() + _END_S
        # A process that still sends results must not wait for somebody to read them.
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll(max(until - time.monotonic(), 0)):
                self.pipe.recv_bytes()
        self._process.join(max(until - time.monotonic(), 0))
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self.pipe.close()

    def _send(self, message: Any) -> None:
        # Where the process is gone, reading from it tells so.
        with contextlib.suppress(OSError):
            self.pipe.send(message)


@dataclass(frozen=True, slots=True, repr=False)
class _Secrets:
    """Secrets that a process resolved for its devices: the one that shows what they answered must know them to redact them."""

    values: tuple[str, ...]


def serve(pipe: Connection, work: bytes, settings: Settings) -> None:
    """The life of a process beside: takes tasks from the pipe until it ends. Started by :class:`Shards` alone."""
    # Ctrl-C reaches every process of the terminal; the one that started this one decides what is to happen.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sending = threading.Lock()
    told = 0

    def deliver(result: DeviceResult[Any]) -> None:
        nonlocal told
        message = _as_message(result)
        # Where nobody reads any more, nobody misses it.
        with sending, contextlib.suppress(OSError):
            secrets = REDACTOR.learned(told)
            if secrets:
                told += len(secrets)
                pipe.send(_Secrets(secrets))
            pipe.send_bytes(message)

    crew = Crew(pickle.loads(work), settings, deliver)  # noqa: S301 - from the process that started this one
    pipe.send(_READY)
    with contextlib.suppress(EOFError, OSError):
        while (message := pipe.recv()) is not None:
            if message == _CANCEL:
                crew.cancel()
            else:
                crew.submit(message)
    crew.close()
    pipe.close()


def _as_message(result: DeviceResult[Any]) -> bytes:
    try:
        message = pickle.dumps(result)
        pickle.loads(message)  # noqa: S301 - made in the line above; an error may refuse to be read back
        return message
    except Exception as error:  # noqa: BLE001 - whatever the work gave refuses in its own way
        what = result.error if result.error is not None else result.value
        kept = AksLiteError(
            f"{type(what).__name__}: {redact(str(what))[:1000]} (it cannot be passed between processes: {type(error).__name__})",
            device=result.device,
            attempted="work on the device",
            next_action="let the work give plain data",
        )
        return pickle.dumps(DeviceResult(result.device, None, kept, result.duration_s))


def _pickled(work: object) -> bytes:
    try:
        return pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError):
        raise UsageError(
            "the work cannot be passed to another process",
            attempted="work on many devices",
            next_action="give a function at the top level of a module (functools.partial of one is fine), or shards=0",
        ) from None


def _died(device: str, exit_code: int | None) -> SessionLost:
    return SessionLost(
        f"the process that worked on it ended (exit code {exit_code}); what it had sent is unknown",
        device=device,
        attempted="work on the device",
        next_action="read the device's state before anything is sent again",
    )
