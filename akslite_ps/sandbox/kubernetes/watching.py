"""Streams of changes to watching clients, from the store's history."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator

from akslite_ps.sandbox.kubernetes.answers import WatchOrder
from akslite_ps.sandbox.kubernetes.custom_types import served_form
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.reading import partial_metadata
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import expired
from akslite_ps.sandbox.kubernetes.store import Change, encode
from akslite_ps.sandbox.kubernetes.tables import make_table

# Real seconds. The real server ends an unlimited watch after 30 to 60 minutes and sends a bookmark about once a minute.
_LONGEST = (1800, 3600)
_BOOKMARK_INTERVAL = 60.0


class WatchStream:
    """One open watch.

    Args:
        state: The cluster.
        order: What the client asked for.
        write: Sends bytes to the client.
        ended: Set when the API stops.
    """

    def __init__(
        self, state: ClusterState, order: WatchOrder, write: Callable[[bytes], Awaitable[None]], ended: asyncio.Event
    ) -> None:
        self._state = state
        self._order = order
        self._write = write
        self._ended = ended
        self._changed = asyncio.Event()
        self._revision = state.store.revision if order.revision is None else order.revision
        self._columns_sent = False

    async def run(self) -> None:
        """Send events until the time is over, the history is lost, or the API stops."""
        forget = self._state.store.listen(lambda change: self._changed.set())
        try:
            await self._send(self._initial())
            await self._follow()
        finally:
            forget()

    def _initial(self) -> list[bytes]:
        if self._order.revision is not None:
            return []
        events = [
            self._event("ADDED", obj)
            for obj in self._state.store.objects(self._order.kind.resource, self._order.namespace)
            if self._order.matches(obj)
        ]
        if self._order.mark_end_of_initial:
            events.append(self._bookmark({"k8s.io/initial-events-end": "true"}))
        return events

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        limit = self._order.seconds or random.randint(*_LONGEST)  # noqa: S311 - spreads reconnects
        end = loop.time() + limit
        while not self._ended.is_set():
            self._changed.clear()
            changes = self._state.store.since(self._revision)
            if changes is None:
                status = expired(self._revision, self._state.store.floor).as_status()
                await self._write(encode({"type": "ERROR", "object": status}) + b"\n")
                return
            await self._send([event for change in changes for event in self._events_of(change)])
            remaining = end - loop.time()
            if remaining <= 0:
                break
            if not await self._wait(min(remaining, _BOOKMARK_INTERVAL)) and self._order.bookmarks:
                await self._send([self._bookmark()])

    async def _wait(self, seconds: float) -> bool:
        """True as soon as something has changed or the API stops, False after ``seconds``."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, self._ended)]
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bool(done)

    def _events_of(self, change: Change) -> Iterator[bytes]:
        """A change as this client sees it: an object that starts or stops matching is added or deleted."""
        self._revision = change.revision
        if change.key.resource != self._order.kind.resource or (
            self._order.namespace and change.key.namespace != self._order.namespace
        ):
            return
        obj: Object = json.loads(change.encoded)
        matches = self._order.matches(obj)
        matched = change.before is not None and self._order.matches(json.loads(change.before))
        if change.kind == "DELETED":
            if matched:
                yield self._event("DELETED", obj)
        elif matches:
            yield self._event("MODIFIED" if matched else "ADDED", obj)
        elif matched:
            yield self._event("DELETED", obj)

    def _event(self, kind: str, obj: Object) -> bytes:
        obj = served_form(self._order.kind, obj)
        body = obj
        if self._order.encoding == "table":
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            body = make_table(self._order.kind, [obj], self._state.now, metadata, self._order.include_object)
            if self._columns_sent:
                body["columnDefinitions"] = None
            self._columns_sent = True
        elif self._order.encoding == "metadata":
            body = partial_metadata(obj)
        return encode({"type": kind, "object": body}) + b"\n"

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        metadata: dict[str, object] = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        body: Object = {"kind": self._order.kind.kind, "apiVersion": self._order.kind.api_version, "metadata": metadata}
        if self._order.encoding == "table":
            body = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": None, "rows": []}
        return encode({"type": "BOOKMARK", "object": body}) + b"\n"

    async def _send(self, events: list[bytes]) -> None:
        if events:
            await self._write(b"".join(events))
