"""Messages on their way to the client: one queue per target, cut into fragments when they are taken.

Called by ``protocol.psrp``. A target is the runspace pool (None) or a pipeline; a Receive asks for one of them.
"""

from __future__ import annotations

import struct
import uuid
from collections import deque
from dataclasses import dataclass, field

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
    may_be_lost: bool
    fragments: int = 0
    ends_reply: bool = False


@dataclass(slots=True)
class _Queue:
    messages: deque[_Message] = field(default_factory=deque)
    size: int = 0


class Outbox:
    """Queues by target. Object ids count over all targets and are never used twice, also after a client connects anew.

    Args:
        first_object_id: Id of the first message.
    """

    def __init__(self, *, first_object_id: int = 1) -> None:
        self.next_object_id = first_object_id
        self._queues: dict[Target, _Queue] = {}

    def put(self, target: Target, message: bytes, *, awaits_answer: bool = False, may_be_lost: bool = False) -> None:
        """Queue a message; ``may_be_lost``: it is output, of which the oldest goes first where there is too much."""
        queue = self._queues.setdefault(target, _Queue())
        queue.messages.append(_Message(self.next_object_id, memoryview(message), awaits_answer, may_be_lost))
        queue.size += len(message)
        self.next_object_id += 1

    def end_reply(self, target: Target) -> None:
        """What is queued so far and what comes later do not share a reply."""
        self._queues[target].messages[-1].ends_reply = True

    def pending(self, target: Target) -> bool:
        return target in self._queues

    def size(self, target: Target) -> int:
        """Bytes that wait for a target, without the headers of fragments."""
        queue = self._queues.get(target)
        return queue.size if queue is not None else 0

    def drop(self, target: Target) -> None:
        self._queues.pop(target, None)

    def drop_oldest(self, target: Target, limit: int) -> None:
        """Lose the oldest output of a target until what waits has at most ``limit`` bytes.

        Neither a message that has begun to leave is lost, nor one without which the client would wait for ever.
        """
        queue = self._queues.get(target)
        if queue is None or queue.size <= limit:
            return
        kept: deque[_Message] = deque()
        for message in queue.messages:
            if queue.size > limit and message.may_be_lost and message.fragments == 0:
                queue.size -= len(message.body)
            else:
                kept.append(message)
        queue.messages = kept
        if not kept:
            del self._queues[target]

    def take(self, target: Target, budget: int | None) -> list[Fragment]:
        """Fragments of the next messages: at least one, then as many as fit.

        Args:
            target: Whose queue.
            budget: Bytes that the fragments may have in all, with what surrounds them; None for no limit.
        """
        queue = self._queues.get(target)
        if queue is None:
            return []
        taken: list[Fragment] = []
        used = 0
        while queue.messages:
            message = queue.messages[0]
            room = FRAGMENT_SIZE if budget is None else min(FRAGMENT_SIZE, budget - used - ELEMENT_COST)
            if taken and room < min(FRAGMENT_SIZE, _HEADER.size + len(message.body)):
                break
            piece = _cut(message, max(room, _HEADER.size + 1))
            taken.append(piece)
            queue.size -= len(piece.data) - _HEADER.size
            used += len(piece.data) + ELEMENT_COST
            if not message.body:
                queue.messages.popleft()
                if message.ends_reply:
                    break
        if not queue.messages:
            del self._queues[target]
        return taken


def _cut(message: _Message, size: int) -> Fragment:
    piece, message.body = message.body[: size - _HEADER.size], message.body[size - _HEADER.size :]
    last = not message.body
    flags = (_START if message.fragments == 0 else 0) | (_END if last else 0)
    header = _HEADER.pack(message.object_id, message.fragments, flags, len(piece))
    message.fragments += 1
    return Fragment(header + piece, awaits_answer=message.awaits_answer and last)
