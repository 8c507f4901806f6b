"""Create, update, patch and delete, and the refusals clients branch on."""

from __future__ import annotations

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def config_map(name="settings", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"color": "red"}}


def test_a_created_object_has_what_the_server_gives_it(caller):
    made = caller.create(MAPS, config_map())
    metadata = made["metadata"]
    assert metadata["namespace"] == "default"
    assert metadata["creationTimestamp"] == "2026-04-01T08:00:00Z"
    assert metadata["uid"]
    assert int(metadata["resourceVersion"]) == caller.cluster.state.store.revision
    assert caller.get(f"{MAPS}/settings") == made


def test_a_name_can_be_generated(caller):
    made = caller.create(MAPS, {"metadata": {"generateName": "run-"}})
    assert made["metadata"]["name"].startswith("run-")
    assert len(made["metadata"]["name"]) == 9


def test_a_second_create_is_a_conflict(caller):
    caller.create(MAPS, config_map())
    status = caller.create(MAPS, config_map(), expect=409)
    assert (status["reason"], status["details"]) == ("AlreadyExists", {"name": "settings", "kind": "configmaps"})


def test_an_unknown_namespace_is_not_found(caller):
    status = caller.create("/api/v1/namespaces/nowhere/configmaps", config_map(), expect=404)
    assert status["message"] == 'namespaces "nowhere" not found'


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{not json", "json parse error"),
        (b"[]", "unrecognized"),
        ({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "x"}}, "does not match the expected API version"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, "cannot be handled as a ConfigMap"),
        ({"metadata": {"name": "x", "namespace": "other"}}, "does not match the namespace"),
        ({"metadata": {"name": "x"}, "data": {"k": 1}}, "cannot unmarshal number into Go struct field"),
        ({"metadata": {"name": "x"}, "data": "text"}, "cannot unmarshal string"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_bad_request(caller, body, part):
    status = caller.create(MAPS, body, expect=400)
    assert status["reason"] == "BadRequest"
    assert part in status["message"]


def test_a_body_of_an_unknown_type_is_refused(caller):
    assert caller.create(MAPS, b"<xml/>", content_type="text/xml", expect=415)["reason"] == "UnsupportedMediaType"


def test_yaml_is_read(caller):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: b}\n"
    assert caller.create(MAPS, text, content_type="application/yaml")["data"] == {"a": "b"}


@pytest.mark.parametrize("name", ["Upper", "with_underscore", "-dash", "", "a" * 254])
def test_a_bad_name_is_invalid(caller, name):
    status = caller.create(MAPS, config_map(name), expect=422)
    assert status["reason"] == "Invalid"
    assert status["details"]["causes"][0]["field"] == "metadata.name"


def test_missing_and_wrong_parts_of_a_deployment_are_all_named(caller, deployment):
    body = deployment(replicas=-1)
    del body["spec"]["template"]["spec"]["containers"][0]["image"]
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    status = caller.create(DEPLOYMENTS, body, expect=422)
    fields = {cause["field"] for cause in status["details"]["causes"]}
    assert fields == {"spec.replicas", "spec.template.spec.containers[0].image", "spec.template.metadata.labels"}


def test_required_fields_are_demanded(caller):
    status = caller.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": {}}, expect=422)
    assert {"spec.selector", "spec.template.spec.containers"} <= {cause["field"] for cause in status["details"]["causes"]}


def test_unknown_fields_warn_fall_away_or_are_refused(caller):
    body = config_map() | {"colour": "red"}
    answer = caller.ask("POST", MAPS, body)
    assert answer.code == 201
    assert 'unknown field \\"colour\\"' in answer.headers["Warning"]
    assert "colour" not in caller.get(f"{MAPS}/settings")
    status = caller.create(MAPS, config_map("other") | {"colour": "red"}, expect=400, fieldValidation="Strict")
    assert 'strict decoding error: unknown field "colour"' in status["message"]


def test_a_dry_run_answers_and_stores_nothing(caller):
    caller.create(MAPS, config_map(), dryRun="All")
    caller.get(f"{MAPS}/settings", expect=404)


