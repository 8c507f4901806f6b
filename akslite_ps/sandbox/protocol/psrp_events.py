"""What a client asks of a runspace pool, as plain values: the events that ``protocol.psrp`` returns to ``protocol.shells``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from psrpcore._crypto import encrypt_session_key
from psrpcore._pipeline import PowerShell
from psrpcore.types import PipelineResultTypes

from akslite_ps.sandbox.engine import CommandCall, Parameter, PipelineRequest
from akslite_ps.sandbox.protocol.clixml_reader import plain

Informational = Literal["Warning", "Verbose", "Debug"]
StreamName = Literal["error", "warning", "verbose", "debug", "information"]
Destination = Literal["output", "null"]
Limit = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class PoolRequested:
    """INIT_RUNSPACEPOOL: open a pool."""

    min_runspaces: int
    max_runspaces: int


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """CONNECT_RUNSPACEPOOL: a new client takes over the pool."""


@dataclass(frozen=True, slots=True)
class PipelineRequested:
    """CREATE_PIPELINE: run this.

    Args:
        expects_input: The client sends pipeline input and then its end.
        interactive: The client has a host that can be asked.
        nested: It runs inside another pipeline, in the same runspace.
        redirects: Streams that the last command merges into the output or drops.
    """

    pipeline_id: uuid.UUID
    request: PipelineRequest
    expects_input: bool
    interactive: bool
    nested: bool
    redirects: Mapping[StreamName, Destination] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class MetadataRequested:
    """GET_COMMAND_METADATA: describe commands of these names."""

    pipeline_id: uuid.UUID
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InputArrived:
    """One object of a pipeline's input."""

    pipeline_id: uuid.UUID
    value: Any


@dataclass(frozen=True, slots=True)
class InputEnded:
    """There is no more input for a pipeline."""

    pipeline_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class HostAnswered:
    """The client's host answered a call; ``error`` is its message where it failed."""

    call_id: int
    value: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class AvailabilityRequested:
    """How many runspaces are free?"""

    call_id: int


@dataclass(frozen=True, slots=True)
class LimitRequested:
    """Change the least or the greatest number of runspaces."""

    call_id: int
    kind: Limit
    count: int


@dataclass(frozen=True, slots=True)
class ResetRequested:
    """Give the runspace its first state again."""

    call_id: int


Event = (
    PoolRequested
    | ConnectRequested
    | PipelineRequested
    | MetadataRequested
    | InputArrived
    | InputEnded
    | HostAnswered
    | AvailabilityRequested
    | LimitRequested
    | ResetRequested
)


def pipeline_requested(pipeline_id: uuid.UUID, pipeline: PowerShell, *, interactive: bool) -> PipelineRequested:
    """A pipeline as psrpcore read it, in the engine's terms."""
    calls = tuple(_command_call(command) for command in pipeline.commands)
    return PipelineRequested(
        pipeline_id,
        PipelineRequest(calls, add_to_history=bool(pipeline.add_to_history)),
        expects_input=not pipeline.no_input,
        interactive=interactive,
        nested=bool(pipeline.is_nested),
        redirects=MappingProxyType(_redirects(pipeline.commands[-1])) if pipeline.commands else MappingProxyType({}),
    )


def encrypted_session_key(public_key: bytes, session_key: bytes) -> bytes:
    """The pool's key for SecureStrings, encrypted for the client."""
    return encrypt_session_key(public_key, session_key)


def _command_call(command: Any) -> CommandCall:
    return CommandCall(
        text=str(command.command_text),
        parameters=tuple(Parameter(_parameter_name(name), plain(value)) for name, value in command.parameters),
        is_script=bool(command.is_script),
        end_of_statement=bool(command.end_of_statement),
        merge_error_to_output=_redirects(command).get("error") == "output",
    )


def _parameter_name(name: Any) -> str | None:
    # A client may send "-Name:" as typed on a command line; PowerShell takes both forms.
    return str(name).removeprefix("-").removesuffix(":") if name else None


def _redirects(command: Any) -> dict[StreamName, Destination]:
    found: dict[StreamName, Destination] = {}
    streams: tuple[StreamName, ...] = ("error", "warning", "verbose", "debug", "information")
    for stream in streams:
        target = getattr(command, f"merge_{stream}")
        if target == PipelineResultTypes.Output:
            found[stream] = "output"
        elif target == PipelineResultTypes.Null:
            found[stream] = "null"
    # Clients of protocol 2.1 say it with MergeMyResult and MergeToResult.
    if command.merge_my == PipelineResultTypes.Error and command.merge_to == PipelineResultTypes.Output:
        found.setdefault("error", "output")
    return found
