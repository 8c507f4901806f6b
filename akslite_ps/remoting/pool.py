"""One runspace pool on a device with its connection: every WSMan operation of a session, one thread at a time.

Used by ``remoting.session`` (open, attach, disconnect, close) and ``remoting.invocation`` (command, receive,
signal). Raises only errors of ours, save where it says otherwise; repeats nothing.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pypsrp.complex_objects import ApartmentState, HostInfo, Pipeline, RemoteStreamOptions, RunspacePoolState
from pypsrp.complex_objects import Command as WireCommand
from pypsrp.complex_objects import CommandParameter as WireParameter
from pypsrp.messages import CreatePipeline, EndOfPipelineInput, Message, PipelineHostResponse, PipelineInput
from pypsrp.powershell import RunspacePool
from pypsrp.shell import CommandState, SignalCode
from pypsrp.wsman import NAMESPACES, SelectorSet

from akslite_ps.errors import AksLiteError, SessionLost
from akslite_ps.remoting.arguments import Command, Script, wire_value
from akslite_ps.remoting.connection import Connection
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import FAILURES, SHELL_GONE, as_remoting_error, fault_code
from akslite_ps.remoting.fragments import RawMessage
from akslite_ps.remoting.prompts import SessionHost
from akslite_ps.remoting.values import SecureValue

log = logging.getLogger(__name__)

_RSP = NAMESPACES["rsp"]
_SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_PROBE_TIMEOUT_S = 5


class DevicePool:
    """The runspace pool of one session.

    Args:
        device: The device.
        connect: Makes a connection with the session's credentials; called once more if a second one is needed.
        host: The host declared to the device.
    """

    def __init__(self, device: Device, connect: Callable[[str | None], Connection], host: SessionHost) -> None:
        self.device = device
        self.host = host
        self.lock = threading.RLock()
        self._connect = connect
        self.connection = connect(None)
        self._aside: Connection | None = None
        self._aside_lock = threading.Lock()
        host.use_key_exchange(self.exchange_keys)
        self._pool = RunspacePool(self.connection, host=host, configuration_name=device.endpoint.configuration_name)

    # -- life of the pool ---------------------------------------------------------------------------------------

    def open(self, timeout_s: float) -> None:
        """Create the pool on the device. Nothing is left there where this fails half-way and the device can be reached."""
        endpoint = self.device.endpoint
        transport: Any = self.connection.transport  # pypsrp declares whole seconds; requests takes fractions
        usual = (self.connection.operation_timeout, transport.connection_timeout, transport.read_timeout)
        self.connection.operation_timeout = max(1, min(endpoint.operation_timeout_s, int(timeout_s)))
        transport.connection_timeout = min(endpoint.connect_timeout_s, timeout_s)
        transport.read_timeout = timeout_s
        try:
            with self.exchange("open a session", established=False):
                self._pool.open()
        except BaseException:
            with contextlib.suppress(*FAILURES):
                self._pool.shell.close()
            self.connection.close()
            raise
        self.connection.operation_timeout, transport.connection_timeout, transport.read_timeout = usual

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

    def disconnect(self) -> None:
        """Leave the pool and what runs in it on the device."""
        with self.exchange("disconnect the session"):
            self._pool.disconnect()
        self.hang_up()

    def reconnect(self) -> None:
        """Take up the pool again that this client disconnected, or that the device did after an outage."""
        with self.exchange("reconnect the session"):
            self._pool.state = RunspacePoolState.DISCONNECTED
            self._pool.connect()

    def delete(self) -> None:
        """End the pool on the device; what still runs in it is ended there. Says nothing where the device is gone."""
        try:
            with self._free_connection() as connection:
                connection.delete(self._pool.shell.resource_uri, selector_set=self._selectors())
        except FAILURES as error:
            log.debug("%s: the session could not be closed: %s", self.device.name, type(error).__name__)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connections, not the pool."""
        with self._aside_lock:
            if self._aside is not None:
                self._aside.reset()
        if self.lock.acquire(blocking=False):
            try:
                self.connection.reset()
            finally:
                self.lock.release()

    def is_alive(self) -> bool:
        """Ask the device whether the pool is still there."""
        try:
            with self._free_connection() as connection:
                return self._state_from(connection) is not None
        except FAILURES as error:
            log.debug("%s: the session does not answer: %s", self.device.name, type(error).__name__)
            return False

    def _state_from(self, connection: Connection) -> str | None:
        body = connection.get(_SHELL_URI, selector_set=self._selectors(), timeout=_PROBE_TIMEOUT_S)
        shell = body.find("rsp:Shell", NAMESPACES)
        return None if shell is None else shell.findtext("rsp:State", "Connected", NAMESPACES)

    # -- what the pool knows --------------------------------------------------------------------------------------

    @property
    def shell_id(self) -> str:
        """Id of the pool, which is the id of its shell."""
        return str(self._pool.id)

    @property
    def private_data(self) -> dict[Any, Any]:
        """What the device told of itself when the pool opened, e.g. ``PSVersionTable``."""
        message = self._pool.application_private_data
        return dict(message.data or {}) if message is not None else {}

    def decrypt(self, element: ET.Element) -> object:
        """Clear text of a SecureString element; the element itself where no key was exchanged."""
        return self._pool._serializer._deserialize_secure_string(element)

    # -- pipelines --------------------------------------------------------------------------------------------------

    def build(self, statements: Sequence[Command | Script], ask: Callable[[str], str] | None) -> list[WireCommand]:
        """The commands in pypsrp's form. Exchanges keys with the device where an argument is a secret."""

        def reveal(secret: SecureValue) -> str:
            clear = secret.reveal(ask=ask)
            self.exchange_keys()
            return clear

        wire = []
        for statement in statements:
            is_script = isinstance(statement, Script)
            text = statement.text if isinstance(statement, Script) else statement.name
            item = WireCommand(text, protocol_version=self._pool.protocol_version or "2.3", is_script=is_script)
            item.args = [WireParameter(name, wire_value(value, reveal)) for name, value in statement.parameters.items()]
            if isinstance(statement, Command):
                item.args += [WireParameter(None, wire_value(value, reveal)) for value in statement.arguments]
            wire.append(item)
        return wire

    def exchange_keys(self) -> None:
        """Agree with the device on the key for SecureStrings; once per pool."""
        with self.exchange("exchange the session key"):
            try:
                self._pool.exchange_keys()
            except BaseException:
                self._pool._exchange_key = None
                raise

    def fragments_of(self, commands: list[WireCommand], pipeline_id: str, *, has_input: bool) -> list[bytes]:
        """The message that creates a pipeline, cut to the size the device takes."""
        create = CreatePipeline(
            not has_input,
            ApartmentState(value=self._pool.apartment_state),
            RemoteStreamOptions(value=RemoteStreamOptions.ADD_INVOCATION_INFO),
            False,
            HostInfo(host=self.host),
            Pipeline(is_nested=False, cmds=commands, history=None, redirect_err_to_out=False),
            False,
        )
        return list(self._pool._fragmenter.fragment(create, self._pool.id, pipeline_id))

    def command(self, fragment: bytes, pipeline_id: str) -> str:
        """Send the first fragment; gives the command id under which the device knows the pipeline.

        Raises:
            Exception: As pypsrp and requests raise, for the caller to find out what the device knows.
        """
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

    def answer_host_call(self, message: RawMessage, pipeline_id: str) -> None:
        """Let the host answer a call of the device, and send the answer.

        Raises:
            QuestionUnanswered: There is nobody to answer.
        """
        call: Any = Message.unpack(message.raw, self._pool._serializer).data
        answer = self.host.run_method(call.mi, call.mp, self._pool, None)
        if answer is None:
            return
        response = PipelineHostResponse(ci=call.ci, mi=call.mi, mr=answer)  # type: ignore[no-untyped-call]
        with self.exchange("answer the device's question"):
            for fragment in self._pool._fragmenter.fragment(response, self._pool.id, pipeline_id):
                self._pool.shell.send("pr", fragment)

    def connect_command(self, command_id: str) -> None:
        """Connect to a pipeline that goes on in a pool taken up again."""
        connect = ET.Element(f"{{{_RSP}}}Connect", CommandId=command_id)
        with self.exchange("connect to the running command"):
            self.connection.connect(self._pool.shell.resource_uri, connect, selector_set=self._selectors())

    def interrupt(self, command_id: str) -> None:
        """Tell the device to stop a pipeline, at once even while another thread waits in a Receive.

        Says nothing where the pipeline is no longer there.
        """
        try:
            with self._free_connection() as connection:
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

    def running_commands(self) -> list[str]:
        """Ids of the pipelines that the device keeps for this pool."""
        wsen, wsman = NAMESPACES["wsen"], NAMESPACES["wsman"]
        request = ET.Element(f"{{{wsen}}}Enumerate")
        ET.SubElement(request, f"{{{wsman}}}OptimizeEnumeration")
        ET.SubElement(request, f"{{{wsman}}}MaxElements").text = "32000"
        dialect = "http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"
        ET.SubElement(request, f"{{{wsman}}}Filter", Dialect=dialect).append(self._selectors().pack())
        with self.exchange("list the running commands"):
            body = self.connection.enumerate(f"{_SHELL_URI}/Command", request)
        found = body.iterfind("wsen:EnumerateResponse/wsman:Items/rsp:Command/rsp:CommandId", NAMESPACES)
        return [element.text for element in found if element.text]

    # -- inside -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def exchange(self, attempted: str, *, established: bool = True) -> Iterator[None]:
        """Use the connection alone; what fails below is raised as an error of ours."""
        with self.lock:
            try:
                yield
            except AksLiteError:
                raise
            except Exception as error:
                raise as_remoting_error(error, self.device, attempted, established=established) from error

    def lost(self, message: str, attempted: str, next_action: str) -> SessionLost:
        """A SessionLost about this device."""
        return SessionLost(message, device=self.device.name, attempted=attempted, next_action=next_action)

    @contextlib.contextmanager
    def _free_connection(self) -> Iterator[Connection]:
        """The session's connection, or a second one while another thread waits on the first.

        With message encryption two threads cannot share a connection. The second one logs in by itself and
        repeats the session id of the first.
        """
        if self.lock.acquire(blocking=False):
            try:
                yield self.connection
            finally:
                self.lock.release()
            return
        with self._aside_lock:
            if self._aside is None:
                self._aside = self._connect(self.connection.session_id)
            yield self._aside

    def _signal(self, connection: Connection, code: str, command_id: str) -> None:
        signal = ET.Element(f"{{{_RSP}}}Signal", CommandId=command_id)
        ET.SubElement(signal, f"{{{_RSP}}}Code").text = code
        connection.signal(self._pool.shell.resource_uri, signal, selector_set=self._selectors())

    def _selectors(self) -> SelectorSet:
        known: SelectorSet | None = self._pool.shell._selector_set
        if known is not None:
            return known
        selectors = SelectorSet()
        selectors.add_option("ShellId", self.shell_id)
        return selectors
