"""What the API says about itself: versions, groups, resources. Built once for all clusters that serve the same types."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from akslite_ps.sandbox.kubernetes.nodes import minor_version
from akslite_ps.sandbox.kubernetes.resources import ResourceType

Types = tuple[ResourceType, ...]
_SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "attach": ("", "", "PodAttachOptions", ("create", "get")),
    "exec": ("", "", "PodExecOptions", ("create", "get")),
    "portforward": ("", "", "PodPortForwardOptions", ("create", "get")),
    "proxy": ("", "", "PodProxyOptions", ("create", "delete", "get", "patch", "update")),
    "log": ("", "", "Pod", ("get",)),
    "finalize": ("", "", "Namespace", ("update",)),
}
# Reviews are served but not stored.
_REVIEWS = {
    ("authentication.k8s.io", "v1"): (("selfsubjectreviews", "SelfSubjectReview", False), ("tokenreviews", "TokenReview", False)),
    ("authorization.k8s.io", "v1"): (
        ("localsubjectaccessreviews", "LocalSubjectAccessReview", True),
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
        ("subjectaccessreviews", "SubjectAccessReview", False),
    ),
}


def version_info(version: str) -> dict[str, Any]:
    """The answer of ``/version``."""
    minor = minor_version(version)
    return {
        "major": "1",
        "minor": str(minor),
        "gitVersion": version,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2025-01-01T00:00:00Z",
        "goVersion": "go1.24.6" if minor >= 33 else "go1.22.9",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions(address: str) -> dict[str, Any]:
    """The answer of ``/api``."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


@lru_cache(64)
def group_list(types: Types) -> dict[str, Any]:
    """The answer of ``/apis``."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(types, name) for name in _group_names(types)]}


def group(types: Types, name: str) -> dict[str, Any] | None:
    """The answer of ``/apis/<group>``."""
    if name not in _group_names(types):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(types, name)}


@lru_cache(256)
def resource_list(types: Types, group_name: str, version: str) -> dict[str, Any] | None:
    """The answer of ``/api/v1`` and ``/apis/<group>/<version>``."""
    entries: list[dict[str, Any]] = []
    for kind in types:
        if (kind.group, kind.version) == (group_name, version):
            entries.append(_entry(kind))
            entries += [_subresource_entry(kind, name) for name in kind.subresources]
    for plural, name, namespaced in _REVIEWS.get((group_name, version), ()):
        entries.append({"name": plural, "singularName": name.lower(), "namespaced": namespaced, "kind": name, "verbs": ["create"]})
    if not entries:
        return None
    api_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": entries}


def review_kind(group_name: str, version: str, plural: str) -> str | None:
    """The kind of a review resource, None where the path is none."""
    for name, kind, _ in _REVIEWS.get((group_name, version), ()):
        if name == plural:
            return kind
    return None


@lru_cache(64)
def _group_names(types: Types) -> tuple[str, ...]:
    names = dict.fromkeys(kind.group for kind in types if kind.group)
    return tuple(dict.fromkeys([*names, *(name for name, _ in _REVIEWS)]))


def _group(types: Types, name: str) -> dict[str, Any]:
    served = {kind.version for kind in types if kind.group == name} | {version for group, version in _REVIEWS if group == name}
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in sorted(served, key=version_rank)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts API versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then other names."""
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")


def _entry(kind: ResourceType) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry


def _subresource_entry(kind: ResourceType, name: str) -> dict[str, Any]:
    group_name, version, served, verbs = _SUBRESOURCE_KINDS.get(name, ("", "", kind.kind, ("get", "patch", "update")))
    entry: dict[str, Any] = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": served,
        "verbs": list(verbs),
    }
    if version:
        entry |= {"group": group_name, "version": version}
    return entry
