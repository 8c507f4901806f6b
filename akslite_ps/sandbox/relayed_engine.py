"""The seam between the protocol and a PowerShell process that speaks PSRP itself.

``protocol.relayed_shell`` passes fragments through it, ``sandbox.pwsh`` implements it. Devices whose pipelines are run here need
``sandbox.engine`` only.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Protocol, runtime_checkable


class EngineUnavailable(Exception):
    """A PowerShell process that cannot be started; the text says why and what to do, as one or two sentences."""


class TooManyEngines(EngineUnavailable):
    """As many PowerShell processes run as may run at once."""


class EngineReceiver(Protocol):
    """Who gets what a PowerShell process writes."""

    async def arrived(self, target: uuid.UUID | None, data: bytes) -> None:
        """PSRP fragments for the runspace pool (None) or a pipeline. Nothing more is read until it returns."""
        ...

    def ended(self, reason: str) -> None:
        """The process is gone, unasked."""
        ...


class RelayedEngine(Protocol):
    """A PowerShell process that speaks PSRP itself and serves one shell. What is sent to one target keeps its order."""

    async def start(self, receiver: EngineReceiver, data: bytes) -> None:
        """Start it with the first fragments for the pool; returns when it has answered.

        Raises:
            EngineUnavailable: It cannot be started, or does not answer.
        """
        ...

    def send(self, target: uuid.UUID | None, data: bytes, *, answers_prompt: bool = False) -> None:
        """Fragments for the pool (None) or a pipeline; ``answers_prompt`` where they came on the stream for host answers."""
        ...

    def start_command(self, command: uuid.UUID, data: bytes) -> None: ...
    def stop_command(self, command: uuid.UUID) -> asyncio.Future[None]:
        """Stop a pipeline; the future is done when the process says that it has stopped."""
        ...

    def close_command(self, command: uuid.UUID) -> None: ...
    async def close(self) -> None:
        """End it in order, within limits; it is gone afterwards."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


@runtime_checkable
class RelayingDevice(Protocol):
    """An ``engine.HostedDevice`` that may have its shells served by PowerShell processes."""

    def open_engine(self, configuration_name: str, user: str) -> RelayedEngine | None:
        """The process for a new shell, not started yet; None where ``HostedDevice.open_runspace`` serves it.

        Raises:
            LookupError: There is no such session configuration on the device.
            PermissionError: The user may not use it.
        """
        ...
