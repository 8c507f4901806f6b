"""The device's commands in a real PowerShell: found, bound, helped and asked by PowerShell, carried out by the device."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pypsrp.complex_objects import GenericComplexObject, PSInvocationState
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox.embedded.parameters import COMMON_PARAMETERS

if TYPE_CHECKING:
    from conftest import Devices

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH"),
]

Run = Callable[..., PowerShell]


def members(value: GenericComplexObject) -> dict[str, Any]:
    return {**value.adapted_properties, **value.extended_properties}


# -- as PowerShell sees them ----------------------------------------------------------------------------------


def test_the_module_is_the_catalog(run: Run) -> None:
    (text,) = run(
        """
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters + 'WhatIf' + 'Confirm'
        $found = foreach ($command in Get-Command -Module AksEdge) {
            @{
                Name = $command.Name; Set = $command.DefaultParameterSet; Output = @($command.OutputType | ForEach-Object Name)
                Confirms = $command.ScriptBlock.Attributes[0].SupportsShouldProcess
                Parameters = @(foreach ($p in $command.Parameters.Values) {
                    if ($p.Name -notin $common) {
                        $allowed = $p.Attributes | Where-Object { $_ -is [System.Management.Automation.ValidateSetAttribute] }
                        @{
                            Name = $p.Name; Switch = $p.SwitchParameter; Aliases = @($p.Aliases); Sets = @($p.ParameterSets.Keys)
                            Mandatory = @($p.ParameterSets.Values.IsMandatory); Allowed = @(if ($allowed) { $allowed.ValidValues })
                        }
                    }
                })
            }
        }
        ConvertTo-Json -InputObject $found -Depth 5 -Compress
        """
    ).output
    found = {item["Name"]: item for item in json.loads(text)}
    catalog = load_catalog().current
    common = {parameter.name for parameter in COMMON_PARAMETERS} | {"WhatIf", "Confirm"}
    assert set(found) == {spec.name for spec in catalog}
    for spec in catalog:
        item = found[spec.name]
        assert item["Confirms"] == spec.supports_shouldprocess
        assert item["Output"] == ([f"System.{spec.output_type}"] if spec.output_type else [])
        parameters = {p["Name"]: p for p in item["Parameters"]}
        own = [p for p in spec.parameters if p.name not in common]
        assert set(parameters) == {p.name for p in own}
        for parameter in own:
            real = parameters[parameter.name]
            assert (real["Switch"], tuple(real["Allowed"]), tuple(real["Aliases"])) == (
                parameter.switch,
                parameter.allowed,
                parameter.aliases,
            )
            assert set(real["Sets"]) == set(parameter.parameter_sets or ("__AllParameterSets",))
            assert set(real["Mandatory"]) == {parameter.mandatory}


def test_help_and_tab_are_powershells_own(run: Run) -> None:
    synopsis, described = run(
        "$help = Get-Help Get-AksEdgeNodeAddr; $help.Synopsis; (Get-Help New-AksEdgeDeployment -Parameter Force).description.Text"
    ).output
    assert synopsis == load_catalog()["Get-AksEdgeNodeAddr"].synopsis
    assert described == "Answers the question about TPM pass-through."
    completed = run("(TabExpansion2 'Get-AksEdgeNodeAddr -NodeType ' 30).CompletionMatches.CompletionText").output
    assert completed == ["Linux", "Windows"]
    assert "Get-AksEdgeNodeAddr" in run("(TabExpansion2 'Get-AksEdgeNodeA' 16).CompletionMatches.CompletionText").output


def test_nothing_of_the_machinery_is_in_sight(run: Run) -> None:
    assert run("Get-Command Invoke-SimulatedCommand, Read-Simulated* -ErrorAction SilentlyContinue").output == []
    assert run("Get-Command -Module AksLite.SimulatedWindows | ForEach-Object Name").output == ["Get-Service", "Restart-Computer"]


def test_the_product_is_there_in_sessions_opened_after_its_installation(own: Devices) -> None:
    count = (
        "(Get-Command -Module AksEdge -ErrorAction SilentlyContinue | Measure-Object).Count; "
        "(Get-Module -ListAvailable AksEdge).Version.Major"
    )

    def asked(pool: RunspacePool) -> list[Any]:
        pipeline = PowerShell(pool)
        pipeline.add_script(count)
        pipeline.invoke()
        pipeline.close()
        return [value for value in pipeline.output if value != ""]

    with own.connection(own.pwsh) as first, own.connection(own.pwsh) as second, RunspacePool(first) as before:
        assert asked(before) == [0]
        own.install(own.pwsh)
        with RunspacePool(second) as after:
            assert asked(after) == [len(load_catalog().current), 1]
        assert asked(before) == [0]


# -- what comes back ------------------------------------------------------------------------------------------


def test_what_is_no_wildcard_pattern_is_an_error_and_the_device_goes_on_answering(run: Run) -> None:
    refused = run("Get-Service '['")

    assert [error.fq_error for error in refused.streams.error] == ["RuntimeException,Get-Service"]
    assert str(refused.streams.error[0]) == "The specified wildcard character pattern is not valid: ["
    assert run("(Get-Service WinRM).Name").output == ["WinRM"]


def test_objects_are_live_and_typed(run: Run) -> None:
    kinds = run(
        """
        $system = Get-CimInstance Win32_OperatingSystem
        $system.LastBootUpTime.GetType().Name, $system.LastBootUpTime.Kind.ToString(), $system.FreePhysicalMemory.GetType().Name
        $service = Get-Service WinRM
        ($service.Status -eq 'Running'), $service.Status.GetType().FullName, $service.PSObject.TypeNames[0]
        (Get-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V).State.ToString()
        """
    ).output
    assert kinds[:3] == ["DateTime", "Utc", "Int32"]
    assert kinds[3:] == [
        True,
        "System.ServiceProcess.ServiceControllerStatus",
        "System.ServiceProcess.ServiceController",
        "Enabled",
    ]


def test_pipeline_objects_are_bound_by_powershell(run: Run) -> None:
    assert run("'WinRM', 'vmms' | Get-Service | ForEach-Object Name").output == ["WinRM", "vmms"]
    assert run("[pscustomobject]@{ Name = 'WinRM' } | Get-Service | ForEach-Object DisplayName").output == [
        "Windows Remote Management (WS-Management)"
    ]


def test_errors_have_the_id_category_and_type_of_a_device(run: Run) -> None:
    (error,) = run("Get-Service nope").streams.error
    assert error.fq_error == "NoServiceFoundForGivenName,Get-Service"
    assert (error.category, error.target_name, error.activity) == (13, "nope", "Get-Service")
    assert error.exception.types[0] == "Microsoft.PowerShell.Commands.ServiceCommandException"
    assert run("try { Get-Service nope -ErrorAction Stop } catch { $_.CategoryInfo.Reason }").output == ["ServiceCommandException"]
    assert run("Get-Service nope -ErrorAction SilentlyContinue -ErrorVariable e; $e.Count").output == [1]


def test_text_for_the_host_arrives_in_order_and_from_the_device(run: Run) -> None:
    pipeline = run("Test-AksEdgeNetworkParameters -JsonConfigString '{}'")
    assert pipeline.output == [False]
    records = pipeline.streams.information
    assert str(members(records[0].message_data)["Message"]) == "Validating AksEdge network parameters..."
    assert (records[0].computer, records[0].source, list(records[0].tags)) == ("PRESS-02", "Write-Host", ["PSHOST"])


# -- questions ------------------------------------------------------------------------------------------------


class Answering(PSHostUserInterface):
    """A host that gives one answer to every choice and notes the questions."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.answer = answer
        self.questions: list[str] = []

    def PromptForChoice(self, _runspace: Any, _pipeline: Any, caption: str, message: str, *_: Any) -> int:  # noqa: N802
        self.questions.append(f"{caption}: {message}")
        return self.answer


