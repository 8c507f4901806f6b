"""The server's half of the PowerShell Remoting Protocol for one runspace pool, without I/O.

``protocol.shells`` feeds it the bytes of Create, Command, Send and Connect, acts on the events it returns, and takes the bytes
for each target (the pool, or one pipeline) out of it. psrpcore reads the messages; writing is ours, which mends psrpcore's
gaps for servers (``reference/wsman-psrp.md`` section 1): byte-order mark, one counter over reconnects, one queue per target.
"""

from __future__ import annotations

import base64
import datetime as dt
import logging
import struct
import uuid
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from psrpcore import (
    ConnectRunspacePoolEvent,
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    GetAvailableRunspacesEvent,
    GetCommandMetadataEvent,
    InitRunspacePoolEvent,
    PipelineHostResponseEvent,
    PipelineInputEvent,
    PSRPCoreError,
    PSRPEvent,
    PSRPPayload,
    PublicKeyEvent,
    ResetRunspaceStateEvent,
    RunspacePoolHostResponseEvent,
    ServerRunspacePool,
    SessionCapabilityEvent,
    SetMaxRunspacesEvent,
    SetMinRunspacesEvent,
    StreamType,
)
from psrpcore._payload import PSRPMessage
from psrpcore.types import (
    EndOfPipelineInput,
    HostMethodIdentifier,
    PSInvocationState,
    PSRPMessageType,
    RunspacePoolState,
    deserialize,
)

from akslite_ps.sandbox.engine import ErrorInfo, Progress, Version
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol import psrp_records as records
from akslite_ps.sandbox.protocol.clixml import Complex, Scalar, enum, serialize
from akslite_ps.sandbox.protocol.clixml_reader import plain
from akslite_ps.sandbox.protocol.psrp_host import host_call_arguments
from akslite_ps.sandbox.protocol.psrp_outbox import Fragment, Outbox, Target

_log = logging.getLogger(__name__)

_NO_ID = uuid.UUID(int=0)
_TO_CLIENT = 1
_VOID_CALL = -100
_PRIMITIVE_DICTIONARY = ("System.Management.Automation.PSPrimitiveDictionary", "System.Collections.Hashtable", "System.Object")
_ERRORS_CARRY_INVOCATION = 1


_UNREADABLE = (PSRPCoreError, ElementTree.ParseError, struct.error, ValueError, KeyError, AttributeError, IndexError)


class ProtocolViolation(Exception):
    """The client sent bytes that are not a PSRP message, or a message that does not fit here."""


class _Reader(ServerRunspacePool):
    """psrpcore's pool, used to join fragments, to read messages and to keep the session key. What they ask for is not its part."""

    def _process_message(self, message: PSRPMessage) -> PSRPEvent[Any, Any]:
        value: Any = EndOfPipelineInput()
        if message.message_type != PSRPMessageType.EndOfPipelineInput:
            if b"<!" in message.data:
                raise ProtocolViolation("CLIXML has no declarations")
            value = deserialize(ElementTree.fromstring(message.data), cipher=self._cipher)  # noqa: S314 - no entities, see above
        return PSRPEvent.create(message.message_type, value, message.runspace_pool_id, message.pipeline_id)

    @property
    def session_key(self) -> bytes:
        return self._session_key

    def encrypt(self, text: str) -> str:
        return self._cipher.encrypt(text)

    def set_limits(self, minimum: int, maximum: int) -> None:
        self._min_runspaces, self._max_runspaces = minimum, maximum

    def forget_partial_messages(self) -> None:
        self._receive_buffer.clear()
        self._incoming_fragments.clear()


