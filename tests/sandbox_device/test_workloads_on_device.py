"""What the device's own kubectl reads, and a cluster whose API cannot be reached from outside the device."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.sandbox.supervisor import Sandbox

if TYPE_CHECKING:
    from conftest import Bench


async def read(bench: Bench, kind: str, **parameters: Any) -> Any:
    return json.loads(await bench.one("Get-AksLiteWorkload", Kind=kind, **parameters))


async def accepts(bench: Bench) -> bool:
    """Whether the Kubernetes API accepts connections."""
    spec = bench.device.spec
    try:
        _, writer = await asyncio.open_connection(spec.address, spec.kubernetes_port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def wait_until_accepts(bench: Bench, wanted: bool) -> None:
    async with asyncio.timeout(10):
        while await accepts(bench) is not wanted:  # noqa: ASYNC110 - a port tells nobody when it opens
            await asyncio.sleep(0.002)


async def test_the_clusters_objects_are_read_on_the_device(deployed: Bench) -> None:
    (node,) = (await read(deployed, "Nodes"))["items"]
    assert (node["kind"], node["metadata"]["name"]) == ("Node", "press-01-ledge")
    pods = await read(deployed, "pods")
    assert pods["kind"] == "List"
    assert {pod["metadata"]["namespace"] for pod in pods["items"]} == {"kube-system"}
    assert not [item for item in [node, *pods["items"]] if "managedFields" in item["metadata"]]
    assert (await read(deployed, "Pods", Namespace="default"))["items"] == []
    assert [node] == (await read(deployed, "Nodes", Namespace="default"))["items"]
    assert (await read(deployed, "Deployments"))["items"]
    assert (await read(deployed, "Version"))["gitVersion"] == "v1.33.5+k3s1"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
async def test_they_are_what_a_real_kubectl_prints(deployed: Bench, tmp_path: Path) -> None:
    cluster = deployed.device.cluster.cluster
    assert cluster is not None
    await deployed.wait_until(cluster.is_ready)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(await deployed.one("Get-AksLiteKubeConfig"), encoding="utf-8")
    options = ("--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path / "cache"))
    for kind in ("Pods", "DaemonSets"):
        process = await asyncio.create_subprocess_exec(
            "kubectl", *options, "get", kind.lower(), "-A", "-o", "json", stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        assert await deployed.one("Get-AksLiteWorkload", Kind=kind) == printed.decode().strip()


async def test_kinds_and_namespaces_are_checked_before_anything_is_read(deployed: Bench) -> None:
    for wrong in ({"Kind": "Secrets"}, {"Kind": "Pods", "Namespace": "x y"}, {"Kind": "Pods", "Namespace": "-x"}):
        failed = (await deployed.run(("Get-AksLiteWorkload", wrong))).failed
        assert failed is not None
        assert failed.error_id.startswith("ParameterArgumentValidationError")


async def test_without_a_running_cluster_there_is_nothing_to_read(bench: Bench) -> None:
    command = ("Get-AksLiteWorkload", {"Kind": "Nodes"})
    bare = (await bench.run(command)).failed
    assert bare is not None
    assert bare.error_id.startswith("CommandNotFoundException")
    await bench.prepare()
    installed = (await bench.run(command)).failed
    assert installed is not None
    assert installed.message == "Please create a deployment before using this commandlet."
    assert await bench.deploy() == "OK"
    await bench.one("Get-AksLiteWorkload", Kind="Nodes")
    await bench.run("Stop-AksEdgeNode")
    await bench.wait_until(lambda: bench.device.cluster.cluster is None)
    assert (await bench.run(command)).failed is not None


async def test_an_unreachable_api_refuses_while_the_cluster_runs(deployed: Bench) -> None:
    port = deployed.device.spec.kubernetes_port
    deployed.device.add_fault("api-unreachable")

    await wait_until_accepts(deployed, False)

    cluster = deployed.device.cluster.cluster
    assert cluster is not None
    await deployed.wait_until(cluster.is_ready)
    assert await deployed.one("Test-AksEdgeDeployment") is True
    assert len((await read(deployed, "Nodes"))["items"]) == 1
    deployed.device.clear_faults()
    await wait_until_accepts(deployed, True)
    assert deployed.device.spec.kubernetes_port == port


async def test_an_api_stays_unreachable_over_restarts(prepared: Bench, sandbox_on: Callable[..., Sandbox]) -> None:
    prepared.device.add_fault("api-unreachable")
    assert await prepared.deploy() == "OK"
    port = prepared.device.spec.kubernetes_port
    assert port
    assert f":{port}\n" in await prepared.one("Get-AksLiteKubeConfig")
    assert not await accepts(prepared)

    await prepared.device.reboot()

    assert not await accepts(prepared)
    assert (await read(prepared, "Version"))["major"] == "1"
    await prepared.sandbox.stop()
    second = sandbox_on()
    await second.start()
    try:
        again = type(prepared)(second, second.devices["press-01"])
        assert not await accepts(again)
        assert len((await read(again, "Nodes"))["items"]) == 1
    finally:
        await second.stop()
