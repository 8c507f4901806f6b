"""Whole exchanges with WS-Management as bytes in and bytes out, without a socket, in the shape of the recorded ones."""

from __future__ import annotations

import asyncio
import base64
import struct
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from lxml import etree

from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed
from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol.shell_service import ShellService
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault
from akslite_ps.sandbox.protocol.wsman_shell import ClientGone, Quotas

USER = "PRESS-01\\aksadmin"
SHELL_NS = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
CONFIGURATION = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
FAULT = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": TRANSFER,
    "n": ENUMERATION,
    "rsp": SHELL_NS,
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "pwsh": "http://schemas.microsoft.com/powershell",
}
POOL_ID = uuid.UUID("6c1d6f5e-0f0b-4f4c-9f0e-2b7a4d1f9a01")
SHELL_ID = str(POOL_ID).upper()
COMMAND_ID = uuid.UUID("0c6e3a9d-51fb-4b2a-8f77-5ce1b0a4e3d2")

PROTOCOL_OPTION = '<w:Option Name="protocolversion" MustComply="true">2.3</w:Option>'
CAPABILITY = '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version><Version N="PSVersion">2.0</Version>'
CAPABILITY += '<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
NO_HOST = (
    '<Obj N="HostInfo" RefId="{}"><MS><B N="_isHostNull">true</B><B N="_isHostUINull">true</B><B N="_isHostRawUINull">true</B>'
)
NO_HOST += '<B N="_useRunspaceHost">true</B></MS></Obj>'
INIT_POOL = '<Obj RefId="0"><MS><I32 N="MinRunspaces">1</I32><I32 N="MaxRunspaces">1</I32>'
INIT_POOL += NO_HOST.format(1) + '<Nil N="ApplicationArguments" /></MS></Obj>'
CREATE_PIPELINE = '<Obj RefId="0"><MS><B N="NoInput">true</B><B N="AddToHistory">false</B>'
CREATE_PIPELINE += NO_HOST.format(1) + '<Obj N="PowerShell" RefId="2"><MS><B N="IsNested">false</B><Obj N="Cmds" RefId="3"><LST>'
CREATE_PIPELINE += '<Obj RefId="4"><MS><S N="Cmd">{}</S><B N="IsScript">false</B><Obj N="Args" RefId="5"><LST /></Obj></MS></Obj>'
CREATE_PIPELINE += "</LST></Obj></MS></Obj></MS></Obj>"
SESSION_CAPABILITY, INIT_RUNSPACEPOOL, CONNECT_RUNSPACEPOOL, CREATE = 0x10002, 0x10004, 0x10008, 0x21006
RUNSPACEPOOL_STATE, PRIVATE_DATA, INIT_DATA, OUTPUT, STATE = 0x21005, 0x21009, 0x2100B, 0x41004, 0x41006


def message(kind: int, text: str, *, object_id: int, pipeline: uuid.UUID | None = None, pool: uuid.UUID = POOL_ID) -> bytes:
    """One PSRP message of a client in one fragment, as base64 holds it."""
    body = struct.pack("<II", 2, kind) + pool.bytes_le + (pipeline or uuid.UUID(int=0)).bytes_le + text.encode()
    return struct.pack(">QQBI", object_id, 0, 3, len(body)) + body


def kinds(element: etree._Element) -> list[int]:
    """The types of the PSRP messages in a reply."""
    found = []
    for text in element.itertext():
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            continue
        while len(data) > 29:
            length = struct.unpack_from(">QQBI", data)[3]
            found.append(struct.unpack_from("<I", data, 25)[0])
            data = data[21 + length :]
    return found


class Connection:
    """``wsman_shell.Client``: where a reply goes to."""

    address = "10.0.2.2"
    alive = True


