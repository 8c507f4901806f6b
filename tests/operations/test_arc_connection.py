"""Connecting a cluster to Azure Arc and disconnecting it: checks, polling, and that no secret gets or stays anywhere."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import PreflightFailed
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Event, Plan, RecordArrived, Run, StepProgress, apply, arc, resume
from akslite_ps.outcome import Outcome

CANARY = "cAnary/7+Rohrdommel=="
LEFT_CONFIG = "C:\\AksEdgeScript\\tools\\aide-userconfig.json"
LEFT = json.dumps(
    {"Azure": {"Auth": {"ServicePrincipalId": "id", "Password": CANARY}}, "Arc": {"ClientSecret": CANARY, "Location": "x"}}
)

Walk = Callable[[Plan], Run]
Make = Callable[..., DeploymentConfig]


def impatient(plan: Plan, step_id: str) -> Plan:
    """The plan with time for one look in one step."""
    steps = [step.model_copy(update={"max_run_s": 0}) if step.id == step_id else step for step in plan.steps]
    return plan.model_copy(update={"steps": tuple(steps)})


def result(run: Run, step_id: str) -> Any:
    return next(found for found in run.results if found.step_id == step_id)


def forms(secret: str) -> list[str]:
    raw, wide = secret.encode(), secret.encode("utf-16-le")
    return [secret, urllib.parse.quote(secret, safe=""), *(base64.b64encode(data).decode().rstrip("=") for data in (raw, wide))]


def test_a_cluster_is_connected_seen_as_connected_and_disconnected(
    deployed: Any, journal: Journal, operator: Controller, arc_config: Make, walk: Walk
) -> None:
    config = arc_config()
    plan = arc.plan_connect(deployed.device, config)
    assert not plan.blocked, plan.findings
    assert "connected cluster press in resource group edge" in plan.steps[0].change
    events: list[Event] = []

    run = apply(plan, deployed.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=events.append)

    assert (run.finished, run.outcome) == (True, Outcome.CHANGED)
    assert result(run, arc.CONNECTED).evidence["connected"] is True
    assert len(result(run, arc.CONNECTED).evidence["agents"]) == 11
    assert any("Azure Arc" in event.stage for event in events if isinstance(event, StepProgress) and event.step.id == arc.CONNECTED)
    assert deployed.azure_clusters == ["press"]
    again = arc.plan_connect(deployed.device, config)
    assert not again.has_changes

    gone = walk(arc.plan_disconnect(deployed.device, config))

    assert (gone.finished, gone.outcome) == (True, Outcome.CHANGED)
    assert result(gone, arc.DISCONNECTED).evidence == {"connected": False, "agents": {}}
    assert deployed.azure_clusters == []
    assert not arc.plan_disconnect(deployed.device, config).has_changes


def test_without_deployment_internet_or_a_complete_section_nothing_is_sent(simulated: Any, arc_config: Make, walk: Walk) -> None:
    simulated.install()
    simulated.hardware(internet=False)
    incomplete = arc_config().with_values({"Arc.Location": None, "Arc.ClientSecret": None})
    plan = arc.plan_connect(simulated.device, incomplete)
    faults = {finding.check: finding.read for finding in plan.findings if finding.severity == "error"}
    assert set(faults) == {"deployment", "arc-section", "internet"}
    assert faults["arc-section"] == "without Arc.Location, Arc.ClientSecret"
    with pytest.raises(PreflightFailed):
        walk(plan)


def test_an_offline_config_is_not_connected(simulated: Any, arc_config: Make) -> None:
    plan = arc.plan_connect(simulated.device, arc_config().with_values({"Network.InternetDisabled": True}))
    faults = {finding.check: finding.read for finding in plan.findings if finding.severity == "error"}
    assert "InternetDisabled" in faults["internet"]


def test_agents_that_never_connect_fail_within_the_limit_and_say_what_to_check(deployed: Any, arc_config: Make, walk: Walk) -> None:
    plan = impatient(arc.plan_connect(deployed.device, arc_config(roles=())), arc.CONNECTED)
    run = walk(plan)
    failed = result(run, arc.CONNECTED)
    assert failed.outcome is Outcome.FAILED
    assert "though its agents are there" in failed.detail
    assert "Azure Arc Onboarding" in failed.error["next_action"]


def test_the_onboarding_role_connects_and_does_not_disconnect(deployed: Any, arc_config: Make, walk: Walk) -> None:
    config = arc_config(roles=("Kubernetes Cluster - Azure Arc Onboarding",))
    assert walk(arc.plan_connect(deployed.device, config)).finished
    run = walk(arc.plan_disconnect(deployed.device, config))
    assert result(run, arc.DISCONNECT).outcome is Outcome.FAILED
    assert "authorization" in result(run, arc.DISCONNECT).detail
    assert deployed.azure_clusters == ["press"]


def test_agents_left_behind_are_named_with_how_to_remove_them(deployed: Any, arc_config: Make, walk: Walk) -> None:
    config = arc_config()
    assert walk(arc.plan_connect(deployed.device, config)).finished
    deployed.fault("arc-pods-left", at="arc", times=1)
    run = walk(impatient(arc.plan_disconnect(deployed.device, config), arc.DISCONNECTED))
    assert run.finished
    assert "kubectl delete namespace azure-arc" in result(run, arc.DISCONNECTED).detail


def test_the_secret_gets_nowhere_and_what_was_left_of_it_on_the_device_is_emptied(
    deployed: Any, journal: Journal, operator: Controller, arc_config: Make, tmp_path: Path
) -> None:
    config = arc_config(CANARY)
    deployed.write(LEFT_CONFIG, LEFT)
    deployed.fault("az-not-recognized", at="arc", times=1)
    shown: list[str] = []
    outcomes = []
    for make in (arc.plan_connect, arc.plan_connect, arc.plan_disconnect):
        plan, events = make(deployed.device, config), list[Event]()
        run = apply(plan, deployed.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=events.append)
        shown += [plan.model_dump_json(), repr(events), run.model_dump_json(), repr(run)]
        outcomes.append(run.outcome)
    assert outcomes == [Outcome.FAILED, Outcome.CHANGED, Outcome.CHANGED]

    journal.flush()
    kept = b"".join(file.read_bytes() for file in journal.path.parent.rglob("*") if file.is_file())
    assert b"Connect-AksEdgeArc" in kept
    for form in forms(CANARY):
        assert form.encode() not in kept
        assert form not in "\n".join(shown)
    left = json.loads(deployed.read(LEFT_CONFIG))
    assert left["Arc"] == {"ClientSecret": "", "Location": "x"}
    assert left["Azure"]["Auth"] == {"ServicePrincipalId": "id", "Password": ""}
    assert "aide-userconfig.json" in shown[0]
    assert [file for file in (tmp_path / "sandbox").rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()] == []


def test_a_restart_amid_connecting_is_told_and_the_run_goes_on(
    deployed: Any, journal: Journal, operator: Controller, arc_config: Make
) -> None:
    deployed.fault("slow", factor=4.0)
    restarts = iter([deployed.name])

    def restart_once(event: Event) -> None:
        if isinstance(event, RecordArrived) and event.step.id == arc.CONNECT:
            for name in restarts:
                deployed.sandbox.reboot(name)

    plan = arc.plan_connect(deployed.device, arc_config())
    run = apply(plan, deployed.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=restart_once)
    assert result(run, arc.CONNECT).outcome is Outcome.FAILED
    assert "the device restarted" in result(run, arc.CONNECT).detail
    assert resume(deployed.device, journal=journal, run_id=run.run_id, controller=operator).finished
    assert deployed.azure_clusters == ["press"]
