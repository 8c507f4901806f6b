"""StatefulSets, autoscalers and taints: pods with names of their own, one after the other."""

from __future__ import annotations

import pytest

SETS = "/apis/apps/v1/namespaces/default/statefulsets"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
MERGE = "application/merge-patch+json"
LABELS = {"app": "db"}


def stateful_set(replicas=3, image="postgres:16", **spec):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "db", "image": image}]}}
    whole = {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": LABELS}, "template": template, **spec}
    return {"metadata": {"name": "db"}, "spec": whole}


def pass_time(caller, seconds, step=2):
    for _ in range(0, seconds, step):
        caller.clock.tick(step)
        caller.get("/readyz")


def names(caller):
    return [item["metadata"]["name"] for item in caller.pods()]


def test_pods_come_and_go_in_order(caller):
    caller.create(SETS, stateful_set())
    caller.clock.tick(1)
    assert names(caller) == ["db-0"]
    pass_time(caller, 60)
    assert names(caller) == ["db-0", "db-1", "db-2"]
    first = caller.pods()[0]
    assert (first["spec"]["hostname"], first["spec"]["subdomain"]) == ("db-0", "db")
    assert first["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "0"
    caller.call("PATCH", f"{SETS}/db", {"spec": {"replicas": 1}}, content_type=MERGE)
    caller.get("/readyz")
    assert "deletionTimestamp" in caller.pods()[2]["metadata"]
    assert "deletionTimestamp" not in caller.pods()[1]["metadata"]
    pass_time(caller, 30)
    assert names(caller) == ["db-0"]


def test_all_at_once_where_that_is_asked_for(caller):
    caller.create(SETS, stateful_set(podManagementPolicy="Parallel"))
    caller.clock.tick(1)
    assert names(caller) == ["db-0", "db-1", "db-2"]


def test_a_new_template_rolls_from_the_last_to_the_first_and_back(caller):
    caller.create(SETS, stateful_set())
    pass_time(caller, 60)
    before = caller.get(f"{SETS}/db")["status"]
    assert before["currentRevision"] == before["updateRevision"]
    change = {"spec": {"template": {"spec": {"containers": [{"name": "db", "image": "postgres:17"}]}}}}
    caller.call("PATCH", f"{SETS}/db", change, content_type=MERGE)
    pass_time(caller, 4)
    images = [item["spec"]["containers"][0]["image"] for item in caller.pods()]
    assert images[:2] == ["postgres:16", "postgres:16"]
    pass_time(caller, 90)
    after = caller.get(f"{SETS}/db")["status"]
    assert {item["spec"]["containers"][0]["image"] for item in caller.pods()} == {"postgres:17"}
    assert after["currentRevision"] == after["updateRevision"] != before["updateRevision"]
    assert (after["readyReplicas"], after["updatedReplicas"]) == (3, 3)
    revisions = caller.get("/apis/apps/v1/namespaces/default/controllerrevisions")["items"]
    assert sorted(item["revision"] for item in revisions if item["metadata"]["name"].startswith("db-")) == [1, 2]


def test_a_partition_holds_the_roll_out_back(caller):
    caller.create(SETS, stateful_set(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}))
    pass_time(caller, 60)
    change = {"spec": {"template": {"spec": {"containers": [{"name": "db", "image": "postgres:17"}]}}}}
    caller.call("PATCH", f"{SETS}/db", change, content_type=MERGE)
    pass_time(caller, 60)
    images = [item["spec"]["containers"][0]["image"] for item in caller.pods()]
    assert images == ["postgres:16", "postgres:16", "postgres:17"]


def claim_template(**spec):
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "data"}, "spec": asked}


