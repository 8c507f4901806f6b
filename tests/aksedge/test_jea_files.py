"""The files of the least-privilege endpoints: what stands in them, and that PowerShell reads them as data."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.jea_files import TRANSCRIPTS, export, role_capability_file, session_configuration_file
from akslite_ps.aksedge.roles import (
    OPERATORS,
    VIEWERS,
    RoleCapability,
    operator_role,
    session_configurations,
    viewer_role,
    with_installers,
)
from akslite_ps.errors import UsageError

PWSH = shutil.which("pwsh")
READ_AS_DATA = """
$faults = $null
$ast = [System.Management.Automation.Language.Parser]::ParseFile($args[0], [ref]$null, [ref]$faults)
if ($faults) { throw "$faults" }
$ast.Find({ param($node) $node -is [System.Management.Automation.Language.HashtableAst] }, $false).SafeGetValue() |
    ConvertTo-Json -Depth 8
"""


def read_by_powershell(file: Path) -> dict[str, Any]:
    if PWSH is None:
        pytest.skip("needs PowerShell 7 on PATH")
    script = file.with_name("read-as-data.ps1")
    script.write_text(READ_AS_DATA, encoding="utf-8")
    done = subprocess.run([PWSH, "-NoLogo", "-NoProfile", "-File", script, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def names(entries: Any) -> list[str]:
    return [entry if isinstance(entry, str) else entry["Name"] for entry in entries]


def test_powershell_reads_the_operators_role(tmp_path: Path) -> None:
    file = tmp_path / "AksEdgeOperator.psrc"
    file.write_text(role_capability_file(operator_role()), encoding="utf-8", newline="")
    data = read_by_powershell(file)
    assert data["ModulesToImport"] == ["AksEdge", "AksLiteOps"]
    plain = [command for command in operator_role().commands if command.kind == "Function"]
    assert [name.rpartition("\\")[2] for name in names(data["VisibleFunctions"])] == [command.name for command in plain]
    deployment = next(e for e in data["VisibleFunctions"] if isinstance(e, dict) and e["Name"] == "New-AksEdgeDeployment")
    assert [parameter["Name"] for parameter in deployment["Parameters"]] == ["JsonConfigString", "Confirm"]
    (services,) = data["VisibleCmdlets"]
    assert services == {
        "Name": "Get-Service",
        "Parameters": [{"Name": "Name", "ValidateSet": ["WinRM", "hns", "iphlpsvc", "vmms", "wssdagent"]}],
    }


def test_powershell_reads_a_session_configuration(tmp_path: Path) -> None:
    viewer = session_configurations()[0]
    file = tmp_path / "viewer.pssc"
    file.write_text(
        session_configuration_file(viewer, groups={VIEWERS: r"CORP\Edge viewers"}, transcripts=r"D:\It's here"),
        encoding="utf-8",
        newline="",
    )
    data = read_by_powershell(file)
    assert data["SessionType"] == "RestrictedRemoteServer"
    assert data["RunAsVirtualAccount"] is True
    assert data["TranscriptDirectory"] == r"D:\It's here"
    assert list(data["RoleDefinitions"].values()) == [{"RoleCapabilities": "AksEdgeViewer"}]


def test_a_restricted_command_does_not_carry_its_module() -> None:
    text = role_capability_file(viewer_role())
    assert "Name = 'AksEdge\\" not in text
    assert "'AksEdge\\Test-AksEdgeDeployment'" in text


def test_no_role_destroys_or_hands_out_power() -> None:
    forbidden = ("Remove-AksEdge", "Disconnect-", "Invoke-AksEdgeNodeCommand", "Copy-AksEdgeNodeFile", "KubeConfig", "ServiceToken")
    for role in (viewer_role(), operator_role()):
        assert not [c.name for c in role.commands if any(word in c.name for word in forbidden)]
    assert not [c.name for c in viewer_role().commands if c.name.split("-")[0] not in {"Get", "Test"}]


def test_everything_a_device_needs_is_written(tmp_path: Path) -> None:
    written = export(tmp_path / "jea", groups={OPERATORS: r"CORP\EdgeOps"})
    assert {path.relative_to(tmp_path / "jea").as_posix() for path in written} == {
        "AksLite.Operator.pssc",
        "AksLite.Viewer.pssc",
        "AksLiteOps/AksLiteOps.psd1",
        "AksLiteOps/AksLiteOps.psm1",
        "AksLiteRoles/AksLiteRoles.psd1",
        "AksLiteRoles/RoleCapabilities/AksEdgeOperator.psrc",
        "AksLiteRoles/RoleCapabilities/AksEdgeViewer.psrc",
        "README.md",
    }
    told = (tmp_path / "jea" / "README.md").read_text(encoding="utf-8")
    assert r"CORP\EdgeOps" in told
    assert "New-LocalGroup -Name 'AksEdge-Viewers'" in told
    assert "New-LocalGroup -Name 'AksEdge-Operators'" not in told
    assert "'AksEdge-Operators'" not in told
    assert TRANSCRIPTS in told


def test_the_same_files_come_out_again(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in export(tmp_path / "a")}
    assert {path.name: path.read_bytes() for path in export(tmp_path / "b")} == first


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "AksLite.Viewer.pssc").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists"):
        export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["AksLite.Viewer.pssc"]
    assert export(tmp_path, force=True)


@pytest.mark.parametrize("group", ["", "a'b", "$(rm)", "x;y"])
def test_a_name_that_is_no_groups_is_refused(tmp_path: Path, group: str) -> None:
    with pytest.raises(UsageError):
        export(tmp_path, groups={OPERATORS: group})
    with pytest.raises(UsageError, match="role group"):
        export(tmp_path, groups={"Admins": "x"})


def source_pattern(role: RoleCapability) -> re.Pattern[str]:
    command = next(command for command in role.commands if command.name == "Install-AksLiteMsi")
    pattern = next(parameter.pattern for parameter in command.parameters or () if parameter.name == "Source")
    assert pattern is not None
    return re.compile(pattern.replace(r"\z", r"\Z"), re.IGNORECASE)


MICROSOFTS = ["https://aka.ms/aks-edge/k3s-msi", "https://download.microsoft.com/a/b-1/AksEdge-K3s-1.33.5-1.12.269.0.msi"]
SHARED = [r"\\server\share\Aks Edge\AksEdge-K3s-1.33.5-1.12.269.0.msi"]
EVERYBODYS = [
    "https://evil.example/x.msi",
    "https://aka.ms/aks-edge/../evil",
    "https://aka.ms/evil",
    "https://aka.ms.evil.example/aks-edge/x",
    "https://download.microsoft.com/../../x.msi",
    "https://download.microsoft.com@evil.example/x.msi",
    "https://evil.example/?https://aka.ms/aks-edge/k3s-msi",
    r"\\server\share\Aks Edge\..\evil.msi",
    r"\\server\share\Aks Edge\sub\evil.msi",
    r"\\server\share\Aks Edge2\evil.msi",
    r"\\other\share\Aks Edge\evil.msi",
    r"C:\Users\me\evil.msi",
]


def test_an_operator_installs_from_microsoft_or_the_named_folder_only() -> None:
    """An installer runs with all rights: who may choose any is an administrator."""
    own, widened = source_pattern(operator_role()), source_pattern(with_installers(operator_role(), r"\\server\share\Aks Edge"))
    for source in MICROSOFTS:
        assert own.search(source), source
    for source in (*MICROSOFTS, *SHARED):
        assert widened.search(source), source
    for source in (*EVERYBODYS, *SHARED):
        assert not own.search(source), source
    for source in EVERYBODYS:
        assert not widened.search(source), source
    assert with_installers(viewer_role(), r"D:\x") == viewer_role()


@pytest.mark.parametrize("folder", ["", "share", r"\\server", "C:\\", r"C:\a\..", r"D:\a|b", r"\\s\share\*", "/srv/msi"])
def test_a_folder_for_installers_is_a_full_path_of_one(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="no folder for installers"):
        export(tmp_path, installers=folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["", "x", r"..\x", "/var/log", "C:", "C:\\a\nb", r"\\server\share", 'C:\\a"b'])
def test_transcripts_lie_in_a_folder_of_the_device(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="no folder for transcripts"):
        export(tmp_path / "jea", transcripts=folder)
    assert not (tmp_path / "jea").exists()


def test_what_the_page_says_to_run_is_powershell_and_names_local_groups_by_their_computer(tmp_path: Path) -> None:
    """Run with PowerShell, the commands that only Windows has replaced by ones that tell how they were called."""
    if PWSH is None:
        pytest.skip("needs PowerShell 7 on PATH")
    export(tmp_path / "jea", transcripts=r"D:\It's here", installers=r"\\server\share\aksedge")
    page = (tmp_path / "jea" / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```powershell\n(.*?)```", page, re.DOTALL)
    told = """
    $ErrorActionPreference = 'Stop'; $env:COMPUTERNAME = 'PRESS-01'; $env:ProgramFiles = $PWD.Path; $env:TEMP = $PWD.Path
    $null = New-Item -ItemType Directory -Force (Join-Path $PWD 'WindowsPowerShell/Modules')
    function Copy-Item { param([switch] $Recurse, [switch] $Force, $Path, $Destination) "copy $Path" }
    function New-LocalGroup { param($Name) "group $Name" }
    function New-Item { param($ItemType, [switch] $Force, $Path) "folder $Path" }
    function Register-PSSessionConfiguration {
        param($Name, $Path, [switch] $Force)
        $tree = [System.Management.Automation.Language.Parser]::ParseFile($Path.Replace('.pssc', '.psd1'), [ref]$null, [ref]$null)
        $table = $tree.Find({ param($node) $node -is [System.Management.Automation.Language.HashtableAst] }, $false).SafeGetValue()
        "register $Name $($table.RoleDefinitions.Keys)"
    }
    function Remove-Item { param($Path) "remove $Path" }
    """
    script = script.replace(
        "[System.IO.File]::WriteAllText($file, $text)", "[System.IO.File]::WriteAllText($file.Replace('.pssc', '.psd1'), $text)"
    )
    script = script.replace(" | Out-Null", "").replace("\\$name.pssc", "/$name.pssc")
    file = tmp_path / "run.ps1"
    file.write_text(told + script, encoding="utf-8")
    done = subprocess.run(
        [PWSH, "-NoLogo", "-NoProfile", "-File", file], capture_output=True, text=True, check=False, cwd=tmp_path / "jea"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert {"group AksEdge-Viewers", "group AksEdge-Operators", r"folder D:\It's here"} <= set(lines)
    assert r"register AksLite.Viewer PRESS-01\AksEdge-Viewers" in lines
    assert r"register AksLite.Operator PRESS-01\AksEdge-Operators" in lines
