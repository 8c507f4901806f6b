"""Requests and replies of WS-Management, byte for byte, in the shape real hosts were recorded using."""

from __future__ import annotations

import base64

import pytest
from lxml import etree

from akslite_ps.sandbox.protocol import wsman, wsman_faults, wsman_replies

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "rsp": _SHELL,
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "pwsh": "http://schemas.microsoft.com/powershell",
}


SHELL_ID = "16840332-D453-4EB7-AE92-F5E4B2062E24"


def envelope(
    action: str,
    body: str,
    *,
    resource: str = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell",
    selectors: str = f'<w:SelectorSet><w:Selector Name="ShellId">{SHELL_ID}</w:Selector></w:SelectorSet>',
    headers: str = "<w:OperationTimeout>PT20S</w:OperationTimeout><w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>",
    message_id: str = "<a:MessageID>uuid:31b61229-E5C6-49B6-A02B-FB2ECE9E487C</a:MessageID>",
) -> bytes:
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NS.items())
    return (
        f"<s:Envelope {names}><s:Header><a:Action>{action}</a:Action><a:To>https://10.1.2.3:5986/wsman</a:To>{message_id}{headers}"
        f"<w:ResourceURI>{resource}</w:ResourceURI>{selectors}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


TRANSFER = _NS["x"]
COMMAND_ID = "1A811757-F836-45D1-A084-CE2DA3CACB34"
REQUESTS = [
    (
        envelope(
            f"{TRANSFER}/Create",
            f'<rsp:Shell ShellId="{SHELL_ID}"><rsp:IdleTimeOut>PT1M30.5S</rsp:IdleTimeOut>'
            f"<pwsh:creationXml>{encoded(b'fragments')}</pwsh:creationXml></rsp:Shell>",
            selectors="",
        ),
        wsman.Create(SHELL_ID, "Microsoft.PowerShell", b"fragments", idle_timeout_s=90.5),
    ),
    (
        envelope(
            f"{_SHELL}/Command",
            f'<rsp:CommandLine CommandId="{COMMAND_ID}"><rsp:Command />'
            f"<rsp:Arguments>{encoded(b'one')}</rsp:Arguments></rsp:CommandLine>",
        ),
        wsman.Command(SHELL_ID, COMMAND_ID, b"one"),
    ),
    (
        envelope(
            f"{_SHELL}/Send",
            f'<rsp:Send><rsp:Stream Name="stdin" CommandId="{COMMAND_ID}">{encoded(b"in")}</rsp:Stream></rsp:Send>',
        ),
        wsman.Send(SHELL_ID, COMMAND_ID, "stdin", b"in"),
    ),
    (
        envelope(f"{_SHELL}/Send", f'<rsp:Send><rsp:Stream Name="pr">{encoded(b"answer")}</rsp:Stream></rsp:Send>'),
        wsman.Send(SHELL_ID, None, "pr", b"answer"),
    ),
    (
        envelope(f"{_SHELL}/Receive", "<rsp:Receive><rsp:DesiredStream>stdout</rsp:DesiredStream></rsp:Receive>"),
        wsman.Receive(SHELL_ID, None),
    ),
    (
        envelope(
            f"{_SHELL}/Receive",
            f'<rsp:Receive><rsp:DesiredStream CommandId="{COMMAND_ID}">stdout</rsp:DesiredStream></rsp:Receive>',
        ),
        wsman.Receive(SHELL_ID, COMMAND_ID),
    ),
    (
        envelope(
            f"{_SHELL}/Signal", f'<rsp:Signal CommandId="{COMMAND_ID}"><rsp:Code>powershell/signal/ctrl_c</rsp:Code></rsp:Signal>'
        ),
        wsman.Signal(SHELL_ID, COMMAND_ID, "powershell/signal/ctrl_c"),
    ),
    (envelope(f"{TRANSFER}/Delete", ""), wsman.Delete(SHELL_ID)),
    (envelope(f"{_SHELL}/Disconnect", "<rsp:Disconnect />"), wsman.Disconnect(SHELL_ID)),
    (
        envelope(f"{_SHELL}/Disconnect", "<rsp:Disconnect><rsp:IdleTimeOut>PT2H</rsp:IdleTimeOut></rsp:Disconnect>"),
        wsman.Disconnect(SHELL_ID, idle_timeout_s=7_200),
    ),
    (envelope(f"{_SHELL}/Reconnect", ""), wsman.Reconnect(SHELL_ID)),
    (
        envelope(f"{_SHELL}/Connect", f"<rsp:Connect><pwsh:connectXml>{encoded(b'hello')}</pwsh:connectXml></rsp:Connect>"),
        wsman.Connect(SHELL_ID, None, b"hello"),
    ),
    (envelope(f"{_SHELL}/Connect", f'<rsp:Connect CommandId="{COMMAND_ID}" />'), wsman.Connect(SHELL_ID, COMMAND_ID, b"")),
    (
        envelope(f"{_NS['n']}/Enumerate", "<n:Enumerate><w:OptimizeEnumeration /></n:Enumerate>", resource=_SHELL, selectors=""),
        wsman.EnumerateShells(),
    ),
    (
        envelope(
            f"{_NS['n']}/Enumerate",
            '<n:Enumerate><w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"><w:SelectorSet>'
            f'<w:Selector Name="ShellId">{SHELL_ID}</w:Selector></w:SelectorSet></w:Filter></n:Enumerate>',
            resource=f"{_SHELL}/Command",
            selectors="",
        ),
        wsman.EnumerateCommands(SHELL_ID, portion=None),
    ),
    (envelope(f"{TRANSFER}/Get", "", resource=_SHELL), wsman.GetShell(SHELL_ID)),
    (envelope(f"{TRANSFER}/Get", "", resource="http://schemas.microsoft.com/wbem/wsman/1/config", selectors=""), wsman.GetConfig()),
]


@pytest.mark.parametrize(("data", "operation"), REQUESTS, ids=[type(operation).__name__ for _, operation in REQUESTS])
def test_each_operation_is_read_with_its_fields(data, operation):
    request = wsman.parse_request(data)
    assert request.operation == operation
    assert request.header.message_id == "uuid:31b61229-E5C6-49B6-A02B-FB2ECE9E487C"
    assert (request.header.max_envelope_size, request.header.timeout_s) == (153_600, 20.0)


def test_sizes_and_time_outs_have_defaults():
    request = wsman.parse_request(envelope(f"{TRANSFER}/Delete", "", headers=""))
    assert (request.header.max_envelope_size, request.header.timeout_s) == (153_600, 60.0)


def test_identify_needs_no_header():
    body = '<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/>'
    data = f'<s:Envelope xmlns:s="{_NS["s"]}"><s:Header/><s:Body>{body}</s:Body></s:Envelope>'.encode()
    assert wsman.parse_request(data).operation == wsman.Identify()
    assert b"OS: 10.0.19045 SP: 0.0 Stack: 3.0" in wsman_replies.identify_reply("10.0.19045.0")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 2150858817),
        (b"<s:Envelope", 2150858817),
        (b"<Envelope/>", 2150858817),
        (b'<!DOCTYPE x [<!ENTITY y "z">]><x/>', 2150858817),
        (envelope(f"{TRANSFER}/Delete", "", message_id=""), 2150858817),
        (envelope(f"{TRANSFER}/Put", ""), 2150858771),
        (envelope(f"{_SHELL}/Fly", ""), 2150858771),
        (envelope(f"{TRANSFER}/Delete", "", selectors=""), 2150858843),
        (envelope(f"{TRANSFER}/Create", "<rsp:Shell/>", resource=f"{_SHELL}/cmd"), 2150858754),
        (envelope(f"{_SHELL}/Receive", "<rsp:Receive/>"), 2150858817),
        (envelope(f"{TRANSFER}/Delete", "", headers="<w:OperationTimeout>soon</w:OperationTimeout>"), 2150858767),
        (envelope(f"{TRANSFER}/Delete", "", headers="<w:MaxEnvelopeSize>-1</w:MaxEnvelopeSize>"), 2150858817),
        (envelope(f"{_SHELL}/Send", '<rsp:Send><rsp:Stream Name="stdin">abc</rsp:Stream></rsp:Send>'), 2150858817),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_fault(data, code):
    with pytest.raises(wsman.RefusedRequest) as caught:
        wsman.parse_request(data)
    assert caught.value.fault.code == code


