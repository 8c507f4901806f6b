"""The same work on many devices from one process, or from several on one machine, in bounded memory.

    for result in run_on_many(devices, read_version, threads=8, shards=2):
        print(result.device, result.value if result.ok else result.error)

Called by fleets and scripts. What goes wrong on one device is its result and stops nobody else. Workers are
stateless: nothing is kept here about a device once its result was taken.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.remoting.crew import Crew, DeviceResult, Settings, Task
from akslite_ps.secrets import REDACTOR

if TYPE_CHECKING:
    from akslite_ps.remoting.endpoint import Device
    from akslite_ps.remoting.session import Session

T = TypeVar("T")

_LOOK_UP_S = 0.2
_QUEUED_PER_THREAD = 1


@dataclass(frozen=True, slots=True)
class ManyProgress:
    """Where the whole stands.

    Args:
        started: Devices handed to the workers.
        done: Results taken, failed ones included.
        failed: Results with an error.
        total: How many there are, None where the devices come from an iterator of unknown length.
    """

    started: int = 0
    done: int = 0
    failed: int = 0
    total: int | None = None


class Workers(Protocol[T]):
    """Threads here or processes beside: what takes devices and gives results."""

    @property
    def capacity(self) -> int:
        """How many devices may be with the workers at once."""
        ...

    def submit(self, task: Task) -> None:
        """Hand over a device."""
        ...

    def collect(self, wait_s: float) -> list[DeviceResult[T]]:
        """The results there are, waiting for the first one for up to ``wait_s`` seconds."""
        ...

    def cancel(self) -> None:
        """Begin nothing more, and end the sessions of the work at hand."""
        ...

    def close(self) -> None:
        """Cancel, and wait until all is over."""
        ...


def run_on_many(
    devices: Iterable[Device],
    work: Callable[[Session], T],
    *,
    threads: int = 8,
    shards: int = 0,
    ask: Callable[[str], str] | None = None,
    open_timeout_s: float = 30,
    stop: threading.Event | None = None,
    stop_grace_s: float = 10,
    on_progress: Callable[[ManyProgress], None] | None = None,
) -> Iterator[DeviceResult[T]]:
    """Do the same work on many devices; gives each result as soon as it is there.

    A device is opened when a worker is free for it and closed when its work is done; as long as no result is taken,
    no more than two devices a thread are begun. Leaving the iteration cancels the rest.

    Args:
        devices: The devices, read as they are needed.
        work: Gets the open session, gives what is wanted of the device. With shards it must be a function at the top
            level of a module, and what it gives must be picklable; a script then needs ``if __name__ == "__main__":``.
        threads: Workers in each process. They share its interpreter's lock: about 60 short commands a second.
        shards: Processes beside this one that share the work, 0 for none. Each takes most of a second of a core to start, so
            they pay from some hundred devices on, and up to about one per core.
        ask: Answers ``prompt:`` references, always in this process.
        open_timeout_s: As for :meth:`Session.open`.
        stop: Set it to cancel: no further device is begun, those at work get ``stop_grace_s``, then their sessions are
            closed, which ends their commands. The iteration ends when all have told their result.
        stop_grace_s: See ``stop``, in seconds.
        on_progress: Called in this thread whenever the numbers change.

    Raises:
        UsageError: Threads or shards make no sense, or the work cannot be passed to another process.
    """
    if threads < 1 or shards < 0:
        raise UsageError(
            f"{threads} threads in {shards} shards cannot work",
            attempted="work on many devices",
            next_action="give at least one thread, and no negative number of shards",
        )
    settings = Settings(threads=threads, queued=threads * _QUEUED_PER_THREAD, open_timeout_s=open_timeout_s)
    return _results(devices, _workers(work, settings, shards), ask, stop or threading.Event(), stop_grace_s, on_progress)


def _workers(work: Callable[[Session], T], settings: Settings, shards: int) -> Workers[T]:
    if shards == 0:
        return Crew(work, settings)
    from akslite_ps.remoting.shards import Shards

    return Shards(work, settings, shards)


def _results(
    devices: Iterable[Device],
    workers: Workers[T],
    ask: Callable[[str], str] | None,
    stop: threading.Event,
    stop_grace_s: float,
    on_progress: Callable[[ManyProgress], None] | None,
) -> Iterator[DeviceResult[T]]:
    count = _Count(_length(devices), on_progress)
    prompts = _Prompts(ask)
    waiting = iter(devices)
    cancel_at: float | None = None
    try:
        while True:
            ready: list[DeviceResult[T]] = []
            room = 0 if stop.is_set() else workers.capacity - (count.started - count.done)
            for device in itertools.islice(waiting, room):
                count.began()
                try:
                    workers.submit(Task(device, prompts.answers_for(device)))
                except AksLiteError as error:
                    ready.append(DeviceResult(device.name, error=error))
            if count.started == count.done:
                return
            if stop.is_set():
                cancel_at = cancel_at or time.monotonic() + stop_grace_s
                if time.monotonic() >= cancel_at:
                    workers.cancel()
            for result in ready or workers.collect(_LOOK_UP_S):
                count.ended(result)
                yield result
    finally:
        workers.close()


def _length(devices: Iterable[Device]) -> int | None:
    try:
        return len(devices)  # type: ignore[arg-type]
    except TypeError:
        return None


class _Count:
    def __init__(self, total: int | None, tell: Callable[[ManyProgress], None] | None) -> None:
        self.started = self.done = self._failed = 0
        self._total = total
        self._tell = tell

    def began(self) -> None:
        self.started += 1
        self._told()

    def ended(self, result: DeviceResult[T]) -> None:
        self.done += 1
        self._failed += not result.ok
        self._told()

    def _told(self) -> None:
        if self._tell is not None:
            self._tell(ManyProgress(self.started, self.done, self._failed, self._total))


class _Prompts:
    """Answers ``prompt:`` references of passwords here, once for each label: another process cannot ask the person."""

    def __init__(self, ask: Callable[[str], str] | None) -> None:
        self._ask = ask
        self._known: dict[str, str] = {}

    def answers_for(self, device: Device) -> dict[str, str]:
        reference = device.endpoint.password
        if reference is None or reference.scheme != "prompt":
            return {}
        if reference.name not in self._known:
            self._known[reference.name] = reference.resolve(ask=self._ask)
            REDACTOR.add(self._known[reference.name])
        return {reference.name: self._known[reference.name]}
