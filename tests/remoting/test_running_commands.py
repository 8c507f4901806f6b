"""What a command sends back, when, and how it is ended."""

from __future__ import annotations

import asyncio
import math
import threading
from decimal import Decimal
from typing import Any

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan, _TransportHTTP

from akslite_ps.errors import CmdletFailed, InvocationTimedOut, NotPermitted, UsageError
from akslite_ps.remoting import (
    ON,
    Command,
    DebugRecord,
    ErrorRecord,
    InformationRecord,
    InvocationState,
    OutputRecord,
    ProgressRecord,
    PsEnum,
    PsObject,
    Record,
    SecureValue,
    Session,
    VerboseRecord,
    WarningRecord,
)
from akslite_ps.remoting.recovery import receive_wait_s
from akslite_ps.sandbox.engine import EnumValue, ErrorInfo, Parameter, PipelineFailed, Progress, PsValue, SecureText
from akslite_ps.sandbox.protocol.winrm import WinRMListener
from akslite_ps.sandbox.protocol.wsman_shell import Quotas

PATIENCE_S = 20


def endless(lab: Any) -> tuple[threading.Event, threading.Event]:
    """Define Wait-Forever, which writes one value and waits; gives events for 'runs' and 'was stopped'."""
    runs, stopped = threading.Event(), threading.Event()

    @lab.device.command("Wait-Forever")
    async def wait(call: Any, streams: Any, request: Any) -> None:
        streams.output("started")
        runs.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
            raise

    return runs, stopped


def test_records_of_all_streams_come_typed_and_in_order(lab: Any, session: Session) -> None:
    @lab.device.command("Write-All")
    async def write(call: Any, streams: Any, request: Any) -> None:
        streams.output(1)
        streams.warning("careful")
        streams.verbose("in detail")
        streams.progress(Progress("Deploying", "Waiting", 40, 12, "node", activity_id=7))
        streams.output("two")
        streams.debug("inside")
        streams.error(ErrorInfo("it is odd", "Odd,Write-All", "InvalidData", target="the target"))
        streams.information("said")
        streams.progress(Progress("Deploying", completed=True))
        streams.output(None)

    result = session.invoke("Write-All", check=False)

    assert [type(record) for record in result.records] == [
        OutputRecord,
        WarningRecord,
        VerboseRecord,
        ProgressRecord,
        OutputRecord,
        DebugRecord,
        ErrorRecord,
        InformationRecord,
        ProgressRecord,
        OutputRecord,
    ]
    assert [record.seq for record in result.records] == list(range(1, 11))
    assert result.output == [1, "two", None]
    assert result.records[3] == ProgressRecord(
        "Deploying", status="Waiting", percent=40, seconds_remaining=12, current_operation="node", activity_id=7, seq=4
    )
    assert result.records[7].tags == ("PSHOST",)
    last_progress = result.records[8]
    assert isinstance(last_progress, ProgressRecord)
    assert last_progress.completed
    assert last_progress.percent is None
    assert (result.state, result.had_errors) == (InvocationState.COMPLETED, True)


def test_values_come_back_as_python_types(lab: Any, session: Session) -> None:
    sent = [
        2**40,
        2.5,
        Decimal("1.20"),
        b"",
        b"\x01\x02",
        {"Key": [1, 2]},
        PsValue({"Name": "linux", "Inner": PsValue({"Cpu": 4})}, ("Node", "System.Object"), "linux node"),
        EnumValue("System.DayOfWeek", 1, "Monday"),
    ]

    @lab.device.command("Get-Values")
    async def give(call: Any, streams: Any, request: Any) -> None:
        for value in sent:
            streams.output(value)

    values = session.invoke("Get-Values").output

    assert values[:6] == sent[:6]
    assert isinstance(values[6], PsObject)
    assert (values[6]["name"], values[6]["Inner"]["Cpu"], str(values[6])) == ("linux", 4, "linux node")
    assert isinstance(values[7], PsEnum)
    assert (values[7], values[7].number) == ("Monday", 1)


