"""A shell whose pipelines run in a PowerShell process of their own: the relay between WS-Management and that process.

Made by ``protocol.shell_service`` where the device has such an engine (``engine.RelayingDevice``). PSRP passes through
unchanged; the relay looks at the types of the messages only, to tell a client that a pipeline has ended. What the out-of-
process form of PSRP cannot say, a client that connects to the shell of another one, is answered here from what passed when
the shell was created.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from akslite_ps.sandbox.engine import EngineUnavailable, HostedDevice, RelayedEngine, RelayingDevice, TooManyEngines
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.fragments import MessageKind, MessageWatch, NotFragments, SeenMessage, message_to_client
from akslite_ps.sandbox.protocol.psrp_outbox import ELEMENT_COST, Fragment, Target
from akslite_ps.sandbox.protocol.shells import Quotas
from akslite_ps.sandbox.protocol.wsman_shell import Client, ShellIdentity, WSManShell, command_uuid, pipeline_id_of

_log = logging.getLogger(__name__)

_BUFFERED_BYTES = 64 * 1024 * 1024
"""What waits for the client before the process must wait: a session configuration's default OutputBufferingMode is Block."""
_STOP_LIMIT_S = 1.5
_ANSWER_STREAM = "pr"
_FIRST_OWN_OBJECT = 2**62
"""Object ids of messages made here; an engine counts its own from 1."""
_PIPELINE_STATE = re.compile(rb'N="PipelineState">(\d+)<')
_ENDED = {b"3", b"4", b"5"}
"""Stopped, Completed and Failed, of PSInvocationState."""
_LIMIT = re.compile(rb'<I32 N="(Min|Max)Runspaces">(\d+)</I32>')
_VOID_CALL = b'<I64 N="ci">-100</I64>'
_LIMIT_MESSAGES = {MessageKind.INIT_RUNSPACEPOOL, MessageKind.SET_MIN_RUNSPACES, MessageKind.SET_MAX_RUNSPACES}
_HOST_CALLS = {MessageKind.PIPELINE_HOST_CALL, MessageKind.RUNSPACEPOOL_HOST_CALL}


@dataclass(slots=True)
class _Command:
    done: bool = False
    end_told: bool = False


@dataclass(slots=True)
class _Pool:
    """What passed when the shell was created, for clients that connect later."""

    pool_id: uuid.UUID = field(default_factory=lambda: uuid.UUID(int=0))
    limits: dict[str, int] = field(default_factory=lambda: {"Min": 1, "Max": 1})
    capability: bytes = b""
    private_data: bytes = b""


