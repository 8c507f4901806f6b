"""A served runspace pool as the device sees it: who opened it, and the way to that client's host.

Made by ``protocol.shells``; handed to runspaces with each pipeline (``engine.Pool``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from akslite_ps.sandbox.engine import Sender
from akslite_ps.sandbox.protocol.pipelines import answer_to, settle, without_host
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_events import HostInfo


class PoolSession:
    """``engine.Pool`` for one served pool.

    Args:
        psrp: The pool's protocol.
        sender: Who opened it.
        wake: Called when there is something new to send to the pool's client.
    """

    def __init__(self, psrp: PsrpPool, sender: Sender, *, wake: Callable[[], None]) -> None:
        self.sender = sender
        self.host = HostInfo()
        self._psrp = psrp
        self._wake = wake
        self._calls: dict[int, asyncio.Future[Any]] = {}

    def opened_by(self, host: HostInfo, application_arguments: Mapping[Any, Any]) -> None:
        """The client has said what it is."""
        self.host = host
        self.sender = replace(self.sender, application_arguments=application_arguments)

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        if not self.host.interactive:
            return without_host(method)
        call_id = self._psrp.host_call(None, method, arguments)
        self._wake()
        return await answer_to(self._calls, call_id)

    def answer(self, call_id: int, value: Any, error: str | None) -> bool:
        """Hand over a host's answer; False where the pool did not ask."""
        return settle(self._calls, call_id, value, error)

    def close(self) -> None:
        """Nobody answers any more."""
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
