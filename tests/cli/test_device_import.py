"""``akslite device import``: from Microsoft's helper scripts to an inventory entry and a config without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.fleet import Inventory

SECRET = "canary-of-the-import-3"
GUID = "0c21e45c-4e00-4b82-b926-10f181867364"
REACHED = ("--host", "10.0.0.7", "--username", "ops", "--password", "env:PRESS_07")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    sample = Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
    path = tmp_path / "aide-userconfig.json"
    path.write_text(
        json.dumps(
            {
                "AksEdgeProduct": "AKS Edge Essentials - K3s",
                "AksEdgeProductUrl": "https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi?sig=canary-sig",
                "Azure": {
                    "ClusterName": "press-07",
                    "SubscriptionId": GUID,
                    "TenantId": GUID,
                    "ResourceGroupName": "edge",
                    "Location": "westeurope",
                    "Auth": {"ServicePrincipalId": GUID, "Password": SECRET},
                },
                "AksEdgeConfig": json.loads(sample.read_text(encoding="utf-8")),
            }
        ),
        encoding="utf-8",
    )
    return path


def test_a_device_and_its_config_come_from_the_helpers_file(run: Any, tmp_path: Path, file: Path) -> None:
    config, secret = tmp_path / "press-07.json", tmp_path / "arc.secret"
    code, out, err = run(
        "device", "import", file, "press-07", *REACHED, "-o", config, "--client-secret", f"file:{secret}", "--label", "site=hamburg"
    )
    assert code == 0, err
    assert "akslite deploy press-07" in out + err
    assert "--msi https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi" in out + err
    device = Inventory.load().get("press-07")
    assert (device.endpoint.host, device.labels) == ("10.0.0.7", {"site": "hamburg"})
    assert str(DeploymentConfig.load(config).arc.client_secret) == f"file:{secret}"
    assert secret.read_text(encoding="utf-8").strip() == SECRET
    for shown in (out, err, config.read_text(encoding="utf-8")):
        assert SECRET not in shown
        assert "canary-sig" not in shown
    assert run("config", "check", config)[0] == 0


def test_nothing_is_written_where_something_is_wrong(run: Any, tmp_path: Path, file: Path) -> None:
    config = tmp_path / "press-07.json"
    assert run("device", "import", file, "press 07", *REACHED, "-o", config)[0] == 2
    assert run("device", "import", file, "press-07", *REACHED, "-o", config, "--client-secret", "hunter2-hunter2")[0] == 2
    assert run("device", "import", tmp_path / "none.json", "press-07", *REACHED, "-o", config)[0] == 2
    assert not config.exists()
    assert "press-07" not in Inventory.load()
    config.write_text("mine", encoding="utf-8")
    code, _, err = run("device", "import", file, "press-07", *REACHED, "-o", config, "--client-secret", f"file:{tmp_path / 's'}")
    assert (code, "--force" in err, config.read_text(encoding="utf-8")) == (2, True, "mine")
    assert not (tmp_path / "s").exists()
    assert "press-07" not in Inventory.load()


def test_one_document_with_json(run: Any, tmp_path: Path, file: Path) -> None:
    code, out, _ = run("device", "import", file, "press-07", *REACHED, "-o", tmp_path / "c.json", "--json")
    told = json.loads(out)
    assert (code, told["distribution"], told["device"]["name"]) == (0, "K3s", "press-07")
    assert any("AcceptEula" in note for note in told["notes"])