def test_every_pod_has_a_claim_that_outlives_it(caller):
    caller.create("/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "disk"}, "provisioner": "x/local"})
    provisioner = {"metadata": {"name": "local"}, "spec": {"containers": [{"name": "p", "image": "p:1"}]}}
    caller.create("/api/v1/namespaces/kube-system/pods", provisioner)
    pass_time(caller, 20)
    caller.create(SETS, stateful_set(2, volumeClaimTemplates=[claim_template(storageClassName="disk")]))
    pass_time(caller, 60)
    assert names(caller) == ["db-0", "db-1"]
    assert [item["metadata"]["name"] for item in caller.get(CLAIMS)["items"]] == ["data-db-0", "data-db-1"]
    assert {item["status"]["phase"] for item in caller.get(CLAIMS)["items"]} == {"Bound"}
    caller.call("DELETE", f"{SETS}/db")
    pass_time(caller, 30)
    assert names(caller) == []
    assert len(caller.get(CLAIMS)["items"]) == 2


def test_without_a_storage_class_the_first_pod_waits(caller):
    caller.create(SETS, stateful_set(2, volumeClaimTemplates=[claim_template()]))
    pass_time(caller, 10)
    assert names(caller) == ["db-0"]
    assert "unbound immediate PersistentVolumeClaims" in str(caller.pods()[0]["status"]["conditions"])


def test_what_cannot_change_is_refused(caller):
    caller.create(SETS, stateful_set())
    status = caller.call("PATCH", f"{SETS}/db", {"spec": {"serviceName": "other"}}, content_type=MERGE, expect=422)
    assert "updates to statefulset spec for fields other than" in status["message"]


def test_a_lost_pod_comes_back_under_its_name(caller):
    caller.create(SETS, stateful_set(1))
    pass_time(caller, 20)
    uid = caller.pods()[0]["metadata"]["uid"]
    caller.call("DELETE", "/api/v1/namespaces/default/pods/db-0")
    pass_time(caller, 20)
    assert names(caller) == ["db-0"]
    assert caller.pods()[0]["metadata"]["uid"] != uid


@pytest.mark.parametrize(
    ("tolerations", "seconds_left"), [([], 0), ([{"key": "works", "operator": "Exists", "tolerationSeconds": 60}], 60)]
)
def test_a_taint_that_nobody_may_stay_under_evicts(caller, tolerations, seconds_left):
    spec = {"containers": [{"name": "c", "image": "i:1"}], "tolerations": tolerations, "terminationGracePeriodSeconds": 1}
    caller.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
    pass_time(caller, 20)
    node = caller.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    taint = {"spec": {"taints": [{"key": "works", "effect": "NoExecute"}]}}
    caller.call("PATCH", f"/api/v1/nodes/{node}", taint, content_type=MERGE)
    caller.get("/readyz")
    pass_time(caller, max(0, seconds_left - 10))
    assert names(caller) == ([] if not seconds_left else ["p"]) or "deletionTimestamp" in caller.pods()[0]["metadata"]
    pass_time(caller, 20)
    assert names(caller) == []


def test_an_autoscaler_is_the_same_in_both_versions_and_says_what_it_lacks(caller):
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
    at = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    caller.create(SETS, stateful_set(1))
    body = {"metadata": {"name": "db"}, "spec": {"scaleTargetRef": target, "maxReplicas": 4, "targetCPUUtilizationPercentage": 60}}
    made = caller.create(at.format("v1"), body)
    assert (made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 60)
    caller.call("PATCH", at.format("v1") + "/db", {"spec": {"targetCPUUtilizationPercentage": 70}}, content_type=MERGE)
    read = caller.get(at.format("v2") + "/db")
    assert read["apiVersion"] == "autoscaling/v2"
    assert [metric["resource"]["target"]["averageUtilization"] for metric in read["spec"]["metrics"]] == [70]
    reasons = {item["type"]: item["reason"] for item in read["status"]["conditions"]}
    assert reasons == {"AbleToScale": "SucceededGetScale", "ScalingActive": "FailedGetResourceMetric"}
    listed = caller.get(at.format("v1"))
    assert listed["apiVersion"] == "autoscaling/v1"
    assert [item["spec"]["targetCPUUtilizationPercentage"] for item in listed["items"]] == [70]


@pytest.mark.parametrize("part", ["exec", "attach", "portforward"])
def test_what_would_need_a_running_container_says_so(caller, part):
    caller.create(
        "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    )
    status = caller.call("POST", f"/api/v1/namespaces/default/pods/p/{part}", expect=501, command="ls")
    assert "nothing runs in the containers of a simulated device" in status["message"]


def test_a_replication_controller_of_old_keeps_its_pods(caller):
    at = "/api/v1/namespaces/default/replicationcontrollers"
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    made = caller.create(at, {"metadata": {"name": "old"}, "spec": {"replicas": 2, "template": template}})
    assert made["spec"]["selector"] == LABELS
    pass_time(caller, 20)
    assert len(names(caller)) == 2
    assert caller.get(f"{at}/old")["status"]["readyReplicas"] == 2
    assert caller.get(f"{at}/old/scale")["status"]["selector"] == "app=db"
    caller.call("PATCH", f"{at}/old/scale", {"spec": {"replicas": 1}}, content_type=MERGE)
    pass_time(caller, 40)
    assert len(names(caller)) == 1
    other = {"metadata": {"name": "x"}, "spec": {"selector": {"a": "b"}, "template": template}}
    assert "does not match template" in caller.create(at, other, expect=422)["message"]