class Service:
    """A device's service, spoken to in envelopes."""

    def __init__(self, device: Any, quotas: Quotas | None = None) -> None:
        self.device = device
        self.shells = ShellService(device, quotas)
        self.sent = ""

    async def send(
        self,
        action: str,
        body: str = "",
        *,
        shell: str | None = SHELL_ID,
        resource: str = CONFIGURATION,
        user: str = USER,
        size: int = 153_600,
        operation_timeout: str = "PT20S",
        header: str = "",
        message_id: str | None = None,
        client: Connection | None = None,
    ) -> etree._Element:
        """Send one request; returns the reply's envelope after looking at what every reply must have."""
        self.sent = message_id or f"uuid:{uuid.uuid4()}"
        selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet>' if shell else ""
        names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
        envelope = (
            f'<s:Envelope {names}><s:Header><a:Action s:mustUnderstand="true">{action}</a:Action><a:To>http://press-01:5985/wsman</a:To>'
            f"<a:MessageID>{self.sent}</a:MessageID><w:MaxEnvelopeSize>{size}</w:MaxEnvelopeSize>"
            f"<w:OperationTimeout>{operation_timeout}</w:OperationTimeout><w:ResourceURI>{resource}</w:ResourceURI>{selectors}{header}"
            f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        ).encode()
        reply = etree.fromstring(await self.answer(envelope, user, client or Connection()))
        assert reply.findtext("s:Header/a:RelatesTo", namespaces=NS) == self.sent
        assert len(etree.tostring(reply)) <= size
        return reply

    async def answer(self, envelope: bytes, user: str = USER, client: Any = None) -> bytes:
        """What goes back for an envelope."""
        header = wsman.Header(message_id="")
        try:
            request = wsman.parse_request(envelope)
            header = request.header
            return await self.shells.handle(request, user, client or Connection())
        except wsman.RefusedRequest as refused:
            return wsman_replies.fault_reply(refused.header, refused.fault, "PRESS-01")
        except WSManFault as fault:
            return wsman_replies.fault_reply(header, fault, "PRESS-01")

    # ---- the requests of a client

    async def create(
        self,
        *,
        shell: str = SHELL_ID,
        extra: str = "",
        init: str = INIT_POOL,
        options: str = PROTOCOL_OPTION,
        header: str = "",
        **how: Any,
    ) -> etree._Element:
        pool = uuid.UUID(shell)
        data = message(SESSION_CAPABILITY, CAPABILITY, object_id=1, pool=pool) + message(
            INIT_RUNSPACEPOOL, init, object_id=2, pool=pool
        )
        creation = f"<pwsh:creationXml>{base64.b64encode(data).decode()}</pwsh:creationXml>"
        body = f'<rsp:Shell ShellId="{shell}">{extra}{creation}</rsp:Shell>'
        header += f'<w:OptionSet s:mustUnderstand="true">{options}</w:OptionSet>'
        return await self.send(f"{TRANSFER}/Create", body, shell=None, header=header, **how)

    async def open(self) -> None:
        await self.create()
        await self.receive()
        assert kinds(await self.receive()) == [RUNSPACEPOOL_STATE]

    async def command(self, name: str, command_id: uuid.UUID = COMMAND_ID, **how: Any) -> etree._Element:
        data = message(CREATE, CREATE_PIPELINE.format(name), object_id=3, pipeline=command_id)
        body = f'<rsp:CommandLine CommandId="{str(command_id).upper()}"><rsp:Command />'
        body += f"<rsp:Arguments>{base64.b64encode(data).decode()}</rsp:Arguments></rsp:CommandLine>"
        return await self.send(f"{SHELL_NS}/Command", body, **how)

    async def receive(self, command_id: uuid.UUID | None = None, **how: Any) -> etree._Element:
        attribute = f' CommandId="{str(command_id).upper()}"' if command_id else ""
        body = f"<rsp:Receive><rsp:DesiredStream{attribute}>stdout</rsp:DesiredStream></rsp:Receive>"
        return await self.send(f"{SHELL_NS}/Receive", body, **how)

    async def signal(self, code: str, command_id: uuid.UUID = COMMAND_ID) -> etree._Element:
        body = f'<rsp:Signal CommandId="{str(command_id).upper()}"><rsp:Code>{code}</rsp:Code></rsp:Signal>'
        return await self.send(f"{SHELL_NS}/Signal", body)

    async def connect(self, text: str = "<S />", **how: Any) -> etree._Element:
        data = message(SESSION_CAPABILITY, CAPABILITY, object_id=1) + message(CONNECT_RUNSPACEPOOL, text, object_id=2)
        body = f"<rsp:Connect><pwsh:connectXml>{base64.b64encode(data).decode()}</pwsh:connectXml></rsp:Connect>"
        return await self.send(f"{SHELL_NS}/Connect", body, **how)

    async def connect_command(self, command_id: uuid.UUID = COMMAND_ID) -> etree._Element:
        return await self.send(f"{SHELL_NS}/Connect", f'<rsp:Connect CommandId="{str(command_id).upper()}" />')


