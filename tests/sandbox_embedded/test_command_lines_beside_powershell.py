"""The same command lines on the simulated device and in PowerShell: objects, types, order, errors.

Every line is one of the simple command lines; both sides have the same variables. Where the device is Windows PowerShell 5.1 and
PowerShell 7 differs, the line is not here but in the tests beside; so are the finer points of the Utility module, of which a test
machine may have a reduced one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, cast

import pytest

from akslite_ps.sandbox.embedded.values import is_sequence, text_of, type_name_of
from akslite_ps.sandbox.engine import ErrorInfo, PsValue

if TYPE_CHECKING:
    from conftest import Desk

PWSH = shutil.which("pwsh")
pytestmark = [pytest.mark.pwsh, pytest.mark.skipif(PWSH is None, reason="needs PowerShell 7 on PATH")]

RUNNER = """
function global:describe($value, $depth = 0) {
    if ($null -eq $value) { return $null }
    if ($value -is [Collections.IDictionary]) {
        $found = [ordered] @{ '' = $value.GetType().Name }
        foreach ($key in @($value.Keys | Sort-Object)) { $found["$key"] = describe $value[$key] ($depth + 1) }
        return $found
    }
    if ($value -is [Collections.IList]) { return ,@($value | ForEach-Object { describe $_ ($depth + 1) }) }
    $type = $value.PSObject.TypeNames[0]
    if ($value -is [string] -or $value -is [ValueType] -or $value -is [version] -or $depth -gt 2) { return "$type|$value" }
    $found = [ordered] @{ '' = $type }
    foreach ($property in $value.PSObject.Properties) { $found[$property.Name] = describe $property.Value ($depth + 1) }
    $found
}
function refusal($record) {
    @{ id = $record.FullyQualifiedErrorId; category = "$($record.CategoryInfo.Category)"; activity = $record.CategoryInfo.Activity
       reason = $record.CategoryInfo.Reason; message = $record.ToString() }
}
$state = [initialsessionstate]::CreateDefault2()
$space = [runspacefactory]::CreateRunspace($state)
$space.Open()
function run($text) {
    $shell = [powershell]::Create()
    $shell.Runspace = $space
    $null = $shell.AddScript($text)
    $answer = @{ output = @(); errors = @() }
    try {
        $answer.output = @($shell.Invoke() | ForEach-Object { ,(describe $_) })
        $answer.errors = @($shell.Streams.Error | ForEach-Object { refusal $_ })
    }
    catch { $answer.failed = refusal $_.Exception.InnerException.ErrorRecord }
    $answer
}
$null = run $prepare
$results = foreach ($line in $lines) { run $line }
ConvertTo-Json -InputObject @($results) -Depth 9 -Compress
"""
ITEMS: list[Any] = [
    PsValue({"Name": "b", "Size": 3, "Tags": ["x", "y"]}),
    PsValue({"Name": "a", "Size": 1, "Tags": ["z"]}),
    PsValue({"Name": "C", "Size": 2, "Tags": []}),
    PsValue({"Name": "b", "Size": 3.5, "Extra": True}),
    PsValue({"Name": None, "Size": "10"}),
]
VARIABLES: dict[str, Any] = {
    "items": ITEMS,
    "three": ITEMS[:3],
    "words": ["pear", "Apple", "apple", "fig", "Pear"],
    "numbers": [3, 1, 2.5, 2, 3],
    "mixed": [10, "9", "b", 2, None, True],
    "table": {"One": 1, "two": "2", "list": [1, 2]},
    "nested": [1, [2, 3], []],
    "nothing": [],
}
LINES = tuple(
    line
    for line in r"""
