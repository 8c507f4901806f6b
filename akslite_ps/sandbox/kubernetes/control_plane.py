"""Runs a cluster's controllers: a queue of work in device time, worked off whenever somebody looks.

There is no task per cluster. The API calls :meth:`ControlPlane.advance` before it answers and, while
a watch is open, when the next piece of work is due. An idle cluster costs nothing.
"""

from __future__ import annotations

import datetime as dt
import heapq
import json
import logging
from collections.abc import Container, Iterable, Sequence
from typing import Protocol

from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

log = logging.getLogger(__name__)

# More steps than this in one go means two controllers undo each other's work.
_STEP_LIMIT = 20_000


class AllBut:
    """All resources but some, for a controller that watches whatever there is.

    Args:
        ignored: The resources that do not concern it.
    """

    def __init__(self, ignored: Iterable[str] = ()) -> None:
        self._ignored = frozenset(ignored)

    def __contains__(self, resource: object) -> bool:
        return resource not in self._ignored


class Controller(Protocol):
    """Brings the objects of one resource to what they should be."""

    @property
    def watches(self) -> Container[str]:
        """Resources whose changes concern this controller."""
        ...

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """Keys to reconcile after this change."""
        ...

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Do what is due for ``key`` at ``state.now``; returns when to look again, or None."""
        ...


class ControlPlane:
    """The controllers of one cluster and their queue.

    Args:
        state: The cluster.
        controllers: In the order in which they see a change.
    """

    def __init__(self, state: ClusterState, controllers: Sequence[Controller]) -> None:
        self._state = state
        self._controllers = tuple(controllers)
        self._due: dict[tuple[int, ObjectKey], dt.datetime] = {}
        self._heap: list[tuple[dt.datetime, int, int, ObjectKey]] = []
        self._count = 0
        self._advancing = False
        self._everything = False
        state.store.listen(self._on_change)

    def advance(self, until: dt.datetime | None = None) -> None:
        """Do all work due by ``until`` (the device's now by default), each piece at its own moment."""
        if self._advancing:
            return
        if self._everything:
            self._everything = False
            for resource in self._state.store.resources():
                self.look_at(self._state.store.keys(resource))
        self._advancing = True
        end = until or self._state.clock()
        self._state.horizon = max(end, self._state.now)
        steps = 0
        try:
            while self._heap and self._heap[0][0] <= end:
                due, _, index, key = heapq.heappop(self._heap)
                if self._due.get((index, key)) != due:
                    continue
                del self._due[(index, key)]
                steps += 1
                if steps > _STEP_LIMIT:
                    raise RuntimeError(
                        f"the controllers do not come to rest; last at {type(self._controllers[index]).__name__} {key}"
                    )
                self._state.now = max(due, self._state.now)
                again = self._reconcile(index, key)
                if again is not None:
                    self._enqueue(index, key, again)
        finally:
            self._advancing = False
            self._state.now = max(end, self._state.now)

    def _reconcile(self, index: int, key: ObjectKey) -> dt.datetime | None:
        try:
            return self._controllers[index].reconcile(key, self._state)
        except Exception:
            # As in a real control plane: an object that a controller trips over stays as it is, everything else goes on.
            log.exception("%s cannot handle %s", type(self._controllers[index]).__name__, key)
            return None

    def next_due(self) -> dt.datetime | None:
        """When the next piece of work is due, or None."""
        if self._everything:
            return self._state.clock()
        while self._heap and self._due.get((self._heap[0][2], self._heap[0][3])) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def look_at(self, keys: Iterable[ObjectKey]) -> None:
        """Have every controller that watches these objects' resource reconsider them now."""
        for key in keys:
            encoded = self._state.store.encoded(key)
            if encoded is not None:
                self._on_change(Change(self._state.store.revision, "MODIFIED", key, encoded, None, self._state.clock()))

    def look_at_everything(self) -> None:
        """Have all controllers reconsider all objects at the next advance, as after a restart of the control plane."""
        self._everything = True

    def _on_change(self, change: Change) -> None:
        interested = [index for index, item in enumerate(self._controllers) if change.key.resource in item.watches]
        if not interested:
            return
        moment = self._state.now if self._advancing else max(self._state.now, change.at)
        obj: Object = json.loads(change.encoded)
        for index in interested:
            for key in self._controllers[index].concerns(change, obj, self._state):
                self._enqueue(index, key, moment)

    def _enqueue(self, index: int, key: ObjectKey, due: dt.datetime) -> None:
        known = self._due.get((index, key))
        if known is not None and known <= due:
            return
        self._due[(index, key)] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, index, key))
