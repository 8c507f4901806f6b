"""Get, list and watch: the requests that change nothing."""

from __future__ import annotations

import base64
import json

from akslite_ps.sandbox.kubernetes.answers import Answer, WatchOrder
from akslite_ps.sandbox.kubernetes.custom_types import has_other_forms, served_form
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey
from akslite_ps.sandbox.kubernetes.requests import Encoding, ResourceRequest
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.selectors import Matcher, parse_field_selector, parse_label_selector
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import bad_request, expired, not_found
from akslite_ps.sandbox.kubernetes.store import encode
from akslite_ps.sandbox.kubernetes.tables import make_table


def get_object(state: ClusterState, request: ResourceRequest, encoding: Encoding) -> Answer:
    """One object.

    Raises:
        ApiError: 404, where it does not exist.
    """
    encoded = state.store.encoded(ObjectKey(request.kind.resource, request.namespace, request.name))
    if encoded is None:
        raise not_found(request.kind.plural, request.kind.group, request.name)
    if encoding == "json" and not has_other_forms(request.kind):
        return Answer.encoded(encoded)
    return render(state, request, json.loads(encoded), encoding)


def render(state: ClusterState, request: ResourceRequest, obj: Object, encoding: Encoding, code: int = 200) -> Answer:
    """One object in the form the client asked for."""
    obj = served_form(request.kind, obj)
    if encoding == "table":
        version = obj.get("metadata", {}).get("resourceVersion", "")
        return Answer.of(make_table(request.kind, [obj], state.now, {"resourceVersion": version}, _include(request)), code)
    if encoding == "metadata":
        return Answer.of(partial_metadata(obj), code)
    return Answer.of(obj, code)


def list_objects(state: ClusterState, request: ResourceRequest, encoding: Encoding) -> Answer:
    """The objects of a collection, in pages where the client limits them.

    Raises:
        ApiError: 400 for a bad selector or continue token, 410 for a token whose version is gone.
    """
    matches = selection(request)
    store = state.store
    keys = store.keys(request.kind.resource, request.namespace)
    revision, start = store.revision, None
    if token := request.query.get("continue"):
        revision, start = _read_token(token)
        if revision < store.floor:
            raise expired(revision, store.floor)
    limit = request.number("limit") or 0
    page: list[bytes] = []
    rest = 0
    last: ObjectKey | None = None
    for key in keys:
        if start is not None and (key.namespace, key.name) <= start:
            continue
        encoded = store.encoded(key)
        if encoded is None or (matches is not None and not matches(json.loads(encoded))):
            continue
        if limit and len(page) == limit:
            rest += 1
            continue
        page.append(encoded)
        last = key
    metadata: dict[str, object] = {"resourceVersion": str(revision)}
    if rest and last is not None:
        metadata["continue"] = _write_token(revision, last)
        if matches is None:
            metadata["remainingItemCount"] = rest
    if has_other_forms(request.kind):
        page = [encode(served_form(request.kind, json.loads(item))) for item in page]
    if encoding == "table":
        return Answer.of(make_table(request.kind, [json.loads(item) for item in page], state.now, metadata, _include(request)))
    if encoding == "metadata":
        items = [partial_metadata(json.loads(item)) for item in page]
        return Answer.of(
            {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items}
        )
    return Answer.encoded(_join(request.kind, metadata, page))


def order_watch(state: ClusterState, request: ResourceRequest, encoding: Encoding) -> WatchOrder:
    """What a watch request asks for.

    Raises:
        ApiError: 400 for a bad selector or version, 410 for a version before the history.
    """
    matches = selection(request)
    initial = request.flag("sendInitialEvents")
    revision = None if initial else request.number("resourceVersion") or None
    if revision is not None and revision < state.store.floor:
        raise expired(revision, state.store.floor)
    return WatchOrder(
        kind=request.kind,
        namespace=request.namespace,
        matches=matches or (lambda obj: True),
        encoding=encoding,
        revision=revision,
        bookmarks=request.flag("allowWatchBookmarks"),
        mark_end_of_initial=initial,
        seconds=request.number("timeoutSeconds"),
        include_object=_include(request),
    )


def selection(request: ResourceRequest) -> Matcher | None:
    """The matcher for a request's selectors (and its name, for a watch of one object), None where everything matches."""
    matchers: list[Matcher] = []
    if text := request.query.get("labelSelector"):
        matchers.append(parse_label_selector(text))
    if text := request.query.get("fieldSelector"):
        matchers.append(parse_field_selector(text, request.kind))
    if request.name:
        name = request.name
        matchers.append(lambda obj: obj["metadata"]["name"] == name)
    if not matchers:
        return None
    return lambda obj: all(matcher(obj) for matcher in matchers)


def partial_metadata(obj: Object) -> Object:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _join(kind: ResourceType, metadata: dict[str, object], page: list[bytes]) -> bytes:
    """A list from encoded objects. As on the real server its items carry no kind and apiVersion, but for those of custom kinds."""
    head = encode({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata})
    prefix = encode({"apiVersion": kind.api_version, "kind": kind.kind})[:-1] + b","
    if kind.custom is None:
        page = [b"{" + item[len(prefix) :] if item.startswith(prefix) else item for item in page]
    return head[:-1] + b',"items":[' + b",".join(page) + b"]}"


def _include(request: ResourceRequest) -> str:
    wanted = request.query.get("includeObject", "Metadata")
    if wanted not in {"None", "Metadata", "Object", ""}:
        raise bad_request(f"unrecognized includeObject value: {wanted!r}")
    return wanted or "Metadata"


def _write_token(revision: int, last: ObjectKey) -> str:
    data = {"v": "meta.k8s.io/v1", "rv": revision, "start": [last.namespace, last.name]}
    return base64.urlsafe_b64encode(encode(data)).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = data["start"]
        return int(data["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError):
        raise bad_request(f"continue key is not valid: {token!r}") from None
