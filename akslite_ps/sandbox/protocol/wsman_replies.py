"""WS-Management replies and faults as a device writes them, to the bytes of a SOAP envelope. No I/O.

Called by ``protocol.shell_service`` and, for faults, by ``protocol.winrm``. Shapes follow what real hosts were recorded answering
(``reference/wsman-psrp.md`` section 2).
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from akslite_ps.sandbox.protocol.wsman import NAMESPACES, SHELL_URI, Header
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault

_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_DECLARATIONS = " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in ("s", "a", "w", "p", "n", "x", "rsp"))
_OPENING = f'<s:Envelope xml:lang="en-US" {_DECLARATIONS}>'


@dataclass(frozen=True, slots=True)
class ShellInfo:
    """A shell as Create, Get and Enumerate describe it; durations in seconds."""

    shell_id: str
    resource_uri: str
    owner: str
    client_ip: str
    process_id: int
    idle_timeout_s: float
    state: str
    run_time_s: float = 0
    inactive_s: float = 0
    name: str | None = None
    buffer_mode: str = "Block"
    profile_loaded: bool = True


def envelope_overhead(command_id: str | None) -> int:
    """Bytes of a Receive's reply beside its streams' base64, generously."""
    return 2_048 + (256 if command_id else 0)


def create_reply(header: Header, shell: ShellInfo) -> bytes:
    return _reply(
        header,
        f"<x:ResourceCreated><a:Address>{escape(header.to)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{escape(shell.resource_uri)}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell.shell_id)}</w:Selector></w:SelectorSet>'
        f"</a:ReferenceParameters></x:ResourceCreated>{_shell_element(shell)}",
    )


def command_reply(header: Header, command_id: str) -> bytes:
    return _reply(header, f"<rsp:CommandResponse><rsp:CommandId>{escape(command_id)}</rsp:CommandId></rsp:CommandResponse>")


def receive_reply(header: Header, command_id: str | None, streams: Sequence[bytes], *, state: str | None = None) -> bytes:
    """The reply to a Receive.

    Args:
        header: The request's.
        command_id: The command asked for, in the client's spelling.
        streams: One element per PSRP fragment.
        state: ``Done`` or ``Pending``, where the reply tells the command's state.
    """
    attribute = f" CommandId={quoteattr(command_id)}" if command_id else ""
    body = "".join(f'<rsp:Stream Name="stdout"{attribute}>{base64.b64encode(data).decode()}</rsp:Stream>' for data in streams)
    if state is not None and command_id:
        code = "<rsp:ExitCode>0</rsp:ExitCode>" if state == "Done" else ""
        body += f'<rsp:CommandState{attribute} State="{SHELL_URI}/CommandState/{state}">{code}</rsp:CommandState>'
    return _reply(header, f"<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>")


def send_reply(header: Header) -> bytes:
    return _reply(header, "<rsp:SendResponse/>")


def signal_reply(header: Header) -> bytes:
    return _reply(header, "<rsp:SignalResponse/>")


def empty_reply(header: Header) -> bytes:
    """The reply to Delete, Disconnect, Reconnect and Release."""
    return _reply(header, "")


def connect_shell_reply(header: Header, data: bytes) -> bytes:
    return _reply(
        header,
        "<rsp:ConnectResponse><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams>"
        f'<connectResponseXml xmlns="{NAMESPACES["pwsh"]}">{base64.b64encode(data).decode()}</connectResponseXml>'
        "</rsp:ConnectResponse>",
    )


def connect_command_reply(header: Header) -> bytes:
    return _reply(header, "<rsp:ConnectResponse/>")


def shell_item(shell: ShellInfo) -> str:
    """A shell as an element of a list."""
    return _shell_element(shell, with_usage=True)


def command_item(command_id: str, state: str) -> str:
    """A command as an element of a list; its state is ``Running`` or ``Done``."""
    return (
        f"<rsp:Command><rsp:CommandId>{escape(command_id)}</rsp:CommandId><rsp:CommandLine></rsp:CommandLine>"
        f"<rsp:CommandState>{escape(state)}</rsp:CommandState></rsp:Command>"
    )


def enumerate_reply(header: Header, items: Sequence[str], context: str | None) -> bytes:
    """The first portion of a list; ``context`` names it where there is more."""
    # The elements are in WS-Management's namespace here, and in that of WS-Enumeration in the reply to Pull.
    return _reply(header, f"<n:EnumerateResponse>{_portion(items, context, 'w')}</n:EnumerateResponse>")


def pull_reply(header: Header, items: Sequence[str], context: str | None) -> bytes:
    """The next portion of a list; ``context`` names it where there is more."""
    return _reply(header, f"<n:PullResponse>{_portion(items, context, 'n')}</n:PullResponse>")


def get_shell_reply(header: Header, shell: ShellInfo) -> bytes:
    return _reply(header, _shell_element(shell, with_usage=True))


def get_config_reply(header: Header, element: str) -> bytes:
    """The service's configuration, or a part of it."""
    return _reply(header, element)


