"""No secret of a config or a device comes into the journal, an event, a result, an error or a report, whatever happens.

The device repeats each secret in every form it can think of (``forms_of``). The command line's output is in
``tests/cli/test_secrets_in_output.py``, executed notebooks in ``tests/notebook/test_notebook_runner.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.ops import ensure_ops, kube_config
from akslite_ps.cluster.kubeconfig import read_kubeconfig
from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.journal import Journal, write_export
from akslite_ps.operations import (
    Controller,
    Event,
    MsiSource,
    apply,
    arc,
    deploy,
    diagnose,
    remove,
    resume,
    scale_join,
)
from akslite_ps.operations.plan import Plan, Run
from akslite_ps.remoting import Device, SecureValue, Session
from akslite_ps.remoting.endpoint import Endpoint
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.secrets import REDACTOR, Known, SecretRef, redact

Forms = Callable[[str], list[tuple[str, str]]]

PLAIN = "Zaunkoenig7"
ODD = """c'An"ary é%2F <&> $(x)` /+=="""
UNMARKED = ODD.replace("<&>", "&")
"""The product passes the secret on by way of a batch file, which does not take a ``<``."""
SHORT = "Zk7!"
MAX_LINE = "M4x/" * 60


def with_secret(config: DeploymentConfig, secret: str, folder: Path) -> DeploymentConfig:
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
            "ClientSecret": secret,
        },
    }
    data["Network"].pop("InternetDisabled")
    file = folder / "secretive.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return DeploymentConfig.load(file)


@pytest.fixture
def secretive(tmp_path: Path, config: DeploymentConfig) -> DeploymentConfig:
    return with_secret(config, UNMARKED, tmp_path)


class Sinks:
    """Everything that a run leaves or shows."""

    def __init__(self, journal: Journal, folder: Path, forms_of: Forms) -> None:
        self.events: list[Event] = []
        self.runs: list[Run] = []
        self.errors: list[AksLiteError] = []
        self._journal = journal
        self._folder = folder
        self._forms_of = forms_of

    def found(self, *secrets: str) -> list[str]:
        """Where a form of a secret is found, and which."""
        self._journal.flush()
        for number, run in enumerate(self.runs):
            summary = self._journal.find_run(run.run_id)
            file = self._folder / f"export-{number}.json"
            write_export(file, summary, self._journal.rows(run.run_id), now=run.started)
        texts = {
            "events": "\n".join(map(repr, self.events)),
            "runs": "\n".join(run.model_dump_json() + repr(run) for run in self.runs),
            "errors": "\n".join(f"{error} {error!r} {error.to_dict()}" for error in self.errors),
        }
        folders = (self._journal.path.parent, self._folder)
        raw = {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}
        raw |= {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items()}
        return [
            f"{name}: {inner!r}"
            for secret in secrets
            for name, data in raw.items()
            for inner in {secret, *(inner for _, inner in self._forms_of(secret))}
            if inner.encode("utf-8", "surrogatepass") in data or secret.encode("utf-16-le") in data
        ]


@pytest.fixture
def sinks(journal: Journal, tmp_path: Path, forms_of: Forms) -> Sinks:
    folder = tmp_path / "sinks"
    folder.mkdir()
    return Sinks(journal, folder, forms_of)


@pytest.fixture
def go(journal: Journal, operator: Controller, sinks: Sinks) -> Callable[[Plan, Device], Run]:
    def run(plan: Plan, device: Device) -> Run:
        done = apply(plan, device, approved_hash=plan.hash, journal=journal, controller=operator, listener=sinks.events.append)
        sinks.runs.append(done)
        return done

    return run


def all_forms(forms_of: Forms, *secrets: str) -> str:
    return "cannot log in with " + " or ".join(shown for secret in secrets for shown, _ in forms_of(secret))


# -- a service principal's secret and a device's password -------------------------------------------------------------


@pytest.mark.parametrize("secret", [PLAIN, ODD, SHORT, MAX_LINE], ids=["plain", "odd", "short", "long"])
def test_a_device_that_repeats_the_secrets_is_not_quoted(
    simulated: Any, config: DeploymentConfig, tmp_path: Path, sinks: Sinks, go: Any, forms_of: Forms, secret: str
) -> None:
    password = simulated.sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    simulated.install()
    simulated.fault("deployment-fails", at="arc", answer=all_forms(forms_of, secret, password))
    plan = deploy.plan(simulated.device, with_secret(config, secret, tmp_path), accept_eula=True)
    assert not plan.blocked, plan.findings

    run = go(plan, simulated.device)

    assert not run.finished
    assert "<redacted>" in repr(sinks.events)
    assert "<redacted>" in str(run.results[-1].error)
    assert sinks.found(secret, password) == []


