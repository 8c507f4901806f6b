"""A shell whose pipelines run in a PowerShell process of their own: the relay between WS-Management and that process.

Made by ``protocol.shell_service`` where the device has such an engine (``relayed_engine.RelayingDevice``). PSRP passes through
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

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.fragments import (
    MessageKind,
    MessageWatch,
    NotFragments,
    PassingFragment,
    SeenMessage,
    fragments_in,
    message_to_client,
)
from akslite_ps.sandbox.protocol.psrp_outbox import ELEMENT_COST, Fragment, Target
from akslite_ps.sandbox.protocol.wsman_shell import Client, Quotas, ShellIdentity, WSManShell, command_uuid, pipeline_id_in
from akslite_ps.sandbox.relayed_engine import EngineUnavailable, RelayedEngine, RelayingDevice, TooManyEngines

_log = logging.getLogger(__name__)

_BUFFERED_BYTES = 64 * 1024 * 1024
"""What waits for a connected client before the process must wait. It waits as a whole, so this is more than a command's share:
a client that reads one command only must not hold up another for long."""
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
_MAY_BE_LOST = {
    MessageKind.PIPELINE_OUTPUT,
    MessageKind.ERROR_RECORD,
    MessageKind.DEBUG_RECORD,
    MessageKind.VERBOSE_RECORD,
    MessageKind.WARNING_RECORD,
    MessageKind.PROGRESS_RECORD,
    MessageKind.INFORMATION_RECORD,
}


@dataclass(slots=True)
class _Command:
    engine_id: uuid.UUID
    done: bool = False
    end_told: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A fragment that waits for the client.

    Args:
        fragment: It.
        object_id: Of its message.
        begins: With it the message begins to leave.
        may_be_lost: It is output, of which the oldest goes first where there is too much.
        opens: It waits for what comes next: one reply holds both (recorded).
        ends_reply: What comes next does not share its reply (recorded).
    """

    fragment: Fragment
    object_id: int
    begins: bool
    may_be_lost: bool
    opens: bool = False
    ends_reply: bool = False


