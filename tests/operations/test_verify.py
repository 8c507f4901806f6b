"""``verify``: every check has evidence, each finds its fault, and a viewer may make them all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Run, apply, verify, verify_checks
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from conftest import SimulatedHost


@pytest.fixture
def verified(deployed: SimulatedHost, journal: Journal, operator: Controller) -> Callable[..., Run]:
    def run(device: Device | None = None) -> Run:
        device = device or deployed.device
        plan = verify.plan(device)
        return apply(plan, device, approved_hash=plan.hash, journal=journal, controller=operator)

    return run


def results(run: Run) -> dict[str, Any]:
    return {result.step_id: result for result in run.results}


def test_all_is_well(verified: Any) -> None:
    run = verified()
    assert run.outcome is Outcome.OK
    found = results(run)
    assert list(found) == [
        verify.DEPLOYMENT,
        verify.NODES,
        verify.PODS,
        verify_checks.MACHINES,
        verify_checks.DNS,
        verify_checks.DISK,
        verify_checks.CERTIFICATES,
    ]
    assert all(result.evidence for result in found.values())
    assert found[verify_checks.MACHINES].detail == "Linux node; the VM agent runs"
    assert found[verify_checks.DNS].evidence["address"] == "10.43.0.10"
    assert "days" in found[verify_checks.CERTIFICATES].detail


def test_a_viewer_may_verify(deployed: SimulatedHost, verified: Any) -> None:
    simulated = deployed.sandbox.device(deployed.name)
    endpoint = Endpoint(
        host=simulated.address,
        port=simulated.http_port,
        username=simulated.spec.viewer_user,
        password=SecretRef("file", str(simulated.store.folder / f"password-{simulated.spec.viewer_user}")),
        configuration_name="AksLite.Viewer",
    )
    simulated.store.password_of(simulated.spec.viewer_user)
    run = verified(Device(name=deployed.name, endpoint=endpoint))
    assert run.outcome is Outcome.OK, run.results[-1]
    assert "hands out no kubeconfig" in results(run)[verify_checks.CERTIFICATES].detail


def test_a_full_disk_is_seen(deployed: SimulatedHost, verified: Any) -> None:
    deployed.hardware(free_disk_gb=1.0)
    run = verified()
    assert (run.results[-1].step_id, run.results[-1].outcome) == (verify_checks.DISK, Outcome.FAILED)
    assert "GB are free" in run.results[-1].detail


def test_names_that_are_not_resolved_are_seen(deployed: SimulatedHost, verified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def take_away() -> None:
        cluster = deployed.sandbox.device(deployed.name).cluster.cluster
        assert cluster is not None
        for item in cluster.state.store.objects("services"):
            if item["metadata"]["name"] == "kube-dns":
                item["spec"]["selector"] = {"k8s-app": "gone"}

    monkeypatch.setattr(verify_checks, "DNS_WITHIN_S", 1)
    deployed.sandbox.run(take_away())
    run = verified()
    assert (run.results[-1].step_id, run.results[-1].outcome) == (verify_checks.DNS, Outcome.FAILED)


def test_an_expired_certificate_is_seen(deployed: SimulatedHost, verified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    monkeypatch.setattr(verify_checks, "_ends", lambda kubeconfig: iter([("administrator's certificate", past)]))
    run = verified()
    assert (run.results[-1].step_id, run.results[-1].outcome) == (verify_checks.CERTIFICATES, Outcome.FAILED)
    assert "expired on 2020-01-01" in run.results[-1].detail
