"""A simulated device with the product installed, and the programs of other projects as they were installed by dev.py."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from akslite_ps.sandbox import LocalSandbox, SandboxDevice
from akslite_ps.sandbox.device.state import InstalledProduct

PEERS = Path(__file__).resolve().parents[2] / ".venv-peers" / "bin"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Interop:
    """The device, and how to run a program against it."""

    device: SandboxDevice
    sandbox: LocalSandbox
    home: Path

    @property
    def password(self) -> str:
        return self.device.password_file.read_text(encoding="utf-8").strip()

    def run(self, program: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of another project, unmodified, with a home of its own."""
        path = PEERS / program
        if not path.is_file():
            pytest.skip(f"{program} is not installed in .venv-peers; `python3 dev.py test` installs it")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "PYTHON", "KRB5"))},
            "HOME": str(self.home),
            "PATH": os.pathsep.join((str(PEERS), os.environ.get("PATH", ""))),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "TERM": "dumb",
        }
        return subprocess.run(
            [str(path), *arguments],
            input=given,
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )


@pytest.fixture(scope="session")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSandbox]:
    with LocalSandbox(tmp_path_factory.mktemp("interop"), devices=1) as sandbox:

        async def install() -> None:
            sandbox.device("press-01").update(
                product=InstalledProduct(
                    distribution="K3s",
                    version="1.11.247.0",
                    kubernetes_version="1.31.5",
                    install_dir="C:\\Program Files\\AksEdge",
                    vhdx_dir="C:\\Program Files\\AksEdge",
                    features=(),
                    installed_at=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
                )
            )

        sandbox.run(install())
        yield sandbox


@pytest.fixture(scope="session")
def shared_interop(_sandbox: LocalSandbox, tmp_path_factory: pytest.TempPathFactory) -> Interop:
    """For what is done once for several tests."""
    (device,) = _sandbox.devices
    return Interop(device, _sandbox, tmp_path_factory.mktemp("home"))


@pytest.fixture
def interop(_sandbox: LocalSandbox, tmp_path: Path) -> Interop:
    (device,) = _sandbox.devices
    return Interop(device, _sandbox, tmp_path)