def test_parameters_arrive_with_their_types(lab: Any, session: Session) -> None:
    @lab.device.command("Set-Thing")
    async def take(call: Any, streams: Any, request: Any) -> None:
        pass

    session.invoke(Command("Set-Thing", {"Name": "a", "Force": ON, "Confirm": False}, [1, ["x"]]), Count=2**33)

    assert list(lab.device.requests[-1].commands[0].parameters) == [
        Parameter("Name", "a"),
        Parameter("Force", True),
        Parameter("Confirm", False),
        Parameter("Count", 2**33),
        Parameter(None, 1),
        Parameter(None, ["x"]),
    ]


def test_a_pipeline_is_sent_as_commands_and_input_as_values(lab: Any, session: Session) -> None:
    @lab.device.command("Select-Thing")
    async def take(call: Any, streams: Any, request: Any) -> None:
        streams.output(list(request.input))

    invocation = session.start([Command("Select-Thing"), Command("Sort-Object", {"Descending": True})], input=[1, None, "b"])

    assert invocation.wait().output == [[1, None, "b"]]
    request = lab.device.requests[-1]
    assert [call.text for call in request.commands] == ["Select-Thing", "Sort-Object"]
    assert not any(call.is_script for call in request.commands)


def test_empty_input_is_not_the_same_as_none(lab: Any, session: Session) -> None:
    @lab.device.command("Select-Thing")
    async def take(call: Any, streams: Any, request: Any) -> None:
        streams.output(request.input is not None)

    assert session.start("Select-Thing", input=[]).wait().output == [True]
    assert session.start("Select-Thing").wait().output == [False]


def test_an_argument_larger_than_an_envelope_arrives_whole(lab: Any, session: Session) -> None:
    @lab.device.command("Set-Thing")
    async def take(call: Any, streams: Any, request: Any) -> None:
        streams.output(len(call.parameters[0].value))

    assert session.invoke("Set-Thing", Text="x" * 1_500_000).output == [1_500_000]


def test_output_larger_than_an_envelope_arrives_whole(lab: Any, session: Session) -> None:
    @lab.device.command("Get-Much")
    async def give(call: Any, streams: Any, request: Any) -> None:
        streams.output("y" * 1_500_000)
        streams.output("end")

    assert [len(value) for value in session.invoke("Get-Much").output] == [1_500_000, 3]


def test_a_secret_travels_as_secure_string_only(lab: Any, session: Session) -> None:
    @lab.device.command("Set-Secret")
    async def take(call: Any, streams: Any, request: Any) -> None:
        streams.output(call.parameters[0].value)

    secret = SecureValue("s3cret-of-the-device")
    (back,) = session.invoke("Set-Secret", Secret=secret).output

    assert lab.device.requests[-1].commands[0].parameters[0].value == SecureText("s3cret-of-the-device")
    assert back == secret
    assert "s3cret" not in repr(back)


def test_neither_password_nor_secret_is_in_any_log(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    @lab.device.command("Set-Secret")
    async def take(call: Any, streams: Any, request: Any) -> None:
        raise PipelineFailed(ErrorInfo(f"{call.parameters[0].value.value} is too weak", "TooWeak", "InvalidArgument"))

    caplog.set_level("DEBUG")
    with Session.open(lab.target()) as session, pytest.raises(CmdletFailed) as caught:
        session.invoke("Set-Secret", Secret=SecureValue("s3cret-of-the-log"))

    assert "s3cret-of-the-log" not in str(caught.value)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("akslite_ps.sandbox"))
    assert lab.password not in ours
    sent = "\n".join(line for line in ours.splitlines() if "Packing" in line or "Sending" in line)
    assert "s3cret-of-the-log" not in sent


def test_records_are_seen_before_the_command_ends(lab: Any, session: Session) -> None:
    seen = asyncio.Event()

    @lab.device.command("Write-Slowly")
    async def write(call: Any, streams: Any, request: Any) -> None:
        streams.output("first")
        async with asyncio.timeout(PATIENCE_S):
            await seen.wait()
        streams.output("second")

    values: list[Any] = []

    def on_record(record: Record) -> None:
        assert isinstance(record, OutputRecord)
        values.append(record.value)
        lab.soon(seen.set)

    session.invoke("Write-Slowly", on_record=on_record, timeout_s=PATIENCE_S)

    assert values == ["first", "second"]


def test_reading_can_pause_while_the_command_goes_on(lab: Any, session: Session) -> None:
    endless(lab)
    invocation = session.start("Wait-Forever")

    assert [record.value for record in invocation.records(timeout_s=0.5) if isinstance(record, OutputRecord)] == ["started"]
    assert invocation.state is InvocationState.RUNNING
    assert session.running() == [invocation]
    assert invocation.stop()


