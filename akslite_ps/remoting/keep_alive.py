"""Keeps idle sessions awake: real hosts drop a connection after about two minutes without traffic.

One daemon thread per process for all sessions; ``remoting.session`` enrols and dismisses them. Sends one light request
on a session's own connection, and only while nothing else uses it; never waits for a connection that is in use.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

IDLE_S = 60.0
"""After how long without traffic a session is heard of, in seconds: half of what real hosts allow."""

_SHORTEST_NAP_S = 0.05


class IdlePool(Protocol):
    """What can be kept alive; :class:`akslite_ps.remoting.pool.DevicePool` is."""

    @property
    def last_used(self) -> float:
        """When something was sent or received last (monotonic)."""
        ...

    def keep_alive(self, idle_s: float) -> bool:
        """Send a light request where nothing was sent for ``idle_s`` seconds; False where it got no answer."""
        ...


class KeepAlive:
    """Looks after pools until they are dismissed or nobody refers to them.

    A pool that did not answer is left alone until its owner has used it again: one device that is away does not hold up
    the others.

    Args:
        idle_s: See :data:`IDLE_S`.
    """

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._pools: weakref.WeakKeyDictionary[IdlePool, float] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        # Set, not notified: a pool that is dismissed while the others are being heard of would notify nobody.
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def enrol(self, pool: IdlePool) -> None:
        """Look after a pool from now on."""
        with self._lock:
            self._pools[pool] = -1.0
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="akslite keep-alive", daemon=True)
                self._thread.start()

    def dismiss(self, pool: IdlePool) -> None:
        """Look after it no longer; does nothing where it is not known."""
        with self._lock:
            self._pools.pop(pool, None)
        self._changed.set()

    def _run(self) -> None:
        while (nap_s := self._look_round()) is not None:
            self._changed.wait(max(nap_s, _SHORTEST_NAP_S))

    def _look_round(self) -> float | None:
        """Hear of every pool that is due; gives the seconds until the next one is, None where there is no pool left."""
        self._changed.clear()
        with self._lock:
            if not self._pools:
                self._thread = None
                return None
            pools = list(self._pools.items())
        nap_s = self._idle_s
        for pool, silent_since in pools:
            if pool.last_used <= silent_since:
                continue
            due_s = pool.last_used + self._idle_s - time.monotonic()
            if due_s <= 0:
                if not pool.keep_alive(self._idle_s):
                    self._note_silence(pool)
                due_s = self._idle_s
            nap_s = min(nap_s, due_s)
        return nap_s

    def _note_silence(self, pool: IdlePool) -> None:
        with self._lock:
            if pool in self._pools:
                self._pools[pool] = pool.last_used


KEEP_ALIVE = KeepAlive()
"""The one of this process."""