class RelayedShell(WSManShell):
    """One shell and the process behind it.

    Args:
        request: The client's wishes.
        identity: What it is.
        engine: The process, not started yet.
        quotas: The service's limits.
        expired: Called when it has been idle for too long, and when its process has ended by itself.
    """

    def __init__(
        self,
        request: wsman.Create,
        identity: ShellIdentity,
        *,
        engine: RelayedEngine,
        quotas: Quotas,
        expired: Callable[[WSManShell], None],
    ) -> None:
        super().__init__(request, identity, expired=expired)
        self._engine = engine
        self._quotas = quotas
        self._commands: dict[uuid.UUID, _Command] = {}
        self._queues: dict[Target, deque[Fragment]] = {}
        self._buffered = 0
        self._room = asyncio.Event()
        self._room.set()
        self._pool = _Pool()
        self._from_client = MessageWatch()
        self._from_engine = MessageWatch()
        self._own_objects = itertools.count(_FIRST_OWN_OBJECT)
        self._closed = False

    @property
    def commands(self) -> Mapping[uuid.UUID, _Command]:
        return self._commands

    # ---- from the client

    async def start(self, data: bytes) -> None:
        try:
            self._note(data)
            await self._engine.start(self, data)
        except TooManyEngines as full:
            self.abort()
            raise faults.engine_quota(str(full)) from None
        except EngineUnavailable as unavailable:
            self.abort()
            raise faults.engine_unavailable(str(unavailable)) from None
        except BaseException:
            self.abort()
            raise

    async def start_command(self, command_id: str | None, data: bytes) -> str:
        if len(self._commands) >= self._quotas.commands_per_shell:
            raise faults.too_many_commands()
        pipeline_id = pipeline_id_of(command_id, data)
        if pipeline_id in self._commands:
            raise faults.command_exists()
        self._commands[pipeline_id] = _Command()
        self._engine.start_command(pipeline_id, data)
        return command_id or str(pipeline_id).upper()

    def feed(self, data: bytes, command_id: str | None, stream: str) -> None:
        target = command_uuid(command_id) if command_id else None
        if target is not None:
            self._known(target)
        else:
            self._note(data)
        self._engine.send(target, data, answers_prompt=stream == _ANSWER_STREAM)

    async def signal(self, command_id: str, code: str) -> None:
        pipeline_id = command_uuid(command_id)
        command = self._commands.get(pipeline_id)
        if command is None:
            return
        if code in wsman.SIGNALS_STOP:
            await self._stop(pipeline_id, command)
        elif code == wsman.SIGNAL_TERMINATE:
            await self._stop(pipeline_id, command)
            self._engine.close_command(pipeline_id)
            self._commands.pop(pipeline_id, None)
            self._drop(pipeline_id)
            self._forget_sent(pipeline_id)
            self._refuse_receiver(pipeline_id, faults.operation_aborted())
        else:
            raise faults.malformed(f"{code} is not a signal")

    async def _stop(self, pipeline_id: uuid.UUID, command: _Command) -> None:
        if not command.done:
            await asyncio.wait({self._engine.stop_command(pipeline_id)}, timeout=_STOP_LIMIT_S)

    def connect(self, data: bytes, client: Client) -> bytes:
        """A new client takes over; the process is not told, it goes on as before."""
        try:
            messages = MessageWatch().see(data)
        except NotFragments as error:
            raise faults.malformed(str(error)) from None
        if not any(m.kind == MessageKind.CONNECT_RUNSPACEPOOL and m.pool_id == self._pool.pool_id for m in messages):
            raise faults.malformed("the connect request holds no CONNECT_RUNSPACEPOOL message for this runspace pool")
        self._taken_over(client)
        # What the earlier client had begun to send is not gone on with.
        self._from_client = MessageWatch()
        limits = "".join(f'<I32 N="{name}Runspaces">{count}</I32>' for name, count in self._pool.limits.items())
        answer = message_to_client(
            MessageKind.RUNSPACEPOOL_INIT_DATA,
            self._pool.pool_id,
            f'<Obj RefId="0"><MS>{limits}</MS></Obj>',
            object_id=next(self._own_objects),
        )
        self._put(None, Fragment(self._pool.private_data))
        return self._pool.capability + answer

    def _note(self, data: bytes) -> None:
        """Look at what the client says about its pool."""
        try:
            messages = self._from_client.see(data)
        except NotFragments as error:
            raise faults.malformed(str(error)) from None
        for message in messages:
            if message.kind == MessageKind.INIT_RUNSPACEPOOL:
                self._pool.pool_id = message.pool_id
            if message.kind in _LIMIT_MESSAGES:
                for name, count in _LIMIT.findall(message.beginning):
                    self._pool.limits[name.decode()] = int(count)

    # ---- from the process (engine.EngineReceiver)

    async def arrived(self, target: uuid.UUID | None, data: bytes) -> None:
        """A packet of the process; waits while the client is too far behind."""
        if target is not None and target not in self._commands:
            return
        awaits_answer = False
        try:
            for message in self._from_engine.see(data):
                awaits_answer = awaits_answer or (message.kind in _HOST_CALLS and _VOID_CALL not in message.beginning)
                self._look_at(target, message, data)
        except NotFragments as error:
            _log.warning("%s: the engine wrote something else than PSRP: %s", self.shell_id, error)
            return
        self._put(target, Fragment(data, awaits_answer))
        await self._room.wait()

    def _look_at(self, target: Target, message: SeenMessage, data: bytes) -> None:
        command = self._commands.get(target) if target is not None else None
        match message.kind:
            case MessageKind.PIPELINE_STATE if command is not None:
                state = _PIPELINE_STATE.search(message.beginning)
                command.done = state is not None and state[1] in _ENDED
            case MessageKind.SESSION_CAPABILITY:
                self._pool.capability = data
            case MessageKind.APPLICATION_PRIVATE_DATA:
                self._pool.private_data = data

    def ended(self, reason: str) -> None:
        """The process has ended by itself; the shell ends with it."""
        if self._closed:
            return
        _log.warning("%s: %s", self.shell_id, reason)
        self._refuse_all_receivers(lambda: faults.engine_ended(reason))
        self._expired(self)

    # ---- to the client

    def _put(self, target: Target, fragment: Fragment) -> None:
        self._queues.setdefault(target, deque()).append(fragment)
        self._buffered += len(fragment.data)
        if self._buffered > _BUFFERED_BYTES:
            self._room.clear()
        self._wake(target)

    def _pending(self, target: Target) -> bool:
        return bool(self._queues.get(target))

    def _take(self, target: Target, budget: int) -> list[Fragment]:
        queue = self._queues.get(target)
        taken: list[Fragment] = []
        used = 0
        while queue and (not taken or used + len(queue[0].data) + ELEMENT_COST <= budget):
            fragment = queue.popleft()
            taken.append(fragment)
            used += len(fragment.data) + ELEMENT_COST
            self._freed(len(fragment.data))
        return taken

    def _follow_connection(self) -> None:
        """Output waits in either buffer mode: of messages that pass unread nobody can tell which may be lost."""

    def _drop(self, target: Target) -> None:
        self._freed(sum(len(fragment.data) for fragment in self._queues.pop(target, ())))

    def _freed(self, size: int) -> None:
        self._buffered -= size
        if self._buffered <= _BUFFERED_BYTES:
            self._room.set()

    def _known(self, pipeline_id: uuid.UUID) -> _Command:
        command = self._commands.get(pipeline_id)
        if command is None:
            raise faults.unknown_command()
        return command

    # ---- its end

    async def close(self) -> None:
        self._end()
        await self._engine.close()

    def abort(self) -> None:
        self._end()
        self._engine.kill()

    def _end(self) -> None:
        self._closed = True
        self._stop_waiting()
        self._room.set()


def open_engine(device: HostedDevice, configuration: str, user: str) -> RelayedEngine | None:
    """The process for a new shell, where the device has its pipelines run by one; not started yet.

    Raises:
        WSManFault: There is no such session configuration, or the user may not use it.
    """
    if not isinstance(device, RelayingDevice):
        return None
    try:
        return device.open_engine(configuration, user)
    except LookupError:
        raise faults.unknown_configuration(configuration, device.computer_name) from None
    except PermissionError:
        raise faults.access_denied() from None
