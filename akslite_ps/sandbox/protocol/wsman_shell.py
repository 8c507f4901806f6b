"""What every shell of a device is to WS-Management, whoever runs its pipelines: name, owner, idle time, who waits for output.

Base of ``protocol.shells.Shell`` (served here) and ``protocol.relayed_shell.RelayedShell`` (relayed to a PowerShell
process). Called by ``protocol.shell_service``. Knows no PSRP and no HTTP: it answers with the bytes of a SOAP envelope, or
raises a fault.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.psrp_outbox import ELEMENT_COST, Fragment, Target
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault

DEFAULT_IDLE_TIMEOUT_S = 7_200.0
_REPLIES_REMEMBERED = 32
"""Streams of a shell of which the latest reply is kept for a client that takes over."""


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


class ShellCommand(Protocol):
    """A pipeline as WS-Management sees it. ``done``: it wrote its last; ``end_told``: the client has been told so."""

    done: bool
    end_told: bool


@dataclass(frozen=True, slots=True)
class ShellIdentity:
    """What a shell is from its creation on.

    Args:
        shell_id: Its id as the client spells it.
        resource_uri: The session configuration's.
        owner: ``COMPUTER\\user`` whose shell it is.
        client_ip: Where the client is.
        process_id: Of the process that hosts it on the device.
        connection: The URL that the client connected to.
    """

    shell_id: str
    resource_uri: str
    owner: str
    client_ip: str
    process_id: int
    connection: str = ""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of the WinRM service, with a real host's defaults.

    A command counts until the client terminates it, in its shell and among the operations of its user.
    """

    shells_per_user: int = 2_147_483_647
    commands_per_shell: int = 1_000
    operations_per_user: int = 1_500


