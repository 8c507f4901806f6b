"""Pipelines of the restricted runspace: commands pass objects, script text is refused, errors are PowerShell's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.engine import CommandCall, EnumValue, Parameter, PipelineRequest, PsValue

if TYPE_CHECKING:
    from conftest import Bench

ITEMS = [PsValue({"Name": name, "Size": size}) for name, size in (("b", 3), ("a", 1), ("C", 2))]


def names(values: list[Any]) -> list[Any]:
    return [value.properties["Name"] for value in values]


async def test_script_text_is_refused_as_in_no_language_mode(bench: Bench) -> None:
    recorded = await bench.run(CommandCall("1 + 1", is_script=True))

    assert recorded.failed is not None
    assert recorded.failed.error_id == "ScriptsNotAllowed"
    assert recorded.failed.category == "ParserError"
    assert recorded.failed.exception_type == "System.Management.Automation.ParseException"
    assert recorded.failed.message.startswith("The syntax is not supported by this runspace")


async def test_an_unknown_command_fails_the_pipeline(bench: Bench) -> None:
    recorded = await bench.run("Get-Nothing")

    assert recorded.failed is not None
    assert (recorded.failed.error_id, recorded.failed.category) == ("CommandNotFoundException", "ObjectNotFound")
    assert recorded.failed.target_name == "Get-Nothing"
    assert "The term 'Get-Nothing' is not recognized" in recorded.failed.message


async def test_the_product_has_no_cmdlets_before_it_is_installed(bench: Bench) -> None:
    assert (await bench.run("Get-AksEdgeNodeName")).failed is not None


async def test_commands_are_found_by_alias_case_and_module(bench: Bench) -> None:
    for name in ("gsv", "GET-SERVICE", "Microsoft.PowerShell.Management\\Get-Service"):
        assert (await bench.run((name, "WinRM"))).failed is None
    assert (await bench.run("Other.Module\\Get-Service")).failed is not None


async def test_a_pipeline_passes_objects(bench: Bench) -> None:
    recorded = await bench.run(
        ("Get-Service", {"Name": "*"}),
        ("Where-Object", "Status", {"EQ": None, "Value": "Running"}),
        ("Sort-Object", "Name"),
        ("Select-Object", {"Property": ["Name", "Status"], "First": 1}),
    )

    assert recorded.failed is None
    (service,) = recorded.output
    assert dict(service.properties) == {
        "Name": "WinRM",
        "Status": EnumValue("System.ServiceProcess.ServiceControllerStatus", 4, "Running"),
    }
    assert service.type_names[0] == "Selected.System.ServiceProcess.ServiceController"


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ({"Property": "Size", "GT": None, "Value": 1}, ["b", "C"]),
        ({"Property": "Size", "LE": None, "Value": "2"}, ["a", "C"]),
        ({"Property": "Name", "EQ": None, "Value": "c"}, ["C"]),
        ({"Property": "Name", "CEQ": None, "Value": "c"}, []),
        ({"Property": "Name", "NE": None, "Value": "a"}, ["b", "C"]),
        ({"Property": "Name", "Like": None, "Value": "[ab]"}, ["b", "a"]),
        ({"Property": "Name", "NotLike": None, "Value": "?"}, []),
        ({"Property": "Name", "Match": None, "Value": "^[bc]$"}, ["b", "C"]),
        ({"Property": "Name", "CMatch": None, "Value": "^[bc]$"}, ["b"]),
        ({"Property": "Name", "In": None, "Value": ["A", "b"]}, ["b", "a"]),
        ({"Property": "Size"}, ["b", "a", "C"]),
        ({"Property": "Missing"}, []),
    ],
)
async def test_where_object_compares_a_property(bench: Bench, parameters: dict[str, Any], left: list[str]) -> None:
    recorded = await bench.run(("Where-Object", parameters), input=ITEMS)

    assert recorded.failed is None
    assert names(recorded.output) == left


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ({"First": 2}, ["b", "a"]),
        ({"Last": 2}, ["a", "C"]),
        ({"Skip": 1}, ["a", "C"]),
        ({"Skip": 1, "First": 1}, ["a"]),
        ({"Skip": 1, "Last": 1}, ["a"]),
        ({"SkipLast": 2}, ["b"]),
        ({"Index": [0, 2]}, ["b", "C"]),
        ({"First": 0}, []),
    ],
)
async def test_select_object_takes_some_objects(bench: Bench, parameters: dict[str, Any], left: list[str]) -> None:
    recorded = await bench.run(("Select-Object", parameters), input=ITEMS)

    assert names(recorded.output) == left


async def test_select_object_takes_some_properties(bench: Bench) -> None:
    by_pattern = await bench.run(("Select-Object", {"Property": "s*"}), input=ITEMS)
    expanded = await bench.run(("Select-Object", {"ExpandProperty": "size"}), input=ITEMS)
    renamed = await bench.run(("Select-Object", {"Property": [{"n": "MB", "e": "Size"}]}), input=ITEMS)
    missing = await bench.run(("Select-Object", {"ExpandProperty": "Nope"}), input=ITEMS[:1])

    assert [dict(v.properties) for v in by_pattern.output] == [{"Size": 3}, {"Size": 1}, {"Size": 2}]
    assert expanded.output == [3, 1, 2]
    assert [dict(v.properties) for v in renamed.output] == [{"MB": 3}, {"MB": 1}, {"MB": 2}]
    assert missing.error_ids == ["ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand"]


async def test_select_object_unique_leaves_one_of_each(bench: Bench) -> None:
    assert (await bench.run(("Select-Object", {"Unique": None}), input=["a", "b", "a", "A"])).output == ["a", "b", "A"]


async def test_for_each_object_takes_a_property_of_every_object(bench: Bench) -> None:
    assert (await bench.run(("ForEach-Object", {"MemberName": "name"}), input=ITEMS)).output == [
        item.properties["Name"] for item in ITEMS
    ]
    assert (await bench.run(("%", "Nope"), input=ITEMS)).output == [None, None, None]


async def test_sort_object_orders_by_property_and_ignores_case(bench: Bench) -> None:
    assert names((await bench.run(("Sort-Object", "Name"), input=ITEMS)).output) == ["a", "b", "C"]
    assert names((await bench.run(("Sort-Object", "Size", {"Descending": None}), input=ITEMS)).output) == ["b", "C", "a"]
    assert (await bench.run(("Sort-Object", {"Unique": None}), input=[3, 1, 3])).output == [1, 3]


async def test_measure_object_counts_and_sums(bench: Bench) -> None:
    counted = await bench.run("Measure-Object", input=ITEMS)
    summed = await bench.run(("Measure-Object", "Size", {"Sum": None, "Average": None, "Maximum": None}), input=ITEMS)

    assert counted.output[0].properties["Count"] == 3
    properties = summed.output[0].properties
    assert (properties["Sum"], properties["Average"], properties["Maximum"], properties["Minimum"]) == (6.0, 2.0, 3.0, None)


async def test_enough_objects_stop_the_commands_before(bench: Bench) -> None:
    """Otherwise this pipeline would sleep for an hour."""
    async with asyncio.timeout(5):
        recorded = await bench.run(
            ("Write-Output", "first", "second"), ("Select-Object", {"First": 1}), ("Write-Output",), input=None
        )
        endless = await bench.run(("Start-Sleep",), ("Select-Object", {"First": 0}), input=[3600])

    assert recorded.output == ["first"]
    assert endless.output == []


async def test_a_pipeline_stops_when_its_task_is_cancelled(bench: Bench) -> None:
    task = asyncio.ensure_future(bench.run(("Write-Host", "begun"), ("Write-Output",)))
    await task
    sleeping = asyncio.ensure_future(bench.run(("Start-Sleep", {"Seconds": 3600})))
    await asyncio.sleep(0)
    sleeping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sleeping


async def test_every_stream_has_its_command(bench: Bench) -> None:
    runspace = bench.open()
    host = await bench.run_in(runspace, ("Write-Host", "a", 1))
    warned = await bench.run_in(runspace, ("Write-Warning", "careful"))
    failed = await bench.run_in(runspace, ("Write-Error", "bad", {"Category": "invalidData", "ErrorId": "Mine"}))
    shown = await bench.run_in(runspace, ("Write-Progress", "Doing", "half", {"PercentComplete": 50}))
    quiet = await bench.run_in(runspace, ("Write-Verbose", "hidden"))
    loud = await bench.run_in(runspace, ("Write-Verbose", "said", {"Verbose": None}))

    assert host.host == ["a 1"]
    assert warned.warnings == ["careful"]
    assert failed.failed is None
    assert (failed.errors[0].message, failed.errors[0].error_id) == ("bad", "Mine,Microsoft.PowerShell.Commands.WriteErrorCommand")
    assert (shown.progresses[0].activity, shown.progresses[0].status, shown.progresses[0].percent) == ("Doing", "half", 50)
    assert (quiet.verboses, loud.verboses) == ([], ["said"])


async def test_error_action_decides_what_an_error_does(bench: Bench) -> None:
    silent = await bench.run(("Write-Error", "bad", {"ErrorAction": "SilentlyContinue"}))
    stopped = await bench.run(("Get-Service", "nope", {"ErrorAction": "Stop"}))

    assert (silent.errors, silent.failed) == ([], None)
    assert stopped.failed is not None
    assert stopped.failed.error_id == "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand"


async def test_what_is_piped_into_a_command_without_pipeline_input_is_an_error_per_object(bench: Bench) -> None:
    recorded = await bench.run("Get-AksLiteBootTime", input=[1, 2])

    assert recorded.error_ids == ["InputObjectNotBound,Get-AksLiteBootTime"] * 2
    assert len(recorded.output) == 1


async def test_statements_run_one_after_the_other_and_only_the_last_can_fail_the_pipeline(bench: Bench) -> None:
    recorded = await bench.run(
        CommandCall("Get-Nothing", end_of_statement=True), CommandCall("Write-Output", [Parameter(None, "after")])
    )

    assert recorded.failed is None
    assert recorded.error_ids == ["CommandNotFoundException"]
    assert recorded.output == ["after"]


async def test_out_string_shows_objects_as_a_screen_does(bench: Bench) -> None:
    table = (await bench.run("Out-String", input=ITEMS)).output[0]
    wide = PsValue({name: number for number, name in enumerate("ABCDE")})
    listed = (await bench.run("Out-String", input=[wide])).output[0]

    assert [line.rstrip() for line in table.splitlines()][1:5] == ["Name Size", "---- ----", "b       3", "a       1"]
    assert listed.splitlines()[:4] == ["", "", "A : 0", "B : 1"]


async def test_get_command_lists_what_the_session_can_run(bench: Bench) -> None:
    everything = await bench.run("Get-Command")
    one = await bench.run(("Get-Command", "get-akslitefacts"))
    syntax = await bench.run(("Get-Command", "Start-Sleep", {"Syntax": None}))
    missing = await bench.run(("Get-Command", "Get-Nothing"))

    listed = names(everything.output)
    assert {"Get-AksLiteFacts", "Select-Object"} <= set(listed)
    assert not any("AksEdge" in name for name in listed)
    assert names(one.output) == ["Get-AksLiteFacts"]
    assert "Start-Sleep [-Seconds] <int> [<CommonParameters>]" in syntax.output[0]
    assert missing.error_ids == ["CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"]


async def test_get_help_tells_what_a_command_takes(bench: Bench) -> None:
    await bench.prepare()
    help_of = await bench.one("Get-Help", "Test-AksEdgeNode")
    of_parameter = await bench.one("Get-Help", "New-AksEdgeConfig", Parameter="DeploymentType")
    none = await bench.run(("Get-Help", "Get-Nothing"))

    syntax = "Test-AksEdgeNode [[-NodeType] {Linux | Windows | LinuxAndWindows}] [<CommonParameters>]"
    assert help_of.properties["syntax"].text == syntax
    assert syntax in help_of.text
    assert "SYNOPSIS" in help_of.text
    assert "Possible values: SingleMachineCluster, ScalableCluster" in of_parameter.text
    assert none.failed is not None


async def test_a_closed_runspace_runs_nothing(bench: Bench) -> None:
    runspace = bench.open()
    runspace.close()

    with pytest.raises(RuntimeError, match="closed"):
        await runspace.run(PipelineRequest([CommandCall("Get-Date")]), None)  # type: ignore[arg-type]


async def test_there_is_no_session_configuration_of_another_name(bench: Bench) -> None:
    with pytest.raises(LookupError, match="Nobody"):
        bench.device.open_runspace("Nobody.Made.This", "aksadmin")