@pytest.fixture
async def service(scripted_device: Any) -> AsyncIterator[Service]:
    made = Service(scripted_device)
    yield made
    await made.shells.close()


@pytest.fixture
async def limited(scripted_device: Any) -> AsyncIterator[Callable[[Quotas], Service]]:
    made: list[Service] = []

    def make(quotas: Quotas) -> Service:
        made.append(Service(scripted_device, quotas))
        return made[-1]

    yield make
    for each in made:
        await each.shells.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the service's work go on until something is so."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition was never met")


def action_of(reply: etree._Element) -> str:
    return reply.findtext("s:Header/a:Action", namespaces=NS)


def shell_of(reply: etree._Element) -> dict[str, str]:
    shell = reply.find(".//rsp:Shell", NS)
    return {etree.QName(field).localname: field.text for field in shell}


def fault_of(reply: etree._Element, *, action: str = FAULT) -> tuple[str, str, str | None, str | None]:
    """Role, subcode, code and the last word of the detail of a fault."""
    assert action_of(reply) == action
    fault = reply.find("s:Body/s:Fault", NS)
    assert fault.findtext("s:Reason/s:Text", namespaces=NS)
    detail = fault.findtext("s:Detail/w:FaultDetail", namespaces=NS)
    element = fault.find("s:Detail/f:WSManFault", NS)
    return (
        fault.findtext("s:Code/s:Value", namespaces=NS),
        fault.findtext("s:Code/s:Subcode/s:Value", default="", namespaces=NS),
        None if element is None else element.get("Code"),
        None if detail is None else detail.rpartition("/")[2],
    )


UNKNOWN = ("s:Sender", "w:InvalidSelectors", "2150858843", "UnexpectedSelectors")


async def test_create_answers_with_the_shells_reference_and_its_description(service):
    reply = await service.create()
    assert action_of(reply) == f"{TRANSFER}/CreateResponse"
    reference = reply.find("s:Body/x:ResourceCreated/a:ReferenceParameters", NS)
    assert reference.findtext("w:ResourceURI", namespaces=NS) == CONFIGURATION
    assert reference.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", namespaces=NS) == SHELL_ID
    shell = shell_of(reply)
    assert (shell["ShellId"], shell["Owner"], shell["State"], shell["BufferMode"]) == (SHELL_ID, USER, "Connected", "Block")
    assert (shell["IdleTimeOut"], shell["InputStreams"], shell["OutputStreams"]) == ("PT7200.000S", "stdin pr", "stdout")


async def test_the_first_receive_brings_the_capability_and_the_second_the_state(service):
    await service.create()
    first, second = await service.receive(), await service.receive()
    assert action_of(first) == f"{SHELL_NS}/ReceiveResponse"
    assert (kinds(first), kinds(second)) == ([SESSION_CAPABILITY, PRIVATE_DATA], [RUNSPACEPOOL_STATE])
    assert len(first.findall("s:Body/rsp:ReceiveResponse/rsp:Stream", NS)) == 2
    assert first.find(".//rsp:CommandState", NS) is None


async def test_a_command_is_answered_with_its_id_and_ends_with_state_and_exit_code(service):
    async def greet(call, request, streams):
        streams.output("hello")

    service.device.commands["Greet"] = greet
    await service.open()
    reply = await service.command("Greet")
    assert action_of(reply) == f"{SHELL_NS}/CommandResponse"
    assert reply.findtext("s:Body/rsp:CommandResponse/rsp:CommandId", namespaces=NS) == str(COMMAND_ID).upper()
    reply = await service.receive(COMMAND_ID)
    assert kinds(reply) == [OUTPUT, STATE]
    streams = reply.findall("s:Body/rsp:ReceiveResponse/rsp:Stream", NS)
    assert {(stream.get("Name"), stream.get("CommandId")) for stream in streams} == {("stdout", str(COMMAND_ID).upper())}
    state = reply.find("s:Body/rsp:ReceiveResponse/rsp:CommandState", NS)
    assert (state.get("CommandId"), state.get("State")) == (str(COMMAND_ID).upper(), f"{SHELL_NS}/CommandState/Done")
    assert state.findtext("rsp:ExitCode", namespaces=NS) == "0"
    assert fault_of(await service.receive(COMMAND_ID)) == UNKNOWN


