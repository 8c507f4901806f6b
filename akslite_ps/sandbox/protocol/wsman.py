"""WS-Management requests as a device reads them: the bytes of a SOAP envelope to a typed request. No I/O.

Called by ``protocol.http_requests``; carried out by ``protocol.shell_service``. What there is to ask is in
``protocol.wsman_operations``, whose names are at hand here, too; replies are in ``protocol.wsman_replies``.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import cast

from lxml import etree

from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol import xml_input
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault
from akslite_ps.sandbox.protocol.wsman_operations import (
    CONFIG_URI,
    DEFAULT_ENVELOPE_SIZE,
    DEFAULT_TIMEOUT_S,
    NAMESPACES,
    SERVER_ENVELOPE_SIZE,
    SHELL_URI,
    BufferMode,
    Command,
    Connect,
    Create,
    Delete,
    Disconnect,
    EnumerateCommands,
    EnumerateShells,
    GetConfig,
    GetShell,
    Header,
    Identify,
    Operation,
    Portion,
    Pull,
    Receive,
    Reconnect,
    RefusedRequest,
    Release,
    Request,
    Send,
    Signal,
)

__all__ = [
    "CONFIG_URI",
    "DEFAULT_ENVELOPE_SIZE",
    "DEFAULT_TIMEOUT_S",
    "NAMESPACES",
    "SERVER_ENVELOPE_SIZE",
    "SHELL_URI",
    "BufferMode",
    "Command",
    "Connect",
    "Create",
    "Delete",
    "Disconnect",
    "EnumerateCommands",
    "EnumerateShells",
    "GetConfig",
    "GetShell",
    "Header",
    "Identify",
    "Operation",
    "Portion",
    "Pull",
    "Receive",
    "Reconnect",
    "RefusedRequest",
    "Release",
    "Request",
    "Send",
    "Signal",
    "parse_request",
]

_TRANSFER = NAMESPACES["x"]
_ENUMERATION = NAMESPACES["n"]
_POWERSHELL = NAMESPACES["pwsh"] + "/"
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]{1,9})D)?(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)S)?)?"
)

LEAST_ENVELOPE_SIZE = 8_192
"""Of DSP0226; no client may ask for less."""
LONGEST_IDLE_TIMEOUT_S = 2_147_483.647
_UNDERSTOOD = {NAMESPACES[prefix] for prefix in ("a", "w", "p", "rsp")}
_NUMBER_DIGITS = 18
_WHITESPACE = re.compile(r"[ \t\r\n]+")


def parse_request(data: bytes) -> Request:
    """Read a SOAP envelope.

    Raises:
        RefusedRequest: It is no envelope, or no request that a device serves.
    """
    header = Header(message_id="")
    try:
        envelope = _parse_xml(data)
        body = envelope.find("s:Body", NAMESPACES)
        if body is None:
            raise faults.malformed("the envelope has no body")
        if body.find("wsmid:Identify", NAMESPACES) is not None:
            return Request(header, Identify())
        header = _read_header(envelope)
        _must_be_understood(envelope)
        header = _read_wishes(header, envelope)
        return Request(header, _read_operation(header, body))
    except WSManFault as fault:
        raise RefusedRequest(fault, header) from fault


def _parse_xml(data: bytes) -> etree._Element:
    try:
        root = xml_input.parse(data)
    except xml_input.NotReadable as error:
        raise faults.malformed(f"the request cannot be read: {error}") from error
    if root.tag != f"{{{NAMESPACES['s']}}}Envelope":
        raise faults.malformed("the request is not a SOAP 1.2 envelope")
    return root


def _read_header(envelope: etree._Element) -> Header:
    def text(path: str) -> str:
        return (envelope.findtext(f"s:Header/{path}", default="", namespaces=NAMESPACES) or "").strip()

    message_id = text("a:MessageID")
    if not message_id:
        raise faults.malformed("the header has no MessageID")
    selectors = {
        str(element.get("Name", "")): (element.text or "").strip()
        for element in envelope.iterfind("s:Header/w:SelectorSet/w:Selector", NAMESPACES)
    }
    options = {
        str(element.get("Name", "")).upper(): (element.text or "").strip()
        for element in envelope.iterfind("s:Header/w:OptionSet/w:Option", NAMESPACES)
    }
    return Header(
        message_id=message_id,
        action=text("a:Action"),
        to=text("a:To"),
        resource_uri=text("w:ResourceURI"),
        selectors=selectors,
        options=options,
    )


def _read_wishes(header: Header, envelope: etree._Element) -> Header:
    """The header with what the client wishes of the reply."""
    size = envelope.findtext("s:Header/w:MaxEnvelopeSize", default="", namespaces=NAMESPACES)
    timeout = (envelope.findtext("s:Header/w:OperationTimeout", default="", namespaces=NAMESPACES) or "").strip()
    header = replace(header, max_envelope_size=_whole_number((size or "").strip(), DEFAULT_ENVELOPE_SIZE))
    if header.max_envelope_size < LEAST_ENVELOPE_SIZE:
        raise faults.envelope_too_small(LEAST_ENVELOPE_SIZE)
    try:
        return replace(header, timeout_s=_seconds(timeout) or DEFAULT_TIMEOUT_S)
    except WSManFault:
        raise faults.invalid_timeout(timeout) from None


def _must_be_understood(envelope: etree._Element) -> None:
    if envelope.find("s:Header/rsp:CompressionType", NAMESPACES) is not None:
        # Whoever says so packs all that follows. Windows' client leaves it with -NoCompression.
        raise faults.not_understood("CompressionType")
    for block in envelope.iterfind("s:Header/*", NAMESPACES):
        name = etree.QName(block)
        if block.get(f"{{{NAMESPACES['s']}}}mustUnderstand") in {"true", "1"} and name.namespace not in _UNDERSTOOD:
            raise faults.not_understood(name.localname)


def _read_operation(header: Header, body: etree._Element) -> Operation:
    namespace, _, verb = header.action.rpartition("/")
    match namespace, verb:
        case (transfer, "Create") if transfer == _TRANSFER:
            return _read_create(header, body)
        case (transfer, "Delete") if transfer == _TRANSFER:
            return Delete(_shell_id(header))
        case (transfer, "Get") if transfer == _TRANSFER:
            return _read_get(header)
        case (enumeration, "Enumerate") if enumeration == _ENUMERATION:
            return _read_enumerate(header, body)
        case (enumeration, "Pull") if enumeration == _ENUMERATION:
            return Pull(_context(body, "n:Pull"), _portion(_child(body, "n:Pull"), "n:MaxElements"))
        case (enumeration, "Release") if enumeration == _ENUMERATION:
            return Release(_context(body, "n:Release"))
        case (shell, _) if shell == SHELL_URI:
            return _read_shell_operation(header, verb, body)
    raise faults.unsupported_action(header.action)


def _read_create(header: Header, body: etree._Element) -> Create:
    if not header.resource_uri.startswith(_POWERSHELL):
        raise faults.unknown_resource(header.resource_uri)
    shell = _child(body, "rsp:Shell")
    return Create(
        shell_id=shell.get("ShellId"),
        configuration=header.resource_uri.removeprefix(_POWERSHELL),
        data=_decoded(shell.findtext("pwsh:creationXml", namespaces=NAMESPACES)),
        idle_timeout_s=_idle_timeout(shell),
        name=shell.get("Name") or shell.findtext("rsp:Name", namespaces=NAMESPACES),
        buffer_mode=_buffer_mode(shell),
        protocol_version=header.options.get("PROTOCOLVERSION"),
        loads_profile=header.options.get("WINRS_NOPROFILE", "").upper() not in {"TRUE", "1"},
    )


def _read_get(header: Header) -> GetShell | GetConfig:
    if header.resource_uri == CONFIG_URI or header.resource_uri.startswith(f"{CONFIG_URI}/"):
        return GetConfig()
    if header.resource_uri == SHELL_URI or header.resource_uri.startswith(_POWERSHELL):
        return GetShell(_shell_id(header))
    raise faults.unknown_resource(header.resource_uri)


def _read_enumerate(header: Header, body: etree._Element) -> EnumerateShells | EnumerateCommands:
    enumerate_ = _child(body, "n:Enumerate")
    optimized = enumerate_.find("w:OptimizeEnumeration", NAMESPACES) is not None
    portion = _portion(enumerate_, "w:MaxElements") if optimized else None
    if header.resource_uri == SHELL_URI:
        return EnumerateShells(portion)
    if header.resource_uri == f"{SHELL_URI}/Command":
        selector = enumerate_.find("w:Filter/w:SelectorSet/w:Selector[@Name='ShellId']", NAMESPACES)
        return EnumerateCommands((selector.text or "").strip() if selector is not None else _shell_id(header), portion)
    raise faults.unknown_resource(header.resource_uri)


def _read_shell_operation(header: Header, verb: str, body: etree._Element) -> Operation:
    shell_id = _shell_id(header)
    match verb:
        case "Command":
            line = _child(body, "rsp:CommandLine")
            arguments = "".join(element.text or "" for element in line.iterfind("rsp:Arguments", NAMESPACES))
            return Command(shell_id, line.get("CommandId"), _decoded(arguments))
        case "Send":
            stream = _child(body, "rsp:Send/rsp:Stream")
            return Send(shell_id, stream.get("CommandId"), str(stream.get("Name", "stdin")), _decoded(stream.text))
        case "Receive":
            return Receive(shell_id, _child(body, "rsp:Receive/rsp:DesiredStream").get("CommandId"))
        case "Signal":
            signal = _child(body, "rsp:Signal")
            code = (_child(signal, "rsp:Code").text or "").strip()
            return Signal(shell_id, str(signal.get("CommandId", "")), code)
        case "Disconnect":
            leaving = _child(body, "rsp:Disconnect")
            return Disconnect(shell_id, _idle_timeout(leaving), _buffer_mode(leaving))
        case "Reconnect":
            back = body.find("rsp:Reconnect", NAMESPACES)
            return Reconnect(shell_id) if back is None else Reconnect(shell_id, _idle_timeout(back), _buffer_mode(back))
        case "Connect":
            connect = _child(body, "rsp:Connect")
            data = _decoded(connect.findtext("pwsh:connectXml", namespaces=NAMESPACES))
            return Connect(shell_id, connect.get("CommandId"), data)
    raise faults.unsupported_action(header.action)


def _child(parent: etree._Element, path: str) -> etree._Element:
    element = parent.find(path, NAMESPACES)
    if element is None:
        raise faults.malformed(f"the body has no {path} element")
    return element


def _shell_id(header: Header) -> str:
    shell_id = header.selectors.get("ShellId", "")
    if not shell_id:
        raise faults.unknown_shell()
    return shell_id


def _context(body: etree._Element, parent: str) -> str:
    return (_child(body, f"{parent}/n:EnumerationContext").text or "").strip()


def _portion(parent: etree._Element, path: str) -> Portion:
    elements = _whole_number((parent.findtext(path, default="", namespaces=NAMESPACES) or "").strip(), 0)
    return Portion(elements or None)


def _idle_timeout(parent: etree._Element) -> float | None:
    seconds = _seconds((parent.findtext("rsp:IdleTimeOut", default="", namespaces=NAMESPACES) or "").strip())
    if seconds is not None and seconds > LONGEST_IDLE_TIMEOUT_S:
        raise faults.idle_timeout_out_of_bounds(LONGEST_IDLE_TIMEOUT_S)
    return seconds


def _buffer_mode(parent: etree._Element) -> BufferMode | None:
    mode = (parent.findtext("rsp:BufferMode", default="", namespaces=NAMESPACES) or "").strip()
    if mode not in {"", "Block", "Drop"}:
        raise faults.malformed(f"{mode!r} is not a buffer mode")
    return cast(BufferMode, mode) if mode else None


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(_WHITESPACE.sub("", text or ""), validate=True)
    except binascii.Error as error:
        raise faults.malformed(f"stream data is not base64: {error}") from error


def _whole_number(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _NUMBER_DIGITS:
        raise faults.malformed(f"{text[:40]!r} is not a whole number")
    return int(text)


def _seconds(text: str) -> float | None:
    if not text:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise faults.malformed(f"{text[:40]!r} is not a duration")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + seconds
