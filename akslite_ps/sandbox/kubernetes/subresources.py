"""What lies below an object's path and is no part of it: scale, logs, evictions, tokens, namespace finalizers."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.answers import Answer
from akslite_ps.sandbox.kubernetes.bodies import JSON_PATCH, media_type, parse_body
from akslite_ps.sandbox.kubernetes.container_ends import said_by
from akslite_ps.sandbox.kubernetes.custom_types import CustomKind
from akslite_ps.sandbox.kubernetes.deleting import remove_if_released
from akslite_ps.sandbox.kubernetes.disruptions import check_eviction
from akslite_ps.sandbox.kubernetes.json_paths import values_at
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, micro_timestamp, name_of, parse_timestamp, timestamp
from akslite_ps.sandbox.kubernetes.patches import json_patch, merge_patch
from akslite_ps.sandbox.kubernetes.pods import delete_pod
from akslite_ps.sandbox.kubernetes.requests import ResourceRequest
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import ApiError, bad_request, conflict, method_not_allowed, not_found
from akslite_ps.sandbox.kubernetes.tokens import AUDIENCES, issue_token

_TOKEN_SECONDS = 3600


def answer_subresource(state: ClusterState, request: ResourceRequest, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a request for ``scale``, ``log``, ``eviction``, ``token`` or ``finalize``.

    Raises:
        ApiError: 404 where the object does not exist, 405 for a verb the subresource does not know.
    """
    obj = state.store.get(ObjectKey(request.kind.resource, request.namespace, request.name))
    if obj is None:
        raise not_found(request.kind.plural, request.kind.group, request.name)
    data = parse_body(body, media_type(headers)) if body.strip() else {}
    match request.subresource, request.verb:
        case "attach" | "exec" | "portforward" | "proxy", _:
            raise ApiError(501, "NotImplemented", f"{request.subresource}: nothing runs in the containers of a simulated device")
        case "scale", "get":
            return Answer.of(_scale_of(request.kind, obj))
        case "scale", "update" | "patch":
            return _set_scale(state, request, obj, data, media_type(headers))
        case "log", "get":
            return _log(state, obj, request)
        case "eviction", "create":
            return _evict(state, request, obj, data)
        case "token", "create":
            return _token(state, request, data)
        case "finalize", "update":
            return _finalize(state, request, obj, data)
    raise method_not_allowed()


def _scale_of(kind: resources.ResourceType, obj: Object) -> Object:
    if kind.custom is not None:
        return _custom_scale(kind.custom, obj)
    selector = obj["spec"].get("selector") or {}
    pairs = selector if obj["kind"] == "ReplicationController" else selector.get("matchLabels") or {}
    labels = ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {"replicas": obj.get("status", {}).get("replicas", 0), "selector": labels},
    }


def _custom_scale(custom: CustomKind, obj: Object) -> Object:
    paths = custom.scale or {}
    wanted = values_at(obj, paths.get("specReplicasPath", ""))
    present = values_at(obj, paths.get("statusReplicasPath", ""))
    selector = values_at(obj, paths["labelSelectorPath"]) if "labelSelectorPath" in paths else []
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in names if key in obj["metadata"]},
        "spec": {"replicas": wanted[0] if wanted and isinstance(wanted[0], int) else 0},
        "status": {
            "replicas": present[0] if present and isinstance(present[0], int) else 0,
            **({"selector": str(selector[0])} if selector else {}),
        },
    }


def _put_replicas(kind: resources.ResourceType, obj: Object, replicas: int) -> None:
    path = ["spec", "replicas"]
    if kind.custom is not None:
        path = [part for part in (kind.custom.scale or {}).get("specReplicasPath", "").split(".") if part]
    holder = obj
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    holder[path[-1]] = replicas


