"""The device-side PowerShell module, parsed and run by a real PowerShell with stand-ins for what only Windows has."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import load_ops_catalog, ops

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell 7 (pwsh) is not on PATH"),
]
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins for programs of Windows are POSIX scripts")

MODULE = Path(str(files("akslite_ps.aksedge").joinpath("data", "AksLiteOps", "AksLiteOps.psd1")))
SOURCE = MODULE.with_suffix(".psm1")
MSI_HEAD = bytes.fromhex("D0CF11E0A1B11AE1")

# One process serves all tests; each script runs in a runspace of its own.
HOST = """
while ($null -ne ($line = [Console]::In.ReadLine())) {
    $job = ConvertFrom-Json $line
    foreach ($item in $job.environment.PSObject.Properties) { [Environment]::SetEnvironmentVariable($item.Name, $item.Value) }
    $shell = [powershell]::Create([initialsessionstate]::CreateDefault2())
    try { $answer = $shell.AddScript($job.script).Invoke() | Select-Object -Last 1 }
    catch { $answer = ConvertTo-Json -Compress @{ broken = "$($_.Exception.InnerException)" } }
    $shell.Dispose()
    [Console]::Out.WriteLine("answer $answer")
}
"""
CIM = """
$script:Boot = [datetime]::new(2026, 11, 22, 6, 0, 0, [System.DateTimeKind]::Utc)
$script:Objects = @{
    Win32_OperatingSystem = @{
        Caption = 'Windows 10 IoT'; Version = '10.0.19045'; BuildNumber = '19045'
        FreePhysicalMemory = 8GB / 1KB; LastBootUpTime = $script:Boot.ToLocalTime()
    }
    Win32_ComputerSystem = @{ HypervisorPresent = $false; NumberOfLogicalProcessors = 8; TotalPhysicalMemory = 16GB }
    Win32_Processor = @{ VirtualizationFirmwareEnabled = $true }
    Win32_NetworkAdapterConfiguration = @(
        @{ IPAddress = $null; DefaultIPGateway = $null }
        @{ IPAddress = @('192.168.10.5', 'fe80::1'); DefaultIPGateway = @('fe80::2', '192.168.10.1') }
    )
    SoftwareLicensingProduct = @{ LicenseStatus = 1 }
}
function Get-CimInstance {
    [CmdletBinding()] param($ClassName, $Filter, $Property)
    if (-not $script:Objects.ContainsKey($ClassName)) { throw "no $ClassName" }
    foreach ($found in $script:Objects[$ClassName]) { [pscustomobject] $found }
}
"""
DISM = """
$script:State = @{
    'Microsoft-Hyper-V' = 'Disabled'
    'Microsoft-Hyper-V-Management-PowerShell' = 'Enabled'
    'Microsoft-Hyper-V-Hypervisor' = 'EnablePending'
}
function Get-WindowsOptionalFeature {
    [CmdletBinding()] param([switch] $Online, $FeatureName)
    [pscustomobject]@{ State = $script:State[$FeatureName] }
}
function Enable-WindowsOptionalFeature {
    [CmdletBinding()] param([switch] $Online, $FeatureName, [switch] $All, [switch] $NoRestart)
    if (-not $NoRestart) { throw 'it would restart' }
    $script:State[$FeatureName] = 'EnablePending'
    [pscustomobject]@{ RestartNeeded = $true }
}
function Get-WindowsCapability {
    [CmdletBinding()] param([switch] $Online, $Name, [switch] $LimitAccess)
    [pscustomobject]@{ State = 'NotPresent' }
}
function Add-WindowsCapability {
    [CmdletBinding()] param([switch] $Online, $Name)
    if ($env:OFFLINE) { throw 'no source' }
    [pscustomobject]@{ RestartNeeded = $false }
}
"""
AKS_EDGE = """
function Get-AksEdgeKubeConfig {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param($KubeConfigPath, $NodeType)
    if (-not $PSCmdlet.ShouldProcess('kubeconfig')) { return }
    if ($env:NO_CONFIG) { return }
    [System.IO.File]::WriteAllText("$KubeConfigPath/config", "apiVersion: v1`nnode: $NodeType`n")
    $env:WRITTEN_TO = $KubeConfigPath
}
"""
VARIABLES = ("windir", "TMPDIR", "SystemDrive", "PROCESSOR_ARCHITECTURE", "OFFLINE", "NO_CONFIG")

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A PowerShell that runs the scripts given on its standard input, one a line."""
    script = tmp_path_factory.mktemp("host") / "host.ps1"
    script.write_text(HOST, encoding="utf-8-sig")
    command = ["pwsh", "-NoLogo", "-NoProfile", "-File", str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def powershell(host: subprocess.Popen[str], tmp_path: Path) -> Run:
    """Runs a script with the module loaded and returns what it outputs, through JSON."""
    modules = tmp_path / "modules"
    for name, text in (("CimCmdlets", CIM), ("Dism", DISM), ("AksEdge", AKS_EDGE)):
        (modules / name).mkdir(parents=True)
        (modules / name / f"{name}.psm1").write_text(text, encoding="utf-8")
    (tmp_path / "Windows" / "System32").mkdir(parents=True)

    def run(script: str, *, stand_ins: bool = True, **environment: str) -> Any:
        loading = [f"Import-Module '{modules / name}'" for name in ("CimCmdlets", "Dism", "AksEdge") if stand_ins]
        loading = ["$ErrorActionPreference = 'Stop'", *loading, f"Import-Module '{MODULE}'"]
        body = f"$result = & {{\n{script}\n}}\nConvertTo-Json -InputObject $result -Depth 5 -Compress"
        variables = {"windir": str(tmp_path / "Windows"), "TMPDIR": str(tmp_path), **environment}
        job = {"script": "\n".join([*loading, body]), "environment": {name: variables.get(name, "") for name in VARIABLES}}
        assert host.stdin is not None
        assert host.stdout is not None
        host.stdin.write(json.dumps(job) + "\n")
        host.stdin.flush()
        answer = next((line for line in host.stdout if line.startswith("answer ")), "answer null")
        return json.loads(answer.removeprefix("answer "))

    return run


def stand_in(tmp_path: Path, name: str, script: str) -> Path:
    """A program of Windows: notes its arguments beside itself, then runs the script."""
    program = tmp_path / "Windows" / "System32" / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "$0.arguments"\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    return program.with_name(f"{name}.arguments")


# -- form -----------------------------------------------------------------------------------------------------


def test_it_exports_what_the_catalog_says_with_the_same_parameters(powershell: Run) -> None:
    found = powershell(
        """
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters
        foreach ($command in Get-Command -Module AksLiteOps) {
            @{
                name = $command.Name
                parameters = @(foreach ($p in $command.Parameters.Values) {
                    if ($p.Name -in $common) { continue }
                    $attribute = $p.Attributes | Where-Object { $_ -is [System.Management.Automation.ParameterAttribute] }
                    $set = $p.Attributes | Where-Object { $_ -is [System.Management.Automation.ValidateSetAttribute] }
                    @{
                        name = $p.Name; type = $p.ParameterType.Name; mandatory = $attribute.Mandatory
                        allowed = @(if ($set) { $set.ValidValues }); positional = $attribute.Position -ge 0
                    }
                })
            }
        }
        """,
        stand_ins=False,
    )
    described = {item["name"]: {p["name"]: p for p in item["parameters"]} for item in found}
    catalog = load_ops_catalog()
    assert set(described) == {spec.name for spec in catalog.current}
    for spec in catalog.current:
        parameters = described[spec.name]
        assert set(parameters) == {p.name for p in spec.parameters}
        for parameter in spec.parameters:
            real = parameters[parameter.name]
            assert (real["type"], real["mandatory"], tuple(real["allowed"])) == (
                parameter.type,
                parameter.mandatory,
                parameter.allowed,
            )
            assert not real["positional"]


def test_it_keeps_to_the_language_of_5_1_and_names_every_command_in_full(powershell: Run) -> None:
    found = powershell(
        f"""
        $tokens = $errors = $null
        $ast = [System.Management.Automation.Language.Parser]::ParseFile('{SOURCE}', [ref] $tokens, [ref] $errors)
        $all = $ast.FindAll({{ $true }}, $true)
        @{{
            errors = $errors.Count
            functions = @(foreach ($a in $all) {{ if ($a.GetType().Name -eq 'FunctionDefinitionAst') {{ $a.Name }} }})
            commands = @(foreach ($a in $all) {{ if ($a.GetType().Name -eq 'CommandAst') {{ "$($a.GetCommandName())" }} }})
            newer = @($all | Where-Object {{ $_.GetType().Name -in 'TernaryExpressionAst', 'PipelineChainAst' }}).Count
            coalescing = @($tokens | Where-Object {{ "$($_.Kind)" -match 'QuestionQuestion|QuestionDot|QuestionLBracket' }}).Count
        }}
        """,
        stand_ins=False,
    )
    assert (found["errors"], found["newer"], found["coalescing"]) == (0, 0, 0)
    # An empty name is a call through a script block or a full path; Export-ModuleMember has no other form.
    unqualified = {name for name in found["commands"] if name and "\\" not in name}
    assert unqualified - set(found["functions"]) == {"Set-StrictMode", "Export-ModuleMember"}
    assert not {"Invoke-Expression", "iex", "Invoke-Command", "Start-Process"} & {n.rpartition("\\")[2] for n in found["commands"]}


def test_a_session_gets_the_functions_and_none_of_the_private_ones(powershell: Run) -> None:
    names = powershell(
        f"""
        $shell = [powershell]::Create([initialsessionstate]::CreateDefault2())
        $null = $shell.AddScript('{ops._DEFINE}').AddParameter('Source', [IO.File]::ReadAllText('{SOURCE}')).Invoke()
        $shell.Commands.Clear()
        $null = $shell.AddScript('(Get-Command -CommandType Function | Where-Object Source -eq AksLiteOps).Name')
        $null = $shell.AddStatement().AddScript('Get-Command Read-Fact -ErrorAction SilentlyContinue')
        $shell.Invoke()
        """,
        stand_ins=False,
    )
    assert sorted(names) == sorted(spec.name for spec in load_ops_catalog().current)


REFUSED = [
    "Install-AksLiteMsi -Source 'http://host/x.msi'",
    "Install-AksLiteMsi -Source 'x.msi'",
    "Install-AksLiteMsi -Source 'https://host/x.msi\" & calc'",
    'Install-AksLiteMsi -Source "https://host/x.msi`n"',
    "Install-AksLiteMsi -Source 'https://host/x.msi' -Sha256 'abc'",
    "Install-AksLiteMsi -Source 'https://host/x.msi' -InstallDir 'C:\\a\" TARGETDIR=\"D:'",
    "Install-AksLiteMsi -Source 'https://host/x.msi' -VhdxDir '\\\\server\\share'",
    "Install-AksLiteMsi -Source 'https://host/x.msi' -Features Everything",
    "Request-AksLiteReboot -Reason 'x' -DelaySeconds 1",
    'Request-AksLiteReboot -Reason "two`nlines"',
    "Request-AksLiteReboot -Reason 'x\\'",
    "Get-AksLiteKubeConfig -NodeType Both",
    "Get-AksLiteLeftover -VhdxDir '..\\secrets'",
    "Get-AksLiteWorkload -Kind Secrets",
    "Get-AksLiteWorkload -Kind Pods -Namespace 'x --kubeconfig=y'",
    "Get-AksLiteWorkload -Kind Pods -Namespace 'x\" --all-namespaces'",
    "Get-AksLiteWorkload -Kind Pods -Namespace '-x'",
]


def test_arguments_that_do_not_fit_are_refused_before_anything_runs(powershell: Run) -> None:
    tries = "\n".join(f"try {{ {call}; 'accepted' }} catch {{ $_.FullyQualifiedErrorId }}" for call in REFUSED)
    errors = powershell(tries, stand_ins=False)
    assert len(errors) == len(REFUSED)
    assert {error.partition(",")[0] for error in errors} == {"ParameterArgumentValidationError"}


# -- facts ----------------------------------------------------------------------------------------------------


def test_a_host_that_tells_nothing_still_gives_every_member(powershell: Run) -> None:
    facts = powershell("Get-AksLiteFacts", stand_ins=False)
    assert facts["OsBuild"] is None
    assert facts["Ip4Addresses"] == []
    assert facts["DeploymentExists"] is False


def test_facts_are_read_from_windows(powershell: Run) -> None:
    facts = powershell("Get-AksLiteFacts", SystemDrive="C:", PROCESSOR_ARCHITECTURE="AMD64")
    expected = {
        "OsCaption": "Windows 10 IoT",
        "OsBuild": 19045,
        "Architecture": "AMD64",
        "LogicalProcessors": 8,
        "TotalMemoryMB": 16384,
        "FreeMemoryMB": 8192,
        "VirtualizationFirmwareEnabled": True,
        "HypervisorPresent": False,
        "DefaultGateway": "192.168.10.1",
        "Ip4Addresses": ["192.168.10.5"],
        "PendingReboot": True,
        "PendingRebootReasons": ["Windows features"],
        "OpenSshClient": "NotPresent",
        "LanguageMode": "FullLanguage",
        "Activated": True,
        "ProductName": None,
        "FreeDiskGB": None,
    }
    assert {name: facts[name] for name in expected} == expected
    assert facts["HostFeatures"]["Microsoft-Hyper-V"] == "Disabled"
    assert facts["BootTime"].startswith("2026-11-22T06:00:00")
    assert facts["BootTime"].endswith("Z")


def test_the_boot_time_is_utc_and_its_absence_an_error(powershell: Run) -> None:
    assert powershell("(Get-AksLiteBootTime).ToString('o')") == "2026-11-22T06:00:00.0000000Z"
    assert powershell("try { Get-AksLiteBootTime } catch { 'failed' }", stand_ins=False) == "failed"


# -- changing -------------------------------------------------------------------------------------------------


@on_posix
def test_features_are_enabled_without_a_restart_and_sleep_is_switched_off(powershell: Run, tmp_path: Path) -> None:
    arguments = stand_in(tmp_path, "powercfg.exe", "exit 0")
    change = powershell("Enable-AksLiteHostFeatures")
    assert change == {"Changed": ["Microsoft-Hyper-V", "OpenSSH.Client"], "RebootRequired": True}
    assert arguments.read_text(encoding="utf-8").split()[:3] == ["/change", "standby-timeout-ac", "0"]


@on_posix
def test_a_missing_source_for_openssh_is_an_error_beside_the_result(powershell: Run, tmp_path: Path) -> None:
    stand_in(tmp_path, "powercfg.exe", "exit 0")
    found = powershell(
        "$r = Enable-AksLiteHostFeatures -ErrorAction SilentlyContinue -ErrorVariable e\n"
        "@{ result = $r; id = @($e)[-1].FullyQualifiedErrorId }",
        OFFLINE="1",
    )
    assert found["result"]["Changed"] == ["Microsoft-Hyper-V"]
    assert found["id"] == "OpenSshClientMissing,Enable-AksLiteHostFeatures"


def test_an_installer_is_taken_only_with_its_checksum(powershell: Run, tmp_path: Path) -> None:
    installer, page, folder = tmp_path / "x.msi", tmp_path / "page.html", tmp_path / "work"
    folder.mkdir()
    installer.write_bytes(MSI_HEAD + b"x" * 5_000_000)
    page.write_bytes(b"<html>sign in to this network</html>")
    digest = hashlib.sha256(installer.read_bytes()).hexdigest()
    found = powershell(
        f"""
        & (Get-Module AksLiteOps) {{
            (Save-Installer '{installer}' '{folder}' '{digest.upper()}').Sha256
            foreach ($try in @('{installer}', '{"0" * 64}'), @('{page}', ''), @('{tmp_path / "none.msi"}', '')) {{
                try {{ Save-Installer $try[0] '{folder}' $try[1] }} catch {{ $_.FullyQualifiedErrorId }}
            }}
        }}
        """,
        stand_ins=False,
    )
    assert found == [digest, "ChecksumMismatch", "NotAnInstaller", "FileNotFoundException"]


def test_a_download_never_leaves_https(powershell: Run) -> None:
    script = (
        "& (Get-Module AksLiteOps) { try { Open-Download ([uri] 'http://127.0.0.1/x.msi') } catch { $_.FullyQualifiedErrorId } }"
    )
    assert powershell(script, stand_ins=False) == "InsecureAddress"


@on_posix
@pytest.mark.parametrize("exit_code", [0, 42])
def test_the_installer_runs_without_questions_and_its_exit_code_is_returned(
    powershell: Run, tmp_path: Path, exit_code: int
) -> None:
    arguments = stand_in(tmp_path, "msiexec.exe", f"exit {exit_code}")
    found = powershell(
        r"""
        & (Get-Module AksLiteOps) {
            function script:Save-Installer {
                param($Source, $Folder, $Sha256) [pscustomobject]@{ Path = "$Folder/AksEdge.msi"; Sha256 = 'ab' }
            }
        }
        Install-AksLiteMsi -Source 'https://host/x.msi' -InstallDir 'D:\Aks Edge\' -VhdxDir 'E:\' -Features CoreFeature
        """
    )
    assert (found["ExitCode"], found["Product"], found["Sha256"]) == (exit_code, None, "ab")
    assert found["LogPath"].endswith(".log")
    given = arguments.read_text(encoding="utf-8").splitlines()
    assert given[0] == "/i"
    assert given[2:5] == ["/qn", "/norestart", "/l*v"]
    assert given[6:] == [r"INSTALLDIR=D:\Aks Edge", "VHDXDIR=E:", "ADDLOCAL=CoreFeature"]
    assert [folder.name for folder in (tmp_path / "Windows" / "AksLiteTemp").iterdir()] == ["logs"]


def test_a_windows_node_cannot_come_from_an_address(powershell: Run) -> None:
    call = "Install-AksLiteMsi -Source 'https://host/x.msi' -Features CoreFeature, WindowsNodeFeature"
    error = powershell(f"try {{ {call} }} catch {{ $_.FullyQualifiedErrorId }}", stand_ins=False)
    assert error == "WindowsNodeFilesMissing,Install-AksLiteMsi"


@on_posix
def test_a_restart_is_requested_from_windows_with_delay_and_reason(powershell: Run, tmp_path: Path) -> None:
    arguments = stand_in(tmp_path, "shutdown.exe", "exit 0")
    found = powershell("Request-AksLiteReboot -DelaySeconds 30 -Reason 'host features; it''s due'")
    assert found["BootTime"].startswith("2026-11-22T06:00:00")
    assert found["DueAt"].endswith("Z")
    assert arguments.read_text(encoding="utf-8").splitlines() == ["/r", "/t", "30", "/d", "p:4:1", "/c", "host features; it's due"]


@on_posix
def test_a_refused_restart_is_an_error(powershell: Run, tmp_path: Path) -> None:
    stand_in(tmp_path, "shutdown.exe", "echo access denied >&2; exit 5")
    found = powershell('try { Request-AksLiteReboot -Reason x } catch { @{ id = $_.FullyQualifiedErrorId; text = "$_" } }')
    assert found["id"] == "RebootRefused,Request-AksLiteReboot"
    assert "access denied" in found["text"]


def test_the_kubeconfig_is_returned_as_text_and_leaves_nothing_behind(powershell: Run) -> None:
    found = powershell(
        "$text = Get-AksLiteKubeConfig -NodeType Windows; @{ text = $text; left = [IO.Directory]::Exists($env:WRITTEN_TO) }"
    )
    assert found == {"text": "apiVersion: v1\nnode: Windows\n", "left": False}


def test_no_kubeconfig_is_an_error(powershell: Run) -> None:
    error = powershell("try { Get-AksLiteKubeConfig } catch { $_.FullyQualifiedErrorId }", NO_CONFIG="1")
    assert error == "KubeConfigMissing,Get-AksLiteKubeConfig"


# -- workloads ------------------------------------------------------------------------------------------------


@pytest.fixture
def kubectl(tmp_path: Path) -> Callable[[str], tuple[str, Path]]:
    """Puts a kubectl into the product's folder; returns what tells the module of it, and where its arguments are noted."""

    def make(script: str) -> tuple[str, Path]:
        folder = tmp_path / "Program Files" / "AksEdge"
        (folder / "kubectl").mkdir(parents=True)
        program = folder / "kubectl" / "kubectl.exe"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "$NO_PROXY" > "$0.arguments"\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        product = f"function script:Get-InstalledProduct {{ [pscustomobject]@{{ Folder = '{folder}' }} }}"
        return f"& (Get-Module AksLiteOps) {{ {product} }}", program.with_name("kubectl.exe.arguments")

    return make


@on_posix
@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("-Kind Pods", ["get", "pods", "--output=json", "--all-namespaces"]),
        ("-Kind Deployments -Namespace azure-arc", ["get", "deployments", "--output=json", "--namespace=azure-arc"]),
        ("-Kind Version", ["get", "--raw=/version"]),
    ],
)
def test_a_workload_is_read_by_the_products_kubectl(
    powershell: Run, kubectl: Callable[[str], tuple[str, Path]], call: str, arguments: list[str]
) -> None:
    installed, noted = kubectl("""printf '{"items": ["Überdruck"]}\n'""")
    found = powershell(
        f"{installed}; $all = @(Get-AksLiteWorkload {call})\n"
        "@{ count = $all.Count; text = $all[0]; left = [IO.Directory]::Exists($env:WRITTEN_TO); folder = $env:WRITTEN_TO }"
    )
    assert (found["count"], found["text"], found["left"]) == (1, '{"items": ["Überdruck"]}', False)
    folder = found["folder"]
    common = [f"--kubeconfig={folder}/config", f"--cache-dir={folder}", "--request-timeout=30s"]
    assert noted.read_text(encoding="utf-8").splitlines() == [*arguments, *common, "*"]


