"""Shells that this program serves itself: each a runspace pool of the device, each command a pipeline.

Called by ``protocol.shell_service``. What a shell is to WS-Management is in ``protocol.wsman_shell``; here are PSRP's events and
what they do to the pool and its pipelines.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.engine import HostedDevice, Runspace, Sender
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.pipelines import Pipeline, Surroundings
from akslite_ps.sandbox.protocol.pool_session import PoolSession
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_inbox import ProtocolViolation
from akslite_ps.sandbox.protocol.psrp_outbox import Fragment, Target
from akslite_ps.sandbox.protocol.runspace_slots import RunspaceSlots
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault
from akslite_ps.sandbox.protocol.wsman_shell import Client, Quotas, ShellIdentity, WSManShell, command_uuid

_log = logging.getLogger(__name__)


class Shell(WSManShell):
    """One runspace pool and its pipelines.

    Args:
        request: The client's wishes.
        identity: What it is.
        runspaces: Where its pipelines run.
        device: Where it lives.
        quotas: The service's limits.
        expired: Called when it has been idle for too long.
    """

    def __init__(
        self,
        request: wsman.Create,
        identity: ShellIdentity,
        *,
        runspaces: RunspaceSlots,
        device: HostedDevice,
        quotas: Quotas,
        expired: Callable[[WSManShell], None],
    ) -> None:
        super().__init__(request, identity, quotas=quotas, expired=expired)
        self._commands: dict[uuid.UUID, Pipeline] = {}
        self._device = device
        self._slots = runspaces
        self._psrp = PsrpPool(
            computer=device.computer_name,
            user=self.owner,
            os_version=device.os_version,
            process_id=identity.process_id,
            buffer_limit=assumptions.OUTPUT_BUFFER_BYTES,
        )
        sender = Sender(self.owner, request.configuration, identity.client_ip, identity.connection)
        self._pool = PoolSession(self._psrp, sender, wake=lambda: self._wake(None))
        self._surroundings = Surroundings(self._psrp, runspaces, self._pool, device.now, host=lambda: self._pool.host)

    @property
    def commands(self) -> Mapping[uuid.UUID, Pipeline]:
        return self._commands

    # ---- data from the client

    async def start(self, data: bytes) -> None:
        try:
            self.feed(data)
        except WSManFault:
            self.abort()
            raise

    def feed(self, data: bytes, command_id: str | None = None, stream: str = "stdin") -> None:
        """Take PSRP bytes and do what they ask for; they say themselves whom they are for."""
        try:
            for event in self._psrp.receive(data, command_uuid(command_id) if command_id else None):
                self._act(event)
        except ProtocolViolation as violation:
            raise faults.malformed(str(violation)) from violation

    def _begin(self, pipeline_id: uuid.UUID, data: bytes) -> None:
        command = self._commands[pipeline_id] = Pipeline(pipeline_id, self._surroundings, wake=lambda: self._wake(pipeline_id))
        try:
            self.feed(data, str(pipeline_id))
        except WSManFault:
            command.abandon()
            self._release(pipeline_id)
            raise

    def _act(self, event: events.Event) -> None:
        match event:
            case events.PoolRequested():
                self._open(event)
            case events.PipelineRequested():
                self._new(event.pipeline_id).start(event)
            case events.MetadataRequested():
                self._new(event.pipeline_id).describe_commands(event)
            case events.InputArrived():
                self._take_input(event)
            case events.InputEnded():
                self._known(event.pipeline_id).end_input()
            case events.HostAnswered():
                self._take_answer(event)
            case events.AvailabilityRequested():
                self._psrp.answer_availability(event.call_id, self._slots.available)
            case events.LimitRequested():
                self._psrp.answer_availability(event.call_id, self._set_limit(event))
            case events.ResetRequested():
                # PowerShell resets the one runspace of a pool, and no other.
                self._psrp.answer_availability(event.call_id, self._slots.maximum == 1 and self._slots.reset())
            case _:
                raise faults.malformed(f"a {type(event).__name__} is not stream data")
        self._wake(None)

    def _open(self, requested: events.PoolRequested) -> None:
        if not 1 <= requested.min_runspaces <= requested.max_runspaces:
            raise faults.malformed(f"{requested.min_runspaces} to {requested.max_runspaces} runspaces are no limits of a pool")
        self._psrp.set_limits(requested.min_runspaces, requested.max_runspaces)
        self._slots.set_maximum(requested.max_runspaces)
        self._pool.opened_by(requested.host, requested.application_arguments)
        self._psrp.opened()

    def _new(self, pipeline_id: uuid.UUID) -> Pipeline:
        command = self._known(pipeline_id)
        if command.started:
            raise faults.malformed(f"the pipeline {pipeline_id} has been created already")
        return command

    def _take_input(self, arrived: events.InputArrived) -> None:
        command = self._known(arrived.pipeline_id)
        if command.done:
            # It may have failed, or not have wanted so much, while the client went on sending.
            return
        try:
            command.feed(arrived.value, arrived.size)
        except ValueError as refused:
            raise faults.malformed(str(refused)) from None

    def _take_answer(self, answered: events.HostAnswered) -> None:
        asked: Pipeline | PoolSession | None = self._pool
        if answered.pipeline_id is not None:
            asked = self._commands.get(answered.pipeline_id)
        if asked is None or not asked.answer(answered.call_id, answered.value, answered.error):
            _log.info("%s: an answer to call %s, which nobody waits for", self.shell_id, answered.call_id)

    def _set_limit(self, event: events.LimitRequested) -> bool:
        minimum, maximum = self._psrp.min_runspaces, self._psrp.max_runspaces
        if event.kind == "min":
            minimum = event.count
        else:
            maximum = event.count
        if not 1 <= minimum <= maximum:
            return False
        self._psrp.set_limits(minimum, maximum)
        self._slots.set_maximum(maximum)
        return True

    def _known(self, pipeline_id: uuid.UUID) -> Pipeline:
        command = self._commands.get(pipeline_id)
        if command is None:
            raise faults.unknown_command()
        return command

    # ---- data to the client

    def _pending(self, target: Target) -> bool:
        return self._psrp.pending(target)

    def _take(self, target: Target, budget: int) -> list[Fragment]:
        taken = self._psrp.take(target, budget)
        command = self._commands.get(target) if target is not None else None
        if command is not None:
            command.look_at_room()
        return taken

    def _follow_connection(self) -> None:
        self._psrp.overflow = "drop" if not self.connected and self.buffer_mode == "Drop" else "hold"
        for command in self._commands.values():
            command.look_at_room()

    # ---- control

    async def signal(self, command_id: str, *, release: bool) -> None:
        pipeline_id = command_uuid(command_id)
        command = self._commands.get(pipeline_id)
        if command is None:
            return
        if not command.done:
            await command.stop()
        if release:
            command.abandon()
            self._release(pipeline_id)
            self._refuse_receiver(pipeline_id, faults.operation_aborted())

    def _release(self, pipeline_id: uuid.UUID) -> None:
        self._commands.pop(pipeline_id, None)
        self._psrp.forget(pipeline_id)
        self._forget_sent(pipeline_id)

    def connect(self, data: bytes, client: Client) -> bytes:
        try:
            answer = self._psrp.connect(data)
        except ProtocolViolation as violation:
            raise faults.malformed(str(violation)) from violation
        self._taken_over(client)
        return answer

    async def close(self) -> None:
        commands = self._end()
        await asyncio.gather(*(command.stop() for command in commands))
        for command in commands:
            command.abandon()
        self._slots.close()

    def abort(self) -> None:
        for command in self._end():
            command.abandon()
        self._slots.close()

    def _end(self) -> list[Pipeline]:
        self._stop_waiting()
        self._pool.close()
        commands = list(self._commands.values())
        self._commands.clear()
        return commands


def open_runspaces(device: HostedDevice, configuration: str, user: str) -> RunspaceSlots:
    """The runspaces of a new pool.

    Raises:
        WSManFault: There is no such session configuration, or the user may not use it.
    """

    def open_one() -> Runspace:
        return device.open_runspace(configuration, user)

    try:
        return RunspaceSlots(open_one)
    except LookupError:
        raise faults.unknown_configuration(configuration, device.computer_name) from None
    except PermissionError:
        raise faults.access_denied() from None