def test_what_succeeds_tells_no_secret_either(
    simulated: Any, secretive: DeploymentConfig, sinks: Sinks, go: Any, arc_config: Any
) -> None:
    password = simulated.sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    simulated.install()
    for make in (
        lambda: deploy.plan(simulated.device, secretive, accept_eula=True),
        lambda: arc.plan_disconnect(simulated.device, secretive),
        lambda: remove.plan(simulated.device, config=secretive),
    ):
        plan = make()
        assert not plan.blocked, plan.findings
        run = go(plan, simulated.device)
        assert run.finished, run.results[-1]
    reference = f"file:{secretive.values()['Arc.ClientSecret'].name}"
    assert reference in sinks.runs[0].plan.model_dump_json()
    assert sinks.found(UNMARKED, password) == []


def test_odd_passwords_of_devices_are_redacted_too(simulated: Any, sinks: Sinks, go: Any, forms_of: Forms) -> None:
    """An account whose password has everything that needs quoting somewhere."""
    device = simulated.sandbox.device(simulated.name)
    user = device.spec.operator_user
    device.store.password_file_of(user).write_text(ODD + "\n", encoding="utf-8")
    assert device.store.password_of(user) == ODD
    endpoint = Endpoint(
        host=device.address,
        port=device.http_port,
        username=user,
        password=SecretRef("file", str(device.store.password_file_of(user))),
        configuration_name="AksLite.Operator",
    )
    odd = Device(name=simulated.name, endpoint=endpoint)
    simulated.install()
    simulated.fault("deployment-fails", at="features", answer=all_forms(forms_of, ODD))
    offline = DeploymentConfig.template("SingleMachineCluster", "K3s").with_values({"Network.InternetDisabled": True})
    run = go(deploy.plan(odd, offline, accept_eula=True), odd)
    assert "<redacted>" in str(run.results[-1].error)
    assert sinks.found(ODD) == []


