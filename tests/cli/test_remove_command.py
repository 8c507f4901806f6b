"""``akslite remove`` and ``connect`` on the command line: what-if, the typed name, exit codes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device.state import InstalledProduct

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def installed(run: Run, tmp_path: Path) -> Iterator[LocalSandbox]:
    """A simulated device with the product, in the inventory."""
    product = InstalledProduct(
        distribution="K3s",
        version="1.12.269.0",
        kubernetes_version="1.33.5",
        install_dir="C:\\Program Files\\AksEdge",
        vhdx_dir="C:\\Program Files\\AksEdge",
        features=("CoreFeature",),
        installed_at=dt.datetime.now(dt.UTC),
    )
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        (told,) = sandbox.devices

        async def install() -> None:
            sandbox.device(told.name).update(product=product)

        sandbox.run(install())
        where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
        assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        yield sandbox


def product(sandbox: LocalSandbox) -> Any:
    return sandbox.device("press-01").state.product


def test_nothing_is_removed_before_the_devices_name_was_typed(run: Run, installed: LocalSandbox) -> None:
    remove = ("remove", "press-01", "--product")
    code, plan, _ = run(*remove, "--what-if", "--detailed-exitcode", "--json")
    assert (code, json.loads(plan)["has_changes"]) == (3, True)
    for unconfirmed in ((), ("--yes",), ("--json",), ("--confirm", "press-02")):
        code, _, said = run(*remove, *unconfirmed)
        assert (code, "--confirm press-01" in said) == (2, True)
    assert product(installed) is not None

    code, done, _ = run(*remove, "--confirm", "press-01", "--json")

    assert (code, json.loads(done)["outcome"]) == (0, "changed")
    assert product(installed) is None
    assert run(*remove, "--what-if", "--detailed-exitcode")[0] == 0


def test_connecting_without_a_deployment_is_refused_with_what_to_do(run: Run, installed: LocalSandbox) -> None:
    code, _, said = run("connect", "press-01", "--config", SAMPLE)
    assert code == 4
    assert "deploy first" in said
    code, _, said = run("remove", "press-01", "--set", "Arc.ClusterName=x")
    assert (code, "--config" in said) == (2, True)
