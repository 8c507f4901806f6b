"""Work that outlives its client: Disconnect, Reconnect, Connect from a new client, replies asked for again, lost connections."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
import threading
import uuid

import pytest
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool, RunspacePoolState
from requests.exceptions import ConnectionError as RequestsConnectionError

_ENVELOPE = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:wsman="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell">
<s:Header><wsa:Action>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/{verb}</wsa:Action>
<wsman:MaxEnvelopeSize>153600</wsman:MaxEnvelopeSize><wsa:MessageID>uuid:{message}</wsa:MessageID>
<wsman:OperationTimeout>PT{timeout}S</wsman:OperationTimeout>
<wsman:ResourceURI>http://schemas.microsoft.com/powershell/Microsoft.PowerShell</wsman:ResourceURI>
<wsman:SelectorSet><wsman:Selector Name="ShellId">{shell}</wsman:Selector></wsman:SelectorSet></s:Header>
<s:Body>{body}</s:Body></s:Envelope>"""


def _receive(shell: str, command: str, *, message: uuid.UUID | None = None, timeout: int = 10) -> bytes:
    body = f'<rsp:Receive><rsp:DesiredStream CommandId="{command}">stdout</rsp:DesiredStream></rsp:Receive>'
    return _ENVELOPE.format(verb="Receive", message=message or uuid.uuid4(), timeout=timeout, shell=shell, body=body).encode()


class Counter:
    """A command that writes numbers as it is told to, and ends when it is told to."""

    def __init__(self, served) -> None:
        self._served = served
        self._until: asyncio.Queue[int | None] = asyncio.Queue()
        served.device.commands["Count"] = self._count

    async def _count(self, call, request, streams) -> None:
        written = 0
        while (until := await self._until.get()) is not None:
            while written < until:
                streams.output(written)
                written += 1

    def go_to(self, number: int | None) -> None:
        self._served.post(lambda: self._until.put_nowait(number))

    def begin(self, pool: RunspacePool) -> PowerShell:
        shell = PowerShell(pool)
        shell.add_cmdlet("Count")
        shell.begin_invoke()
        return shell

    @staticmethod
    def read_until(shell: PowerShell, count: int) -> None:
        while len(shell.output) < count:
            shell.poll_invoke()


@pytest.fixture
def counter(served) -> Counter:
    return Counter(served)


def test_a_new_client_collects_the_rest_exactly_once(served, counter):
    first = served.pool()
    begun = counter.begin(first)
    counter.go_to(3)
    counter.read_until(begun, 3)
    first.disconnect()
    counter.go_to(2_000)

    (found,) = RunspacePool.get_runspace_pools(served.client())
    assert found.id == first.id
    found.connect()
    (rest,) = found.create_disconnected_power_shells()
    rest.connect_async()
    counter.read_until(rest, 10)
    counter.go_to(2_500)
    counter.go_to(None)
    rest.end_invoke()
    rest.close()
    assert rest.state == PSInvocationState.COMPLETED
    assert begun.output + rest.output == list(range(2_500))
    found.close()


def test_a_new_client_connects_though_the_old_one_vanished(served, counter):
    first = served.pool()
    counter.begin(first)
    first.connection.close()

    (found,) = RunspacePool.get_runspace_pools(served.client())
    found.connect()
    (rest,) = found.create_disconnected_power_shells()
    rest.connect_async()
    counter.go_to(5)
    counter.go_to(None)
    rest.end_invoke()
    assert rest.output == [0, 1, 2, 3, 4]


