"""Shells of a device: the state behind the WSMan operations, each shell a runspace pool, each command a pipeline.

Called by ``protocol.winrm`` with parsed requests of an authenticated user. Knows no HTTP: it answers with the bytes of a SOAP
envelope, or raises a fault.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from akslite_ps.sandbox.engine import HostedDevice, Runspace
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.clixml import Complex
from akslite_ps.sandbox.protocol.pipelines import Pipeline, RunspaceSlots
from akslite_ps.sandbox.protocol.psrp import ProtocolViolation, PsrpPool
from akslite_ps.sandbox.protocol.psrp_outbox import Target
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault

_log = logging.getLogger(__name__)

DEFAULT_IDLE_TIMEOUT_S = 7_200.0
_NO_COMMANDS = Complex(
    ("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Management.Automation.PSCustomObject", "System.Object"),
    notes={"Count": 0},
)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of the WinRM service, with a real host's defaults. A command counts until the client terminates it."""

    shells_per_user: int = 2_147_483_647
    commands_per_shell: int = 1_000


class Client(Protocol):
    """The connection a request came on."""

    @property
    def address(self) -> str: ...
    @property
    def alive(self) -> bool:
        """Whether a reply can still reach it."""
        ...


class ClientGone(Exception):
    """The client's socket closed while its Receive waited; the data stays queued."""


