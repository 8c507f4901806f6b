"""A simulated device's own engine behind the protocol: merged streams, proxies' metadata, history, and who is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pypsrp.complex_objects import PSInvocationState
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from akslite_ps.sandbox import LocalSandbox


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSMan]:
    with LocalSandbox(tmp_path_factory.mktemp("sandbox"), devices=1, speed=1500) as sandbox:
        device = sandbox.devices[0]
        with WSMan(
            device.address,
            port=device.http_port,
            ssl=False,
            auth="negotiate",
            username=device.username,
            password=device.password_file.read_text(encoding="utf-8"),
            operation_timeout=10,
        ) as opened:
            yield opened


@pytest.fixture
def pool(connection: WSMan) -> Iterator[RunspacePool]:
    with RunspacePool(connection) as opened:
        yield opened


def invoked(pipeline: PowerShell, **how: Any) -> PowerShell:
    pipeline.invoke(**how)
    pipeline.close()
    return pipeline


def messages(records: list[Any]) -> list[str]:
    return [str(record) for record in records]


def test_errors_that_join_the_output_arrive_there_in_order(pool):
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Write-Output").add_argument(["before"])
    pipeline.add_statement()
    pipeline.add_cmdlet("Write-Error").add_argument("broken").merge_error("output")
    invoked(pipeline)
    assert messages(pipeline.output) == ["before", "broken"]
    assert (
        pipeline.output[1].fq_error
        == "Microsoft.PowerShell.Commands.WriteErrorException,Microsoft.PowerShell.Commands.WriteErrorCommand"
    )
    assert pipeline.streams.error == []


def test_warnings_can_join_the_output_or_be_dropped(pool):
    joined, dropped = PowerShell(pool), PowerShell(pool)
    joined.add_cmdlet("Write-Warning").add_argument("careful").merge_warning("output")
    dropped.add_cmdlet("Write-Warning").add_argument("careful").merge_warning("null")
    assert messages(invoked(joined).output) == ["careful"]
    assert invoked(dropped).output == []
    assert joined.streams.warning == dropped.streams.warning == []


def test_host_output_can_join_the_output_as_windows_sends_it(pool):
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Write-Host").add_argument("text").merge_information("output")
    with pytest.warns(UserWarning, match="MessageData"):
        # pypsrp does not know the form that the record has in the output (recorded), and takes it for any object.
        invoked(pipeline)
    (record,) = pipeline.output
    assert record.adapted_properties["Source"] == "Write-Host"
    assert record.extended_properties["WriteInformationStream"] is True
    assert pipeline.streams.information == []


def test_what_a_command_merges_is_input_of_the_next(pool):
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Write-Error").add_argument("broken").merge_error("output")
    pipeline.add_cmdlet("Select-Object").add_parameter("ExpandProperty", "FullyQualifiedErrorId")
    (identifier,) = invoked(pipeline).output
    assert identifier.startswith("Microsoft.PowerShell.Commands.WriteErrorException")
    assert pipeline.streams.error == []


def test_a_command_can_claim_the_errors_of_all_before_it(pool):
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Write-Error").add_argument("first")
    pipeline.add_cmdlet("Sort-Object")
    pipeline.add_cmdlet("Measure-Object")
    pipeline.merge_previous(enabled=True)
    (measured,) = invoked(pipeline).output
    assert measured.adapted_properties["Count"] == 1
    assert pipeline.streams.error == []


def test_errors_that_nobody_merges_stay_errors(pool):
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Write-Error").add_argument("broken")
    pipeline.add_cmdlet("Measure-Object").merge_error("output")
    (measured,) = invoked(pipeline).output
    assert measured.adapted_properties["Count"] == 0
    assert messages(pipeline.streams.error) == ["broken"]


def test_a_pipeline_goes_on_after_a_failed_statement_or_ends_there_as_the_client_wants(pool):
    for goes_on, output, state in ((True, ["after"], PSInvocationState.COMPLETED), (False, [], PSInvocationState.FAILED)):
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet("Get-Nothing").add_statement().add_cmdlet("Write-Output").add_argument("after")
        invoked(pipeline, redirect_shell_error_to_out=goes_on)
        assert (pipeline.output, pipeline.state) == (output, state)
        assert [error.fq_error for error in pipeline.streams.error] == ["CommandNotFoundException"]


def test_the_metadata_is_that_of_the_sessions_commands(pool):
    (service,) = pool.get_command_metadata("Get-Service")
    assert (service.namespace, str(service.command_type)) == ("Microsoft.PowerShell.Management", "Cmdlet")
    name = service.parameters["Name"]
    assert name.parameter_type == "System.String[]"
    assert service.parameters["Verbose"].switch_parameter
    assert service.parameters["ErrorAction"].aliases == ["ea"]
    names = [command.name for command in pool.get_command_metadata(["*-object", "gcm"])]
    assert names == sorted(names, key=str.casefold)
    assert {"gcm", "Select-Object", "Where-Object"} <= set(names)


def test_the_history_has_what_the_client_wanted_remembered(pool):
    for text, wanted in (("one", True), ("two", False), ("three", True)):
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet("Write-Output").add_argument(text)
        pipeline.add_cmdlet("Measure-Object")
        invoked(pipeline, add_to_history=wanted)
    listing = PowerShell(pool)
    listing.add_cmdlet("Get-History")
    entries = invoked(listing).output
    assert [entry.adapted_properties["Id"] for entry in entries] == [1, 2]
    assert {entry.adapted_properties["CommandLine"] for entry in entries} == {"Write-Output | Measure-Object"}
    assert {entry.adapted_properties["ExecutionStatus"] for entry in entries} == {"Completed"}


def test_a_session_knows_who_opened_it_and_what_the_client_says_of_itself(connection):
    pool = RunspacePool(connection)
    pool.open(application_arguments={"Ticket": "OPS-4711"})
    with pool:
        for text, value in (
            ("$PSSenderInfo.ApplicationArguments.Ticket", "OPS-4711"),
            ("$PSSenderInfo.ConnectedUser", connection.transport.username),
        ):
            pipeline = PowerShell(pool)
            pipeline.add_script(text)
            (output,) = invoked(pipeline).output
            assert output.endswith(value.rpartition("\\")[2])
