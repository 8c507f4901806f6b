"""Pod and node states in kubectl's words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from kubernetes.client import V1Node, V1Pod

from akslite_ps.cluster.health import PodHealth, assess, node_health, pod_health
from akslite_ps.cluster.reading import is_system_namespace

NOW = dt.datetime(2026, 5, 4, 3, 0, tzinfo=dt.UTC)


def pod(phase: str = "Running", *, states: tuple[dict[str, Any], ...] = ({"running": {}},), **more: Any) -> PodHealth:
    spec: dict[str, Any] = {"containers": [{"name": f"c{i}"} for i in range(len(states))]}
    status: dict[str, Any] = {
        "phase": phase,
        "containerStatuses": [
            {"name": f"c{i}", "image": "x", "imageID": "x", "ready": "running" in state, "restartCount": i, "state": state}
            for i, state in enumerate(states)
        ],
    }
    if "init" in more:
        spec["initContainers"] = [{"name": f"i{i}"} for i in range(len(more["init"]))]
        status["initContainerStatuses"] = [
            {"name": f"i{i}", "image": "x", "imageID": "x", "ready": False, "restartCount": 0, "state": state}
            for i, state in enumerate(more["init"])
        ]
    metadata: dict[str, Any] = {"name": "p", "namespace": "kube-system", "creationTimestamp": NOW}
    if more.get("deleted"):
        metadata["deletionTimestamp"] = NOW
    return pod_health(V1Pod.from_dict({"metadata": metadata, "spec": spec, "status": status}))


@pytest.mark.parametrize(
    ("health", "status", "ready", "healthy"),
    [
        (pod(), "Running", "1/1", True),
        (pod(states=({"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}})), "CrashLoopBackOff", "1/2", False),
        (pod("Pending", states=({"waiting": {"reason": "ContainerCreating"}},)), "ContainerCreating", "0/1", False),
        (pod("Succeeded", states=({"terminated": {"exitCode": 0, "reason": "Completed"}},)), "Completed", "0/1", True),
        (pod("Failed", states=({"terminated": {"exitCode": 2}},)), "ExitCode:2", "0/1", False),
        (pod("Failed", states=({"terminated": {"exitCode": 137, "signal": 9}},)), "Signal:9", "0/1", False),
        (pod("Pending", states=({"waiting": {}},), init=({"running": {}}, {"waiting": {}})), "Init:0/2", "0/1", False),
        (
            pod(
                "Pending",
                states=({"waiting": {}},),
                init=({"terminated": {"exitCode": 0}}, {"waiting": {"reason": "ErrImagePull"}}),
            ),
            "Init:ErrImagePull",
            "0/1",
            False,
        ),
        (pod(deleted=True), "Terminating", "1/1", False),
    ],
)
def test_a_pod_reads_as_in_kubectl(health: PodHealth, status: str, ready: str, healthy: bool) -> None:
    assert (health.status, f"{health.ready}/{health.containers}", health.healthy) == (status, ready, healthy)


def node(*conditions: tuple[str, str, str], **spec: Any) -> Any:
    return node_health(
        V1Node.from_dict(
            {
                "metadata": {"name": "edge", "labels": {"node-role.kubernetes.io/control-plane": "true", "other": "x"}},
                "spec": spec,
                "status": {"conditions": [{"type": kind, "status": state, "message": text} for kind, state, text in conditions]},
            }
        )
    )


def test_a_node_under_pressure_stays_ready_with_a_warning() -> None:
    found = node(("Ready", "True", ""), ("DiskPressure", "True", "disk is full"), ("MemoryPressure", "False", "fine"))
    assert (found.status, found.message, found.roles) == ("Ready", "disk is full", ("control-plane",))
    findings = assess("v1", [found], [pod()]).findings
    assert [finding.severity for finding in findings] == ["ok", "ok", "warning", "ok"]


def test_a_node_taken_out_of_scheduling_says_so() -> None:
    assert node(("Ready", "True", ""), unschedulable=True).status == "Ready,SchedulingDisabled"


def test_a_node_that_never_reported_is_not_ready() -> None:
    found = node()
    assert (found.ready, found.status) == (False, "NotReady")
    assert "not reported" in found.message


def test_a_cluster_without_nodes_or_pods_is_not_ready() -> None:
    health = assess("v1", [], [])
    assert not health.ready
    assert [finding.severity for finding in health.findings] == ["ok", "error", "error"]


def test_only_the_first_pods_in_trouble_are_named() -> None:
    ill = [PodHealth("kube-system", f"p{i}", "Pending", 0, 1) for i in range(8)]
    (finding,) = [f for f in assess("v1", [node(("Ready", "True", ""))], ill).findings if f.check == "system-pods"]
    assert finding.read.endswith("and 3 more")


@pytest.mark.parametrize(
    ("namespace", "system"), [("kube-system", True), ("calico-system", True), ("azure-arc", True), ("default", False)]
)
def test_system_namespaces(namespace: str, system: bool) -> None:
    assert is_system_namespace(namespace) is system
