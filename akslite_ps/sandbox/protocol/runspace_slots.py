"""The runspaces of a pool: opened when needed, at most so many, one pipeline in each at a time.

Made by ``protocol.shells``; pipelines (``protocol.pipelines``) take turns in them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from akslite_ps.sandbox.engine import Runspace


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
