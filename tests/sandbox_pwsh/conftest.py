"""One sandbox with a device of each engine for the tests that change nothing between them, and clients for both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.remoting import Device, Session
from akslite_ps.sandbox import LocalSandbox, SandboxDevice
from akslite_ps.sandbox.device import installer

PACKAGE = "https://aka.ms/aks-edge/k3s-msi"


@dataclass
class Devices:
    """A running sandbox.

    Args:
        sandbox: It.
        embedded, pwsh: Names of its devices.
    """

    sandbox: LocalSandbox
    embedded: str = "press-01"
    pwsh: str = "press-02"

    def about(self, name: str) -> SandboxDevice:
        return next(device for device in self.sandbox.devices if device.name == name)

    def client(self, name: str) -> Device:
        """The device as akslite's own client knows it."""
        return as_inventory_device(self.about(name))

    def session(self, name: str) -> Session:
        return Session.open(self.client(name))

    def connection(self, name: str) -> WSMan:
        """An unmodified pypsrp connection: Negotiate with message encryption."""
        about = self.about(name)
        return WSMan(
            about.address,
            port=about.http_port,
            ssl=False,
            auth="negotiate",
            encryption="always",
            username=about.username,
            password=about.password_file.read_text(encoding="utf-8"),
            operation_timeout=10,
            read_timeout=20,
        )

    @staticmethod
    def settle(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
        """Wait until a condition holds; fail the test where it does not."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.01)

    def processes(self, name: str) -> int:
        """How many PowerShell processes serve a device."""
        engine = self.sandbox.device(name)._engine
        return 0 if engine is None else engine.process_count

    def install(self, name: str) -> None:
        """Features on and the product installed, at once."""
        device = self.sandbox.device(name)

        async def install() -> None:
            device.update(features=dict.fromkeys(device.state.features, "Enabled"))
            package = installer.find_package(PACKAGE)
            assert package is not None
            assert installer.install(device, package, install_dir=None, vhdx_dir=None, features=[]) == 0

        self.sandbox.run(install())


def invoke(pool: RunspacePool, script: str, **parameters: Any) -> PowerShell:
    """Run script text with pypsrp to its end, and release it."""
    pipeline = PowerShell(pool)
    pipeline.add_script(script).add_parameters(parameters)
    pipeline.invoke()
    pipeline.close()
    return pipeline


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """A device of each engine with the product installed; tests leave them as they are."""
    folder: Path = tmp_path_factory.mktemp("engines")
    with LocalSandbox(folder, devices=2, engine=("embedded", "pwsh"), speed=20000) as sandbox:
        devices = Devices(sandbox)
        devices.install(devices.embedded)
        devices.install(devices.pwsh)
        yield devices


@pytest.fixture(scope="session")
def devices_of() -> Callable[[LocalSandbox], Devices]:
    """The clients for a sandbox with a device of each engine."""
    return Devices


@pytest.fixture(scope="session")
def pool(shared: Devices) -> Iterator[RunspacePool]:
    """An open pool on the device with the real PowerShell."""
    with shared.connection(shared.pwsh) as wsman, RunspacePool(wsman) as pool:
        yield pool


@pytest.fixture
def run(pool: RunspacePool) -> Callable[..., PowerShell]:
    """Runs script text in the shared pool."""

    def run(script: str, **parameters: Any) -> PowerShell:
        return invoke(pool, script, **parameters)

    return run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Devices]:
    """A bare device with a real PowerShell, for a test that does something to it."""
    with LocalSandbox(tmp_path / "sandbox", engine="pwsh", speed=20000) as sandbox:
        yield Devices(sandbox, pwsh="press-01")


@pytest.fixture(scope="session")
def offline_config() -> str:
    """Microsoft's sample for an offline device, as JSON."""
    sample = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
    config = json.loads(sample.read_text(encoding="utf-8"))
    config["Network"]["InternetDisabled"] = True
    return json.dumps(config)
