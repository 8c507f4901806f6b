"""Bringing a deployed device to another config: what differs, in place, and deployed anew with its workloads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.ops import ensure_ops, kube_config
from akslite_ps.cluster import Cluster
from akslite_ps.cluster.backup import MANIFEST
from akslite_ps.errors import ConfirmationRequired
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Event, Plan, Run, StepStarted, apply, change, deploy, remove, resume
from akslite_ps.operations.controller import open_cluster
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session

if TYPE_CHECKING:
    from conftest import SimulatedHost

SETTINGS = "/api/v1/namespaces/line-7/configmaps/settings"
CLAIM = "/api/v1/namespaces/line-7/persistentvolumeclaims/data"


@pytest.fixture
def controller(operator: Controller) -> Controller:
    """Asks the simulated cluster itself."""
    return replace(operator, open_cluster=open_cluster)


@pytest.fixture
def go(deployed: SimulatedHost, journal: Journal, controller: Controller) -> Callable[..., Run]:
    def run(plan: Plan, **more: Any) -> Run:
        return apply(plan, deployed.device, approved_hash=plan.hash, journal=journal, controller=controller, **more)

    return run


def asked(host: SimulatedHost) -> Cluster:
    with Session.open(host.device) as session:
        ensure_ops(session)
        return Cluster.from_kubeconfig(kube_config(session), device=host.name)


def fill(host: SimulatedHost) -> None:
    """A workload of a person."""
    with asked(host) as cluster:
        for path, data in (
            ("/api/v1/namespaces/line-7", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "line-7"}}),
            (
                SETTINGS,
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "settings", "namespace": "line-7"},
                    "data": {"speed": "7"},
                },
            ),
            (
                CLAIM,
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data", "namespace": "line-7"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                },
            ),
        ):
            cluster.apply_json(path, data, manager="a person")


def planned(host: SimulatedHost, config: DeploymentConfig, folder: Path, **more: Any) -> Plan:
    return change.plan(host.device, config, folder=folder, accept_eula=True, **more)


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.needed and step.change]


def found(plan: Plan, check: str) -> Any:
    return next((finding for finding in plan.findings if finding.check == check), None)


def cpus(host: SimulatedHost) -> int:
    deployment = host.state.deployment
    assert deployment is not None
    return deployment.nodes[0].cpu_count


def test_nothing_differs(deployed: SimulatedHost, config: DeploymentConfig, go: Any, tmp_path: Path) -> None:
    plan = planned(deployed, config, tmp_path / "saved", deployed=config)
    assert not plan.has_changes
    assert found(plan, "change").severity == "ok"
    assert go(plan).outcome is Outcome.OK
    assert not (tmp_path / "saved").exists()


def test_a_field_that_is_fixed_has_the_device_deployed_anew_with_its_workloads(
    deployed: SimulatedHost, config: DeploymentConfig, go: Any, tmp_path: Path
) -> None:
    fill(deployed)
    folder = tmp_path / "saved"
    plan = planned(deployed, config.with_values({"Machines[0].LinuxNode.CpuCount": 2}), folder, deployed=config)
    difference = found(plan, "change:Machines[0].LinuxNode.CpuCount")
    assert (difference.read, difference.needed, difference.severity) == ("4", "2", "warning")
    assert found(plan, "volumes").read == "claims line-7/data"
    assert ids(plan) == [change.BACKUP, remove.DRAIN, remove.DEPLOYMENT, change.RESTART, deploy.CREATE, change.RESTORE]
    boot = deployed.state.boot_time
    run = go(plan)
    assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert "EMPTY volumes: line-7/data" in next(r.detail for r in run.results if r.step_id == change.RESTORE)
    assert cpus(deployed) == 2
    assert deployed.state.boot_time > boot
    with asked(deployed) as cluster:
        assert cluster.get_json(SETTINGS)["data"] == {"speed": "7"}
    assert (folder / MANIFEST).is_file()
    assert not planned(deployed, config.with_values({"Machines[0].LinuxNode.CpuCount": 2}), tmp_path / "other").has_changes


@pytest.mark.parametrize("at", [remove.DEPLOYMENT, change.RESTART, deploy.CREATE, change.RESTORE])
def test_a_run_that_stopped_goes_on_and_brings_the_workloads_back(
    deployed: SimulatedHost, config: DeploymentConfig, go: Any, journal: Journal, controller: Controller, tmp_path: Path, at: str
) -> None:
    fill(deployed)
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step.id == at:
            stop.set()

    wanted = config.with_values({"Machines[0].LinuxNode.CpuCount": 2})
    plan = planned(deployed, wanted, tmp_path / "saved", deployed=config)
    assert go(plan, listener=listener, stop=stop).interrupted
    run = resume(deployed.device, journal=journal, controller=controller)
    assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert cpus(deployed) == 2
    with asked(deployed) as cluster:
        assert cluster.get_json(SETTINGS)["data"] == {"speed": "7"}


def test_nothing_is_removed_where_the_backup_cannot_be_written(
    deployed: SimulatedHost, config: DeploymentConfig, go: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    wanted = config.with_values({"Machines[0].LinuxNode.CpuCount": 2})
    run = go(planned(deployed, wanted, tmp_path / "file" / "saved", deployed=config))
    assert run.outcome is Outcome.FAILED
    assert [result.step_id for result in run.results] == [change.BACKUP]
    assert cpus(deployed) == 4


def test_a_folder_with_files_blocks_the_plan(deployed: SimulatedHost, config: DeploymentConfig, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    plan = planned(deployed, config.with_values({"Machines[0].LinuxNode.CpuCount": 2}), tmp_path, deployed=config)
    assert found(plan, "folder").severity == "error"


def test_where_the_api_cannot_be_reached_nothing_is_removed(
    deployed: SimulatedHost, config: DeploymentConfig, tmp_path: Path
) -> None:
    deployed.fault("api-unreachable")
    plan = planned(deployed, config.with_values({"Machines[0].LinuxNode.CpuCount": 2}), tmp_path / "saved", deployed=config)
    assert found(plan, "backup").severity == "error"


def test_without_the_former_config_only_what_the_device_tells_is_compared(
    deployed: SimulatedHost, config: DeploymentConfig, tmp_path: Path
) -> None:
    wanted = config.with_values({"Machines[0].LinuxNode.MemoryInMB": 8192, "Network.Proxy.Http": "http://proxy.example:8080"})
    plan = planned(deployed, wanted, tmp_path / "saved")
    assert [finding.check for finding in plan.findings if finding.check.startswith("change:")] == [
        "change:Machines[0].LinuxNode.MemoryInMB"
    ]
    assert any("--deployed" in note for note in plan.notes)
    whole = planned(deployed, wanted, tmp_path / "saved", deployed=config)
    assert "change:Network.Proxy.Http" in [finding.check for finding in whole.findings]


def test_arc_is_connected_in_place(
    deployed: SimulatedHost, config: DeploymentConfig, arc_config: Any, go: Any, tmp_path: Path
) -> None:
    plan = planned(deployed, arc_config().with_values({"Network.InternetDisabled": None}), tmp_path / "saved")
    assert remove.DEPLOYMENT not in ids(plan)
    run = go(plan)
    assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert deployed.azure_clusters == ["press"]


def test_licence_terms_and_the_devices_name_are_asked_for_only_to_deploy_anew(
    deployed: SimulatedHost, config: DeploymentConfig, go: Any, tmp_path: Path
) -> None:
    wanted = config.with_values({"Machines[0].LinuxNode.CpuCount": 2})
    plan = change.plan(deployed.device, wanted, folder=tmp_path / "saved", deployed=config)
    assert change.redeploys(plan)
    with pytest.raises(ConfirmationRequired):
        go(plan)
    with pytest.raises(ConfirmationRequired):
        remove.require_confirmation(plan, None)
    same = change.plan(deployed.device, config, folder=tmp_path / "saved", deployed=config)
    assert not change.redeploys(same)
    assert go(same).outcome is Outcome.OK


def test_what_was_deployed_is_known_from_the_journal(
    simulated: SimulatedHost, config: DeploymentConfig, journal: Journal, operator: Controller
) -> None:
    simulated.install()
    plan = deploy.plan(simulated.device, config, accept_eula=True)
    assert change.last_deployed(journal, simulated.name) is None
    apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator)
    assert change.last_deployed(journal, simulated.name) == config
