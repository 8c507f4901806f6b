"""No secret of a config or a device comes into the journal, an event, a result or an error, whatever happens."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import UsageError
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Event, apply, deploy, resume
from akslite_ps.operations.plan import Plan
from akslite_ps.secrets import REDACTOR

CANARY = "cAnary/9+Zaunkoenig=="


@pytest.fixture
def secretive(tmp_path: Path, config: DeploymentConfig) -> DeploymentConfig:
    """A config file with a service principal's secret in it, as people have them."""
    data = {
        **config.as_data(),
        "Arc": {
            "ClusterName": "press",
            "Location": "westeurope",
            "ResourceGroupName": "rg",
            "SubscriptionId": "11111111-1111-1111-1111-111111111111",
            "TenantId": "22222222-2222-2222-2222-222222222222",
            "ClientId": "33333333-3333-3333-3333-333333333333",
            "ClientSecret": CANARY,
        },
    }
    data["Network"].pop("InternetDisabled")
    file = tmp_path / "secretive.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return DeploymentConfig.load(file)


def forms(secret: str) -> list[str]:
    raw, wide = secret.encode(), secret.encode("utf-16-le")
    return [secret, urllib.parse.quote(secret, safe=""), *(base64.b64encode(data).decode().rstrip("=") for data in (raw, wide))]


@pytest.mark.parametrize("fails", [False, True])
def test_a_secret_reaches_the_device_and_nothing_else(
    fails: bool, simulated: Any, secretive: DeploymentConfig, journal: Journal, operator: Controller
) -> None:
    simulated.install()
    if fails:
        simulated.fault("deployment-fails", at="arc", answer=f"cannot log in with {CANARY} or {forms(CANARY)[2]}")
    events: list[Event] = []
    plan = deploy.plan(simulated.device, secretive, accept_eula=True)
    assert not plan.blocked, plan.findings

    run = apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator, listener=events.append)

    assert run.finished is not fails
    password = simulated.sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    journal.flush()
    files = b"".join(file.read_bytes() for file in journal.path.parent.rglob("*") if file.is_file())
    shown = "\n".join([repr(events), run.model_dump_json(), repr(run)])
    for secret in (CANARY, password):
        for form in forms(secret):
            assert form.encode() not in files
            assert form not in shown
    assert "<redacted>" in shown or not fails
    assert f"file:{secretive.values()['Arc.ClientSecret'].name}" in plan.model_dump_json()


def test_a_resumed_run_needs_nothing_but_the_journal(
    simulated: Any, secretive: DeploymentConfig, journal: Journal, operator: Controller
) -> None:
    simulated.install()
    simulated.fault("deployment-fails", at="features", answer="try again", times=1)
    plan = deploy.plan(simulated.device, secretive, accept_eula=True)
    run = apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator)
    assert not run.finished
    assert resume(simulated.device, journal=journal, run_id=run.run_id, controller=operator).finished
    assert simulated.state.deployment.arc is not None


def test_a_plan_that_holds_a_secrets_value_is_refused(simulated: Any, config: DeploymentConfig, journal: Journal) -> None:
    simulated.install()
    REDACTOR.add("Zaunkoenig-cluster-7")
    plan: Plan = deploy.plan(simulated.device, config.with_values({"Arc.ClusterName": "Zaunkoenig-cluster-7"}), accept_eula=True)
    with pytest.raises(UsageError, match="holds the value of a secret"):
        apply(plan, simulated.device, approved_hash=plan.hash, journal=journal)
    assert journal.runs() == []