async def test_more_of_a_command_comes_by_send(service):
    taken: list[Any] = []

    async def take(call, request, streams):
        taken.extend(request.input)

    service.device.commands["Take"] = take
    await service.open()
    text = CREATE_PIPELINE.format("Take").replace('<B N="NoInput">true</B>', '<B N="NoInput">false</B>')
    whole = struct.pack("<II", 2, CREATE) + POOL_ID.bytes_le + COMMAND_ID.bytes_le + text.encode()
    first, second = whole[:200], whole[200:]
    start = struct.pack(">QQBI", 3, 0, 1, len(first)) + first
    rest = struct.pack(">QQBI", 3, 1, 2, len(second)) + second
    arguments = f"<rsp:Arguments>{base64.b64encode(start).decode()}</rsp:Arguments>"
    body = f'<rsp:CommandLine CommandId="{COMMAND_ID}">{arguments}</rsp:CommandLine>'
    await service.send(f"{SHELL_NS}/Command", body)
    for data in (
        rest,
        message(0x41002, "<I32>7</I32>", object_id=4, pipeline=COMMAND_ID),
        message(0x41003, "", object_id=5, pipeline=COMMAND_ID),
    ):
        body = f'<rsp:Stream Name="stdin" CommandId="{COMMAND_ID}">{base64.b64encode(data).decode()}</rsp:Stream>'
        reply = await service.send(f"{SHELL_NS}/Send", f"<rsp:Send>{body}</rsp:Send>")
        assert action_of(reply) == f"{SHELL_NS}/SendResponse"
        assert reply.find("s:Body/rsp:SendResponse", NS) is not None
    await service.receive(COMMAND_ID)
    assert taken == [7]


async def test_a_stopped_command_says_so_and_a_released_one_is_gone(service):
    async def forever(call, request, streams):
        await asyncio.Event().wait()

    service.device.commands["Forever"] = forever
    await service.open()
    await service.command("Forever")
    reply = await service.signal("powershell/signal/ctrl_c")
    assert action_of(reply) == f"{SHELL_NS}/SignalResponse"
    reply = await service.receive(COMMAND_ID)
    assert kinds(reply) == [STATE]
    assert reply.find(".//rsp:CommandState", NS).get("State").endswith("/Done")
    await service.signal(f"{SHELL_NS}/signal/Terminate")
    assert fault_of(await service.receive(COMMAND_ID)) == UNKNOWN
    assert action_of(await service.signal("powershell/signal/ctrl_c")) == f"{SHELL_NS}/SignalResponse"


async def test_a_deleted_shell_is_gone(service):
    await service.open()
    reply = await service.send(f"{TRANSFER}/Delete")
    assert action_of(reply) == f"{TRANSFER}/DeleteResponse"
    assert len(reply.find("s:Body", NS)) == 0
    reply = await service.receive()
    assert fault_of(reply) == UNKNOWN
    provider = reply.find(".//f:ProviderFault", NS)
    assert (provider.get("provider"), provider.find("f:WSManFault", NS).get("Code")) == ("Shell provider", "2150858843")


async def test_disconnect_and_reconnect_have_empty_answers_and_change_the_state(service):
    await service.open()
    reply = await service.send(
        f"{SHELL_NS}/Disconnect",
        "<rsp:Disconnect><rsp:IdleTimeOut>PT300.000S</rsp:IdleTimeOut><rsp:BufferMode>Drop</rsp:BufferMode></rsp:Disconnect>",
    )
    assert action_of(reply) == f"{SHELL_NS}/DisconnectResponse"
    assert len(reply.find("s:Body", NS)) == 0
    shell = shell_of(await service.send(f"{TRANSFER}/Get", resource=SHELL_NS))
    assert (shell["State"], shell["IdleTimeOut"], shell["BufferMode"]) == ("Disconnected", "PT300.000S", "Drop")
    assert fault_of(await service.receive()) == ("s:Receiver", "w:InternalError", "2150859204", None)
    reply = await service.send(f"{SHELL_NS}/Reconnect")
    assert action_of(reply) == f"{SHELL_NS}/ReconnectResponse"
    assert shell_of(await service.send(f"{TRANSFER}/Get", resource=SHELL_NS))["State"] == "Connected"


async def test_a_reconnect_may_change_the_idle_time_and_the_buffering_too(service):
    await service.open()
    await service.send(f"{SHELL_NS}/Disconnect", "<rsp:Disconnect />")
    body = "<rsp:Reconnect><rsp:IdleTimeOut>PT90S</rsp:IdleTimeOut><rsp:BufferMode>Drop</rsp:BufferMode></rsp:Reconnect>"
    await service.send(f"{SHELL_NS}/Reconnect", body)
    shell = shell_of(await service.send(f"{TRANSFER}/Get", resource=SHELL_NS))
    assert (shell["State"], shell["IdleTimeOut"], shell["BufferMode"]) == ("Connected", "PT90.000S", "Drop")