@on_posix
def test_more_than_a_pipe_holds_is_read(powershell: Run, kubectl: Callable[[str], tuple[str, Path]]) -> None:
    installed, _ = kubectl("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2")
    assert powershell(f"{installed}; (Get-AksLiteWorkload -Kind Nodes).Length") == 300000


@on_posix
def test_kubectls_failure_is_an_error_with_its_text(powershell: Run, kubectl: Callable[[str], tuple[str, Path]]) -> None:
    installed, _ = kubectl("echo 'Unable to connect to the server: EOF' >&2; exit 1")
    found = powershell(
        f"{installed}\n"
        "try { Get-AksLiteWorkload -Kind Nodes } catch {"
        ' @{ id = $_.FullyQualifiedErrorId; text = "$_"; left = [IO.Directory]::Exists($env:WRITTEN_TO) } }'
    )
    assert found == {
        "id": "KubectlFailed,Get-AksLiteWorkload",
        "text": "kubectl ended with 1: Unable to connect to the server: EOF",
        "left": False,
    }


def test_without_the_products_kubectl_nothing_is_read(powershell: Run) -> None:
    gone = "& (Get-Module AksLiteOps) { function script:Get-InstalledProduct { } }"
    error = powershell(f"{gone}; try {{ Get-AksLiteWorkload -Kind Nodes }} catch {{ $_.FullyQualifiedErrorId }}")
    assert error == "KubectlMissing,Get-AksLiteWorkload"


