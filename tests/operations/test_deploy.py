"""Deploying on a simulated device, through the real protocols: the whole way, what is already so, and every way to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import AuthenticationFailed, ConfirmationRequired, PreflightFailed, Unreachable
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import (
    Controller,
    Event,
    MsiSource,
    Plan,
    RecordArrived,
    Run,
    StepProgress,
    apply,
    deploy,
    find_resumable,
    install,
    prepare,
    resume,
    status,
    verify,
)
from akslite_ps.outcome import Outcome

Make = Callable[..., Plan]
Go = Callable[..., Run]


@pytest.fixture
def make(simulated: Any, config: DeploymentConfig) -> Make:
    def plan(**options: Any) -> Plan:
        return deploy.plan(simulated.device, options.pop("config", config), **{"accept_eula": True, **options})

    return plan


@pytest.fixture
def go(simulated: Any, journal: Journal, operator: Controller) -> Go:
    def run(plan: Plan, **options: Any) -> Run:
        return apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator, **options)

    return run


def outcomes(run: Run) -> dict[str, str]:
    return {result.step_id: result.outcome.value for result in run.results}


def told(journal: Journal, run_id: str) -> list[str]:
    """What the device said, without its time stamps."""
    rows = [row.data for row in journal.rows(run_id, kinds=[RowKind.RECORD]) if row.step_id == deploy.CREATE]
    lines = [data["message"] for data in rows if data["stream"] == "information"]
    return [line.partition("] ")[2] or line for line in lines]


def finding(plan: Plan, check: str) -> Any:
    return next(found for found in plan.findings if found.check == check)


# -- the whole way ------------------------------------------------------------------------------------------------


def test_a_bare_device_becomes_a_running_cluster(make: Make, simulated: Any, journal: Journal) -> None:
    plan = make()
    assert [(step.id, step.needed) for step in plan.steps] == [
        ("prepare.features", True),
        ("prepare.reboot", True),
        ("install.msi", True),
        ("install.host-check", True),
        ("deploy.network", True),
        ("deploy.create", True),
        ("verify.deployment", True),
        ("verify.nodes", True),
        ("verify.pods", True),
    ]
    assert not plan.blocked
    assert plan.has_changes
    boot_time = simulated.state.boot_time
    events: list[Event] = []

    run = apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, listener=events.append)

    assert run.finished
    assert run.outcome is Outcome.CHANGED
    assert outcomes(run) == {
        "prepare.features": "ok_reboot_soft",
        "prepare.reboot": "changed",
        "install.msi": "changed",
        "install.host-check": "ok",
        "deploy.network": "ok",
        "deploy.create": "changed",
        "verify.deployment": "ok",
        "verify.nodes": "ok",
        "verify.pods": "ok",
    }
    assert simulated.state.boot_time != boot_time
    evidence = {result.step_id: result.evidence for result in run.results}
    assert evidence["install.msi"]["version"] == "1.12.269.0"
    assert evidence["verify.nodes"]["nodes"][0]["status"] == "Ready"
    assert all(pod["healthy"] for pod in evidence["verify.pods"]["pods"])
    stages = [event.stage for event in events if isinstance(event, StepProgress) and event.step.id == deploy.CREATE]
    assert {"Creating the Linux node", "Starting Kubernetes", "Waiting for the node to be Ready"} <= set(stages)
    overall = [event.overall or 0 for event in events if isinstance(event, StepProgress)]
    assert overall == sorted(overall)
    assert journal.verify(run.run_id).ok
    assert status.read(simulated.device).state == "deployed"

    again = make()
    assert not again.has_changes
    assert not again.blocked
    assert {step.id for step in again.steps if step.needed} == {"verify.deployment", "verify.nodes", "verify.pods"}


def test_status_names_the_state_of_a_device(simulated: Any) -> None:
    bare = status.read(simulated.device)
    assert (bare.state, bare.product, bare.node_name) == ("bare", None, None)
    simulated.update(features=dict.fromkeys(simulated.state.features, "EnablePending"), pending_reboot=("features",))
    due = status.read(simulated.device)
    assert (due.state, due.pending_reboot) == ("restart-due", ("features",))
    simulated.install()
    installed = status.read(simulated.device)
    assert (installed.state, installed.product_version) == ("installed", "1.12.269.0")
    assert installed.computer_name == "PRESS-01"
    assert installed.facts["logical_processors"] == 8


# -- licence terms --------------------------------------------------------------------------------------------------


def test_the_licence_terms_are_asked_of_a_person(make: Make, go: Go, simulated: Any, journal: Journal) -> None:
    with pytest.raises(ConfirmationRequired, match="--accept-eula"):
        make(accept_eula=False)
    unasked = make(accept_eula=None)
    assert unasked.hash == make().hash
    with pytest.raises(ConfirmationRequired) as caught:
        go(unasked)
    assert caught.value.device == "press-01"
    assert journal.runs() == []
    with pytest.raises(ConfirmationRequired):
        deploy.require_eula(False, "press-01")
    deploy.require_eula(True, "press-01")


def test_who_accepted_the_licence_terms_is_journaled(make: Make, go: Go, simulated: Any, journal: Journal) -> None:
    simulated.install()
    simulated.fault("deployment-fails", at="features", answer="no")
    run = go(make())
    approved = journal.rows(run.run_id, kinds=[RowKind.APPROVED])[0]
    assert "@" in approved.data["eula_accepted_by"]
    assert approved.data["plan_hash"] == run.plan.hash


def test_a_config_that_says_the_terms_are_accepted_accepts_nothing(make: Make, config: DeploymentConfig) -> None:
    with pytest.raises(ConfirmationRequired):
        make(config=config.with_values({"User.AcceptEula": True}), accept_eula=False)


# -- preflight ---------------------------------------------------------------------------------------------------------


def test_a_device_that_does_not_fit_is_not_touched(make: Make, go: Go, simulated: Any, journal: Journal) -> None:
    simulated.hardware(total_memory_mb=3000, base_memory_mb=2000, default_gateway=None)
    plan = make()
    assert plan.blocked
    assert finding(plan, "memory").severity == "error"
    assert finding(plan, "free-memory").action
    assert finding(plan, "gateway").read == "none"
    with pytest.raises(PreflightFailed, match="Default gateway: none"):
        go(plan)
    assert journal.runs() == []
    assert simulated.state.features["Microsoft-Hyper-V"] == "Disabled"


def test_the_rules_of_the_config_are_checked_against_the_device(make: Make, simulated: Any) -> None:
    online = DeploymentConfig.template("SingleMachineCluster", "K3s").with_values({"Network.InternetDisabled": False})
    arc = [found for found in make(config=online).findings if found.check.startswith("config:Arc")]
    assert arc
    assert arc[0].severity == "error"
    flannel = make(distribution="K8s")
    assert finding(flannel, "config:Network.NetworkPlugin").needed == "calico"


def test_another_distribution_on_the_device_blocks(make: Make, simulated: Any) -> None:
    simulated.install(version="1.11.230.0", kubernetes="1.31.5", distribution="K8s")
    plan = make(distribution="K3s")
    assert plan.blocked
    assert "uninstall the product" in finding(plan, "product").action


# -- failures of the device ----------------------------------------------------------------------------------------------


def test_an_answer_other_than_ok_is_the_failure_with_cause_and_remedy(make: Make, go: Go, simulated: Any) -> None:
    simulated.install()
    simulated.fault("deployment-fails", at="node-ssh", answer="New-Node failed with error Creation of Linux node failed")
    run = go(make())
    result = run.results[-1]
    assert run.outcome is Outcome.FAILED
    assert result.step_id == deploy.CREATE
    assert "Creation of Linux node failed" in result.detail
    assert result.error is not None
    assert result.error["cause"]
    assert result.error["next_action"]
    assert result.error["device"] == "press-01"


def test_network_settings_the_product_refuses_end_the_run_before_the_deployment(make: Make, go: Go, simulated: Any) -> None:
    simulated.install()
    plan = make()

    def reinstall(event: Event) -> None:
        """Between preflight and step, the product is exchanged for one that wants another plugin."""
        if isinstance(event, StepProgress) and event.step.id == install.HOST_CHECK:
            simulated.install(version="1.11.230.0", kubernetes="1.31.5", distribution="K8s")

    run = go(plan, listener=reinstall)
    assert outcomes(run)["deploy.network"] == "failed"
    assert "NetworkPlugin" in run.results[-1].detail
    assert simulated.state.deployment is None


@pytest.mark.parametrize(
    ("code", "outcome", "ended"),
    [(3010, "ok_reboot_soft", True), (1641, "changed", True), (1618, "retry_later", False), (1603, "failed", True)],
)
def test_the_installers_exit_codes(code: int, outcome: str, ended: bool, go: Go, simulated: Any) -> None:
    simulated.update(features=dict.fromkeys(simulated.state.features, "Enabled"))
    simulated.fault("msi-exit-code", code=code, times=1)
    plan = install.plan(simulated.device, MsiSource.default("K3s"))
    boot_time = simulated.state.boot_time
    run = go(plan)
    assert outcomes(run)["install.msi"] == outcome
    assert (run.ended is not None) == ended
    assert (simulated.state.boot_time != boot_time) == (code == 1641)
    if outcome == "retry_later":
        assert go(plan).finished


def test_a_wrong_checksum_installs_nothing(go: Go, simulated: Any) -> None:
    simulated.update(features=dict.fromkeys(simulated.state.features, "Enabled"))
    run = go(
        install.plan(simulated.device, MsiSource(source="https://aka.ms/aks-edge/k3s-msi", distribution="K3s", sha256="0" * 64))
    )
    assert run.outcome is Outcome.FAILED
    assert "SHA-256" in run.results[-1].detail
    assert simulated.state.product is None


def test_a_restart_in_the_middle_fails_clearly_and_a_new_plan_can_clear_up(make: Make, go: Go, simulated: Any) -> None:
    simulated.install()
    simulated.fault("reboot-during", at="kubernetes")
    run = go(make())
    result = run.results[-1]
    assert run.outcome is Outcome.FAILED
    assert result.step_id == deploy.CREATE
    assert "the device restarted at" in result.detail
    assert result.error is not None
    assert "--remove-incomplete" in result.error["next_action"]
    assert status.read(simulated.device).state == "incomplete"

    blocked = make()
    assert blocked.blocked
    assert "--remove-incomplete" in finding(blocked, "deployment").action
    clearing = make(remove_incomplete=True)
    assert not clearing.blocked
    assert deploy.CLEAR in {step.id for step in clearing.steps if step.disturbs}
    second = go(clearing)
    assert second.finished
    assert outcomes(second)["deploy.clear"] == "changed"


def test_a_restart_before_anything_was_made_is_resumed_by_id(
    make: Make, go: Go, simulated: Any, journal: Journal, operator: Controller
) -> None:
    simulated.install()
    simulated.fault("reboot-during", at="network")
    run = go(make())
    assert run.outcome is Outcome.FAILED
    resumed = resume(simulated.device, journal=journal, run_id=run.run_id, controller=operator)
    assert resumed.finished
    assert told(journal, run.run_id).count("Deploying AKS Edge Essentials - K3s") == 1


def test_a_restart_amid_the_installation_is_settled_by_reading(
    go: Go, simulated: Any, journal: Journal, operator: Controller
) -> None:
    simulated.update(features=dict.fromkeys(simulated.state.features, "Enabled"))
    simulated.fault("reboot-during", at="msi")
    run = go(install.plan(simulated.device, MsiSource.default("K3s")))
    assert outcomes(run) == {"install.msi": "failed"}
    assert "the device restarted" in run.results[0].detail
    assert resume(simulated.device, journal=journal, run_id=run.run_id, controller=operator).finished


def test_a_wrong_password_changes_and_leaves_nothing(
    simulated: Any, config: DeploymentConfig, make: Make, go: Go, journal: Journal
) -> None:
    good = make()
    simulated.sandbox.devices[0].password_file.write_text("Wrong-Passw0rd", encoding="utf-8")
    with pytest.raises(AuthenticationFailed) as caught:
        make()
    assert caught.value.device == "press-01"
    assert caught.value.next_action
    run = go(good)
    assert run.outcome is Outcome.FAILED
    assert run.results[0].error is not None
    assert run.results[0].error["error"] == "AuthenticationFailed"
    assert "intent" not in [row.kind for row in journal.rows(run.run_id)]


def test_a_device_that_does_not_answer_is_unreachable(simulated: Any, config: DeploymentConfig, make: Make, go: Go) -> None:
    plan = make()

    async def down() -> None:
        await simulated.sandbox.device("press-01")._stop_services(abort=True)

    simulated.sandbox.run(down())
    with pytest.raises(Unreachable) as caught:
        make()
    assert caught.value.device == "press-01"
    assert go(plan).outcome is Outcome.UNREACHABLE


# -- an existing deployment --------------------------------------------------------------------------------------------------


def test_an_existing_deployment_is_left_alone_or_said_to_differ(
    make: Make, go: Go, simulated: Any, config: DeploymentConfig
) -> None:
    simulated.install()
    small = config.with_values({"Machines[0].LinuxNode.CpuCount": 2, "Machines[0].LinuxNode.MemoryInMB": 2048})
    assert go(make(config=small)).finished

    same = make(config=small)
    assert not same.has_changes
    assert finding(same, "deployment").severity == "ok"
    assert go(same).outcome is Outcome.OK

    larger = make(config=small.with_values({"Machines[0].LinuxNode.CpuCount": 4}))
    assert larger.blocked
    create = next(step for step in larger.steps if step.id == deploy.CREATE)
    assert create.forces_redeploy
    assert "CpuCount is 2 on the device, 4 in the config" in create.change
    assert "cannot change this in place" in finding(larger, "deployment").action
    with pytest.raises(PreflightFailed):
        go(larger)

    verified = go(verify.plan(simulated.device))
    assert verified.outcome is Outcome.OK
    assert verified.finished


def test_a_device_that_changed_since_it_was_planned_is_told_where_a_step_fails_for_it(make: Make, go: Go, simulated: Any) -> None:
    simulated.install()
    plan = make()
    simulated.update(product=None)
    run = go(plan)
    assert run.outcome is Outcome.FAILED
    error = run.results[-1].error
    assert error is not None
    assert error["next_action"] == "the device is no longer as the plan found it (the product is not installed): make a new plan"
    assert go(make()).finished


def test_verifying_needs_a_deployment(simulated: Any) -> None:
    plan = verify.plan(simulated.device)
    assert plan.blocked
    assert "akslite deploy press-01" in plan.findings[0].action


def test_preparing_alone(go: Go, simulated: Any) -> None:
    run = go(prepare.plan(simulated.device))
    assert run.outcome is Outcome.CHANGED
    assert status.read(simulated.device).state == "prepared"
    again = prepare.plan(simulated.device)
    assert not again.has_changes
    assert go(again).outcome is Outcome.OK


# -- interruption ---------------------------------------------------------------------------------------------------------------


LINES = [
    "Checking host for required features",
    "All required host features are installed",
    "Validating AksEdge network parameters...",
    "*** 0 errors found in the deployment configuration.",
    "AksEdge - deploying a new Linux single machine k3s cluster",
    "Step 1: Preparing host for AKS Edge Essentials - K3s",
]


@pytest.mark.parametrize("line", ["Creating vnet (name: aksedgesw-int)", "Initializing kubernetes runtime in Linux node"])
def test_an_interrupted_deployment_goes_on_and_loses_no_line(
    line: str, make: Make, go: Go, simulated: Any, journal: Journal, config: DeploymentConfig, operator: Controller
) -> None:
    simulated.install()
    simulated.fault("slow", factor=5.0)
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, RecordArrived) and line in getattr(event.record, "message", ""):
            stop.set()

    plan = make()
    run = go(plan, listener=listener, stop=stop)
    assert run.interrupted
    assert outcomes(run)[deploy.CREATE] == "unknown"
    before = told(journal, run.run_id)
    assert before[: len(LINES)] == LINES
    found = find_resumable(journal, "press-01", "deploy", config=config.as_data())
    assert found is not None

    resumed = resume(simulated.device, journal=journal, controller=operator)

    assert resumed.run_id == run.run_id
    assert resumed.finished
    assert resumed.outcome is Outcome.CHANGED
    lines = told(journal, run.run_id)
    assert lines[: len(before)] == before
    assert len(lines) == len(set(lines)), "a line came twice"
    assert lines[-1].startswith("Waiting for Kubernetes node (press-01-ledge)")
    sent = [row.data["command"] for row in journal.rows(run.run_id, kinds=[RowKind.SENT])]
    assert sent.count("New-AksEdgeDeployment") == 1
    assert simulated.state.deployment.phase == "complete"
    assert find_resumable(journal, "press-01", "deploy") is None
    assert journal.verify().ok