def test_an_update_needs_the_current_version_where_it_names_one(caller):
    made = caller.create(MAPS, config_map())
    caller.call("PUT", f"{MAPS}/settings", {**made, "data": {"color": "blue"}})
    status = caller.call("PUT", f"{MAPS}/settings", {**made, "data": {"color": "green"}}, expect=409)
    assert status["reason"] == "Conflict"
    assert "the object has been modified" in status["message"]
    assert caller.get(f"{MAPS}/settings")["data"] == {"color": "blue"}


def test_an_update_that_changes_nothing_keeps_the_version(caller):
    made = caller.create(MAPS, config_map())
    again = caller.call("PUT", f"{MAPS}/settings", made)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_an_update_of_nothing_is_not_found(caller):
    assert caller.call("PUT", f"{MAPS}/settings", config_map(), expect=404)["reason"] == "NotFound"


def test_the_status_is_written_through_its_own_path_only(caller, deployment):
    made = caller.create(DEPLOYMENTS, deployment(replicas=0))
    changed = caller.call("PATCH", f"{DEPLOYMENTS}/web", {"status": {"replicas": 9}}, content_type=MERGE)
    assert changed.get("status", {}).get("replicas") != 9
    node = "/api/v1/nodes/press-01-ledge"
    patch = {"status": {"phase": "Running"}, "spec": {"unschedulable": True}}
    after = caller.call("PATCH", f"{node}/status", patch, content_type=MERGE)
    assert after["status"]["phase"] == "Running"
    assert "unschedulable" not in after["spec"]
    assert made["metadata"]["generation"] == 1


def test_a_merge_patch_merges_and_removes(caller):
    caller.create(MAPS, config_map(color="red", size="xl"))
    after = caller.call("PATCH", f"{MAPS}/settings", {"data": {"size": None, "shape": "round"}}, content_type=MERGE)
    assert after["data"] == {"color": "red", "shape": "round"}


def test_a_strategic_patch_merges_containers_by_name(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}, {"name": "web", "image": "nginx:2"}]}}}
    }
    after = caller.call("PATCH", f"{DEPLOYMENTS}/web", patch, content_type=STRATEGIC)
    containers = {item["name"]: item for item in after["spec"]["template"]["spec"]["containers"]}
    assert containers["web"]["image"] == "nginx:2"
    assert containers["web"]["ports"][0]["containerPort"] == 80
    assert containers["side"]["image"] == "busybox"
    assert after["metadata"]["generation"] == 2


def test_strategic_directives_delete_replace_and_order(caller, deployment):
    body = deployment()
    spec = body["spec"]["template"]["spec"]
    spec["containers"].append({"name": "side", "image": "busybox"})
    caller.create(DEPLOYMENTS, body)
    at = f"{DEPLOYMENTS}/web"
    order = {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}]}}}}
    after = caller.call("PATCH", at, order, content_type=STRATEGIC)
    assert [item["name"] for item in after["spec"]["template"]["spec"]["containers"]] == ["side", "web"]
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    after = caller.call("PATCH", at, gone, content_type=STRATEGIC)
    assert [item["name"] for item in after["spec"]["template"]["spec"]["containers"]] == ["web"]
    recreate = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    after = caller.call("PATCH", at, recreate, content_type=STRATEGIC)
    assert after["spec"]["strategy"] == {"type": "Recreate"}
    replaced = {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "only", "image": "a:1"}]}}}}
    after = caller.call("PATCH", at, replaced, content_type=STRATEGIC)
    assert [item["name"] for item in after["spec"]["template"]["spec"]["containers"]] == ["only"]


def test_a_json_patch_applies_or_is_refused(caller):
    caller.create(MAPS, config_map())
    at = f"{MAPS}/settings"
    after = caller.call("PATCH", at, [{"op": "add", "path": "/data/size", "value": "xl"}], content_type=JSON_PATCH)
    assert after["data"] == {"color": "red", "size": "xl"}
    failed = [{"op": "test", "path": "/data/size", "value": "s"}]
    assert caller.call("PATCH", at, failed, content_type=JSON_PATCH, expect=422)["reason"] == "Invalid"
    assert caller.call("PATCH", at, {"op": "add"}, content_type=JSON_PATCH, expect=400)["reason"] == "BadRequest"
    assert caller.call("PATCH", at, {}, content_type="application/json", expect=415)["reason"] == "UnsupportedMediaType"