async def test_connect_brings_capability_and_limits_and_then_what_was_last_sent(service):
    await service.open()
    await service.send(f"{SHELL_NS}/Disconnect", "<rsp:Disconnect />")
    reply = await service.connect()
    assert action_of(reply) == f"{SHELL_NS}/ConnectResponse"
    response = reply.find("s:Body/rsp:ConnectResponse", NS)
    assert response.findtext("rsp:InputStreams", namespaces=NS) == "stdin pr"
    assert kinds(response.find("pwsh:connectResponseXml", NS)) == [SESSION_CAPABILITY, INIT_DATA]
    # Recorded: whether the state message arrived nobody knows, so it comes again.
    assert kinds(await service.receive()) == [RUNSPACEPOOL_STATE]
    assert kinds(await service.receive()) == [PRIVATE_DATA]


async def test_what_a_command_after_it_confirms_is_not_sent_again_to_a_client_that_connects(service):
    released = asyncio.Event()

    async def wait(call, request, streams):
        await released.wait()
        streams.output("late")

    service.device.commands["Wait"] = wait
    await service.open()
    await service.command("Wait")
    await service.send(f"{SHELL_NS}/Disconnect", "<rsp:Disconnect />")
    await service.connect()
    assert kinds(await service.receive()) == [PRIVATE_DATA]
    reply = await service.connect_command()
    assert reply.find("s:Body/rsp:ConnectResponse", NS) is not None
    released.set()
    reply = await service.receive(COMMAND_ID)
    assert kinds(reply) == [OUTPUT, STATE]
    assert reply.find(".//rsp:CommandState", NS).get("State").endswith("/Done")


async def test_a_reply_whose_client_vanished_comes_again_to_one_that_connects(service):
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    await service.command("Greet")
    lost = await service.receive(COMMAND_ID)
    await service.connect()
    await service.connect_command()
    again = await service.receive(COMMAND_ID)
    assert [e.text for e in again.iter(f"{{{SHELL_NS}}}Stream")] == [e.text for e in lost.iter(f"{{{SHELL_NS}}}Stream")]
    assert again.find(".//rsp:CommandState", NS).get("State").endswith("/Done")
    assert fault_of(await service.receive(COMMAND_ID)) == UNKNOWN


async def test_a_client_that_asks_by_the_message_id_for_a_lost_reply_gets_it_once(service):
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    await service.command("Greet")
    lost = await service.receive(COMMAND_ID, message_id="uuid:one")
    await service.connect()
    await service.connect_command()
    again = await service.receive(COMMAND_ID, message_id="uuid:one")
    assert etree.tostring(again) == etree.tostring(lost)
    assert fault_of(await service.receive(COMMAND_ID)) == UNKNOWN


async def test_a_pipeline_may_have_another_id_than_its_command(service):
    """Recorded: early pypsrp spelled the two differently; Windows goes by the command's and answers with the pipeline's."""
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    other = uuid.uuid4()
    data = message(CREATE, CREATE_PIPELINE.format("Greet"), object_id=3, pipeline=other)
    body = f'<rsp:CommandLine CommandId="{COMMAND_ID}"><rsp:Command />'
    body += f"<rsp:Arguments>{base64.b64encode(data).decode()}</rsp:Arguments></rsp:CommandLine>"
    assert action_of(await service.send(f"{SHELL_NS}/Command", body)) == f"{SHELL_NS}/CommandResponse"
    reply = await service.receive(COMMAND_ID)
    assert kinds(reply) == [OUTPUT, STATE]
    for stream in reply.iter(f"{{{SHELL_NS}}}Stream"):
        assert uuid.UUID(bytes_le=base64.b64decode(stream.text)[45:61]) == other
    assert action_of(await service.signal(f"{SHELL_NS}/signal/Terminate")) == f"{SHELL_NS}/SignalResponse"
    assert fault_of(await service.receive(COMMAND_ID)) == UNKNOWN


async def test_a_shell_without_a_profile_says_so(service):
    options = PROTOCOL_OPTION + '<w:Option Name="WINRS_NOPROFILE" MustComply="true">TRUE</w:Option>'
    reply = await service.create(options=options)
    assert reply.findtext(".//rsp:ProfileLoaded", namespaces=NS) == "No"