class PsrpPool:
    """One runspace pool as its server sees it.

    Args:
        computer: Computer name carried by information records.
        user: ``COMPUTER\\user`` who opened the pool.
        os_version: Windows version of the device, ``10.0.19045.0``.
        process_id: The id of the process that hosts the pool on the device.
    """

    def __init__(self, *, computer: str, user: str, os_version: str, process_id: int) -> None:
        self._computer = computer
        self._user = user
        self._process_id = process_id
        self._private_data = _application_private_data(os_version)
        self._reader = _Reader()
        self._outbox = Outbox()
        self._calls = 0
        self._key_exchanged = False
        self._stream_options: dict[uuid.UUID, int] = {}

    @property
    def pool_id(self) -> uuid.UUID:
        return self._reader.runspace_pool_id

    @property
    def min_runspaces(self) -> int:
        return self._reader.min_runspaces

    @property
    def max_runspaces(self) -> int:
        return self._reader.max_runspaces

    # ---- from the client

    def receive(self, data: bytes) -> list[events.Event]:
        """Take bytes from the client.

        Raises:
            ProtocolViolation: They are not PSRP.
        """
        found: list[events.Event] = []
        try:
            self._reader.receive_data(PSRPPayload(data, StreamType.default, None))
            while (event := self._reader.next_event()) is not None:
                translated = self._translate(event)
                if translated is not None:
                    found.append(translated)
        except _UNREADABLE as error:
            self._reader.forget_partial_messages()
            raise ProtocolViolation(f"{type(error).__name__}: {error}") from error
        return found

    def _translate(self, event: Any) -> events.Event | None:
        match event:
            case SessionCapabilityEvent():
                self._agree(event.runspace_pool_id)
                return None
            case InitRunspacePoolEvent():
                self._reader.host = event.host_info
                return events.PoolRequested(event.min_runspaces, event.max_runspaces)
            case ConnectRunspacePoolEvent():
                self._reader.set_limits(
                    event.min_runspaces if event.min_runspaces is not None else self.min_runspaces,
                    event.max_runspaces if event.max_runspaces is not None else self.max_runspaces,
                )
                return events.ConnectRequested()
            case PublicKeyEvent():
                self._answer_key_exchange(event.key)
                return None
            case CreatePipelineEvent():
                return self._pipeline_requested(event)
            case GetCommandMetadataEvent():
                names = plain(event.pipeline.name) or ["*"]
                return events.MetadataRequested(event.pipeline_id, tuple(str(name) for name in names))
            case PipelineInputEvent():
                return events.InputArrived(event.pipeline_id, plain(event.data))
            case EndOfPipelineInputEvent():
                return events.InputEnded(event.pipeline_id)
            case PipelineHostResponseEvent() | RunspacePoolHostResponseEvent():
                error = event.error
                return events.HostAnswered(int(event.ci), plain(event.result), str(error) if error is not None else None)
            case GetAvailableRunspacesEvent():
                return events.AvailabilityRequested(int(event.ci))
            case ResetRunspaceStateEvent():
                return events.ResetRequested(int(event.ci))
            case SetMinRunspacesEvent():
                return self._limit_requested(event, "min")
            case SetMaxRunspacesEvent():
                return self._limit_requested(event, "max")
            case _:
                _log.warning("%s: a client sent %s, which a server has no use for", self._computer, type(event).__name__)
                return None

    def _agree(self, pool_id: uuid.UUID) -> None:
        if self.pool_id == _NO_ID:
            # The pool has no id before this message, so the answer carries none (recorded).
            self._send(PSRPMessageType.SessionCapability, self._capability())
            self._reader.runspace_pool_id = pool_id
        elif self.pool_id != pool_id:
            raise ProtocolViolation(f"the message is for runspace pool {pool_id}, this is {self.pool_id}")

    def _pipeline_requested(self, event: CreatePipelineEvent) -> events.PipelineRequested:
        pipeline = event.pipeline
        pool_host = self._reader.host
        host = pool_host if pipeline.host.UseRunspaceHost and pool_host is not None else pipeline.host
        self._stream_options[event.pipeline_id] = int(pipeline.remote_stream_options)
        return events.pipeline_requested(event.pipeline_id, pipeline, interactive=not (host.IsHostNull or host.IsHostUINull))

    def _limit_requested(self, event: Any, kind: events.Limit) -> events.LimitRequested:
        message = event._ps_object
        # pypsrp names the call id CI, .NET names it ci; Windows takes both (recorded).
        call_id = getattr(message, "ci", None)
        return events.LimitRequested(int(message.CI if call_id is None else call_id), kind, int(event.count))

    def _answer_key_exchange(self, public_key: bytes) -> None:
        encrypted = base64.b64encode(events.encrypted_session_key(public_key, self._reader.session_key)).decode()
        self._key_exchanged = True
        self._send(PSRPMessageType.EncryptedSessionKey, Complex(notes={"EncryptedSessionKey": encrypted}))

    # ---- the pool

    def opened(self) -> None:
        """Tell the client that the pool is open. The state message waits for a second Receive, as recorded."""
        self._reader.state = RunspacePoolState.Opened
        self._send(PSRPMessageType.ApplicationPrivateData, self._private_data)
        self._outbox.end_reply(None)
        self._send(PSRPMessageType.RunspacePoolState, Complex(notes={"RunspaceState": RunspacePoolState.Opened.value}))

    def broken(self, error: ErrorInfo) -> None:
        """Tell the client that the pool cannot be used any more."""
        self._reader.state = RunspacePoolState.Broken
        notes = {
            "RunspaceState": RunspacePoolState.Broken.value,
            "ExceptionAsErrorRecord": records.error_record(error, terminating=True, extended=False),
        }
        self._send(PSRPMessageType.RunspacePoolState, Complex(notes=notes))

    def connect(self, data: bytes) -> bytes:
        """Answer a client that connects to this pool: the bytes of ``connectResponseXml``.

        Raises:
            ProtocolViolation: The request is not one to connect, or is for another pool.
        """
        self._reader.forget_partial_messages()
        if not any(isinstance(event, events.ConnectRequested) for event in self.receive(data)):
            raise ProtocolViolation("the connect request holds no CONNECT_RUNSPACEPOOL message")
        limits = Complex(notes={"MinRunspaces": self.min_runspaces, "MaxRunspaces": self.max_runspaces})
        answer = Outbox(first_object_id=self._outbox.next_object_id)
        for kind, value in (
            (PSRPMessageType.SessionCapability, self._capability()),
            (PSRPMessageType.RunspacePoolInitData, limits),
        ):
            answer.put(None, self._message(kind, value, None))
        self._outbox.next_object_id = answer.next_object_id
        self._send(PSRPMessageType.ApplicationPrivateData, self._private_data)
        return b"".join(fragment.data for fragment in answer.take(None, None))

    def set_limits(self, minimum: int, maximum: int) -> None:
        self._reader.set_limits(minimum, maximum)

    def answer_availability(self, call_id: int, response: bool | int) -> None:
        """Answer a call about runspaces: how many are free, or whether a limit or a reset was accepted."""
        notes = {"SetMinMaxRunspacesResponse": response, "ci": Scalar("I64", str(call_id))}
        self._send(PSRPMessageType.RunspaceAvailability, Complex(notes=notes))

    # ---- pipelines

    def output(self, pipeline: uuid.UUID, value: Any) -> None:
        self._send(PSRPMessageType.PipelineOutput, value, pipeline)

    def error(self, pipeline: uuid.UUID, error: ErrorInfo, *, to_output: bool = False) -> None:
        record = records.error_record(error, terminating=False, extended=self._errors_extended(pipeline))
        self._send(PSRPMessageType.PipelineOutput if to_output else PSRPMessageType.ErrorRecord, record, pipeline)

    def informational(self, pipeline: uuid.UUID, kind: events.Informational, message: str, *, to_output: bool = False) -> None:
        record = records.informational_record(kind, message)
        self._send(PSRPMessageType.PipelineOutput if to_output else PSRPMessageType[f"{kind}Record"], record, pipeline)

    def information(
        self,
        pipeline: uuid.UUID,
        message: str,
        *,
        tags: Sequence[str],
        source: str,
        generated: dt.datetime,
        to_output: bool = False,
    ) -> None:
        record = records.information_record(
            message,
            tags=tags,
            source=source,
            user=self._user,
            computer=self._computer,
            generated=generated,
            process_id=self._process_id,
        )
        self._send(PSRPMessageType.PipelineOutput if to_output else PSRPMessageType.InformationRecord, record, pipeline)

    def progress(self, pipeline: uuid.UUID, progress: Progress) -> None:
        self._send(PSRPMessageType.ProgressRecord, records.progress_record(progress), pipeline)

    def host_call(self, pipeline: uuid.UUID, method: str, arguments: Sequence[Any]) -> int | None:
        """Ask the client's host.

        Returns:
            The call's id, which the answer will carry, or None for a method without an answer.

        Raises:
            ValueError: There is no such host method.
        """
        name, values = host_call_arguments(method, arguments)
        identifier = HostMethodIdentifier[name]
        if identifier.is_void():
            call_id = _VOID_CALL
        else:
            self._calls += 1
            call_id = self._calls
        notes = {
            "ci": Scalar("I64", str(call_id)),
            "mi": enum("System.Management.Automation.Remoting.RemoteHostMethodId", identifier.value, name),
            "mp": Complex(("System.Collections.ArrayList", "System.Object"), items=values),
        }
        self._send(PSRPMessageType.PipelineHostCall, Complex(notes=notes), pipeline, awaits_answer=call_id != _VOID_CALL)
        return call_id if call_id != _VOID_CALL else None

    def completed(self, pipeline: uuid.UUID) -> None:
        self._end(pipeline, PSInvocationState.Completed, None)

    def stopped(self, pipeline: uuid.UUID) -> None:
        self._end(pipeline, PSInvocationState.Stopped, records.stopped_error())

    def failed(self, pipeline: uuid.UUID, error: ErrorInfo) -> None:
        self._end(pipeline, PSInvocationState.Failed, error)

    def forget(self, pipeline: uuid.UUID) -> None:
        """Drop what is queued for a pipeline that the client released."""
        self._outbox.drop(pipeline)
        self._stream_options.pop(pipeline, None)

    # ---- to the client

    def pending(self, target: Target) -> bool:
        """Whether there is something to send to the pool (None) or a pipeline."""
        return self._outbox.pending(target)

    def take(self, target: Target, budget: int | None) -> list[Fragment]:
        """The next fragments for a target, at least one where there is one, at most ``budget`` bytes in all."""
        return self._outbox.take(target, budget)

    def _end(self, pipeline: uuid.UUID, state: PSInvocationState, error: ErrorInfo | None) -> None:
        notes: dict[str, Any] = {"PipelineState": state.value}
        if error is not None:
            notes["ExceptionAsErrorRecord"] = records.error_record(
                error, terminating=True, extended=self._errors_extended(pipeline)
            )
        self._send(PSRPMessageType.PipelineState, Complex(notes=notes), pipeline)

    def _errors_extended(self, pipeline: uuid.UUID) -> bool:
        return bool(self._stream_options.get(pipeline, 0) & _ERRORS_CARRY_INVOCATION)

    def _capability(self) -> Complex:
        versions = {"protocolversion": "2.3", "PSVersion": "2.0", "SerializationVersion": "1.1.0.1"}
        return Complex(notes={name: Version(text) for name, text in versions.items()})

    def _send(self, kind: PSRPMessageType, value: Any, target: Target = None, *, awaits_answer: bool = False) -> None:
        self._outbox.put(target, self._message(kind, value, target), awaits_answer=awaits_answer)

    def _message(self, kind: PSRPMessageType, value: Any, target: Target) -> bytes:
        text = serialize(value, self._reader.encrypt if self._key_exchanged else None)
        return b"".join(
            (
                _TO_CLIENT.to_bytes(4, "little"),
                kind.value.to_bytes(4, "little"),
                self.pool_id.bytes_le,
                (target or _NO_ID).bytes_le,
                b"\xef\xbb\xbf",
                text.encode(),
            )
        )


def _application_private_data(os_version: str) -> Complex:
    build = ".".join(os_version.split(".")[2:])
    versions = ("1.0", "2.0", "3.0", "4.0", "5.0", f"5.1.{build}")
    table = {
        "PSVersion": Version(f"5.1.{build}"),
        "PSEdition": "Desktop",
        "PSCompatibleVersions": Complex(
            ("System.Version[]", "System.Array", "System.Object"), items=[Version(text) for text in versions]
        ),
        "CLRVersion": Version("4.0.30319.42000"),
        "BuildVersion": Version(os_version),
        "WSManStackVersion": Version("3.0"),
        "PSRemotingProtocolVersion": Version("2.3"),
        "SerializationVersion": Version("1.1.0.1"),
    }
    data = {"PSVersionTable": Complex(_PRIMITIVE_DICTIONARY, entries=table)}
    return Complex(notes={"ApplicationPrivateData": Complex(_PRIMITIVE_DICTIONARY, entries=data)})
