"""What happens by itself: deployments roll out, pods start and fail, owners take their dependents with them."""

from __future__ import annotations

import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


def conditions(obj):
    return {item["type"]: (item["status"], item.get("reason")) for item in obj["status"].get("conditions", ())}


def states(pods):
    return [next(iter(item["state"])) for pod in pods for item in pod["status"].get("containerStatuses", ())]


def test_a_deployment_becomes_available_after_its_images_are_pulled(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    pods = caller.pods()
    assert [pod["status"]["phase"] for pod in pods] == ["Pending", "Pending"]
    assert states(pods) == ["waiting", "waiting"]
    assert conditions(caller.get(f"{DEPLOYMENTS}/web"))["Available"] == ("False", "MinimumReplicasUnavailable")
    caller.clock.tick(30)
    status = caller.get(f"{DEPLOYMENTS}/web")["status"]
    assert (status["readyReplicas"], status["availableReplicas"], status["updatedReplicas"]) == (2, 2, 2)
    assert conditions({"status": status}) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert {pod["spec"]["nodeName"] for pod in caller.pods()} == {"press-01-ledge"}
    assert len({pod["status"]["podIP"] for pod in caller.pods()}) == 2


def test_what_happened_carries_the_time_at_which_it_was_due_not_the_time_of_looking(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(replicas=1))
    caller.clock.tick(24 * 3600)
    ready = next(item for item in caller.pods()[0]["status"]["conditions"] if item["type"] == "Ready")
    assert ready["lastTransitionTime"] == "2026-04-01T08:00:07Z"


def test_a_second_pod_of_an_image_that_is_there_starts_faster(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(replicas=1))
    caller.clock.tick(30)
    caller.pods()
    caller.call("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 2}}, content_type=MERGE)
    caller.clock.tick(2)
    assert [pod["status"]["phase"] for pod in caller.pods()] == ["Running", "Running"]


def test_a_new_image_rolls_over_without_losing_availability(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(replicas=4))
    caller.clock.tick(30)
    caller.pods()
    caller.call(
        "PATCH",
        f"{DEPLOYMENTS}/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:2"}]}}}},
        content_type=MERGE,
    )
    seen = []
    for _ in range(60):
        status = caller.get(f"{DEPLOYMENTS}/web")["status"]
        seen.append((status["replicas"], status["availableReplicas"]))
        caller.clock.tick(1)
    assert max(replicas for replicas, _ in seen) == 5
    assert min(available for _, available in seen) >= 3
    assert {pod["spec"]["containers"][0]["image"] for pod in caller.pods()} == {"nginx:2"}
    assert sorted(item["spec"]["replicas"] for item in caller.get(SETS)["items"]) == [0, 4]


def test_going_back_to_an_earlier_template_takes_its_replica_set_again(caller, deployment):
    first = caller.create(DEPLOYMENTS, deployment(replicas=1))
    caller.clock.tick(30)
    image = {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:2", "ports": [{"containerPort": 80}]}]}}}
    }
    caller.call("PATCH", f"{DEPLOYMENTS}/web", image, content_type=MERGE)
    caller.clock.tick(30)
    back = {"spec": {"template": dict(reversed(first["spec"]["template"].items()))}}
    caller.call("PATCH", f"{DEPLOYMENTS}/web", back, content_type=MERGE)
    caller.clock.tick(30)
    sets = {item["spec"]["template"]["spec"]["containers"][0]["image"]: item for item in caller.get(SETS)["items"]}
    assert len(sets) == 2
    assert sets["nginx:1.27"]["spec"]["replicas"] == 1
    assert sets["nginx:1.27"]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_recreate_ends_the_old_pods_first(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
    caller.clock.tick(30)
    caller.pods()
    caller.call(
        "PATCH",
        f"{DEPLOYMENTS}/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:2"}]}}}},
        content_type=MERGE,
    )
    images = set()
    for _ in range(30):
        images.add(frozenset(pod["spec"]["containers"][0]["image"] for pod in caller.pods() if pod["status"]["phase"] == "Running"))
        caller.clock.tick(1)
    assert frozenset({"nginx:1.27", "nginx:2"}) not in images
    assert frozenset({"nginx:2"}) in images


