"""Get and list: selectors, pages, forms, and what is not there."""

from __future__ import annotations

import pytest

SYSTEM = "/api/v1/namespaces/kube-system"


@pytest.fixture
def config_maps(caller):
    for number in range(5):
        labels = {"tier": "front" if number % 2 else "back", "number": str(number)}
        caller.create(
            "/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"map-{number}", "labels": labels}, "data": {"k": "v"}}
        )
    return caller


def names(listing):
    return [item["metadata"]["name"] for item in listing["items"]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=front", ["map-1", "map-3"]),
        ("tier==back,number!=0", ["map-2", "map-4"]),
        ("number in (1,2)", ["map-1", "map-2"]),
        ("tier,number notin (0, 1, 2)", ["map-3", "map-4"]),
        ("!tier", ["kube-root-ca.crt"]),
        ("tier=", []),
    ],
)
def test_label_selectors_choose(config_maps, selector, expected):
    assert names(config_maps.get("/api/v1/namespaces/default/configmaps", labelSelector=selector)) == expected


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("status.phase=Running", 3),
        ("status.phase!=Running", 0),
        ("spec.nodeName=press-01-ledge,spec.hostNetwork=true", 1),
        ("metadata.namespace=default", 0),
    ],
)
def test_field_selectors_choose(caller, selector, count):
    assert len(caller.get("/api/v1/pods", fieldSelector=selector)["items"]) == count


def test_a_field_that_cannot_be_selected_by_is_refused(caller):
    status = caller.get("/api/v1/pods", fieldSelector="spec.color=red", expect=400)
    assert status["reason"] == "BadRequest"
    assert "field label not supported: spec.color" in status["message"]


def test_a_broken_label_selector_is_refused(caller):
    assert "unable to parse requirement" in caller.get("/api/v1/pods", labelSelector="a in b", expect=400)["message"]


def test_pages_follow_each_other_and_add_up(config_maps):
    path = "/api/v1/namespaces/default/configmaps"
    first = config_maps.get(path, limit="4")
    assert first["metadata"]["remainingItemCount"] == 2
    second = config_maps.get(path, limit="4", **{"continue": first["metadata"]["continue"]})
    assert "continue" not in second["metadata"]
    assert names(first) + names(second) == names(config_maps.get(path))


def test_a_page_of_a_forgotten_version_is_gone(config_maps):
    path = "/api/v1/namespaces/default/configmaps"
    token = config_maps.get(path, limit="2")["metadata"]["continue"]
    config_maps.call("DELETE", f"{path}/map-4")
    config_maps.cluster.state.store.forget_history()
    status = config_maps.get(path, limit="2", expect=410, **{"continue": token})
    assert status["reason"] == "Expired"


def test_a_damaged_continue_token_is_refused(caller):
    assert "continue key is not valid" in caller.get("/api/v1/pods", limit="1", expect=400, **{"continue": "!!"})["message"]


def test_items_of_a_list_carry_no_kind_as_on_the_real_server(caller):
    listing = caller.get("/api/v1/pods")
    assert (listing["kind"], listing["apiVersion"]) == ("PodList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in listing["items"])
    one = listing["items"][0]["metadata"]["name"]
    assert caller.get(f"{SYSTEM}/pods/{one}")["kind"] == "Pod"


def test_metadata_alone_can_be_asked_for(caller):
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    listing = caller.get("/api/v1/pods", headers=accept)
    assert listing["kind"] == "PartialObjectMetadataList"
    assert all(set(item) == {"kind", "apiVersion", "metadata"} for item in listing["items"])


def test_an_absent_object_is_named_in_the_refusal(caller):
    status = caller.get("/apis/apps/v1/namespaces/default/deployments/nothing", expect=404)
    assert status["kind"] == "Status"
    assert status["reason"] == "NotFound"
    assert status["details"] == {"name": "nothing", "group": "apps", "kind": "deployments"}
    assert status["message"] == 'deployments.apps "nothing" not found'


@pytest.mark.parametrize(
    "path", ["/api/v1/spaceships", "/apis/nothing.io/v1/things", "/api/v2/pods", "/nowhere", "/api/v1/nodes/x/log"]
)
def test_an_unknown_path_is_not_found(caller, path):
    assert caller.get(path, expect=404) == "404 page not found\n"


def test_a_method_that_a_collection_does_not_know_is_refused(caller):
    assert caller.call("PUT", "/api/v1/namespaces/default/pods", {}, expect=405)["reason"] == "MethodNotAllowed"


def test_a_client_that_takes_only_protobuf_is_told_so(caller):
    status = caller.get("/api/v1/pods", headers={"Accept": "application/vnd.kubernetes.protobuf"}, expect=406)
    assert status["reason"] == "NotAcceptable"


def test_discovery_lists_what_is_served(caller):
    groups = [group["name"] for group in caller.get("/apis")["groups"]]
    assert {"apps", "coordination.k8s.io", "rbac.authorization.k8s.io"} <= set(groups)
    assert caller.get("/api")["versions"] == ["v1"]
    listed = {item["name"]: item for item in caller.get("/apis/apps/v1")["resources"]}
    assert listed["deployments"]["shortNames"] == ["deploy"]
    assert listed["deployments/scale"]["kind"] == "Scale"
    assert caller.get("/apis/apps")["preferredVersion"]["groupVersion"] == "apps/v1"


def test_openapi_describes_what_can_be_validated_by_the_server(caller):
    index = caller.get("/openapi/v3")
    assert set(index["paths"]) >= {"api/v1", "apis/apps/v1"}
    document = caller.get("/openapi/v3/apis/apps/v1")
    operation = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in operation["parameters"]]
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
    assert "definitions" in caller.get("/openapi/v2")