@pytest.mark.parametrize(
    ("options", "code"), [("", "2152991687"), (PROTOCOL_OPTION.replace("2.3", "1.0"), "2152991685"), (PROTOCOL_OPTION, None)]
)
async def test_a_client_must_say_which_protocol_it_speaks(service, options, code):
    """PowerShell's plugin refuses a shell without the option, and any other version than 2."""
    reply = await service.create(options=options)
    assert reply.find(".//f:WSManFault", NS) is None if code is None else fault_of(reply)[2] == code


@pytest.mark.parametrize(
    ("code", "releases"),
    [
        ("powershell/signal/crtl_c", False),
        ("powershell/signal/ctrl_c", False),
        (f"{SHELL_NS}/signal/ctrl_c", False),
        ("anything", False),
        (f"{SHELL_NS}/signal/Terminate", True),
        (f"{SHELL_NS}/signal/terminate", True),
    ],
)
async def test_every_spelling_of_a_signal_ends_a_command(service, code, releases):
    """PowerShell's own client writes ``crtl_c``; half of the others write ``terminate`` without a capital."""

    async def wait(call, request, streams):
        await asyncio.Event().wait()

    service.device.commands["Wait"] = wait
    await service.open()
    await service.command("Wait")
    assert action_of(await service.signal(code)) == f"{SHELL_NS}/SignalResponse"
    reply = await service.receive(COMMAND_ID)
    if releases:
        assert fault_of(reply) == UNKNOWN
    else:
        assert kinds(reply) == [STATE]
        assert reply.find(".//rsp:CommandState", NS).get("State").endswith("/Done")


@pytest.mark.parametrize(
    ("part", "element", "path", "text"),
    [
        ("", "Config", "Service/Auth/CbtHardeningLevel", "Relaxed"),
        ("", "Config", "MaxEnvelopeSizekb", "500"),
        ("/service", "Service", "Auth/CredSSP", "true"),
        ("/Service/Auth", "Auth", "Basic", "true"),
        ("/client", "Client", "Auth/Digest", "true"),
        ("/winrs", "Winrs", "IdleTimeout", "7200000"),
    ],
)
async def test_the_services_configuration_is_read_in_whole_or_in_part(service, part, element, path, text):
    config = "http://schemas.microsoft.com/wbem/wsman/1/config"
    reply = await service.send(f"{TRANSFER}/Get", resource=config + part, shell=None)
    (found,) = reply.find("s:Body", NS)
    assert found.tag == f"{{{config}{part}}}{element}"
    assert found.findtext("/".join(f"{{{config}{part}}}{name}" for name in path.split("/"))) == text


async def test_a_part_that_the_configuration_has_not_is_an_unknown_resource(service):
    for part in ("/plugins", "/service/RootSDDL", "uration"):
        uri = f"http://schemas.microsoft.com/wbem/wsman/1/config{part}"
        reply = await service.send(f"{TRANSFER}/Get", resource=uri, shell=None)
        assert fault_of(reply)[2] == "2150858754"


async def test_limits_that_a_connecting_client_expects_are_compared_and_not_changed(service):
    await service.open()
    one = '<Obj RefId="0"><MS><I32 N="MinRunspaces">1</I32><I32 N="MaxRunspaces">4</I32></MS></Obj>'
    assert action_of(await service.connect(one)) == f"{SHELL_NS}/ConnectResponse"
    both = one.replace('MinRunspaces">1', 'MinRunspaces">2')
    assert fault_of(await service.connect(both))[2] == "2150858817"
    none = one.replace('MinRunspaces">1', 'MinRunspaces">5')
    assert fault_of(await service.connect(none))[2] == "2150858817"


