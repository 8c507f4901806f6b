"""Growing and shrinking a cluster of simulated machines: a second node, a second machine, leaving again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.errors import ConfirmationRequired, PreflightFailed, RunLocked, UsageError
from akslite_ps.journal import Journal
from akslite_ps.operations import (
    Controller,
    Event,
    MsiSource,
    Plan,
    RecordArrived,
    Run,
    StepStarted,
    apply,
    resume,
    scale_join,
    scale_node,
)
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device.state import InstalledProduct
from akslite_ps.secrets import SecretRef

SCALABLE = {
    "SchemaVersion": "1.15",
    "Version": "1.0",
    "DeploymentType": "ScalableCluster",
    "Init": {"ServiceIPRangeStart": "10.20.0.200", "ServiceIPRangeSize": 2},
    "Network": {
        "NetworkPlugin": "flannel",
        "ControlPlaneEndpointIp": "10.20.0.190",
        "Ip4GatewayAddress": "10.20.0.1",
        "Ip4PrefixLength": 24,
        "DnsServers": ["10.20.0.1"],
        "InternetDisabled": True,
    },
    "User": {"AcceptEula": True, "AcceptOptionalTelemetry": False},
    "Machines": [
        {
            "NetworkConnection": {"AdapterName": "Ethernet"},
            "LinuxNode": {"CpuCount": 4, "MemoryInMB": 4096, "DataSizeInGB": 20, "Ip4Address": "10.20.0.191"},
        }
    ],
}
SECOND = "10.20.0.192"


class TwoMachines:
    """The first has a scalable cluster, the second the product."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.sandbox = sandbox
        self.first, self.second = (
            Device(
                name=told.name,
                endpoint=Endpoint(
                    host=told.address,
                    port=told.http_port,
                    username=told.username,
                    password=SecretRef("file", str(told.password_file)),
                ),
            )
            for told in sandbox.devices
        )

    def install(self, *features: str, version: str = "1.12.269.0", kubernetes: str = "1.33.5", only: str | None = None) -> None:
        async def work() -> None:
            for device in (self.first, self.second):
                if only not in (None, device.name):
                    continue
                simulated = self.sandbox.device(device.name)
                simulated.update(
                    features=dict.fromkeys(simulated.state.features, "Enabled"),
                    product=InstalledProduct(
                        distribution="K3s",
                        version=version,
                        kubernetes_version=kubernetes,
                        install_dir="C:\\Program Files\\AksEdge",
                        vhdx_dir="C:\\Program Files\\AksEdge",
                        features=("CoreFeature", *features),
                        installed_at=simulated.now(),
                    ),
                )

        self.sandbox.run(work())

    def deploy(self, config: dict[str, Any] = SCALABLE) -> None:
        with Session.open(self.first) as session:
            assert AksEdge(session).new_deployment(json.dumps(config)) == "OK"

    def kinds(self, device: Device) -> list[str]:
        deployment = self.sandbox.device(device.name).state.deployment
        return [node.kind for node in deployment.nodes] if deployment else []

    def join_plan(self, **more: Any) -> Plan:
        wanted = {"linux_address": SECOND, "accept_eula": True, **more}
        return scale_join.plan_join(self.first, self.second, **wanted)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[TwoMachines]:
    with LocalSandbox(tmp_path / "sandbox", devices=2, speed=3000.0) as sandbox:
        yield TwoMachines(sandbox)


@pytest.fixture
def cluster(machines: TwoMachines) -> TwoMachines:
    machines.install("WindowsNodeFeature")
    machines.deploy()
    return machines


@pytest.fixture
def go(journal: Journal, operator: Controller) -> Callable[..., Run]:
    def run(plan: Plan, device: Device, **more: Any) -> Run:
        return apply(plan, device, approved_hash=plan.hash, journal=journal, controller=more.pop("controller", operator), **more)

    return run


def found(plan: Plan, check: str) -> Any:
    return next((finding for finding in plan.findings if finding.check == check), None)


def changes(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.needed and step.change]


def outcomes(run: Run) -> dict[str, Outcome]:
    return {result.step_id: result.outcome for result in run.results}


# -- a second machine -------------------------------------------------------------------------------------------------


def test_a_bare_machine_is_prepared_installed_and_joins(machines: TwoMachines, go: Any, journal: Journal) -> None:
    machines.install(only=machines.first.name)
    machines.deploy()
    msi = MsiSource.of("https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi")
    plan = machines.join_plan(msi=msi)
    assert not plan.blocked, [finding for finding in plan.findings if finding.severity == "error"]
    assert changes(plan)[-1] == scale_join.JOIN
    run = go(plan, machines.second)
    assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert machines.kinds(machines.second) == ["Linux"]
    assert "Ready" in run.results[-1].detail
    assert "press" not in str(journal.holder(machines.first.name))
    again = machines.join_plan()
    assert not again.has_changes
    assert go(again, machines.second).outcome is Outcome.OK


