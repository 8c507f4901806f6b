"""The seam between the protocol (WSMan, PSRP) and what a simulated device does with a pipeline.

The listener (``sandbox.protocol.winrm``) decodes a client's pipeline into plain Python values, calls
:meth:`Runspace.run` and sends what the runspace writes to :class:`Streams`. The embedded engine
(``sandbox.embedded.runspace``) implements :class:`Runspace`. Neither side sees the other's classes. A device with a real PowerShell
gives the listener a ``relayed_engine.RelayedEngine`` instead, to which PSRP passes as it is (``sandbox.pwsh``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol


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
# dict (Hashtable), PsValue, EnumValue, SecureText, Version. An int is Int32 where it fits, else Int64, else UInt64. For
# other .NET types there are subclasses of these in ``sandbox.dotnet``.


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument as the client sent it; ``name`` is None for a positional one, ``value`` None for a bare switch."""

    name: str | None
    value: Any = None


StreamName = Literal["error", "warning", "verbose", "debug", "information"]
Destination = Literal["output", "null"]


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One command of a pipeline.

    Args:
        text: Its name, or script text where ``is_script``.
        parameters: Its arguments.
        is_script: ``text`` is script text.
        end_of_statement: The next command begins a new statement.
        merges: Streams of this command that join its output, or that nobody gets. The runspace sees to it
            (``sandbox.embedded.merging``).
        takes_earlier_errors: What commands before it in the statement write to the error stream, and do not merge themselves, is
            input of this one.
    """

    text: str
    parameters: Sequence[Parameter] = ()
    is_script: bool = False
    end_of_statement: bool = False
    merges: Mapping[StreamName, Destination] = field(default_factory=dict)
    takes_earlier_errors: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Who opened a runspace pool, and from where: what ``$PSSenderInfo`` shows.

    Args:
        user: ``COMPUTER\\user``, authenticated.
        configuration: Name of the session configuration.
        client_address: Of the computer it came from.
        connection: The URL that the client connected to.
        application_arguments: The client's own words; plain values.
    """

    user: str
    configuration: str
    client_address: str = ""
    connection: str = ""
    application_arguments: Mapping[Any, Any] = field(default_factory=dict)


class Pool(Protocol):
    """The runspace pool that a pipeline runs in, seen from the device."""

    @property
    def sender(self) -> Sender: ...

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Ask the host of the client that opened the pool, on behalf of no pipeline; like :meth:`Streams.host_call`."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """What one invocation asks for.

    Args:
        commands: At least one.
        input: The pipeline input, None where there is none.
        add_to_history: The client wants it in the session's history.
        goes_on: A statement that failed is told on the error stream, and the next one runs; otherwise it ends the pipeline.
        pool: Where it runs; None outside of a listener.
    """

    commands: Sequence[CommandCall]
    input: Sequence[Any] | None = None
    add_to_history: bool = False
    goes_on: bool = True
    pool: Pool | None = field(default=None, compare=False)


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


@dataclass(frozen=True, slots=True)
class MergedRecord(PsValue):
    """A record of another stream on its way through the output: an object there, and a record again for the client.

    Args:
        stream: The stream it was written to.
        content: The error, or the message.
        tags, source, generated: Of an information record.
        merged: False for a record that is an object like any other, e.g. in a variable.
    """

    stream: StreamName = "error"
    content: ErrorInfo | str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    generated: dt.datetime | None = None
    merged: bool = True


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """A parameter in a command's metadata. ``type_name`` is the full name of its .NET type."""

    name: str
    type_name: str
    aliases: tuple[str, ...] = ()
    is_switch: bool = False


@dataclass(frozen=True, slots=True)
class CommandDescription:
    """A command's metadata, from which a client can make a proxy of it.

    Args:
        name: Its name.
        kind: A member of System.Management.Automation.CommandTypes.
        module: The module it comes from.
        parameters: Those of all its parameter sets, common ones included.
        output_types: Full names of .NET types.
        resolved_name: What an alias stands for.
        help_uri: Where its help is on the web.
    """

    name: str
    kind: Literal["Alias", "Function", "Filter", "Cmdlet", "ExternalScript", "Application", "Script"]
    module: str
    parameters: tuple[ParameterDescription, ...] = ()
    output_types: tuple[str, ...] = ()
    resolved_name: str | None = None
    help_uri: str | None = None


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
    """Where a running pipeline writes. Calls return at once; the protocol side buffers.

    Where the client takes nothing and the buffer is full, the pipeline is not gone on with the next time that it awaits something
    which is not there yet. So a runspace that writes much gives way now and then.
    """

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

    def describe_commands(self) -> Sequence[CommandDescription]:
        """The metadata of all commands that a client of this runspace can see, in the order of their names."""
        ...

    def close(self) -> None:
        """Release it. Where the machine goes down this comes while ``run`` is still being cancelled."""
        ...


Standing = Literal["usable", "locked", "disabled", "password-expired", "password-must-change"]
ChannelBinding = Literal["None", "Relaxed", "Strict"]
LogonScheme = Literal["Basic", "Negotiate", "Kerberos", "Certificate", "CredSSP"]


@dataclass(frozen=True, slots=True)
class Account:
    """A local account of the device. ``domain`` is the computer name."""

    domain: str
    user: str
    password: str = field(repr=False)
    standing: Standing = "usable"


@dataclass(frozen=True, slots=True)
class CertificateMapping:
    """A client certificate's way to a local account.

    Args:
        subject: User principal name in the certificate's subject alternative name.
        issuer_thumbprint: SHA-1 thumbprint of the authority that signed it, hexadecimal.
        user: The local user it stands for.
        password: The user's password when the mapping was made; the service logs the user on with it.
    """

    subject: str
    issuer_thumbprint: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogonSettings:
    """How the WinRM service lets clients log on (``winrm/config/service/auth``).

    Args:
        schemes: What it allows. Windows itself starts with Negotiate and Kerberos.
        channel_binding: CbtHardeningLevel; Relaxed is Windows' default: none is accepted, a wrong one is not.
        keytab: The device's Kerberos keys; None for a computer that is in no domain.
        client_authority: Authority whose client certificates are trusted, PEM.
        certificate_mappings: Which accounts they stand for.
    """

    schemes: frozenset[LogonScheme] = frozenset({"Basic", "Negotiate", "Kerberos", "Certificate", "CredSSP"})
    channel_binding: ChannelBinding = "Relaxed"
    keytab: Path | None = None
    client_authority: bytes | None = None
    certificate_mappings: tuple[CertificateMapping, ...] = ()


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
    def logon_settings(self) -> LogonSettings:
        """How clients may log on; asked at each log-on."""
        ...

    def note_logon(self, user: str, *, succeeded: bool) -> None:
        """Somebody tried to log on as a local user: right or wrong credentials count for the lockout of the account."""
        ...

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

    def strike(self, at: str) -> Mapping[str, Mapping[str, str | int | float | bool]]:
        """Which faults strike a request of a client; asked once for each, before anything is done for it.

        Args:
            at: The operation: log-on, create, connect, reconnect, command, send, receive, signal, disconnect, delete, enumerate
                or get.

        Returns:
            The parameters of each fault by its name, empty where nothing is wrong. Seconds are real ones.
        """
        ...

    def open_runspace(self, configuration_name: str, user: str) -> Runspace:
        """A new runspace for a pool.

        Raises:
            LookupError: There is no such session configuration on the device.
            PermissionError: The user may not use it.
        """
        ...
