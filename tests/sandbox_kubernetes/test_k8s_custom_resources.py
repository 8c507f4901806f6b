"""CustomResourceDefinitions and the objects of the kinds that they add, as a client of the API meets them."""

from __future__ import annotations

import copy

import pytest

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PRESSES = "/apis/plant.example/v1/namespaces/default/presses"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["force"],
            "properties": {
                "force": {"type": "integer", "minimum": 1, "description": "Force in kN"},
                "replicas": {"type": "integer", "default": 1},
                "mode": {"type": "string", "enum": ["slow", "fast"], "default": "slow"},
                "pattern": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "limit": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "dies": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "size": {"type": "integer", "default": 3}},
                    },
                },
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def definition(**spec):
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
        "additionalPrinterColumns": [
            {"name": "Force", "type": "integer", "jsonPath": ".spec.force"},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        ],
    }
    names = {"plural": "presses", "kind": "Press", "shortNames": ["pr"], "categories": ["all"]}
    whole = {"group": "plant.example", "scope": "Namespaced", "names": names, "versions": [version], **copy.deepcopy(spec)}
    return {"metadata": {"name": "presses.plant.example"}, "spec": whole}


def press(name="p", **spec):
    return {"metadata": {"name": name}, "spec": {"force": 5, **spec}}


@pytest.fixture
def plant(caller):
    """A cluster that serves presses."""
    caller.create(DEFINITIONS, definition())
    caller.clock.tick(2)
    return caller


def conditions(obj):
    return {item["type"]: (item["status"], item["reason"]) for item in obj["status"]["conditions"]}


def test_a_definition_takes_effect_after_a_moment(caller):
    caller.create(DEFINITIONS, definition())

    assert conditions(caller.get(f"{DEFINITIONS}/presses.plant.example"))["Established"] == ("False", "Installing")
    caller.create(PRESSES, press(), expect=404)
    caller.clock.tick(2)
    made = caller.get(f"{DEFINITIONS}/presses.plant.example")
    assert conditions(made) == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}
    assert made["status"]["acceptedNames"]["singular"] == "press"
    assert made["status"]["storedVersions"] == ["v1"]
    caller.create(PRESSES, press())


def test_discovery_and_openapi_know_the_kind_and_forget_it_with_the_definition(plant):
    assert "plant.example" in [group["name"] for group in plant.get("/apis")["groups"]]
    resources = plant.get("/apis/plant.example/v1")["resources"]
    assert [item["name"] for item in resources] == ["presses", "presses/scale", "presses/status"]
    document = plant.get("/openapi/v3/apis/plant.example/v1")["components"]["schemas"]["example.plant.v1.Press"]
    assert document["properties"]["spec"]["properties"]["force"]["description"] == "Force in kN"
    assert document["x-kubernetes-group-version-kind"] == [{"group": "plant.example", "version": "v1", "kind": "Press"}]
    assert "example.plant.v1.Press" in plant.get("/openapi/v2")["definitions"]

    plant.call("DELETE", f"{DEFINITIONS}/presses.plant.example")
    assert "plant.example" not in [group["name"] for group in plant.get("/apis")["groups"]]
    plant.get(PRESSES, expect=404)


