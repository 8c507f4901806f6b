"""The shell resource of a device's WS-Management service: finds the shell a request is for and has it do the work.

Called by ``protocol.winrm``. Owns what outlives one shell: the table of shells, quotas, and the cache of replies for clients that
send a request again because they lost its reply.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import uuid
from collections import Counter, OrderedDict

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.enumerations import Enumerations
from akslite_ps.sandbox.protocol.relayed_shell import RelayedShell, open_engine
from akslite_ps.sandbox.protocol.service_configuration import configuration_element
from akslite_ps.sandbox.protocol.shells import Shell, open_runspaces
from akslite_ps.sandbox.protocol.wsman_shell import Client, Quotas, ShellIdentity, WSManShell

_log = logging.getLogger(__name__)

_REPLIES_KEPT = 32
_PROTOCOL_2 = re.compile(r"2\.[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}")


_RequestKey = tuple[str, str]
_Place = tuple[str, str | None]


class ReplyCache:
    """The latest replies by user and message id: one for each place that is received from, and the latest of all others."""

    def __init__(self) -> None:
        self._replies: OrderedDict[_RequestKey, bytes] = OrderedDict()
        self._received: dict[_Place, _RequestKey] = {}

    def get(self, user: str, message_id: str) -> bytes | None:
        return self._replies.get((user, message_id))

    def keep(self, user: str, request: wsman.Request, reply: bytes) -> None:
        key = (user, request.header.message_id)
        operation = request.operation
        if isinstance(operation, wsman.Receive):
            place = _place(operation.shell_id, operation.command_id)
            earlier = self._received.get(place)
            if earlier is not None:
                self._replies.pop(earlier, None)
            self._received[place] = key
        self._replies[key] = reply
        if len(self._replies) > _REPLIES_KEPT:
            oldest, _ = self._replies.popitem(last=False)
            self._received = {place: kept for place, kept in self._received.items() if kept != oldest}

    def forget(self, shell_id: str, command_id: str | None = None) -> None:
        """Drop what was received from a command, or from a shell and all its commands."""
        forgotten = _place(shell_id, command_id)
        for place, key in list(self._received.items()):
            if place == forgotten or (command_id is None and place[0] == forgotten[0]):
                self._replies.pop(key, None)
                del self._received[place]

    def clear(self) -> None:
        self._replies.clear()
        self._received.clear()


def _place(shell_id: str, command_id: str | None) -> _Place:
    return shell_id.upper(), command_id.upper() if command_id else None


class ShellService:
    """All shells of one device.

    Args:
        device: The device.
        quotas: Limits of the service.
    """

    def __init__(self, device: HostedDevice, quotas: Quotas | None = None) -> None:
        self._device = device
        self._quotas = quotas or Quotas()
        self._shells: dict[str, WSManShell] = {}
        self._replies = ReplyCache()
        self._enumerations = Enumerations()
        self._under_way: Counter[str] = Counter()
        self._process_ids = itertools.count(2_404, 4)
        self._closing: set[asyncio.Task[None]] = set()

    async def handle(self, request: wsman.Request, user: str, client: Client) -> bytes:
        """Do what a request asks for.

        Args:
            request: The parsed request.
            user: ``COMPUTER\\user``, authenticated.
            client: Where the reply goes.

        Returns:
            The reply's envelope.

        Raises:
            WSManFault: The request is refused.
            ClientGone: The client left while it waited.
        """
        header = request.header
        known = self._replies.get(user, header.message_id)
        if known is not None:
            _log.info("%s: message %s came again; the same reply is sent", self._device.name, header.message_id)
            self._note_sent_again(request.operation)
            return known
        self._check_operations(request.operation, user)
        self._under_way[user] += 1
        try:
            reply = await self._perform(header, request.operation, user, client)
        finally:
            self._under_way[user] -= 1
        if header.message_id:
            self._replies.keep(user, request, reply)
        return reply

    def _note_sent_again(self, operation: wsman.Operation) -> None:
        if isinstance(operation, wsman.Receive) and (shell := self._shells.get(operation.shell_id.upper())) is not None:
            shell.sent_again(operation.command_id)

    def _check_operations(self, operation: wsman.Operation, user: str) -> None:
        """Whether the user may have one more operation. What ends others is always let through."""
        if isinstance(operation, wsman.Signal | wsman.Delete | wsman.Disconnect | wsman.Release):
            return
        commands = sum(len(shell.commands) for shell in self._shells.values() if shell.owner == user)
        if self._under_way[user] + commands >= self._quotas.operations_per_user:
            raise faults.too_many_operations(self._quotas.operations_per_user)

    async def close(self) -> None:
        """Close every shell in order."""
        shells = list(self._shells.values())
        self._shells.clear()
        await asyncio.gather(*(shell.close() for shell in shells), *self._closing)
        self._replies.clear()

    def abort(self) -> None:
        """Forget every shell at once, as when the machine goes down."""
        for shell in self._shells.values():
            shell.abort()
        self._shells.clear()
        self._replies.clear()
        self._enumerations.clear()

    def put_aside(self, shell_id: str) -> None:
        """Disconnect a shell as the device does by itself when it takes its client for gone."""
        if (shell := self._shells.get(shell_id.upper())) is not None:
            shell.put_aside()

    def drop(self, shell_id: str) -> None:
        """End a shell without a word to its client."""
        if (shell := self._shells.pop(shell_id.upper(), None)) is not None:
            shell.abort()
            self._replies.forget(shell.shell_id)

    async def _perform(self, header: wsman.Header, operation: wsman.Operation, user: str, client: Client) -> bytes:
        match operation:
            case wsman.Create():
                shell = await self._create(header, operation, user, client)
                return wsman_replies.create_reply(header, shell.describe())
            case wsman.EnumerateShells():
                own = [wsman_replies.shell_item(shell.describe()) for shell in self._shells.values() if shell.owner == user]
                return self._enumerations.begin(header, user, own, operation.portion)
            case wsman.Pull():
                return self._enumerations.pull(header, user, operation)
            case wsman.Release():
                return self._enumerations.release(header, user, operation)
            case wsman.GetConfig():
                return self._configuration(header)
            case wsman.Identify():
                return wsman_replies.identify_reply(self._device.os_version)
        shell = self._find(operation.shell_id, user)
        match operation:
            case wsman.GetShell():
                return wsman_replies.get_shell_reply(header, shell.describe())
            case wsman.EnumerateCommands():
                commands = [
                    wsman_replies.command_item(str(command_id).upper(), "Done" if command.end_told else "Running")
                    for command_id, command in shell.commands.items()
                ]
                return self._enumerations.begin(header, user, commands, operation.portion)
        shell.touch()
        return await self._operate(shell, header, operation, client)

    def _configuration(self, header: wsman.Header) -> bytes:
        device = self._device
        ports = device.http_port, device.https_port
        element = configuration_element(header.resource_uri, device.logon_settings, self._quotas, ports)
        if element is None:
            raise faults.unknown_resource(header.resource_uri)
        return wsman_replies.get_config_reply(header, element)

    async def _operate(self, shell: WSManShell, header: wsman.Header, operation: wsman.Operation, client: Client) -> bytes:
        match operation:
            case wsman.Delete():
                del self._shells[shell.shell_id.upper()]
                await shell.close()
                self._replies.forget(shell.shell_id)
                return wsman_replies.empty_reply(header)
            case wsman.Disconnect():
                shell.disconnect(operation.idle_timeout_s, operation.buffer_mode)
                return wsman_replies.empty_reply(header)
            case wsman.Reconnect():
                shell.reconnect(operation.idle_timeout_s, operation.buffer_mode)
                return wsman_replies.empty_reply(header)
            case wsman.Connect(command_id=None):
                return wsman_replies.connect_shell_reply(header, shell.connect(operation.data, client))
        if not shell.connected:
            raise faults.shell_disconnected()
        match operation:
            case wsman.Connect(command_id=str(command_id)):
                shell.connect_command(command_id)
                return wsman_replies.connect_command_reply(header)
            case wsman.Command():
                shell.confirm_sent()
                return wsman_replies.command_reply(header, shell.start_command(operation.command_id, operation.data))
            case wsman.Send():
                shell.confirm_sent()
                shell.feed(operation.data, operation.command_id, operation.stream)
                return wsman_replies.send_reply(header)
            case wsman.Receive():
                return await shell.receive(header, operation.command_id, client)
            case wsman.Signal():
                shell.confirm_sent()
                await shell.signal(operation.command_id, release=operation.releases)
                if operation.releases:
                    self._replies.forget(shell.shell_id, operation.command_id)
                return wsman_replies.signal_reply(header)
        raise faults.unsupported_action(header.action)

    async def _create(self, header: wsman.Header, operation: wsman.Create, user: str, client: Client) -> WSManShell:
        if sum(shell.owner == user for shell in self._shells.values()) >= self._quotas.shells_per_user:
            raise faults.too_many_shells(self._quotas.shells_per_user)
        _check_protocol(operation.protocol_version)
        shell_id = operation.shell_id or str(uuid.uuid4()).upper()
        if shell_id.upper() in self._shells:
            raise faults.shell_exists()
        identity = ShellIdentity(shell_id, header.resource_uri, user, client.address, next(self._process_ids), header.to)
        shell = self._shells[shell_id.upper()] = self._make(operation, identity)
        try:
            await shell.start(operation.data)
        except BaseException:
            self._shells.pop(shell_id.upper(), None)
            raise
        return shell

    def _make(self, operation: wsman.Create, identity: ShellIdentity) -> WSManShell:
        engine = open_engine(self._device, operation.configuration, identity.owner)
        if engine is not None:
            return RelayedShell(operation, identity, engine=engine, quotas=self._quotas, expired=self._expire)
        return Shell(
            operation,
            identity,
            runspaces=open_runspaces(self._device, operation.configuration, identity.owner),
            device=self._device,
            quotas=self._quotas,
            expired=self._expire,
        )

    def _find(self, shell_id: str, user: str) -> WSManShell:
        shell = self._shells.get(shell_id.upper())
        if shell is None:
            raise faults.unknown_shell()
        if shell.owner != user:
            raise faults.access_denied()
        return shell

    def _expire(self, shell: WSManShell) -> None:
        _log.info("%s: shell %s was idle for too long and is closed", self._device.name, shell.shell_id)
        self._replies.forget(shell.shell_id)
        if self._shells.pop(shell.shell_id.upper(), None) is not None:
            task = asyncio.get_running_loop().create_task(shell.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _check_protocol(version: str | None) -> None:
    """PowerShell's plugin asks for the option, and for version 2 of it whatever the minor number is."""
    if version is None:
        raise faults.protocol_version_missing()
    if not _PROTOCOL_2.fullmatch(version):
        raise faults.protocol_version_mismatch(version)