class WSManShell(ABC):
    """One shell.

    Args:
        request: The client's wishes; its data is not taken here but by :meth:`start`.
        identity: What it is.
        quotas: The service's limits.
        expired: Called when it has been idle for too long.
    """

    def __init__(self, request: wsman.Create, identity: ShellIdentity, *, quotas: Quotas, expired: Callable[[Any], None]) -> None:
        self.shell_id = identity.shell_id
        self.owner = identity.owner
        self.connected = True
        self.buffer_mode: wsman.BufferMode = request.buffer_mode or "Block"
        self._identity = identity
        self._quotas = quotas
        self._client_ip = identity.client_ip
        self._name = request.name
        self._loads_profile = request.loads_profile
        self._idle_timeout_s = request.idle_timeout_s or DEFAULT_IDLE_TIMEOUT_S
        self._expired = expired
        self._receivers: dict[Target, asyncio.Future[None]] = {}
        self._sent: dict[Target, Sequence[Fragment]] = {}
        self._again: dict[Target, Sequence[Fragment]] = {}
        self._loop = asyncio.get_running_loop()
        self._created = self._last_activity = self._loop.time()
        self._idle_timer = self._loop.call_later(self._idle_timeout_s, self._check_idle)

    def describe(self) -> wsman_replies.ShellInfo:
        now = self._loop.time()
        return wsman_replies.ShellInfo(
            shell_id=self.shell_id,
            resource_uri=self._identity.resource_uri,
            owner=self.owner,
            client_ip=self._client_ip,
            process_id=self._identity.process_id,
            idle_timeout_s=self._idle_timeout_s,
            state="Connected" if self.connected else "Disconnected",
            run_time_s=now - self._created,
            inactive_s=now - self._last_activity,
            name=self._name,
            buffer_mode=self.buffer_mode,
            profile_loaded=self._loads_profile,
        )

    def touch(self) -> None:
        self._last_activity = self._loop.time()

    # ---- what runs the pipelines

    @property
    @abstractmethod
    def commands(self) -> Mapping[uuid.UUID, ShellCommand]:
        """The commands that the client has not released."""

    @abstractmethod
    async def start(self, data: bytes) -> None:
        """Begin with the PSRP bytes of the request that creates the shell.

        Raises:
            WSManFault: It cannot begin; the shell is closed then.
        """

    def start_command(self, command_id: str | None, data: bytes) -> str:
        """Start a pipeline; returns its id as the client spells it.

        Raises:
            WSManFault: The shell has as many commands as it may have, or one of that id, or the PSRP bytes are none.
        """
        if len(self.commands) >= self._quotas.commands_per_shell:
            raise faults.too_many_commands()
        pipeline_id = _pipeline_id_of(command_id, data)
        if pipeline_id in self.commands:
            raise faults.command_exists()
        self._begin(pipeline_id, data)
        return command_id or str(pipeline_id).upper()

    @abstractmethod
    def _begin(self, pipeline_id: uuid.UUID, data: bytes) -> None:
        """Start an admitted pipeline with its first PSRP bytes."""

    @abstractmethod
    def feed(self, data: bytes, command_id: str | None, stream: str) -> None:
        """Take PSRP bytes that came for the shell (None) or a command on stream ``stdin`` or ``pr``."""

    @abstractmethod
    async def signal(self, command_id: str, *, release: bool) -> None:
        """Stop or release a command. A signal to a command that is not there is accepted (recorded)."""

    @abstractmethod
    def connect(self, data: bytes, client: Client) -> bytes:
        """A new client takes over; returns the PSRP bytes of the answer."""

    @abstractmethod
    async def close(self) -> None:
        """Stop every pipeline and release what runs them."""

    @abstractmethod
    def abort(self) -> None:
        """Forget everything at once, as when the machine goes down."""

    @abstractmethod
    def _pending(self, target: Target) -> bool:
        """Whether there is something to send to the pool (None) or a pipeline."""

    @abstractmethod
    def _take(self, target: Target, budget: int) -> Sequence[Fragment]:
        """The next fragments for a target, at least one where there is one, at most ``budget`` bytes in all."""

    @abstractmethod
    def _known(self, pipeline_id: uuid.UUID) -> ShellCommand:
        """A command of this shell.

        Raises:
            WSManFault: There is none of that id.
        """

    # ---- data to the client

    async def receive(self, header: wsman.Header, command_id: str | None, client: Client) -> bytes:
        """Wait for output and build the reply.

        Raises:
            WSManFault: Nothing came in time, the command is unknown or has told its end, or the shell is closed.
            ClientGone: The client cannot be reached any more; nothing was taken from the queue.
        """
        target = command_uuid(command_id) if command_id else None
        command = self._known(target) if target else None
        if command is not None and command.end_told and target not in self._again:
            raise faults.unknown_command()
        self._sent.pop(target, None)
        self._refuse_receiver(target, faults.operation_aborted())
        deadline = self._loop.time() + header.timeout_s
        try:
            while not self._waiting_for(target):
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

    def _collect(self, header: wsman.Header, target: Target, command_id: str | None, command: ShellCommand | None) -> bytes:
        size = min(header.max_envelope_size, wsman.SERVER_ENVELOPE_SIZE)
        budget = (size - wsman_replies.envelope_overhead(command_id)) * 3 // 4
        fragments = self._take_again(target, budget) if target in self._again else self._take(target, budget)
        self._sent[target] = fragments
        while len(self._sent) > _REPLIES_REMEMBERED:
            del self._sent[next(iter(self._sent))]
        state = None
        if command is not None and command.done and not self._waiting_for(target):
            command.end_told = True
            state = "Done"
        elif any(fragment.awaits_answer for fragment in fragments):
            state = "Pending"
        return wsman_replies.receive_reply(header, command_id, [fragment.data for fragment in fragments], state=state)

    def _waiting_for(self, target: Target) -> bool:
        return target in self._again or self._pending(target)

    def _take_again(self, target: Target, budget: int) -> Sequence[Fragment]:
        fragments, used = self._again.pop(target), 0
        for count, fragment in enumerate(fragments):
            used += len(fragment.data) + ELEMENT_COST
            if count and used > budget:
                self._again[target] = fragments[count:]
                return fragments[:count]
        return fragments

    def confirm_sent(self) -> None:
        """A request of the client shows that it has what was last sent to it for the pool (recorded)."""
        self._sent.pop(None, None)

    def sent_again(self, command_id: str | None) -> None:
        """The latest reply to a Receive was given again because the client asked for just that reply."""
        target = command_uuid(command_id) if command_id else None
        fragments = self._again.pop(target, None)
        if fragments is not None:
            self._sent[target] = fragments

    def _forget_sent(self, target: Target) -> None:
        self._sent.pop(target, None)
        self._again.pop(target, None)

    def _send_again(self, target: Target) -> None:
        """A new client gets what the earlier one was last sent: nobody knows whether that arrived."""
        fragments = self._sent.pop(target, None)
        if fragments:
            self._again[target] = fragments

    def _wake(self, target: Target) -> None:
        waiter = self._receivers.get(target)
        if waiter is not None and not waiter.done() and self._waiting_for(target):
            waiter.set_result(None)

    def _refuse_receiver(self, target: Target, fault: WSManFault) -> None:
        waiter = self._receivers.pop(target, None)
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)

    def _refuse_all_receivers(self, fault: Callable[[], WSManFault]) -> None:
        for target in list(self._receivers):
            self._refuse_receiver(target, fault())

    # ---- leaving it and coming back

    def disconnect(self, idle_timeout_s: float | None, buffer_mode: wsman.BufferMode | None = None) -> None:
        """The client leaves in order; it has what was sent for its commands.

        Args:
            idle_timeout_s: How long the shell lives on without a client, in seconds; None leaves it as it is.
            buffer_mode: What becomes of output when the buffer is full; None leaves it as it is.
        """
        self._sent = {target: fragments for target, fragments in self._sent.items() if target is None}
        self._leave_to_itself(idle_timeout_s, buffer_mode)

    def put_aside(self) -> None:
        """The device takes its client for gone."""
        self._leave_to_itself(None, None)

    def reconnect(self, idle_timeout_s: float | None = None, buffer_mode: wsman.BufferMode | None = None) -> None:
        """The same client is back; what it lost it asks for by the message that it lost."""
        self._set_idle_timeout(idle_timeout_s)
        self.buffer_mode = buffer_mode or self.buffer_mode
        self.connected = True
        self._follow_connection()

    def connect_command(self, command_id: str) -> None:
        """The new client wants the output of a command."""
        target = command_uuid(command_id)
        self._known(target)
        self._send_again(target)

    def _leave_to_itself(self, idle_timeout_s: float | None, buffer_mode: wsman.BufferMode | None) -> None:
        self._set_idle_timeout(idle_timeout_s)
        self.buffer_mode = buffer_mode or self.buffer_mode
        self.connected = False
        self._refuse_all_receivers(faults.stream_disconnected)
        self._follow_connection()

    def _taken_over(self, client: Client) -> None:
        self._refuse_all_receivers(faults.stream_disconnected)
        self._send_again(None)
        self.connected = True
        self._client_ip = client.address
        self._follow_connection()

    @abstractmethod
    def _follow_connection(self) -> None:
        """The shell was left, or somebody is back; called when ``connected`` and ``buffer_mode`` say so."""

    def _set_idle_timeout(self, seconds: float | None) -> None:
        if seconds:
            self._idle_timeout_s = seconds
            self._check_idle()

    def _stop_waiting(self) -> None:
        """It is over: nobody waits any more, for output or for the end of its idle time."""
        self._idle_timer.cancel()
        self._refuse_all_receivers(faults.operation_aborted)

    def _check_idle(self) -> None:
        self._idle_timer.cancel()
        if self._receivers:
            self.touch()
        left = self._last_activity + self._idle_timeout_s - self._loop.time()
        if left <= 0:
            self._expired(self)
        else:
            self._idle_timer = self._loop.call_later(left, self._check_idle)


def command_uuid(text: str) -> uuid.UUID:
    """A command's id.

    Raises:
        WSManFault: It is none.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        raise faults.unknown_command() from None


def pipeline_id_in(data: bytes) -> uuid.UUID | None:
    """The pipeline's id in the header of the first fragment's message; None where that has none."""
    raw = data[45:61]
    return uuid.UUID(bytes_le=raw) if len(raw) == 16 and any(raw) else None


def _pipeline_id_of(command_id: str | None, data: bytes) -> uuid.UUID:
    """The id of a command to be started: the client's, or else that in the first fragment's message header.

    Raises:
        WSManFault: There is none.
    """
    if command_id:
        try:
            return uuid.UUID(command_id)
        except ValueError:
            raise faults.malformed(f"{command_id!r} is not a command id") from None
    found = pipeline_id_in(data)
    if found is None:
        raise faults.malformed("the command has no id")
    return found
