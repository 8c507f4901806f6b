"""Clusters of several machines: the first one, joining as worker and as control plane, tokens, losing machines, leaving."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.device import join_tokens, updates
from akslite_ps.sandbox.device.arc import connectivity
from akslite_ps.sandbox.supervisor import Sandbox

if TYPE_CHECKING:
    from conftest import Kit

Machines = Callable[..., Awaitable[list[Any]]]
RUNTIME_FAILED = "Starting Kubernetes runtime in Linux node failed, see details in the event log at line"


async def test_the_first_machine_makes_a_cluster_on_the_external_switch(machines: Machines, kit: Kit) -> None:
    (first,) = await machines(1)
    recorded = await first.run(("New-AksEdgeDeployment", {"JsonConfigString": kit.scalable()}))

    assert recorded.output == ["OK"]
    assert any("aksedgesw-ext" in line for line in recorded.host)
    info = (await first.one("Get-AksEdgeDeploymentInfo")).properties
    assert info["DeploymentType"] == "ScalableCluster"
    assert info["LinuxNodeConfig"].properties["ServiceIpRange"] == "192.168.30.100-192.168.30.104"
    assert info["LinuxNodeConfig"].properties["Ip4Address"] == "192.168.30.21"
    assert kit.nodes(first) == {"press-01-ledge": True}


async def test_a_worker_that_joins_is_a_node_of_the_same_cluster(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    text = await kit.join_config(first)
    assert await kit.deploy(second, text) == "OK"

    assert kit.nodes(first) == {"press-01-ledge": True, "press-02-ledge": True}
    assert first.device.cluster.cluster is second.device.cluster.cluster
    kubeconfigs = [await bench.one("Get-AksLiteKubeConfig") for bench in (first, second)]
    assert kubeconfigs[0] == kubeconfigs[1]
    assert f"https://{first.device.address}:" in kubeconfigs[1]
    nodes = json.loads(await second.one("Get-AksLiteWorkload", Kind="Nodes"))["items"]
    roles = {node["metadata"]["name"]: "node-role.kubernetes.io/control-plane" in node["metadata"]["labels"] for node in nodes}
    assert roles == {"press-01-ledge": True, "press-02-ledge": False}
    stored = json.dumps(second.device.state.deployment.config)
    assert json.loads(text)["Join"]["ClusterJoinToken"] not in stored


async def test_a_k8s_control_plane_joins_with_hash_and_certificate_key(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2, kit.K8S_MSI)
    assert await kit.deploy(first, kit.scalable(Network__NetworkPlugin="calico")) == "OK"
    text = await kit.join_config(first, ControlPlane=True)
    join = json.loads(text)["Join"]
    assert set(join) == {"ClusterJoinToken", "ClusterId", "DiscoveryTokenHash", "CertificateKey"}
    assert join["DiscoveryTokenHash"].startswith("sha256:")
    assert await kit.deploy(second, text) == "OK"

    cluster = first.device.cluster.cluster
    assert sorted(cluster.control_plane_nodes()) == ["press-01-ledge", "press-02-ledge"]
    pods = {pod["metadata"]["name"] for pod in cluster.state.store.objects("pods", "kube-system")}
    assert "etcd-press-02-ledge" in pods


async def test_a_machine_can_join_with_both_nodes_or_a_windows_node_alone(machines: Machines, kit: Kit) -> None:
    first, second, third = await machines(3)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    both = await kit.join_config(first, NodeType="LinuxAndWindows", WindowsNodeIp="192.168.30.32")
    assert await kit.deploy(second, both) == "OK"
    windows = await first.one("New-AksEdgeScaleConfig", ScaleType="AddMachine", NodeType="Windows", WindowsNodeIp="192.168.30.33")
    assert await kit.deploy(third, windows) == "OK"

    assert set(kit.nodes(first)) == {"press-01-ledge", "press-02-ledge", "press-02-wedge", "press-03-wedge"}
    assert all(kit.nodes(first).values())
    assert await third.one("Test-AksEdgeNode", "Linux") is False
    assert await third.one("Test-AksEdgeNode", "LinuxAndWindows") is False
    assert await third.one("Get-AksEdgeNodeName", "Windows") == "press-03-wedge"


async def test_a_new_scale_config_makes_the_earlier_token_invalid(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    earlier, later = await kit.join_config(first), await kit.join_config(first)

    assert (await kit.deploy(second, earlier)).startswith(RUNTIME_FAILED)
    assert second.device.state.deployment is None
    assert kit.nodes(first) == {"press-01-ledge": True}
    logged = [entry.message for entry in second.device.events.entries() if entry.level == "Error"]
    assert any("401 Unauthorized" in message for message in logged)
    assert await kit.deploy(second, later) == "OK"


async def test_a_token_lives_for_a_day(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    text = await kit.join_config(first)
    minutes = join_tokens.LIFE.total_seconds() / 60
    first.device.add_fault("clock-skew", minutes=minutes + 1)

    assert (await kit.deploy(second, text)).startswith(RUNTIME_FAILED)
    first.device.clear_faults()
    assert await kit.deploy(second, text) == "OK"


@pytest.mark.parametrize("how", ["network-away", "stopped", "rebooting"])
async def test_nobody_joins_a_control_plane_that_cannot_be_reached(machines: Machines, kit: Kit, how: str) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    text = await kit.join_config(first)
    if how == "network-away":
        first.device.add_fault("network-away", lasts_s=10_000_000)
    elif how == "stopped":
        await first.run("Stop-AksEdgeNode")
        await first.wait_until(lambda: not first.device.cluster.is_node_up("Linux"))
    else:
        first.device.clock.slowness = 1000
        first.device.begin_reboot()
        await first.wait_until(lambda: first.device.state.power == "restarting")

    assert (await kit.deploy(second, text)).startswith(RUNTIME_FAILED)
    logged = [entry.message for entry in second.device.events.entries() if entry.level == "Error"]
    assert any("no route to host" in message for message in logged)


async def test_machines_of_different_distributions_make_no_cluster(machines: Machines, kit: Kit) -> None:
    (first,) = await machines(1)
    (second,) = await machines(1, kit.K8S_MSI)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    config = json.loads(await kit.join_config(first))
    config["Network"]["NetworkPlugin"] = "calico"
    config["Join"]["DiscoveryTokenHash"] = "sha256:00"

    assert (await kit.deploy(second, json.dumps(config))).startswith(RUNTIME_FAILED)


async def test_an_address_of_another_node_is_not_seen_by_the_check_and_breaks_the_join(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    config = json.loads(await kit.join_config(first))
    config["Machines"][0]["LinuxNode"]["Ip4Address"] = "192.168.30.21"

    assert await second.one("Test-AksEdgeNetworkParameters", JsonConfigString=json.dumps(config)) is True
    answer = await kit.deploy(second, json.dumps(config))
    assert answer.startswith("Error: Linux node not in Ready state")
    assert kit.nodes(first) == {"press-01-ledge": True}


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"Network__ControlPlaneEndpointIp": "10.20.0.1", "Machines__0__LinuxNode__Ip4Address": "192.168.30.21"}, "subnet"),
        (
            {"Machines__0__NetworkConnection": {"AdapterName": "Ethernet 7"}},
            "no physical network adapter with the name 'Ethernet 7'",
        ),
        ({"Machines__0__NetworkConnection": {"AdapterName": "Wi-Fi"}}, "Failed to create external virtual switch"),
        ({"Machines__0__LinuxNode__Ip4Address": None}, "Machines[0].LinuxNode.Ip4Address"),
        (
            {"Network__Ip4GatewayAddress": "10.20.0.254", "Network__ControlPlaneEndpointIp": "10.20.0.1"}
            | {"Machines__0__LinuxNode__Ip4Address": "10.20.0.30", "Init__ServiceIPRangeStart": "10.20.0.40"},
            "OK",
        ),
    ],
)
async def test_what_the_network_of_a_scalable_cluster_must_be(
    machines: Machines, kit: Kit, changes: dict[str, Any], answer: str
) -> None:
    (first,) = await machines(1)

    text = kit.scalable(**changes)
    checked = await first.run(("Test-AksEdgeNetworkParameters", {"JsonConfigString": text}))
    assert answer in await kit.deploy(first, text)
    assert checked.output == [answer == "OK" or "switch" in answer]


async def test_an_address_of_a_host_is_not_free_unless_the_check_is_skipped(machines: Machines, kit: Kit) -> None:
    (first,) = await machines(1)
    host = first.device.hardware.ip4_addresses[0]
    gateway, prefix = "10.20.0.1", 16
    changes = {
        "Network__Ip4GatewayAddress": gateway,
        "Network__Ip4PrefixLength": prefix,
        "Network__ControlPlaneEndpointIp": host,
        "Machines__0__LinuxNode__Ip4Address": "10.20.9.2",
        "Init__ServiceIPRangeStart": "10.20.9.10",
    }

    assert f"IP address '{host}' is not free" in await kit.deploy(first, kit.scalable(**changes))
    assert await kit.deploy(first, kit.scalable(**changes, Network__SkipAddressFreeCheck=True)) == "OK"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"LinuxNodeIp": "192.168.31.5"}, "not in the subnet"),
        ({"LinuxNodeIp": "192.168.30.21"}, "is not free"),
        ({"LinuxNodeIp": "192.168.30.102"}, "is not free"),
        ({"LinuxNodeIp": "five"}, "not a valid IPv4 address"),
    ],
)
async def test_a_scale_config_checks_the_address_of_the_node_to_come(
    machines: Machines, kit: Kit, parameters: dict[str, str], message: str
) -> None:
    (first,) = await machines(1)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    recorded = await first.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddMachine", **parameters}))

    assert recorded.failed is not None
    assert message in recorded.failed.message


async def test_scale_configs_come_from_control_planes_of_scalable_clusters_only(machines: Machines, kit: Kit) -> None:
    first, second, third = await machines(3)
    none = await first.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddMachine"}))
    assert none.failed is not None
    assert none.failed.message == "Please create a deployment before using this commandlet."
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    worker = await second.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddMachine"}))
    assert worker.failed is not None
    assert "control plane" in worker.failed.message
    assert await kit.deploy(third, third.config(SchemaVersion="1.15")) == "OK"
    single = await third.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddMachine"}))
    assert single.failed is not None
    assert "single machine cluster" in single.failed.message


async def test_everything_of_a_shared_cluster_survives_a_restart_of_the_sandbox(
    machines: Machines, kit: Kit, sandbox_on: Callable[..., Sandbox]
) -> None:
    first, second, third = await machines(3)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    await first.wait_until(first.device.cluster.cluster.is_ready)
    text = await kit.join_config(first, LinuxNodeIp="192.168.30.23")
    url, cluster = first.device.cluster.server_url, first.device.cluster.cluster
    uids = {node["metadata"]["name"]: node["metadata"]["uid"] for node in cluster.state.store.objects("nodes")}
    restarts = _restarts(cluster)
    await first.sandbox.stop()

    again = sandbox_on()
    await again.start()
    try:
        first.device, second.device, third.device = (again.devices[f"press-0{number}"] for number in (1, 2, 3))
        assert kit.nodes(first) == kit.nodes(second) == {"press-01-ledge": True, "press-02-ledge": True}
        assert second.device.cluster.server_url == url
        running = first.device.cluster.cluster
        assert {node["metadata"]["name"]: node["metadata"]["uid"] for node in running.state.store.objects("nodes")} == uids
        assert _restarts(running) == restarts
        assert await kit.deploy(third, text) == "OK"
        assert len(kit.nodes(first)) == 3
    finally:
        await again.stop()


async def test_a_worker_that_restarts_is_not_ready_then_ready_and_the_others_do_not_notice(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    seen: list[dict[str, bool]] = []
    rebooting = asyncio.ensure_future(second.device.reboot())
    while not rebooting.done() or not kit.nodes(first)["press-02-ledge"]:
        seen.append(kit.nodes(first))
        await asyncio.sleep(0.001)
    await rebooting

    assert {"press-01-ledge": True, "press-02-ledge": False} in seen
    assert all(nodes["press-01-ledge"] for nodes in seen)


async def test_a_node_that_is_away_for_long_is_unknown_and_its_pods_are_made_anew(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    await second.run("Stop-AksEdgeNode")
    cluster = first.device.cluster.cluster
    await first.wait_until(lambda: not cluster.is_node_ready("press-02-ledge"))

    node = next(node for node in cluster.state.store.objects("nodes") if node["metadata"]["name"] == "press-02-ledge")
    ready = next(item for item in node["status"]["conditions"] if item["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert {taint["key"] for taint in node["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    assert second.device.cluster.cluster is None
    await second.run("Start-AksEdgeNode")
    await first.wait_until(lambda: cluster.is_node_ready("press-02-ledge"))
    node = next(node for node in cluster.state.store.objects("nodes") if node["metadata"]["name"] == "press-02-ledge")
    assert "taints" not in node["spec"]


async def test_the_control_plane_works_while_more_than_half_of_it_is_up(machines: Machines, kit: Kit) -> None:
    benches = await machines(3)
    first, second, third = benches
    assert await kit.deploy(first, kit.scalable()) == "OK"
    for number, bench in enumerate(benches[1:], 2):
        assert await kit.deploy(bench, await kit.join_config(first, LinuxNodeIp=f"192.168.30.2{number}", ControlPlane=True)) == "OK"
    await first.run("Stop-AksEdgeNode")
    await first.wait_until(lambda: not first.device.cluster.is_node_up("Linux"))

    assert second.device.cluster.cluster is not None
    await second.run("Stop-AksEdgeNode")
    await second.wait_until(lambda: not second.device.cluster.is_node_up("Linux"))
    assert third.device.cluster.cluster is None
    await first.run("Start-AksEdgeNode")
    await first.wait_until(lambda: kit.nodes(third).get("press-01-ledge", False))
    assert kit.nodes(third)["press-03-ledge"]


async def test_a_member_leaves_and_the_last_control_plane_goes_last(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    refused = await first.run(("Remove-AksEdgeDeployment", {"Confirm": False}))
    assert refused.failed is not None
    assert "last control plane" in refused.failed.message

    assert await second.one("Remove-AksEdgeDeployment", Confirm=False) is True
    assert kit.nodes(first) == {"press-01-ledge": True}
    assert second.device.state.summary == "installed"
    assert await first.one("Remove-AksEdgeDeployment", Confirm=False) is True
    assert list((first.sandbox.directory / "clusters").iterdir()) == []
    assert await kit.deploy(first, kit.scalable()) == "OK"


async def test_a_first_machine_can_leave_a_cluster_that_others_keep(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first, ControlPlane=True)) == "OK"
    url = second.device.cluster.server_url

    assert await first.one("Remove-AksEdgeDeployment", Force=True) is True
    assert kit.nodes(second) == {"press-02-ledge": True}
    assert second.device.cluster.server_url == url
    assert await kit.deploy(first, await kit.join_config(second, LinuxNodeIp="192.168.30.24")) == "OK"
    assert set(kit.nodes(second)) == {"press-01-ledge", "press-02-ledge"}


async def test_a_cluster_removed_by_force_leaves_orphans_that_can_be_removed(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"

    assert await first.one("Remove-AksEdgeDeployment", Force=True) is True
    assert second.device.cluster.cluster is None
    assert (await second.run("Get-AksLiteKubeConfig")).failed is not None
    assert await second.one("Remove-AksEdgeDeployment", Force=True) is True
    assert second.device.state.summary == "installed"


def _restarts(cluster: Any) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: sum(item["restartCount"] for item in pod["status"].get("containerStatuses") or ())
        for pod in cluster.state.store.objects("pods")
    }


async def test_a_machine_that_joined_tells_the_arc_status_of_its_cluster(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first)) == "OK"
    access = first.device.azure.grant_access()
    section = {
        "ClusterName": "hall",
        "Location": access.location,
        "ResourceGroupName": access.resource_group,
        "SubscriptionId": access.subscription_id,
        "TenantId": access.tenant_id,
        "ClientId": access.client_id,
        "ClientSecret": access.secret,
    }
    assert await second.one("Test-AksEdgeArcConnection") is False
    assert await first.one("Connect-AksEdgeArc", JsonConfigString=json.dumps({"Arc": section})) == "OK"

    await second.wait_until(lambda: connectivity(second.device) == "Connected")
    assert await second.one("Test-AksEdgeArcConnection") is True
    info = (await second.one("Get-AksEdgeDeploymentInfo")).properties
    assert info["Arc"].properties["Status"] == (await first.one("Get-AksEdgeDeploymentInfo")).properties["Arc"].properties["Status"]

    await second.run(("Stop-AksEdgeNode", {}))
    assert await second.one("Test-AksEdgeArcConnection") is True


# -- updates of such clusters -----------------------------------------------------------------------------------------


async def two_control_planes(machines: Machines, kit: Kit) -> tuple[Any, Any]:
    """Machines of release 1.10 with a control plane each, which take what updates bring."""
    first, second = await machines(2, "\\\\server\\share\\AksEdge-K3s-1.30.6-1.10.868.0.msi")
    assert await kit.deploy(first, kit.scalable()) == "OK"
    assert await kit.deploy(second, await kit.join_config(first, ControlPlane=True)) == "OK"
    for bench in (first, second):
        bench.device.update(accepts_upgrade=True)
    return first, second


async def begin_update(*benches: Any) -> None:
    for bench in benches:
        updates.stage(bench.device)
        assert (await bench.run(("Start-AksEdgeUpdate", {"Force": True}))).failed is None


async def test_an_update_without_a_majority_of_control_planes_says_that_its_node_is_not_ready(machines: Machines, kit: Kit) -> None:
    first, second = await two_control_planes(machines, kit)
    await begin_update(first, second)
    await first.run("Stop-AksEdgeNode")
    await first.wait_until(lambda: not first.device.cluster.is_node_up("Linux"))
    recorded = await second.run(("Start-AksEdgeControlPlaneUpdate", {"firstControlPlane": True, "Force": True}))

    assert recorded.failed is not None
    assert recorded.failed.message.startswith(
        "Error: Linux node not in Ready state, or cluster could not be reached from host side"
    )
    assert second.device.state.product_update.due == "control-plane"


async def test_a_machine_that_lags_two_kubernetes_versions_behind_keeps_its_own(machines: Machines, kit: Kit) -> None:
    first, second = await two_control_planes(machines, kit)
    phase = ("Start-AksEdgeControlPlaneUpdate", {"firstControlPlane": True, "Force": True})
    await begin_update(second)
    for _ in range(3):
        await begin_update(first)
        assert (await first.run(phase)).failed is None
    cluster = first.device.cluster.cluster

    assert cluster.state.facts.version == "v1.32.9+k3s1"
    assert (await second.run(phase)).failed is None
    assert cluster.state.facts.version == "v1.32.9+k3s1"
    kubelets = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.state.store.objects("nodes")
    }
    assert kubelets == {"press-01-ledge": "v1.32.9+k3s1", "press-02-ledge": "v1.31.6+k3s1"}
