"""``akslite scale`` on the command line: a machine joins, gets a Windows node and loses it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.sandbox import LocalSandbox

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def names(tmp_path: Path, run: Run) -> Iterator[tuple[str, str]]:
    with LocalSandbox(tmp_path / "sandbox", devices=2, speed=3000.0) as sandbox:
        for told in sandbox.devices:
            where = ("--host", told.address, "--port", told.http_port, "--username", told.username)
            assert run("device", "add", told.name, *where, "--password", f"file:{told.password_file}")[0] == 0
        yield sandbox.devices[0].name, sandbox.devices[1].name


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "scalable.json"
    sample = Path(__file__).parents[1] / "aksedge" / "scalable-config.json"
    data: dict[str, Any] = json.loads(sample.read_text(encoding="utf-8"))
    data.pop("Arc", None)
    data["Machines"][0].pop("WindowsNode", None)
    data["Machines"][0]["NetworkConnection"] = {"AdapterName": "Ethernet"}
    file.write_text(json.dumps({**data, "Network": {**data["Network"], "InternetDisabled": True}}), encoding="utf-8")
    return file


def test_a_machine_joins_and_changes_its_nodes(run: Run, names: tuple[str, str], config: Path) -> None:
    first, second = names
    msi = ("--msi", "https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi")
    assert run("prepare", first, "--what-if", "--detailed-exitcode")[0] == 3
    assert run("prepare", first, "--yes")[0] == 0
    assert run("prepare", first, "--what-if", "--detailed-exitcode")[0] == 0
    assert run("install", first, *msi, "--feature", "CoreFeature", "--feature", "WindowsNodeFeature", "--yes")[0] == 0
    code, out, err = run("deploy", first, "-c", config, "--accept-eula", "--yes")
    assert code == 0, out + err
    assert run("verify", first)[0] == 0

    data = json.loads(config.read_text(encoding="utf-8"))
    base = data["Machines"][0]["LinuxNode"]["Ip4Address"].rpartition(".")[0]
    join = ("scale", "join", first, second, "--linux-ip", f"{base}.99", *msi)
    code, out, _ = run(*join, "--what-if", "--detailed-exitcode", "--json")
    assert (code, json.loads(out)["operation"]) == (3, "scale join")
    assert run(*join, "--yes")[0] == 2  # the licence terms
    code, out, err = run(*join, "--accept-eula", "--yes")
    assert code == 0, err
    assert "Ready" in out
    code, out, _ = run("runs", "list", "--device", second)
    assert "scale join" in out

    added = ("scale", "add-node", first, "--node-type", "windows", "--ip", f"{base}.98")
    assert run(*added, "--yes")[0] == 0
    removed = ("scale", "remove-node", first, "--node-type", "Windows")
    code, _, err = run(*removed, "--yes")
    assert (code, "--confirm" in err) == (2, True)
    assert run(*removed, "--confirm", first)[0] == 0
    code, _, err = run("scale", "remove-node", first, "--node-type", "Linux", "--confirm", first)
    assert (code, "last" in err) == (4, True)


def test_wrong_options_are_named(run: Run, names: tuple[str, str]) -> None:
    code, _, err = run("scale", "add-node", names[0], "--node-type", "BSD")
    assert (code, "Linux or Windows" in err) == (2, True)
    code, _, err = run("scale", "join", names[0], names[0], "--linux-ip", "10.0.0.1")
    assert (code, "cannot join itself" in err) == (2, True)
    code, _, err = run("install", names[0], "--install-dir", "AksEdge")
    assert (code, "full path" in err) == (2, True)
