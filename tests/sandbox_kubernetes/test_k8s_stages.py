"""A cluster over its life: start in stages, reboot, written down and taken up again."""

from __future__ import annotations

import json

import pytest

from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

NODE = "/api/v1/nodes/press-01-ledge"
SYSTEM = "/api/v1/namespaces/kube-system/pods"


def ready(caller):
    return next(item for item in caller.get(NODE)["status"]["conditions"] if item["type"] == "Ready")


def phases(caller):
    return {pod["metadata"]["name"].split("-")[0]: pod["status"]["phase"] for pod in caller.get(SYSTEM)["items"]}


def test_a_cluster_can_start_not_ready(make_caller):
    caller = make_caller(ready=False)
    assert (ready(caller)["status"], ready(caller)["reason"]) == ("False", "KubeletNotReady")
    assert {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"} in caller.get(NODE)["spec"]["taints"]
    assert set(phases(caller).values()) == {"Pending"}
    assert not caller.cluster.is_ready()


def test_the_stages_follow_the_device_model(make_caller):
    caller = make_caller(ready=False)
    caller.clock.tick(60)
    caller.cluster.set_node_ready("press-01-ledge", True)
    assert ready(caller)["lastTransitionTime"] == "2026-04-01T08:01:00Z"
    assert "taints" not in caller.get(NODE)["spec"]
    caller.clock.tick(60)
    assert set(phases(caller).values()) == {"Pending"}
    caller.cluster.set_system_pods_ready(True)
    caller.clock.tick(10)
    assert set(phases(caller).values()) == {"Running"}
    assert caller.cluster.is_ready()


def test_a_node_can_be_not_ready_with_a_reason_of_ones_own(caller):
    caller.cluster.set_node_ready("press-01-ledge", False, "PLEG is not healthy")
    assert ready(caller)["message"] == "PLEG is not healthy"
    with pytest.raises(KeyError):
        caller.cluster.set_node_ready("press-99-ledge", True)


def test_system_pods_can_stop_being_ready(caller):
    caller.cluster.set_system_pods_ready(False)
    table = caller.get(SYSTEM, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    assert {row["cells"][1] for row in table["rows"]} == {"0/1"}


async def test_booting_walks_through_the_stages_in_device_time(make_caller):
    caller = make_caller(ready=False)
    seen = []

    async def sleep(seconds):
        seen.append((ready(caller)["status"], set(phases(caller).values())))
        caller.clock.tick(seconds)

    await caller.cluster.boot(sleep, node_ready_s=40, system_pods_s=30)
    assert seen == [("False", {"Pending"}), ("True", {"Pending"})]
    caller.clock.tick(10)
    assert caller.cluster.is_ready()
    assert ready(caller)["lastTransitionTime"] == "2026-04-01T08:00:40Z"


async def test_a_reboot_restarts_every_container_once(caller, deployment):
    caller.create("/apis/apps/v1/namespaces/default/deployments", deployment())
    caller.clock.tick(60)
    caller.pods()

    async def sleep(seconds):
        assert not caller.cluster.is_ready()
        caller.clock.tick(seconds)

    await caller.cluster.boot(sleep)
    caller.clock.tick(10)
    for pod in (*caller.pods(), *caller.get(SYSTEM)["items"]):
        status = pod["status"]["containerStatuses"][0]
        assert status["ready"]
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["reason"] == "Unknown"


def test_a_snapshot_keeps_objects_versions_certificates_and_tokens(caller, call_as, deployment):
    caller.create("/apis/apps/v1/namespaces/default/deployments", deployment())
    caller.clock.tick(60)
    before = {path: caller.get(path) for path in ("/api/v1/pods", "/api/v1/nodes", "/apis/apps/v1/deployments", "/api/v1/events")}
    token = caller.cluster.service_account_token()
    kubeconfig = caller.cluster.kubeconfig("https://127.0.0.1:6443")
    written = json.dumps(caller.cluster.snapshot())
    restored = call_as(SimulatedCluster.restore(json.loads(written), clock=caller.clock), caller.clock)
    assert {path: restored.get(path) for path in before} == before
    assert restored.cluster.kubeconfig("https://127.0.0.1:6443") == kubeconfig
    review = restored.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review["status"]["authenticated"] is True
    assert json.loads(written) == restored.cluster.snapshot()


def test_what_had_begun_before_a_snapshot_goes_on_after_it(caller, call_as, deployment):
    caller.create("/apis/apps/v1/namespaces/default/deployments", deployment())
    assert caller.pods()[0]["status"]["phase"] == "Pending"
    restored = call_as(SimulatedCluster.restore(caller.cluster.snapshot(), clock=caller.clock), caller.clock)
    restored.clock.tick(60)
    assert {pod["status"]["phase"] for pod in restored.pods()} == {"Running"}


def test_a_watch_from_before_a_restart_has_to_list_again(caller, call_as):
    old = caller.get("/api/v1/pods")["metadata"]["resourceVersion"]
    caller.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "one"}})
    restored = call_as(SimulatedCluster.restore(caller.cluster.snapshot(), clock=caller.clock), caller.clock)
    restored.get("/api/v1/pods", watch="true", resourceVersion=old, expect=410)


def test_a_snapshot_of_an_unknown_version_is_refused(caller):
    with pytest.raises(ValueError, match="version 99"):
        SimulatedCluster.restore({**caller.cluster.snapshot(), "version": 99}, clock=caller.clock)


def test_an_idle_cluster_folds_to_a_fraction_and_opens_unchanged(caller):
    before = caller.get("/api/v1/pods")
    store = caller.cluster.state.store
    size = sum(len(store.encoded(key) or b"") for resource in store.resources() for key in store.keys(resource))
    store.fold()
    assert store.folded
    assert len(store._folded) < size / 4
    assert caller.get("/api/v1/pods")["items"] == before["items"]
