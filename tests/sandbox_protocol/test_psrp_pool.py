"""The server's half of PSRP without a network, against psrpcore's client half."""

from __future__ import annotations

import struct
import uuid

import pytest
from psrpcore import (
    ApplicationPrivateDataEvent,
    ClientPowerShell,
    ClientRunspacePool,
    Command,
    PipelineStateEvent,
    PSRPPayload,
    RunspacePoolInitDataEvent,
    RunspacePoolStateEvent,
    SessionCapabilityEvent,
    SetRunspaceAvailabilityEvent,
    StreamType,
)
from psrpcore.types import ErrorCategoryInfo, ErrorRecord, NETException, PSInvocationState, RunspacePoolState

from akslite_ps.sandbox.engine import ErrorInfo
from akslite_ps.sandbox.protocol import psrp_events as events
from akslite_ps.sandbox.protocol.psrp import PsrpPool
from akslite_ps.sandbox.protocol.psrp_inbox import ProtocolViolation
from akslite_ps.sandbox.protocol.psrp_outbox import FRAGMENT_SIZE, Outbox

_FRAGMENT = struct.Struct(">QQBI")


def new_server() -> PsrpPool:
    return PsrpPool(computer="PRESS-01", user="PRESS-01\\aksadmin", os_version="10.0.19045.0", process_id=7, buffer_limit=1_000_000)


def said(client: ClientRunspacePool) -> bytes:
    """What a client has to say."""
    data = b""
    while (payload := client.data_to_send()) is not None:
        data += payload.data
    return data


def heard(client: ClientRunspacePool, server: PsrpPool, target: uuid.UUID | None = None) -> list[object]:
    """What one Receive brings a client."""
    for fragment in server.take(target, 100_000):
        client.receive_data(PSRPPayload(fragment.data, StreamType.default, target))
    found = []
    while (event := client.next_event()) is not None:
        found.append(event)
    return found


def opened() -> tuple[ClientRunspacePool, PsrpPool]:
    client, server = ClientRunspacePool(), new_server()
    client.open()
    (requested,) = server.receive(said(client))
    assert (requested.min_runspaces, requested.max_runspaces) == (1, 1)
    server.opened()
    heard(client, server)
    heard(client, server)
    assert client.state == RunspacePoolState.Opened
    return client, server


def object_ids(data: list[bytes]) -> list[int]:
    return [_FRAGMENT.unpack_from(fragment)[0] for fragment in data]


def test_opening_takes_two_receives_as_recorded():
    client, server = ClientRunspacePool(), new_server()
    client.open()
    server.receive(said(client))
    server.opened()
    first, second = heard(client, server), heard(client, server)
    assert [type(event) for event in first] == [SessionCapabilityEvent, ApplicationPrivateDataEvent]
    assert [type(event) for event in second] == [RunspacePoolStateEvent]
    assert first[0].runspace_pool_id == uuid.UUID(int=0)
    assert first[1].runspace_pool_id == client.runspace_pool_id
    assert str(first[1].data["PSVersionTable"]["BuildVersion"]) == "10.0.19045.0"
    assert not server.pending(None)


def test_every_payload_begins_with_a_byte_order_mark():
    client, server = ClientRunspacePool(), new_server()
    client.open()
    server.receive(said(client))
    server.opened()
    for fragment in server.take(None, None):
        assert fragment.data[_FRAGMENT.size + 40 :].startswith(b"\xef\xbb\xbf<Obj")


def test_a_pipeline_ends_without_ever_saying_that_it_runs():
    client, server = opened()
    pipeline = ClientPowerShell(client)
    pipeline.add_command(Command("Get-Thing"))
    pipeline.start()
    (requested,) = server.receive(said(client))
    assert isinstance(requested, events.PipelineRequested)
    server.output(pipeline.pipeline_id, 1)
    server.completed(pipeline.pipeline_id)
    states = [event.state for event in heard(client, server, pipeline.pipeline_id) if isinstance(event, PipelineStateEvent)]
    assert states == [PSInvocationState.Completed]


def test_a_failed_pipeline_carries_its_error():
    client, server = opened()
    pipeline = ClientPowerShell(client)
    pipeline.add_command(Command("Get-Thing"))
    pipeline.start()
    server.receive(said(client))
    server.failed(pipeline.pipeline_id, ErrorInfo("bad", "Bad,Get-Thing", category="InvalidData"))
    (event,) = heard(client, server, pipeline.pipeline_id)
    assert (event.state, str(event.reason), event.reason.FullyQualifiedErrorId) == (
        PSInvocationState.Failed,
        "bad",
        "Bad,Get-Thing",
    )