def test_the_same_client_reconnects(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    pool.disconnect()
    assert pool.shell._get_shell()["State"] == "Disconnected"
    counter.go_to(4)
    counter.go_to(None)
    pool.connect()
    assert pool.shell._get_shell()["State"] == "Connected"
    shell.state = PSInvocationState.RUNNING
    shell.end_invoke()
    shell.close()
    assert shell.output == [0, 1, 2, 3]
    pool.close()


def test_a_pool_connected_to_runs_new_commands(served, run_command):
    first = served.pool()
    run_command(first, "Echo", 1)
    first.disconnect()
    (found,) = RunspacePool.get_runspace_pools(served.client())
    found.connect()
    assert run_command(found, "Echo", 2).output == [2]
    found.state = RunspacePoolState.OPENED
    assert found.get_available_runspaces() == 1


def test_work_for_a_disconnected_shell_is_refused(served, run_command):
    pool = served.pool()
    pool.disconnect()
    with pytest.raises(WSManFaultError, match="disconnected"):
        run_command(pool, "Echo")


def test_disconnecting_ends_a_waiting_receive(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    outcome: list[str] = []

    def wait() -> None:
        with served.client() as other:
            try:
                other.transport.send(_receive(pool.id, shell.id))
            except WinRMTransportError as error:
                outcome.append(error.response_text)

    waiting = threading.Thread(target=wait)
    waiting.start()
    _until(lambda: served.receive_waits)
    pool.disconnect()
    waiting.join(10)
    assert "2150859230" in outcome[0]


def test_a_receive_sent_again_gets_the_same_reply(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    counter.go_to(3)
    counter.go_to(None)
    request = _receive(pool.id, shell.id, message=uuid.uuid4())
    with served.client() as one, served.client() as other:
        first = one.transport.send(request)
        second = other.transport.send(request)
    assert first == second
    assert b"CommandState/Done" in first


def test_a_client_that_leaves_while_it_waits_takes_no_data_with_it(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    with _send_by_hand(served, _receive(pool.id, shell.id)):
        _until(lambda: served.receive_waits)
    _until(lambda: served.saw_a_client_leave)
    counter.go_to(3)
    counter.go_to(None)
    shell.end_invoke()
    assert shell.output == [0, 1, 2]


def test_a_later_receive_replaces_one_that_waits(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    outcome: list[str] = []

    def wait() -> None:
        with served.client() as other:
            try:
                other.transport.send(_receive(pool.id, shell.id))
            except WinRMTransportError as error:
                outcome.append(error.response_text)

    waiting = threading.Thread(target=wait)
    waiting.start()
    _until(lambda: served.receive_waits)
    counter_thread = threading.Timer(0, lambda: (waiting.join(10), counter.go_to(2), counter.go_to(None)))
    counter_thread.start()
    shell.end_invoke()
    counter_thread.join(10)
    assert shell.output == [0, 1]
    assert re.search('Code="995"', outcome[0])


def test_a_receive_without_output_times_out_and_the_pipeline_goes_on(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    with pytest.raises(WSManFaultError) as caught:
        pool.shell.receive("stdout", command_id=shell.id, timeout=1)
    assert caught.value.code == 2150858793
    counter.go_to(1)
    counter.go_to(None)
    shell.end_invoke()
    assert shell.output == [0]


def test_an_idle_shell_is_closed(served):
    pool = served.pool(idle_timeout=1)
    _until(lambda: served.shell_count == 0)
    with pytest.raises(WSManFaultError) as caught:
        PowerShell(pool).add_cmdlet("Echo").invoke()
    assert caught.value.code == 2150858843
    _until(lambda: served.device.runspaces[0].closed)


def test_a_machine_that_goes_down_resets_its_connections_and_forgets_its_shells(served, counter):
    pool = served.pool()
    shell = counter.begin(pool)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            shell.end_invoke()
        except RequestsConnectionError as error:
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    _until(lambda: served.receive_waits)
    ports = (served.listener.http_port, served.listener.https_port)
    served.call(served.listener.stop(abort=True))
    waiting.join(10)
    assert isinstance(outcome[0], RequestsConnectionError)
    assert "reset" in str(outcome[0]).lower()
    with pytest.raises(OSError, match=r"refused|10061"), socket.create_connection((served.device.address, ports[0]), 2):
        pass

    served.call(served.listener.start())
    assert (served.listener.http_port, served.listener.https_port) == ports
    assert RunspacePool.get_runspace_pools(served.client()) == []
    assert served.device.runspaces[0].closed


def test_stopping_the_listener_from_inside_a_pipeline_ends_both(served):
    stopped = threading.Event()

    async def shut_down(call, request, streams):
        await served.listener.stop(abort=True)
        stopped.set()

    served.device.commands["ShutDown"] = shut_down
    pool = served.pool()
    with pytest.raises(RequestsConnectionError):
        PowerShell(pool).add_cmdlet("ShutDown").invoke()
    assert stopped.wait(5)


def _send_by_hand(served, body: bytes) -> socket.socket:
    """Send a request without waiting for its reply; returns the connection."""
    context = ssl.create_default_context(cafile=served.ca_file)
    plain = socket.create_connection((served.device.address, served.listener.https_port), 5)
    connection = context.wrap_socket(plain, server_hostname=served.device.address)
    account = served.device.accounts[0]
    token = base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
    head = f"POST /wsman HTTP/1.1\r\nHost: device\r\nAuthorization: Basic {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def _until(condition) -> None:
    tick = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("the condition was never met")
