"""A client's PSRP messages in the terms of ``protocol.psrp_events``: which properties they have and what those mean.

Called by ``protocol.psrp``. Messages are those of [MS-PSRP] 2.2.2; property names are compared without case, as Windows does
(pypsrp spells a call's id ``CI``, .NET ``ci``; recorded).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from psrpcore.types import PSRPMessageType

from akslite_ps.sandbox.engine import (
    CommandCall,
    Destination,
    EnumValue,
    Parameter,
    PipelineRequest,
    PsValue,
    StreamName,
    Version,
)
from akslite_ps.sandbox.protocol import clixml_reader
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol.psrp_inbox import Message, ProtocolViolation

_STREAMS: tuple[StreamName, ...] = ("error", "warning", "verbose", "debug", "information")
_ALL_KINDS = 0x1FF
"""All command types: System.Management.Automation.CommandTypes."""
_OUTPUT, _ERROR, _ALL, _NULL = 1, 2, 7, 8
_OUTPUT_AND_ERROR = _OUTPUT | _ERROR
"""PipelineResultTypes as .NET numbers them; [MS-PSRP] 2.2.3.31 gives other numbers, which nobody sends."""
_ERRORS_CARRY_INVOCATION = 1


def event_of(message: Message, decrypt: Callable[[str], str] | None) -> events.Event | None:
    """What a message asks for; None where a server has no use for it.

    Args:
        message: The message.
        decrypt: Decrypts the text of a SecureString; None before there is a key.

    Raises:
        ProtocolViolation: It is of no known type, or not what its type requires.
    """
    try:
        kind = PSRPMessageType(message.kind)
    except ValueError:
        raise ProtocolViolation(f"there is no message type {message.kind:#x}") from None
    reader = _READERS.get(kind)
    if reader is None:
        return None
    if kind == PSRPMessageType.EndOfPipelineInput:
        return events.InputEnded(_pipeline(message))
    try:
        value = clixml_reader.read(message.body, decrypt)
        return reader(message, value)
    except clixml_reader.NotClixml as error:
        raise ProtocolViolation(f"{kind.name}: {error}") from error


class _Fields:
    """The properties of an object that a message holds."""

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, PsValue):
            raise ProtocolViolation(f"{what} is no object")
        self._what = what
        self._values = {name.casefold(): item for name, item in value.properties.items()}

    def get(self, name: str) -> Any:
        return self._values.get(name.casefold())

    def of(self, name: str) -> _Fields:
        """An object inside this one."""
        return _Fields(self.get(name), name)

    def whole(self, name: str) -> int:
        number = self.optional_whole(name)
        if number is None:
            raise ProtocolViolation(f"{self._what} has no {name}")
        return number

    def optional_whole(self, name: str) -> int | None:
        value = self.get(name)
        if isinstance(value, EnumValue):
            return value.number
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise ProtocolViolation(f"{name} of {self._what} is no whole number")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise ProtocolViolation(f"{name} of {self._what} is no truth value")
        return bool(value)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise ProtocolViolation(f"{name} of {self._what} is no text")
        return str(value)

    def items(self, name: str) -> Sequence[Any]:
        value = self.get(name)
        if value is None:
            return ()
        return value if isinstance(value, list) else (value,)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self.items(name))


def _pipeline(message: Message) -> uuid.UUID:
    if message.pipeline_id is None:
        raise ProtocolViolation(f"a message of type {message.kind:#x} is for no pipeline")
    return message.pipeline_id


def _capability(message: Message, value: Any) -> events.Event:
    version = _Fields(value, "SESSION_CAPABILITY").get("protocolversion")
    if not isinstance(version, Version):
        raise ProtocolViolation("SESSION_CAPABILITY has no protocolversion")
    major, minor = version.text.split(".")[:2]
    return events.CapabilityTold(message.pool_id, (int(major), int(minor)))


def _init_pool(_: Message, value: Any) -> events.Event:
    fields = _Fields(value, "INIT_RUNSPACEPOOL")
    arguments = fields.get("ApplicationArguments")
    if arguments is not None and not isinstance(arguments, dict):
        raise ProtocolViolation("ApplicationArguments is no dictionary")
    return events.PoolRequested(
        fields.whole("MinRunspaces"),
        fields.whole("MaxRunspaces"),
        _host(fields.of("HostInfo")),
        MappingProxyType(arguments or {}),
    )


def _connect_pool(_: Message, value: Any) -> events.Event:
    if not isinstance(value, PsValue):
        # A client that expects no limits sends an empty string (recorded).
        return events.ConnectRequested()
    fields = _Fields(value, "CONNECT_RUNSPACEPOOL")
    return events.ConnectRequested(fields.optional_whole("MinRunspaces"), fields.optional_whole("MaxRunspaces"))


def _public_key(_: Message, value: Any) -> events.Event:
    return events.PublicKeyOffered(_Fields(value, "PUBLIC_KEY").text("PublicKey"))


def _limit(kind: events.Limit, name: str) -> Callable[[Message, Any], events.Event]:
    def read(_: Message, value: Any) -> events.Event:
        fields = _Fields(value, name)
        return events.LimitRequested(fields.whole("ci"), kind, fields.whole(name))

    return read


def _availability(_: Message, value: Any) -> events.Event:
    return events.AvailabilityRequested(_Fields(value, "GET_AVAILABLE_RUNSPACES").whole("ci"))


def _reset(_: Message, value: Any) -> events.Event:
    return events.ResetRequested(_Fields(value, "RESET_RUNSPACE_STATE").whole("ci"))


def _host_response(message: Message, value: Any) -> events.Event:
    fields = _Fields(value, "HOST_RESPONSE")
    error = fields.get("me")
    return events.HostAnswered(
        message.pipeline_id, fields.whole("ci"), _answer(fields.get("mr")), None if error is None else _error_text(error)
    )


def _answer(value: Any) -> Any:
    # Sizes, places and keys come wrapped in their type's name: [MS-PSRP] 2.2.3.7.
    if isinstance(value, PsValue) and set(value.properties) == {"T", "V"}:
        return value.properties["V"]
    return value


def _error_text(error: Any) -> str:
    if isinstance(error, PsValue):
        if error.text:
            return error.text
        exception = error.properties.get("Exception")
        if isinstance(exception, PsValue):
            return str(exception.properties.get("Message") or exception.text or "")
    return str(error)


def _metadata(message: Message, value: Any) -> events.Event:
    fields = _Fields(value, "GET_COMMAND_METADATA")
    kinds = fields.optional_whole("CommandType")
    return events.MetadataRequested(
        _pipeline(message),
        fields.texts("Name") or ("*",),
        _ALL_KINDS if kinds is None else kinds,
        tuple(module for module in fields.texts("Namespace") if module),
    )


def _input(message: Message, value: Any) -> events.Event:
    return events.InputArrived(_pipeline(message), value, len(message.body))


def _create_pipeline(message: Message, value: Any) -> events.Event:
    fields = _Fields(value, "CREATE_PIPELINE")
    shell = fields.of("PowerShell")
    statements = [_Fields(each, "ExtraCmds").items("Cmds") for each in shell.items("ExtraCmds")] or [shell.items("Cmds")]
    calls = [
        _call(_Fields(command, "a command"), ends=place == len(statement))
        for statement in statements
        for place, command in enumerate(statement, 1)
    ]
    if not calls:
        raise ProtocolViolation("the pipeline has no command")
    return events.PipelineRequested(
        _pipeline(message),
        PipelineRequest(
            tuple(calls),
            add_to_history=fields.flag("AddToHistory"),
            goes_on=shell.get("RedirectShellErrorOutputPipe") is not False,
        ),
        expects_input=not fields.flag("NoInput"),
        host=_host(fields.of("HostInfo")),
        nested=fields.flag("IsNested") or shell.flag("IsNested"),
        errors_carry_invocation=bool((fields.optional_whole("RemoteStreamOptions") or 0) & _ERRORS_CARRY_INVOCATION),
    )


def _host(fields: _Fields) -> events.HostInfo:
    return events.HostInfo(
        interactive=not (fields.flag("_isHostNull") or fields.flag("_isHostUINull")), is_pools=fields.flag("_useRunspaceHost")
    )


def _call(fields: _Fields, *, ends: bool) -> CommandCall:
    return CommandCall(
        text=fields.text("Cmd"),
        parameters=tuple(_argument(_Fields(argument, "an argument")) for argument in fields.items("Args")),
        is_script=fields.flag("IsScript"),
        end_of_statement=ends,
        merges=MappingProxyType(_merges(fields)),
        takes_earlier_errors=fields.optional_whole("MergePreviousResults") in (_ERROR, _OUTPUT_AND_ERROR),
    )


def _argument(fields: _Fields) -> Parameter:
    name = fields.get("N")
    # A client may send "-Name" or "-Name:" as typed on a command line; the engine knows what the dash changes.
    return Parameter(str(name) if name else None, fields.get("V"))


def _merges(fields: _Fields) -> Mapping[StreamName, Destination]:
    found: dict[StreamName, Destination] = {}
    # Clients of protocol 2.1 say it with MergeMyResult and MergeToResult alone.
    to = _DESTINATIONS.get(fields.optional_whole("MergeToResult"))
    mine = {_ERROR: ("error",), _ALL: _STREAMS}.get(fields.optional_whole("MergeMyResult") or 0, ())
    for stream in _STREAMS:
        destination = _DESTINATIONS.get(fields.optional_whole(f"Merge{stream}")) or (to if stream in mine else None)
        if destination is not None:
            found[stream] = destination
    return found


_DESTINATIONS: Mapping[int | None, Destination] = {_OUTPUT: "output", _NULL: "null"}
_READERS: Mapping[PSRPMessageType, Callable[[Message, Any], events.Event]] = {
    PSRPMessageType.SessionCapability: _capability,
    PSRPMessageType.InitRunspacePool: _init_pool,
    PSRPMessageType.ConnectRunspacePool: _connect_pool,
    PSRPMessageType.PublicKey: _public_key,
    PSRPMessageType.SetMaxRunspaces: _limit("max", "MaxRunspaces"),
    PSRPMessageType.SetMinRunspaces: _limit("min", "MinRunspaces"),
    PSRPMessageType.GetAvailableRunspaces: _availability,
    PSRPMessageType.ResetRunspaceState: _reset,
    PSRPMessageType.RunspacePoolHostResponse: _host_response,
    PSRPMessageType.PipelineHostResponse: _host_response,
    PSRPMessageType.GetCommandMetadata: _metadata,
    PSRPMessageType.CreatePipeline: _create_pipeline,
    PSRPMessageType.PipelineInput: _input,
    PSRPMessageType.EndOfPipelineInput: lambda message, _: events.InputEnded(_pipeline(message)),
}
