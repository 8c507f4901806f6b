"""Objects as text: the screen of Windows PowerShell 5.1, and its JSON, which differ from those of PowerShell 7."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.embedded.formatting import format_objects
from akslite_ps.sandbox.embedded.json_text import InvalidJson, from_json, to_json
from akslite_ps.sandbox.engine import EnumValue, PsValue, Version

if TYPE_CHECKING:
    from conftest import Desk

TWO = [PsValue({"Name": "b", "Size": 3}), PsValue({"Name": "long name", "Size": 10})]
WIDE = PsValue({"First": 1, "Second": "x" * 50, "Third": [1, 2, 3, 4, 5], "Fourth": {"k": 1}, "Fifth": None})


def lines_of(text: str) -> list[str]:
    assert "\n" not in text.replace("\r\n", "")
    return [line.rstrip() for line in text.split("\r\n")]


def test_a_table_has_a_blank_line_before_and_two_behind() -> None:
    assert lines_of(format_objects(TWO)) == ["", "Name      Size", "----      ----", "b            3", "long name   10", "", "", ""]


def test_more_than_four_properties_are_a_list() -> None:
    assert lines_of(format_objects([WIDE], width=40)) == [
        "",
        "",
        "First  : 1",
        f"Second : {'x' * 31}",
        f"         {'x' * 19}",
        "Third  : {1, 2, 3, 4...}",
        "Fourth : {k}",
        "Fifth  :",
        "",
        "",
        "",
        "",
    ]


def test_texts_stand_as_they_are_between_the_tables() -> None:
    assert lines_of(format_objects(["one", 2, *TWO[:1], True])) == [
        "one",
        "2",
        "",
        "Name Size",
        "---- ----",
        "b       3",
        "",
        "",
        "True",
        "",
    ]


def test_a_column_that_does_not_fit_is_cut_or_left_out() -> None:
    row = PsValue({"A": "a" * 30, "B": "b" * 30, "C": "c"})

    assert lines_of(format_objects([row], width=40))[1:4] == [
        "A                              B",
        "-                              -",
        f"{'a' * 30} bbbbbb...",
    ]


async def test_types_have_their_own_formats(desk: Desk) -> None:
    service = (await desk.text("Get-Service WinRM | Out-String")).output[0]
    command = (await desk.text("Get-Command gcm, Get-Date | Out-String")).output[0]
    table = (await desk.text("@{ Key = 'value' } | Out-String")).output[0]
    version = (await desk.text("$PSVersionTable.CLRVersion | Out-String")).output[0]

    assert lines_of(service)[1:4] == [
        "Status   Name               DisplayName",
        "------   ----               -----------",
        "Running  WinRM              Windows Remote Management (WS-Manag...",
    ]
    assert lines_of(command)[1].split() == ["CommandType", "Name", "Version", "Source"]
    assert lines_of(command)[3].startswith("Alias           gcm -> Get-Command")
    assert lines_of(command)[4].startswith("Cmdlet          Get-Date")
    assert lines_of(table)[1:4] == [
        "Name                           Value",
        "----                           -----",
        "Key                            value",
    ]
    assert lines_of(version)[3].split() == ["4", "0", "30319", "42000"]


async def test_columns_are_as_wide_as_their_content_unless_a_width_is_asked_for(desk: Desk) -> None:
    plain = (await desk.text("Get-Service WinRM | Format-Table Name, Status | Out-String")).output[0]
    spread = (await desk.text("Get-Service WinRM | ft @{n='Name'; e='Name'; w=9}, Status | Out-String -Width 30")).output[0]
    bare = (await desk.text("Get-Service WinRM | ft Name -HideTableHeaders | Out-String")).output[0]
    tight = (await desk.text("Get-Service WinRM | Format-Table -AutoSize | Out-String -Width 100")).output[0]

    assert lines_of(plain)[1:4] == ["Name   Status", "----   ------", "WinRM Running"]
    assert lines_of(spread)[1:4] == ["Name" + " " * 20 + "Status", "----" + " " * 20 + "------", "WinRM" + " " * 18 + "Running"]
    assert lines_of(bare) == ["", "WinRM", "", "", ""]
    assert lines_of(tight)[1:4] == [
        "Status  Name  DisplayName",
        "------  ----  -----------",
        "Running WinRM Windows Remote Management (WS-Management)",
    ]


@pytest.mark.parametrize(
    ("cell", "label", "lines"),
    [
        ("'abcdefghij'", "n='x'; w=6", ["x", "-", "abc..."]),
        ("'abcdefghij'", "n='x'; w=6; a='right'", ["     x", "     -", "...hij"]),
        ("'abc'", "n='x'; w=6; a='center'", ["  x", "  -", " abc"]),
        ("'abcdefghij'", "n='x'; w=3", ["x", "-", "abc"]),
        ("'a'", "n='long label'; w=5", ["long", "label", "-----", "a"]),
        ('"one`ntwo"', "n='x'; w=9", ["x", "-", "one..."]),
        ("$true", "n='truth'", ["truth", "-----", " True"]),
        ("$date", "n='when'", ["when", "----", "4/1/2026 1:05:09 PM"]),
        ("5d", "n='money'", ["money", "-----", "    5"]),
        ("@(1,2,3,4,5)", "n='x'", ["x", "-", "{1, 2, 3, 4...}"]),
    ],
)
async def test_cells_are_aligned_and_cut_as_on_the_screen(desk: Desk, cell: str, label: str, lines: list[str]) -> None:
    desk.runspace.variables.set("date", dt.datetime(2026, 4, 1, 13, 5, 9, tzinfo=dt.UTC))
    text = await desk.text(f"@{{v={cell}}} | Select-Object v | Format-Table @{{{label}; e='v'}} | Out-String")

    assert lines_of(text.output[0]) == ["", *lines, "", "", ""]


async def test_values_of_a_list_are_wrapped_behind_blanks_and_keep_their_line_ends(desk: Desk) -> None:
    text = await desk.text('@{v="one two three`nfour"} | Select-Object v | Format-List | Out-String -Width 12')

    assert lines_of(text.output[0]) == ["", "", "v : one two", "    three", "    four", "", "", "", ""]


async def test_what_has_no_properties_stands_for_itself_and_a_table_shows_its_entries(desk: Desk) -> None:
    numbers = await desk.text("1, 'x' | Format-Table | Out-String")
    entries = await desk.text("@{ a = 1 } | Format-Table Key, Value | Out-String")
    listed = await desk.text("@{ a = 1 } | Format-List | Out-String")
    length = await desk.text("'abc' | Format-Table Length | Out-String")

    assert lines_of(numbers.output[0]) == ["1", "x", ""]
    assert lines_of(entries.output[0])[1:4] == ["Key Value", "--- -----", "a       1"]
    assert lines_of(listed.output[0])[2:4] == ["Name  : a", "Value : 1"]
    assert lines_of(length.output[0])[1:4] == ["Length", "------", "     3"]


async def test_groups_have_headings(desk: Desk) -> None:
    text = (await desk.text("Get-Service | Format-List Name -GroupBy Status | Out-String")).output[0]

    assert [line for line in lines_of(text) if line] == ["   Status: Running", "Name : WinRM"]


async def test_long_values_are_wrapped_on_request(desk: Desk) -> None:
    text = (await desk.text("Get-Service WinRM | Format-Table DisplayName -Wrap | Out-String -Width 20")).output[0]

    assert lines_of(text)[3:6] == ["Windows Remote", "Management", "(WS-Management)"]


async def test_format_records_are_no_text_to_a_client(desk: Desk) -> None:
    heard = await desk.text("Get-Service WinRM | Format-Table Name")

    assert [value.type_names[0].rpartition(".")[2] for value in heard.output] == [
        "FormatStartData",
        "GroupStartData",
        "FormatEntryData",
        "GroupEndData",
        "FormatEndData",
    ]
    assert heard.output[0].properties["ClassId2e4f51ef21dd47e99d3c952918aff9cd"] == "033ecb2bc07a4d43b5ef94ed5a35d280"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("it's <b>&\"\\\n", '"it\\u0027s \\u003cb\\u003e\\u0026\\"\\\\\\n"'),
        ([1, 2.0, 1.5, Decimal("1.10")], "[1,2,1.5,1.10]"),
        (True, "true"),
        (EnumValue("E", 4, "Running"), "4"),
        (dt.datetime(2026, 4, 1, 13, 5, 9, 250000, tzinfo=dt.UTC), '"\\/Date(1775048709250)\\/"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Version("1.2"), '{"Major":1,"Minor":2,"Build":-1,"Revision":-1,"MajorRevision":-1,"MinorRevision":-1}'),
        ({"a": PsValue({"b": None})}, '{"a":{"b":null}}'),
        (b"\x01\x02", "[1,2]"),
    ],
)
def test_json_of_a_value(value: Any, text: str) -> None:
    assert to_json(value, depth=2, compress=True) == text


def test_json_is_laid_out_from_the_bracket_on() -> None:
    value = PsValue({"a": 1, "list": [1, {"x": "y"}], "none": [], "inner": PsValue({"b": True})})

    assert to_json(value, depth=4, compress=False).split("\r\n") == [
        "{",
        '    "a":  1,',
        '    "list":  [',
        "                 1,",
        "                 {",
        '                     "x":  "y"',
        "                 }",
        "             ],",
        '    "none":  [',
        "",
        "             ],",
        '    "inner":  {',
        '                  "b":  true',
        "              }",
        "}",
    ]


def test_below_its_depth_json_has_texts() -> None:
    deep = {"a": {"b": {"c": {"d": 1}, "l": [1, 2], "o": PsValue({"p": 1})}}}

    assert to_json(deep, depth=2, compress=True) == ('{"a":{"b":{"c":"System.Collections.Hashtable","l":"1 2","o":"@{p=1}"}}}')


def test_a_time_span_is_an_object_in_json() -> None:
    value = from_json(to_json(dt.timedelta(days=1, hours=2, seconds=3), depth=1, compress=True))

    assert {name: value.properties[name] for name in ("Days", "Hours", "Minutes", "Seconds", "Ticks")} == {
        "Days": 1,
        "Hours": 2,
        "Minutes": 0,
        "Seconds": 3,
        "Ticks": 936030000000,
    }


async def test_convert_to_json_takes_one_object_or_all(desk: Desk) -> None:
    one = await desk.text("@{ a = 1 } | ConvertTo-Json -Compress")
    more = await desk.text("1, 2 | ConvertTo-Json -Compress")
    shallow = await desk.text("@{ a = @{ b = @{ c = 1 } } } | ConvertTo-Json -Compress -Depth 1")

    assert (one.output, more.output) == (['{"a":1}'], ["[1,2]"])
    assert shallow.output == ['{"a":{"b":"System.Collections.Hashtable"}}']


async def test_convert_from_json_reads_objects_numbers_and_dates(desk: Desk) -> None:
    heard = await desk.text("""'{"a":[1,2.5,12345678901],"d":"\\/Date(0)\\/","n":{"b":null}}' | ConvertFrom-Json""")
    listed = await desk.text("'[1,2]' | ConvertFrom-Json")

    properties = heard.output[0].properties
    assert properties["a"] == [1, Decimal("2.5"), 12345678901]
    assert properties["d"] == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert properties["n"].properties == {"b": None}
    assert listed.output == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "error_id", "message"),
    [
        ("nope", "System.ArgumentException", "Invalid JSON primitive: nope."),
        ('{"a":1,"A":2}', "DuplicateKeysInJsonString", "contains the duplicated keys 'a' and 'A'."),
    ],
)
async def test_what_is_no_json_is_refused(desk: Desk, text: str, error_id: str, message: str) -> None:
    heard = await desk.run(desk.call("ConvertFrom-Json", text))

    assert heard.failed is not None
    assert heard.failed.error_id == f"{error_id},Microsoft.PowerShell.Commands.ConvertFromJsonCommand"
    assert message in heard.failed.message


@pytest.mark.parametrize("text", ["{'a':1}x", "[1", "NaN"])
def test_json_has_to_be_whole(text: str) -> None:
    with pytest.raises(InvalidJson):
        from_json(text)
