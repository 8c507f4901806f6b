"""What a client asks of a runspace pool, as plain values: the events that ``protocol.psrp`` returns to ``protocol.shells``.

Made from messages by ``protocol.psrp_requests``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from akslite_ps.sandbox.engine import PipelineRequest

Informational = Literal["Warning", "Verbose", "Debug"]
Limit = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class HostInfo:
    """What the client says about its host.

    Args:
        interactive: There is one, with a user interface, that can be asked.
        is_pools: A pipeline's host is that of its pool.
    """

    interactive: bool = False
    is_pools: bool = True


@dataclass(frozen=True, slots=True)
class CapabilityTold:
    """SESSION_CAPABILITY: the version of the protocol that the client speaks, as a pair of numbers."""

    pool_id: uuid.UUID
    protocol: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PoolRequested:
    """INIT_RUNSPACEPOOL: open a pool. ``application_arguments`` are the client's own words to whoever runs there."""

    min_runspaces: int
    max_runspaces: int
    host: HostInfo = HostInfo()
    application_arguments: Mapping[Any, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """CONNECT_RUNSPACEPOOL: a new client takes over the pool; the limits are those that it expects, None where it does not say."""

    min_runspaces: int | None = None
    max_runspaces: int | None = None


@dataclass(frozen=True, slots=True)
class PublicKeyOffered:
    """PUBLIC_KEY: the client wants the session key under this key, base64."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PipelineRequested:
    """CREATE_PIPELINE: run this.

    Args:
        expects_input: The client sends pipeline input and then its end.
        host: The client's host for this pipeline.
        nested: It runs inside another pipeline, in the same runspace.
        errors_carry_invocation: The client wants to know of error records what was invoked.
    """

    pipeline_id: uuid.UUID
    request: PipelineRequest
    expects_input: bool
    host: HostInfo
    nested: bool
    errors_carry_invocation: bool = False


@dataclass(frozen=True, slots=True)
class MetadataRequested:
    """GET_COMMAND_METADATA: describe commands whose names, kinds and modules match; the patterns are wildcards."""

    pipeline_id: uuid.UUID
    names: tuple[str, ...]
    kinds: int
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InputArrived:
    """One object of a pipeline's input; ``size`` is that of its CLIXML, in bytes."""

    pipeline_id: uuid.UUID
    value: Any
    size: int = 0


@dataclass(frozen=True, slots=True)
class InputEnded:
    """There is no more input for a pipeline."""

    pipeline_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class HostAnswered:
    """The client's host answered a call of a pipeline, or of the pool (None); ``error`` is its message where it failed."""

    pipeline_id: uuid.UUID | None
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
    CapabilityTold
    | PoolRequested
    | ConnectRequested
    | PublicKeyOffered
    | PipelineRequested
    | MetadataRequested
    | InputArrived
    | InputEnded
    | HostAnswered
    | AvailabilityRequested
    | LimitRequested
    | ResetRequested
)