def test_what_is_immutable_stays(caller, deployment):
    caller.create(DEPLOYMENTS, deployment())
    patch = {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}}
    status = caller.call("PATCH", f"{DEPLOYMENTS}/web", patch, content_type=MERGE, expect=422)
    assert "field is immutable" in status["message"]
    caller.create(MAPS, config_map() | {"immutable": True})
    status = caller.call("PATCH", f"{MAPS}/settings", {"data": {"color": "blue"}}, content_type=MERGE, expect=422)
    assert status["details"]["causes"][0]["field"] == "data"


def test_a_deleted_object_is_gone_and_named(caller):
    uid = caller.create(MAPS, config_map())["metadata"]["uid"]
    status = caller.call("DELETE", f"{MAPS}/settings")
    assert (status["status"], status["details"]) == ("Success", {"name": "settings", "kind": "configmaps", "uid": uid})
    caller.get(f"{MAPS}/settings", expect=404)
    caller.call("DELETE", f"{MAPS}/settings", expect=404)


def test_a_delete_can_insist_on_the_uid(caller):
    caller.create(MAPS, config_map())
    options = {"preconditions": {"uid": "another"}}
    assert caller.call("DELETE", f"{MAPS}/settings", options, expect=409)["reason"] == "Conflict"
    caller.get(f"{MAPS}/settings")


def test_a_finalizer_holds_an_object_until_it_is_taken_off(caller):
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    caller.create(MAPS, body)
    assert "deletionTimestamp" in caller.call("DELETE", f"{MAPS}/settings")["metadata"]
    caller.get(f"{MAPS}/settings")
    caller.call("PATCH", f"{MAPS}/settings", {"metadata": {"finalizers": None}}, content_type=MERGE)
    caller.get(f"{MAPS}/settings", expect=404)


def test_a_collection_is_deleted_by_selector(caller):
    for name, tier in (("a", "front"), ("b", "back")):
        body = config_map(name)
        body["metadata"]["labels"] = {"tier": tier}
        caller.create(MAPS, body)
    gone = caller.call("DELETE", MAPS, labelSelector="tier=front")
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a"]
    caller.get(f"{MAPS}/b")


def test_a_secret_takes_plain_text_and_stores_base64(caller):
    path = "/api/v1/namespaces/default/secrets"
    made = caller.create(path, {"metadata": {"name": "pass"}, "stringData": {"word": "open"}})
    assert made["data"] == {"word": "b3Blbg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


def test_a_service_gets_its_addresses_and_keeps_them(caller):
    path = "/api/v1/namespaces/default/services"
    made = caller.create(
        path, {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}}
    )
    assert made["spec"]["clusterIP"].startswith("10.43.")
    assert 30000 <= made["spec"]["ports"][0]["nodePort"] <= 32767
    update = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}}
    again = caller.call("PUT", f"{path}/web", update)
    assert again["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert again["spec"]["ports"] == made["spec"]["ports"]
    moved = {**update, "spec": {**update["spec"], "clusterIP": "10.43.77.77"}}
    assert "may not change once set" in caller.call("PUT", f"{path}/web", moved, expect=422)["message"]


def test_a_namespace_that_is_going_can_be_deleted_once_more(caller):
    caller.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    held = {"metadata": {"name": "held", "finalizers": ["plant.example/wait"]}}
    caller.create("/api/v1/namespaces/shop/configmaps", held)
    for _ in range(2):
        caller.call("DELETE", "/api/v1/namespaces/shop")
        assert caller.get("/api/v1/namespaces/shop")["status"]["phase"] == "Terminating"
    merge = "application/merge-patch+json"
    caller.call("PATCH", "/api/v1/namespaces/shop/configmaps/held", {"metadata": {"finalizers": None}}, content_type=merge)
    caller.get("/api/v1/namespaces/shop", expect=404)


def test_a_refusal_is_to_the_letter_what_clients_show(caller):
    body = {"metadata": {"name": "w"}, "spec": {"ports": [{"port": 80}]}}
    at = "/api/v1/namespaces/default/services"
    caller.create(at, body)
    assert caller.ask("POST", at, body).body == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"services \\"w\\" already exists",'
        b'"reason":"AlreadyExists","details":{"name":"w","kind":"services"},"code":409}\n'
    )
    for path in (at, f"{at}/w", "/version"):
        assert caller.ask("GET", path).body.endswith(b"}\n")