HEADER = wsman.Header(message_id="uuid:31b61229-e5c6", action=f"{_SHELL}/Receive", to="https://10.1.2.3:5986/wsman")


def test_a_reply_echoes_the_message_id_to_the_letter():
    reply = etree.fromstring(wsman_replies.send_reply(HEADER))
    assert reply.findtext("s:Header/a:RelatesTo", namespaces=_NS) == "uuid:31b61229-e5c6"
    assert reply.findtext("s:Header/a:Action", namespaces=_NS) == f"{_SHELL}/ReceiveResponse"


def test_output_comes_as_one_stream_element_per_fragment_with_the_end_beside_the_last():
    reply = etree.fromstring(wsman_replies.receive_reply(HEADER, COMMAND_ID, [b"one", b"two"], state="Done"))
    streams = reply.findall("s:Body/rsp:ReceiveResponse/rsp:Stream", _NS)
    assert [(e.get("Name"), e.get("CommandId"), base64.b64decode(e.text)) for e in streams] == [
        ("stdout", COMMAND_ID, b"one"),
        ("stdout", COMMAND_ID, b"two"),
    ]
    state = reply.find("s:Body/rsp:ReceiveResponse/rsp:CommandState", _NS)
    assert (state.get("CommandId"), state.get("State")) == (COMMAND_ID, f"{_SHELL}/CommandState/Done")
    assert state.findtext("rsp:ExitCode", namespaces=_NS) == "0"


