"""The generated modules, as text: what PowerShell makes of them is tested with the engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter, switch
from akslite_ps.sandbox.pwsh.module_folder import ModuleFolders
from akslite_ps.sandbox.pwsh.module_text import literal, module_source, quoted


async def nothing(_call: Call) -> None:
    """Does nothing."""


def source(*parameters: object, **about: object) -> str:
    syntax = CommandSyntax("Get-Thing", parameters, **about)  # type: ignore[arg-type]
    return module_source([CommandInfo(syntax, nothing, "Things", synopsis="Tells things. #> Not the end.")], outputs={})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "$null"),
        (True, "$true"),
        (5, "5"),
        ("it's", "'it''s'"),
        ("$x `n \u2019", "'$x `n \u2019\u2019'"),
        (["a", 1], "@('a', 1)"),
    ],
)
def test_values_are_written_so_that_nothing_in_them_runs(value: object, expected: str) -> None:
    assert literal(value) == expected


def test_quoting_is_undone_by_reading() -> None:
    text = "a'b\u2018c"
    assert re.sub(r"(['\u2018])\1", r"\1", quoted(text)[1:-1]) == text


def test_a_parameter_has_its_attributes() -> None:
    text = source(
        parameter("Size", "Int32", sets=["A", "B"], mandatory=True, position=1, minimum=1, maximum=9, aliases=("s",), default=3),
        parameter("Kind", "String[]", allowed=("One", "Two"), from_pipeline=True),
        switch("Force"),
        default_set="A",
        should_process=True,
    )
    for expected in (
        "DefaultParameterSetName = 'A', PositionalBinding = $false, SupportsShouldProcess = $true, ConfirmImpact = 'Medium'",
        "[Parameter(ParameterSetName = 'A', Mandatory = $true, Position = 1)]",
        "[Parameter(ParameterSetName = 'B', Mandatory = $true, Position = 1)]",
        "[Alias('s')]",
        "[ValidateRange(1, 9)]",
        "[int] $Size = 3,",
        "[Parameter(ValueFromPipeline = $true)]",
        "[ValidateSet('One', 'Two')]",
        "[string[]] $Kind,",
        "[switch] $Force\n    )",
        "process { Invoke-SimulatedCommand",
    ):
        assert expected in text
    assert text.count("#>") == 1


def test_the_product_is_there_when_it_is_installed_and_a_folder_of_its_own_each_time(tmp_path: Path) -> None:
    folders = ModuleFolders(tmp_path)
    (windows,) = folders.write(None)
    first, _ = folders.write("1.10.868.0")
    second, same_windows = folders.write("1.11.247.0")
    assert windows == same_windows
    assert first != second
    manifest = (second / "AksEdge" / "AksEdge.psd1").read_text(encoding="utf-8-sig")
    assert "ModuleVersion = '1.11.247.0'" in manifest
    assert all(f"'{spec.name}'" in manifest for spec in load_catalog().current)
    assert not any(f"'{spec.name}'" in manifest for spec in load_catalog().values() if spec.status == "superseded")


def test_files_are_written_once(tmp_path: Path) -> None:
    folders = ModuleFolders(tmp_path)
    folders.write("1.11.247.0")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ps*")}
    folders.write("1.11.247.0")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ps*")}
