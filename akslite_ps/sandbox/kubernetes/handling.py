"""One request from authentication to answer. Called by the server; knows nothing of sockets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes import discovery, openapi
from akslite_ps.sandbox.kubernetes.answers import Answer, WatchOrder
from akslite_ps.sandbox.kubernetes.authentication import User, authenticate, impersonated
from akslite_ps.sandbox.kubernetes.authorization import Attributes, allows
from akslite_ps.sandbox.kubernetes.bodies import media_type, parse_body
from akslite_ps.sandbox.kubernetes.control_plane import ControlPlane
from akslite_ps.sandbox.kubernetes.deleting import delete_collection, delete_object, read_options
from akslite_ps.sandbox.kubernetes.openapi_protobuf import ASKED_FOR
from akslite_ps.sandbox.kubernetes.openapi_protobuf import MEDIA_TYPE as OPENAPI_PROTOBUF
from akslite_ps.sandbox.kubernetes.reading import get_object, list_objects, order_watch
from akslite_ps.sandbox.kubernetes.requests import ResourceRequest, read_resource_path, response_encoding
from akslite_ps.sandbox.kubernetes.reviews import answer_review
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import (
    ApiError,
    bad_request,
    forbidden,
    forbidden_path,
    method_not_allowed,
    not_acceptable,
    unknown_path,
)
from akslite_ps.sandbox.kubernetes.subresources import answer_subresource
from akslite_ps.sandbox.kubernetes.writing import WriteHandler

log = logging.getLogger(__name__)

_HEALTH_CHECKS = (
    "ping",
    "log",
    "etcd",
    "informer-sync",
    "poststarthook/start-apiextensions-controllers",
    "autoregister-completion",
    "shutdown",
)


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came over HTTP; header names are matched as written by :class:`Mapping` (case-insensitive in the server)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    certificate: Mapping[str, Any] | None = None
    groups_to_act_as: tuple[str, ...] = ()


class RequestHandler:
    """Answers requests for one cluster.

    Args:
        state: The cluster.
        control_plane: Brought up to date before every answer.
        server_address: ``host:port`` under which the API says it is reachable.
    """

    def __init__(self, state: ClusterState, control_plane: ControlPlane, server_address: str) -> None:
        self._state = state
        self._control_plane = control_plane
        self._server_address = server_address
        self._writes = WriteHandler(state)

    def answer(self, raw: RawRequest) -> Answer | WatchOrder:
        """The answer; refusals are answers too."""
        self._control_plane.advance()
        try:
            return self._answer(raw)
        except ApiError as error:
            if error.code == 404 and error.details == {}:
                # Not an object of the API: the real server's plain answer, from which clients make a status of their own.
                return Answer.text("404 page not found\n", 404)
            headers = {"Retry-After": "10"} if error.code == 429 else {}
            return Answer.of(error.as_status(), error.code, headers)
        except Exception:
            log.exception("%s %s failed", raw.method, raw.path)
            return Answer.of(ApiError(500, "InternalError", "Internal error occurred: see the log of the sandbox").as_status(), 500)

    def _answer(self, raw: RawRequest) -> Answer | WatchOrder:
        user = self._user(raw)
        request = self._resource_request(raw)
        if request is None:
            return self._answer_path(raw, user)
        self._authorize(request, user)
        encoding = response_encoding(raw.headers.get("Accept", ""))
        if request.subresource and request.subresource != "status":
            return answer_subresource(self._state, request, raw.headers, raw.body)
        match request.verb:
            case "get":
                return get_object(self._state, request, encoding)
            case "list":
                return list_objects(self._state, request, encoding)
            case "watch":
                return order_watch(self._state, request, encoding)
            case "create" if not request.subresource:
                return self._writes.create(request, raw.headers, raw.body, encoding)
            case "update":
                return self._writes.update(request, raw.headers, raw.body, encoding)
            case "patch":
                return self._writes.patch(request, raw.headers, raw.body, encoding)
            case "delete" if not request.subresource:
                return delete_object(self._state, request, read_options(request, raw.headers, raw.body))
            case "deletecollection":
                return delete_collection(self._state, request, read_options(request, raw.headers, raw.body))
        raise method_not_allowed()

    def _user(self, raw: RawRequest) -> User:
        user = authenticate(self._state, raw.certificate, raw.headers.get("Authorization", ""))
        other = impersonated(raw.headers, list(raw.groups_to_act_as))
        if other is None:
            return user
        if allows(self._state, user, Attributes("impersonate", resource="users", name=other.name)) is None:
            raise forbidden(user.name, "impersonate", "users", "", "", other.name)
        return other

    def _resource_request(self, raw: RawRequest) -> ResourceRequest | None:
        parts = raw.path.strip("/").split("/")
        if parts[0] == "apis" and len(parts) >= 4 and discovery.review_kind(parts[1], parts[2], parts[-1]):
            return None
        return read_resource_path(raw.method, raw.path, raw.query, self._state.types.find)

    def _authorize(self, request: ResourceRequest, user: User) -> None:
        resource = f"{request.kind.plural}/{request.subresource}" if request.subresource else request.kind.plural
        wanted = Attributes(request.verb, request.kind.group, resource, request.namespace, request.name)
        if allows(self._state, user, wanted) is None:
            raise forbidden(user.name, request.verb, resource, request.kind.group, request.namespace, request.name)

    def _answer_path(self, raw: RawRequest, user: User) -> Answer:
        path = raw.path.rstrip("/") or "/"
        parts = path.strip("/").split("/")
        if parts[0] == "apis" and len(parts) >= 4:
            return self._review(raw, user, parts)
        if raw.method not in {"GET", "HEAD"}:
            raise method_not_allowed()
        if allows(self._state, user, Attributes("get", path=path)) is None:
            raise forbidden_path(user.name, "get", path)
        if parts[0] == "openapi":
            return self._openapi(parts[1:], raw.headers.get("Accept", ""))
        response_encoding(raw.headers.get("Accept", ""))
        types = self._state.types.all
        match parts:
            case ["version"]:
                return Answer.of(discovery.version_info(self._state.facts.version))
            case [("healthz" | "livez" | "readyz") as check]:
                return _health(check, verbose="verbose" in raw.query)
            case ["healthz" | "livez" | "readyz", *one] if "/".join(one) in _HEALTH_CHECKS:
                return Answer.text("ok")
            case ["api"]:
                return Answer.of(discovery.core_versions(self._server_address))
            case ["apis"]:
                return Answer.of(discovery.group_list(types))
            case ["apis", name] if found := discovery.group(types, name):
                return Answer.of(found)
            case ["api", version] if found := discovery.resource_list(types, "", version):
                return Answer.of(found)
            case ["apis", name, version] if found := discovery.resource_list(types, name, version):
                return Answer.of(found)
            case [""]:
                return Answer.of({"paths": _PATHS})
        raise unknown_path()

    def _openapi(self, parts: list[str], accept: str) -> Answer:
        types = self._state.types
        if parts == ["v2"] and accept.startswith((ASKED_FOR, OPENAPI_PROTOBUF)):
            return Answer(openapi.document_v2_protobuf(types.version, types.custom), content_type=OPENAPI_PROTOBUF)
        # All else is written as JSON; clients that insist on protobuf fall back or say so.
        if "json" not in accept and "*/*" not in accept and accept:
            raise not_acceptable(("application/json",))
        match parts:
            case ["v2"]:
                return Answer(openapi.document_v2(types.version, types.custom))
            case ["v3"]:
                return Answer.of(openapi.index_v3(types.version, types.custom))
            case ["v3", *path] if (document := openapi.document_v3(types.version, "/".join(path), types.custom)) is not None:
                return Answer(document)
        raise unknown_path()

    def _review(self, raw: RawRequest, user: User, parts: list[str]) -> Answer:
        group, version, plural = parts[1], parts[2], parts[-1]
        kind = discovery.review_kind(group, version, plural)
        if kind is None:
            raise unknown_path()
        if raw.method != "POST":
            raise method_not_allowed()
        namespace = parts[4] if len(parts) == 6 and parts[3] == "namespaces" else ""
        if allows(self._state, user, Attributes("create", group, plural, namespace)) is None:
            raise forbidden(user.name, "create", plural, group, namespace, "")
        review = parse_body(raw.body, media_type(raw.headers))
        if not isinstance(review, dict):
            raise bad_request("the review must be an object")
        review |= {"kind": kind, "apiVersion": f"{group}/{version}"}
        return Answer.of(answer_review(self._state, user, kind, review, namespace), 201)


_PATHS = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]


def _health(check: str, *, verbose: bool) -> Answer:
    if not verbose:
        return Answer.text("ok")
    lines = [f"[+]{name} ok" for name in _HEALTH_CHECKS if name != "shutdown" or check == "readyz"]
    return Answer.text("\n".join([*lines, f"{check} check passed", ""]))