def test_confirmation_is_powershells_own(shared: Devices) -> None:
    yes, no = 0, 2
    screen = Answering(no)
    host = PSHost(None, None, False, "test", None, screen, "1.0")
    with shared.connection(shared.pwsh) as wsman, RunspacePool(wsman, host=host) as pool:

        def output(script: str) -> list[Any]:
            pipeline = PowerShell(pool)
            pipeline.add_script(script)
            pipeline.invoke()
            pipeline.close()
            return list(pipeline.output)

        assert output("Install-AksEdgeHostFeatures; Install-AksEdgeHostFeatures -Confirm:$false") == [False, True]
        assert len(screen.questions) == 1
        assert re.match(r"Confirm: Are you sure.*\n.*Install the required features.* on target .*", screen.questions[0])
        screen.answer = yes
        assert output("Install-AksEdgeHostFeatures") == [True]
        screen.answer = no
        assert output("$ConfirmPreference = 'None'; Install-AksEdgeHostFeatures") == [True]
        assert len(screen.questions) == 2


def test_what_if_changes_nothing(run: Run, shared: Devices) -> None:
    booted = shared.sandbox.device(shared.pwsh).state.boot_time
    assert run("Restart-Computer -WhatIf; Install-AksEdgeHostFeatures -WhatIf").output == [False]
    assert shared.sandbox.device(shared.pwsh).state.boot_time == booted


