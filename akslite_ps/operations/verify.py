"""Verifies a deployed device: the product's own test, then nodes and system pods as Kubernetes sees them. Only reads.

Deploying, updating and changing end with :func:`steps`; ``akslite verify`` looks at more (``operations.verify_checks``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from akslite_ps.errors import AksLiteError, SessionLost, Unreachable
from akslite_ps.operations import verify_checks
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.reading import read_facts
from akslite_ps.operations.steps import Done, StepCode
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.operations.device_cluster import DeviceCluster
    from akslite_ps.remoting import Device

OPERATION = "verify"
DEPLOYMENT = "verify.deployment"
NODES = "verify.nodes"
PODS = "verify.pods"
_STARTING = "Waiting for the API server"
READY_WITHIN_S = 900
"""Longest wait for nodes and pods in seconds: the product's own limit for a Windows node, the longest it has."""


def plan(device: Device, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> Plan:
    """Read the device and say what will be verified.

    Args:
        device: The device.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
    """
    facts = read_facts(device, open_session=open_session, ask=ask)
    exists = facts.deployment_exists
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        findings=(
            Finding(
                check="deployment",
                title="Deployment",
                severity="ok" if exists else "error",
                read="there is one" if exists else "there is none",
                needed="a deployment",
                action="" if exists else f"deploy first: akslite deploy {device.name} --config FILE",
            ),
        ),
        steps=(*steps(), *verify_checks.steps()),
    )


def steps() -> tuple[Step, ...]:
    """The steps that verify a deployment right after it was made or changed."""
    return (
        Step(
            id=DEPLOYMENT, title="Ask the product for its deployment", command="Test-AksEdgeDeployment", typical_s=10, max_run_s=300
        ),
        Step(id=NODES, title="Ask Kubernetes for its nodes", typical_s=30, max_run_s=READY_WITHIN_S),
        Step(id=PODS, title="Ask Kubernetes for its system pods", typical_s=60, max_run_s=READY_WITHIN_S),
    )


class _Deployment(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        product = AksEdge(work.session())
        if not product.test_deployment():
            raise work.failure(
                "the product says that there is no deployment",
                next_action=f"look at it: akslite status {work.device.name}",
            )
        name, address = product.get_node_name(), product.get_node_addr()
        where = f" at {address.ip}" if address.ip else ""
        return Done(Outcome.OK, f"node {name}{where}", {"node": name, "address": address.ip, "mac": address.mac})


class _Nodes(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        with open_cluster(work) as cluster:
            work.tell(_STARTING)
            version = wait_for(work, cluster.version, lambda _: True, lambda _: "The API server answers")
            nodes = wait_for(
                work,
                cluster.nodes,
                lambda found: bool(found) and all(node.ready for node in found),
                lambda found: f"{sum(node.ready for node in found)} of {len(found)} nodes Ready",
            )
        evidence = {**_way(cluster), "version": version, "nodes": [node.to_dict() for node in nodes]}
        late = [
            f"{node.name} is {node.status}" + (f" ({node.message})" if node.message else "") for node in nodes if not node.ready
        ]
        if late or not nodes:
            raise _not_ready(work, "; ".join(late) or "the cluster has no nodes")
        return Done(Outcome.OK, f"{len(nodes)} of {len(nodes)} nodes Ready, {version}{_aside(cluster)}", evidence)


class _Pods(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        with open_cluster(work) as cluster:
            work.tell(_STARTING)
            pods = wait_for(
                work,
                cluster.system_pods,
                lambda found: bool(found) and all(pod.healthy for pod in found),
                lambda found: f"{sum(pod.healthy for pod in found)} of {len(found)} system pods ready",
            )
        late = [f"{pod.namespace}/{pod.name} is {pod.status}" for pod in pods if not pod.healthy]
        if late or not pods:
            raise _not_ready(work, "; ".join(late) or "the cluster has no system pods")
        evidence = {**_way(cluster), "pods": [pod.to_dict() for pod in pods]}
        return Done(Outcome.OK, f"{len(pods)} of {len(pods)} system pods ready{_aside(cluster)}", evidence)


def open_cluster(work: Work) -> AbstractContextManager[DeviceCluster]:
    """The device's cluster, with a kubeconfig read from the device now. The kubeconfig is kept nowhere.

    Raises:
        AksLiteError: The kubeconfig cannot be read, or is not usable.
    """
    from akslite_ps.aksedge.ops import workload
    from akslite_ps.operations.device_cluster import cluster_of

    def fetch(kind: Literal["Nodes", "Pods", "Version"], *, namespace: str | None = None) -> Mapping[str, Any]:
        try:
            return workload(work.session(), kind, namespace=namespace)
        except (SessionLost, Unreachable):
            work.sessions.drop()  # the next question opens a new one
            raise

    return cluster_of(work.session(), open_cluster=work.controller.open_cluster, fetch=fetch)


def _way(cluster: DeviceCluster) -> dict[str, Any]:
    """Evidence of how the cluster was read."""
    found = {"server": cluster.server, "way": cluster.way}
    return {**found, "why_not_direct": cluster.why_not_direct} if cluster.way == "device" else found


def _aside(cluster: DeviceCluster) -> str:
    return "; read on the device, its Kubernetes API cannot be reached from here" if cluster.way == "device" else ""


def _not_ready(work: Work, why: str) -> AksLiteError:
    return work.failure(
        f"not ready within {work.step.max_run_s} s: {why}",
        next_action="look at the cluster's events and the device's disk latency; then resume the run",
    )


CODE: Mapping[str, StepCode] = {DEPLOYMENT: _Deployment(), NODES: _Nodes(), PODS: _Pods(), **verify_checks.CODE}
