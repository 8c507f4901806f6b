"""Fragments of the PowerShell Remoting Protocol put together again: bytes in, messages out.

Used by ``remoting.invocation``, one :class:`Defragmenter` per pipeline. Tolerates a message whose beginning
another client received: its rest is passed over. Facts: [MS-PSRP] 2.2.4 (fragment) and 2.2.1 (message).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

_FRAGMENT = struct.Struct(">QQBI")
_START, _END = 1, 2
_MESSAGE = struct.Struct("<II16s16s")


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message of the protocol.

    Args:
        kind: Message type, e.g. 0x00041004 for pipeline output.
        pipeline: Id of the pipeline; all zero for the pool.
        data: CLIXML, perhaps after a byte-order mark.
        raw: The whole message, header included.
    """

    kind: int
    pipeline: uuid.UUID
    data: bytes
    raw: bytes


class Defragmenter:
    """Collects fragments until messages are whole."""

    def __init__(self) -> None:
        self._parts: dict[int, list[bytes]] = {}

    def feed(self, data: bytes) -> Iterator[RawMessage]:
        """Take the next bytes of the stream; gives each message as it gets whole.

        Raises:
            ValueError: The bytes are no fragments.
        """
        position = 0
        while position < len(data):
            if len(data) - position < _FRAGMENT.size:
                raise ValueError("a fragment is cut off in its header")
            object_id, _, flags, length = _FRAGMENT.unpack_from(data, position)
            position += _FRAGMENT.size
            blob = data[position : position + length]
            if len(blob) != length:
                raise ValueError("a fragment is cut off")
            position += length
            if flags & _START:
                self._parts[object_id] = [blob]
            elif object_id in self._parts:
                self._parts[object_id].append(blob)
            if flags & _END and object_id in self._parts:
                yield _message(b"".join(self._parts.pop(object_id)))


def _message(raw: bytes) -> RawMessage:
    if len(raw) < _MESSAGE.size:
        raise ValueError("a message is cut off in its header")
    _, kind, _, pipeline = _MESSAGE.unpack_from(raw)
    return RawMessage(kind, uuid.UUID(bytes_le=pipeline), raw[_MESSAGE.size :], raw)
