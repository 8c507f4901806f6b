"""Lists that are given in portions: Enumerate, Pull and Release of WS-Management.

Used by ``protocol.shell_service``. A list is what it was when the client asked for it; lists nobody goes on with are forgotten.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol import wsman_faults as faults

_LISTS_KEPT = 32
_OVERHEAD = 2_048
"""Bytes of a reply beside its elements, generously."""


@dataclass(slots=True)
class _Left:
    user: str
    items: deque[str]


class Enumerations:
    """The lists that clients have not read to their end."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def begin(self, header: wsman.Header, user: str, items: Iterable[str], portion: wsman.Portion | None) -> bytes:
        """The reply to Enumerate.

        Raises:
            WSManFault: One element is larger than a reply may be.
        """
        left = _Left(user, deque(items))
        held = [] if portion is None else _taken(header, left.items, portion)
        return wsman_replies.enumerate_reply(header, held, self._kept(left, named=portion is None))

    def pull(self, header: wsman.Header, user: str, operation: wsman.Pull) -> bytes:
        """The reply to Pull.

        Raises:
            WSManFault: There is no such list, or one element is larger than a reply may be.
        """
        left = self._of(operation.context, user)
        held = _taken(header, left.items, operation.portion)
        del self._left[operation.context]
        return wsman_replies.pull_reply(header, held, self._kept(left))

    def release(self, header: wsman.Header, user: str, operation: wsman.Release) -> bytes:
        """The reply to Release.

        Raises:
            WSManFault: There is no such list.
        """
        self._of(operation.context, user)
        del self._left[operation.context]
        return wsman_replies.empty_reply(header)

    def clear(self) -> None:
        self._left.clear()

    def _of(self, context: str, user: str) -> _Left:
        left = self._left.get(context)
        if left is None or left.user != user:
            raise faults.unknown_enumeration()
        return left

    def _kept(self, left: _Left, *, named: bool = False) -> str | None:
        if not left.items and not named:
            return None
        context = f"uuid:{str(uuid.uuid4()).upper()}"
        self._left[context] = left
        if len(self._left) > _LISTS_KEPT:
            self._left.popitem(last=False)
        return context


def _taken(header: wsman.Header, items: deque[str], portion: wsman.Portion) -> list[str]:
    room = min(header.max_envelope_size, wsman.SERVER_ENVELOPE_SIZE) - _OVERHEAD
    taken: list[str] = []
    while items and (portion.elements is None or len(taken) < portion.elements):
        room -= len(items[0].encode())
        if room < 0:
            if not taken:
                raise faults.reply_too_large(header.max_envelope_size)
            break
        taken.append(items.popleft())
    return taken
