"""The pipeline that a session on a simulated device begins with, before its client may send any: made here, seen by nobody.

Used by ``pwsh.engine_process``. A PowerShell that is started with ``-s`` takes a first script on its command line; not
every host of the engine does, and a script of a client would find the classes of .NET where those of the device should be.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from psrpcore import ClientPowerShell, ClientRunspacePool
from psrpcore.types import RunspacePoolState

from akslite_ps.sandbox.protocol.fragments import MessageKind, MessageWatch
from akslite_ps.sandbox.pwsh.packets import Packet

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FirstPipeline:
    """A pipeline as the process gets it."""

    pipeline_id: uuid.UUID
    data: bytes


def first_pipeline(pool_id: uuid.UUID, script: str) -> FirstPipeline:
    """A pipeline that runs a script.

    Args:
        pool_id: The client's runspace pool.
        script: Its text.
    """
    pool = ClientRunspacePool()
    pool.runspace_pool_id = pool_id
    pool.state = RunspacePoolState.Opened
    pipeline = ClientPowerShell(pool)
    pipeline.add_script(script)
    pipeline.start()
    payload = pool.data_to_send()
    assert payload is not None, "a started pipeline has something to send"
    return FirstPipeline(pipeline.pipeline_id, payload.data)


class Beginning:
    """Holds back that the pool is open until the first pipeline has run.

    Args:
        pipeline: The first pipeline.
        begin: Starts it.
        end: Releases it.
    """

    def __init__(
        self, pipeline: FirstPipeline, *, begin: Callable[[uuid.UUID, bytes], None], end: Callable[[uuid.UUID], None]
    ) -> None:
        self.over = False
        self._pipeline = pipeline
        self._begin = begin
        self._end = end
        self._watch = MessageWatch()
        self._held: list[Packet] = []

    def filter(self, packet: Packet) -> list[Packet]:
        """What of the packets so far may pass."""
        kinds = {message.kind for message in self._watch.see(packet.data)}
        if packet.target == self._pipeline.pipeline_id:
            if MessageKind.ERROR_RECORD in kinds:
                _log.warning("a PowerShell session began with an error: %s", packet.data.decode(errors="replace"))
            if MessageKind.PIPELINE_STATE not in kinds:
                return []
            self._end(self._pipeline.pipeline_id)
            self.over = True
            return self._held
        if not self._held and MessageKind.RUNSPACEPOOL_STATE not in kinds:
            return [packet]
        if not self._held:
            self._begin(self._pipeline.pipeline_id, self._pipeline.data)
        self._held.append(packet)
        return []