def test_a_paused_deployment_waits(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(paused=True))
    caller.clock.tick(30)
    assert caller.pods() == []
    caller.call("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"paused": False}}, content_type=MERGE)
    caller.clock.tick(30)
    assert len(caller.pods()) == 2


def test_an_image_that_cannot_be_pulled_backs_off_and_the_roll_out_times_out(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(replicas=1, image="registry.invalid/web:1"))
    caller.clock.tick(3)
    assert caller.pods()[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull"
    caller.clock.tick(15)
    assert caller.pods()[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    reasons = {event["reason"] for event in caller.get("/api/v1/namespaces/default/events")["items"]}
    assert {"Failed", "BackOff"} <= reasons
    caller.clock.tick(700)
    assert conditions(caller.get(f"{DEPLOYMENTS}/web"))["Progressing"] == ("False", "ProgressDeadlineExceeded")


def test_a_missing_config_map_keeps_a_pod_from_starting_until_it_is_there(caller, deployment):
    body = deployment(replicas=1)
    body["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    caller.create(DEPLOYMENTS, body)
    caller.clock.tick(30)
    waiting = caller.pods()[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}
    caller.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "settings"}})
    caller.clock.tick(30)
    assert caller.pods()[0]["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, "didn't match Pod's node affinity/selector"),
        ({"containers": [{"name": "web", "image": "a:1", "resources": {"requests": {"cpu": "64"}}}]}, "Insufficient cpu"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}]}, 'persistentvolumeclaim "none" not found'),
    ],
)
def test_a_pod_that_fits_nowhere_stays_pending_and_says_why(caller, deployment, spec, message):
    body = deployment(replicas=1)
    body["spec"]["template"]["spec"].update(spec)
    caller.create(DEPLOYMENTS, body)
    caller.clock.tick(30)
    pod = caller.pods()[0]
    scheduled = next(item for item in pod["status"]["conditions"] if item["type"] == "PodScheduled")
    assert (pod["status"]["phase"], scheduled["reason"]) == ("Pending", "Unschedulable")
    assert message in scheduled["message"]


def test_a_cordoned_node_takes_no_new_pods(caller, deployment):
    node = "/api/v1/nodes/press-01-ledge"
    caller.call("PATCH", node, {"spec": {"unschedulable": True}}, content_type=MERGE)
    caller.create(DEPLOYMENTS, deployment(replicas=1))
    caller.clock.tick(30)
    assert caller.pods()[0]["status"]["phase"] == "Pending"
    caller.call("PATCH", node, {"spec": {"unschedulable": None}}, content_type=MERGE)
    caller.clock.tick(30)
    assert caller.pods()[0]["status"]["phase"] == "Running"


def test_a_deleted_pod_ends_after_a_moment_and_is_replaced(caller, deployment):
    caller.create(DEPLOYMENTS, deployment(replicas=1))
    caller.clock.tick(30)
    old = caller.pods()[0]["metadata"]["name"]
    assert "deletionTimestamp" in caller.call("DELETE", f"{PODS}/{old}")["metadata"]
    assert len(caller.pods()) == 2
    caller.clock.tick(30)
    names = [pod["metadata"]["name"] for pod in caller.pods()]
    assert len(names) == 1
    assert old not in names