# values
$numbers
$nested
$words.Count; $words.Length; $words[0]; $words[-1]; $words[99]
$items.Name
$items[0].Tags[1]
$items.Nope
$three.Tags
$x = 5; $x; $y = Write-Output 1 2; $y.Count; $z = Get-Nothing; $z.Count
"$numbers $($items[0].Name) $table [$nothing]"
$table.One; $table.two; $table['One']; $table.Nope; $table.Count
'a''b'; "a`tb"; 'x' | Write-Output
1.10; 0x10; 1kb; 1.5d; 10L; -5; 1e3
$nope; $nope.x; 'after'
$nope[0]; 'after'
$true, $false, $null
Write-Output $items[1].Name
@{ a = 1; b = @{ c = 2 } }
$words[1].Length
# what a line does about errors
Get-Nothing; 'after'
Write-Output
Write-Output -Nope
Select-Object -First x
Write-Error bad; 'after'
Write-Error bad -ErrorAction Stop; 'after'
Write-Error bad -ErrorAction SilentlyContinue; 'after'
Write-Error bad -ErrorAction Ignore -ErrorVariable e; $e.Count
Write-Error bad -ErrorVariable e -ErrorAction SilentlyContinue; $e.Count; "$e"
Write-Error bad -ErrorVariable e2 -ErrorAction 0; Write-Error worse -ErrorVariable +e2 -ErrorAction 0; $e2.Count
Write-Output 1 2 -OutVariable o; $o.Count
Write-Warning hm -WarningVariable w -WarningAction SilentlyContinue; $w.Count
exit 3; 'never'
'once'; exit
Write-Error bad -Category invalidData -ErrorId Mine -CategoryReason Because -CategoryActivity Doing
Write-Error -Message bad -TargetObject 5
$p = @{ InputObject = 'splat' }; Write-Output @p
$l = 'a','b'; Write-Output @l
Start-Sleep -Milliseconds 0
'x' | Start-Sleep
# Write-Output and pipelines
Write-Output 1,2 3
Write-Output 1,2 -NoEnumerate | Measure-Object | Select-Object -ExpandProperty Count
$nested | Write-Output
1,2 | Write-Output
$null | Write-Output
$nothing | Write-Output
# Select-Object
$items | Select-Object Name
$items | Select-Object n*
$items | Select-Object *
$items | Select-Object Name, Missing
$three | Select-Object -Property *e -ExcludeProperty Name
$three | Select-Object * -ExcludeProperty S*
$three | Select-Object @{n='N'; e='Size'}
$three | Select-Object Name, @{Label='Text'; Expression='Name'}
$three | Select-Object @{e='Size'}
$three | Select-Object @{n='x'}
$three | Select-Object -First 2
$three | Select-Object -Last 2
$three | Select-Object -Skip 1
$three | Select-Object -Skip 1 -First 1
$three | Select-Object -Skip 1 -Last 1
$three | Select-Object -SkipLast 2
$three | Select-Object -First 0
$three | Select-Object -First -1
$words | Select-Object -Index 0, 2
$words | Select-Object -Index 2, 0
$words | Select-Object -Index 99
$words | Select-Object -Unique
$numbers | Select-Object -Unique
$items | Select-Object Name -Unique
$three | Select-Object -ExpandProperty Size
$three | Select-Object -ExpandProperty Tags
$three | Select-Object Name -ExpandProperty Tags
$three | Select-Object -ExpandProperty Missing
$items | Select-Object -ExpandProperty Extra
$items | Select-Object -ExpandProperty Name
$words | Select-Object Length
5 | Select-Object Name
$table | Select-Object One, two, Nope
$three | Select-Object Size -First 1 | Select-Object Size
$words | Select-Object
Select-Object
Select-Object -InputObject 5
# Where-Object
$items | Where-Object Size -EQ 2
$items | Where-Object Size -NE 2
$items | Where-Object Size -GT 2
$items | Where-Object Size -LT 2
$items | Where-Object Size -GE 2
$items | Where-Object Size -LE 2
$items | Where-Object Name -EQ 'B'
$items | Where-Object Name -CEQ 'B'
$items | Where-Object Name -NE 'B'
$items | Where-Object Name -CNE 'B'
$items | Where-Object Name -GT 'B'
$items | Where-Object Name -LT 'B'
$items | Where-Object Name -Like 'B'
$items | Where-Object Name -CLike 'B'
$items | Where-Object Name -Match 'B'
$items | Where-Object Name -CMatch 'B'
$items | Where-Object Name -NotLike 'B'
$items | Where-Object Name -NotMatch 'B'
$items | Where-Object Name -CNotLike 'B'
$items | Where-Object Name -CNotMatch 'B'
$items | Where-Object Name -Like '[a-b]'
$items | Where-Object Name -Match '^[bc]$'
$items | Where-Object Name -In 'A','C'
$items | Where-Object Name -NotIn 'A','C'
$items | Where-Object Name -CIn 'A','C'
$items | Where-Object Tags -Contains 'X'
$items | Where-Object Tags -NotContains 'x'
$items | Where-Object Tags -CContains 'X'
$items | Where-Object Size
$items | Where-Object Missing
$items | Where-Object Name
$items | Where-Object Extra
$items | Where-Object { $_.Size -gt 1 }
$items | Where-Object { $_.Name -eq 'b' -and $_.Size -eq 3 }
$items | Where-Object -Property Name -EQ
$words | Where-Object Length -gt 3
$items | Where-Object Size -Is 'int'
$items | Where-Object Nope -EQ $null | Measure-Object | Select-Object -ExpandProperty Count
# Sort-Object
$words | Sort-Object
$words | Sort-Object -Descending
$words | Sort-Object -Unique
$numbers | Sort-Object
$numbers | Sort-Object -Unique -Descending
$mixed | Sort-Object
$items | Sort-Object Name | Select-Object Name, Size
$items | Sort-Object Size | Select-Object Name, Size
$items | Sort-Object Name, Size | Select-Object Name, Size
$items | Sort-Object Name, Size -Descending | Select-Object Name, Size
$items | Sort-Object Missing | Select-Object Name, Size
$items | Sort-Object Name -Unique | Select-Object Name
# Measure-Object
$items | Measure-Object
$numbers | Measure-Object -Sum -Average -Maximum -Minimum
$three | Measure-Object Size -Sum
$three | Measure-Object -Property Size -Average -Minimum -Maximum -Sum
$items | Measure-Object Size -Sum
$nothing | Measure-Object
$nothing | Measure-Object -Sum
$null | Measure-Object
# ForEach-Object
$three | ForEach-Object Name
$three | ForEach-Object Tags
$three | ForEach-Object -MemberName Size
$words | ForEach-Object Length
$three | ForEach-Object { $_.Name }
# ConvertFrom-Json
'{"a":"1","b":{"c":null}}' | ConvertFrom-Json
'{"a":["x",true]}' | ConvertFrom-Json
# Get-Date, Out-Null, Get-Random and the like
1,2 | Out-Null
Get-Date -Date '2026-04-01 13:05' -Format s
Get-Date -Format o -Date '2026-04-01' | Measure-Object | Select-Object -ExpandProperty Count
""".splitlines()
    if line and not line.startswith("# ")
)


def literal(value: Any) -> str:
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case int() | float():
            return str(value)
        case list():
            items = [literal(item) for item in value]
            return f"@(,{items[0]})" if len(items) == 1 else f"@({','.join(items)})"
        case PsValue(properties=properties):
            return "[pscustomobject] " + literal(dict(properties))
        case dict():
            return "[ordered] @{" + ";".join(f"{key}={literal(item)}" for key, item in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What PowerShell answers to every line, from one process."""
    script = tmp_path_factory.mktemp("lines") / "run.ps1"
    prepare = "\n".join(f"${name} = {literal(value)}".replace("[ordered] @{One", "@{One") for name, value in VARIABLES.items())
    parts = ["$prepare = " + literal(prepare), "$lines = @(\n" + ",\n".join(literal(line) for line in LINES) + "\n)", RUNNER]
    script.write_text("\n".join(parts), encoding="utf-8")
    assert PWSH is not None
    done = subprocess.run(
        [PWSH, "-NoLogo", "-NoProfile", "-File", str(script)], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return cast(list[dict[str, Any]], json.loads(done.stdout))


def described(value: Any, depth: int = 0) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {
            "": "Hashtable",
            **{str(key): described(value[key], depth + 1) for key in sorted(value, key=lambda k: str(k).casefold())},
        }
    if is_sequence(value):
        return [described(item, depth + 1) for item in value]
    if isinstance(value, PsValue) and depth <= 2:
        return {"": type_name_of(value), **{name: described(item, depth + 1) for name, item in value.properties.items()}}
    return f"{type_name_of(value)}|{text_of(value)}"


def refusal(error: ErrorInfo) -> dict[str, Any]:
    return {
        "id": error.error_id,
        "category": error.category,
        "activity": error.activity,
        "reason": error.reason or error.exception_type.rpartition(".")[2],
        "message": error.message,
    }


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what changed from Windows PowerShell 5.1 to PowerShell 7; a local call names another exception as the reason."""
    for record in [*answer["errors"], *([answer["failed"]] if "failed" in answer else [])]:
        if "ParentContainsErrorRecord" in record["reason"] or answer.get("failed"):
            record["reason"] = ""
        text = re.sub(
            r"[Tt]he input string '[^']*' was not in a correct format",
            "Input string was not in a correct format",
            record["message"],
        )
        text = re.sub(r"(is not recognized as) (a|the) name of.*", r"\1", text, flags=re.DOTALL)
        record["message"] = text.replace("\r\n", "\n").strip()
    return answer


async def test_every_line_answers_as_powershell_does(desk: Desk, theirs: list[dict[str, Any]]) -> None:
    assert len(theirs) == len(LINES)
    for name, value in VARIABLES.items():
        desk.runspace.variables.set(name, value)

    differences = []
    for line, answer in zip(LINES, theirs, strict=True):
        heard = await desk.text(line)
        mine: dict[str, Any] = {
            "output": [described(value) for value in heard.output],
            "errors": [refusal(e) for e in heard.errors],
        }
        if heard.failed is not None:
            mine["failed"] = refusal(heard.failed)
            mine["output"], mine["errors"] = [], []
        expected = comparable(answer)
        if comparable(mine) != expected:
            differences.append(f"{line}\n   PowerShell: {expected}\n   device:     {mine}")

    assert not differences, f"{len(differences)} of {len(LINES)}:\n" + "\n".join(differences[:60])
