"""A device's way from bare Windows to a running cluster, its power, and what survives a restart of the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.sandbox.device.cluster_record import ClusterFile
from akslite_ps.sandbox.device.state import Hardware
from akslite_ps.sandbox.supervisor import Sandbox

if TYPE_CHECKING:
    from conftest import Bench


async def test_facts_tell_what_the_host_is_and_has(bench: Bench) -> None:
    facts = (await bench.one("Get-AksLiteFacts")).properties

    assert facts["ComputerName"] == "PRESS-01"
    assert (facts["OsBuild"], facts["OsVersion"], facts["OsInstallationType"]) == (19045, "10.0.19045", "Client")
    assert (facts["FreeMemoryMB"], facts["LogicalProcessors"]) == (12288, 8)
    assert set(facts["HostFeatures"].values()) == {"Disabled"}
    assert (facts["VirtualizationFirmwareEnabled"], facts["HypervisorPresent"]) == (True, False)
    assert (facts["ProductName"], facts["DeploymentExists"], facts["PendingReboot"]) == (None, False, False)
    assert facts["LanguageMode"] == "NoLanguage"


async def test_host_features_wait_for_a_restart(bench: Bench) -> None:
    before = await bench.one("Get-AksLiteBootTime")
    enabled = await bench.run("Enable-AksLiteHostFeatures")

    assert enabled.output[0].properties["RebootRequired"] is True
    assert len(enabled.output[0].properties["Changed"]) == 3
    assert enabled.progresses[-1].completed
    assert bench.device.state.summary == "features-pending-reboot"
    facts = (await bench.one("Get-AksLiteFacts")).properties
    assert set(facts["HostFeatures"].values()) == {"EnablePending"}
    assert facts["PendingReboot"] is True

    await bench.device.reboot()

    assert bench.device.state.summary == "prepared"
    facts = (await bench.one("Get-AksLiteFacts")).properties
    assert set(facts["HostFeatures"].values()) == {"Enabled"}
    assert (facts["PendingReboot"], facts["HypervisorPresent"]) == (False, True)
    assert await bench.one("Get-AksLiteBootTime") > before
    again = await bench.one("Enable-AksLiteHostFeatures")
    assert (again.properties["Changed"], again.properties["RebootRequired"]) == ([], False)


async def test_a_requested_reboot_happens_after_its_delay(bench: Bench) -> None:
    before = bench.device.state.boot_time
    answer = await bench.one("Request-AksLiteReboot", DelaySeconds=5, Reason="features")

    assert answer.properties["BootTime"] == before
    assert answer.properties["DueAt"] > before
    assert bench.device.state.power == "on"
    await bench.wait_until(lambda: bench.device.state.boot_time != before and bench.device.state.power == "on")


async def test_a_planned_reboot_is_forgotten_when_the_machine_restarts_before_it(bench: Bench) -> None:
    planned = bench.device.begin_reboot(3600 * 24)
    assert bench.device.begin_reboot(60) is planned

    await bench.device.reboot()

    assert planned.cancelled()
    assert bench.device.state.power == "on"


async def test_a_reboot_ends_what_runs_on_the_device(bench: Bench) -> None:
    sleeping = asyncio.ensure_future(bench.run(("Start-Sleep", {"Seconds": 3600})))
    await asyncio.sleep(0)

    await bench.device.reboot()

    with pytest.raises(asyncio.CancelledError):
        await sleeping


async def test_the_installer_brings_the_product_and_only_new_sessions_see_it(bench: Bench) -> None:
    earlier = bench.open()
    result = await bench.run(("Install-AksLiteMsi", {"Source": "C:\\Temp\\AksEdge-K3s-1.31.6-1.11.230.0.msi"}))

    properties = result.output[0].properties
    assert (properties["ExitCode"], properties["Product"], properties["Version"]) == (0, "AKS Edge Essentials - K3s", "1.11.230.0")
    assert bench.device.state.summary == "installed"
    assert (await bench.run_in(earlier, "Test-AksEdgeDeployment")).failed is not None
    assert (await bench.run("Test-AksEdgeDeployment")).output == [False]
    facts = (await bench.one("Get-AksLiteFacts")).properties
    assert (facts["ProductVersion"], facts["Distribution"], facts["InstallDir"]) == (
        "1.11.230.0",
        "K3s",
        "C:\\Program Files\\AksEdge",
    )


async def test_the_short_link_leads_to_the_newest_installer(bench: Bench) -> None:
    result = await bench.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k8s-msi-1.31", InstallDir="D:\\Edge")

    assert (result.properties["Product"], result.properties["Version"]) == ("AKS Edge Essentials - K8s", "1.11.247.0")
    assert bench.device.state.product is not None
    assert bench.device.state.product.kubernetes_version == "1.31.5"
    assert bench.device.state.product.install_dir == "D:\\Edge"


async def test_only_one_distribution_can_be_installed(prepared: Bench) -> None:
    result = await prepared.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k8s-msi")

    assert result.properties["ExitCode"] == 1603
    assert result.properties["Product"] == "AKS Edge Essentials - K3s"


@pytest.mark.parametrize(
    ("parameters", "error_id"),
    [
        ({"Source": "https://example.com/other.msi"}, "WebException"),
        ({"Source": "C:\\Temp\\other.msi"}, "FileNotFoundException"),
        ({"Source": "https://aka.ms/aks-edge/k3s-msi", "Sha256": "0" * 64}, "ChecksumMismatch"),
        ({"Source": "http://aka.ms/aks-edge/k3s-msi"}, "ParameterArgumentValidationError"),
        ({"Source": "https://aka.ms/aks-edge/k3s-msi", "Sha256": "short"}, "ParameterArgumentValidationError"),
    ],
)
async def test_an_installer_that_is_not_there_or_not_the_right_one_is_refused(
    bench: Bench, parameters: dict[str, str], error_id: str
) -> None:
    recorded = await bench.run(("Install-AksLiteMsi", parameters))

    assert recorded.failed is not None
    assert recorded.failed.error_id == f"{error_id},Install-AksLiteMsi"
    assert bench.device.state.product is None


async def test_install_host_features_asks_then_restarts_the_machine(bench: Bench) -> None:
    await bench.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")
    before = bench.device.state.boot_time
    unanswered = await bench.run("Install-AksEdgeHostFeatures")
    refused = await bench.run("Install-AksEdgeHostFeatures", answer=lambda *_: 2)
    done = await bench.run(("Install-AksEdgeHostFeatures", {"Confirm": False}))

    assert unanswered.failed is not None
    assert unanswered.host_calls[0][0] == "PromptForChoice"
    assert "Install the required features" in unanswered.host_calls[0][1][1]
    assert refused.output == [False]
    assert done.output == [True]
    assert done.host[:2] == [" - Checking host for required features", " - Checking the status of 'Microsoft-Hyper-V'"]
    await bench.wait_until(lambda: bench.device.state.boot_time != before and bench.device.state.features_enabled)


async def test_install_host_features_answers_true_although_it_complains(prepared: Bench) -> None:
    prepared.device.change_hardware(openssh_outdated=True)
    recorded = await prepared.run(("Install-AksEdgeHostFeatures", {"Force": None}))

    assert recorded.output == [True]
    assert any(line.startswith("OpenSSH.Client version does not meet") for line in recorded.host)


async def test_what_if_says_what_would_be_done_and_does_nothing(deployed: Bench) -> None:
    recorded = await deployed.run(("Remove-AksEdgeDeployment", {"WhatIf": None}))

    assert recorded.output == []
    assert recorded.host == ['What if: Performing the operation "Remove the deployment" on target "AksEdge Deployment".']
    assert deployed.device.state.summary == "deployed"


async def test_the_nodes_can_be_stopped_and_started(deployed: Bench) -> None:
    assert (await deployed.one("Test-AksEdgeNode", "Linux")) is True
    assert (await deployed.run("Stop-AksEdgeNode")).failed is None
    await deployed.wait_until(lambda: not deployed.device.cluster.is_node_up("Linux"))
    assert (await deployed.run("Get-AksLiteKubeConfig")).failed is not None
    assert (await deployed.run("Start-AksEdgeNode")).failed is None
    await deployed.wait_until(lambda: deployed.device.cluster.cluster is not None and deployed.device.cluster.cluster.is_ready())


async def test_a_cluster_comes_back_after_a_reboot(deployed: Bench) -> None:
    port = deployed.device.spec.kubernetes_port
    uid = _node_uid(deployed)
    await deployed.device.reboot()

    assert await deployed.one("Test-AksEdgeDeployment") is True
    await deployed.wait_until(lambda: deployed.device.cluster.cluster is not None and deployed.device.cluster.cluster.is_ready())
    assert deployed.device.spec.kubernetes_port == port
    assert _node_uid(deployed) == uid


async def test_a_removed_deployment_leaves_nothing(deployed: Bench) -> None:
    assert (await deployed.one("Remove-AksEdgeDeployment", Force=None)) is True
    assert deployed.device.state.summary == "installed"
    assert not ClusterFile(deployed.device.store.cluster_path).exists
    again = await deployed.run(("Remove-AksEdgeDeployment", {"Force": None}))
    assert again.failed is not None
    assert again.failed.message == "Please create a deployment before using this commandlet."
    assert await deployed.deploy() == "OK"


async def test_everything_survives_a_restart_of_the_sandbox(deployed: Bench, sandbox_on: Callable[..., Sandbox]) -> None:
    before, uid = deployed.device.state, _node_uid(deployed)
    deployed.device.add_fault("slow", factor=2)
    await deployed.sandbox.stop()

    second = sandbox_on()
    await second.start()
    try:
        device = second.devices["press-01"]
        assert device.state.deployment == before.deployment
        assert device.state.product == before.product
        assert device.state.boot_time == before.boot_time
        assert [fault.name for fault in device.state.faults] == ["slow"]
        assert device.accounts == deployed.device.accounts
        bench = type(deployed)(second, device)
        assert await bench.one("Test-AksEdgeDeployment") is True
        assert _node_uid(bench) == uid
    finally:
        await second.stop()


async def test_a_sandbox_that_stops_during_a_reboot_has_the_device_up_at_its_next_start(
    bench: Bench, sandbox_on: Callable[..., Sandbox]
) -> None:
    before = bench.device.state.boot_time
    await bench.one("Enable-AksLiteHostFeatures")
    bench.sandbox.pace.speed = 0.001
    bench.device.update(power="restarting")
    await bench.sandbox.stop()

    second = sandbox_on()
    await second.start()
    try:
        state = second.devices["press-01"].state
        assert state.power == "on"
        assert state.boot_time > before
        assert state.features_enabled
    finally:
        await second.stop()


async def test_what_happens_inside_a_cluster_is_kept_while_the_sandbox_runs(deployed: Bench) -> None:
    cluster = deployed.device.cluster.cluster
    assert cluster is not None
    deployed.device.cluster.save_if_changed()
    file = ClusterFile(deployed.device.store.cluster_path)
    _, before = file.load()
    cluster.set_node_ready("press-01-ledge", False)
    deployed.device.cluster.save_if_changed()

    _, after = file.load()
    assert after["revision"] > before["revision"]


async def test_a_damaged_file_is_named(bench: Bench, sandbox_on: Callable[..., Sandbox]) -> None:
    await bench.sandbox.stop()
    (bench.device.store.folder / "device.json").write_text("{", encoding="utf-8")

    with pytest.raises(AksLiteError, match=r"device\.json is missing or damaged"):
        await sandbox_on().start()


async def test_hardware_that_cannot_be_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="logical_processors"):
        bench.device.change_hardware(logical_processors="many")
    with pytest.raises(UsageError, match="memory"):
        bench.device.change_hardware(memory=1)


async def test_a_server_has_no_feature_of_clients_only(sandbox_on: Callable[..., Sandbox]) -> None:
    sandbox = sandbox_on()
    await sandbox.start()
    server = Hardware(
        os_caption="Microsoft Windows Server 2022 Standard",
        os_edition="ServerStandard",
        os_build=20348,
        os_installation_type="Server",
    )
    try:
        device = await sandbox.add_device(sandbox.next_spec(server))
        assert "Microsoft-Hyper-V-Hypervisor" not in device.state.features
    finally:
        await sandbox.stop()


def _node_uid(bench: Bench) -> Any:
    cluster = bench.device.cluster.cluster
    assert cluster is not None
    return next(iter(cluster.state.store.objects("nodes")))["metadata"]["uid"]
