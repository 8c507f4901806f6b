"""Windows nodes: deployed with the Linux node or added later, started and stopped, and removed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Kit

Machines = Callable[..., Awaitable[list[Any]]]
WINDOWS = {"SchemaVersion": "1.15", "Machines__0__WindowsNode": {"CpuCount": 2, "MemoryInMB": 4096}}


@pytest.fixture
async def mixed(machines: Machines) -> Any:
    """A single machine with a Linux and a Windows node."""
    (bench,) = await machines(1)
    assert await bench.deploy(**WINDOWS) == "OK"
    return bench


async def test_a_single_machine_can_have_both_nodes(mixed: Any, kit: Kit) -> None:
    assert kit.nodes(mixed) == {"press-01-ledge": True, "press-01-wedge": True}
    info = (await mixed.one("Get-AksEdgeDeploymentInfo")).properties
    assert info["WindowsNodeConfig"].properties["Ip4Address"] == "192.168.0.3"
    assert (await mixed.one("Get-AksEdgeNodeAddr", "Windows")).properties["Ip4Address"] == "192.168.0.3"
    assert await mixed.one("Test-AksEdgeNode", "LinuxAndWindows") is True
    facts = (await mixed.one("Get-AksLiteFacts")).properties
    assert facts["FreeMemoryMB"] == 12288 - 4096 - 4096
    cluster = mixed.device.cluster.cluster
    nodes = {node["metadata"]["name"]: node for node in cluster.state.store.objects("nodes")}
    assert nodes["press-01-wedge"]["metadata"]["labels"]["kubernetes.io/os"] == "windows"
    placed = {pod["spec"]["nodeName"] for pod in cluster.state.store.objects("pods", "kube-system")}
    assert placed == {"press-01-ledge"}


async def test_without_the_feature_of_the_installer_there_is_no_windows_node(prepared: Any) -> None:
    assert "Creation of Windows node failed" in await prepared.deploy(Machines__0__WindowsNode={"CpuCount": 2, "MemoryInMB": 4096})
    assert prepared.device.state.deployment is None


async def test_a_windows_node_is_added_with_a_scale_config_and_removed_again(machines: Machines, kit: Kit) -> None:
    (bench,) = await machines(1)
    assert await bench.deploy(SchemaVersion="1.15") == "OK"
    await bench.one("New-AksEdgeScaleConfig", ScaleType="AddNode", NodeType="Windows", outFile="C:\\s.json")
    recorded = await bench.run(("Add-AksEdgeNode", {"JsonConfigFilePath": "C:\\s.json"}))

    assert recorded.output == ["OK"]
    assert kit.nodes(bench) == {"press-01-ledge": True, "press-01-wedge": True}
    again = await bench.run(("Add-AksEdgeNode", {"JsonConfigFilePath": "C:\\s.json"}))
    assert again.output == ["A Windows node already exists on this machine."]
    linux = await bench.run(("Remove-AksEdgeNode", {"NodeType": "Linux", "Force": True}))
    assert linux.failed is not None
    assert "cannot be removed" in linux.failed.message
    removed = await bench.run(("Remove-AksEdgeNode", {"NodeType": "Windows", "Confirm": False}))
    assert removed.failed is None
    assert removed.host_calls == []
    assert kit.nodes(bench) == {"press-01-ledge": True}
    gone = await bench.run(("Remove-AksEdgeNode", {"NodeType": "Windows", "Confirm": False}))
    assert gone.failed is not None


async def test_a_failed_addition_is_taken_back_and_an_unfinished_update_forbids_it(machines: Machines, kit: Kit) -> None:
    (bench,) = await machines(1)
    assert await bench.deploy(SchemaVersion="1.15") == "OK"
    text = await bench.one("New-AksEdgeScaleConfig", ScaleType="AddNode", NodeType="Windows")
    bench.device.add_fault("deployment-fails", at="windows-node", answer="no room", times=1)
    assert await bench.one("Add-AksEdgeNode", JsonConfigString=text) == "no room"
    bench.device.add_fault("update-unsafe-state")
    unsafe = await bench.one("Add-AksEdgeNode", JsonConfigString=text)

    assert unsafe.startswith("An update is currently in progress or in an unsafe state.")
    assert kit.nodes(bench) == {"press-01-ledge": True}
    assert [node.kind for node in bench.device.state.deployment.nodes] == ["Linux"]
    assert await bench.one("Test-AksEdgeNode", "Windows") is False


async def test_stop_returns_before_the_nodes_are_down_and_start_before_they_are_up(mixed: Any, kit: Kit) -> None:
    mixed.sandbox.pace.speed = 100
    assert (await mixed.run(("Stop-AksEdgeNode", "Windows"))).failed is None
    assert mixed.device.cluster.is_node_up("Windows")
    mixed.sandbox.pace.speed = 20000
    await mixed.wait_until(lambda: not mixed.device.cluster.is_node_up("Windows"))
    await mixed.wait_until(lambda: kit.nodes(mixed) == {"press-01-ledge": True, "press-01-wedge": False})

    await mixed.run(("Stop-AksEdgeNode", "LinuxAndWindows"))
    await mixed.wait_until(lambda: not mixed.device.cluster.is_node_up("Linux"))
    assert mixed.device.cluster.cluster is None
    assert (await mixed.one("Get-AksLiteFacts")).properties["FreeMemoryMB"] == 12288
    assert (await mixed.run(("Start-AksEdgeNode", "LinuxAndWindows"))).failed is None
    await mixed.wait_until(lambda: list(kit.nodes(mixed).values()) == [True, True])


async def test_a_restart_of_the_machine_brings_both_nodes_back(mixed: Any, kit: Kit) -> None:
    await mixed.run(("Stop-AksEdgeNode", "Windows"))
    await mixed.wait_until(lambda: not mixed.device.cluster.is_node_up("Windows"))
    await mixed.device.reboot()
    await mixed.wait_until(lambda: kit.nodes(mixed).get("press-01-ledge", False))

    assert not mixed.device.cluster.is_node_up("Windows")
    await mixed.run(("Start-AksEdgeNode", "Windows"))
    await mixed.device.reboot()
    await mixed.wait_until(lambda: list(kit.nodes(mixed).values()) == [True, True])


async def test_a_node_that_does_not_leave_in_order_is_asked_about_twice_unless_forced(mixed: Any) -> None:
    await mixed.run(("Stop-AksEdgeNode", "Windows"))
    await mixed.wait_until(lambda: not mixed.device.cluster.is_node_up("Windows"))
    kept = await mixed.run(("Remove-AksEdgeNode", {"NodeType": "Windows", "Confirm": False}), answer=lambda *_: 2)

    assert len(kept.host_calls) == 1
    assert await mixed.one("Test-AksEdgeNode", "Windows") is True
    forced = await mixed.run(("Remove-AksEdgeNode", {"NodeType": "Windows", "Force": True}))
    assert forced.host_calls == []
    assert await mixed.one("Test-AksEdgeNode", "Windows") is False


async def test_a_linux_node_can_be_added_to_a_machine_that_joined_with_windows_only(machines: Machines, kit: Kit) -> None:
    first, second = await machines(2)
    assert await kit.deploy(first, kit.scalable()) == "OK"
    windows = await first.one("New-AksEdgeScaleConfig", ScaleType="AddMachine", NodeType="Windows", WindowsNodeIp="192.168.30.32")
    assert await kit.deploy(second, windows) == "OK"
    config = json.loads(await kit.join_config(first))
    assert await second.one("Add-AksEdgeNode", JsonConfigString=json.dumps(config)) == "OK"

    assert kit.nodes(first) == {"press-01-ledge": True, "press-02-ledge": True, "press-02-wedge": True}
    assert (await second.run(("Remove-AksEdgeNode", {"NodeType": "Linux", "Force": True}))).failed is None
    assert (await second.run(("Remove-AksEdgeNode", {"NodeType": "Windows", "Force": True}))).failed is None
    assert kit.nodes(first) == {"press-01-ledge": True}
    assert second.device.state.deployment is None


@pytest.mark.parametrize("deployment_type", ["SingleMachineCluster", "ScalableCluster"])
async def test_templates_exist_for_every_deployment_and_node_type(prepared: Any, deployment_type: str) -> None:
    for node_type in ("Linux", "Windows", "linuxandwindows"):
        template = (await prepared.one("New-AksEdgeConfig", DeploymentType=deployment_type, NodeType=node_type)).properties
        assert template["DeploymentType"] == deployment_type
        assert template["SchemaVersion"] == "1.16"
        machine = template["Machines"][0].properties
        assert ("LinuxNode" in machine, "WindowsNode" in machine) == (node_type != "Windows", node_type != "Linux")
