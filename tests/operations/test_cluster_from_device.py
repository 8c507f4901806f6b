"""A device whose Kubernetes API cannot be reached from here: the cluster is read on the device, and only then given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.cluster.health import NodeHealth, PodHealth
from akslite_ps.cluster.reading import ClusterReading
from akslite_ps.errors import AksLiteError, AuthenticationFailed, CmdletFailed, NotPermitted, SessionLost, Unreachable
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Event, Limits, Run, StepProgress, apply, deploy, resume, verify
from akslite_ps.operations.device_cluster import DeviceCluster, cluster_of
from akslite_ps.operations.reading import reading
from akslite_ps.outcome import Outcome

REFUSED = Unreachable("the API server https://192.168.0.2:6443 does not answer", device="press-01")


@pytest.fixture
def patient(journal: Journal) -> Controller:
    """A controller that asks real clusters, and gives up on a silent one at once."""
    return Controller(journal, limits=Limits(first_poll_s=0.02, longest_poll_s=0.1, back_within_s=10, api_within_s=0, tick_s=0.5))


@pytest.fixture
def deployed(simulated: Any, journal: Journal, config: DeploymentConfig, operator: Controller) -> Any:
    """A simulated device with a running cluster."""
    simulated.install()
    plan = deploy.plan(simulated.device, config, accept_eula=True)
    assert apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator).finished
    return simulated


def verified(simulated: Any, journal: Journal, controller: Controller, **more: Any) -> Run:
    plan = verify.plan(simulated.device)
    return apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=controller, **more)


def node_is_ready(simulated: Any, ready: bool) -> None:
    async def change() -> None:
        simulated.sandbox.device(simulated.name).cluster.cluster.set_node_ready("press-01-ledge", ready)

    simulated.sandbox.run(change())


def waiting_longer(controller: Controller) -> Controller:
    return replace(controller, limits=replace(controller.limits, api_within_s=30))


# -- whole runs ---------------------------------------------------------------------------------------------------


def test_a_deployment_ends_with_evidence_read_on_the_device(
    simulated: Any, journal: Journal, config: DeploymentConfig, patient: Controller
) -> None:
    simulated.install()
    simulated.fault("api-unreachable")
    plan = deploy.plan(simulated.device, config, accept_eula=True)

    run = apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=patient)

    assert run.outcome is Outcome.CHANGED
    results = {result.step_id: result for result in run.results}
    nodes, pods = results[verify.NODES], results[verify.PODS]
    assert (nodes.outcome, pods.outcome) == (Outcome.OK, Outcome.OK)
    for result in (nodes, pods):
        assert "read on the device" in result.detail
        assert result.evidence["way"] == "device"
        assert "does not answer" in result.evidence["why_not_direct"]
    assert nodes.evidence["version"] == "v1.33.5+k3s1"
    assert nodes.evidence["nodes"][0]["status"] == "Ready"
    assert all(pod["healthy"] for pod in pods.evidence["pods"])
    assert journal.verify(run.run_id).ok


def test_a_reachable_api_is_asked_directly(deployed: Any, journal: Journal, patient: Controller) -> None:
    run = verified(deployed, journal, patient)
    evidence = {result.step_id: result.evidence for result in run.results}
    assert run.outcome is Outcome.OK
    assert evidence[verify.NODES]["way"] == evidence[verify.PODS]["way"] == "api"
    assert "why_not_direct" not in evidence[verify.NODES]


def test_readiness_is_waited_for_on_the_device_too(deployed: Any, journal: Journal, patient: Controller) -> None:
    deployed.fault("api-unreachable")
    node_is_ready(deployed, False)
    stages: list[str] = []

    def listener(event: Event) -> None:
        if isinstance(event, StepProgress) and event.step.id == verify.NODES:
            stages.append(event.stage)
            if event.stage == "0 of 1 nodes Ready":
                node_is_ready(deployed, True)

    assert verified(deployed, journal, patient, listener=listener).outcome is Outcome.OK
    assert stages[-1] == "1 of 1 nodes Ready"


def test_a_restart_of_the_device_meanwhile_is_waited_for(deployed: Any, journal: Journal, patient: Controller) -> None:
    deployed.fault("api-unreachable")
    node_is_ready(deployed, False)
    restarted = False

    def listener(event: Event) -> None:
        nonlocal restarted
        if isinstance(event, StepProgress) and event.stage == "0 of 1 nodes Ready" and not restarted:
            restarted = True
            deployed.sandbox.reboot(deployed.name)

    run = verified(deployed, journal, waiting_longer(patient), listener=listener)
    assert restarted
    assert run.outcome is Outcome.OK
    assert next(result for result in run.results if result.step_id == verify.PODS).evidence["way"] == "device"


async def stopped_node(deployed: Any) -> None:
    """Stop the node, as Stop-AksEdgeNode does, and wait until it is down."""
    cluster = deployed.sandbox.device(deployed.name).cluster
    cluster.begin_stop_node(["Linux"])
    while cluster.is_node_up("Linux"):  # noqa: ASYNC110 - the device says so in no other way
        await asyncio.sleep(0.01)


def test_only_where_both_ways_fail_the_cluster_is_unreachable(deployed: Any, journal: Journal, patient: Controller) -> None:
    deployed.fault("api-unreachable")
    stopped = False

    def listener(event: Event) -> None:
        nonlocal stopped
        if isinstance(event, StepProgress) and event.step.id == verify.NODES and not stopped:
            stopped = True
            deployed.sandbox.run(stopped_node(deployed))

    run = verified(deployed, journal, patient, listener=listener)

    result = run.results[-1]
    assert (result.step_id, result.outcome) == (verify.NODES, Outcome.UNREACHABLE)
    assert result.error is not None
    assert "does not answer" in result.error["message"]
    assert "on the device: The Linux node is not running." in result.error["message"]
    assert result.error["next_action"]

    async def start() -> None:
        deployed.sandbox.device(deployed.name).cluster.begin_start_node(["Linux"])

    deployed.sandbox.run(start())
    waiting = waiting_longer(patient)
    assert not run.finished
    assert resume(deployed.device, journal=journal, run_id=run.run_id, controller=waiting).outcome is Outcome.OK


def test_an_open_session_leads_to_the_cluster(deployed: Any, patient: Controller) -> None:
    deployed.fault("api-unreachable")
    with reading(deployed.device, open_session=patient.open_session) as session, cluster_of(session) as cluster:
        health = cluster.wait_ready(30, poll_s=0.02)
    assert (health.ready, health.way) == (True, "device")
    assert cluster.server.startswith("https://127.")


# -- the choice of the way ----------------------------------------------------------------------------------------


class Scripted(ClusterReading):
    """A way to a cluster that gives these answers, the last one for ever."""

    device = "press-01"
    server = "https://192.168.0.2:6443"

    def __init__(self, *answers: str | AksLiteError) -> None:
        self.answers = list(answers)
        self.asked = 0

    def version(self) -> str:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AksLiteError):
            raise answer
        return answer

    def nodes(self) -> list[NodeHealth]:
        raise NotImplementedError

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        raise NotImplementedError


def test_the_way_that_answers_is_kept_until_it_fails() -> None:
    direct = Scripted(REFUSED)
    on_device = Scripted("v1", "v1", CmdletFailed("EOF", command="Get-AksLiteWorkload"), "v2")
    cluster = DeviceCluster(direct, on_device)
    assert (cluster.version(), cluster.version(), cluster.way) == ("v1", "v1", "device")
    assert direct.asked == 1
    with pytest.raises(Unreachable, match=r"does not answer; nor could it be read on the device: EOF"):
        cluster.version()
    direct.answers = ["v2"]
    assert (cluster.version(), cluster.way, cluster.why_not_direct) == ("v2", "api", "")
    assert on_device.asked == 3


@pytest.mark.parametrize("kind", [SessionLost, NotPermitted, Unreachable])
def test_a_device_that_cannot_be_asked_leaves_both_ways_closed(kind: Callable[[str], AksLiteError]) -> None:
    with pytest.raises(Unreachable, match=r"does not answer; nor .* no way"):
        DeviceCluster(Scripted(REFUSED), Scripted(kind("no way"))).version()


def test_refused_credentials_are_no_reason_to_try_another_way() -> None:
    on_device = Scripted("v1")
    with pytest.raises(AuthenticationFailed):
        DeviceCluster(Scripted(AuthenticationFailed("401")), on_device).version()
    assert on_device.asked == 0
    with pytest.raises(AuthenticationFailed):
        DeviceCluster(Scripted(REFUSED), Scripted(AuthenticationFailed("wrong password"))).version()