def test_defaults_are_filled_in_and_unknown_fields_fall_away(plant):
    made = plant.create(PRESSES, press(dies=[{"name": "a"}], free={"x": [1]}, limit="5%", oops=1))

    assert made["spec"] == {
        "force": 5,
        "dies": [{"name": "a", "size": 3}],
        "free": {"x": [1]},
        "limit": "5%",
        "replicas": 1,
        "mode": "slow",
    }
    refused = plant.create(PRESSES, press("q", oops=1), expect=400, fieldValidation="Strict")
    assert 'unknown field "spec.oops"' in refused["message"]


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"force": "much"}, "spec.force", 'must be of type integer: "string"'),
        ({"force": 0}, "spec.force", "should be greater than or equal to 1"),
        ({"mode": "warp"}, "spec.mode", 'supported values: "slow", "fast"'),
        ({"pattern": "A1"}, "spec.pattern", "should match '^[a-z]+$'"),
        ({"pattern": "abcdefgh"}, "spec.pattern", "Too long"),
        ({"dies": [{"name": "a"}, {"name": "a"}]}, "spec.dies[1]", "Duplicate value"),
        ({"dies": [{}]}, "spec.dies[0].name", "Required value"),
        ({"limit": []}, "spec.limit", "integer,string"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_with_the_field(plant, spec, field, words):
    status = plant.create(PRESSES, press(**spec), expect=422)

    assert [cause["field"] for cause in status["details"]["causes"]] == [field]
    assert words in status["message"]
    assert status["details"]["kind"] == "Press"


def test_a_missing_required_field_is_refused(plant):
    assert "spec.force: Required value" in plant.create(PRESSES, {"metadata": {"name": "p"}, "spec": {}}, expect=422)["message"]


def test_status_is_a_part_of_its_own_and_generation_counts_the_spec(plant):
    plant.create(PRESSES, {**press(), "status": {"phase": "no"}})
    at = f"{PRESSES}/p"
    assert "status" not in plant.get(at)
    plant.call("PATCH", f"{at}/status", {"status": {"phase": "hot"}, "spec": {"force": 9}}, content_type=MERGE)
    read = plant.get(at)
    assert (read["spec"]["force"], read["status"], read["metadata"]["generation"]) == (5, {"phase": "hot"}, 1)
    plant.call("PATCH", at, {"spec": {"force": 9}, "status": {"phase": "no"}}, content_type=MERGE)
    read = plant.get(at)
    assert (read["spec"]["force"], read["status"], read["metadata"]["generation"]) == (9, {"phase": "hot"}, 2)


def test_a_strategic_patch_is_not_for_custom_kinds(plant):
    plant.create(PRESSES, press())
    assert plant.call("PATCH", f"{PRESSES}/p", {"spec": {}}, content_type=STRATEGIC, expect=415)["reason"] == "UnsupportedMediaType"


def test_it_can_be_scaled_by_the_paths_of_its_definition(plant):
    plant.create(PRESSES, press())
    scale = plant.get(f"{PRESSES}/p/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 1}, {"replicas": 0})
    plant.call("PATCH", f"{PRESSES}/p/scale", {"spec": {"replicas": 4}}, content_type=MERGE)
    assert plant.get(f"{PRESSES}/p")["spec"]["replicas"] == 4


def test_it_is_printed_in_the_columns_of_its_definition(plant):
    plant.create(PRESSES, press())
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    plant.call("PATCH", f"{PRESSES}/p/status", ready, content_type=MERGE)
    table = plant.get(PRESSES, headers=TABLE)

    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Force", "Ready"]
    assert [row["cells"] for row in table["rows"]] == [["p", 5, "True"]]


def test_server_side_apply_merges_keyed_lists_and_reports_conflicts(plant):
    body = {"apiVersion": "plant.example/v1", "kind": "Press", **press(dies=[{"name": "a", "size": 1}])}
    plant.call("PATCH", f"{PRESSES}/p", body, content_type=APPLY, fieldManager="one", expect=201)
    other = {**body, "spec": {"force": 5, "dies": [{"name": "b", "size": 2}]}}
    merged = plant.call("PATCH", f"{PRESSES}/p", other, content_type=APPLY, fieldManager="two")
    assert sorted(die["name"] for die in merged["spec"]["dies"]) == ["a", "b"]
    clash = {**body, "spec": {"force": 6}}
    status = plant.call("PATCH", f"{PRESSES}/p", clash, content_type=APPLY, fieldManager="three", expect=409)
    assert ".spec.force" in status["message"]


def test_every_served_version_shows_the_same_objects(caller):
    both = definition()
    beta = {**copy.deepcopy(both["spec"]["versions"][0]), "name": "v1beta1", "storage": False}
    both["spec"]["versions"].append(beta)
    caller.create(DEFINITIONS, both)
    caller.clock.tick(2)
    caller.create(PRESSES.replace("/v1/", "/v1beta1/"), press())

    assert caller.get(f"{PRESSES}/p")["apiVersion"] == "plant.example/v1"
    assert [item["apiVersion"] for item in caller.get(PRESSES.replace("/v1/", "/v1beta1/"))["items"]] == ["plant.example/v1beta1"]
    group = caller.get("/apis/plant.example")
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"


def test_a_kind_of_the_same_name_as_a_built_in_one_is_nothing_of_the_sort(caller):
    names = {"plural": "services", "kind": "Service"}
    serving = {**definition(names=names), "metadata": {"name": "services.plant.example"}}
    caller.create(DEFINITIONS, serving)
    caller.clock.tick(2)
    made = caller.create("/apis/plant.example/v1/namespaces/default/services", press("Not.A-Label".lower()))

    assert "clusterIP" not in made["spec"]
    caller.call("DELETE", "/apis/plant.example/v1/namespaces/default/services/not.a-label")


def test_objects_go_with_their_definition_once_their_finalizers_are_gone(plant):
    held = press()
    held["metadata"]["finalizers"] = ["plant.example/drain"]
    plant.create(PRESSES, held)
    plant.create(PRESSES, press("q"))
    plant.call("DELETE", f"{DEFINITIONS}/presses.plant.example")

    assert [item["metadata"]["name"] for item in plant.get(PRESSES)["items"]] == ["p"]
    assert conditions(plant.get(f"{DEFINITIONS}/presses.plant.example"))["Terminating"] == ("True", "InstanceDeletionInProgress")
    plant.call("PATCH", f"{PRESSES}/p", {"metadata": {"finalizers": None}}, content_type=MERGE)
    plant.clock.tick(10)
    plant.get(f"{DEFINITIONS}/presses.plant.example", expect=404)


def test_objects_go_with_their_namespace_and_with_their_owner(plant):
    plant.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    plant.create(PRESSES.replace("default", "shop"), press())
    plant.call("DELETE", "/api/v1/namespaces/shop")
    plant.clock.tick(5)
    plant.get("/api/v1/namespaces/shop", expect=404)

    owner = plant.create(PRESSES, press())
    reference = {"apiVersion": "plant.example/v1", "kind": "Press", "name": "p", "uid": owner["metadata"]["uid"]}
    plant.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "of-p", "ownerReferences": [reference]}})
    plant.call("DELETE", f"{PRESSES}/p")
    plant.clock.tick(1)
    plant.get("/api/v1/namespaces/default/configmaps/of-p", expect=404)


