"""How objects read: Format-Table and Format-List as text, tables as HTML."""

from __future__ import annotations

import datetime as dt
from typing import Any

from akslite_ps.remoting import PsEnum, PsObject
from akslite_ps.secrets import REDACTOR
from akslite_ps_kernel.result import PsOutput
from akslite_ps_kernel.values_view import WIDTH, View, cell_text, mime_bundle


def objects(*rows: dict[str, Any]) -> list[PsObject]:
    return [PsObject(row) for row in rows]


def text(values: list[Any], view: View | None = None) -> str:
    return mime_bundle(values, view)["text/plain"]


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert text(objects({"Name": "a", "Size": 5}, {"Name": "longer", "Size": 12345})).splitlines() == [
        "Name    Size",
        "----   -----".replace("----   -----", "----    ----"),
        "a          5",
        "longer 12345",
    ]


def test_one_object_with_five_properties_is_a_list_and_with_four_a_table() -> None:
    assert text(objects({"A": 1, "Bcd": [1, "x"], "C": None, "D": True, "E": "two\nlines"})).splitlines() == [
        "A   : 1",
        "Bcd : {1, x}",
        "C   :",
        "D   : True",
        "E   : two",
        "      lines",
    ]
    assert text(objects({"A": 1, "B": 2, "C": 3, "D": 4})).splitlines()[0] == "A B C D"


def test_texts_and_numbers_are_lines_without_html() -> None:
    bundle = mime_bundle(["a", 1, 2.0, True, None, PsEnum("Running", 4)])
    assert bundle == {"text/plain": "a\n1\n2\nTrue\n\nRunning"}


def test_values_of_different_kinds_are_shown_one_below_the_other() -> None:
    values = ["head", *objects({"A": 1}, {"A": 2}), *objects({"B": 3}), {"k": "v"}]
    assert text(values) == "head\n\nA\n-\n1\n2\n\nB\n-\n3\n\nName Value\n---- -----\nk    v"


def test_format_table_and_format_list_choose_properties_with_wildcards() -> None:
    row = {"Name": "x", "OsBuild": 1, "OsCaption": "c", "Other": 2, "More": 3}
    assert text(objects(row), View("table", ("Name", "os*"))).splitlines()[0] == "Name OsBuild OsCaption"
    assert text(objects(row), View("list", ("name", "Missing"))).splitlines() == ["Name    : x", "Missing :"]
    assert text(objects(row, row), View("list")).count("Name") == 2


def test_a_wide_table_stays_within_the_line_and_names_what_is_left_out() -> None:
    rows = objects(*({f"Property{n:02}": f"{n} " * 20 for n in range(20)} for _ in range(2)))
    lines = text(list(rows)).splitlines()
    assert all(len(line) <= WIDTH for line in lines[:-1])
    assert "..." in lines[2]
    assert lines[-1].startswith("(not shown here: Property")
    assert "Property19; | Format-List shows all)" in lines[-1]
    assert mime_bundle(rows)["text/html"].count("<th>") == 20


def test_many_objects_are_cut_and_counted() -> None:
    bundle = mime_bundle(objects(*({"N": n} for n in range(1200))))
    assert "500 of 1200 objects are shown" in bundle["text/plain"]
    assert bundle["text/html"].count("<tr>") == 501


def test_types_that_everybody_meets_show_their_usual_properties() -> None:
    row = {"Name": "Get-X", "CommandType": "Cmdlet", "Version": "1.0", "Source": "M", "Definition": "...", "Parameters": {}}
    command = PsObject(
        row, ("Deserialized.System.Management.Automation.CmdletInfo", "Deserialized.System.Management.Automation.CommandInfo")
    )
    assert text([command]).splitlines()[0] == "CommandType Name  Version Source"
    assert "Definition" in text([command], View("list"))
    assert text([PsObject(row)]).startswith("Name        : Get-X")


def test_html_is_escaped_and_secrets_are_hidden_in_both_forms() -> None:
    REDACTOR.add("hunter2-canary")
    bundle = mime_bundle(objects({"A": "<script>", "B": "pw hunter2-canary"}))
    assert "&lt;script&gt;" in bundle["text/html"]
    assert "hunter2-canary" not in bundle["text/html"] + bundle["text/plain"]


def test_cell_texts() -> None:
    assert cell_text(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)) == "2026-01-02 03:04:05Z"
    assert cell_text(dt.datetime(2026, 1, 2, 3, 4, 5)) == "2026-01-02 03:04:05"  # noqa: DTZ001
    assert cell_text({"a": 1, "b": [True, None]}) == "{a=1, b={True, }}"
    assert cell_text(1.5) == "1.5"


def test_a_result_is_a_list_that_shows_itself() -> None:
    output = PsOutput(objects({"A": 1}), View("list"))
    assert output[0]["a"] == 1
    assert output._repr_mimebundle_()["text/plain"] == "A : 1"