def test_the_join_token_stands_nowhere(cluster: TwoMachines, go: Any, journal: Journal, tmp_path: Path) -> None:
    go(cluster.join_plan(), cluster.second)
    served = cluster.sandbox.device(cluster.first.name).cluster.served
    assert served is not None
    secrets = [served.issue_join_token(control_plane=False).cluster_id]
    journal.close()
    files = [file for file in (tmp_path / "journal").rglob("*") if file.is_file()]
    assert files
    for file in files:
        for secret in secrets:
            assert secret.encode() not in file.read_bytes()
        assert b"ClusterJoinToken" not in file.read_bytes()


def test_a_run_killed_before_the_join_makes_a_new_token(
    cluster: TwoMachines, go: Any, journal: Journal, operator: Controller
) -> None:
    plan = cluster.join_plan()
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step.id == scale_join.JOIN:
            stop.set()

    run = go(plan, cluster.second, listener=listener, stop=stop)
    assert run.interrupted
    with Session.open(cluster.first) as session:  # a colleague makes another one meanwhile: ours would be void
        AksEdge(session).new_scale_config("AddMachine", linux_node_ip="10.20.0.199")
    assert resume(cluster.second, journal=journal, controller=operator).outcome is Outcome.CHANGED
    assert cluster.kinds(cluster.second) == ["Linux"]


def test_the_first_machine_is_locked_while_the_other_joins(cluster: TwoMachines, go: Any, journal: Journal) -> None:
    with journal.lock(cluster.first.name, what="update"), pytest.raises(RunLocked):
        go(cluster.join_plan(), cluster.second)
    assert cluster.kinds(cluster.second) == []


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("10.20.0.191", "node press-01-ledge"),
        ("10.20.0.190", "the control plane's address"),
        ("10.20.0.200", "the addresses of services"),
        ("192.168.77.5", "outside the subnet"),
    ],
)
def test_addresses_that_are_used_or_lie_outside_are_refused(cluster: TwoMachines, go: Any, address: str, read: str) -> None:
    plan = cluster.join_plan(linux_address=address)
    finding = found(plan, "address:Linux")
    assert finding.severity == "error"
    assert read in finding.read
    with pytest.raises(PreflightFailed):
        go(plan, cluster.second)


def test_what_cannot_be_is_said_before_anything_is_read(cluster: TwoMachines) -> None:
    for wrong, why in (
        ({"linux_address": None}, "no node is wanted"),
        ({"linux_address": "here"}, "no IPv4 address"),
        ({"linux_address": SECOND, "windows_address": SECOND}, "both nodes"),
        ({"linux_address": None, "windows_address": SECOND, "control_plane": True}, "only a Linux node"),
    ):
        with pytest.raises(UsageError, match=why):
            cluster.join_plan(**wrong)
    with pytest.raises(UsageError, match="cannot join itself"):
        scale_join.plan_join(cluster.first, cluster.first, linux_address=SECOND)


def test_nobody_joins_without_accepting_the_licence_terms(cluster: TwoMachines, go: Any) -> None:
    with pytest.raises(ConfirmationRequired):
        go(cluster.join_plan(accept_eula=None), cluster.second)


def test_a_single_machine_cannot_be_joined(machines: TwoMachines, config: Any) -> None:
    machines.install()
    machines.deploy(json.loads(config.to_json(eula_accepted=True)))
    assert found(machines.join_plan(), "scalable").severity == "error"


def test_another_release_or_a_deployment_of_its_own_is_refused(cluster: TwoMachines) -> None:
    cluster.install(version="1.11.247.0", kubernetes="1.31.6", only=cluster.second.name)
    assert found(cluster.join_plan(), "release").severity == "error"
    cluster.install(only=cluster.second.name)
    other = {**SCALABLE, "Network": {**SCALABLE["Network"], "ControlPlaneEndpointIp": "10.20.0.180"}}  # type: ignore[dict-item]
    machine = {**SCALABLE["Machines"][0]}  # type: ignore[index]
    machine["LinuxNode"] = {**machine["LinuxNode"], "Ip4Address": "10.20.0.181"}
    other = {**other, "Init": {"ServiceIPRangeStart": "10.20.0.182", "ServiceIPRangeSize": 1}, "Machines": [machine]}
    with Session.open(cluster.second) as session:
        assert AksEdge(session).new_deployment(json.dumps(other)) == "OK"
    assert found(cluster.join_plan(), "joining-deployment").severity == "error"