def _set_scale(state: ClusterState, request: ResourceRequest, obj: Object, data: Any, how: str) -> Answer:
    scale = _scale_of(request.kind, obj)
    if request.verb == "patch":
        data = json_patch(copy.deepcopy(scale), data) if how == JSON_PATCH else merge_patch(scale, data)
    if not all(isinstance(part, dict) for part in (data, data.get("metadata") or {}, data.get("spec") or {})):
        raise bad_request('Scale in version "v1" cannot be handled as a Scale: wrong type')
    version = (data.get("metadata") or {}).get("resourceVersion")
    if version and version != obj["metadata"]["resourceVersion"]:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(request.kind.plural, request.kind.group, request.name, why)
    replicas = (data.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or not 0 <= replicas < 2**31:
        raise bad_request(f"Scale.autoscaling {request.name!r} is invalid: spec.replicas: Invalid value: {replicas}")
    changes = replicas != scale["spec"]["replicas"]
    if changes:
        _put_replicas(request.kind, obj, replicas)
    if not request.dry_run and changes:
        obj["metadata"]["generation"] = obj["metadata"].get("generation", 1) + 1
        state.put(request.kind, obj)
    return Answer.of(_scale_of(request.kind, obj))


def _log(state: ClusterState, pod: Object, request: ResourceRequest) -> Answer:
    """The log of a container: what its command echoes. Nothing else writes in simulated containers."""
    names = [item["name"] for item in pod["spec"]["containers"]]
    name = request.query.get("container", "")
    if not name and len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(names)}]")
    name = name or names[0]
    if name not in names:
        raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
    for item in pod.get("status", {}).get("containerStatuses") or ():
        if item["name"] == name:
            return Answer.text(_lines(state, pod, item, request))
    return Answer.text("")


def _lines(state: ClusterState, pod: Object, status: Object, request: ResourceRequest) -> str:
    previous, waiting = status.get("lastState") or {}, status["state"].get("waiting")
    if request.flag("previous") and "terminated" not in previous:
        raise bad_request(f'previous terminated container "{status["name"]}" in pod "{name_of(pod)}" not found')
    if waiting and "terminated" not in previous:
        raise bad_request(f'container "{status["name"]}" in pod "{name_of(pod)}" is waiting to start: {waiting["reason"]}')
    shown = previous if waiting or request.flag("previous") else status["state"]
    begun = parse_timestamp((shown.get("running") or shown["terminated"])["startedAt"])
    elapsed = (state.now - begun).total_seconds() if "running" in shown else None
    container = next(item for item in pod["spec"]["containers"] if item["name"] == status["name"])
    lines = said_by(container, elapsed)
    since = request.number("sinceSeconds")
    if since is not None:
        lines = [(at, line) for at, line in lines if (state.now - begun).total_seconds() - at <= since]
    tail = request.number("tailLines")
    if tail is not None:
        lines = lines[len(lines) - tail :] if tail < len(lines) else lines
    stamped = request.flag("timestamps")
    texts = [f"{micro_timestamp(begun + dt.timedelta(seconds=at))} {line}" if stamped else line for at, line in lines]
    return "".join(f"{text}\n" for text in texts)


def _evict(state: ClusterState, request: ResourceRequest, pod: Object, data: Any) -> Answer:
    check_eviction(state, pod)
    options = (data.get("deleteOptions") or {}) if isinstance(data, dict) else {}
    if not request.dry_run:
        delete_pod(pod, state, options.get("gracePeriodSeconds"))
    return Answer.of({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _token(state: ClusterState, request: ResourceRequest, data: Any) -> Answer:
    spec = (data.get("spec") or {}) if isinstance(data, dict) else {}
    seconds = int(spec.get("expirationSeconds") or _TOKEN_SECONDS)
    token, ends = issue_token(state, request.namespace, request.name, seconds)
    assert ends is not None
    return Answer.of(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": request.name, "namespace": request.namespace, "creationTimestamp": timestamp(state.now)},
            "spec": {"audiences": spec.get("audiences") or AUDIENCES[state.facts.distribution], "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": timestamp(ends)},
        },
        201,
    )


def _finalize(state: ClusterState, request: ResourceRequest, namespace: Object, data: Any) -> Answer:
    namespace["spec"] = {"finalizers": (data.get("spec") or {}).get("finalizers") or []}
    stored = state.put(resources.NAMESPACES, namespace)
    remove_if_released(state, request.kind, stored)
    return Answer.of(stored)
