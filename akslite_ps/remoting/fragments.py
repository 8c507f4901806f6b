"""Fragments of the PowerShell Remoting Protocol put together again: bytes in, messages out.

Used by ``remoting.invocation``, one :class:`Defragmenter` per pipeline. Tolerates a message whose beginning
another client received: its rest is passed over. Facts: [MS-PSRP] 2.2.4 (fragment) and 2.2.1 (message).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
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
        number: Of the message among all that the pool sends; it only grows ([MS-PSRP] 2.2.4, ObjectId).
    """

    kind: int
    pipeline: uuid.UUID
    data: bytes
    raw: bytes
    number: int = 0


class Defragmenter:
    """Collects fragments until messages are whole.

    Args:
        parts: What an earlier one had collected of messages that were not whole, see :attr:`parts`.
    """

    def __init__(self, parts: Mapping[int, bytes] | None = None) -> None:
        self._parts: dict[int, list[bytes]] = {number: [part] for number, part in (parts or {}).items()}
        self._expected: dict[int, int] = {}
        """Number of the next fragment by message, where the first one came here."""

    @property
    def parts(self) -> dict[int, bytes]:
        """What has come of messages that are not whole yet, by number of the message."""
        return {number: b"".join(parts) for number, parts in self._parts.items()}

    def feed(self, data: bytes) -> Iterator[RawMessage]:
        """Take the next bytes of the stream; gives each message as it gets whole.

        Raises:
            ValueError: The bytes are no fragments.
        """
        position = 0
        while position < len(data):
            if len(data) - position < _FRAGMENT.size:
                raise ValueError("a fragment is cut off in its header")
            object_id, fragment_id, flags, length = _FRAGMENT.unpack_from(data, position)
            position += _FRAGMENT.size
            blob = data[position : position + length]
            if len(blob) != length:
                raise ValueError("a fragment is cut off")
            position += length
            if flags & _START:
                self._parts[object_id] = [blob]
            elif object_id in self._parts:
                expected = self._expected.get(object_id, fragment_id)
                if fragment_id < expected:
                    continue
                if fragment_id > expected:
                    raise ValueError("a fragment is missing")
                self._parts[object_id].append(blob)
            else:
                continue
            self._expected[object_id] = fragment_id + 1
            if flags & _END:
                del self._expected[object_id]
                yield _message(b"".join(self._parts.pop(object_id)), object_id)


def cut(message: bytes, number: int, size: int) -> list[bytes]:
    """The fragments of a message.

    Args:
        message: The whole message, header included.
        number: Its number among all that the pool is sent.
        size: Bytes of the message in one fragment.
    """
    last = max(0, len(message) - 1) // size
    return [
        _FRAGMENT.pack(number, part, (_START if part == 0 else 0) | (_END if part == last else 0), len(blob)) + blob
        for part in range(last + 1)
        for blob in (message[part * size : (part + 1) * size],)
    ]


def _message(raw: bytes, number: int) -> RawMessage:
    if len(raw) < _MESSAGE.size:
        raise ValueError("a message is cut off in its header")
    _, kind, _, pipeline = _MESSAGE.unpack_from(raw)
    return RawMessage(kind, uuid.UUID(bytes_le=pipeline), raw[_MESSAGE.size :], raw, number)