# -- the way to the device ------------------------------------------------------------------------------------


def test_a_stopped_pipeline_stops_the_work_on_the_device(own: Devices) -> None:
    device = own.sandbox.device(own.pwsh)
    device.clock._pace.speed = 1.0
    with own.connection(own.pwsh) as wsman, RunspacePool(wsman) as pool:
        pipeline = PowerShell(pool)
        pipeline.add_script("'begun'; Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -NoRestart")
        pipeline.begin_invoke()
        while device.is_idle:
            pipeline.poll_invoke(timeout=1)
        pipeline.stop()
        assert pipeline.state == PSInvocationState.STOPPED
        pipeline.close()
        while not device.is_idle:
            PowerShell(pool).add_script("1").invoke()
        assert device.state.features["Microsoft-Hyper-V"] == "Disabled"


def test_a_device_that_goes_down_ends_its_commands(own: Devices) -> None:
    with own.connection(own.pwsh) as wsman, RunspacePool(wsman) as pool:
        own.sandbox.run(own.sandbox.device(own.pwsh)._engine._calls.stop())  # type: ignore[union-attr]
        pipeline = PowerShell(pool)
        pipeline.add_script("Get-Service")
        pipeline.invoke()
        assert pipeline.streams.error[0].fq_error == "SimulatedDeviceGone,Get-Service"
        pipeline.close()


def test_calls_without_the_token_are_refused(run: Run, shared: Devices) -> None:
    host, port = run("$env:AKSLITE_SANDBOX_HOST; $env:AKSLITE_SANDBOX_PORT").output
    assert host.startswith("127.")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b'guessed {"program": "shutdown.exe", "arguments": ["/r"]}\n')
        assert connection.recv(100) == b""
    assert shared.sandbox.device(shared.pwsh).state.power == "on"


def test_paths_of_the_drive_are_the_devices(run: Run, shared: Devices) -> None:
    run("New-AksEdgeConfig -DeploymentType SingleMachineCluster -outFile C:\\work\\made.json")
    assert run("(Get-Content -Raw C:\\work\\made.json | ConvertFrom-Json).DeploymentType").output == ["SingleMachineCluster"]
    run("Set-Content -Path C:\\work\\own.json -Value '{}'")
    assert run("Test-AksEdgeNetworkParameters -JsonConfigFilePath C:\\work\\own.json").output == [False]
    assert shared.sandbox.device(shared.pwsh).read_file("c:\\WORK\\OWN.json") is not None
