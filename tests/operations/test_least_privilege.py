"""Which operation which role may carry out, against simulated restricted endpoints: the matrix of roles, run for real."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.catalog import load_catalog, load_ops_catalog
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.exposure import Exposure, add_exposure
from akslite_ps.aksedge.ops import ensure_ops, workload
from akslite_ps.aksedge.ops_answers import send
from akslite_ps.aksedge.roles import endpoint_for
from akslite_ps.errors import AksLiteError, NotPermitted, PreflightFailed
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
    scale_join,
    scale_node,
    status,
    update,
    verify,
)
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Device, Session
from akslite_ps.remoting.endpoint import Endpoint
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device import updates
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from conftest import SimulatedHost

    from akslite_ps.aksedge.catalog import CmdletSpec

ROLES = ("Viewer", "Operator")
FIRST, SECOND, THIRD, WINDOWS = "10.20.0.191", "10.20.0.192", "10.20.0.193", "10.20.0.195"
WEB = Exposure(port=8080, to_address=FIRST, to_port=80)
OTHER = Exposure(port=8443, to_address=FIRST, to_port=443)
ARC = {
    "ClusterName": "press",
    "Location": "westeurope",
    "ResourceGroupName": "edge",
    "SubscriptionId": "11111111-1111-1111-1111-111111111111",
    "TenantId": "22222222-2222-2222-2222-222222222222",
    "ClientId": "33333333-3333-3333-3333-333333333333",
    "ClientSecret": "roles/secret=1",
}
SCALABLE = DeploymentConfig.template("ScalableCluster", "K3s").with_values(
    {
        "Init.ServiceIPRangeStart": "10.20.0.200",
        "Init.ServiceIPRangeSize": 2,
        "Network.ControlPlaneEndpointIp": "10.20.0.190",
        "Network.Ip4GatewayAddress": "10.20.0.1",
        "Network.DnsServers": ["10.20.0.1"],
        "Network.InternetDisabled": True,
        "Machines[0].NetworkConnection.AdapterName": "Ethernet",
        "Machines[0].LinuxNode.Ip4Address": FIRST,
    }
)
ANOTHER_CLUSTER = SCALABLE.with_values({"Machines[0].LinuxNode.DataSizeInGB": 30})


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


def joined(first: SimulatedHost, second: SimulatedHost, address: str) -> None:
    """An administrator's work: the second machine joins the first one's cluster."""
    with Session.open(first.device) as here, Session.open(second.device) as there:
        scale = AksEdge(here).new_scale_config("AddMachine", "Linux", linux_node_ip=address)
        assert AksEdge(there).new_deployment(scale.config.to_json(resolve=True, eula_accepted=True)) == "OK"


class Site:
    """A cluster of two machines, the first with two nodes and an exposed port, and a bare machine beside them."""

    def __init__(self, sandbox: LocalSandbox, host_in: Callable[[LocalSandbox, int], SimulatedHost], folder: Path) -> None:
        self.first, self.second, self.bare = (host_in(sandbox, number) for number in range(3))
        file = folder / "arc.json"
        online = SCALABLE.with_values({"Network.InternetDisabled": False}).as_data()
        file.write_text(json.dumps({**online, "Arc": ARC}), encoding="utf-8")
        self.arc = DeploymentConfig.load(file)
        for host in (self.first, self.second):
            host.install()
        product = self.first.state.product
        assert product is not None
        self.first.update(product=product.model_copy(update={"features": ("CoreFeature", "WindowsNodeFeature")}))
        with Session.open(self.first.device) as session:
            assert AksEdge(session).new_deployment(SCALABLE.to_json(eula_accepted=True)) == "OK"
            scale = AksEdge(session).new_scale_config("AddNode", "Windows", windows_node_ip=WINDOWS)
            AksEdge(session).add_node(scale.config.to_json(resolve=True, eula_accepted=True))
        joined(self.first, self.second, SECOND)
        with Session.open(self.second.device) as session:
            ensure_ops(session)
            add_exposure(session, WEB)

    def states(self) -> list[dict[str, Any]]:
        return [host.state.model_dump(exclude={"failed_logons"}) for host in (self.first, self.second, self.bare)]

    def drained(self) -> list[str]:
        """Nodes to which no pods come any more."""
        with Session.open(self.first.device) as session:
            ensure_ops(session)
            nodes = workload(session, "Nodes")["items"]
        return [node["metadata"]["name"] for node in nodes if node.get("spec", {}).get("unschedulable")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, host_in: Any) -> Iterator[Site]:
    """Shared by the tests that look and those that are refused: none of them may change it."""
    folder = tmp_path_factory.mktemp("roles")
    with LocalSandbox(folder / "sandbox", devices=3, speed=3000.0) as sandbox:
        yield Site(sandbox, host_in, folder)


@pytest.fixture
def go(journal: Journal, operator: Controller) -> Callable[[Plan, Device], Run]:
    return lambda plan, device: apply(plan, device, approved_hash=plan.hash, journal=journal, controller=operator)


# -- looking ------------------------------------------------------------------------------------------------------


def plans_that_read(site: Site, role: str, folder: Path) -> Sequence[Plan]:
    first, bare = as_role(site.first, role), as_role(site.bare, role)
    return [
        prepare.plan(bare),
        install.plan(bare, MsiSource.default("K3s")),
        deploy.plan(first, SCALABLE, accept_eula=None),
        verify.plan(first),
        update.plan(first),
        arc.plan_connect(first, site.arc),
        arc.plan_disconnect(first, site.arc),
        remove.plan(first, product=True),
        scale_node.plan_add(first, "Windows", address=WINDOWS),
        scale_node.plan_remove(first, "Windows"),
        scale_join.plan_join(first, bare, linux_address=THIRD),
        expose.plan(first, [WEB]),
        change.plan(first, ANOTHER_CLUSTER, folder=folder / "saved", deployed=SCALABLE),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_look_and_plan(site: Site, tmp_path: Path, role: str) -> None:
    before = site.states()
    assert status.read(as_role(site.first, role)).state == "deployed"
    plans = plans_that_read(site, role, tmp_path)
    assert [plan.device for plan in plans].count(site.first.name) == len(plans) - 3
    assert site.states() == before


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_diagnose(site: Site, tmp_path: Path, role: str) -> None:
    found = diagnose.diagnose(as_role(site.first, role), folder=tmp_path, logs=True)
    assert found.reachable
    assert [(reading.id, reading.found) for reading in found.readings if reading.ok is False] == []
    assert {file.title for file in found.files} >= {"Product's event log as an archive"}
    not_asked = {reading.id for reading in found.readings if reading.ok is None}
    assert not_asked <= ({"log-zip"} if role == "Viewer" else set())


def test_a_viewer_may_verify(deployed: SimulatedHost, go: Any) -> None:
    """An operator does it at the end of a deployment and of a change."""
    device = as_role(deployed, "Viewer")
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


def test_an_operator_may_do_the_daily_work_but_not_disconnect(deployed: SimulatedHost, arc_config: Any, go: Any) -> None:
    device = as_role(deployed, "Operator")
    web = Exposure(port=8080, to_address="192.168.0.4", to_port=80)
    for make in (
        lambda: expose.plan(device, [web]),
        lambda: expose.plan(device, []),
        lambda: arc.plan_connect(device, arc_config()),
    ):
        run = go(make(), device)
        assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert deployed.azure_clusters
    error = refused(go(arc.plan_disconnect(device, arc_config()), device))
    assert "administrator" in error["next_action"]
    assert deployed.azure_clusters


def test_a_tool_that_a_permitted_command_lacks_is_no_refusal(deployed: SimulatedHost, arc_config: Any, go: Any) -> None:
    device = as_role(deployed, "Operator")
    deployed.fault("az-not-recognized")
    run = go(arc.plan_connect(device, arc_config()), device)
    error = run.results[-1].error
    assert error is not None
    assert (error["error"], error["command"]) == ("CmdletFailed", "Connect-AksEdgeArc")
    assert "Azure CLI" in error["cause"]


def test_an_operator_may_change_in_place(deployed: SimulatedHost, arc_config: Any, go: Any, tmp_path: Path) -> None:
    device, wanted = as_role(deployed, "Operator"), arc_config()
    before = wanted.with_values({"User.AcceptOptionalTelemetry": True})
    plan = change.plan(device, wanted, folder=tmp_path / "saved", deployed=before)
    assert next(step.command for step in plan.steps if step.needed and step.change) == "Connect-AksEdgeArc", plan.steps
    run = go(plan, device)
    assert run.outcome is Outcome.CHANGED, run.results[-1]


def test_an_operator_may_update(simulated: SimulatedHost, config: DeploymentConfig, go: Any) -> None:
    simulated.install(version="1.10.868.0", kubernetes="1.30.6")
    older = config.with_values({"SchemaVersion": "1.14"})
    with Session.open(simulated.device) as session:
        assert AksEdge(session).new_deployment(older.to_json(eula_accepted=True)) == "OK"

    async def stage() -> None:
        updates.stage(simulated.sandbox.device(simulated.name))

    simulated.sandbox.run(stage())
    device = as_role(simulated, "Operator")
    run = go(update.plan(device), device)
    assert run.outcome is Outcome.CHANGED, run.results[-1]


def test_an_operator_may_scale(tmp_path: Path, host_in: Any, go: Any) -> None:
    with LocalSandbox(tmp_path / "two", devices=2, speed=3000.0) as sandbox:
        first, second = host_in(sandbox, 0), host_in(sandbox, 1)
        for host in (first, second):
            host.install()
        first.update(product=first.state.product.model_copy(update={"features": ("CoreFeature", "WindowsNodeFeature")}))
        with Session.open(first.device) as session:
            assert AksEdge(session).new_deployment(SCALABLE.to_json(eula_accepted=True)) == "OK"
        one, two = as_role(first, "Operator"), as_role(second, "Operator")
        run = go(scale_node.plan_add(one, "Windows", address=WINDOWS), one)
        assert run.outcome is Outcome.CHANGED, run.results[-1]
        run = go(scale_join.plan_join(one, two, linux_address=SECOND, accept_eula=True), two)
        assert run.outcome is Outcome.CHANGED, run.results[-1]


# -- refused ------------------------------------------------------------------------------------------------------


def refused(run: Run) -> dict[str, Any]:
    """The error that a run ended with, at its first step."""
    assert run.outcome is Outcome.FAILED, run.results[-1]
    done = [result for result in run.results if result.outcome is not Outcome.SKIPPED_CONDITION]
    assert len(done) == 1
    error = done[0].error
    assert error is not None
    assert error["error"] == "NotPermitted", error
    return error


DESTROYS: dict[str, Callable[[Site, str], tuple[SimulatedHost, Plan]]] = {
    "remove": lambda site, role: (site.second, remove.plan(as_role(site.second, role))),
    "remove the product": lambda site, role: (site.second, remove.plan(as_role(site.second, role), product=True)),
    "remove a node": lambda site, role: (site.first, scale_node.plan_remove(as_role(site.first, role), "Windows")),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", DESTROYS)
def test_nobody_but_an_administrator_destroys_and_nothing_is_half_done(site: Site, go: Any, role: str, name: str) -> None:
    """A role that may drain a node and close ports does neither where it may not remove the node."""
    before = site.states()
    host, plan = DESTROYS[name](site, role)
    assert not plan.blocked, [finding for finding in plan.findings if finding.severity == "error"]
    assert next(step.command for step in plan.steps if step.needed and step.change) in (
        "Set-AksEdgeNodeToDrain",
        "Remove-AksLiteExposure",
    )
    error = refused(go(plan, as_role(host, role)))
    assert "only administrators may" in error["next_action"]
    assert f"akslite device add {host.name} --replace ... --configuration-name Microsoft.PowerShell" in error["next_action"]
    assert site.states() == before
    assert site.drained() == []


@pytest.mark.parametrize("role", ROLES)
def test_deploying_anew_needs_the_kubeconfig_and_so_an_administrator(
    deployed: SimulatedHost, config: DeploymentConfig, go: Any, role: str, tmp_path: Path
) -> None:
    device, other = as_role(deployed, role), config.with_values({"Machines[0].LinuxNode.DataSizeInGB": 30})
    plan = change.plan(device, other, folder=tmp_path / "saved", deployed=config, accept_eula=True)
    with pytest.raises(PreflightFailed, match="hands out no kubeconfig") as told:
        go(plan, device)
    assert "only administrators may" in str(told.value)
    assert not (tmp_path / "saved").exists()


CHANGES: dict[str, Callable[[Site, Device, Device], Plan]] = {
    "prepare": lambda site, first, bare: prepare.plan(bare),
    "install": lambda site, first, bare: install.plan(bare, MsiSource.default("K3s")),
    "deploy": lambda site, first, bare: deploy.plan(
        bare,
        DeploymentConfig.template("SingleMachineCluster", "K3s").with_values({"Network.InternetDisabled": True}),
        accept_eula=True,
    ),
    "connect": lambda site, first, bare: arc.plan_connect(first, site.arc),
    "expose": lambda site, first, bare: expose.plan(first, [OTHER]),
    "join": lambda site, first, bare: scale_join.plan_join(first, bare, linux_address=THIRD, accept_eula=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_viewer_changes_nothing_and_is_told_the_operators_endpoint(site: Site, go: Any, name: str) -> None:
    before = site.states()
    plan = CHANGES[name](site, as_role(site.first, "Viewer"), as_role(site.bare, "Viewer"))
    assert plan.has_changes
    error = refused(go(plan, as_role(site.bare if plan.device == site.bare.name else site.first, "Viewer")))
    assert "the endpoint AksLite.Operator allows it" in error["next_action"]
    assert site.states() == before


def test_a_viewer_does_not_update(simulated: SimulatedHost, config: DeploymentConfig, go: Any) -> None:
    simulated.install(version="1.10.868.0", kubernetes="1.30.6")
    with Session.open(simulated.device) as session:
        older = config.with_values({"SchemaVersion": "1.14"})
        assert AksEdge(session).new_deployment(older.to_json(eula_accepted=True)) == "OK"

    async def stage() -> None:
        updates.stage(simulated.sandbox.device(simulated.name))

    simulated.sandbox.run(stage())
    device = as_role(simulated, "Viewer")
    assert "AksLite.Operator" in refused(go(update.plan(device), device))["next_action"]


# -- every command ------------------------------------------------------------------------------------------------

ALLOWED = {"Viewer": {"read"}, "Operator": {"read", "routine", "build"}}
NEEDED = {
    "Add-AksLiteExposure": {"ListenPort": 1, "ConnectAddress": "10.0.0.1", "ConnectPort": 1},
    "Clear-AksLiteConfigSecret": {"ListOnly": True},
    "Install-AksLiteMsi": {"Source": "x"},
    "Remove-AksLiteExposure": {"ListenPort": 1},
    "Remove-AksEdgeNode": {"NodeType": "Linux"},
    "Connect-AksEdgeArc": {"JsonConfigString": "{}"},
    "Add-AksEdgeNode": {"JsonConfigString": "{}"},
    "Disconnect-AksEdgeArc": {"JsonConfigString": "{}"},
    "New-AksEdgeDeployment": {"JsonConfigString": "{}"},
    "Copy-AksEdgeNodeFile": {"FromFile": "/etc/shadow", "ToFile": "C:\\x"},
    "Invoke-AksEdgeNodeCommand": {"command": "id"},
    "Set-AksEdgeUpgrade": {"AcceptUpgrade": True},
    "New-AksEdgeScaleConfig": {"ScaleType": "AddNode", "NodeType": "Linux"},
    "Set-AksEdgeNodeConnectivityMode": {"mode": "on"},
    "Start-AksEdgeControlPlaneUpdate": {"firstControlPlane": True},
}


def command_name(value: Any) -> str:
    """Of what Get-Command gave: an object with a name, or the name."""
    return str(value.get("Name") if hasattr(value, "get") else value).casefold()


def attempt(session: Session, spec: CmdletSpec) -> None:
    """Run a command as the typed calls do."""
    parameters = NEEDED.get(spec.name, {})
    if spec.module == "AksEdge":
        AksEdge(session).call(spec.name, **parameters)
    else:
        send(session, spec.name, 60.0, **parameters)


@pytest.mark.parametrize("role", ROLES)
def test_each_command_is_allowed_by_its_class_and_refused_with_the_role_that_would_allow_it(site: Site, role: str) -> None:
    specs = [*load_catalog().current, *load_ops_catalog().current]
    with Session.open(as_role(site.first, role)) as session:
        answer = session.invoke("Get-Command", check=False, Name=[spec.name for spec in specs], ErrorAction="SilentlyContinue")
        visible = {command_name(value) for value in answer.output}
        before = site.states()
        for spec in specs:
            assert (spec.name.casefold() in visible) is (spec.risk in ALLOWED[role]), spec.name
            if spec.risk in ALLOWED[role]:
                continue
            with pytest.raises(NotPermitted) as refusal:
                attempt(session, spec)
            assert (endpoint_for(spec.name) or "only administrators may") in str(refusal.value), spec.name
            assert refusal.value.attempted == f"run {spec.name}"
        assert site.states() == before


def test_an_operator_does_not_choose_whose_installer_runs_with_all_rights(site: Site, go: Any) -> None:
    device = as_role(site.bare, "Operator")
    source = MsiSource.of("https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi")
    run = go(install.plan(device, source), device)
    assert run.outcome is Outcome.FAILED
    assert "does not match" in run.results[-1].detail
    assert site.bare.state.product is None


@pytest.mark.parametrize("role", ROLES)
def test_hidden_parameters_are_refused_too(site: Site, role: str) -> None:
    """A path that is written or read with an administrator's rights."""
    with Session.open(as_role(site.first, role)) as session:
        for command, parameters in (
            ("Get-AksEdgeEventLog", {"OutputPath": "C:\\Windows\\Temp"}),
            ("Test-AksEdgeNetworkParameters", {"JsonConfigFilePath": "C:\\secret.json"}),
            ("Get-Service", {"Name": "Spooler"}),
        ):
            with pytest.raises(AksLiteError):
                session.invoke(command, **parameters)
        for script in ("1+1", "Get-Content C:\\x"):
            with pytest.raises(NotPermitted):
                session.run_script(script)