class Shell:
    """One runspace pool and its pipelines.

    Args:
        request: The client's wishes; its data is not taken here but by :meth:`feed`.
        shell_id: Its id as the client spells it.
        resource_uri: The session configuration's.
        owner: ``COMPUTER\\user`` whose shell it is.
        client_ip: Where the client is.
        process_id: Of the process that hosts it on the device.
        runspaces: Where its pipelines run.
        device: Where it lives.
        quotas: The service's limits.
        expired: Called when it has been idle for too long.
    """

    def __init__(
        self,
        request: wsman.Create,
        *,
        shell_id: str,
        resource_uri: str,
        owner: str,
        client_ip: str,
        process_id: int,
        runspaces: RunspaceSlots,
        device: HostedDevice,
        quotas: Quotas,
        expired: Callable[[Shell], None],
    ) -> None:
        self.shell_id = shell_id
        self.owner = owner
        self.connected = True
        self.commands: dict[uuid.UUID, Pipeline] = {}
        self._resource_uri = resource_uri
        self._client_ip = client_ip
        self._process_id = process_id
        self._name = request.name
        self._idle_timeout_s = request.idle_timeout_s or DEFAULT_IDLE_TIMEOUT_S
        self._device = device
        self._quotas = quotas
        self._expired = expired
        self._slots = runspaces
        self._psrp = PsrpPool(computer=device.computer_name, user=owner, os_version=device.os_version, process_id=process_id)
        self._receivers: dict[Target, asyncio.Future[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._created = self._last_activity = self._loop.time()
        self._idle_timer = self._loop.call_later(self._idle_timeout_s, self._check_idle)

    def describe(self) -> wsman_replies.ShellInfo:
        now = self._loop.time()
        return wsman_replies.ShellInfo(
            shell_id=self.shell_id,
            resource_uri=self._resource_uri,
            owner=self.owner,
            client_ip=self._client_ip,
            process_id=self._process_id,
            idle_timeout_s=self._idle_timeout_s,
            state="Connected" if self.connected else "Disconnected",
            run_time_s=now - self._created,
            inactive_s=now - self._last_activity,
            name=self._name,
        )

    def touch(self) -> None:
        self._last_activity = self._loop.time()

    # ---- data from the client

    def feed(self, data: bytes) -> None:
        """Take PSRP bytes and do what they ask for."""
        try:
            for event in self._psrp.receive(data):
                self._act(event)
        except ProtocolViolation as violation:
            raise faults.malformed(str(violation)) from violation

    def start_command(self, command_id: str | None, data: bytes) -> str:
        """Start a pipeline; returns its id as the client spells it."""
        if len(self.commands) >= self._quotas.commands_per_shell:
            raise faults.too_many_commands()
        pipeline_id = _pipeline_id(command_id, data)
        if pipeline_id in self.commands:
            raise faults.malformed(f"the command {command_id} exists already")
        self.commands[pipeline_id] = Pipeline(
            pipeline_id, psrp=self._psrp, slots=self._slots, now=self._device.now, wake=lambda: self._wake(pipeline_id)
        )
        try:
            self.feed(data)
        except WSManFault:
            del self.commands[pipeline_id]
            raise
        return command_id or str(pipeline_id).upper()

    def _act(self, event: events.Event) -> None:
        match event:
            case events.PoolRequested():
                self._psrp.set_limits(event.min_runspaces, event.max_runspaces)
                self._slots.set_maximum(max(1, event.max_runspaces))
                self._psrp.opened()
            case events.PipelineRequested():
                self._known(event.pipeline_id).start(event)
            case events.MetadataRequested():
                self._known(event.pipeline_id).complete_with([_NO_COMMANDS])
            case events.InputArrived():
                self._known(event.pipeline_id).feed(event.value)
            case events.InputEnded():
                self._known(event.pipeline_id).end_input()
            case events.HostAnswered():
                if not any(command.answer(event.call_id, event.value, event.error) for command in self.commands.values()):
                    _log.info("%s: an answer to call %s, which nobody waits for", self.shell_id, event.call_id)
            case events.AvailabilityRequested():
                self._psrp.answer_availability(event.call_id, self._slots.available)
            case events.LimitRequested():
                self._psrp.answer_availability(event.call_id, self._set_limit(event))
            case events.ResetRequested():
                self._psrp.answer_availability(event.call_id, self._slots.reset())
            case events.ConnectRequested():
                raise faults.malformed("a shell is connected to by Connect, not by stream data")
        self._wake(None)

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
        command = self.commands.get(pipeline_id)
        if command is None:
            raise faults.unknown_command()
        return command

    # ---- data to the client

    async def receive(self, header: wsman.Header, command_id: str | None, client: Client) -> bytes:
        """Wait for output and build the reply.

        Raises:
            WSManFault: Nothing came in time, the command is unknown or has told its end, or the shell is closed.
            ClientGone: The client cannot be reached any more; nothing was taken from the queue.
        """
        target = _uuid(command_id) if command_id else None
        command = self._known(target) if target else None
        if command is not None and command.end_told:
            raise faults.unknown_command()
        self._refuse_receiver(target, faults.operation_aborted())
        deadline = self._loop.time() + header.timeout_s
        try:
            while not self._psrp.pending(target):
                waiter = self._receivers[target] = self._loop.create_future()
                try:
                    async with asyncio.timeout_at(deadline):
                        await waiter
                except TimeoutError:
                    raise faults.operation_timed_out() from None
                finally:
                    if self._receivers.get(target) is waiter:
                        del self._receivers[target]
        finally:
            self.touch()
        if not client.alive:
            raise ClientGone
        return self._collect(header, target, command_id, command)

    def _collect(self, header: wsman.Header, target: Target, command_id: str | None, command: Pipeline | None) -> bytes:
        size = min(header.max_envelope_size, wsman.SERVER_ENVELOPE_SIZE)
        budget = (size - wsman_replies.envelope_overhead(command_id)) * 3 // 4
        fragments = self._psrp.take(target, budget)
        state = None
        if command is not None and command.done and not self._psrp.pending(target):
            command.end_told = True
            state = "Done"
        elif any(fragment.awaits_answer for fragment in fragments):
            state = "Pending"
        return wsman_replies.receive_reply(header, command_id, [fragment.data for fragment in fragments], state=state)

    def _wake(self, target: Target) -> None:
        waiter = self._receivers.get(target)
        if waiter is not None and not waiter.done() and self._psrp.pending(target):
            waiter.set_result(None)

    def _refuse_receiver(self, target: Target, fault: WSManFault) -> None:
        waiter = self._receivers.pop(target, None)
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)

    def _refuse_all_receivers(self, fault: Callable[[], WSManFault]) -> None:
        for target in list(self._receivers):
            self._refuse_receiver(target, fault())

    # ---- control

    async def signal(self, command_id: str, code: str) -> None:
        """Stop or release a command. A signal to a command that is not there is accepted (recorded)."""
        pipeline_id = _uuid(command_id)
        command = self.commands.get(pipeline_id)
        if command is None:
            return
        if code in wsman.SIGNALS_STOP:
            await command.stop()
        elif code == wsman.SIGNAL_TERMINATE:
            if not command.done:
                await command.stop()
            command.abandon()
            self.commands.pop(pipeline_id, None)
            self._psrp.forget(pipeline_id)
            self._refuse_receiver(pipeline_id, faults.operation_aborted())
        else:
            raise faults.malformed(f"{code} is not a signal")

    def disconnect(self, idle_timeout_s: float | None) -> None:
        if idle_timeout_s:
            self._idle_timeout_s = idle_timeout_s
            self._check_idle()
        self.connected = False
        self._refuse_all_receivers(faults.stream_disconnected)

    def reconnect(self) -> None:
        self.connected = True

    def connect(self, data: bytes, client: Client) -> bytes:
        """A new client takes over; returns the PSRP bytes of the answer."""
        try:
            answer = self._psrp.connect(data)
        except ProtocolViolation as violation:
            raise faults.malformed(str(violation)) from violation
        self._refuse_all_receivers(faults.stream_disconnected)
        self.connected = True
        self._client_ip = client.address
        return answer

    def connect_command(self, command_id: str) -> None:
        self._known(_uuid(command_id))

    async def close(self) -> None:
        """Stop every pipeline and release the runspaces."""
        commands = self._end()
        await asyncio.gather(*(command.stop() for command in commands))
        for command in commands:
            command.abandon()
        self._slots.close()

    def abort(self) -> None:
        """Forget everything at once, as when the machine goes down."""
        for command in self._end():
            command.abandon()
        self._slots.close()

    def _end(self) -> list[Pipeline]:
        self._idle_timer.cancel()
        self._refuse_all_receivers(faults.operation_aborted)
        commands = list(self.commands.values())
        self.commands.clear()
        return commands

    def _check_idle(self) -> None:
        self._idle_timer.cancel()
        if self._receivers:
            self.touch()
        left = self._last_activity + self._idle_timeout_s - self._loop.time()
        if left <= 0:
            self._expired(self)
        else:
            self._idle_timer = self._loop.call_later(left, self._check_idle)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise faults.unknown_command() from None


def _pipeline_id(command_id: str | None, data: bytes) -> uuid.UUID:
    """The command's id: the client's, or else that in the first fragment's message header."""
    if command_id:
        try:
            return uuid.UUID(command_id)
        except ValueError:
            raise faults.malformed(f"{command_id!r} is not a command id") from None
    raw = data[45:61]
    if len(raw) != 16:
        raise faults.malformed("the command has no id")
    return uuid.UUID(bytes_le=raw)


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
