"""Bodies in Kubernetes' protobuf encoding, as typed Go clients send them. The bytes are written here, field by field."""

from __future__ import annotations

import json

import pytest

PROTOBUF = "application/vnd.kubernetes.protobuf"


def varint(number):
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def field(number, value):
    """One field: text, bytes or message (length-delimited), or an integer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (2**64 - 1))
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version, kind, message):
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, message) + field(3, "") + field(4, "")


def metadata(name, *more):
    return field(1, field(1, name) + field(2, "") + field(8, b"") + b"".join(more))


def test_a_namespace_can_be_created(caller):
    message = metadata("shop") + field(2, b"") + field(3, field(1, ""))
    made = caller.create("/api/v1/namespaces", body("v1", "Namespace", message), content_type=PROTOBUF)
    assert made["metadata"]["name"] == "shop"
    assert made["status"]["phase"] == "Active"


def test_maps_lists_numbers_and_nested_messages_are_read(caller):
    labels = field(11, field(1, "app") + field(2, "web"))
    container = field(1, "web") + field(2, "nginx:1") + field(6, field(3, 8080) + field(2, 0)) + field(16, 0)
    requests = field(2, field(1, "cpu") + field(2, field(1, "250m")))
    container += field(8, requests)
    probe = field(1, field(2, field(1, "/ready") + field(2, field(1, 0) + field(2, 8080)))) + field(2, 5)
    container += field(11, probe)
    pod_spec = field(2, container) + field(4, 0)
    template = field(1, labels) + field(2, pod_spec)
    selector = field(1, field(1, "app") + field(2, "web"))
    spec = field(1, 0) + field(2, selector) + field(3, template) + field(4, field(1, "Recreate"))
    message = metadata("web", labels) + field(2, spec)
    path = "/apis/apps/v1/namespaces/default/deployments"
    made = caller.create(path, body("apps/v1", "Deployment", message), content_type=PROTOBUF)
    assert made["metadata"]["labels"] == {"app": "web"}
    assert made["spec"]["replicas"] == 0
    assert made["spec"]["strategy"] == {"type": "Recreate"}
    read = made["spec"]["template"]["spec"]
    assert read["terminationGracePeriodSeconds"] == 0
    assert read["containers"][0]["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert read["containers"][0]["resources"] == {"requests": {"cpu": "250m"}}
    assert read["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8080, "scheme": "HTTP"}
    assert read["containers"][0]["readinessProbe"]["initialDelaySeconds"] == 5
    assert "stdin" not in read["containers"][0]


def test_bytes_of_a_secret_become_base64(caller):
    message = metadata("pass") + field(2, field(1, "word") + field(2, b"open")) + field(3, "Opaque")
    made = caller.create("/api/v1/namespaces/default/secrets", body("v1", "Secret", message), content_type=PROTOBUF)
    assert made["data"] == {"word": "b3Blbg=="}


def test_a_review_and_delete_options_are_read(caller):
    attributes = field(1, "default") + field(2, "get") + field(5, "pods")
    review = body("authorization.k8s.io/v1", "SelfSubjectAccessReview", field(2, field(1, attributes)))
    answer = caller.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, content_type=PROTOBUF)
    assert answer["status"]["allowed"] is True
    caller.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "one"}})
    options = body("v1", "DeleteOptions", field(2, field(1, "not-this-uid")))
    path = "/api/v1/namespaces/default/configmaps/one"
    assert caller.call("DELETE", path, options, content_type=PROTOBUF, expect=409)["reason"] == "Conflict"


@pytest.mark.parametrize(
    "data",
    [
        b"not protobuf",
        b"k8s\x00\xff\xff",
        b"k8s\x00" + field(1, field(1, "v1") + field(2, "Spaceship")),
        body("v1", "Namespace", b"\x0a\x7f"),
        body("v1", "Namespace", field(1, 7)),
        body("v1", "Namespace", b"\x0b"),
    ],
)
def test_a_damaged_body_is_a_bad_request(caller, data):
    assert caller.create("/api/v1/namespaces", data, content_type=PROTOBUF, expect=400)["reason"] == "BadRequest"


OPENAPI = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def fields(data):
    """The fields of a message by number, each with all its values."""
    position, found = 0, {}
    while position < len(data):
        tag, position = read_varint(data, position)
        value, position = read_varint(data, position)
        if tag & 7 == 2:
            value, position = data[position : position + value], position + value
        elif tag & 7 == 1:
            raise AssertionError("no floating point number is expected here")
        found.setdefault(tag >> 3, []).append(value)
    return found


def read_varint(data, position):
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, position


def named(messages):
    """Messages of name and value, as a mapping."""
    return {item[1][0].decode(): fields(item[2][0]) for item in map(fields, messages)}


@pytest.mark.parametrize("asked", [OPENAPI, OPENAPI.replace("@", ".")])
def test_older_clients_get_the_description_of_the_api_in_protobuf(caller, asked):
    answer = caller.ask("GET", "/openapi/v2", headers={"Accept": f"{asked}, application/json"})
    assert (answer.code, answer.content_type) == (200, OPENAPI.replace("@", "."))
    document = fields(answer.body)
    assert document[1] == [b"2.0"]
    definitions = named(fields(document[9][0])[1])
    deployment = definitions["io.k8s.api.apps.v1.Deployment"]
    assert {name: json.loads(value[2][0]) for name, value in named(deployment[31]).items()} == {
        "x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]
    }
    spec = definitions["io.k8s.api.apps.v1.DeploymentSpec"]
    assert spec[19] == [b"selector", b"template"]
    properties = named(fields(spec[25][0])[1])
    assert fields(properties["replicas"][22][0])[1] == [b"integer"]
    assert properties["template"][1] == [b"#/definitions/io.k8s.api.core.v1.PodTemplateSpec"]
    path = named(fields(document[8][0])[2])["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert set(path) == {2, 3, 5, 8}