async def test_enumerate_lists_shells_and_their_commands_with_their_states(service):
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    await service.command("Greet")
    await service.receive(COMMAND_ID)
    listing = "<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>{}</n:Enumerate>"
    reply = await service.send(f"{ENUMERATION}/Enumerate", listing.format(""), resource=SHELL_NS, shell=None)
    assert action_of(reply) == f"{ENUMERATION}/EnumerateResponse"
    assert reply.find(".//w:EndOfSequence", NS) is not None
    assert shell_of(reply)["ShellId"] == SHELL_ID
    chosen = f'<w:Filter><w:SelectorSet><w:Selector Name="ShellId">{SHELL_ID}</w:Selector></w:SelectorSet></w:Filter>'
    reply = await service.send(f"{ENUMERATION}/Enumerate", listing.format(chosen), resource=f"{SHELL_NS}/Command", shell=None)
    assert reply.findtext(".//w:Items/rsp:Command/rsp:CommandId", namespaces=NS) == str(COMMAND_ID).upper()
    assert reply.findtext(".//w:Items/rsp:Command/rsp:CommandState", namespaces=NS) == "Done"
    await service.signal(f"{SHELL_NS}/signal/Terminate")
    reply = await service.send(f"{ENUMERATION}/Enumerate", listing.format(chosen), resource=f"{SHELL_NS}/Command", shell=None)
    assert reply.find(".//w:Items", NS) is None


async def test_a_long_list_comes_in_portions(service):
    for _ in range(12):
        await service.create(shell=str(uuid.uuid4()).upper())
    body = "<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>5</w:MaxElements></n:Enumerate>"
    reply = await service.send(f"{ENUMERATION}/Enumerate", body, resource=SHELL_NS, shell=None)
    ids = [e.text for e in reply.iter(f"{{{SHELL_NS}}}ShellId")]
    assert (len(ids), reply.find(".//w:EndOfSequence", NS)) == (5, None)
    # As much as has room in the smallest envelope, then the rest.
    while (context := reply.findtext(".//n:EnumerationContext", namespaces=NS)) is not None and context:
        pull = f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext></n:Pull>"
        reply = await service.send(f"{ENUMERATION}/Pull", pull, resource=SHELL_NS, shell=None, size=8_192)
        assert action_of(reply) == f"{ENUMERATION}/PullResponse"
        ids += [e.text for e in reply.iter(f"{{{SHELL_NS}}}ShellId")]
    assert reply.find(".//n:EndOfSequence", NS) is not None
    assert len(set(ids)) == len(ids) == 12
    reply = await service.send(f"{ENUMERATION}/Pull", pull, resource=SHELL_NS, shell=None)
    assert fault_of(reply) == ("s:Receiver", "n:InvalidEnumerationContext", "2150858779", None)


async def test_a_list_that_is_released_or_another_users_is_not_given(service):
    await service.open()
    reply = await service.send(f"{ENUMERATION}/Enumerate", "<n:Enumerate/>", resource=SHELL_NS, shell=None)
    context = reply.findtext(".//n:EnumerationContext", namespaces=NS)
    assert reply.find(".//w:Items", NS) is None
    body = f"<n:{{}}><n:EnumerationContext>{context}</n:EnumerationContext></n:{{}}>"
    for action, user in (("Pull", "PRESS-01\\other"), ("Release", "PRESS-01\\other")):
        reply = await service.send(f"{ENUMERATION}/{action}", body.format(action, action), shell=None, user=user)
        assert fault_of(reply)[2] == "2150858779"
    reply = await service.send(f"{ENUMERATION}/Release", body.format("Release", "Release"), shell=None)
    assert action_of(reply) == f"{ENUMERATION}/ReleaseResponse"
    assert fault_of(await service.send(f"{ENUMERATION}/Pull", body.format("Pull", "Pull"), shell=None))[2] == "2150858779"


async def test_a_receive_that_nothing_comes_for_times_out(service):
    await service.open()
    assert fault_of(await service.receive(operation_timeout="PT0.01S")) == (
        "s:Receiver",
        "w:TimedOut",
        "2150858793",
        "OperationTimeout",
    )


async def test_a_failed_command_is_done_all_the_same(service):
    async def fail(call, request, streams):
        raise PipelineFailed(ErrorInfo("no", "No"))

    service.device.commands["Fail"] = fail
    await service.open()
    await service.command("Fail")
    reply = await service.receive(COMMAND_ID)
    assert kinds(reply) == [STATE]
    assert reply.findtext(".//rsp:ExitCode", namespaces=NS) == "0"


async def test_another_users_shell_is_out_of_reach(service):
    await service.open()
    assert fault_of(await service.receive(user="PRESS-01\\other")) == ("s:Sender", "w:AccessDenied", "5", None)


async def test_ids_that_exist_cannot_be_chosen_again(service):
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    assert fault_of(await service.create()) == ("s:Sender", "w:AlreadyExists", "2150859223", None)
    await service.command("Greet")
    assert fault_of(await service.command("Greet")) == ("s:Sender", "w:AlreadyExists", "2150859222", None)


