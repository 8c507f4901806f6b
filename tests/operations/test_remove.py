"""Removing a deployment, and the product: the order, the confirmation, what is proved, and what is said to be left."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import ConfirmationRequired
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, Event, Plan, RecordArrived, Run, Step, apply, arc, remove, resume, status
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.kubernetes import resources

Walk = Callable[[Plan], Run]
Make = Callable[..., DeploymentConfig]


def result(run: Run, step_id: str) -> Any:
    return next(found for found in run.results if found.step_id == step_id)


def test_a_deployment_is_removed_and_the_device_proved_clean(deployed: Any, walk: Walk) -> None:
    plan = remove.plan(deployed.device)
    assert [(step.id, step.needed) for step in plan.steps] == [(remove.DEPLOYMENT, True), (remove.PROOF, True)]
    assert plan.steps[0].disturbs
    run = walk(plan)
    assert (run.finished, run.outcome) == (True, Outcome.CHANGED)
    proof = result(run, remove.PROOF)
    assert proof.detail == "no deployment; nothing is left of what can be read"
    assert (proof.evidence["node_disks"], proof.evidence["switches"]) == ([], [])
    assert deployed.state.deployment is None
    assert not remove.plan(deployed.device).has_changes


def test_nothing_is_removed_from_another_computer_that_has_the_devices_address_by_now(
    tmp_path: Path, host_in: Callable[[LocalSandbox, int], Any], config: DeploymentConfig, journal: Journal, operator: Controller
) -> None:
    with LocalSandbox(tmp_path / "sandbox", devices=2, speed=3000.0) as sandbox:
        meant, other = host_in(sandbox, 0), host_in(sandbox, 1)
        for host in (meant, other):
            host.install()
            with Session.open(host.device) as session:
                AksEdge(session).new_deployment(config.to_json(eula_accepted=True))
        plan = remove.plan(meant.device)
        moved = meant.device.model_copy(update={"endpoint": other.device.endpoint})
        run = apply(plan, moved, approved_hash=plan.hash, journal=journal, controller=operator)
        assert (run.outcome, run.finished) == (Outcome.UNREACHABLE, False)
        assert f"another computer answers at {other.device.endpoint.host}" in run.results[0].detail
        assert other.state.deployment is not None
        assert remove.plan(moved).hash != plan.hash
        assert resume(meant.device, journal=journal, controller=operator).finished


def test_the_product_goes_too_where_it_is_wanted(deployed: Any, walk: Walk) -> None:
    deployed.write("C:\\AksEdgeScript\\aksedge-config.json", "{}")
    run = walk(remove.plan(deployed.device, product=True))
    assert run.finished
    assert result(run, remove.PRODUCT).evidence["exit_code"] == 0
    assert status.read(deployed.device).state == "prepared"
    assert "folders C:\\AksEdgeScript" in result(run, remove.PROOF).detail
    assert remove.plan(deployed.device, product=True).steps[1].needed is False


def test_an_uninstallation_that_fails_can_go_on_and_a_restart_that_is_due_is_told(
    simulated: Any, walk: Walk, journal: Journal, operator: Controller
) -> None:
    simulated.install()
    simulated.fault("msi-exit-code", code=1603, times=1)
    run = walk(remove.plan(simulated.device, product=True))
    assert result(run, remove.PRODUCT).outcome is Outcome.FAILED
    assert "1603" in result(run, remove.PRODUCT).detail
    simulated.fault("msi-exit-code", code=3010)
    run = resume(simulated.device, journal=journal, run_id=run.run_id, controller=operator)
    assert (run.finished, run.outcome) == (True, Outcome.OK_REBOOT_SOFT)
    assert simulated.state.product is None


def test_a_person_types_the_devices_name() -> None:
    step = Step(id=remove.DEPLOYMENT, title="Remove", change="deletes every node")
    plan = Plan(operation=remove.OPERATION, device="press-01", created=dt.datetime.now(dt.UTC), steps=(step,))
    for typed in (None, "yes", "press-02"):
        with pytest.raises(ConfirmationRequired, match="--confirm press-01"):
            remove.require_confirmation(plan, typed)
    remove.require_confirmation(plan, " Press-01 ")
    nothing = plan.model_copy(update={"steps": (step.model_copy(update={"needed": False}),)})
    remove.require_confirmation(nothing, None)


def test_arc_goes_first_with_credentials(deployed: Any, walk: Walk, arc_config: Make) -> None:
    config = arc_config()
    assert walk(arc.plan_connect(deployed.device, config)).finished
    plan = remove.plan(deployed.device, config=config)
    assert [step.id for step in plan.steps] == [arc.DISCONNECT, arc.DISCONNECTED, remove.DEPLOYMENT, remove.PROOF]
    run = walk(plan)
    assert run.finished
    assert deployed.azure_clusters == []
    assert "Azure" not in result(run, remove.PROOF).detail


def test_without_credentials_it_says_what_stays_in_azure(deployed: Any, walk: Walk, arc_config: Make) -> None:
    assert walk(arc.plan_connect(deployed.device, arc_config())).finished
    plan = remove.plan(deployed.device)
    assert not plan.blocked
    assert any("az connectedk8s delete" in note for note in plan.notes)
    run = walk(plan)
    assert run.finished
    assert "in Azure the connected cluster" in result(run, remove.PROOF).detail
    assert deployed.azure_clusters == ["press"]


def test_disks_that_stay_are_no_clean_device(simulated: Any, walk: Walk) -> None:
    simulated.install()
    simulated.fault("already-deployed")
    run = walk(remove.plan(simulated.device))
    failed = result(run, remove.PROOF)
    assert failed.outcome is Outcome.FAILED
    assert "press-01-ledge.vhdx" in failed.detail


def test_what_a_broken_deployment_left_is_removed_and_an_external_switch_stays(deployed: Any, walk: Walk) -> None:
    broken = {"phase": "broken", "switch": "aksedgesw-ext", "adapter": "Ethernet"}
    deployed.update(deployment=deployed.state.deployment.model_copy(update=broken))
    plan = remove.plan(deployed.device)
    assert "broke off" in plan.findings[0].read
    run = walk(plan)
    assert run.finished
    assert "virtual switches aksedgesw-ext" in result(run, remove.PROOF).detail


def test_the_only_control_plane_is_not_taken_from_others_and_pods_move_before_a_machine_leaves(deployed: Any, walk: Walk) -> None:
    state = deployed.sandbox.device(deployed.name).cluster.cluster.state

    async def join(name: str, **labels: str) -> None:
        state.add(resources.NODES, {"metadata": {"name": name, "labels": labels}})

    deployed.sandbox.run(join("press-02-ledge"))
    alone = remove.plan(deployed.device)
    assert alone.blocked
    assert [finding.read for finding in alone.findings if finding.severity == "error"] == ["nodes press-02-ledge"]

    deployed.sandbox.run(join("press-03-ledge", **{"node-role.kubernetes.io/control-plane": "true"}))
    plan = remove.plan(deployed.device)
    assert not plan.blocked
    assert [step.id for step in plan.steps] == [remove.DRAIN, remove.DEPLOYMENT, remove.PROOF]
    run = walk(plan)
    assert result(run, remove.DRAIN).outcome is Outcome.CHANGED
    assert run.finished


def test_an_interrupted_removal_goes_on_and_is_sent_once(deployed: Any, journal: Journal, operator: Controller) -> None:
    deployed.fault("slow", factor=4.0)
    stop = threading.Event()

    def interrupt(event: Event) -> None:
        if isinstance(event, RecordArrived) and event.step.id == remove.DEPLOYMENT:
            stop.set()

    plan = remove.plan(deployed.device)
    run = apply(plan, deployed.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=interrupt, stop=stop)
    assert run.outcome is Outcome.CANCELLED

    run = resume(deployed.device, journal=journal, controller=operator)

    assert run.finished
    assert deployed.state.deployment is None
    sent = [row for row in journal.rows(run.run_id, kinds=[RowKind.SENT]) if row.step_id == remove.DEPLOYMENT]
    assert len(sent) == 1
