"""A fixed number of threads that do one piece of work on one device after another.

Used by ``remoting.many`` in its own process and by ``remoting.shards`` in each process beside it. Opens and closes the
sessions; never raises for what happens on a device.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from akslite_ps.errors import AksLiteError, SecretUnavailable, SessionLost
from akslite_ps.secrets import redact

if TYPE_CHECKING:
    from akslite_ps.remoting.endpoint import Device
    from akslite_ps.remoting.session import Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeviceResult(Generic[T]):
    """What came of one device.

    Args:
        device: Its name.
        value: What the work gave; None where it failed.
        error: Why it failed, or None. An error that is no :class:`AksLiteError` is the work's own; its traceback is a note of it.
        duration_s: Seconds from opening the session to closing it.
    """

    device: str
    value: T | None = None
    error: Exception | None = None
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """True where the work came to its end."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a crew works.

    Args:
        threads: Devices at work at once.
        queued: Devices that may wait for a free thread, so that none pauses while a result is taken.
        open_timeout_s: As for :meth:`Session.open`.
    """

    threads: int
    queued: int
    open_timeout_s: float

    @property
    def capacity(self) -> int:
        """Devices that may be with the crew at once."""
        return self.threads + self.queued


@dataclass(frozen=True, slots=True)
class Task:
    """One device to work on, with the answers to its ``prompt:`` references by label."""

    device: Device
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Crew(Generic[T]):
    """The threads.

    Args:
        work: What they do with each session.
        settings: How many they are.
        deliver: Takes each result, in the thread that has it; default: they are kept for :meth:`collect`.
    """

    def __init__(
        self, work: Callable[[Session], T], settings: Settings, deliver: Callable[[DeviceResult[T]], None] | None = None
    ) -> None:
        self.capacity = settings.capacity
        self._work = work
        self._settings = settings
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[DeviceResult[T]] = queue.SimpleQueue()
        self._deliver = deliver or self._results.put
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._open: set[Session] = set()
        self._threads = [
            threading.Thread(target=self._run, name=f"akslite crew {number}", daemon=True) for number in range(settings.threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Hand over a device; its turn comes when a thread is free."""
        self._tasks.put(task)

    def collect(self, wait_s: float) -> list[DeviceResult[T]]:
        """The results there are, waiting for the first one for up to ``wait_s`` seconds."""
        found: list[DeviceResult[T]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._results.get(timeout=wait_s))
            while True:
                found.append(self._results.get_nowait())
        return found

    def cancel(self) -> None:
        """Begin nothing more, and close the sessions of the work at hand, which ends their commands."""
        self._cancelled.set()
        with self._lock:
            sessions = list(self._open)
        for session in sessions:
            session.close()

    def close(self) -> None:
        """Cancel, and wait until all threads are done."""
        self.cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._deliver(self._done(task))

    def _done(self, task: Task) -> DeviceResult[T]:
        name, began = task.device.name, time.monotonic()
        try:
            value = self._in_session(task)
            return DeviceResult(name, value, None, time.monotonic() - began)
        except AksLiteError as error:
            failure: Exception = error
        except Exception as error:  # noqa: BLE001 - the work is foreign code; its fault is this device's result
            error.add_note(redact("".join(traceback.format_exception(error))))
            failure = error
        except BaseException as error:  # noqa: BLE001 - as above; the thread has other devices to work on
            failure = AksLiteError(
                f"the work ended itself with {type(error).__name__}", device=name, attempted="work on the device"
            )
        return DeviceResult(name, None, _without_frames(failure), time.monotonic() - began)

    def _in_session(self, task: Task) -> T:
        from akslite_ps.remoting.session import Session

        self._refuse_if_cancelled(task.device)
        ask = _answering(task.answers) if task.answers else None
        session = Session.open(task.device, ask=ask, open_timeout_s=self._settings.open_timeout_s)
        with session:
            with self._lock:
                self._open.add(session)
            try:
                self._refuse_if_cancelled(task.device)
                return self._work(session)
            finally:
                with self._lock:
                    self._open.discard(session)

    def _refuse_if_cancelled(self, device: Device) -> None:
        if self._cancelled.is_set():
            raise SessionLost(
                "the work on many devices was cancelled before this one was begun",
                device=device.name,
                attempted="work on the device",
                next_action="start it again for the devices that are missing",
            )


def _without_frames(error: Exception) -> Exception:
    """The error without the frames it came through: they would keep session and connection alive with the result."""
    link: BaseException | None = error
    while link is not None and link.__traceback__ is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _answering(answers: Mapping[str, str]) -> Callable[[str], str]:
    def answer(label: str) -> str:
        if label not in answers:
            raise SecretUnavailable(f"prompt:{label} cannot be asked in a worker", next_action="use keyring:, env: or file: for it")
        return answers[label]

    return answer
