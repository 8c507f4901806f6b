"""Devices without a WinRM listener, as in ``tests/sandbox_device``, and ways to put a certain release on them."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from akslite_ps.aksedge.versions import compare


def _device_tests() -> ModuleType:
    file = Path(__file__).resolve().parents[1] / "sandbox_device" / "conftest.py"
    spec = importlib.util.spec_from_file_location("sandbox_device_conftest", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_shared = _device_tests()
Bench = _shared.Bench
sandbox_on, bench, prepared, deployed = _shared.sandbox_on, _shared.bench, _shared.prepared, _shared.deployed


def config_for(bench: Any, schema: str, **changes: Any) -> str:
    """Microsoft's sample for a device offline, of an older schema: without the fields that came later."""
    data = json.loads(bench.config(SchemaVersion=schema, **changes))
    if compare(schema, "1.15") < 0:
        del data["Init"]["KmsPlugin"]
    return json.dumps(data)


@pytest.fixture
def deploy_schema() -> Callable[..., Awaitable[str]]:
    """Deploys a config of a schema and returns what the cmdlet answers."""

    async def deploy(bench: Any, schema: str, **changes: Any) -> str:
        return str(await bench.one("New-AksEdgeDeployment", JsonConfigString=config_for(bench, schema, **changes)))

    return deploy


@pytest.fixture
def with_release() -> Callable[..., Awaitable[None]]:
    """Switches the features on and installs a release by the name of its installer."""

    async def install(bench: Any, installer: str) -> None:
        await bench.one("Enable-AksLiteHostFeatures")
        await bench.device.reboot()
        result = await bench.one("Install-AksLiteMsi", Source=f"\\\\server\\share\\{installer}")
        assert result.properties["ExitCode"] == 0

    return install


FULL_FEATURES = ["CoreFeature", "WindowsNodeFeature"]
K3S_MSI = "\\\\server\\share\\AksEdge-K3s-1.31.6-1.11.230.0.msi"
K8S_MSI = "\\\\server\\share\\AksEdge-K8s-1.31.5-1.11.230.0.msi"


async def install(device: Any, source: str = K3S_MSI) -> None:
    """Put the product on a device, for Linux and Windows nodes."""
    bench = Bench(None, device)
    await bench.one("Enable-AksLiteHostFeatures")
    await device.reboot()
    result = await bench.one("Install-AksLiteMsi", Source=source, Features=FULL_FEATURES)
    assert result.properties["ExitCode"] == 0


@pytest.fixture
async def machines(sandbox_on: Callable[..., Any]) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """Makes devices of one sandbox, with the product for Linux and Windows nodes installed."""
    sandbox = sandbox_on()
    await sandbox.start()
    sandbox.choose(name_prefix="press", address_base=f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.0", free_ports=True)  # noqa: S311

    async def make(count: int, source: str = K3S_MSI) -> list[Any]:
        made = []
        for _ in range(count):
            bench = Bench(sandbox, await sandbox.add_device(sandbox.next_spec()))
            await install(bench.device, source)
            made.append(bench)
        return made

    try:
        yield make
    finally:
        await sandbox.stop()


def scalable(number: int = 1, **changes: Any) -> str:
    """A config for the first machine of a scalable cluster, offline."""
    machine: dict[str, Any] = {
        "NetworkConnection": {"AdapterName": "Ethernet"},
        "LinuxNode": {"CpuCount": 2, "MemoryInMB": 4096, "DataSizeInGB": 20, "Ip4Address": f"192.168.30.{20 + number}"},
    }
    data: dict[str, Any] = {
        "SchemaVersion": "1.15",
        "Version": "1.0",
        "DeploymentType": "ScalableCluster",
        "Init": {"ServiceIPRangeStart": "192.168.30.100", "ServiceIPRangeSize": 5},
        "Network": {
            "NetworkPlugin": "flannel",
            "ControlPlaneEndpointIp": "192.168.30.20",
            "Ip4GatewayAddress": "192.168.30.1",
            "Ip4PrefixLength": 24,
            "DnsServers": ["192.168.30.1"],
            "InternetDisabled": True,
        },
        "User": {"AcceptEula": True},
        "Machines": [machine],
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place: Any = data
        for name in parents:
            place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
        place[last] = value
    return json.dumps(data)


async def join_config(bench: Any, **parameters: Any) -> str:
    """What New-AksEdgeScaleConfig gives for another machine."""
    return str(
        await bench.one("New-AksEdgeScaleConfig", **{"ScaleType": "AddMachine", "LinuxNodeIp": "192.168.30.22", **parameters})
    )


async def deploy_json(bench: Any, text: str) -> str:
    """What New-AksEdgeDeployment answers."""
    return str(await bench.one("New-AksEdgeDeployment", JsonConfigString=text))


@pytest.fixture
def kit() -> Kit:
    """Configs and steps for clusters of several machines; a fixture, because tests cannot import this file."""
    return Kit()


class Kit:
    """Configs and steps for clusters of several machines."""

    K3S_MSI = K3S_MSI
    K8S_MSI = K8S_MSI
    scalable = staticmethod(scalable)
    join_config = staticmethod(join_config)
    deploy = staticmethod(deploy_json)
    install = staticmethod(install)

    @staticmethod
    def nodes(bench: Any) -> dict[str, bool]:
        """The nodes of the device's cluster by name, and whether each is Ready."""
        cluster = bench.device.cluster.cluster
        return {} if cluster is None else {name: cluster.is_node_ready(name) for name in cluster.node_names()}
