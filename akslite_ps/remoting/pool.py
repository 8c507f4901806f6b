"""One runspace pool on a device with its connection: every WSMan operation of a session, one thread at a time.

Used by ``remoting.session`` (open, attach, disconnect, close) and ``remoting.invocation`` (command, receive,
signal). Raises only errors of ours, save where it says otherwise; repeats nothing.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Any

from pypsrp.complex_objects import RunspacePoolState
from pypsrp.messages import EndOfPipelineInput, Message, PipelineHostResponse, PipelineInput
from pypsrp.powershell import RunspacePool
from pypsrp.shell import CommandState, SignalCode
from pypsrp.wsman import NAMESPACES, SelectorSet

from akslite_ps.remoting.arguments import Command, Script
from akslite_ps.remoting.connection import Connection
from akslite_ps.remoting.conversion import parse_duration
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import DROPPED, FAILURES, SHELL_GONE, as_remoting_error, fault_code, was_cut
from akslite_ps.remoting.fragments import RawMessage, cut
from akslite_ps.remoting.lean_serializer import LeanSerializer
from akslite_ps.remoting.pipeline_message import Statement, create_pipeline, in_wire_form
from akslite_ps.remoting.pool_connections import RSP, SHELL_URI, PoolConnections
from akslite_ps.remoting.prompts import SessionHost
from akslite_ps.remoting.values import SecureValue

log = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 5
_OPEN_AGAIN = 2
_DELETE_AGAIN = 2
"""A session that is not ended counts against the account's quota until its idle limit, two hours."""


