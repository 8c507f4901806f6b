"""The real command line in a subprocess, through the whole main job on simulated devices."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Akslite

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"


def test_the_whole_path_from_bare_windows_to_a_running_cluster(akslite: Akslite, tmp_path: Path) -> None:
    deploy = ("press-01", "--config", SAMPLE, "--set", "Network.InternetDisabled=true")

    assert [d["state"] for d in akslite.json("sandbox", "status")["devices"]] == ["bare", "bare", "bare"]
    assert akslite.json("device", "test", "press-01")["ok"] is True
    plan = akslite.json("plan", *deploy, "--detailed-exitcode", code=3)
    assert [s["id"] for s in plan["steps"] if s["needed"]][:3] == ["prepare.features", "prepare.reboot", "install.msi"]

    run = akslite.json("deploy", *deploy, "--accept-eula")

    assert run["outcome"] == "changed"
    assert {r["outcome"] for r in run["results"]} == {"ok", "changed", "ok_reboot_soft"}
    status = akslite.json("status", "press-01")
    assert status["state"] == "deployed"
    assert [n["ready"] for n in status["cluster"]["nodes"]] == [True]
    akslite("sandbox", "fault", "add", "press-01", "api-unreachable")
    away = akslite.json("status", "press-01")["cluster"]
    assert (away["way"], away["ready"]) == ("device", True)
    akslite("sandbox", "fault", "clear", "press-01")
    assert akslite.json("plan", *deploy, "--detailed-exitcode")["has_changes"] is False
    assert akslite.json("deploy", *deploy, "--accept-eula")["outcome"] == "ok"

    runs = akslite.json("runs", "list", "--device", "press-01")
    assert run["run_id"] in [r["run_id"] for r in runs]
    shown = akslite.json("runs", "show", run["run_id"])
    assert shown["intact"] is True
    kinds = [r["kind"] for r in shown["rows"] if r["step_id"] == "deploy.create"]
    assert kinds.index("intent") < kinds.index("sent") < kinds.index("result")

    kubeconfig = tmp_path / "kubeconfig"
    akslite("kubeconfig", "press-01", "-o", kubeconfig)
    assert akslite.json("kubeconfig", "press-01")["kind"] == "Config"
    assert akslite("kubeconfig", "press-01", "-o", tmp_path, code=2).stdout == ""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("the rest needs kubectl")
    nodes = subprocess.run(
        [kubectl, "--kubeconfig", kubeconfig, "get", "nodes", "-o", "wide"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "press-01-ledge" in nodes
    assert " Ready " in nodes


def test_bad_input_is_one_message_with_the_right_exit_code(akslite: Akslite, tmp_path: Path) -> None:
    device = ("press-02", "--config", SAMPLE)
    missing_arc = akslite("deploy", *device, "--accept-eula", code=2)
    assert "Arc" in missing_arc.stderr
    assert "InternetDisabled" in missing_arc.stderr
    no_eula = akslite("deploy", *device, "--set", "Network.InternetDisabled=true", code=2)
    assert "--accept-eula" in no_eula.stderr
    assert "press-01" in akslite("status", "pres-01", code=2).stderr
    faulty = tmp_path / "faulty.json"
    faulty.write_text(SAMPLE.read_text().replace('"CpuCount": 4', '"CpuCount": "four", "Cpus": 1'), encoding="utf-8")
    issues = akslite.json("config", "check", faulty, code=2)["issues"]
    assert {"Machines[0].LinuxNode.CpuCount", "Machines[0].LinuxNode.Cpus"} <= {i["path"] for i in issues}
    k8s = akslite.json("config", "check", SAMPLE, "--distribution", "K8s", code=2)["issues"]
    assert "Network.NetworkPlugin" in {i["path"] for i in k8s}

    host = next(d["address"] for d in akslite.json("sandbox", "status")["devices"] if d["name"] == "press-02")
    port = next(d["http_port"] for d in akslite.json("sandbox", "status")["devices"] if d["name"] == "press-02")
    akslite.env["WRONG_PASSWORD"] = "not-the-password"
    akslite(
        "device",
        "add",
        "wrong",
        "--host",
        host,
        "--port",
        str(port),
        "--username",
        "PRESS-02\\aksadmin",
        "--password",
        "env:WRONG_PASSWORD",
    )
    refused = akslite("status", "wrong", code=4)
    assert "wrong" in refused.stderr
    assert "not-the-password" not in refused.stderr + refused.stdout
    akslite("device", "add", "gone", "--host", "no-such-host.invalid", "--username", "u", "--password", "env:WRONG_PASSWORD")
    assert "no-such-host.invalid" in akslite("status", "gone", code=5).stderr
    akslite("device", "add", "closed", "--host", host, "--port", "1", "--username", "u", "--password", "env:WRONG_PASSWORD")
    assert "next:" in akslite("status", "closed", code=5).stderr
    assert akslite.json("runs", "list", "--device", "press-02") == []