def identify_reply(os_version: str) -> bytes:
    """What answers here.

    Args:
        os_version: Of Windows, ``10.0.19045.0``; ``0.0.0`` for a caller who has not logged on.
    """
    os_version = ".".join(os_version.split(".")[:3])
    body = (
        f'<wsmid:IdentifyResponse xmlns:wsmid="{NAMESPACES["wsmid"]}">'
        f"<wsmid:ProtocolVersion>{NAMESPACES['w']}</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>OS: {escape(os_version)} SP: 0.0 Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse>"
    )
    return f'<s:Envelope xml:lang="en-US" xmlns:s="{NAMESPACES["s"]}"><s:Header/><s:Body>{body}</s:Body></s:Envelope>'.encode()


def fault_reply(header: Header, fault: WSManFault, machine: str) -> bytes:
    """The envelope of a fault; HTTP carries it with status 500."""
    detail = f"<w:FaultDetail>{fault.detail}</w:FaultDetail>" if fault.detail else ""
    if fault.code is not None:
        detail += _fault_element(fault, machine)
    subcode = f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>" if fault.subcode else ""
    return _reply(
        header,
        f"<s:Fault><s:Code><s:Value>s:{fault.role}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>',
        action=fault.action,
    )


def _fault_element(fault: WSManFault, machine: str) -> str:
    attributes = f'Code="{fault.code}" Machine={quoteattr(machine)}'
    opening = f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" {attributes}>'
    element = f"{opening}<f:Message>{escape(fault.message)}</f:Message></f:WSManFault>"
    if not fault.from_provider:
        return element
    provider = f'<f:ProviderFault provider="Shell provider" path="%systemroot%\\system32\\WsmSvc.dll">{element}</f:ProviderFault>'
    return f"{opening}<f:Message>{provider}</f:Message></f:WSManFault>"


def _portion(items: Sequence[str], context: str | None, prefix: str) -> str:
    held = f"<{prefix}:Items>{''.join(items)}</{prefix}:Items>" if items else ""
    end = f"<{prefix}:EndOfSequence/>" if context is None else ""
    return f"<n:EnumerationContext>{context or ''}</n:EnumerationContext>{held}{end}"


def _shell_element(shell: ShellInfo, *, with_usage: bool = False) -> str:
    fields = [
        ("ShellId", shell.shell_id),
        ("Name", shell.name or ""),
        ("ResourceUri", shell.resource_uri),
        ("Owner", shell.owner),
        ("ClientIP", shell.client_ip),
        ("ProcessId", str(shell.process_id)),
        ("IdleTimeOut", f"PT{shell.idle_timeout_s:.3f}S"),
        ("InputStreams", "stdin pr"),
        ("OutputStreams", "stdout"),
        ("MaxIdleTimeOut", "PT2147483.647S"),
        ("Locale", "en-US"),
        ("DataLocale", "en-US"),
        ("CompressionMode", "NoCompression"),
        ("ProfileLoaded", "Yes" if shell.profile_loaded else "No"),
        ("Encoding", "UTF8"),
        ("BufferMode", shell.buffer_mode),
        ("State", shell.state),
        ("ShellRunTime", _elapsed(shell.run_time_s)),
        ("ShellInactivity", _elapsed(shell.inactive_s)),
    ]
    if with_usage:
        fields += [("MemoryUsed", "52MB"), ("ChildProcesses", "0")]
    children = "".join(f"<rsp:{name}>{escape(value)}</rsp:{name}>" for name, value in fields if value)
    return f"<rsp:Shell>{children}</rsp:Shell>"


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"


def _reply(header: Header, body: str, *, action: str | None = None) -> bytes:
    return (
        f"{_OPENING}<s:Header><a:Action>{escape(action or header.action + 'Response')}</a:Action>"
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><p:ActivityId>{str(uuid.uuid4()).upper()}</p:ActivityId>"
        f"<a:To>{_ANONYMOUS}</a:To><a:RelatesTo>{escape(header.message_id)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
