"""Which operation which role may carry out, against simulated restricted endpoints: the matrix of the issue, run for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.exposure import Exposure
from akslite_ps.errors import NotPermitted
from akslite_ps.journal import Journal
from akslite_ps.operations import (
    Controller,
    MsiSource,
    Plan,
    Run,
    apply,
    arc,
    change,
    deploy,
    diagnose,
    expose,
    install,
    prepare,
    remove,
    scale_node,
    status,
    update,
    verify,
)
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Device, Session
from akslite_ps.remoting.endpoint import Endpoint
from akslite_ps.sandbox.device import updates
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from conftest import SimulatedHost

WEB = Exposure(port=8080, to_address="192.168.0.4", to_port=80)


def as_role(host: SimulatedHost, role: str) -> Device:
    """The device through the restricted endpoint of a role."""
    simulated = host.sandbox.device(host.name)
    user = simulated.spec.viewer_user if role == "Viewer" else simulated.spec.operator_user
    simulated.store.password_of(user)
    endpoint = Endpoint(
        host=simulated.address,
        port=simulated.http_port,
        username=user,
        password=SecretRef("file", str(simulated.store.folder / f"password-{user}")),
        configuration_name=f"AksLite.{role}",
    )
    return Device(name=host.name, endpoint=endpoint)


@pytest.fixture
def go(journal: Journal, operator: Controller) -> Callable[[Plan, Device], Run]:
    return lambda plan, device: apply(plan, device, approved_hash=plan.hash, journal=journal, controller=operator)


# -- looking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_every_role_may_look_and_plan(
    deployed: SimulatedHost, config: DeploymentConfig, arc_config: Any, tmp_path: Path, role: str
) -> None:
    device = as_role(deployed, role)
    assert status.read(device).state == "deployed"
    found = diagnose.diagnose(device)
    assert found.reachable
    assert [reading.id for reading in found.readings if reading.ok is False] == []
    plans = [
        prepare.plan(device),
        install.plan(device, MsiSource.default("K3s")),
        deploy.plan(device, config, accept_eula=None),
        verify.plan(device),
        update.plan(device),
        arc.plan_connect(device, arc_config()),
        arc.plan_disconnect(device, arc_config()),
        remove.plan(device, product=True),
        scale_node.plan_add(device, "Windows"),
        scale_node.plan_remove(device, "Linux"),
        expose.plan(device, [WEB]),
        change.plan(device, config, folder=tmp_path / "saved", deployed=config),
    ]
    assert all(plan.device == deployed.name for plan in plans)


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_every_role_may_verify(deployed: SimulatedHost, go: Any, role: str) -> None:
    device = as_role(deployed, role)
    run = go(verify.plan(device), device)
    assert run.outcome is Outcome.OK, run.results[-1]


# -- building and daily work --------------------------------------------------------------------------------------


def test_an_operator_may_build(simulated: SimulatedHost, config: DeploymentConfig, go: Any) -> None:
    device = as_role(simulated, "Operator")
    for plan in (
        prepare.plan(device),
        install.plan(device, MsiSource.default("K3s")),
        deploy.plan(device, config, accept_eula=True),
    ):
        run = go(plan, device)
        assert run.outcome is Outcome.CHANGED, run.results[-1]


def test_an_operator_may_do_the_daily_work(deployed: SimulatedHost, arc_config: Any, go: Any) -> None:
    device = as_role(deployed, "Operator")
    for plan in (expose.plan(device, [WEB]), arc.plan_connect(device, arc_config())):
        run = go(plan, device)
        assert run.outcome is Outcome.CHANGED, run.results[-1]


def test_an_operator_may_update(simulated: SimulatedHost, config: DeploymentConfig, go: Any) -> None:
    simulated.install(version="1.10.868.0", kubernetes="1.30.6")
    device = as_role(simulated, "Operator")
    older = config.with_values({"SchemaVersion": "1.14"})
    assert go(deploy.plan(device, older, accept_eula=True), device).outcome is Outcome.CHANGED

    async def stage() -> None:
        updates.stage(simulated.sandbox.device(simulated.name))

    simulated.sandbox.run(stage())
    run = go(update.plan(device), device)
    assert run.outcome is Outcome.CHANGED, run.results[-1]


# -- refused ------------------------------------------------------------------------------------------------------


def refused(run: Run) -> dict[str, Any]:
    """The error that a run ended with."""
    assert run.outcome is Outcome.FAILED, run.results[-1]
    error = run.results[-1].error
    assert error is not None
    assert error["type"] == "NotPermitted"
    return error


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_nobody_but_an_administrator_destroys(deployed: SimulatedHost, arc_config: Any, go: Any, role: str) -> None:
    device = as_role(deployed, role)
    error = refused(go(remove.plan(device), device))
    assert "administrator" in f"{error['message']} {error['next_action']}".casefold()
    assert deployed.state.deployment is not None


@pytest.mark.parametrize("make", ["prepare", "install", "expose", "connect"])
def test_a_viewer_changes_nothing_and_is_told_the_operators_endpoint(
    simulated: SimulatedHost, arc_config: Any, go: Any, make: str, config: DeploymentConfig
) -> None:
    device = as_role(simulated, "Viewer")
    if make in ("install", "connect"):
        simulated.install()
    if make == "install":
        simulated.update(product=None)
    if make == "connect":
        operator = as_role(simulated, "Operator")
        assert go(deploy.plan(operator, config, accept_eula=True), operator).outcome is Outcome.CHANGED
    plan = {
        "prepare": lambda: prepare.plan(device),
        "install": lambda: install.plan(device, MsiSource.default("K3s")),
        "expose": lambda: expose.plan(device, [WEB]),
        "connect": lambda: arc.plan_connect(device, arc_config()),
    }[make]()
    before = simulated.state
    error = refused(go(plan, device))
    assert "AksLite.Operator" in f"{error['message']} {error['next_action']}"
    assert simulated.state.model_dump(exclude={"failed_logons"}) == before.model_dump(exclude={"failed_logons"})


def test_no_role_hands_out_the_clusters_kubeconfig(deployed: SimulatedHost) -> None:
    from akslite_ps.aksedge.ops import kube_config

    for role in ("Viewer", "Operator"):
        with Session.open(as_role(deployed, role)) as session, pytest.raises(NotPermitted):
            kube_config(session)