def test_deleting_a_deployment_takes_everything_below_it(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    caller.clock.tick(30)
    caller.pods()
    caller.call("DELETE", f"{DEPLOYMENTS}/web")
    caller.clock.tick(30)
    assert caller.get(SETS)["items"] == []
    assert caller.pods() == []


def test_deleting_in_the_foreground_keeps_the_owner_until_its_pods_are_gone(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    caller.clock.tick(30)
    caller.pods()
    caller.call("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Foreground"})
    assert caller.get(f"{DEPLOYMENTS}/web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    caller.clock.tick(30)
    caller.get(f"{DEPLOYMENTS}/web", expect=404)
    assert caller.pods() == []


def test_orphaned_pods_stay(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    caller.clock.tick(30)
    caller.pods()
    caller.call("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Orphan"})
    caller.clock.tick(30)
    sets = caller.get(SETS)["items"]
    assert len(sets) == 1
    assert "ownerReferences" not in sets[0]["metadata"]
    assert len(caller.pods()) == 2


def test_a_namespace_empties_itself_before_it_goes(caller, deployment):
    caller.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    caller.create("/apis/apps/v1/namespaces/shop/deployments", deployment())
    caller.clock.tick(30)
    caller.pods("shop")
    assert caller.call("DELETE", "/api/v1/namespaces/shop")["status"]["phase"] == "Terminating"
    refused = caller.create("/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "late"}}, expect=403)
    assert "is being terminated" in refused["message"]
    caller.clock.tick(30)
    caller.get("/api/v1/namespaces/shop", expect=404)
    assert caller.pods("shop") == []


def test_kube_system_cannot_be_deleted(caller):
    assert caller.call("DELETE", "/api/v1/namespaces/kube-system", expect=403)["reason"] == "Forbidden"


def test_a_service_finds_its_ready_pods_and_kube_vip_gives_it_an_address(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    service = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}}
    caller.create("/api/v1/namespaces/default/services", service)
    caller.clock.tick(30)
    subset = caller.get("/api/v1/namespaces/default/endpoints/web")["subsets"][0]
    assert {item["ip"] for item in subset["addresses"]} == {pod["status"]["podIP"] for pod in caller.pods()}
    pieces = caller.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")["items"]
    assert any(
        len(piece["endpoints"]) == 2 for piece in pieces if piece["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
    )
    status = caller.get("/api/v1/namespaces/default/services/web")["status"]
    assert status["loadBalancer"]["ingress"][0]["ip"] == "192.168.0.4"


def test_without_free_addresses_a_load_balancer_stays_pending(make_caller):
    caller = make_caller()
    service = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}}
    caller.create("/api/v1/namespaces/default/services", service)
    caller.clock.tick(60)
    assert caller.get("/api/v1/namespaces/default/services/web")["status"] == {"loadBalancer": {}}


def test_a_daemon_set_runs_on_every_linux_node_and_follows_nodes(caller):
    from akslite_ps.sandbox.kubernetes.nodes import NodeSpec

    labels = {"app": "agent"}
    pod = {"nodeSelector": {"kubernetes.io/os": "linux"}, "containers": [{"name": "agent", "image": "agent:1"}]}
    body = {
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    caller.create("/apis/apps/v1/namespaces/default/daemonsets", body)
    caller.cluster.add_node(NodeSpec("press-02-ledge", "192.168.0.12"))
    caller.cluster.add_node(NodeSpec("press-01-wedge", "192.168.0.3", operating_system="windows", control_plane=False))
    caller.clock.tick(30)
    status = caller.get("/apis/apps/v1/namespaces/default/daemonsets/agent")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (2, 2)
    caller.cluster.remove_node("press-02-ledge")
    caller.clock.tick(30)
    assert [pod["spec"]["nodeName"] for pod in caller.pods()] == ["press-01-ledge"]


def test_an_eviction_respects_a_disruption_budget(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}}
    caller.create("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    caller.clock.tick(30)
    pod = caller.pods()[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "default"}}
    status = caller.create(f"{PODS}/{pod}/eviction", eviction, expect=429)
    assert status["reason"] == "TooManyRequests"
    assert "needs 2 healthy pods and has 2 currently" in status["details"]["causes"][0]["message"]
    caller.call("DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web")
    caller.create(f"{PODS}/{pod}/eviction", eviction)


def test_a_claim_waits_for_its_class_and_is_bound_when_the_provisioner_runs(caller, deployment):
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    claim["spec"]["storageClassName"] = "local-path"
    at = "/api/v1/namespaces/default/persistentvolumeclaims"
    caller.create(at, claim)
    storage_class = {
        "metadata": {"name": "local-path"},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    caller.create("/apis/storage.k8s.io/v1/storageclasses", storage_class)
    body = deployment(replicas=1)
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    caller.create(DEPLOYMENTS, body)
    caller.clock.tick(60)
    assert caller.get(f"{at}/data")["status"]["phase"] == "Pending"
    caller.create(DEPLOYMENTS, deployment("local-path-provisioner", 1))
    caller.clock.tick(60)
    bound = caller.get(f"{at}/data")
    assert bound["status"]["phase"] == "Bound"
    volume = caller.get(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")
    assert volume["spec"]["claimRef"]["name"] == "data"
    assert all(pod["status"]["phase"] == "Running" for pod in caller.pods())
    caller.call("DELETE", f"{DEPLOYMENTS}/web")
    caller.call("DELETE", f"{at}/data")
    caller.clock.tick(60)
    caller.get(f"{at}/data", expect=404)
    assert caller.get("/api/v1/persistentvolumes")["items"] == []


def test_old_events_are_forgotten_after_an_hour(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    caller.clock.tick(60)
    assert caller.get("/api/v1/namespaces/default/events")["items"]
    caller.clock.tick(3700)
    caller.get("/healthz")
    assert caller.get("/api/v1/namespaces/default/events")["items"] == []
