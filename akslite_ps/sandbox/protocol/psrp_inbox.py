"""Fragments from a client, joined to messages: bounded in size, and refused at the first that does not fit.

Called by ``protocol.psrp``. Layouts are those of [MS-PSRP] 2.2.4 (fragment) and 2.2.1 (message).
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, field

_FRAGMENT = struct.Struct(">QQBI")
_MESSAGE = struct.Struct("<II16s16s")
_START, _END = 1, 2
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
        position = 0
        while position < len(data):
            if len(data) - position < _FRAGMENT.size:
                raise ProtocolViolation(f"{len(data) - position} bytes are no fragment")
            object_id, number, flags, length = _FRAGMENT.unpack_from(data, position)
            position += _FRAGMENT.size
            if length > len(data) - position:
                raise ProtocolViolation(f"a fragment of {length} bytes has only {len(data) - position}")
            if length == 0 or flags & ~(_START | _END):
                raise ProtocolViolation("a fragment is empty or has unknown flags")
            piece = data[position : position + length]
            position += length
            whole = self._joined(object_id, number, flags, piece)
            if whole is not None:
                complete.append(_message(whole))
        return complete

    def _joined(self, object_id: int, number: int, flags: int, piece: bytes) -> bytes | None:
        """The whole message where this was its last fragment."""
        if flags & _START:
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
        if not flags & _END:
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