def test_output_of_the_pool_names_no_command():
    reply = etree.fromstring(wsman_replies.receive_reply(HEADER, None, [b"one"]))
    (stream,) = reply.findall("s:Body/rsp:ReceiveResponse/rsp:Stream", _NS)
    assert stream.get("CommandId") is None
    assert reply.find("s:Body/rsp:ReceiveResponse/rsp:CommandState", _NS) is None


def test_a_created_shell_is_named_by_its_selector():
    shell = wsman_replies.ShellInfo(
        SHELL_ID, "http://schemas.microsoft.com/powershell/X", "PC\\user", "127.0.0.1", 4_040, 7_200, "Connected"
    )
    reply = etree.fromstring(wsman_replies.create_reply(HEADER, shell))
    reference = reply.find("s:Body/x:ResourceCreated/a:ReferenceParameters", _NS)
    assert reference.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", namespaces=_NS) == SHELL_ID
    fields = {etree.QName(e).localname: e.text for e in reply.find("s:Body/rsp:Shell", _NS)}
    assert fields["ShellId"] == SHELL_ID
    assert fields["IdleTimeOut"] == "PT7200.000S"
    assert fields["State"] == "Connected"
    assert fields["CompressionMode"] == "NoCompression"


def fault_of(fault: wsman_faults.WSManFault) -> etree._Element:
    reply = etree.fromstring(wsman_replies.fault_reply(HEADER, fault, "PRESS-01"))
    assert reply.findtext("s:Header/a:Action", namespaces=_NS) == "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
    return reply.find("s:Body/s:Fault", _NS)


def test_a_timed_out_receive_is_the_receivers_fault():
    fault = fault_of(wsman_faults.operation_timed_out())
    assert fault.findtext("s:Code/s:Value", namespaces=_NS) == "s:Receiver"
    assert fault.findtext("s:Code/s:Subcode/s:Value", namespaces=_NS) == "w:TimedOut"
    assert fault.find("s:Detail/f:WSManFault", _NS).attrib == {"Code": "2150858793", "Machine": "PRESS-01"}


def test_an_unknown_shell_is_told_by_the_shell_provider():
    fault = fault_of(wsman_faults.unknown_shell())
    assert fault.findtext("s:Code/s:Subcode/s:Value", namespaces=_NS) == "w:InvalidSelectors"
    assert fault.findtext("s:Detail/w:FaultDetail", namespaces=_NS).endswith("/faultDetail/UnexpectedSelectors")
    provider = fault.find("s:Detail/f:WSManFault/f:Message/f:ProviderFault", _NS)
    assert provider.get("provider") == "Shell provider"
    assert provider.find("f:WSManFault", _NS).get("Code") == "2150858843"


def test_an_unknown_command_is_told_by_the_service():
    fault = fault_of(wsman_faults.unknown_command())
    assert "command identifier that does not exist" in fault.findtext("s:Detail/f:WSManFault/f:Message", namespaces=_NS)


def test_a_full_shell_is_told_without_a_code():
    fault = fault_of(wsman_faults.too_many_commands())
    assert fault.findtext("s:Code/s:Subcode/s:Value", namespaces=_NS) == "w:InternalError"
    assert fault.find("s:Detail/f:WSManFault", _NS) is None
