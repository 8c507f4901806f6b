"""The seam between the protocol (WSMan, PSRP) and what a simulated device does with a pipeline.

The listener (``sandbox.protocol.winrm``) decodes a client's pipeline into plain Python values, calls
:meth:`Runspace.run` and sends what the runspace writes to :class:`Streams`. The embedded engine
(``sandbox.embedded.runspace``) implements :class:`Runspace`. Neither side sees the other's classes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SecureText:
    """A SecureString argument after decryption. Its repr hides the value."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A .NET enum: type name, number and name."""

    type_name: str
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class PsValue:
    """An object with properties on its way in or out.

    Args:
        properties: Names to plain values (nesting allowed).
        type_names: .NET type names, most derived first; empty for PSCustomObject.
        text: String form (ToString) where it is not PowerShell's default.
    """

    properties: Mapping[str, Any]
    type_names: tuple[str, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A System.Version, e.g. ``Version("5.1.19041.4522")``."""

    text: str


# Plain values both ways: None, bool, int, float, str, bytes, decimal.Decimal, datetime, timedelta, uuid.UUID, list,
# dict (Hashtable), PsValue, EnumValue, SecureText, Version. An int is Int32 where it fits, else Int64, else UInt64.


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument as the client sent it; ``name`` is None for a positional one, ``value`` None for a bare switch."""

    name: str | None
    value: Any = None


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One command of a pipeline. ``text`` is a name, or script text where ``is_script``."""

    text: str
    parameters: Sequence[Parameter] = ()
    is_script: bool = False
    end_of_statement: bool = False
    merge_error_to_output: bool = False


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """What one invocation asks for. ``input`` holds the pipeline input (None where there is none)."""

    commands: Sequence[CommandCall]
    input: Sequence[Any] | None = None
    add_to_history: bool = False


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error record to be sent. ``category`` is the name of a System.Management.Automation.ErrorCategory."""

    message: str
    error_id: str
    category: str = "NotSpecified"
    exception_type: str = "System.Management.Automation.RuntimeException"
    target: Any = None
    activity: str = ""
    reason: str = ""
    target_name: str = ""
    target_type: str = ""
    position: str | None = None


class PipelineFailed(Exception):
    """Raised by a runspace to end the pipeline in state Failed with this (terminating) error."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress record; percent and seconds are -1 where unknown."""

    activity: str
    status: str = " "
    percent: int = -1
    seconds_remaining: int = -1
    current_operation: str = ""
    activity_id: int = 0
    parent_id: int = -1
    completed: bool = False


class Streams(Protocol):
    """Where a running pipeline writes. Calls return at once; the protocol side buffers."""

    def output(self, value: Any) -> None: ...
    def error(self, error: ErrorInfo) -> None: ...
    def warning(self, message: str) -> None: ...
    def verbose(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None: ...
    def progress(self, progress: Progress) -> None: ...

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Ask the client's host, e.g. ``PromptForChoice``; returns its answer as plain values.

        Raises:
            PipelineFailed: The client has no interactive host or answered with an error.
        """
        ...


class Runspace(Protocol):
    """One runspace on a device: state that outlives a pipeline, such as the location or the user."""

    async def run(self, request: PipelineRequest, streams: Streams) -> None:
        """Run to the end. Stop arrives as ``asyncio.CancelledError``; failure as :class:`PipelineFailed`."""
        ...

    def close(self) -> None:
        """Release it. Where the machine goes down this comes while ``run`` is still being cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A local account of the device. ``domain`` is the computer name."""

    domain: str
    user: str
    password: str = field(repr=False)


class HostedDevice(Protocol):
    """What the listener must know of the device it serves."""

    @property
    def name(self) -> str: ...
    @property
    def computer_name(self) -> str: ...
    @property
    def address(self) -> str:
        """Loopback address, 127.x.y.z."""
        ...

    @property
    def http_port(self) -> int:
        """WinRM over HTTP; 0 lets the system choose (the listener then tells the chosen one)."""
        ...

    @property
    def https_port(self) -> int: ...
    @property
    def accounts(self) -> Sequence[Account]: ...
    @property
    def os_version(self) -> str:
        """e.g. ``10.0.19045.0``, for the protocol's version answers."""
        ...

    def now(self) -> dt.datetime:
        """The device's clock, time zone aware."""
        ...

    def server_certificate(self) -> tuple[bytes, bytes]:
        """Certificate and key of the HTTPS listener, PEM. Called only when HTTPS is first needed."""
        ...

    def open_runspace(self, configuration_name: str, user: str) -> Runspace:
        """A new runspace for a pool.

        Raises:
            LookupError: There is no such session configuration on the device.
            PermissionError: The user may not use it.
        """
        ...
