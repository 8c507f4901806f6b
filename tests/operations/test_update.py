"""Updating a simulated device: what is staged, what may follow, the phases with a new session between, going on after a break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import PreflightFailed
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, Event, Plan, Run, StepStarted, apply, resume, update
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.sandbox.device import updates

Go = Callable[..., Run]


@pytest.fixture
def on_1_10(simulated: Any, config: DeploymentConfig) -> Any:
    """The simulated device with a cluster of release 1.10.868 and K3s 1.30.6."""
    simulated.install("1.10.868.0", "1.30.6")
    older = DeploymentConfig.parse({**config.as_data(), "SchemaVersion": "1.15"})
    with Session.open(simulated.device) as session:
        assert AksEdge(session).new_deployment(older.to_json(eula_accepted=True)) == "OK"
    return simulated


@pytest.fixture
def go(simulated: Any, journal: Journal, operator: Controller) -> Go:
    def run(plan: Plan, **options: Any) -> Run:
        return apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator, **options)

    return run


def stage(host: Any, version: str | None = None, **how: Any) -> None:
    async def work() -> None:
        updates.stage(host.sandbox.device(host.name), version, **how)

    host.sandbox.run(work())


def needed(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.needed]


def found(plan: Plan, check: str) -> Any:
    return next(finding for finding in plan.findings if finding.check == check)


def outcomes(run: Run) -> dict[str, str]:
    return {result.step_id: result.outcome.value for result in run.results}


def kubelets(host: Any) -> list[str]:
    cluster = host.sandbox.device(host.name).cluster.cluster
    return [node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.state.store.objects("nodes")]


def sent(journal: Journal, run_id: str) -> list[str]:
    return [row.data["command"] for row in journal.rows(run_id, kinds=[RowKind.SENT])]


# -- the plan -----------------------------------------------------------------------------------------------------


def test_where_nothing_is_staged_the_plan_says_so_and_how_to_stage_it(on_1_10: Any, go: Go) -> None:
    plan = update.plan(on_1_10.device)

    assert found(plan, "product").read.endswith("1.10.868.0; 1.11.230.0 follows")
    assert (found(plan, "staged").read, found(plan, "staged").severity) == ("nothing is staged", "error")
    assert "Update Catalog" in found(plan, "staged").action
    assert "Microsoft Update" in found(plan, "staged").action
    with pytest.raises(PreflightFailed, match="nothing is staged"):
        go(plan)


def test_the_newest_release_needs_nothing(deployed: Any) -> None:
    plan = update.plan(deployed.device)
    assert not plan.blocked
    assert not plan.has_changes
    assert "no newer release" in found(plan, "staged").read


def test_a_device_without_the_product_is_told_to_deploy(simulated: Any) -> None:
    assert found(update.plan(simulated.device), "product").action.endswith("akslite deploy")


def test_files_out_of_turn_block_the_plan(on_1_10: Any) -> None:
    stage(on_1_10, "1.12", by_hand=True)
    plan = update.plan(on_1_10.device)
    assert found(plan, "staged").severity == "error"
    assert "1.11.230.0 follows 1.10.868.0" in found(plan, "staged").read


def test_files_that_tell_no_version_are_taken_and_the_expectation_stays_open(on_1_10: Any) -> None:
    on_1_10.write("C:\\Program Files\\AKS-Edge\\update-cache\\payload.bin", "x" * 2_000_000)
    plan = update.plan(on_1_10.device)
    assert found(plan, "staged").read.startswith("1 file, 2.0 MB")
    assert not plan.blocked
    assert next(step for step in plan.steps if step.id == update.PRODUCT).parameters == {"from": "1.10.868.0"}


def test_a_new_minor_version_of_kubernetes_needs_a_word(simulated: Any, config: DeploymentConfig, go: Go) -> None:
    simulated.install("1.11.247.0", "1.31.6")
    with Session.open(simulated.device) as session:
        assert AksEdge(session).new_deployment(config.to_json(eula_accepted=True)) == "OK"

    unasked = update.plan(simulated.device)
    asked = update.plan(simulated.device, accept_upgrade=True)
    run = go(asked)

    assert needed(unasked)[0] != update.ACCEPT
    assert "--accept-upgrade" in found(unasked, "staged").action
    assert needed(asked)[0] == update.ACCEPT
    assert update.PRODUCT not in {step.id for step in asked.steps}
    assert run.outcome is Outcome.CHANGED
    assert simulated.state.accepts_upgrade


def test_nobody_accepts_upgrades_where_kubernetes_stays(on_1_10: Any) -> None:
    stage(on_1_10)
    plan = update.plan(on_1_10.device, accept_upgrade=True)
    assert update.ACCEPT not in {step.id for step in plan.steps}
    assert found(plan, "kubernetes").severity == "ok"


# -- the phases ---------------------------------------------------------------------------------------------------


def test_a_single_machine_passes_through_its_phases_each_read_back(on_1_10: Any, go: Go, journal: Journal) -> None:
    on_1_10.update(accepts_upgrade=True)
    stage(on_1_10)
    plan = update.plan(on_1_10.device)
    assert found(plan, "kubernetes").severity == "warning"
    assert needed(plan) == [update.PRODUCT, update.CONTROL_PLANE, "verify.deployment", "verify.nodes", "verify.pods"]

    run = go(plan)

    assert run.outcome is Outcome.CHANGED, run.results
    assert sent(journal, run.run_id) == ["Start-AksEdgeUpdate", "Start-AksEdgeControlPlaneUpdate"]
    evidence = {result.step_id: result.evidence for result in run.results}
    assert evidence[update.PRODUCT]["version"] == "1.11.230.0"
    assert [system[0] for system in evidence[update.CONTROL_PLANE]["nodes"].values()] == ["v1.31.6+k3s1"]
    assert kubelets(on_1_10) == ["v1.31.6+k3s1"]
    assert on_1_10.state.product_update is None
    again = update.plan(on_1_10.device)
    assert "1.11.247.0 follows" in found(again, "product").read


def test_an_update_that_leaves_kubernetes_is_seen_by_the_nodes_system(on_1_10: Any, go: Go) -> None:
    stage(on_1_10)
    run = go(update.plan(on_1_10.device))
    assert run.outcome is Outcome.CHANGED, run.results
    assert kubelets(on_1_10) == ["v1.30.6+k3s1"]
    assert on_1_10.state.product_update is None


def test_a_node_that_fell_back_fails_the_phase_and_the_run_goes_on_later(
    on_1_10: Any, go: Go, journal: Journal, operator: Controller
) -> None:
    stage(on_1_10)
    on_1_10.fault("update-fails")
    run = go(update.plan(on_1_10.device))
    assert outcomes(run)[update.CONTROL_PLANE] == "failed"

    again = resume(on_1_10.device, journal=journal, run_id=run.run_id, controller=operator)

    assert again.outcome is Outcome.CHANGED, again.results
    assert sent(journal, run.run_id).count("Start-AksEdgeUpdate") == 1
    assert on_1_10.state.product_update is None


def test_the_first_phase_alone_then_the_nodes_alone(on_1_10: Any, go: Go) -> None:
    on_1_10.update(accepts_upgrade=True)
    stage(on_1_10)
    first = update.plan(on_1_10.device, part="product")
    assert update.part_of(first) == "product"
    assert go(first).outcome is Outcome.CHANGED
    assert kubelets(on_1_10) == ["v1.30.6+k3s1"]

    second = update.plan(on_1_10.device, part="nodes")
    assert update.part_of(second) == "nodes"
    assert go(second).outcome is Outcome.CHANGED
    assert kubelets(on_1_10) == ["v1.31.6+k3s1"]


# -- going on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [update.PRODUCT, update.CONTROL_PLANE])
def test_an_interrupted_phase_is_collected_and_not_sent_again(
    on_1_10: Any, go: Go, journal: Journal, operator: Controller, step: str
) -> None:
    stage(on_1_10)
    stop, reached = threading.Event(), []

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted):
            reached.append(event.step.id)
        elif reached[-1:] == [step] and type(event).__name__ == "RecordArrived":
            stop.set()

    run = go(update.plan(on_1_10.device), listener=listen, stop=stop)
    assert run.interrupted

    again = resume(on_1_10.device, journal=journal, run_id=run.run_id, controller=operator)

    assert again.outcome is Outcome.CHANGED, again.results
    assert sent(journal, run.run_id) == ["Start-AksEdgeUpdate", "Start-AksEdgeControlPlaneUpdate"]
    assert on_1_10.state.product_update is None


@pytest.mark.parametrize("at", ["update-product", "update-control-plane"])
def test_after_a_restart_amid_a_phase_it_is_sent_again_once_it_is_seen_to_have_had_no_effect(
    on_1_10: Any, go: Go, journal: Journal, operator: Controller, at: str
) -> None:
    stage(on_1_10)
    on_1_10.fault("reboot-during", at=at)
    run = go(update.plan(on_1_10.device))
    assert run.outcome is Outcome.FAILED, run.results
    assert "did not take effect" in run.results[-1].detail

    again = resume(on_1_10.device, journal=journal, run_id=run.run_id, controller=operator)

    assert again.outcome is Outcome.CHANGED, again.results
    assert on_1_10.state.product is not None
    assert on_1_10.state.product.version == "1.11.230.0"
    assert on_1_10.state.product_update is None


# -- what the device tells ----------------------------------------------------------------------------------------


def test_versions_are_taken_from_a_manifest_or_from_file_names() -> None:
    from akslite_ps.aksedge.ops import _staged_versions

    name = "C:\\x\\AksEdge-K3s-1.31.6-1.11.230.0.msi"
    assert _staged_versions(json.dumps({"Version": "1.11.230.0"}), [name]) == ("1.11.230.0", "1.31.6")
    assert _staged_versions("no JSON", ["C:\\x\\setup.exe"]) == (None, None)
    assert _staged_versions(json.dumps({"version": "new; rm"}), []) == (None, None)