@dataclass(slots=True)
class _Pool:
    """What passed when the shell was created, for clients that connect later."""

    pool_id: uuid.UUID = field(default_factory=lambda: uuid.UUID(int=0))
    asked_for: bool = False
    limits: dict[str, int] = field(default_factory=lambda: {"Min": 1, "Max": 1})
    capability: str = ""
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
        super().__init__(request, identity, quotas=quotas, expired=expired)
        self._engine = engine
        self._commands: dict[uuid.UUID, _Command] = {}
        self._engine_ids: dict[uuid.UUID, uuid.UUID] = {}
        self._queues: dict[Target, deque[_Waiting]] = {}
        self._lost: set[int] = set()
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
            if not _fragments(data):
                raise faults.malformed("the request holds no PSRP message")
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

    def _begin(self, pipeline_id: uuid.UUID, data: bytes) -> None:
        _fragments(data)
        # The process goes by the id in the messages, which is not always the command's (recorded).
        engine_id = pipeline_id_in(data) or pipeline_id
        self._commands[pipeline_id] = _Command(engine_id)
        self._engine_ids[engine_id] = pipeline_id
        self._engine.start_command(engine_id, data)

    def feed(self, data: bytes, command_id: str | None, stream: str) -> None:
        target = command_uuid(command_id) if command_id else None
        if target is not None:
            target = self._known(target).engine_id
            _fragments(data)
        else:
            self._note(data)
        if data:
            self._engine.send(target, data, answers_prompt=stream == _ANSWER_STREAM)

    async def signal(self, command_id: str, *, release: bool) -> None:
        pipeline_id = command_uuid(command_id)
        command = self._commands.get(pipeline_id)
        if command is None:
            return
        await self._stop(command)
        if release:
            self._engine.close_command(command.engine_id)
            self._commands.pop(pipeline_id, None)
            self._engine_ids.pop(command.engine_id, None)
            self._drop(pipeline_id)
            self._forget_sent(pipeline_id)
            self._refuse_receiver(pipeline_id, faults.operation_aborted())

    async def _stop(self, command: _Command) -> None:
        if not command.done:
            await asyncio.wait({self._engine.stop_command(command.engine_id)}, timeout=_STOP_LIMIT_S)

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
        answer = b"".join(
            message_to_client(kind, self._pool.pool_id, text, object_id=next(self._own_objects))
            for kind, text in (
                (MessageKind.SESSION_CAPABILITY, self._pool.capability),
                (MessageKind.RUNSPACEPOOL_INIT_DATA, f'<Obj RefId="0"><MS>{limits}</MS></Obj>'),
            )
        )
        for fragment in fragments_in(self._pool.private_data):
            self._put(None, _Waiting(Fragment(fragment.data), fragment.object_id, fragment.begins, may_be_lost=False))
        return answer

    def _note(self, data: bytes) -> None:
        """Look at what the client says about its pool."""
        try:
            messages = self._from_client.see(data)
        except NotFragments as error:
            raise faults.malformed(str(error)) from None
        for message in messages:
            if message.kind in _LIMIT_MESSAGES:
                for name, count in _LIMIT.findall(message.beginning):
                    self._pool.limits[name.decode()] = int(count)
            if message.kind == MessageKind.INIT_RUNSPACEPOOL:
                self._pool.pool_id, self._pool.asked_for = message.pool_id, True
                least, most = self._pool.limits["Min"], self._pool.limits["Max"]
                # The process would be silent for ever.
                if not 1 <= least <= most:
                    raise faults.malformed(f"{least} to {most} runspaces are no limits of a pool")

    # ---- from the process (relayed_engine.EngineReceiver)

    async def arrived(self, target: uuid.UUID | None, data: bytes) -> None:
        """A packet of the process; waits while the client is too far behind."""
        if target is not None:
            target = self._engine_ids.get(target)
            if target is None:
                return
        try:
            passing = self._from_engine.look(data)
        except NotFragments as error:
            _log.warning("%s: the engine wrote something else than PSRP: %s", self.shell_id, error)
            return
        for fragment, message in passing:
            if fragment.ends:
                self._look_at(target, message, data)
            awaits = fragment.ends and message.kind in _HOST_CALLS and _VOID_CALL not in message.beginning
            waiting = _Waiting(
                Fragment(fragment.data, awaits),
                fragment.object_id,
                fragment.begins,
                message.kind in _MAY_BE_LOST,
                opens=message.kind == MessageKind.SESSION_CAPABILITY and self._pool.asked_for,
                ends_reply=fragment.ends and message.kind == MessageKind.APPLICATION_PRIVATE_DATA,
            )
            self._put(target, waiting, ends=fragment.ends)
        await self._room.wait()

    def _look_at(self, target: Target, message: SeenMessage, data: bytes) -> None:
        command = self._commands.get(target) if target is not None else None
        match message.kind:
            case MessageKind.PIPELINE_STATE if command is not None:
                state = _PIPELINE_STATE.search(message.beginning)
                command.done = state is not None and state[1] in _ENDED
            case MessageKind.SESSION_CAPABILITY:
                self._pool.capability = message.beginning.decode()
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

    def _put(self, target: Target, waiting: _Waiting, *, ends: bool = True) -> None:
        if waiting.object_id in self._lost:
            # The rest of a message whose beginning was lost.
            if ends:
                self._lost.discard(waiting.object_id)
            return
        self._queues.setdefault(target, deque()).append(waiting)
        self._buffered += len(waiting.fragment.data)
        if self._loses_output:
            self._lose_oldest(target, unfinished=None if ends else waiting.object_id)
        self._look_at_room()
        self._wake(target)

    @property
    def _loses_output(self) -> bool:
        return not self.connected and self.buffer_mode == "Drop"

    def _lose_oldest(self, target: Target, unfinished: int | None = None) -> None:
        """Lose the oldest output of a target until what waits is not too much. A message that has begun to leave stays.

        Args:
            target: Whose queue.
            unfinished: The message of which more fragments are to come.
        """
        queue = self._queues.get(target, deque())
        excess = sum(len(each.fragment.data) for each in queue) - assumptions.OUTPUT_BUFFER_BYTES
        if excess <= 0:
            return
        kept: deque[_Waiting] = deque()
        losing: set[int] = set()
        for each in queue:
            if each.begins and each.may_be_lost and excess > 0:
                losing.add(each.object_id)
            if each.object_id in losing:
                excess -= len(each.fragment.data)
                self._buffered -= len(each.fragment.data)
            else:
                kept.append(each)
        self._lost |= losing & {unfinished}
        self._queues[target] = kept

    def _look_at_room(self) -> None:
        """Hold the process back while too much waits for the client."""
        limit = _BUFFERED_BYTES if self.connected else assumptions.OUTPUT_BUFFER_BYTES
        if self._buffered > limit and not self._loses_output and not self._closed:
            self._room.clear()
        else:
            self._room.set()

    def _pending(self, target: Target) -> bool:
        queue = self._queues.get(target)
        return queue is not None and len(queue) > 0 and not queue[-1].opens

    def _take(self, target: Target, budget: int) -> list[Fragment]:
        queue = self._queues.get(target)
        taken: list[Fragment] = []
        used = 0
        while queue and (not taken or used + len(queue[0].fragment.data) + ELEMENT_COST <= budget):
            waiting = queue.popleft()
            taken.append(waiting.fragment)
            used += len(waiting.fragment.data) + ELEMENT_COST
            self._freed(len(waiting.fragment.data))
            if waiting.ends_reply:
                break
        return taken

    def _follow_connection(self) -> None:
        if self._loses_output:
            for target in self._queues:
                self._lose_oldest(target)
        self._look_at_room()

    def _drop(self, target: Target) -> None:
        self._freed(sum(len(each.fragment.data) for each in self._queues.pop(target, ())))

    def _freed(self, size: int) -> None:
        self._buffered -= size
        self._look_at_room()

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


def _fragments(data: bytes) -> list[PassingFragment]:
    """What a client sent, before a process sees it: one that is given anything else ends.

    Raises:
        WSManFault: The bytes are no fragments.
    """
    try:
        return list(fragments_in(data))
    except NotFragments as error:
        raise faults.malformed(str(error)) from None


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