class DevicePool(PoolConnections):
    """The runspace pool of one session.

    Args:
        device: The device.
        connect: Makes a connection with the session's credentials; called once more if a second one is needed.
        host: The host declared to the device.
        look_up: Gives the password of the device's endpoint as it is now, None where there is none to be had.
    """

    def __init__(
        self,
        device: Device,
        connect: Callable[[str | None], Connection],
        host: SessionHost,
        look_up: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(device, connect, look_up)
        self.host = host
        self._to_terminate: set[str] = set()
        self._idle_limit_s: float | None = None
        host.use_key_exchange(self.exchange_keys)
        self._pool = self._new_pool()

    # -- life of the pool ---------------------------------------------------------------------------------------

    def open(self, timeout_s: float) -> None:
        """Create the pool on the device. Nothing is left there where this fails half-way and the device can be reached."""
        endpoint = self.device.endpoint
        transport: Any = self.connection.transport  # pypsrp declares whole seconds; requests takes fractions
        usual = (self.connection.operation_timeout, transport.connection_timeout, transport.read_timeout, transport.transfer_s)
        self.connection.operation_timeout = max(1, min(endpoint.operation_timeout_s, int(timeout_s)))
        transport.connection_timeout = min(endpoint.connect_timeout_s, timeout_s)
        transport.read_timeout = transport.transfer_s = timeout_s
        try:
            with self.exchange("open a session", established=False):
                self._open()
        except BaseException:
            self._delete_half_open()
            self.connection.close()
            raise
        self.connection.operation_timeout, transport.connection_timeout, transport.read_timeout, transport.transfer_s = usual

    def _open(self) -> None:
        """Open, anew where the connection is cut meanwhile: nothing can run yet in a pool that is not open."""
        for _ in range(_OPEN_AGAIN):
            try:
                return self._pool.open()
            except DROPPED as error:
                if not was_cut(error):
                    raise
                log.warning("%s: the connection broke while the session opened; opening it again", self.device.name)
                self._delete_half_open()
                self._pool = self._new_pool()
        return self._pool.open()

    def _delete_half_open(self) -> None:
        """End on the device what was begun there; the answer that told of it may have been lost."""
        with contextlib.suppress(*FAILURES):
            self.connection.delete(self._pool.shell.resource_uri, selector_set=self.selectors())

    def _new_pool(self) -> RunspacePool:
        pool = RunspacePool(self.connection, host=self.host, configuration_name=self.device.endpoint.configuration_name)
        pool._serializer = pool._fragmenter.serializer = LeanSerializer()
        return pool

    def adopt(self, shell_id: str) -> None:
        """Connect, as a new client, to the pool with this id that another client left on the device."""
        self._pool.id = self._pool.shell.id = shell_id.upper()
        self._pool.shell.opened = True
        self._pool._new_client = True
        self._pool.state = RunspacePoolState.DISCONNECTED
        try:
            with self.exchange(f"connect to session {shell_id}"):
                self._pool.connect()
                self._pool.state = RunspacePoolState.OPENED
        except BaseException:
            self.connection.close()
            raise

    def disconnect(self, idle_limit_s: float | None = None) -> None:
        """Leave the pool and what runs in it on the device; output that does not fit into the device's buffer waits there.

        Args:
            idle_limit_s: How long the device keeps it while nobody is there, in seconds; None: as it was.
        """
        disconnect = ET.Element(f"{{{RSP}}}Disconnect")
        if idle_limit_s is not None:
            ET.SubElement(disconnect, f"{{{RSP}}}IdleTimeOut").text = f"PT{idle_limit_s:g}S"
            self._idle_limit_s = idle_limit_s
        ET.SubElement(disconnect, f"{{{RSP}}}BufferMode").text = "Block"
        with self.exchange("disconnect the session"):
            if self._pool.state != RunspacePoolState.DISCONNECTED:
                self.connection.disconnect(self._pool.shell.resource_uri, disconnect, selector_set=self.selectors())
                self._pool.state = RunspacePoolState.DISCONNECTED
        self.hang_up()

    def reconnect(self) -> None:
        """Take up the pool again that this client disconnected, or that the device did after an outage."""
        with self.exchange("reconnect the session"):
            self._pool.state = RunspacePoolState.DISCONNECTED
            self._pool.connect()

    def delete(self) -> None:
        """End the pool on the device; what still runs in it is ended there. Says nothing where the device is gone."""
        for _ in range(_DELETE_AGAIN):
            try:
                with self.free_connection() as connection:
                    connection.delete(self._pool.shell.resource_uri, selector_set=self.selectors())
                break
            except FAILURES as error:
                log.debug("%s: the session could not be closed: %s", self.device.name, type(error).__name__)
                if not was_cut(error):
                    break
        self.hang_up()

    # -- what the pool knows --------------------------------------------------------------------------------------

    @property
    def shell_id(self) -> str:
        """Id of the pool, which is the id of its shell."""
        return str(self._pool.id)

    @property
    def idle_limit_s(self) -> float | None:
        """How long the device keeps the pool while nobody uses it, in seconds, as far as it told."""
        told: object = self._pool.shell.idle_time_out
        if self._idle_limit_s is None and isinstance(told, str):
            with contextlib.suppress(ValueError):
                self._idle_limit_s = parse_duration(told).total_seconds()
        return self._idle_limit_s

    @property
    def next_receive_id(self) -> str:
        """Message id of the next Receive; set it to ask for an answer that another process may have got."""
        return self.connection.next_receive_id

    @next_receive_id.setter
    def next_receive_id(self, message_id: str) -> None:
        self.connection.next_receive_id = message_id

    @property
    def answered_receive_id(self) -> str:
        """Message id of the last Receive that was answered."""
        return self.connection.answered_receive_id

    @property
    def private_data(self) -> dict[Any, Any]:
        """What the device told of itself when the pool opened, e.g. ``PSVersionTable``."""
        message = self._pool.application_private_data
        return dict(message.data or {}) if message is not None else {}

    def decrypt(self, element: ET.Element) -> object:
        """Clear text of a SecureString element; the element itself where no key was exchanged."""
        return self._pool._serializer._deserialize_secure_string(element)

    # -- pipelines --------------------------------------------------------------------------------------------------

    def build(self, statements: Sequence[Command | Script], ask: Callable[[str], str] | None) -> list[Statement]:
        """The commands with their values in pypsrp's form. Exchanges keys with the device where an argument is a secret."""

        def reveal(secret: SecureValue) -> str:
            clear = secret.reveal(ask=ask)
            self.exchange_keys()
            return clear

        return in_wire_form(statements, reveal)

    def exchange_keys(self) -> None:
        """Agree with the device on the key for SecureStrings; once per pool."""
        with self.exchange("exchange the session key"):
            try:
                self._pool.exchange_keys()
            except BaseException:
                self._pool._exchange_key = None
                raise

    def fragments_of(self, statements: Sequence[Statement], pipeline_id: str, *, has_input: bool) -> list[bytes]:
        """The message that creates a pipeline, cut to the size the device takes."""
        message = create_pipeline(
            statements,
            pool_id=self.shell_id,
            pipeline_id=pipeline_id,
            has_input=has_input,
            protocol_version=self._pool.protocol_version or "2.3",
            apartment_state=self._pool.apartment_state,
            serializer=self._pool._serializer,
        )
        fragmenter = self._pool._fragmenter
        number, fragmenter.outgoing_counter = fragmenter.outgoing_counter, fragmenter.outgoing_counter + 1
        return cut(message, number, fragmenter.max_size)

    def command(self, fragment: bytes, pipeline_id: str) -> str:
        """Send the first fragment; gives the command id under which the device knows the pipeline.

        Raises:
            Exception: As pypsrp and requests raise, for the caller to find out what the device knows.
        """
        self.terminate_ended()
        argument = base64.b64encode(fragment).decode("ascii")
        reply = self._pool.shell.command("", arguments=[argument], command_id=pipeline_id)
        return reply.findtext("rsp:CommandResponse/rsp:CommandId", None, NAMESPACES) or pipeline_id

    def send(self, fragments: Sequence[bytes], command_id: str) -> None:
        """Send further fragments of a pipeline."""
        for fragment in fragments:
            self._pool.shell.send("stdin", fragment, command_id=command_id)

    def send_input(self, values: Sequence[Any], pipeline_id: str, command_id: str) -> None:
        """Send the whole pipeline input and its end."""
        messages = [*(PipelineInput(data=value) for value in values), EndOfPipelineInput()]
        self.send(self._pool._fragmenter.fragment_multiple(messages, self._pool.id, pipeline_id), command_id)

    def receive(self, command_id: str, wait_s: int | None) -> tuple[bytes, bool]:
        """One Receive for a pipeline: its bytes, and whether the device says that no more will come.

        Raises:
            Exception: As pypsrp and requests raise, for the caller to decide about repetition.
        """
        state, _, buffers = self._pool.shell.receive("stdout", command_id=command_id, timeout=wait_s)
        return buffers["stdout"], state == CommandState.DONE

    def answer_host_call(self, message: RawMessage, pipeline_id: str) -> list[bytes]:
        """Let the host answer a call of the device.

        Returns:
            The answer in pieces, for :meth:`send_answer`; none where the device waits for no answer.

        Raises:
            QuestionUnanswered: There is nobody to answer.
        """
        call: Any = Message.unpack(message.raw, self._pool._serializer).data
        answer = self.host.run_method(call.mi, call.mp, self._pool, None)
        if answer is None:
            return []
        response = PipelineHostResponse(ci=call.ci, mi=call.mi, mr=answer)  # type: ignore[no-untyped-call]
        return list(self._pool._fragmenter.fragment(response, self._pool.id, pipeline_id))

    def send_answer(self, fragments: Sequence[bytes]) -> None:
        """Send the answer to a host call. The device ignores one that comes again: it waits for it no more."""
        with self.exchange("answer the device's question"):
            for fragment in fragments:
                self._pool.shell.send("pr", fragment)

    def connect_command(self, command_id: str) -> None:
        """Connect to a pipeline that goes on in a pool taken up again."""
        connect = ET.Element(f"{{{RSP}}}Connect", CommandId=command_id)
        with self.exchange("connect to the running command"):
            self.connection.connect(self._pool.shell.resource_uri, connect, selector_set=self.selectors())

    def interrupt(self, command_id: str, limit_s: float | None = None) -> None:
        """Tell the device to stop a pipeline, at once even while another thread waits in a Receive.

        Says nothing where the pipeline is no longer there.

        Args:
            command_id: The pipeline.
            limit_s: Seconds that the device may take to answer; None: as for every request.
        """
        try:
            with self.free_connection() as connection, connection.answering_within(limit_s):
                self._signal(connection, SignalCode.PS_CTRL_C, command_id)
        except Exception as error:
            if fault_code(error) not in SHELL_GONE:
                raise as_remoting_error(error, self.device, "stop the command", established=True) from error

    def terminate(self, command_id: str) -> None:
        """Free what the device keeps for an ended pipeline. Without it a shell refuses its 1,001st command."""
        with self.lock:
            try:
                self._signal(self.connection, SignalCode.TERMINATE, command_id)
            except FAILURES as error:
                log.debug("%s: no Terminate for %s: %s", self.device.name, command_id, type(error).__name__)
                if fault_code(error) not in SHELL_GONE:
                    return
            self._to_terminate.discard(command_id)

    def ended(self, command_id: str) -> None:
        """Note that a pipeline is over and owed a Terminate: it is sent at the latest before the next command."""
        self._to_terminate.add(command_id)

    def terminate_ended(self) -> None:
        """Send the Terminates that are owed."""
        for command_id in tuple(self._to_terminate):
            self.terminate(command_id)

    def has_command(self, command_id: str) -> bool:
        """Ask the device whether the pool has a pipeline; a pool that the device put aside is taken up again first.

        Raises:
            SessionLost: The pool is not there, or cannot be asked.
        """
        with self.exchange("find out whether the command arrived"):
            was_put_aside = self.state_from(self.connection) == "Disconnected"
        if was_put_aside:
            self.reconnect()
        found = command_id.casefold() in (id_.casefold() for id_ in self.running_commands())
        if found and was_put_aside:
            self.connect_command(command_id)
        return found

    def running_commands(self) -> list[str]:
        """Ids of the pipelines that the device keeps for this pool."""
        wsen, wsman = NAMESPACES["wsen"], NAMESPACES["wsman"]
        request = ET.Element(f"{{{wsen}}}Enumerate")
        ET.SubElement(request, f"{{{wsman}}}OptimizeEnumeration")
        ET.SubElement(request, f"{{{wsman}}}MaxElements").text = "32000"
        dialect = "http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"
        ET.SubElement(request, f"{{{wsman}}}Filter", Dialect=dialect).append(self.selectors().pack())
        with self.exchange("list the running commands"):
            body = self.connection.enumerate(f"{SHELL_URI}/Command", request)
        found = body.iterfind("wsen:EnumerateResponse/wsman:Items/rsp:Command/rsp:CommandId", NAMESPACES)
        return [element.text for element in found if element.text]

    # -- inside -------------------------------------------------------------------------------------------------------

    def _signal(self, connection: Connection, code: str, command_id: str) -> None:
        signal = ET.Element(f"{{{RSP}}}Signal", CommandId=command_id)
        ET.SubElement(signal, f"{{{RSP}}}Code").text = code
        connection.signal(self._pool.shell.resource_uri, signal, selector_set=self.selectors())

    def selectors(self) -> SelectorSet:
        """What names the pool on the device."""
        known: SelectorSet | None = self._pool.shell._selector_set
        if known is not None:
            return known
        selectors = SelectorSet()
        selectors.add_option("ShellId", self.shell_id)
        return selectors
