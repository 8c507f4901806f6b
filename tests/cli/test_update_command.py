"""``akslite update`` on the command line: nothing staged, what-if, the update itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device import updates
from akslite_ps.sandbox.device.state import InstalledProduct

Run = Callable[..., tuple[int, str, str]]


def test_a_device_is_updated_once_something_is_staged(run: Run, tmp_path: Path) -> None:
    product = InstalledProduct(
        distribution="K3s",
        version="1.10.868.0",
        kubernetes_version="1.30.6",
        install_dir="C:\\Program Files\\AksEdge",
        vhdx_dir="C:\\Program Files\\AksEdge",
        features=("CoreFeature",),
        installed_at=dt.datetime.now(dt.UTC),
    )
    with LocalSandbox(tmp_path / "sandbox", speed=3000.0) as sandbox:
        (told,) = sandbox.devices

        async def install() -> None:
            sandbox.device(told.name).update(product=product)

        async def stage() -> None:
            updates.stage(sandbox.device(told.name))

        sandbox.run(install())
        where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
        assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        code, _, said = run("update", told.name, "--yes")
        assert (code, "nothing is staged" in said, "Update Catalog" in said) == (4, True, True)

        sandbox.run(stage())
        code, plan, _ = run("update", told.name, "--what-if", "--detailed-exitcode", "--json")
        assert code == 3
        assert run("update", told.name, "--plan-hash", "0" * 12)[0] == 4
        code, done, _ = run("update", told.name, "--plan-hash", json.loads(plan)["hash"][:12], "--json")

        assert (code, json.loads(done)["outcome"]) == (0, "changed")
        installed = sandbox.device(told.name).state.product
        assert installed is not None
        assert installed.version == "1.11.230.0"