def test_definitions_and_objects_survive_a_restart_of_the_sandbox(plant):
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

    plant.create(PRESSES, press())
    again = type(plant)(SimulatedCluster.restore(plant.cluster.snapshot(), clock=plant.clock), plant.clock)

    assert again.get(f"{PRESSES}/p")["spec"]["mode"] == "slow"
    assert again.call("PATCH", f"{PRESSES}/p", {"spec": {"force": 0}}, content_type=MERGE, expect=422)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata": {"name": "other.plant.example"}}, 'must be spec.names.plural+"."+spec.group'),
        ({"spec": {"scope": "World"}}, 'Unsupported value: "World"'),
        ({"spec": {"versions": [{"name": "v1", "served": True, "storage": True}]}}, "schemas are required"),
        (
            {"spec": {"versions": [{"name": "v1", "served": True, "storage": False, "schema": {"openAPIV3Schema": SCHEMA}}]}},
            "exactly one version marked as storage version",
        ),
        (
            {
                "spec": {
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}},
                        }
                    ]
                }
            },
            "must not be empty for specified fields",
        ),
    ],
)
def test_a_definition_that_a_server_cannot_serve_is_refused(caller, change, words):
    body = definition()
    for part, values in change.items():
        body[part] |= values
    assert words in caller.create(DEFINITIONS, body, expect=422)["message"]


def test_a_kind_that_is_taken_in_its_group_is_not_accepted(plant):
    names = {"plural": "pressen", "kind": "Press"}
    plant.create(DEFINITIONS, {**definition(names=names), "metadata": {"name": "pressen.plant.example"}})
    plant.clock.tick(5)

    assert conditions(plant.get(f"{DEFINITIONS}/pressen.plant.example"))["NamesAccepted"] == ("False", "KindConflict")
    plant.get("/apis/plant.example/v1/pressen", expect=404)


def test_a_watch_sees_them_come_and_go(plant):
    order = plant.ask("GET", PRESSES, watch="true", resourceVersion="0")
    assert order.kind.kind == "Press"
    before = plant.cluster.state.store.revision
    plant.create(PRESSES, press())
    plant.call("DELETE", f"{PRESSES}/p")
    changes = [change for change in plant.cluster.state.store.since(before) if change.key.resource == "presses.plant.example"]
    assert [change.kind for change in changes] == ["ADDED", "DELETED"]
