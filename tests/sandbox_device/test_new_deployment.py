"""New-AksEdgeDeployment: its messages and answers, what it refuses, and what a broken one leaves behind."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.device.arc import connectivity

if TYPE_CHECKING:
    from conftest import Bench

ARC_VALUES = {
    "ClusterName": "press",
    "Location": "westeurope",
    "ResourceGroupName": "edge",
    "SubscriptionId": "11111111-1111-1111-1111-111111111111",
    "TenantId": "22222222-2222-2222-2222-222222222222",
    "ClientId": "33333333-3333-3333-3333-333333333333",
    "ClientSecret": "canary-4711-secret",
}


async def test_a_deployment_says_what_it_does_in_order_and_answers_ok(prepared: Bench) -> None:
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert recorded.output == ["OK"]
    assert recorded.errors == []
    assert recorded.progresses == []
    landmarks = [
        "Checking host for required features",
        "All required host features are installed",
        "Validating AksEdge network parameters...",
        "*** 0 errors found in the deployment configuration.",
        "AksEdge - deploying a new Linux single machine k3s cluster",
        "Step 1: Preparing host for AKS Edge Essentials - K3s",
        "Associating wssdagent service with nodectl",
        "Creating vnet (name: aksedgesw-int)",
        "Deploying AKS Edge Essentials - K3s",
        "Testing SSH connection",
        "Initializing kubernetes runtime in Linux node",
        "Waiting for Kubernetes node (press-01-ledge) to reach condition Ready, timeout = 300 seconds",
    ]
    lines = iter(recorded.host)
    for landmark in landmarks:
        assert any(landmark in line for line in lines), landmark
    assert re.match(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d\] Checking host", recorded.host[0])


async def test_a_deployed_device_answers_about_itself(deployed: Bench) -> None:
    info = (await deployed.one("Get-AksEdgeDeploymentInfo")).properties
    address = (await deployed.one("Get-AksEdgeNodeAddr", "Linux")).properties
    facts = (await deployed.one("Get-AksLiteFacts")).properties

    assert deployed.device.state.summary == "deployed"
    assert await deployed.one("Get-AksEdgeNodeName") == "press-01-ledge"
    assert address["Ip4Address"] == "192.168.0.2"
    assert info["LinuxNodeConfig"].properties["ServiceIpRange"] == "192.168.0.4-192.168.0.13"
    assert info["Arc"].properties["Status"] == "Disconnected"
    assert facts["FreeMemoryMB"] == 12288 - 4096
    assert facts["DeploymentExists"] is True


async def test_the_kubeconfig_leads_to_the_cluster_on_the_devices_address(deployed: Bench) -> None:
    text = await deployed.one("Get-AksLiteKubeConfig")

    spec = deployed.device.spec
    assert f"https://{spec.address}:{spec.kubernetes_port}" in text
    unanswered = await deployed.run("Get-AksEdgeKubeConfig")
    assert unanswered.failed is not None
    assert (await deployed.run(("Get-AksEdgeKubeConfig", {"Confirm": False}))).failed is None


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"User__AcceptEula": False}, "EULA"),
        ({"Network__NetworkPlugin": "calico"}, "Network.NetworkPlugin"),
        ({"Network__InternetDisabled": False}, "Azure Arc parameters not set or invalid"),
        ({"SchemaVersion": "1.99"}, "SchemaVersion"),
        ({"Machines__0__LinuxNode__CpuCount": "four"}, "Machines[0].LinuxNode.CpuCount"),
        ({"Machines__0__LinuxNode__Cpus": 4}, "Machines[0].LinuxNode.Cpus"),
    ],
)
async def test_a_config_that_does_not_fit_is_answered_with_the_failure(
    prepared: Bench, changes: dict[str, Any], answer: str
) -> None:
    assert answer in await prepared.deploy(**changes)
    assert prepared.device.state.deployment is None


@pytest.mark.parametrize(
    ("hardware", "answer"),
    [
        ({"total_memory_mb": 6144}, "New-Node failed with error Creation of Linux node failed"),
        ({"logical_processors": 2}, "New-Node failed with error Creation of Linux node failed"),
        ({"nested_virtualization_missing": True}, "New-Node failed with error Creation of Linux node failed"),
        ({"free_disk_gb": 5.0}, "There is not enough space on the disk."),
        ({"default_gateway": None}, "Failed to get nodeagent certificate: Not Found"),
    ],
)
async def test_a_host_that_is_too_small_or_not_connected_fails(prepared: Bench, hardware: dict[str, Any], answer: str) -> None:
    prepared.device.change_hardware(**hardware)

    assert await prepared.deploy() == answer
    assert prepared.device.state.summary == "installed"


async def test_without_the_features_nothing_is_deployed(bench: Bench) -> None:
    await bench.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")

    assert "Required host features are not installed" in await bench.deploy()


async def test_there_can_be_one_deployment_only(deployed: Bench) -> None:
    assert await deployed.deploy() == "AksEdge VM already deployed"
    assert deployed.device.state.summary == "deployed"


async def test_arc_values_connect_the_cluster_and_the_secret_is_kept_nowhere(prepared: Bench) -> None:
    assert await prepared.deploy(Network__InternetDisabled=False, Arc=ARC_VALUES) == "OK"

    await prepared.wait_until(lambda: connectivity(prepared.device) == "Connected")
    assert await prepared.one("Test-AksEdgeArcConnection") is True
    assert (await prepared.one("Get-AksEdgeDeploymentInfo")).properties["ClusterName"] == "press"
    files = [file for file in prepared.device.store.folder.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert b"canary-4711" not in file.read_bytes()


async def test_below_schema_1_16_missing_arc_values_are_the_answer_of_a_deployment_that_worked(bench: Bench) -> None:
    await bench.one("Enable-AksLiteHostFeatures")
    await bench.device.reboot()
    await bench.one("Install-AksLiteMsi", Source="\\\\server\\share\\AksEdge-K3s-1.30.6-1.10.868.0.msi")

    answer = await bench.deploy(SchemaVersion="1.15", Network__InternetDisabled=False)

    assert answer == "Azure Arc parameters not set or invalid"
    assert await bench.one("Test-AksEdgeDeployment") is True


async def test_network_parameters_are_checked_without_deploying(prepared: Bench) -> None:
    good = await prepared.run(("Test-AksEdgeNetworkParameters", {"JsonConfigString": prepared.config()}))
    bad = await prepared.run(
        ("Test-AksEdgeNetworkParameters", {"JsonConfigString": prepared.config(Network__NetworkPlugin="calico")})
    )

    assert good.output == [True]
    assert good.host == ["Validating AksEdge network parameters...", "*** 0 errors found in the deployment configuration."]
    assert bad.output == [False]


async def test_a_template_can_be_written_on_the_device_and_deployed_from_there(prepared: Bench) -> None:
    template = await prepared.one("New-AksEdgeConfig", outFile="C:\\Temp\\Config.json")
    from_file = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigFilePath": "c:\\temp\\config.JSON"}))
    missing = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigFilePath": "C:\\nope.json"}))

    assert template.properties["Machines"][0].properties["LinuxNode"].properties["CpuCount"] == 4
    assert "EULA" in from_file.output[0]
    assert missing.failed is not None
    assert missing.failed.error_id.startswith("PathNotFound")


async def test_a_fault_fails_the_deployment_at_its_stage_with_its_answer(prepared: Bench) -> None:
    prepared.device.add_fault("deployment-fails", at="kubernetes", answer="Starting Kubernetes runtime in Linux node failed")
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert recorded.output == ["Starting Kubernetes runtime in Linux node failed"]
    assert recorded.errors == []
    assert any("Testing SSH connection" in line for line in recorded.host)
    assert prepared.device.state.summary == "installed"
    prepared.device.clear_faults()
    assert await prepared.deploy() == "OK"


async def test_a_reboot_in_the_middle_leaves_a_half_deployment_to_be_removed(prepared: Bench) -> None:
    before = prepared.device.state.boot_time
    prepared.device.add_fault("reboot-during", at="kubernetes")
    deploying = asyncio.ensure_future(prepared.deploy())
    with pytest.raises(asyncio.CancelledError):
        await deploying
    await prepared.wait_until(lambda: prepared.device.state.power == "on")

    assert prepared.device.state.boot_time > before
    assert prepared.device.state.summary == "half-deployed"
    assert await prepared.one("Test-AksEdgeDeployment") is False
    assert (await prepared.one("Get-AksLiteFacts")).properties["DeploymentExists"] is True
    assert await prepared.deploy() == "AksEdge VM already deployed"
    assert await prepared.one("Remove-AksEdgeDeployment", Force=None) is True
    assert await prepared.deploy() == "OK"


async def test_a_deployment_that_is_stopped_early_leaves_nothing(prepared: Bench) -> None:
    prepared.sandbox.pace.speed = 1
    deploying = asyncio.ensure_future(prepared.deploy())
    await asyncio.sleep(0)
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying

    assert prepared.device.state.summary == "installed"


@pytest.mark.parametrize(("code", "installed", "pending"), [(1603, False, False), (1618, False, False), (3010, True, True)])
async def test_the_installers_exit_code_can_be_chosen(bench: Bench, code: int, installed: bool, pending: bool) -> None:
    bench.device.add_fault("msi-exit-code", code=code)
    result = await bench.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")

    assert result.properties["ExitCode"] == code
    assert (bench.device.state.product is not None) is installed
    assert (await bench.one("Get-AksLiteFacts")).properties["PendingReboot"] is pending


async def test_little_memory_shows_in_the_facts_and_fails_a_deployment(prepared: Bench) -> None:
    prepared.device.add_fault("low-memory", free_mb=900)

    assert (await prepared.one("Get-AksLiteFacts")).properties["FreeMemoryMB"] == 900
    assert "Creation of Linux node failed" in await prepared.deploy()


async def test_a_slow_device_takes_as_many_times_as_long(bench: Bench) -> None:
    normal = bench.device.clock.real_seconds(100)
    bench.device.add_fault("slow", factor=3)

    assert bench.device.clock.real_seconds(100) == pytest.approx(3 * normal)


async def test_a_pass_through_of_the_tpm_is_asked_for(prepared: Bench) -> None:
    text = json.loads(prepared.config())
    text["Machines"][0]["LinuxNode"]["TpmPassthrough"] = True
    unanswered = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": json.dumps(text)}))
    declined = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": json.dumps(text)}), answer=lambda *_: 2)
    confirmed = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": json.dumps(text), "Confirm": False}))

    assert unanswered.failed is not None
    assert declined.output == ["TPM pass-through was not confirmed."]
    assert confirmed.output == ["OK"]