# -- Azure Arc and removal --------------------------------------------------------------------------------------

CONFIG = (
    '{\n  "Arc": {"ClientSecret" : "a\\"b/ü=", "ClientId": "id"},\n  "Auth": {"password":"x"},\n  "Größe": 1, "Password": ""\n}'
)
EMPTIED = '{\n  "Arc": {"ClientSecret" : "", "ClientId": "id"},\n  "Auth": {"password":""},\n  "Größe": 1, "Password": ""\n}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_secrets_in_left_configs_are_emptied_and_all_else_stays(powershell: Run, tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "left"
    (folder / "tools").mkdir(parents=True)
    config = folder / "tools" / "aide-userconfig.json"
    config.write_text(CONFIG, encoding=encoding, newline="")
    broken = folder / "other.json"
    broken.write_bytes(b'{"ClientSecret": "x", "Name": "\xff"}')
    (folder / "notes.txt").write_text(CONFIG, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.json").write_text(CONFIG, encoding="utf-8")
    if sys.platform != "win32":
        (folder / "link").symlink_to(elsewhere, target_is_directory=True)
        (folder / "link.json").symlink_to(elsewhere / "linked.json")
    where = f"& (Get-Module AksLiteOps) {{ $script:ConfigFolders = '{folder}', '{tmp_path / 'none'}' }}"

    listed = powershell(f"{where}; Clear-AksLiteConfigSecret -ListOnly", stand_ins=False)
    before = config.read_text(encoding=encoding)
    cleared = powershell(f"{where}; Clear-AksLiteConfigSecret", stand_ins=False)

    assert sorted(listed["Files"]) == sorted(cleared["Files"]) == sorted([str(config), str(broken)])
    assert (listed["Failed"], cleared["Failed"]) == ([], [str(broken)])
    assert before == CONFIG
    assert config.read_text(encoding=encoding) == EMPTIED
    assert config.read_bytes()[:2] == EMPTIED.encode(encoding)[:2]
    assert broken.read_bytes().endswith(b'\xff"}')
    assert (folder / "notes.txt").read_text(encoding="utf-8") == CONFIG
    assert (elsewhere / "linked.json").read_text(encoding="utf-8") == CONFIG


def test_addresses_that_do_not_answer_are_named(powershell: Run) -> None:
    script = """
    $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
    $listener.Start(); $port = $listener.LocalEndpoint.Port; $listener.Stop()
    & (Get-Module AksLiteOps) { param($port) $script:AzureAddresses = "https://127.0.0.1:$port", "https://localhost:$port" } $port
    $found = Test-AksLiteInternet
    @{ reached = $found.Reached; missed = $found.Missed.Count }
    """
    assert powershell(script, stand_ins=False) == {"reached": [], "missed": 2}


@on_posix
def test_the_product_is_uninstalled_by_its_id_without_questions(powershell: Run, tmp_path: Path) -> None:
    arguments = stand_in(tmp_path, "msiexec.exe", "exit 194")  # of 3010 a process here can only end with the low byte
    product = "{D27A0DD4-52C0-4C4B-8C77-1D8B0E2F6E31}"
    installed = (
        f"& (Get-Module AksLiteOps) {{ function script:Get-InstalledProduct {{ [pscustomobject]@{{ Id = '{product}' }} }} }}"
    )
    found = powershell(f"{installed}; Uninstall-AksLiteProduct")
    assert found["ExitCode"] == 194
    given = arguments.read_text(encoding="utf-8").splitlines()
    assert given[:5] == ["/x", product, "/qn", "/norestart", "/l*v"]
    assert given[5] == found["LogPath"]


@pytest.mark.parametrize(
    ("product", "error"), [("", "ProductNotInstalled"), ("[pscustomobject]@{ Id = 'AksEdge & calc' }", "NotAnInstallerProduct")]
)
def test_what_is_no_installed_package_is_not_uninstalled(powershell: Run, product: str, error: str) -> None:
    installed = f"& (Get-Module AksLiteOps) {{ function script:Get-InstalledProduct {{ {product} }} }}"
    found = powershell(f"{installed}; try {{ Uninstall-AksLiteProduct }} catch {{ $_.FullyQualifiedErrorId }}", stand_ins=False)
    assert found == f"{error},Uninstall-AksLiteProduct"


def test_left_disks_are_found_and_what_cannot_be_read_is_null(powershell: Run, tmp_path: Path) -> None:
    disks = tmp_path / "AksEdge"
    disks.mkdir()
    for name in ("press-01-ledge.vhdx", "press-01-wedge.vhdx", "AksEdge.vhdx"):
        (disks / name).write_bytes(b"")
    script = f"""
    & (Get-Module AksLiteOps) {{ function script:Get-InstalledProduct {{ [pscustomobject]@{{ Folder = '{disks}' }} }} }}
    Get-AksLiteLeftover
    """
    found = powershell(script, stand_ins=False)
    assert sorted(Path(disk).name for disk in found["NodeDisks"]) == ["press-01-ledge.vhdx", "press-01-wedge.vhdx"]
    assert (found["Switches"], found["Networks"]) == (None, None)
    assert found["Folders"] == []


def test_staged_files_are_listed_with_what_their_manifest_says(powershell: Run, tmp_path: Path) -> None:
    cache = tmp_path / "AKS-Edge" / "update-cache"
    (cache / "linux").mkdir(parents=True)
    (cache / "linux" / "image.bin").write_bytes(b"12345")
    (cache / "manifest.json").write_text('{"Version": "1.11.230.0"}', encoding="utf-8")
    if sys.platform != "win32":
        (cache / "elsewhere").symlink_to(tmp_path / "Windows", target_is_directory=True)
        (tmp_path / "Windows" / "notepad.exe").write_bytes(b"x")
    where = f"& (Get-Module AksLiteOps) {{ $script:UpdateFolder = '{tmp_path / 'AKS-Edge'}' }}"

    found = powershell(f"{where}; Get-AksLiteStagedUpdate", stand_ins=False)
    (cache / "manifest.json").unlink()
    (cache / "linux" / "image.bin").unlink()
    nothing = powershell(f"{where}; Get-AksLiteStagedUpdate", stand_ins=False)

    assert sorted(found["Files"]) == [str(cache / "linux" / "image.bin"), str(cache / "manifest.json")]
    assert (found["Bytes"], found["Manifest"], found["Folders"][0]) == (30, '{"Version": "1.11.230.0"}', str(cache))
    assert found["NewestAt"]
    assert (nothing["Files"], nothing["Bytes"], nothing["Manifest"], nothing["NewestAt"]) == ([], 0, None, None)
