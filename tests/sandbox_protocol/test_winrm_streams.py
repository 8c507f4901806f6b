"""What a pipeline writes reaches an unmodified pypsrp client, stream by stream."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import uuid
from decimal import Decimal

from pypsrp.complex_objects import PSInvocationState
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import TaggedValue
from pypsrp.wsman import SelectorSet

from akslite_ps.sandbox.engine import EnumValue, ErrorInfo, PipelineFailed, Progress, PsValue, Version


def test_every_stream_arrives_with_its_fields(served, run_command):
    async def talk(call, request, streams):
        streams.output("out")
        streams.warning("careful")
        streams.verbose("in detail")
        streams.debug("deeper")
        streams.information("seen", tags=("a", "b"), source="Get-Thing")
        streams.progress(Progress("Deploying", "pulling images", 40, 90, "layer 3", 1, 0))
        streams.error(
            ErrorInfo(
                "no such node",
                "NodeNotFound,Get-Node",
                category="ObjectNotFound",
                target="node-1",
                activity="Get-Node",
                position="At line:1",
            )
        )

    served.device.commands["Talk"] = talk
    with served.pool() as pool:
        done = run_command(pool, "Talk")
    assert done.state == PSInvocationState.COMPLETED
    assert done.output == ["out"]
    assert [record.message for record in done.streams.warning] == ["careful"]
    assert [record.message for record in done.streams.verbose] == ["in detail"]
    assert [record.message for record in done.streams.debug] == ["deeper"]
    information = done.streams.information[0]
    assert (information.message_data, information.source, information.tags) == ("seen", "Get-Thing", ["a", "b"])
    assert (information.computer, information.user) == ("PRESS-01", "PRESS-01\\aksadmin")
    assert information.time_generated == "2026-03-04T05:06:07Z"
    progress = done.streams.progress[0]
    assert (progress.activity, progress.description, progress.percent_complete, progress.seconds_remaining) == (
        "Deploying",
        "pulling images",
        40,
        90,
    )
    assert (progress.current_operation, progress.activity_id, progress.parent_activity_id) == ("layer 3", 1, 0)
    error = done.streams.error[0]
    assert str(error) == "no such node"
    assert error.fq_error == "NodeNotFound,Get-Node"
    assert error.message == "ObjectNotFound: (node-1:String) [Get-Node], RuntimeException"
    assert (error.category, error.activity, error.reason) == (13, "Get-Node", "RuntimeException")
    assert (error.target_name, error.target_type, error.target_object) == ("node-1", "String", "node-1")
    assert error.invocation_position_message == "At line:1"


def test_host_output_is_an_information_record_with_a_text(served, run_command):
    async def say(call, request, streams):
        streams.information("hello operator")

    served.device.commands["Say"] = say
    with served.pool() as pool:
        record = run_command(pool, "Say").streams.information[0]
    assert record.tags == ["PSHOST"]
    assert str(record.message_data) == "hello operator"


def test_terminating_error_fails_the_pipeline_with_its_record(served, run_command):
    async def give_up(call, request, streams):
        streams.output("before")
        raise PipelineFailed(
            ErrorInfo(
                "The syntax is not supported by this runspace.",
                "ScriptsNotAllowed",
                category="ParserError",
                exception_type="System.Management.Automation.ParseException",
                target="Get-Date; 1",
            )
        )

    served.device.commands["GiveUp"] = give_up
    with served.pool() as pool:
        failed = run_command(pool, "GiveUp")
        again = run_command(pool, "Echo", "still open")
    assert failed.state == PSInvocationState.FAILED
    assert failed.had_errors
    assert failed.output == ["before"]
    assert failed.streams.error[0].fq_error == "ScriptsNotAllowed"
    assert failed.streams.error[0].reason == "ParseException"
    assert again.output == ["still open"]


def test_an_unexpected_exception_becomes_a_failed_pipeline(served, run_command, caplog):
    async def crash(call, request, streams):
        raise ZeroDivisionError("division by zero")

    served.device.commands["Crash"] = crash
    with served.pool() as pool:
        failed = run_command(pool, "Crash")
    assert failed.state == PSInvocationState.FAILED
    assert str(failed.streams.error[0]) == "division by zero"
    assert "unexpected error" in caplog.text


def test_values_of_every_type_arrive(served, run_command):
    values = [
        None,
        True,
        7,
        2**31,
        2**63,
        1.5,
        "a <b> & \u0007 \U0001f600 _x0041_",
        b"\x00\xff",
        Decimal("10.50"),
        dt.datetime(2026, 1, 2, 3, 4, 5, 60000, tzinfo=dt.UTC),
        dt.timedelta(seconds=90),
        uuid.UUID(int=5),
        [1, "two"],
        {"Key": "Value"},
        Version("1.12.269.0"),
    ]

    async def all_types(call, request, streams):
        for value in values:
            streams.output(value)

    served.device.commands["Types"] = all_types
    with served.pool() as pool:
        output = run_command(pool, "Types").output
    # pypsrp takes null, a message without content, for an empty text.
    assert output == [
        "",
        True,
        7,
        2**31,
        2**63,
        1.5,
        "a <b> & \u0007 \U0001f600 _x0041_",
        b"\x00\xff",
        "10.50",
        "2026-01-02T03:04:05.06Z",
        "PT1M30S",
        uuid.UUID(int=5),
        [1, "two"],
        {"Key": "Value"},
        "1.12.269.0",
    ]


def test_objects_carry_type_names_text_and_nested_properties(served, run_command):
    async def objects(call, request, streams):
        streams.output(PsValue({"Name": "press", "Inner": PsValue({"Deep": [1]})}))
        streams.output(PsValue({"Version": "1"}, ("AksEdge.DeploymentInfo",), text="deployment"))
        streams.output(EnumValue("System.DayOfWeek", 1, "Monday"))

    served.device.commands["Objects"] = objects
    with served.pool() as pool:
        custom, typed, weekday = run_command(pool, "Objects").output
    assert custom.extended_properties["Name"] == "press"
    assert custom.extended_properties["Inner"].extended_properties["Deep"] == [1]
    assert str(custom).startswith("@{Name=press; Inner=@{Deep=")
    assert typed.types == ["AksEdge.DeploymentInfo", "System.Object"]
    assert typed.adapted_properties["Version"] == "1"
    assert str(typed) == "deployment"
    assert str(weekday) == "Monday"


def test_time_spans_keep_every_second(served, run_command):
    with served.pool() as pool:
        spans = [TaggedValue("TS", f"PT{seconds}S") for seconds in range(601)]
        echoed = run_command(pool, "Echo", *spans).output
    received = [parameter.value for parameter in served.device.requests[0].commands[0].parameters]
    assert received == [dt.timedelta(seconds=seconds) for seconds in range(601)]
    assert echoed[:1] == ["PT0S"]
    for seconds, text in enumerate(echoed[1:], start=1):
        minutes, rest = divmod(seconds, 60)
        assert text == "PT" + (f"{minutes}M" if minutes else "") + (f"{rest}S" if rest else "")


def test_five_megabytes_arrive_unchanged(served, run_command):
    text = "0123456789abcdef" * (5 * 1024 * 1024 // 16)

    async def large(call, request, streams):
        streams.output(text)

    served.device.commands["Large"] = large
    with served.pool() as pool:
        assert run_command(pool, "Large").output == [text]


def test_thousands_of_small_records_stay_in_order(served, run_command):
    async def many(call, request, streams):
        for number in range(4_000):
            streams.output(number)

    served.device.commands["Many"] = many
    with served.pool() as pool:
        assert run_command(pool, "Many").output == list(range(4_000))


def test_output_arrives_while_the_pipeline_runs(served):
    go_on = asyncio.Event()

    async def two_parts(call, request, streams):
        streams.output("first")
        await go_on.wait()
        streams.output("second")

    served.device.commands["TwoParts"] = two_parts
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("TwoParts")
        shell.begin_invoke()
        while not shell.output:
            shell.poll_invoke()
        assert shell.output == ["first"]
        served.post(go_on.set)
        shell.end_invoke()
        shell.close()
    assert shell.output == ["first", "second"]


def test_pipeline_input_is_complete_before_the_command_runs(served):
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Echo")
        shell.invoke(input=["a", 2, "x" * 700_000])
        shell.close()
    assert shell.output == ["a", 2, "x" * 700_000]


def test_commands_arrive_as_names_with_parameters(served):
    async def nothing(call, request, streams):
        return None

    served.device.commands |= {"Get-Thing": nothing, "Select-Object": nothing, "$x = 1": nothing}
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Thing").add_parameter("Name", "n").add_parameter("Force").add_argument(3)
        shell.add_cmdlet("Select-Object").add_statement().add_script("$x = 1")
        shell.invoke()
        shell.close()
    first, second, third = served.device.requests[0].commands
    assert [(p.name, p.value) for p in first.parameters] == [("Name", "n"), ("Force", None), (None, 3)]
    assert (first.is_script, first.end_of_statement, second.end_of_statement) == (False, False, True)
    assert (third.text, third.is_script) == ("$x = 1", True)
    assert served.device.requests[0].input is None


def test_errors_merged_into_the_output_arrive_there(served):
    async def complain(call, request, streams):
        streams.error(ErrorInfo("merged", "M"))
        streams.warning("dropped")

    served.device.commands["Complain"] = complain
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Complain").merge_error("output").merge_warning("null")
        shell.invoke()
        shell.close()
    assert [str(value) for value in shell.output] == ["merged"]
    assert shell.streams.error == []
    assert shell.streams.warning == []
    assert served.device.requests[0].commands[0].merges == {"error": "output", "warning": "null"}


def test_stop_reaches_a_pipeline_that_streams_output(served):
    ended = threading.Event()

    async def endless(call, request, streams):
        try:
            while True:
                streams.output("x" * 1_000)
                await asyncio.sleep(0.0005)
        finally:
            ended.set()

    served.device.commands["Endless"] = endless
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Endless")
        shell.begin_invoke()
        while not shell.output:
            shell.poll_invoke()
        shell.stop()
        assert ended.is_set(), "the answer to the signal comes after the pipeline has stopped"
        shell.close()


def test_a_stopped_pipeline_says_so_to_who_still_listens(served):
    running = threading.Event()

    async def wait(call, request, streams):
        running.set()
        await asyncio.Event().wait()

    served.device.commands["Wait"] = wait
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Wait")
        shell.begin_invoke()
        assert running.wait(5)
        stopper = threading.Thread(target=_stop_from_elsewhere, args=(served, pool.id, shell.id))
        stopper.start()
        shell.end_invoke()
        stopper.join(5)
        shell.close()
    assert shell.state == PSInvocationState.STOPPED
    assert shell.streams.error[0].fq_error == "PipelineStopped"


def _stop_from_elsewhere(served, shell_id: str, command_id: str) -> None:
    with served.client() as other:
        pool = RunspacePool(other)
        pool.id = pool.shell.id = shell_id
        pool.shell._selector_set = SelectorSet()
        pool.shell._selector_set.add_option("ShellId", shell_id)
        pool.shell.signal("powershell/signal/ctrl_c", command_id)
