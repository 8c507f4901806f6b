"""A blocking job in a thread, followed from a cell: what it posts, what it asks, how it ends.

The remoting library blocks; a cell must stay interruptible and let widgets live. So the job runs in a thread and
the cell awaits its posts. The wait wakes up every 0.2 s: an interrupt (SIGINT) reaches an idle event loop only
when it wakes. Knows nothing of PowerShell or Jupyter.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

HEARTBEAT_S = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that the job waits for: answer it with ``answer`` or refuse it with ``refuse``."""

    prompt: str
    is_secret: bool
    _reply: Future[str] = field(default_factory=Future)

    def answer(self, text: str) -> None:
        """Let the job go on with this answer."""
        if not self._reply.done():
            self._reply.set_result(text)

    def refuse(self, error: BaseException) -> None:
        """Raise this error in the job."""
        if not self._reply.done():
            self._reply.set_exception(error)

    def wait(self) -> str:
        """The answer. For the job's thread."""
        return self._reply.result()


class Work(Generic[T]):
    """One job in a daemon thread of its own, in the context of the cell: its output belongs to that cell.

    Args:
        job: Called in the thread with this Work, to :meth:`post` items and to :meth:`ask`; its return value is
            :meth:`result`.
        name: The thread's name.
    """

    def __init__(self, job: Callable[[Work[T]], T], *, name: str = "akslite-work") -> None:
        self._job = job
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outcome: Future[T] = Future()
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Event | None = None
        self._questions: list[Asked] = []

    # -- in the job's thread

    def post(self, item: Any) -> None:
        """Hand an item to whoever follows."""
        self._items.put(item)
        self._wake()

    def ask(self, prompt: str, *, is_secret: bool = False) -> str:
        """Ask the person at the notebook and wait for the answer.

        Raises:
            BaseException: What the follower refused the question with.
        """
        question = Asked(prompt, is_secret)
        self._questions.append(question)
        self.post(question)
        return question.wait()

    def _run(self) -> None:
        try:
            self._outcome.set_result(self._job(self))
        except BaseException as error:  # noqa: BLE001 - handed to the follower, who raises it
            self._outcome.set_exception(error)
        self._wake()

    def _wake(self) -> None:
        loop, ready = self._loop, self._ready
        if loop is not None and ready is not None:
            with suppress(RuntimeError):  # the loop closed: nobody follows any more
                loop.call_soon_threadsafe(ready.set)

    # -- in the thread of the cell

    @property
    def is_over(self) -> bool:
        """True where the job has ended; items may still wait."""
        return self._outcome.done()

    def start(self) -> None:
        """Start the thread. Within a running event loop, :meth:`items` becomes possible."""
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._ready = asyncio.Event()
        self._thread.start()

    async def items(self, wait_s: float = HEARTBEAT_S) -> list[Any]:
        """What was posted since the last call; waits for something to come, one heartbeat or ``wait_s`` if that is less."""
        assert self._ready is not None, "started outside of an event loop"
        if self._items.empty() and not self.is_over:
            # Not wait_for: in Python 3.11 an interrupt that comes together with an item would be lost in it.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, HEARTBEAT_S)):
                    await self._ready.wait()
        else:
            # Where items come faster than they are shown, interrupts and widgets have their turn all the same.
            await asyncio.sleep(0)
        self._ready.clear()
        return self.posted()

    def items_blocking(self) -> list[Any]:
        """The same for code without an event loop: KeyboardInterrupt gets through within a heartbeat."""
        if self.is_over:
            return self.posted()
        with suppress(queue.Empty):
            return [self._items.get(timeout=HEARTBEAT_S), *self.posted()]
        return []

    def posted(self) -> list[Any]:
        """What waits now."""
        items = []
        with suppress(queue.Empty):
            while True:
                items.append(self._items.get_nowait())
        return items

    def abandon(self, error: BaseException) -> None:
        """Refuse every open question, so that the job can end."""
        for question in self._questions:
            question.refuse(error)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False where it has not within the time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the job returned; raises what it raised. Only where :attr:`is_over`."""
        return self._outcome.result(timeout=0)
