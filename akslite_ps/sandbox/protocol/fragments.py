"""PSRP fragments looked at from outside: which messages pass, without reading or changing what is in them.

Called by ``protocol.relayed_shell``, which must know when a pipeline has ended and little else; ``protocol.psrp_inbox`` walks
through a client's bytes with :func:`fragments_in`, too. Layouts are those of [MS-PSRP] 2.2.4 (fragment: object id, fragment id,
flags, length) and 2.2.1 (message: destination, type, pool id, pipeline id).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_FRAGMENT = struct.Struct(">QQBI")
_MESSAGE = struct.Struct("<II16s16s")
START, END = 1, 2
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
    PIPELINE_OUTPUT = 0x00041004
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    DEBUG_RECORD = 0x00041007
    VERBOSE_RECORD = 0x00041008
    WARNING_RECORD = 0x00041009
    PROGRESS_RECORD = 0x00041010
    INFORMATION_RECORD = 0x00041011
    PIPELINE_HOST_CALL = 0x00041100


class NotFragments(ValueError):
    """Bytes that are no sequence of fragments."""


@dataclass(frozen=True, slots=True)
class PassingFragment:
    """One fragment.

    Args:
        object_id: Of its message.
        number: Its place in the message, from 0.
        flags: ``START``, ``END``, both or neither.
        piece: Its part of the message.
        data: The whole fragment, header included.
    """

    object_id: int
    number: int
    flags: int
    piece: bytes
    data: bytes

    @property
    def begins(self) -> bool:
        """It is the first of its message."""
        return bool(self.flags & START)

    @property
    def ends(self) -> bool:
        """It is the last of its message."""
        return bool(self.flags & END)


def fragments_in(data: bytes) -> Iterator[PassingFragment]:
    """The fragments that bytes are made of, which hold one or more whole ones.

    Raises:
        NotFragments: They do not; what came before was given already.
    """
    position = 0
    while position < len(data):
        left = len(data) - position
        if left < _FRAGMENT.size:
            raise NotFragments(f"{left} bytes are no fragment")
        object_id, number, flags, length = _FRAGMENT.unpack_from(data, position)
        start, position = position, position + _FRAGMENT.size + length
        if position > len(data):
            raise NotFragments(f"a fragment of {length} bytes has only {left - _FRAGMENT.size}")
        yield PassingFragment(object_id, number, flags, data[start + _FRAGMENT.size : position], data[start:position])


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message of which a fragment has passed.

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
        return [message for fragment, message in self.look(data) if fragment.ends]

    def look(self, data: bytes) -> list[tuple[PassingFragment, SeenMessage]]:
        """The fragments of these bytes, each with the message that it is a part of.

        Raises:
            NotFragments: They hold something else than whole fragments.
        """
        found: list[tuple[PassingFragment, SeenMessage]] = []
        for fragment in fragments_in(data):
            if fragment.begins:
                self._begun[fragment.object_id] = _read_header(fragment.piece)
            message = self._begun.get(fragment.object_id)
            if message is None:
                raise NotFragments(f"object {fragment.object_id} does not begin with its first fragment")
            if fragment.ends:
                del self._begun[fragment.object_id]
            found.append((fragment, message))
        return found


def message_to_client(kind: MessageKind, pool_id: uuid.UUID, text: str, *, object_id: int) -> bytes:
    """A short message of the pool as one fragment.

    Args:
        kind: Its type.
        pool_id: The runspace pool's.
        text: Its CLIXML.
        object_id: Not used by another message of the shell.
    """
    body = _MESSAGE.pack(_TO_CLIENT, kind, pool_id.bytes_le, bytes(16)) + _BYTE_ORDER_MARK + text.encode()
    return _FRAGMENT.pack(object_id, 0, START | END, len(body)) + body


def _read_header(blob: bytes) -> SeenMessage:
    if len(blob) < _MESSAGE.size:
        raise NotFragments("a message's first fragment is shorter than its header")
    _, kind, pool_id, _ = _MESSAGE.unpack_from(blob)
    return SeenMessage(kind, uuid.UUID(bytes_le=pool_id), blob[_MESSAGE.size :].removeprefix(_BYTE_ORDER_MARK))
