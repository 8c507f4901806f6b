"""Select, sort, group and measure objects as Windows PowerShell 5.1 does, down to what it says against a wrong request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.engine import PsValue
from akslite_ps.sandbox.protocol.clixml import format_datetime

if TYPE_CHECKING:
    from conftest import Desk

ITEMS = [
    PsValue({"Name": "b", "Size": 3, "Tags": ["x", "y"]}),
    PsValue({"Name": "a", "Size": 1, "Tags": []}),
    PsValue({"Name": "C", "Size": 2}),
    PsValue({"Name": "b", "Extra": True}),
]


@pytest.fixture
def lines(desk: Desk) -> Any:
    """Runs a command line; ``$items`` and ``$words`` are there."""
    desk.runspace.variables.set("items", ITEMS)
    desk.runspace.variables.set("words", ["pear", "Apple", "apple", "fig", "Pear"])
    return desk.text


@pytest.mark.parametrize(
    ("request_text", "names"),
    [
        ("-First 1 -Last 1", ["b", "b"]),
        ("-First 1 -Last 9", ["b", "a", "C", "b"]),
        ("-First 1 -Last 1 -Skip 1", ["a", "b"]),
        ("-SkipLast 3", ["b"]),
        ("-Index 0, 2, 9", ["b", "C"]),
        ("-Skip 9", []),
        ("-Last 0", []),
    ],
)
async def test_select_object_takes_from_both_ends(lines: Any, request_text: str, names: list[str]) -> None:
    heard = await lines(f"$items | Select-Object {request_text} | ForEach-Object Name")

    assert heard.output == names


async def test_a_property_asked_for_twice_is_an_error_per_object(lines: Any) -> None:
    heard = await lines("$items | Select-Object Name, name")

    assert [e.error_id for e in heard.errors] == [
        "AlreadyExistingUserSpecifiedPropertyNoExpand,Microsoft.PowerShell.Commands.SelectObjectCommand"
    ] * len(ITEMS)
    assert [dict(value.properties) for value in heard.output] == [{"Name": item.properties["Name"]} for item in ITEMS]


@pytest.mark.parametrize(
    ("table", "error_id"),
    [
        ("@{n='x'; z='Size'}", "DictionaryKeyUnknown"),
        ("@{Descending=$true}", "DictionaryKeyUnknown"),
        ("@{Name=''}", "DictionaryMissingEntry"),
        ("@{n='x'; e=5}", "DictionaryKeyIllegalValue"),
    ],
)
async def test_a_table_that_is_no_property_is_refused(lines: Any, table: str, error_id: str) -> None:
    heard = await lines(f"$items | Select-Object {table}")

    assert [e.error_id for e in heard.errors] == [f"{error_id},Microsoft.PowerShell.Commands.SelectObjectCommand"]


@pytest.mark.parametrize(
    ("request_text", "sizes"),
    [
        ("Size", [1, 2, 3, None]),
        ("Size -Descending", [3, 2, 1, None]),
        ("@{Expression='Size'; Descending=$true}", [3, 2, 1, None]),
        ("@{e='Name'; a=$false}, Size", [2, 3, None, 1]),
        ("S*", [1, 2, 3, None]),
        ("Name -Unique", [1, 3, 2]),
    ],
)
async def test_sort_object_puts_what_lacks_the_property_last(lines: Any, request_text: str, sizes: list[int | None]) -> None:
    heard = await lines(f"$items | Sort-Object {request_text}")

    assert [value.properties.get("Size") for value in heard.output] == sizes


async def test_small_letters_come_before_capitals_where_case_matters(lines: Any) -> None:
    assert (await lines("$words | Sort-Object -CaseSensitive")).output == ["apple", "Apple", "fig", "pear", "Pear"]
    assert (await lines("'b', 'B', 'c' | Where-Object { $_.Length -eq 1 } | Sort-Object -CaseSensitive -Descending")).output == [
        "c",
        "B",
        "b",
    ]


async def test_group_object_groups_in_order_of_appearance(lines: Any) -> None:
    by_word = await lines("$words | Group-Object | Select-Object Name, Count")
    by_case = await lines("$words | Group-Object -CaseSensitive -NoElement")
    by_two = await lines("$items | Group-Object Name, Size")
    table = await lines("$items | Group-Object Name -AsHashTable -AsString")

    assert [tuple(v.properties.values()) for v in by_word.output] == [("pear", 2), ("Apple", 2), ("fig", 1)]
    assert [(v.properties["Name"], v.properties["Group"]) for v in by_case.output] == [
        (word, []) for word in ("pear", "Apple", "apple", "fig", "Pear")
    ]
    assert by_case.output[0].type_names[0] == "Microsoft.PowerShell.Commands.GroupInfoNoElement"
    assert [v.properties["Name"] for v in by_two.output] == ["b, 3", "a, 1", "C, 2", "b, "]
    assert {name: len(members) for name, members in table.output[0].items()} == {"b": 2, "a": 1, "C": 1}


async def test_measure_object_measures_numbers_text_and_extremes(lines: Any) -> None:
    numbers = (await lines("3, '10', 2.5 | Measure-Object -Sum -Average -Maximum -Minimum")).output[0]
    words = (await lines("$words | Measure-Object -Maximum -Minimum")).output[0]
    text = (await lines("'two words', \"a`nb`n\" | Measure-Object -Line -Word -Character -IgnoreWhiteSpace")).output[0]
    several = (await lines("$items | Measure-Object Name, S*, Extra")).output

    assert numbers.type_names[0] == "Microsoft.PowerShell.Commands.GenericMeasureInfo"
    assert list(numbers.properties.values()) == [3, 15.5 / 3, 15.5, 10.0, 2.5, None]
    assert words.type_names[0] == "Microsoft.PowerShell.Commands.GenericObjectMeasureInfo"
    assert (words.properties["Maximum"], words.properties["Minimum"]) == ("Pear", "apple")
    assert list(text.properties.values()) == [3, 4, 10, None]
    assert [(v.properties["Property"], v.properties["Count"]) for v in several] == [("Name", 4), ("Size", 3), ("Extra", 1)]


async def test_measure_object_says_what_it_cannot_measure(lines: Any) -> None:
    words = await lines("'x', 5 | Measure-Object -Sum")
    missing = await lines("$items | Measure-Object Nope -Sum")
    text = await lines("$items | Measure-Object Nope -Word")

    assert [(e.error_id, e.category) for e in words.errors] == [
        ("NonNumericInputObject,Microsoft.PowerShell.Commands.MeasureObjectCommand", "InvalidType")
    ]
    assert (words.output[0].properties["Count"], words.output[0].properties["Sum"]) == (2, None)
    assert [e.error_id.partition(",")[0] for e in missing.errors] == ["GenericMeasurePropertyNotFound"]
    assert [e.error_id.partition(",")[0] for e in text.errors] == ["TextMeasurePropertyNotFound"]


async def test_get_member_tells_each_kind_of_object_once(lines: Any) -> None:
    heard = await lines("$items | Select-Object -First 2 | Get-Member s*, Name")
    nothing = await lines("@() | Get-Member")

    assert [(v.properties["Name"], v.properties["MemberType"].name, v.properties["Definition"]) for v in heard.output] == [
        ("Name", "NoteProperty", "string Name=b"),
        ("Size", "NoteProperty", "int Size=3"),
    ]
    assert nothing.errors[0].error_id == "NoObjectInGetMember,Microsoft.PowerShell.Commands.GetMemberCommand"


async def test_a_broken_pattern_is_an_error_per_object(lines: Any) -> None:
    heard = await lines("$items | Where-Object Name -Match '('")

    assert [e.error_id for e in heard.errors] == ["BadOperatorArgument,Microsoft.PowerShell.Commands.WhereObjectCommand"] * 4
    assert heard.errors[0].message.startswith("The argument to operator 'Imatch' is not valid: parsing \"(\" - ")


async def test_a_service_is_called_as_it_was_named(desk: Desk) -> None:
    """Recorded: ``Get-Service -Name winrm`` answers with ``winrm``, whatever its entry in the registry says."""
    named = (await desk.text("Get-Service -Name winrm")).output[0]
    assert (named.properties["Name"], named.properties["ServiceName"], named.text) == ("winrm", "winrm", "winrm")
    sought = (await desk.text("Get-Service -Name win?m")).output[0]
    assert sought.properties["Name"] == "WinRM"


async def test_the_devices_time_is_a_local_one(desk: Desk) -> None:
    """.NET tells a local time with its offset, also where that is zero; Z is for times of UTC."""
    (now,) = (await desk.text("Get-Date")).output
    assert format_datetime(now).endswith("+00:00")
    (text,) = (await desk.text("Get-Date -Format o")).output
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", text)