def test_a_resumed_run_needs_nothing_but_the_journal(
    simulated: Any,
    secretive: DeploymentConfig,
    journal: Journal,
    operator: Controller,
    sinks: Sinks,
    go: Any,
    forms_of: Forms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process that goes on has never seen the secret; what the device says then is redacted all the same."""
    simulated.install()
    simulated.fault("deployment-fails", at="features", answer="try again", times=1)
    run = go(deploy.plan(simulated.device, secretive, accept_eula=True), simulated.device)
    assert not run.finished
    monkeypatch.setattr(REDACTOR, "known", Known())
    simulated.fault("deployment-fails", at="arc", answer=all_forms(forms_of, UNMARKED), times=1)
    monkeypatch.setattr(REDACTOR, "known", Known())
    sinks.runs.append(
        resume(simulated.device, journal=journal, run_id=run.run_id, controller=operator, listener=sinks.events.append)
    )
    assert sinks.found(UNMARKED) == []


def test_a_plan_that_holds_a_secrets_value_is_refused(simulated: Any, config: DeploymentConfig, journal: Journal) -> None:
    simulated.install()
    REDACTOR.add("Zaunkoenig-cluster-7")
    plan: Plan = deploy.plan(simulated.device, config.with_values({"Arc.ClusterName": "Zaunkoenig-cluster-7"}), accept_eula=True)
    with pytest.raises(UsageError, match="holds the value of a secret"):
        apply(plan, simulated.device, approved_hash=plan.hash, journal=journal)
    assert journal.runs() == []


@pytest.mark.parametrize("password", ["changed", "findings", "warning", "press-01", "result"])
def test_a_password_that_is_an_everyday_word_is_refused_before_anything_is_written(
    simulated: Any, config: DeploymentConfig, journal: Journal, password: str
) -> None:
    """Redacted by value, it would make the journal unreadable."""
    simulated.install()
    plan = deploy.plan(simulated.device, config, accept_eula=True)
    REDACTOR.add(password)
    with pytest.raises(UsageError, match="everyday words"):
        apply(plan, simulated.device, approved_hash=plan.hash, journal=journal)
    assert journal.runs() == []


# -- other secrets -----------------------------------------------------------------------------------------------------


def test_a_diagnosis_by_a_process_that_never_had_the_secret_does_not_repeat_it(
    simulated: Any,
    secretive: DeploymentConfig,
    journal: Journal,
    sinks: Sinks,
    go: Any,
    forms_of: Forms,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    simulated.install()
    run = go(deploy.plan(simulated.device, secretive, accept_eula=True), simulated.device)
    assert run.finished, run.results[-1]
    device = simulated.sandbox.device(simulated.name)
    for shown, _ in forms_of(UNMARKED):
        device.events.write("AKS Edge Essentials - K3s", "AksEdge", 1, f"login failed for {shown}", device.now(), level="Error")
    monkeypatch.setattr(REDACTOR, "known", Known())

    found = diagnose.diagnose(simulated.device, journal=journal, told=f"I typed {UNMARKED}")

    diagnose.write_report(found, tmp_path / "sinks")
    assert "login failed for" in found.model_dump_json()
    assert sinks.found(UNMARKED) == []


def values_of(text: str, *names: str) -> list[str]:
    return [value for name in names for value in re.findall(rf"{name}:\s*(\S+)", text)]


def test_the_clusters_keys_and_tokens_are_known_as_soon_as_they_are_read(deployed: Any, forms_of: Forms) -> None:
    with Session.open(deployed.device) as session:
        ensure_ops(session)
        text = kube_config(session)
        token = AksEdge(session).get_managed_service_token()
    key = read_kubeconfig(text).key
    secrets = [token, key, *values_of(text, "client-key-data", "token"), *key.splitlines()]
    for secret in (secret for secret in secrets if secret == key or not secret.startswith("-----")):
        for _, inner in forms_of(secret):
            assert inner not in redact(f"x {inner} y")


def test_join_secrets_are_redacted_and_kept_nowhere(
    tmp_path: Path, host_in: Any, journal: Journal, sinks: Sinks, go: Any, forms_of: Forms
) -> None:
    scalable = DeploymentConfig.template("ScalableCluster", "K3s").with_values(
        {
            "Init.ServiceIPRangeStart": "10.20.0.200",
            "Init.ServiceIPRangeSize": 2,
            "Network.ControlPlaneEndpointIp": "10.20.0.190",
            "Network.Ip4GatewayAddress": "10.20.0.1",
            "Network.DnsServers": ["10.20.0.1"],
            "Network.InternetDisabled": True,
            "Machines[0].NetworkConnection.AdapterName": "Ethernet",
            "Machines[0].LinuxNode.Ip4Address": "10.20.0.191",
        }
    )
    with LocalSandbox(tmp_path / "two", devices=2, speed=3000.0) as sandbox:
        first, second = host_in(sandbox, 0), host_in(sandbox, 1)
        for host in (first, second):
            host.install()
        with Session.open(first.device) as session:
            assert AksEdge(session).new_deployment(scalable.to_json(eula_accepted=True)) == "OK"
            join = AksEdge(session).new_scale_config("AddMachine", "Linux", linux_node_ip="10.20.0.192").config
        secrets = [secret.resolve() for path, secret in join.secrets().items() if path.startswith("Join.")]
        assert len(secrets) >= 2
        assert [inner for secret in secrets for shown, inner in forms_of(secret) if inner in redact(shown)] == []
        for held in (repr(join), str(join), join.to_json()):
            assert [secret for secret in secrets if secret in held] == []
        second.fault("deployment-fails", at="ready", answer=all_forms(forms_of, *secrets))
        run = go(scale_join.plan_join(first.device, second.device, linux_address="10.20.0.192", accept_eula=True), second.device)
        assert not run.finished
        assert sinks.found(*secrets) == []


@pytest.mark.parametrize("secret", [PLAIN, ODD])
def test_a_secret_parameter_is_redacted_from_what_the_command_says(
    simulated: Any,
    forms_of: Forms,
    secret: str,
) -> None:
    shown = repr(SecureValue(secret)) + str(SecureValue(secret))
    assert secret not in shown
    for text, inner in forms_of(secret):
        assert inner not in redact(f"cannot log in with {text}")


@pytest.mark.parametrize(
    "address",
    [
        "https://store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi?sv=2024-01-01&sp=r&sig=Zaunkoenig%2FSAS%3D",
        "https://store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi?X-Amz-Security-Token=Zaunkoenig%2FSAS%3D",
        "https://store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi?apikey=Zaunkoenig/SAS=",
        "https://store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi?client_secret=Zaunkoenig/SAS=",
        "https://store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi#access_token=Zaunkoenig/SAS=",
        "https://user:Zaunkoenig/SAS=@store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi",
        "https://user:Zaunkoenig%2FSAS%3D@store.example/AksEdge-K3s-1.33.5-1.12.269.0.msi",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(address: str, forms_of: Forms) -> None:
    with pytest.raises(UsageError, match="credentials") as told:
        MsiSource.of(address)
    assert "Zaunkoenig" not in f"{told.value} {told.value.to_dict()}"
    assert "Zaunkoenig" not in redact(f"akslite install press-01 --msi {address}")