def test_targets_have_queues_of_their_own():
    _, server = opened()
    one, two = uuid.uuid4(), uuid.uuid4()
    server.output(one, "for one")
    server.answer_availability(1, 1)
    server.output(two, "for two")
    assert len(server.take(two, None)) == len(server.take(None, None)) == len(server.take(one, None)) == 1


def test_limits_are_read_with_either_spelling_of_the_call_id():
    client, server = opened()
    client.set_max_runspaces(3)
    message = said(client)
    (dotnet,) = server.receive(message)
    (pypsrp,) = server.receive(message.replace(b'N="ci"', b'N="CI"'))
    assert dotnet == pypsrp == events.LimitRequested(1, "max", 3)
    server.answer_availability(1, True)
    (event,) = heard(client, server)
    assert isinstance(event, SetRunspaceAvailabilityEvent)
    assert event.success is True


def test_a_connecting_client_gets_the_counter_that_goes_on():
    client, server = opened()
    waiting = uuid.uuid4()
    server.output(waiting, "written before")
    connecting = ClientRunspacePool(runspace_pool_id=client.runspace_pool_id)
    connecting.connect()
    answer = server.connect(said(connecting))
    connecting.receive_data(PSRPPayload(answer, StreamType.default, None))
    found = []
    while (event := connecting.next_event()) is not None:
        found.append(event)
    assert [type(event) for event in found] == [SessionCapabilityEvent, RunspacePoolInitDataEvent]
    private = server.take(None, None)
    server.output(waiting, "written after")
    before, after = server.take(waiting, None)
    first_length = _FRAGMENT.unpack_from(answer)[3]
    answered = [answer, answer[_FRAGMENT.size + first_length :]]
    assert object_ids([before.data, *answered, private[0].data, after.data]) == [4, 5, 6, 7, 8]


def test_connecting_to_another_pool_is_refused():
    _, server = opened()
    stranger = ClientRunspacePool()
    stranger.connect()
    with pytest.raises(ProtocolViolation, match="runspace pool"):
        server.connect(said(stranger))


def test_null_is_a_message_without_content():
    _, server = opened()
    one = uuid.uuid4()
    server.output(one, None)
    (fragment,) = server.take(one, None)
    assert len(fragment.data) == _FRAGMENT.size + 40


def test_a_hosts_answer_says_whom_it_is_for_and_whether_it_failed():
    client, server = opened()
    pipeline = ClientPowerShell(client)
    pipeline.add_command(Command("Get-Thing"))
    pipeline.start()
    server.receive(said(client))
    for target, answering in ((pipeline.pipeline_id, pipeline), (None, client)):
        call_id = server.host_call(target, "ReadLine", [])
        (call,) = heard(client, server, target)
        assert call.ci == call_id
        answering.host_response(call.ci, return_value="a line")
        assert server.receive(said(client)) == [events.HostAnswered(target, call_id, "a line", None)]
        server.host_call(target, "ReadLine", [])
        (call,) = heard(client, server, target)
        failed = ErrorRecord(NETException("the window was closed"), ErrorCategoryInfo())
        answering.host_response(call.ci, error_record=failed)
        (answer,) = server.receive(said(client))
        assert (answer.pipeline_id, answer.error) == (target, "the window was closed")


@pytest.mark.parametrize("garbage", [b"x" * 10, b"x" * 80])
def test_bytes_that_are_no_message_are_refused(garbage):
    _, server = opened()
    with pytest.raises(ProtocolViolation):
        server.receive(garbage)


def test_declarations_in_a_message_are_refused():
    client, server = opened()
    client.get_available_runspaces()
    message = said(client)
    at = message.index(b"<Obj")
    bomb = message[:at] + b'<!DOCTYPE a [<!ENTITY b "c">]>' + message[at:]
    header = _FRAGMENT.pack(*_FRAGMENT.unpack_from(message)[:3], len(bomb) - _FRAGMENT.size)
    with pytest.raises(ProtocolViolation, match="declarations"):
        server.receive(header + bomb[_FRAGMENT.size :])


def test_a_large_message_is_cut_into_fragments_that_join_again():
    outbox, message = Outbox(), bytes(range(256)) * 400
    outbox.put(None, message)
    joined, flags = b"", []
    while outbox.pending(None):
        for fragment in outbox.take(None, 40_000):
            object_id, number, flag, length = _FRAGMENT.unpack_from(fragment.data)
            assert (object_id, number, length) == (1, len(flags), len(fragment.data) - _FRAGMENT.size)
            assert len(fragment.data) <= FRAGMENT_SIZE
            joined += fragment.data[_FRAGMENT.size :]
            flags.append(flag)
    assert joined == message
    assert flags == [1, *[0] * (len(flags) - 2), 2]
