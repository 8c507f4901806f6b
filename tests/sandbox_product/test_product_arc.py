"""Connecting to Azure Arc and disconnecting: answers, agents, what stands in Azure, and that the secret is kept nowhere."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.azure.cloud import AzureAccess
from akslite_ps.sandbox.device.arc import OK, connectivity
from akslite_ps.sandbox.kubernetes.arc_agents import NAMESPACE, agents_work

if TYPE_CHECKING:
    from conftest import Bench

CANARY = "canary-4711-secret"


def arc_config(access: AzureAccess | None = None, **changes: Any) -> str:
    """A config with an Arc section only."""
    section = {
        "ClusterName": "press",
        "Location": access.location if access else "westeurope",
        "ResourceGroupName": access.resource_group if access else "edge",
        "SubscriptionId": access.subscription_id if access else "11111111-1111-1111-1111-111111111111",
        "TenantId": access.tenant_id if access else "22222222-2222-2222-2222-222222222222",
        "ClientId": access.client_id if access else "33333333-3333-3333-3333-333333333333",
        "ClientSecret": access.secret if access else CANARY,
    }
    return json.dumps({"Arc": {**section, **changes}})


def _files_with(text: str, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


async def connect(bench: Bench, text: str) -> Any:
    return await bench.run(("Connect-AksEdgeArc", {"JsonConfigString": text}))


def agents(bench: Bench) -> list[Any]:
    cluster = bench.device.cluster.cluster
    assert cluster is not None
    cluster.control_plane.advance()
    return list(cluster.state.store.objects("pods", NAMESPACE))


def _works(bench: Bench) -> bool:
    cluster = bench.device.cluster.cluster
    return cluster is not None and agents_work(cluster)


async def test_a_connection_answers_ok_and_becomes_connected_when_the_agents_work(deployed: Bench) -> None:
    access = deployed.device.azure.grant_access()
    before = await deployed.one("Test-AksEdgeArcConnection")
    recorded = await connect(deployed, arc_config(access))
    await deployed.wait_until(lambda: _works(deployed))

    assert before is False
    assert recorded.output == [OK]
    assert any("Establishing Azure Connected Kubernetes for press" in line for line in recorded.host)
    assert len(agents(deployed)) == 11
    assert await deployed.one("Test-AksEdgeArcConnection") is True
    assert (await deployed.one("Get-AksEdgeDeploymentInfo")).properties["Arc"].properties["Status"] == "Connected"
    cluster = deployed.device.azure.records.clusters[0]
    assert (cluster.name, cluster.group, cluster.kubernetes_version) == ("press", "edge", "v1.33.5+k3s1")
    assert cluster.tags["SKU"] == "AKSEdgeEssentials"


async def test_the_secret_is_kept_nowhere(deployed: Bench, tmp_path: Path) -> None:
    recorded = await connect(deployed, arc_config())
    archive = deployed.device.drive.read(await deployed.one("Get-AksEdgeLogs"))

    assert recorded.output == [OK]
    assert CANARY not in "".join(recorded.host)
    deployed.device.cluster.save()
    assert _files_with(CANARY, tmp_path) == []
    assert _files_with("AksEdge", tmp_path) != []
    assert archive is not None
    with zipfile.ZipFile(io.BytesIO(archive)) as logs:
        assert not any(CANARY.encode() in logs.read(name) for name in logs.namelist())


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"ClientSecret": "not it"}, "AADSTS7000215: Invalid client secret provided."),
        ({"ClientId": "44444444-4444-4444-4444-444444444444"}, "AADSTS700016"),
        ({"ResourceGroupName": "elsewhere"}, "Resource group 'elsewhere' could not be found."),
        ({"SubscriptionId": "55555555-5555-5555-5555-555555555555"}, "The subscription"),
        ({"ClusterName": "<cluster name>"}, "< was unexpected at this time"),
    ],
)
async def test_what_azure_refuses_is_the_answer(deployed: Bench, changes: dict[str, str], answer: str) -> None:
    access = deployed.device.azure.grant_access()
    recorded = await connect(deployed, arc_config(access, **changes))

    assert recorded.output[0].startswith("Exception occurred while connecting to cluster - ")
    assert answer in recorded.output[0]
    assert any("Exception Caught!!!" in line for line in recorded.host)
    assert agents(deployed) == []
    assert deployed.device.azure.records.clusters == ()
    errors = [entry.message for entry in deployed.device.events.entries("AKS Edge Essentials - K3s") if entry.level == "Error"]
    assert errors[-1].startswith("AksEdge - Connecting cluster to Azure Arc failed: ")
    assert "at Set-ArcConnectionInternal, " in errors[-1]


@pytest.mark.parametrize("text", ["{}", '{"Arc": {"ClusterName": "press"}}', "no json", '{"Arc": {"ClientSecret": ""}}'])
async def test_an_incomplete_arc_section_is_called_invalid(deployed: Bench, text: str) -> None:
    assert (await connect(deployed, text)).output == ["Azure Arc parameters not set or invalid"]


async def test_without_internet_nothing_is_reached(deployed: Bench) -> None:
    deployed.device.change_hardware(internet=False)

    assert "No such host is known." in (await connect(deployed, arc_config())).output[0]


async def test_a_principal_without_a_role_gets_ok_and_agents_that_never_start(deployed: Bench) -> None:
    access = deployed.device.azure.grant_access(roles=())
    recorded = await connect(deployed, arc_config(access))

    assert recorded.output == [OK]
    assert deployed.device.azure.records.clusters == ()
    await deployed.wait_until(lambda: any(pod["status"].get("phase") == "Running" for pod in agents(deployed)))
    assert sum(pod["status"].get("phase") == "Running" for pod in agents(deployed)) == 2
    assert await deployed.one("Test-AksEdgeArcConnection") is False


async def test_a_device_whose_clock_is_wrong_stays_connecting(deployed: Bench) -> None:
    deployed.device.add_fault("clock-skew", minutes=20)

    assert (await connect(deployed, arc_config())).output == [OK]
    assert connectivity(deployed.device) == "Connecting"


async def test_a_name_that_another_cluster_has_is_refused(deployed: Bench) -> None:
    assert (await connect(deployed, arc_config())).output == [OK]
    await deployed.one("Remove-AksEdgeDeployment", Force=True)
    left = [cluster.name for cluster in deployed.device.azure.records.clusters]
    await deployed.device.reboot()
    assert await deployed.deploy() == "OK"
    again = (await connect(deployed, arc_config())).output[0]

    assert left == ["press"]
    assert "already exists" in again
    deployed.device.azure.forget_cluster(deployed.device.azure.records.clusters[0].id)
    assert (await connect(deployed, arc_config())).output == [OK]


async def test_the_same_cluster_can_be_connected_again(deployed: Bench) -> None:
    assert (await connect(deployed, arc_config())).output == [OK]
    assert (await connect(deployed, arc_config())).output == [OK]
    assert len(deployed.device.azure.records.clusters) == 1


async def test_disconnecting_removes_the_resource_and_the_agents(deployed: Bench) -> None:
    await connect(deployed, arc_config())
    recorded = await deployed.run(("Disconnect-AksEdgeArc", {"JsonConfigString": arc_config()}))
    again = await deployed.run(("Disconnect-AksEdgeArc", {"JsonConfigString": arc_config()}))

    assert recorded.output == [OK]
    assert deployed.device.azure.records.clusters == ()
    await deployed.wait_until(lambda: agents(deployed) == [])
    assert await deployed.one("Test-AksEdgeArcConnection") is False
    assert "not connected" in again.output[0]


async def test_the_onboarding_role_is_not_enough_to_disconnect(deployed: Bench) -> None:
    access = deployed.device.azure.grant_access()
    await connect(deployed, arc_config(access))
    recorded = await deployed.run(("Disconnect-AksEdgeArc", {"JsonConfigString": arc_config(access)}))

    assert "does not have authorization to perform action 'Microsoft.Kubernetes/connectedClusters/delete'" in recorded.output[0]
    assert len(deployed.device.azure.records.clusters) == 1
    assert len(agents(deployed)) == 11


async def test_without_a_deployment_there_is_nothing_to_connect(prepared: Bench) -> None:
    refused = (await connect(prepared, arc_config())).failed

    assert refused is not None
    assert refused.message == "Please create a deployment before using this commandlet."


async def test_a_connection_survives_a_restart_of_device_and_sandbox(deployed: Bench, sandbox_on: Any) -> None:
    await connect(deployed, arc_config())
    await deployed.wait_until(lambda: _works(deployed))
    await deployed.device.reboot()
    await deployed.wait_until(lambda: _works(deployed))
    await deployed.sandbox.stop()

    second = sandbox_on()
    await second.start()
    try:
        await deployed.wait_until(lambda: connectivity(second.devices["press-01"]) == "Connected")
    finally:
        await second.stop()
