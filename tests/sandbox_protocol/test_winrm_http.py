"""The HTTP edge, the service's limits and its lists, seen from outside."""

from __future__ import annotations

import asyncio
import http.client

import pytest
from lxml import etree
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import WinRS

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.protocol.winrm import WinRMListener
from akslite_ps.sandbox.protocol.wsman_shell import Quotas


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/other", 404), ("POST", "/", 404), ("GET", "/wsman", 405), ("POST", "/WSMAN/", 401)]
)
def test_only_post_to_wsman_is_served(served, method, path, status):
    connection = http.client.HTTPConnection(served.device.address, served.listener.http_port, timeout=5)
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


async def test_a_device_listens_on_loopback_only(served):
    class Elsewhere(type(served.device)):
        pass

    device = Elsewhere(address="10.0.0.1")
    with pytest.raises(UsageError, match=r"10\.0\.0\.1 is not a loopback address"):
        await WinRMListener(device).start()


async def test_a_taken_port_is_an_error_that_leaves_nothing_open(served):
    device = type(served.device)(address=served.device.address)
    device.https_port = served.listener.https_port
    listener = WinRMListener(device)
    with pytest.raises(OSError, match="in use"):
        await listener.start()
    await listener.stop()


def test_an_envelope_over_the_limit_is_refused_by_its_size(served):
    pool = served.pool()
    with pytest.raises(WinRMTransportError) as caught:
        pool.shell.send("stdin", b"x" * 500_000)
    assert caught.value.code == 413


def test_a_reply_keeps_to_the_size_the_client_takes(served):
    async def large(call, request, streams):
        for length in (9_000, 100_000, 9_000, 5, 5):
            streams.output("x" * length)

    served.device.commands["Large"] = large
    client = served.client(max_envelope_size=20_000)
    sizes: list[int] = []
    send = client.transport.send

    def measure(message, **options):
        reply = send(message, **options)
        sizes.append(len(reply))
        return reply

    client.transport.send = measure
    with served.pool(client) as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Large")
        shell.invoke()
        shell.close()
    assert [len(value) for value in shell.output] == [9_000, 100_000, 9_000, 5, 5]
    assert 15_000 < max(sizes) <= 20_000


def test_commands_count_until_they_are_terminated(serve):
    served = serve(quotas=Quotas(commands_per_shell=3))
    with served.pool() as pool:
        shells = [PowerShell(pool).add_cmdlet("Echo") for _ in range(4)]
        for shell in shells[:3]:
            shell.invoke()
        with pytest.raises(WSManFaultError, match="maximum number of concurrent commands per shell") as caught:
            shells[3].invoke()
        assert caught.value.code == "w:InternalError"
        shells[0].close()
        PowerShell(pool).add_cmdlet("Echo").invoke()


def test_shells_of_one_user_are_limited(serve):
    served = serve(quotas=Quotas(shells_per_user=1))
    first = served.pool()
    with pytest.raises(WSManFaultError) as caught:
        served.pool()
    assert caught.value.code == 2150859173
    first.close()
    served.pool()


@pytest.mark.parametrize(("configuration", "code"), [("Not.There", 2150858754), ("AksLite.Forbidden", 5)])
def test_a_session_configuration_that_cannot_be_used_is_a_fault(served, configuration, code):
    with pytest.raises(WSManFaultError) as caught:
        served.pool(configuration_name=configuration)
    assert caught.value.code == code
    assert RunspacePool.get_runspace_pools(served.client()) == []


def test_a_command_shell_is_not_served(served):
    with pytest.raises(WSManFaultError) as caught:
        WinRS(served.client()).open()
    assert caught.value.code == 2150858754


def test_unknown_shells_and_commands_are_told_apart_by_their_message(served):
    pool = served.pool()
    with pytest.raises(WSManFaultError, match="command identifier that does not exist") as unknown_command:
        pool.shell.receive("stdout", command_id="87E77BEB-6761-4C48-9D70-A00266B8459A")
    pool.shell.signal("powershell/signal/ctrl_c", "87E77BEB-6761-4C48-9D70-A00266B8459A")
    pool.shell.close()
    with pytest.raises(WSManFaultError) as unknown_shell:
        pool.shell._get_shell()
    assert unknown_command.value.code == unknown_shell.value.code == 2150858843
    assert unknown_shell.value.provider == "Shell provider"
    assert pool.is_alive() is False


def test_a_command_that_told_its_end_is_unknown_to_a_further_receive(served, run_command):
    pool = served.pool()
    shell = PowerShell(pool).add_cmdlet("Echo")
    shell.invoke()
    with pytest.raises(WSManFaultError, match="does not exist"):
        pool.shell.receive("stdout", command_id=shell.id)


def test_shells_and_commands_are_listed_with_their_state(served):
    release = asyncio.Event()

    async def hold(call, request, streams):
        await release.wait()

    served.device.commands["Hold"] = hold
    pool = served.pool()
    PowerShell(pool).add_cmdlet("Hold").begin_invoke()
    shell = pool.shell._get_shell()
    assert (shell["State"], shell["Owner"], shell["ShellId"]) == ("Connected", "PRESS-01\\aksadmin", pool.id)
    assert (shell["ClientIP"][:4], shell["IdleTimeOut"], shell["ShellRunTime"]) == ("127.", "PT7200.000S", "P0DT0H0M0S")
    assert pool.is_alive()
    (listed,) = RunspacePool.get_runspace_pools(served.client())
    assert listed.id == pool.id
    assert list(listed.pipelines) == list(pool.pipelines)
    served.post(release.set)


def test_the_envelope_size_can_be_read_from_the_configuration(served):
    client = served.client()
    client.update_max_payload_size()
    assert client.max_envelope_size == 512_000


def test_closing_a_pool_stops_what_runs_in_it(served):
    stopped = asyncio.Event()

    async def hold(call, request, streams):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    served.device.commands["Hold"] = hold
    pool = served.pool()
    PowerShell(pool).add_cmdlet("Hold").begin_invoke()
    pool.close()
    served.call(asyncio.wait_for(stopped.wait(), 5))
    assert served.device.runspaces[0].closed
    assert RunspacePool.get_runspace_pools(served.client()) == []


def test_a_message_that_is_no_envelope_is_a_fault(served):
    client = served.client()
    with pytest.raises(WinRMTransportError) as caught:
        client.transport.send(b"<not-soap/>")
    assert caught.value.code == 500
    assert etree.fromstring(caught.value.response_text.encode()).find(".//{*}Fault") is not None
