"""The server's half of the PowerShell Remoting Protocol for one runspace pool, without I/O.

``protocol.shells`` feeds it the bytes of Create, Command, Send and Connect, acts on the events it returns, and takes the bytes
for each target (the pool, or one pipeline) out of it. Reading and writing are ours: psrpcore's server is a client's counterpart
for tests and lacks what a device needs (``reference/wsman-psrp.md`` section 1: byte-order mark, one counter over reconnects, one
queue per target, every primitive type).
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from psrpcore.types import HostMethodIdentifier, PSInvocationState, PSRPMessageType, RunspacePoolState

from akslite_ps.sandbox.dotnet import PRIMITIVE_DICTIONARY
from akslite_ps.sandbox.engine import CommandDescription, ErrorInfo, MergedRecord, Progress, Version
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol import psrp_records as records
from akslite_ps.sandbox.protocol.clixml import Complex, Scalar, enum, serialize
from akslite_ps.sandbox.protocol.psrp_host import host_call_arguments
from akslite_ps.sandbox.protocol.psrp_inbox import Inbox, Message, ProtocolViolation
from akslite_ps.sandbox.protocol.psrp_metadata import command_count, command_metadata
from akslite_ps.sandbox.protocol.psrp_outbox import Fragment, Outbox, Target
from akslite_ps.sandbox.protocol.psrp_requests import event_of
from akslite_ps.sandbox.protocol.session_key import KeyRefused, SessionKey

_log = logging.getLogger(__name__)

_NO_ID = uuid.UUID(int=0)
_TO_CLIENT = 1
_VOID_CALL = -100
_PROTOCOL = (2, 3)
_MAY_BE_LOST = {
    PSRPMessageType.PipelineOutput,
    PSRPMessageType.ErrorRecord,
    PSRPMessageType.DebugRecord,
    PSRPMessageType.VerboseRecord,
    PSRPMessageType.WarningRecord,
    PSRPMessageType.ProgressRecord,
    PSRPMessageType.InformationRecord,
}
_BEGINS_PIPELINE = {PSRPMessageType.CreatePipeline.value, PSRPMessageType.GetCommandMetadata.value}
Overflow = Literal["hold", "drop"]


class PsrpPool:
    """One runspace pool as its server sees it.

    Args:
        computer: Computer name carried by information records.
        user: ``COMPUTER\\user`` who opened the pool.
        os_version: Windows version of the device, ``10.0.19045.0``.
        process_id: The id of the process that hosts the pool on the device.
        buffer_limit: Bytes of output of one pipeline that may wait for the client before it is full.
    """

    def __init__(self, *, computer: str, user: str, os_version: str, process_id: int, buffer_limit: int) -> None:
        self.pool_id = _NO_ID
        self.state = RunspacePoolState.BeforeOpen
        self.min_runspaces = 1
        self.max_runspaces = 1
        self.overflow: Overflow = "hold"
        """What becomes of output where the buffer is full: the pipeline is held back, or its oldest output is lost."""
        self._computer = computer
        self._user = user
        self._process_id = process_id
        self._buffer_limit = buffer_limit
        self._private_data = _application_private_data(os_version)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._calls = 0
        self._key: SessionKey | None = None
        self._errors_extended: set[uuid.UUID] = set()
        self._spelled: dict[uuid.UUID, uuid.UUID] = {}

    # ---- from the client

    def receive(self, data: bytes, command: uuid.UUID | None = None) -> list[events.Event]:
        """Take bytes from the client.

        Args:
            data: Whole fragments.
            command: The command that the request names. A client may call its pipeline otherwise (recorded): messages then carry
                the client's name for it, everything else the command's.

        Raises:
            ProtocolViolation: They are not PSRP, or do not fit the pool's state.
        """
        found = []
        for message in self._inbox.add(data):
            event = self._understood(self._for_command(message, command))
            if event is not None:
                found.append(event)
        return found

    def _for_command(self, message: Message, command: uuid.UUID | None) -> Message:
        said = message.pipeline_id
        if said is None:
            return message
        if command is not None and said != command and message.kind in _BEGINS_PIPELINE:
            self._spelled[command] = said
        meant = next((each for each, spelling in self._spelled.items() if spelling == said), said)
        return replace(message, pipeline_id=meant)

    def _understood(self, message: Message) -> events.Event | None:
        if self.pool_id not in (_NO_ID, message.pool_id):
            raise ProtocolViolation(f"the message is for runspace pool {message.pool_id}, this is {self.pool_id}")
        try:
            event = event_of(message, self._key.decrypt if self._key is not None else None)
        except KeyRefused as error:
            raise ProtocolViolation(str(error)) from error
        match event:
            case None:
                _log.warning("%s: a client sent a message of type %#x, which a server has no use for", self._computer, message.kind)
            case events.CapabilityTold():
                self._agree(event)
                return None
            case events.PublicKeyOffered():
                self._send_key(event.key)
                return None
            case events.PoolRequested():
                if self.pool_id == _NO_ID or self.state != RunspacePoolState.BeforeOpen:
                    raise ProtocolViolation("a runspace pool is opened once, after the session's capabilities are known")
            case events.ConnectRequested():
                pass
            case events.PipelineRequested():
                self._must_be_opened()
                if event.errors_carry_invocation:
                    self._errors_extended.add(event.pipeline_id)
            case _:
                self._must_be_opened()
        return event

    def _must_be_opened(self) -> None:
        if self.state != RunspacePoolState.Opened:
            raise ProtocolViolation(f"the runspace pool is {self.state.name}, not Opened")

    def _agree(self, told: events.CapabilityTold) -> None:
        if told.protocol[0] != _PROTOCOL[0]:
            raise ProtocolViolation(f"the client speaks protocol {told.protocol[0]}.{told.protocol[1]}, this device 2.3")
        if self.pool_id == _NO_ID:
            # The pool has no id before this message, so the answer carries none (recorded).
            self._send(PSRPMessageType.SessionCapability, self._capability())
            self.pool_id = told.pool_id

    def _send_key(self, public_key: str) -> None:
        key = self._key or SessionKey()
        try:
            encrypted = key.for_client(public_key)
        except KeyRefused as error:
            raise ProtocolViolation(str(error)) from error
        self._key = key
        kind = PSRPMessageType.EncryptedSessionKey
        # The one message beside the first that does not name the pool (recorded).
        self._queue(kind, self._message(kind, Complex(notes={"EncryptedSessionKey": encrypted}), None, pool_id=_NO_ID), None)

    # ---- the pool

    def opened(self) -> None:
        """Tell the client that the pool is open. The state message waits for a second Receive, as recorded."""
        self.state = RunspacePoolState.Opened
        self._send(PSRPMessageType.ApplicationPrivateData, self._private_data)
        self._outbox.end_reply(None)
        self._send(PSRPMessageType.RunspacePoolState, Complex(notes={"RunspaceState": RunspacePoolState.Opened.value}))

    def broken(self, error: ErrorInfo) -> None:
        """Tell the client that the pool cannot be used any more."""
        self.state = RunspacePoolState.Broken
        notes = {
            "RunspaceState": RunspacePoolState.Broken.value,
            "ExceptionAsErrorRecord": records.error_record(error, terminating=True, extended=False),
        }
        self._send(PSRPMessageType.RunspacePoolState, Complex(notes=notes))

    def connect(self, data: bytes) -> bytes:
        """Answer a client that connects to this pool: the bytes of ``connectResponseXml``.

        Raises:
            ProtocolViolation: The request is not one to connect, is for another pool, or expects other limits than the pool has.
        """
        self._inbox.clear()
        requests = [event for event in self.receive(data) if isinstance(event, events.ConnectRequested)]
        if not requests:
            raise ProtocolViolation("the connect request holds no CONNECT_RUNSPACEPOOL message")
        self._must_be_opened()
        self._compare_limits(requests[0])
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

    def _compare_limits(self, expected: events.ConnectRequested) -> None:
        minimum, maximum = expected.min_runspaces, expected.max_runspaces
        if minimum is None or maximum is None:
            return
        if minimum < 1 or minimum > maximum:
            raise ProtocolViolation(f"{minimum} to {maximum} runspaces are no limits of a pool")
        # PowerShell does not change a pool's limits here; it refuses where both differ, and keeps its own where one does.
        if minimum != self.min_runspaces and maximum != self.max_runspaces:
            raise ProtocolViolation(
                f"the client expects {minimum} to {maximum} runspaces, the pool has {self.min_runspaces} to {self.max_runspaces}"
            )

    def set_limits(self, minimum: int, maximum: int) -> None:
        self.min_runspaces, self.max_runspaces = minimum, maximum

    def answer_availability(self, call_id: int, response: bool | int) -> None:
        """Answer a call about runspaces: how many are free, or whether a limit or a reset was accepted."""
        notes = {"SetMinMaxRunspacesResponse": response, "ci": Scalar("I64", str(call_id))}
        self._send(PSRPMessageType.RunspaceAvailability, Complex(notes=notes))

    # ---- pipelines

    def output(self, pipeline: uuid.UUID, value: Any) -> None:
        if isinstance(value, MergedRecord):
            value = self._merged(pipeline, value)
        self._send(PSRPMessageType.PipelineOutput, value, pipeline)

    def error(self, pipeline: uuid.UUID, error: ErrorInfo) -> None:
        record = records.error_record(error, terminating=False, extended=pipeline in self._errors_extended)
        self._send(PSRPMessageType.ErrorRecord, record, pipeline)

    def informational(self, pipeline: uuid.UUID, kind: events.Informational, message: str) -> None:
        self._send(PSRPMessageType[f"{kind}Record"], records.informational_record(kind, message), pipeline)

    def information(self, pipeline: uuid.UUID, message: str, *, tags: Sequence[str], source: str, generated: dt.datetime) -> None:
        written = self._written(message, tags, source, generated)
        self._send(PSRPMessageType.InformationRecord, records.information_record(written), pipeline)

    def _merged(self, pipeline: uuid.UUID, record: MergedRecord) -> Complex:
        match record.stream, record.content:
            case "error", ErrorInfo() as error:
                return records.error_record(error, terminating=False, extended=pipeline in self._errors_extended)
            case "information", str(message) if record.generated is not None:
                written = self._written(message, record.tags, record.source, record.generated)
                return records.merged_information_record(written, merged=record.merged)
            case stream, message:
                return records.merged_informational_record(stream.capitalize(), str(message), merged=record.merged)

    def _written(self, message: str, tags: Sequence[str], source: str, generated: dt.datetime) -> records.Information:
        return records.Information(
            message,
            tags=tuple(tags),
            source=source,
            generated=generated,
            user=self._user,
            computer=self._computer,
            process_id=self._process_id,
        )

    def command_metadata(self, pipeline: uuid.UUID, commands: Sequence[CommandDescription]) -> None:
        """How many commands there are, and then each."""
        self._send(PSRPMessageType.PipelineOutput, command_count(len(commands)), pipeline)
        for command in commands:
            self._send(PSRPMessageType.PipelineOutput, command_metadata(command), pipeline)

    def progress(self, pipeline: uuid.UUID, progress: Progress) -> None:
        self._send(PSRPMessageType.ProgressRecord, records.progress_record(progress), pipeline)

    def host_call(self, target: Target, method: str, arguments: Sequence[Any]) -> int | None:
        """Ask the client's host, on behalf of a pipeline or of the pool (None).

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
        kind = PSRPMessageType.RunspacePoolHostCall if target is None else PSRPMessageType.PipelineHostCall
        self._send(kind, Complex(notes=notes), target, awaits_answer=call_id != _VOID_CALL)
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
        self._errors_extended.discard(pipeline)
        self._spelled.pop(pipeline, None)

    # ---- to the client

    def pending(self, target: Target) -> bool:
        """Whether there is something to send to the pool (None) or a pipeline."""
        return self._outbox.pending(target)

    def take(self, target: Target, budget: int | None) -> list[Fragment]:
        """The next fragments for a target, at least one where there is one, at most ``budget`` bytes in all."""
        return self._outbox.take(target, budget)

    def is_full(self, pipeline: uuid.UUID) -> bool:
        """Whether a pipeline is to be held back until the client has taken some of its output."""
        return self.overflow == "hold" and self._outbox.size(pipeline) > self._buffer_limit

    def _end(self, pipeline: uuid.UUID, state: PSInvocationState, error: ErrorInfo | None) -> None:
        notes: dict[str, Any] = {"PipelineState": state.value}
        if error is not None:
            notes["ExceptionAsErrorRecord"] = records.error_record(
                error, terminating=True, extended=pipeline in self._errors_extended
            )
        self._send(PSRPMessageType.PipelineState, Complex(notes=notes), pipeline)

    def _capability(self) -> Complex:
        versions = {"protocolversion": "2.3", "PSVersion": "2.0", "SerializationVersion": "1.1.0.1"}
        return Complex(notes={name: Version(text) for name, text in versions.items()})

    def _send(self, kind: PSRPMessageType, value: Any, target: Target = None, *, awaits_answer: bool = False) -> None:
        self._queue(kind, self._message(kind, value, target), target, awaits_answer=awaits_answer)

    def _queue(self, kind: PSRPMessageType, message: bytes, target: Target, *, awaits_answer: bool = False) -> None:
        self._outbox.put(target, message, awaits_answer=awaits_answer, may_be_lost=kind in _MAY_BE_LOST)
        if self.overflow == "drop" and target is not None:
            self._outbox.drop_oldest(target, self._buffer_limit)

    def _message(self, kind: PSRPMessageType, value: Any, target: Target, *, pool_id: uuid.UUID | None = None) -> bytes:
        # What a pipeline puts out as null is a message without content; .NET writes nothing for no data.
        text = "" if value is None else "\ufeff" + serialize(value, self._key.encrypt if self._key is not None else None)
        return b"".join(
            (
                _TO_CLIENT.to_bytes(4, "little"),
                kind.value.to_bytes(4, "little"),
                (self.pool_id if pool_id is None else pool_id).bytes_le,
                (self._spelled.get(target, target) if target else _NO_ID).bytes_le,
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
    data = {"PSVersionTable": Complex(PRIMITIVE_DICTIONARY, entries=table)}
    return Complex(notes={"ApplicationPrivateData": Complex(PRIMITIVE_DICTIONARY, entries=data)})
