"""Deployment, update and remove while the device restarts, its WinRM does, the network is away, or the device is gone for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.cli import views
from akslite_ps.cli.exit_codes import UNREACHABLE, for_outcome
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, Limits, Plan, Run, apply, deploy, remove, resume, update
from akslite_ps.operations.evidence import verify_runs
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session, recovery
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device import updates


@dataclass
class Case:
    """An operation on a device that is ready for it."""

    host: Any
    plan: Plan
    cmdlet: str
    moment: str
    as_desired: Callable[[], bool]


def deployed(host: Any, config: DeploymentConfig) -> None:
    with Session.open(host.device) as session:
        assert AksEdge(session).new_deployment(config.to_json(eula_accepted=True)) == "OK"


@pytest.fixture(params=["deployment", "update", "remove"])
def case(request: pytest.FixtureRequest, slow_host: Any, config: DeploymentConfig) -> Case:
    host, older = slow_host, DeploymentConfig.parse({**config.as_data(), "SchemaVersion": "1.15"})
    host.install("1.10.868.0", "1.30.6")
    if request.param == "deployment":
        plan = deploy.plan(host.device, older, accept_eula=True)
        return Case(host, plan, "New-AksEdgeDeployment", "deploy", lambda: host.state.deployment.phase == "complete")
    deployed(host, older)
    if request.param == "remove":
        return Case(host, remove.plan(host.device), "Remove-AksEdgeDeployment", "remove", lambda: host.state.deployment is None)

    async def stage() -> None:
        updates.stage(host.sandbox.device(host.name))

    host.sandbox.run(stage())
    return Case(
        host,
        update.plan(host.device),
        "Start-AksEdgeUpdate",
        "update",
        lambda: host.state.product.version == "1.11.230.0" and host.state.product_update is None,
    )


@pytest.fixture
def slow_host(tmp_path: Path, host_in: Callable[[LocalSandbox, int], Any]) -> Any:
    """Four minutes of the device take a fifth of a second, and its long cmdlets as long or longer."""
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=1200) as sandbox:
        yield host_in(sandbox, 0)


@pytest.fixture
def go(case: Case, journal: Journal, operator: Controller) -> Callable[[], Run]:
    return lambda: apply(case.plan, case.host.device, approved_hash=case.plan.hash, journal=journal, controller=operator)


def sent(journal: Journal, run: Run) -> list[str]:
    return [row.data["command"] for row in journal.rows(run.run_id, kinds=[RowKind.SENT])]


def words_of(run: Run) -> str:
    return " ".join(result.detail for result in run.results) + str([result.error for result in run.results])


@pytest.mark.parametrize("fault", ["network-away", "tcp-reset"])
def test_a_way_that_breaks_is_taken_up_again_in_the_same_run(
    fault: str, case: Case, go: Callable[[], Run], journal: Journal
) -> None:
    case.host.fault(fault, at=case.moment if fault == "network-away" else "receive")
    run = go()
    assert run.finished, words_of(run)
    assert case.as_desired()
    assert sent(journal, run).count(case.cmdlet) == 1
    assert verify_runs(journal).ok


@pytest.mark.parametrize("fault", ["reboot", "winrm-restart"])
def test_what_a_restart_ended_is_settled_by_reading_the_device(
    fault: str, case: Case, go: Callable[[], Run], journal: Journal, operator: Controller
) -> None:
    case.host.fault(fault, at=case.moment)
    run = go()
    for _ in range(2):
        if not run.finished:
            assert run.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
            assert "Traceback" not in words_of(run)
            if "--remove-incomplete" in words_of(run):  # half a deployment: a person must agree to clear it away
                assert not case.as_desired()
                return
            run = resume(case.host.device, journal=journal, run_id=run.run_id, controller=operator)
    assert run.finished, words_of(run)
    assert case.as_desired()
    assert verify_runs(journal).ok


def test_a_device_that_is_gone_for_good_is_unreachable_and_the_next_command_is_told(
    case: Case,
    go: Callable[[], Run],
    journal: Journal,
    operator: Controller,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recovery, "OUTAGE_LIMIT_S", 0.5)
    case.host.fault("network-away", at=case.moment, lasts_s=10**7)
    impatient = Controller(journal, limits=Limits(0.02, 0.1, back_within_s=1, tick_s=0.5), open_cluster=operator.open_cluster)
    run = apply(case.plan, case.host.device, approved_hash=case.plan.hash, journal=journal, controller=impatient)
    assert run.outcome is Outcome.UNREACHABLE
    assert not run.finished
    assert for_outcome(run.outcome) == UNREACHABLE
    views.run(run)
    assert f"to go on: akslite resume {run.run_id}" in capsys.readouterr().err
    assert [row.kind for row in journal.rows(run.run_id)][-1] is RowKind.INTERRUPTED

    case.host.sandbox.clear_faults(case.host.name)
    found = resume(case.host.device, journal=journal, run_id=run.run_id, controller=operator)
    assert found.finished, words_of(found)
    assert case.as_desired()
    assert sent(journal, run).count(case.cmdlet) == 1


@pytest.mark.parametrize("case", ["update"], indirect=True)
def test_a_run_that_failed_on_the_way_tells_the_command_that_goes_on_with_it(
    case: Case, go: Callable[[], Run], journal: Journal, operator: Controller
) -> None:
    case.host.fault("update-fails")
    run = go()
    assert run.ended
    assert run.results[-1].step_id == update.CONTROL_PLANE
    assert views.how_to_go_on(run) == f"when that is mended: akslite resume {run.run_id}"
    anew = update.plan(case.host.device)
    assert update.CONTROL_PLANE not in {step.id for step in anew.steps}, "the same command again would not do the second phase"

    assert resume(case.host.device, journal=journal, run_id=run.run_id, controller=operator).finished
    assert case.as_desired()
