"""Messages on their way to the client: one queue per target, cut into fragments when they are taken.

Called by ``protocol.psrp``. A target is the runspace pool (None) or a pipeline; a Receive asks for one of them.
"""

from __future__ import annotations

import struct
import uuid
from collections import deque
from dataclasses import dataclass

Target = uuid.UUID | None

FRAGMENT_SIZE = 32 * 1024
ELEMENT_COST = 96
"""What the XML element around a fragment takes of a reply, in bytes before base64."""
_HEADER = struct.Struct(">QQBI")
_START, _END = 1, 2


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of one message, header included. ``awaits_answer``: it ends a call that the client's host must answer."""

    data: bytes
    awaits_answer: bool = False


@dataclass(slots=True)
class _Message:
    object_id: int
    body: memoryview
    awaits_answer: bool
    fragments: int = 0
    ends_reply: bool = False


class Outbox:
    """Queues by target. Object ids count over all targets and are never used twice, also after a client connects anew.

    Args:
        first_object_id: Id of the first message.
    """

    def __init__(self, *, first_object_id: int = 1) -> None:
        self.next_object_id = first_object_id
        self._queues: dict[Target, deque[_Message]] = {}

    def put(self, target: Target, message: bytes, *, awaits_answer: bool = False) -> None:
        self._queues.setdefault(target, deque()).append(_Message(self.next_object_id, memoryview(message), awaits_answer))
        self.next_object_id += 1

    def end_reply(self, target: Target) -> None:
        """What is queued so far and what comes later do not share a reply."""
        self._queues[target][-1].ends_reply = True

    def pending(self, target: Target) -> bool:
        return bool(self._queues.get(target))

    def drop(self, target: Target) -> None:
        self._queues.pop(target, None)

    def take(self, target: Target, budget: int | None) -> list[Fragment]:
        """Fragments of the next messages: at least one, then as many as fit.

        Args:
            target: Whose queue.
            budget: Bytes that the fragments may have in all, with what surrounds them; None for no limit.
        """
        queue = self._queues.get(target)
        taken: list[Fragment] = []
        used = 0
        while queue:
            message = queue[0]
            room = FRAGMENT_SIZE if budget is None else min(FRAGMENT_SIZE, budget - used - ELEMENT_COST)
            if taken and room < min(FRAGMENT_SIZE, _HEADER.size + len(message.body)):
                break
            piece = _cut(message, max(room, _HEADER.size + 1))
            taken.append(piece)
            used += len(piece.data) + ELEMENT_COST
            if not message.body:
                queue.popleft()
                if message.ends_reply:
                    break
        if not queue:
            self._queues.pop(target, None)
        return taken


def _cut(message: _Message, size: int) -> Fragment:
    piece, message.body = message.body[: size - _HEADER.size], message.body[size - _HEADER.size :]
    last = not message.body
    flags = (_START if message.fragments == 0 else 0) | (_END if last else 0)
    header = _HEADER.pack(message.object_id, message.fragments, flags, len(piece))
    message.fragments += 1
    return Fragment(header + piece, awaits_answer=message.awaits_answer and last)
