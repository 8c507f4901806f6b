"""Whether a user may do something: role-based access control over the roles and bindings in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.authentication import User
from akslite_ps.sandbox.kubernetes.state import ClusterState


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for: a resource (``resource`` may be ``plural/subresource``), or a path where ``path`` is given."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def allows(state: ClusterState, user: User, wanted: Attributes) -> str | None:
    """The reason why the user may, or None where he may not."""
    if "system:masters" in user.groups:
        return ""
    for reason, rule in _rules(state, user, wanted.namespace):
        if _covers(rule, wanted):
            return reason
    return None


def rules_of(state: ClusterState, user: User, namespace: str) -> list[dict[str, Any]]:
    """All rules that hold for the user in a namespace."""
    if "system:masters" in user.groups:
        return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
    return [rule for _, rule in _rules(state, user, namespace)]


def _rules(state: ClusterState, user: User, namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    bindings = list(state.store.objects(resources.CLUSTER_ROLE_BINDINGS.resource))
    if namespace:
        bindings += state.store.objects(resources.ROLE_BINDINGS.resource, namespace)
    for binding in bindings:
        if not any(_is_subject(subject, user, binding) for subject in binding.get("subjects") or ()):
            continue
        reference = binding["roleRef"]
        kind = resources.CLUSTER_ROLES if reference["kind"] == "ClusterRole" else resources.ROLES
        role = state.get(kind, reference["name"], "" if kind is resources.CLUSTER_ROLES else namespace)
        full_name = "/".join(filter(None, (binding["metadata"].get("namespace"), binding["metadata"]["name"])))
        reason = f'RBAC: allowed by {binding["kind"]} "{full_name}" of {reference["kind"]} "{reference["name"]}" to {user.name!r}'
        for rule in (role or {}).get("rules") or ():
            yield reason, rule


def _is_subject(subject: Mapping[str, Any], user: User, binding: Mapping[str, Any]) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
            return user.name == f"system:serviceaccount:{namespace}:{subject['name']}"
    return False


def _covers(rule: Mapping[str, Any], wanted: Attributes) -> bool:
    if not _matches(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(
            url in {"*", wanted.path} or (url.endswith("*") and wanted.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or ()
        )
    if not _matches(rule.get("apiGroups"), wanted.group):
        return False
    _, _, subresource = wanted.resource.partition("/")
    names = rule.get("resources") or ()
    if "*" not in names and wanted.resource not in names and not (subresource and f"*/{subresource}" in names):
        return False
    return not rule.get("resourceNames") or wanted.name in rule["resourceNames"]


def _matches(values: object, wanted: str) -> bool:
    return isinstance(values, list) and ("*" in values or wanted in values)