def test_a_command_gets_the_whole_time_of_the_endpoint_for_one_receive() -> None:
    assert receive_wait_s(math.inf, 20, platform="posix", in_main_thread=True) is None
    assert receive_wait_s(100.0, 20, platform="posix", in_main_thread=True) is None
    assert receive_wait_s(3.2, 20, platform="posix", in_main_thread=True) == 4
    assert receive_wait_s(0.0, 20, platform="posix", in_main_thread=True) == 1


def test_on_windows_the_main_thread_looks_up_often_enough_for_ctrl_c() -> None:
    assert receive_wait_s(math.inf, 20, platform="nt", in_main_thread=True) == 2
    assert receive_wait_s(math.inf, 20, platform="nt", in_main_thread=False) is None


@pytest.mark.parametrize("way", [{}, {"auth": "ntlm"}, {"auth": "basic", "transport": "https"}, {"transport": "https"}], ids=str)
def test_another_thread_stops_a_command_while_its_receive_is_open(lab: Any, way: dict[str, str]) -> None:
    runs, stopped = endless(lab)
    with Session.open(lab.target(**way)) as session:
        invocation = session.start("Wait-Forever")
        results: list[Any] = []
        worker = threading.Thread(target=lambda: results.append(invocation.wait()))
        worker.start()
        assert runs.wait(PATIENCE_S)
        lab.wait_for_receive()

        assert invocation.stop(timeout_s=2.0)

        worker.join(PATIENCE_S)
        assert results[0].state is InvocationState.STOPPED
        assert results[0].output == ["started"]
        assert results[0].errors == []
        assert stopped.is_set()
        assert session.running() == []


def test_a_command_that_nobody_reads_can_be_stopped(lab: Any, session: Session) -> None:
    _, stopped = endless(lab)
    invocation = session.start("Wait-Forever")

    assert invocation.stop()
    assert stopped.is_set()
    assert invocation.wait().output == ["started"]


def test_a_command_can_be_stopped_from_its_own_records(lab: Any, session: Session) -> None:
    endless(lab)
    invocation = session.start("Wait-Forever")

    result = invocation.wait(on_record=lambda record: invocation.stop() and None)

    assert result.state is InvocationState.STOPPED


def test_a_stopped_command_is_no_success(lab: Any, session: Session) -> None:
    runs, _ = endless(lab)

    def stop_soon() -> None:
        runs.wait(PATIENCE_S)
        session.running()[0].stop()

    stopper = threading.Thread(target=stop_soon)
    stopper.start()
    with pytest.raises(CmdletFailed, match="stopped before its end"):
        session.invoke("Wait-Forever")
    stopper.join(PATIENCE_S)


def test_a_time_limit_stops_the_command_on_the_device(lab: Any, session: Session) -> None:
    _, stopped = endless(lab)

    with pytest.raises(InvocationTimedOut, match=r"within its limit of 0\.3 s") as caught:
        session.invoke("Wait-Forever", timeout_s=0.3)

    assert "has not confirmed" not in caught.value.message
    assert caught.value.attempted == "run Wait-Forever"
    assert stopped.is_set()
    assert session.running() == []


def test_the_session_works_on_after_a_stopped_command(lab: Any, session: Session) -> None:
    endless(lab)
    session.start("Wait-Forever").stop()

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    assert session.invoke("Get-Greeting").output == ["hello"]


def test_one_command_at_a_time(lab: Any, session: Session) -> None:
    endless(lab)
    session.start("Wait-Forever")

    with pytest.raises(UsageError, match="still running"):
        session.start("Wait-Forever")


def test_a_terminating_error_raises_whatever_check_says(lab: Any, session: Session) -> None:
    @lab.device.command("New-Thing")
    async def fail(call: Any, streams: Any, request: Any) -> None:
        streams.output("half")
        raise PipelineFailed(
            ErrorInfo(
                "no room", "NoRoom,New-Thing", "ResourceUnavailable", "System.IO.IOException", target="C:", activity="New-Thing"
            )
        )

    with pytest.raises(CmdletFailed) as caught:
        session.invoke("New-Thing", check=False)

    error = caught.value
    assert (error.message, error.command, error.error_id, error.device) == ("no room", "New-Thing", "NoRoom,New-Thing", "press-01")
    assert error.category is not None
    assert error.category.startswith("ResourceUnavailable")
    assert error.next_action

    result = session.start("New-Thing").wait()
    assert result.state is InvocationState.FAILED
    assert result.output == ["half"]
    assert [(record.terminating, record.exception_type, record.target) for record in result.errors] == [
        (True, "System.IO.IOException", "C:")
    ]