def test_an_even_number_of_control_planes_is_warned_of(cluster: TwoMachines, go: Any) -> None:
    plan = cluster.join_plan(control_plane=True)
    assert found(plan, "quorum").severity == "warning"
    assert go(plan, cluster.second).outcome is Outcome.CHANGED


def test_changes_of_the_join_config_are_kept(cluster: TwoMachines, go: Any) -> None:
    assert go(cluster.join_plan(values={"Machines[0].LinuxNode.CpuCount": 2}), cluster.second).outcome is Outcome.CHANGED
    deployment = cluster.sandbox.device(cluster.second.name).state.deployment
    assert deployment is not None
    assert deployment.nodes[0].cpu_count == 2


# -- a second node ----------------------------------------------------------------------------------------------------


def test_a_windows_node_is_added_and_removed_again(cluster: TwoMachines, go: Any) -> None:
    plan = scale_node.plan_add(cluster.first, "Windows", address="10.20.0.195")
    assert found(plan, "windows-node").severity == "warning"
    run = go(plan, cluster.first)
    assert run.outcome is Outcome.CHANGED, run.results[-1]
    assert cluster.kinds(cluster.first) == ["Linux", "Windows"]
    assert not scale_node.plan_add(cluster.first, "Windows", address="10.20.0.195").has_changes

    leaving = scale_node.plan_remove(cluster.first, "Windows")
    assert changes(leaving) == [scale_node.DRAIN, scale_node.REMOVE]
    assert go(leaving, cluster.first).outcome is Outcome.CHANGED
    assert cluster.kinds(cluster.first) == ["Linux"]
    assert not scale_node.plan_remove(cluster.first, "Windows").has_changes


def test_a_node_without_an_address_is_refused_in_a_scalable_cluster(cluster: TwoMachines) -> None:
    assert found(scale_node.plan_add(cluster.first, "Windows"), "address:Windows").severity == "error"


def test_a_single_machine_gets_a_windows_node_without_an_address(machines: TwoMachines, go: Any, config: Any) -> None:
    machines.install("WindowsNodeFeature")
    machines.deploy(json.loads(config.to_json(eula_accepted=True)))
    assert go(scale_node.plan_add(machines.first, "Windows"), machines.first).outcome is Outcome.CHANGED
    assert found(scale_node.plan_remove(machines.first, "Linux"), "single-machine").severity == "error"


def test_without_the_installers_feature_the_product_says_so(machines: TwoMachines, go: Any) -> None:
    machines.install()
    machines.deploy()
    run = go(scale_node.plan_add(machines.first, "Windows", address="10.20.0.195"), machines.first)
    assert run.outcome is Outcome.FAILED
    assert machines.kinds(machines.first) == ["Linux"]


def test_the_last_node_and_the_last_control_plane_stay(cluster: TwoMachines, go: Any) -> None:
    assert found(scale_node.plan_remove(cluster.first, "Linux"), "last-node").severity == "error"
    assert go(cluster.join_plan(), cluster.second).outcome is Outcome.CHANGED
    assert go(scale_node.plan_add(cluster.first, "Windows", address="10.20.0.195"), cluster.first).outcome is Outcome.CHANGED
    plan = scale_node.plan_remove(cluster.first, "Linux")
    assert found(plan, "control-plane").severity == "error"
    with pytest.raises(PreflightFailed, match="Control plane"):
        go(plan, cluster.first)


def test_little_memory_is_said_before(cluster: TwoMachines) -> None:
    cluster.sandbox.set_hardware(cluster.first.name, total_memory_mb=8192)
    plan = scale_node.plan_add(
        cluster.first, "Windows", address="10.20.0.195", values={"Machines[0].WindowsNode.MemoryInMB": 32768}
    )
    assert found(plan, "free-memory").severity == "error"


def test_a_second_controller_takes_up_the_join_in_flight(
    cluster: TwoMachines, go: Any, journal: Journal, operator: Controller
) -> None:
    """The join goes on in the device; no second config is made for it, which would void the token in use."""
    stop = threading.Event()

    def listener(event: Event) -> None:
        if isinstance(event, RecordArrived) and event.step.id == scale_join.JOIN:
            stop.set()

    run = go(cluster.join_plan(), cluster.second, listener=listener, stop=stop)
    assert run.interrupted
    assert outcomes(run)[scale_join.JOIN] is Outcome.UNKNOWN
    after = resume(cluster.second, journal=journal, controller=operator)
    assert after.outcome is Outcome.CHANGED, after.results[-1]
    entries = cluster.sandbox.device(cluster.first.name).events.entries()
    assert sum("New join token issued" in entry.message for entry in entries) == 1
