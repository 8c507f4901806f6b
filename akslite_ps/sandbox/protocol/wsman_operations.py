"""What clients ask of a device's WS-Management service: one frozen class for each operation, and a request's header.

Read from envelopes by ``protocol.wsman``, carried out by ``protocol.shell_service``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from akslite_ps.sandbox.protocol.wsman_faults import WSManFault

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "pwsh": "http://schemas.microsoft.com/powershell",
    "wsmid": "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd",
}
SHELL_URI = NAMESPACES["rsp"]
CONFIG_URI = "http://schemas.microsoft.com/wbem/wsman/1/config"
BufferMode = Literal["Block", "Drop"]
"""What becomes of output while the shell is disconnected and the buffer is full: its command waits, or the oldest goes."""
DEFAULT_ENVELOPE_SIZE = 153_600
SERVER_ENVELOPE_SIZE = 512_000
DEFAULT_TIMEOUT_S = 60.0
_SIGNAL_TERMINATE = f"{SHELL_URI}/signal/terminate"


@dataclass(frozen=True, slots=True)
class Create:
    """Make a shell, here: a runspace pool. ``data`` holds the first PSRP fragments."""

    shell_id: str | None
    configuration: str
    data: bytes
    idle_timeout_s: float | None = None
    name: str | None = None
    buffer_mode: BufferMode | None = None
    loads_profile: bool = True
    protocol_version: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Start a command, here: a pipeline."""

    shell_id: str
    command_id: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """More bytes for the shell or a command, on stream ``stdin`` or ``pr``."""

    shell_id: str
    command_id: str | None
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for output of the shell or of a command."""

    shell_id: str
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Signal:
    """Stop or release a command."""

    shell_id: str
    command_id: str
    code: str

    @property
    def releases(self) -> bool:
        """The command is not needed any more. Clients write the code with a small or a capital T.

        Any other code stops the command: PowerShell's own client says ``crtl_c``, pypsrp ``ctrl_c``, and PowerShell's plugin ends a
        command whatever it is told.
        """
        return self.code.lower() == _SIGNAL_TERMINATE


@dataclass(frozen=True, slots=True)
class Delete:
    """Close a shell."""

    shell_id: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Leave a shell running."""

    shell_id: str
    idle_timeout_s: float | None = None
    buffer_mode: BufferMode | None = None


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The same client comes back to a shell."""

    shell_id: str
    idle_timeout_s: float | None = None
    buffer_mode: BufferMode | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """A client takes over a shell (``data`` holds PSRP fragments) or one of its commands."""

    shell_id: str
    command_id: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Portion:
    """How much of a list a reply may hold: so many elements, None for as many as its size allows."""

    elements: int | None = None


@dataclass(frozen=True, slots=True)
class EnumerateShells:
    """List the user's shells; ``portion`` is None where the reply only names the list, for Pull."""

    portion: Portion | None = Portion()


@dataclass(frozen=True, slots=True)
class EnumerateCommands:
    """List the commands of a shell."""

    shell_id: str
    portion: Portion | None = Portion()


@dataclass(frozen=True, slots=True)
class Pull:
    """The next portion of a list."""

    context: str
    portion: Portion


@dataclass(frozen=True, slots=True)
class Release:
    """No more of a list is wanted."""

    context: str


@dataclass(frozen=True, slots=True)
class GetShell:
    """Describe a shell."""

    shell_id: str


@dataclass(frozen=True, slots=True)
class GetConfig:
    """Read the service's configuration, or the part that the resource URI names."""


@dataclass(frozen=True, slots=True)
class Identify:
    """What product and version answers here?"""


Operation = (
    Create
    | Command
    | Send
    | Receive
    | Signal
    | Delete
    | Disconnect
    | Reconnect
    | Connect
    | EnumerateShells
    | EnumerateCommands
    | Pull
    | Release
    | GetShell
    | GetConfig
    | Identify
)


@dataclass(frozen=True, slots=True)
class Header:
    """The addressing of a request.

    Args:
        message_id: Echoed to the letter in the reply.
        action: Action URI; empty for Identify.
        to: The URL the client used.
        max_envelope_size: Bytes that the reply may have.
        timeout_s: How long the client waits for a reply.
        options: The client's option set, names in upper case.
    """

    message_id: str
    action: str = ""
    to: str = ""
    resource_uri: str = ""
    max_envelope_size: int = DEFAULT_ENVELOPE_SIZE
    timeout_s: float = DEFAULT_TIMEOUT_S
    selectors: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request."""

    header: Header
    operation: Operation


class RefusedRequest(Exception):
    """A request that cannot be parsed into an operation; carries what the fault reply needs."""

    def __init__(self, fault: WSManFault, header: Header) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.header = header
