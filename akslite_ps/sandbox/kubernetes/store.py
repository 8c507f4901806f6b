"""One cluster's objects, their versions, and the recent history that watches are served from.

Used by the controllers (which write as time passes) and by the API (which reads and writes for
clients). Objects are held as encoded JSON: a thousand idle clusters must fit one process, and
what a caller gets is always its own copy. Single-threaded: belongs to the API's event loop.
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, controller_of, name_of, namespace_of

# A watch may start this far back; older starts are refused as after etcd's compaction.
HISTORY_LENGTH = 400
HISTORY_AGE = dt.timedelta(minutes=5)


class Change(NamedTuple):
    """One entry of the history: ``kind`` is ADDED, MODIFIED or DELETED; ``before`` is what the object was."""

    revision: int
    kind: str
    key: ObjectKey
    encoded: bytes
    before: bytes | None
    at: dt.datetime


def itself_or_owner(change: Change, obj: Object, owners: Mapping[str, str]) -> tuple[ObjectKey, ...]:
    """The object that a controller looks at after a change: the changed one, unless it is gone, or the one that owns it.

    Args:
        change: What has changed.
        obj: The object as it is now, or was last.
        owners: The kinds that the controller works for, each with its resource.
    """
    if change.key.resource in owners.values():
        return () if change.kind == "DELETED" else (change.key,)
    owner = controller_of(obj)
    resource = owners.get(owner["kind"]) if owner is not None else None
    return (ObjectKey(resource, change.key.namespace, owner["name"]),) if owner is not None and resource is not None else ()


def encode(obj: object) -> bytes:
    """Compact JSON."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


class Store:
    """Objects by key with a revision counter shared by the whole cluster.

    Args:
        clock: The device's clock; ages the history.
        revision: The last revision handed out.
    """

    def __init__(self, clock: Callable[[], dt.datetime], revision: int = 1) -> None:
        self._clock = clock
        self.revision = revision
        self.floor = revision
        self._unfolded: dict[str, dict[tuple[str, str], bytes]] = {}
        self._folded: bytes | None = None
        self._history: deque[Change] = deque()
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``listener`` after every change until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def encoded(self, key: ObjectKey) -> bytes | None:
        """The object's JSON as it is sent, or None."""
        return self._objects.get(key.resource, {}).get((key.namespace, key.name))

    def get(self, key: ObjectKey) -> Object | None:
        """A copy of the object, or None."""
        encoded = self.encoded(key)
        return None if encoded is None else _decode(encoded)

    def keys(self, resource: str, namespace: str = "") -> list[ObjectKey]:
        """Keys of a resource in storage order, of one namespace or (default) of all."""
        names = sorted(self._objects.get(resource, ()))
        return [ObjectKey(resource, *name) for name in names if not namespace or name[0] == namespace]

    def objects(self, resource: str, namespace: str = "") -> Iterator[Object]:
        """Copies of a resource's objects in storage order."""
        for key in self.keys(resource, namespace):
            encoded = self.encoded(key)
            if encoded is not None:
                yield _decode(encoded)

    def resources(self) -> list[str]:
        """Resources that hold at least one object."""
        return sorted(name for name, objects in self._objects.items() if objects)

    def put(self, resource: str, obj: Object) -> Object:
        """Write an object and return it with its new resourceVersion. Writing what is already there changes nothing."""
        key = ObjectKey(resource, namespace_of(obj), name_of(obj))
        before = self.encoded(key)
        if before is not None:
            obj["metadata"]["resourceVersion"] = _decode(before)["metadata"]["resourceVersion"]
            if encode(obj) == before:
                return obj
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        encoded = encode(obj)
        self._objects.setdefault(resource, {})[(key.namespace, key.name)] = encoded
        self._record("ADDED" if before is None else "MODIFIED", key, encoded, before)
        return obj

    def remove(self, key: ObjectKey) -> Object | None:
        """Remove an object; returns it as it was last seen, with the revision of its removal."""
        before = self._objects.get(key.resource, {}).pop((key.namespace, key.name), None)
        if before is None:
            return None
        self.revision += 1
        obj = _decode(before)
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._record("DELETED", key, encode(obj), before)
        return obj

    def since(self, revision: int) -> Iterable[Change] | None:
        """Changes after ``revision``, oldest first, or None where the history no longer reaches back so far."""
        if revision < self.floor:
            return None
        if not self._history or revision >= self._history[-1].revision:
            return ()
        return [change for change in self._history if change.revision > revision]

    @property
    def folded(self) -> bool:
        """Whether the objects are compressed now."""
        return self._folded is not None

    def fold(self) -> None:
        """Take little memory until the next access: objects compressed, history dropped (an old watch has to list again)."""
        if self._folded is None and self._unfolded:
            text = {name: [item.decode() for item in objects.values()] for name, objects in self._unfolded.items() if objects}
            self._folded = zlib.compress(encode(text), 6)
            self._unfolded = {}
        self.forget_history()

    def forget_history(self) -> None:
        """Drop the history: every watch from an earlier revision is refused from now on."""
        self._history.clear()
        self.floor = self.revision

    def load(self, resource: str, objects: Iterable[Object]) -> None:
        """Take objects over as they are (a snapshot's), without history."""
        target = self._objects.setdefault(resource, {})
        for obj in objects:
            target[(namespace_of(obj), name_of(obj))] = encode(obj)

    @property
    def _objects(self) -> dict[str, dict[tuple[str, str], bytes]]:
        if self._folded is not None:
            folded, self._folded = self._folded, None
            for resource, texts in json.loads(zlib.decompress(folded)).items():
                self.load(resource, (json.loads(text) for text in texts))
        return self._unfolded

    def _record(self, kind: str, key: ObjectKey, encoded: bytes, before: bytes | None) -> None:
        now = self._clock()
        change = Change(self.revision, kind, key, encoded, before, now)
        self._history.append(change)
        while len(self._history) > HISTORY_LENGTH or now - self._history[0].at > HISTORY_AGE:
            self.floor = self._history.popleft().revision
        for listener in list(self._listeners):
            listener(change)


def _decode(encoded: bytes) -> Object:
    obj: Object = json.loads(encoded)
    return obj
