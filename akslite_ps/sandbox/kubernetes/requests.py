"""What a client asks for: path, method and query read into one value. Used by authorization and the handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from akslite_ps.sandbox.kubernetes.resources import ResourceType, find_type
from akslite_ps.sandbox.kubernetes.status import ApiError, bad_request, method_not_allowed, unknown_path

Encoding = Literal["json", "table", "metadata"]


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """A request about a resource.

    Args:
        kind: The resource type addressed.
        verb: Kubernetes' verb, e.g. ``list`` or ``deletecollection``.
        namespace: "" for cluster scope and for all namespaces.
        name: "" for a collection.
        subresource: "" for the object itself.
        query: The query's parameters (last value wins).
    """

    kind: ResourceType
    verb: str
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be stored."""
        value = self.query.get("dryRun", "")
        if value not in {"", "All"}:
            raise bad_request(f'Invalid value: "{value}": dryRun: Unsupported value: supported values: "All"')
        return value == "All"

    def flag(self, name: str) -> bool:
        """A boolean parameter; absent is False."""
        return self.query.get(name, "").lower() in {"true", "1"}

    def number(self, name: str) -> int | None:
        """A non-negative integer parameter, None where absent.

        Raises:
            ApiError: 400, where it is no such number.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax (parameter {name})')
        return int(text)


def read_resource_path(
    method: str, path: str, query: Mapping[str, str], find: Callable[[str, str, str], ResourceType | None] = find_type
) -> ResourceRequest | None:
    """The resource request in a path, or None where the path names no resource (version, health, discovery).

    Args:
        find: Finds the type served under group, version and plural.

    Raises:
        ApiError: 404 for an unknown resource, 405 for a verb it does not know.
    """
    parts = [part for part in path.split("/") if part]
    if not parts or parts[0] not in {"api", "apis"}:
        return None
    head = 2 if parts[0] == "api" else 3
    if len(parts) <= head:
        return None
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    rest = parts[head:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and rest[2] in {"status", "finalize"} and len(rest) == 3):
        namespace, rest = rest[1], rest[2:]
    kind = find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise unknown_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise unknown_path()
    if kind.namespaced and name and not namespace:
        raise unknown_path()
    return ResourceRequest(kind, _verb(method, name, subresource, query), namespace, name, subresource, query)


def response_encoding(accept: str) -> Encoding:
    """The form in which the client wants objects: the first of its choices that this server writes.

    Raises:
        ApiError: 406, where it accepts none.
    """
    if not accept:
        return "json"
    for choice in accept.split(","):
        media, *parameters = [part.strip() for part in choice.split(";")]
        wanted = dict(item.split("=", 1) for item in parameters if "=" in item)
        if media in {"application/json", "*/*", "application/*", "application/yaml", "text/plain"}:
            match wanted.get("as"):
                case "Table":
                    return "table"
                case "PartialObjectMetadata" | "PartialObjectMetadataList":
                    return "metadata"
                case None:
                    return "json"
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json", {})


def _verb(method: str, name: str, subresource: str, query: Mapping[str, str]) -> str:
    match method:
        case "GET" | "HEAD":
            if query.get("watch", "").lower() in {"true", "1"} and not subresource:
                return "watch"
            return "get" if name else "list"
        case "POST" if not name or subresource:
            return "create"
        case "PUT" if name:
            return "update"
        case "PATCH" if name:
            return "patch"
        case "DELETE":
            return "delete" if name else "deletecollection"
    raise method_not_allowed()
