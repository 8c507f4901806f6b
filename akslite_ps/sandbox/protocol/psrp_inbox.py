"""Fragments from a client, joined to messages: bounded in size, and refused at the first that does not fit.

Called by ``protocol.psrp``. Layouts are those of [MS-PSRP] 2.2.4 (fragment) and 2.2.1 (message).
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, field

from akslite_ps.sandbox.protocol.fragments import END, START, NotFragments, PassingFragment, fragments_in

_MESSAGE = struct.Struct("<II16s16s")
_TO_SERVER = 2
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_ID = uuid.UUID(int=0)
_MEGABYTE = 1024 * 1024

OBJECT_LIMIT = 10 * _MEGABYTE
"""MaximumReceivedObjectSizeMB of a session configuration; 10 by default."""
_UNFINISHED_LIMIT = 64
"""Messages of which only a part has come. A client has one per pipeline and stream under way."""


class ProtocolViolation(Exception):
    """The client sent bytes that are not a PSRP message, or a message that does not fit here."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a client. ``pipeline_id`` is None where it is for the pool; ``body`` is its CLIXML."""

    kind: int
    pool_id: uuid.UUID
    pipeline_id: uuid.UUID | None
    body: bytes = field(repr=False)


@dataclass(slots=True)
class _Unfinished:
    size: int = 0
    pieces: list[bytes] = field(default_factory=list)


class Inbox:
    """The fragments of one client's messages.

    Args:
        object_limit: Bytes that one message may have.
    """

    def __init__(self, *, object_limit: int = OBJECT_LIMIT) -> None:
        self._object_limit = object_limit
        self._unfinished: dict[int, _Unfinished] = {}

    def add(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete; the bytes hold whole fragments.

        Raises:
            ProtocolViolation: They do not, or a fragment does not follow the one before it. What was begun is forgotten then.
        """
        try:
            return self._add(data)
        except ProtocolViolation:
            self.clear()
            raise

    def clear(self) -> None:
        """Forget what was begun."""
        self._unfinished.clear()

    def _add(self, data: bytes) -> list[Message]:
        complete: list[Message] = []
        try:
            for fragment in fragments_in(data):
                if not fragment.piece or fragment.flags & ~(START | END):
                    raise ProtocolViolation("a fragment is empty or has unknown flags")
                whole = self._joined(fragment)
                if whole is not None:
                    complete.append(_message(whole))
        except NotFragments as error:
            raise ProtocolViolation(str(error)) from None
        return complete

    def _joined(self, fragment: PassingFragment) -> bytes | None:
        """The whole message where this was its last fragment."""
        object_id, number, piece = fragment.object_id, fragment.number, fragment.piece
        if fragment.begins:
            if number != 0 or object_id in self._unfinished:
                raise ProtocolViolation(f"object {object_id} begins with fragment {number}, or for the second time")
            if len(self._unfinished) >= _UNFINISHED_LIMIT:
                raise ProtocolViolation(f"more than {_UNFINISHED_LIMIT} messages were begun and not ended")
            self._unfinished[object_id] = _Unfinished()
        unfinished = self._unfinished.get(object_id)
        if unfinished is None or number != len(unfinished.pieces):
            raise ProtocolViolation(f"fragment {number} of object {object_id} is not the next one")
        unfinished.pieces.append(piece)
        unfinished.size += len(piece)
        if sum(each.size for each in self._unfinished.values()) > self._object_limit:
            raise ProtocolViolation(
                "The current deserialized object size of the data received from the remote client exceeded the allowed maximum "
                f"object size. The current deserialized object size is {unfinished.size}. The allowed maximum object size is "
                f"{self._object_limit}"
            )
        if not fragment.ends:
            return None
        del self._unfinished[object_id]
        return b"".join(unfinished.pieces)


def _message(data: bytes) -> Message:
    if len(data) < _MESSAGE.size:
        raise ProtocolViolation(f"a message of {len(data)} bytes is shorter than its header")
    destination, kind, pool_id, pipeline_id = _MESSAGE.unpack_from(data)
    if destination != _TO_SERVER:
        raise ProtocolViolation(f"the message is for {destination}, which is not the server")
    pipeline = uuid.UUID(bytes_le=pipeline_id)
    return Message(
        kind,
        uuid.UUID(bytes_le=pool_id),
        None if pipeline == _NO_ID else pipeline,
        data[_MESSAGE.size :].removeprefix(_BYTE_ORDER_MARK),
    )