def test_an_error_record_raises_only_where_checked(lab: Any, session: Session) -> None:
    @lab.device.command("Get-Things")
    async def complain(call: Any, streams: Any, request: Any) -> None:
        streams.error(ErrorInfo("one is missing", "Missing,Get-Things", "ObjectNotFound"))
        streams.error(ErrorInfo("two is missing", "Missing,Get-Things", "ObjectNotFound"))
        streams.output("three")

    with pytest.raises(CmdletFailed, match=r"one is missing \(and 1 more error\)"):
        session.invoke("Get-Things")

    result = session.invoke("Get-Things", check=False)
    assert result.output == ["three"]
    assert result.had_errors
    assert not any(record.terminating for record in result.errors)


def test_an_unknown_command_of_a_restricted_session_names_both_possible_causes(session: Session) -> None:
    with pytest.raises(NotPermitted, match="either the role does not allow it, or it is not installed"):
        session.invoke("Get-AksEdgeNodeAddr")


def test_an_unknown_command_of_a_full_session_is_not_installed(lab: Any, session: Session) -> None:
    @lab.device.command("<script>")
    async def run(call: Any, streams: Any, request: Any) -> None:
        streams.output(EnumValue("System.Management.Automation.PSLanguageMode", 0, "FullLanguage"))

    with pytest.raises(CmdletFailed, match="not recognized"):
        session.invoke("Get-AksEdgeNodeAddr")
    assert session.language == "full"


def test_a_refused_script_is_not_permitted(session: Session) -> None:
    with pytest.raises(NotPermitted, match="takes no script text"):
        session.run_script("Get-ChildItem | Sort-Object")
    assert session.language == "none"


def test_a_script_gets_its_parameters(lab: Any, session: Session) -> None:
    @lab.device.command("<script>")
    async def run(call: Any, streams: Any, request: Any) -> None:
        streams.output([call.text, call.parameters[0].name, call.parameters[0].value])

    assert session.run_script("param($Name) $Name", Name="x").output == [["param($Name) $Name", "Name", "x"]]


def test_an_exception_of_the_listener_leaves_the_command_running(lab: Any, session: Session) -> None:
    endless(lab)

    with pytest.raises(ZeroDivisionError):
        session.invoke("Wait-Forever", on_record=lambda record: 1 // 0)  # type: ignore[arg-type,return-value]

    (invocation,) = session.running()
    assert invocation.state is InvocationState.RUNNING
    assert invocation.stop()


def test_a_shell_takes_more_commands_than_its_quota_because_each_is_terminated(lab: Any) -> None:
    lab.run(lab.listener.stop())
    lab.listener = WinRMListener(lab.device, quotas=Quotas(commands_per_shell=2))
    lab.run(lab.listener.start())

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    endless(lab)
    with Session.open(lab.target()) as session:
        for _ in range(3):
            session.invoke("Get-Greeting")
            session.start("Wait-Forever").stop()


def test_a_command_costs_as_many_requests_as_with_bare_pypsrp(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    count = 0
    send = _TransportHTTP._send_request

    def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return send(*arguments, **options)

    device = lab.target()
    bare = WSMan(
        device.endpoint.host,
        port=device.endpoint.port,
        username="PRESS-01\\aksadmin",
        password=lab.password,
        ssl=False,
        no_proxy=True,
    )
    with RunspacePool(bare) as pool, Session.open(device) as session:
        monkeypatch.setattr(_TransportHTTP, "_send_request", counting)
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet("Get-Greeting").invoke()
        pipeline.close()
        bare_count, count = count, 0
        session.invoke("Get-Greeting")
        assert count == bare_count
    bare.close()


def test_a_closed_session_takes_no_commands(lab: Any) -> None:
    session = Session.open(lab.target())
    session.close()
    session.close()

    assert not session.is_alive()
    with pytest.raises(UsageError, match="closed"):
        session.invoke("Get-Greeting")
