"""The device as a client meets it: unmodified pypsrp over WinRM, and the Kubernetes API behind the kubeconfig."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from pypsrp.complex_objects import PSInvocationState
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from akslite_ps.sandbox import LocalSandbox, SandboxDevice

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=1500) as running:
        yield running


def connection(device: SandboxDevice) -> WSMan:
    return WSMan(
        device.address,
        port=device.http_port,
        ssl=False,
        auth="negotiate",
        encryption="always",
        username=device.username,
        password=device.password_file.read_text(encoding="utf-8"),
        operation_timeout=10,
        read_timeout=15,
    )


def run(device: SandboxDevice, name: str, **parameters: Any) -> PowerShell:
    with connection(device) as wsman, RunspacePool(wsman) as pool:
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet(name)
        pipeline.add_parameters(parameters)
        pipeline.invoke()
        pipeline.close()
        return pipeline


def wait_until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def deployed(sandbox: LocalSandbox) -> SandboxDevice:
    """Take the device the whole way by commands of a client."""
    config = json.loads(SAMPLE.read_text(encoding="utf-8"))
    config["Network"]["InternetDisabled"] = True
    device = sandbox.devices[0]
    assert run(device, "Enable-AksLiteHostFeatures").output[0].extended_properties["RebootRequired"] is True
    run(device, "Request-AksLiteReboot", DelaySeconds=5, Reason="features")
    wait_until(lambda: sandbox.devices[0].state == "prepared")
    installed = run(device, "Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")
    assert installed.output[0].extended_properties["ExitCode"] == 0
    assert len(installed.streams.progress) > 2
    made = run(device, "New-AksEdgeDeployment", JsonConfigString=json.dumps(config))
    assert made.output == ["OK"]
    assert "Initializing kubernetes runtime" in "".join(str(i.message_data) for i in made.streams.information)
    return sandbox.devices[0]


def test_a_whole_deployment_by_an_unmodified_client(sandbox: LocalSandbox) -> None:
    device = deployed(sandbox)

    assert device.state == "deployed"
    assert run(device, "Test-AksEdgeDeployment").output == [True]
    kubeconfig = yaml.safe_load(run(device, "Get-AksLiteKubeConfig").output[0])
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    assert server == f"https://{device.address}:{device.kubernetes_port}"
    wait_until(lambda: sandbox.run(_is_ready(sandbox)))
    assert _status_of_nodes(device) == [("press-01-ledge", "192.168.0.2", "True")]


def test_the_cluster_answers_after_a_reboot_and_after_a_restart_of_the_sandbox(tmp_path: Path) -> None:
    with LocalSandbox(tmp_path / "sandbox", speed=1500) as first:
        before = deployed(first)
        boot_time = run(before, "Get-AksLiteBootTime").output
        first.reboot("press-01")
        assert run(before, "Get-AksLiteBootTime").output != boot_time
        assert first.devices == (before,)
        wait_until(lambda: first.run(_is_ready(first)))
    with LocalSandbox(tmp_path / "sandbox", speed=1500) as second:
        assert second.devices == (before,)
        assert run(before, "Test-AksEdgeDeployment").output == [True]
        assert [ready for _, _, ready in _status_of_nodes(before)] == ["True"]


def test_a_reboot_drops_the_client_in_the_middle_of_a_command(sandbox: LocalSandbox) -> None:
    device = sandbox.devices[0]
    with connection(device) as wsman:
        pool = RunspacePool(wsman)
        pool.open()
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet("Start-Sleep")
        pipeline.add_parameter("Seconds", 600)
        pipeline.begin_invoke()

        sandbox.reboot("press-01")

        with pytest.raises(Exception, match=r".+"):
            pipeline.end_invoke()
    assert run(sandbox.devices[0], "Get-AksLiteBootTime").state == PSInvocationState.COMPLETED


def test_a_running_command_is_stopped(sandbox: LocalSandbox) -> None:
    with connection(sandbox.devices[0]) as wsman, RunspacePool(wsman) as pool:
        pipeline = PowerShell(pool)
        pipeline.add_cmdlet("Start-Sleep")
        pipeline.add_parameter("Seconds", 600)
        pipeline.begin_invoke()
        pipeline.stop()

        assert pipeline.state == PSInvocationState.STOPPED
        assert sandbox.device("press-01").is_idle


async def _is_ready(sandbox: LocalSandbox) -> bool:
    cluster = sandbox.device("press-01").cluster.cluster
    return cluster is not None and cluster.is_ready()


def _status_of_nodes(device: SandboxDevice) -> list[tuple[str, str, str]]:
    """Name, in-device address and readiness of the nodes, by the official client with the device's kubeconfig."""
    text = run(device, "Get-AksLiteKubeConfig").output[0]
    with kubernetes.config.new_client_from_config_dict(yaml.safe_load(text)) as client:
        nodes = kubernetes.client.CoreV1Api(client).list_node().items
    return [
        (
            node.metadata.name,
            next(a.address for a in node.status.addresses if a.type == "InternalIP"),
            next(c.status for c in node.status.conditions if c.type == "Ready"),
        )
        for node in nodes
    ]
