"""Server-side apply: who manages what, conflicts, and what goes when a manager lets go."""

from __future__ import annotations

import json

import pytest

APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
AT = "/apis/apps/v1/namespaces/default/deployments/web"
MAP = "/api/v1/namespaces/default/configmaps/settings"


@pytest.fixture
def apply(caller):
    def send(path, body, manager="ops", **options):
        return caller.call("PATCH", path, json.dumps(body).encode(), content_type=APPLY, fieldManager=manager, **options)

    return send


def config_map(data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def owners(obj):
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_an_apply_creates_and_the_same_again_changes_nothing(apply, deployment):
    made = apply(AT, deployment(), expect=201)
    again = apply(AT, deployment())
    assert again["spec"] == made["spec"]
    assert again["metadata"]["generation"] == 1


def test_the_same_apply_leaves_the_stored_object_as_it_is(apply):
    assert apply(MAP, config_map({"color": "red"}), expect=201) == apply(MAP, config_map({"color": "red"}))


def test_the_applied_fields_are_recorded_and_defaults_are_not(apply, deployment):
    fields = owners(apply(AT, deployment(), expect=201))[("ops", "Apply")]
    assert fields["f:spec"]["f:replicas"] == {}
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert "f:image" in container
    assert "." in container
    assert 'k:{"containerPort":80,"protocol":"TCP"}' in container["f:ports"]
    assert "f:strategy" not in fields["f:spec"]
    assert "f:name" not in fields.get("f:metadata", {})


def test_another_value_for_a_managed_field_is_a_conflict_until_forced(apply):
    apply(MAP, config_map({"color": "red"}), expect=201)
    status = apply(MAP, config_map({"color": "blue"}), manager="other", expect=409)
    assert status["reason"] == "Conflict"
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "ops": .data.color'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "ops"', "field": ".data.color"},
    ]
    after = apply(MAP, config_map({"color": "blue"}), manager="other", force="true")
    assert after["data"] == {"color": "blue"}
    assert ("ops", "Apply") not in owners(after)


def test_the_same_value_is_shared_without_conflict(apply):
    apply(MAP, config_map({"color": "red"}), expect=201)
    after = apply(MAP, config_map({"color": "red"}), manager="other")
    assert {manager for manager, _ in owners(after)} == {"ops", "other"}


def test_a_field_that_is_no_longer_applied_goes(apply):
    apply(MAP, config_map({"color": "red", "size": "xl"}), expect=201)
    assert apply(MAP, config_map({"color": "red"}))["data"] == {"color": "red"}


def test_a_field_that_another_manager_holds_stays(apply):
    apply(MAP, config_map({"color": "red", "size": "xl"}), expect=201)
    apply(MAP, config_map({"size": "xl"}), manager="other")
    assert apply(MAP, config_map({"color": "red"}))["data"] == {"color": "red", "size": "xl"}


def test_a_container_of_another_manager_survives_ones_own_apply(apply, deployment, caller):
    apply(AT, deployment(), expect=201)
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}]}}}}
    caller.call("PATCH", AT, side, content_type=STRATEGIC)
    after = apply(AT, deployment(image="nginx:1.28"))
    assert [(item["name"], item["image"]) for item in after["spec"]["template"]["spec"]["containers"]] == [
        ("web", "nginx:1.28"),
        ("side", "busybox"),
    ]


def test_an_ordinary_patch_takes_over_what_it_changes(apply, deployment, caller):
    apply(AT, deployment(), expect=201)
    after = caller.call("PATCH", AT, {"spec": {"replicas": 5}}, content_type=STRATEGIC, fieldManager="scaler")
    assert owners(after)[("scaler", "Update")] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(after)[("ops", "Apply")]["f:spec"]
    status = apply(AT, deployment(), expect=409)
    assert '"scaler" using apps/v1' in status["details"]["causes"][0]["message"]


def test_scaling_through_the_scale_path_leaves_the_rest(apply, deployment, caller):
    apply(AT, deployment(), expect=201)
    scale = caller.get(f"{AT}/scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"]["selector"] == "app=web"
    after = caller.call("PATCH", f"{AT}/scale", {"spec": {"replicas": 4}}, content_type="application/merge-patch+json")
    assert after["spec"]["replicas"] == 4
    assert caller.get(AT)["spec"]["replicas"] == 4


def test_an_apply_needs_a_manager_and_no_managed_fields(apply, caller):
    body = json.dumps(config_map({})).encode()
    assert "fieldManager" in caller.call("PATCH", MAP, body, content_type=APPLY, expect=400)["message"]
    owned = config_map({})
    owned["metadata"]["managedFields"] = [{"manager": "x"}]
    assert "managedFields must be nil" in apply(MAP, owned, expect=400)["message"]


def test_a_dry_apply_stores_nothing(apply, caller):
    apply(MAP, config_map({"color": "red"}), dryRun="All", expect=201)
    caller.get(MAP, expect=404)


def test_yaml_can_be_applied(caller):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: red}\n"
    assert caller.call("PATCH", MAP, text, content_type=APPLY, fieldManager="ops", expect=201)["data"] == {"color": "red"}


def test_something_that_was_applied_empty_can_be_filled_again(caller):
    at = "/api/v1/namespaces/default/configmaps/c"

    def apply(data):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
        answer = caller.ask("PATCH", at, body, content_type="application/apply-patch+yaml", fieldManager="one")
        return json.loads(answer.body).get("data")

    assert apply({"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert not apply({})
    assert apply({"a": "3"}) == {"a": "3"}
    assert apply({"b": "4"}) == {"b": "4"}
