"""The roles and bindings every cluster starts with, reduced to what people and controllers are bound to."""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.resources import RESOURCE_TYPES
from akslite_ps.sandbox.kubernetes.state import ClusterState

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
# What view may not see, so that reading objects never becomes reading credentials.
_HIDDEN_FROM_VIEW = frozenset({"secrets"})
_NOT_FOR_EDIT = frozenset({"endpoints", "endpointslices", "events"})
_RBAC_GROUP = "rbac.authorization.k8s.io"


def add_bootstrap_roles(state: ClusterState) -> None:
    """Create the default ClusterRoles and ClusterRoleBindings."""
    for name, rules in _roles().items():
        state.add(resources.CLUSTER_ROLES, {"metadata": {"name": name, "labels": dict(_LABELS)}, "rules": rules})
    for name, role, groups in _BINDINGS:
        state.add(
            resources.CLUSTER_ROLE_BINDINGS,
            {
                "metadata": {"name": name, "labels": dict(_LABELS)},
                "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": _RBAC_GROUP, "kind": "Group", "name": group} for group in groups],
            },
        )
    if state.facts.distribution == "K8s":
        state.add(
            resources.CLUSTER_ROLE_BINDINGS,
            {
                "metadata": {"name": "kubeadm:cluster-admins"},
                "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": _RBAC_GROUP, "kind": "Group", "name": "kubeadm:cluster-admins"}],
            },
        )


_BINDINGS = (
    ("cluster-admin", "cluster-admin", ("system:masters",)),
    ("system:basic-user", "system:basic-user", ("system:authenticated",)),
    ("system:discovery", "system:discovery", ("system:authenticated",)),
    ("system:public-info-viewer", "system:public-info-viewer", ("system:authenticated", "system:unauthenticated")),
    ("system:monitoring", "system:monitoring", ("system:monitoring",)),
)


def _roles() -> dict[str, list[dict[str, Any]]]:
    probes = ["/healthz", "/livez", "/readyz"]
    info = [*probes, "/version", "/version/"]
    return {
        "cluster-admin": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "admin": _workload_rules(write=True, secrets=True) + _namespace_role_rules(),
        "edit": _workload_rules(write=True, secrets=True),
        "view": _workload_rules(write=False, secrets=False),
        "system:basic-user": [
            {
                "apiGroups": ["authorization.k8s.io"],
                "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                "verbs": ["create"],
            },
            {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
        ],
        "system:discovery": [
            {"nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *info], "verbs": ["get"]}
        ],
        "system:public-info-viewer": [{"nonResourceURLs": info, "verbs": ["get"]}],
        "system:monitoring": [{"nonResourceURLs": ["/metrics", "/healthz/*", "/livez/*", "/readyz/*", *probes], "verbs": ["get"]}],
    }


def _workload_rules(*, write: bool, secrets: bool) -> list[dict[str, Any]]:
    rules = []
    groups = sorted(
        {kind.group for kind in RESOURCE_TYPES if kind.namespaced and kind.group not in {_RBAC_GROUP, "coordination.k8s.io"}}
    )
    for group in groups:
        kinds = [
            kind
            for kind in RESOURCE_TYPES
            if kind.group == group and kind.namespaced and (secrets or kind.plural not in _HIDDEN_FROM_VIEW)
        ]
        readable = [
            name
            for kind in kinds
            for name in (kind.plural, *(f"{kind.plural}/{sub}" for sub in kind.subresources if sub in {"status", "scale", "log"}))
        ]
        rules.append({"apiGroups": [group], "resources": sorted(readable), "verbs": _READ})
        if write:
            writable = [
                name for kind in kinds if kind.plural not in _NOT_FOR_EDIT for name in (kind.plural, *_writable_parts(kind))
            ]
            rules.append({"apiGroups": [group], "resources": sorted(writable), "verbs": _WRITE})
    rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": _READ})
    return rules


def _writable_parts(kind: resources.ResourceType) -> list[str]:
    return [f"{kind.plural}/{sub}" for sub in kind.subresources if sub in {"scale", "eviction", "token"}]


def _namespace_role_rules() -> list[dict[str, Any]]:
    return [{"apiGroups": [_RBAC_GROUP], "resources": ["rolebindings", "roles"], "verbs": sorted([*_READ, *_WRITE])}]