@pytest.mark.parametrize(
    ("how", "fault", "action"),
    [
        ({"operation_timeout": "PT-1S"}, ("s:Sender", "a:InvalidMessageInformationHeader", "2150858767", None), "addressing"),
        ({"size": 8_191}, ("s:Sender", "w:EncodingLimit", "2150858878", "MinimumEnvelopeLimit"), "wsman"),
        (
            {"header": '<q:Q xmlns:q="urn:q" s:mustUnderstand="true">1</q:Q>'},
            ("s:MustUnderstand", "", "2150858768", None),
            "addressing",
        ),
    ],
)
async def test_headers_that_cannot_be_heeded_are_refused(service, how, fault, action):
    await service.open()
    expected = {"addressing": "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault", "wsman": FAULT}[action]
    assert fault_of(await service.receive(**how), action=expected) == fault


async def test_a_client_that_will_pack_its_data_is_told_that_it_cannot(service):
    """Whether it insists on being understood or not: what it sends afterwards is packed."""
    reply = await service.create(header="<rsp:CompressionType>xpress</rsp:CompressionType>")
    fault = fault_of(reply, action="http://schemas.xmlsoap.org/ws/2004/08/addressing/fault")
    assert (fault[0], fault[2]) == ("s:MustUnderstand", "2150858768")


async def test_a_header_that_need_not_be_understood_is_left_alone(service):
    await service.create(header='<q:Q xmlns:q="urn:q">1</q:Q>')
    assert kinds(await service.receive(header='<q:Q xmlns:q="urn:q" s:mustUnderstand="false">1</q:Q>'))


async def test_an_idle_time_beyond_all_bounds_is_refused(service):
    reply = await service.create(extra="<rsp:IdleTimeOut>PT2147484S</rsp:IdleTimeOut>")
    assert fault_of(reply)[2] == "2150859250"


async def test_quotas_of_commands_shells_and_operations(limited):
    service = limited(Quotas(commands_per_shell=2))
    service.device.commands["Greet"] = _say("hello")
    await service.open()
    for _ in range(2):
        await service.command("Greet", uuid.uuid4())
    assert fault_of(await service.command("Greet", uuid.uuid4())) == ("s:Receiver", "w:InternalError", None, None)

    service = limited(Quotas(shells_per_user=1))
    await service.create()
    assert fault_of(await service.create(shell=str(uuid.uuid4()).upper())) == ("s:Sender", "w:QuotaLimit", "2150859173", None)

    service = limited(Quotas(operations_per_user=3))
    await service.open()
    for _ in range(3):
        await service.command("Greet", COMMAND_ID if _ == 0 else uuid.uuid4())
    reply = await service.command("Greet", uuid.uuid4())
    assert fault_of(reply) == ("s:Sender", "w:QuotaLimit", "2150859174", None)
    assert "maximum number of 3 concurrent operations" in reply.findtext(".//s:Reason/s:Text", namespaces=NS)
    await service.signal(f"{SHELL_NS}/signal/Terminate")
    assert action_of(await service.command("Greet", uuid.uuid4())) == f"{SHELL_NS}/CommandResponse"


async def test_every_receive_keeps_to_the_size_that_the_client_takes(service):
    async def much(call, request, streams):
        for _ in range(40):
            streams.output("x" * 3_000)

    service.device.commands["Much"] = much
    await service.open()
    await service.command("Much")
    received = 0
    while True:
        reply = await service.receive(COMMAND_ID, size=9_000)
        received += len(reply.findall(".//rsp:Stream", NS))
        if reply.find(".//rsp:CommandState", NS) is not None:
            break
    assert received >= 41


async def test_nothing_is_taken_from_the_queue_for_a_client_that_is_gone(service):
    release = asyncio.Event()

    async def wait(call, request, streams):
        await release.wait()
        streams.output("kept")

    service.device.commands["Wait"] = wait
    await service.open()
    await service.command("Wait")
    gone = Connection()
    waiting = asyncio.create_task(service.receive(COMMAND_ID, client=gone))
    await until(lambda: any(shell._receivers for shell in service.shells._shells.values()))
    gone.alive = False
    release.set()
    with pytest.raises(ClientGone):
        await waiting
    assert kinds(await service.receive(COMMAND_ID)) == [OUTPUT, STATE]


def _say(text: str) -> Callable[..., Any]:
    async def say(call: Any, request: Any, streams: Any) -> None:
        streams.output(text)

    return say
