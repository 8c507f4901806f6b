"""PSRP fragments looked at from outside: which messages pass, without reading or changing what is in them.

Called by ``protocol.relayed_shell``, which must know when a pipeline has ended and little else. Layouts are those of [MS-
PSRP] 2.2.4 (fragment: object id, fragment id, flags, length) and 2.2.1 (message: destination, type, pool id, pipeline id).
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum

_FRAGMENT = struct.Struct(">QQBI")
_MESSAGE = struct.Struct("<II16s16s")
_START, _END = 1, 2
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TO_CLIENT = 1


class MessageKind(IntEnum):
    """The types of messages that a relay must tell from the others."""

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    CONNECT_RUNSPACEPOOL = 0x00010008
    SET_MAX_RUNSPACES = 0x00021002
    SET_MIN_RUNSPACES = 0x00021003
    RUNSPACEPOOL_STATE = 0x00021005
    APPLICATION_PRIVATE_DATA = 0x00021009
    RUNSPACEPOOL_INIT_DATA = 0x0002100B
    RUNSPACEPOOL_HOST_CALL = 0x00021100
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    PIPELINE_HOST_CALL = 0x00041100


class NotFragments(ValueError):
    """Bytes that are no sequence of fragments."""


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message of which the last fragment has passed.

    Args:
        kind: Its type; one of :class:`MessageKind` where that knows it.
        pool_id: The runspace pool's.
        beginning: The CLIXML of its first fragment, which is all of it for short messages.
    """

    kind: int
    pool_id: uuid.UUID
    beginning: bytes


class MessageWatch:
    """Looks at the fragments of one direction of one shell."""

    def __init__(self) -> None:
        self._begun: dict[int, SeenMessage] = {}

    def see(self, data: bytes) -> list[SeenMessage]:
        """The messages that end in these bytes, which hold one or more whole fragments.

        Raises:
            NotFragments: They do not.
        """
        ended: list[SeenMessage] = []
        position = 0
        while position < len(data):
            if len(data) - position < _FRAGMENT.size:
                raise NotFragments(f"{len(data) - position} bytes are no fragment")
            object_id, _, flags, length = _FRAGMENT.unpack_from(data, position)
            position += _FRAGMENT.size
            blob = data[position : position + length]
            position += length
            if len(blob) != length:
                raise NotFragments(f"a fragment of {length} bytes has only {len(blob)}")
            if flags & _START:
                self._begun[object_id] = _read_header(blob)
            message = self._begun.get(object_id)
            if message is None:
                raise NotFragments(f"object {object_id} does not begin with its first fragment")
            if flags & _END:
                del self._begun[object_id]
                ended.append(message)
        return ended


def message_to_client(kind: MessageKind, pool_id: uuid.UUID, text: str, *, object_id: int) -> bytes:
    """A short message of the pool as one fragment.

    Args:
        kind: Its type.
        pool_id: The runspace pool's.
        text: Its CLIXML.
        object_id: Not used by another message of the shell.
    """
    body = _MESSAGE.pack(_TO_CLIENT, kind, pool_id.bytes_le, bytes(16)) + _BYTE_ORDER_MARK + text.encode()
    return _FRAGMENT.pack(object_id, 0, _START | _END, len(body)) + body


def _read_header(blob: bytes) -> SeenMessage:
    if len(blob) < _MESSAGE.size:
        raise NotFragments("a message's first fragment is shorter than its header")
    _, kind, pool_id, _ = _MESSAGE.unpack_from(blob)
    return SeenMessage(kind, uuid.UUID(bytes_le=pool_id), blob[_MESSAGE.size :].removeprefix(_BYTE_ORDER_MARK))
