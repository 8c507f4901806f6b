"""Which objects of a cluster people put there, and what of them means something in another cluster.

Used by ``cluster.backup``. Judged by owners, labels and names, as the two distributions and Kubernetes itself set them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_PAGE = "200"

_SYSTEM_NAMESPACES = re.compile(r"(kube-.*|azure-arc.*|gatekeeper-system|aksedge(-.*)?)")
_NEVER = frozenset(
    {
        "bindings",
        "componentstatuses",
        "controllerrevisions.apps",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "nodes",
        "persistentvolumes",
        "podtemplates",
        "apiservices.apiregistration.k8s.io",
        "certificatesigningrequests.certificates.k8s.io",
        "csinodes.storage.k8s.io",
        "csidrivers.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "ipaddresses.networking.k8s.io",
        "servicecidrs.networking.k8s.io",
        "runtimeclasses.node.k8s.io",
        "nodes.metrics.k8s.io",
        "pods.metrics.k8s.io",
        "addons.k3s.cattle.io",
        "etcdsnapshotfiles.k3s.cattle.io",
        "helmcharts.helm.cattle.io",
        "helmchartconfigs.helm.cattle.io",
    }
)
"""Kinds that the system makes, or that mean nothing in another cluster."""
_DISTRIBUTION_LABELS = ("objectset.rio.cattle.io/hash", "kubernetes.io/bootstrapping", "kubernetes.io/cluster-service")
_DISTRIBUTION_GROUPS = re.compile(r".*\.(cattle\.io|clusterconfig\.azure\.com|arc\.azure\.com)")
_SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink")
_SERVER_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "control-plane.alpha.kubernetes.io/leader",
)
_ORDER = (
    "customresourcedefinitions.apiextensions.k8s.io",
    "namespaces",
    "priorityclasses.scheduling.k8s.io",
    "storageclasses.storage.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "serviceaccounts",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services",
)
"""What others need comes first; everything else after these, by kind."""


class Api(Protocol):
    """What saving and restoring need of a cluster; :class:`akslite_ps.cluster.Cluster` has it."""

    def get_json(self, path: str, **query: str) -> dict[str, Any]: ...
    def apply_json(self, path: str, data: Mapping[str, Any], *, manager: str, force: bool = False) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects: where the API has it."""

    plural: str
    group: str
    version: str
    kind: str
    namespaced: bool

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def base(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path_of(self, item: Mapping[str, Any]) -> str:
        metadata = item["metadata"]
        space = f"/namespaces/{metadata['namespace']}" if self.namespaced else ""
        return f"{self.base}{space}/{self.plural}/{metadata['name']}"


def kinds(api: Api) -> Iterator[Kind]:
    """Every kind that can be listed, at the version that the API server prefers."""
    yield from _kinds_of(api, "", "v1", "/api/v1")
    for group in api.get_json("/apis").get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("version")
        if preferred:
            yield from _kinds_of(api, group["name"], preferred, f"/apis/{group['name']}/{preferred}")


def _kinds_of(api: Api, group: str, version: str, path: str) -> Iterator[Kind]:
    for found in api.get_json(path).get("resources") or ():
        if "/" not in found["name"] and {"list", "patch"} <= set(found.get("verbs") or ()):
            kind = Kind(found["name"], group, version, found["kind"], bool(found.get("namespaced")))
            if kind.name not in _NEVER and not _DISTRIBUTION_GROUPS.fullmatch(f".{group}"):
                yield kind


def in_order(kinds: Iterator[Kind]) -> list[Kind]:
    place = {name: number for number, name in enumerate(_ORDER)}
    return sorted(kinds, key=lambda kind: (place.get(kind.name, len(_ORDER)), kind.name))


def items(api: Api, kind: Kind) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        more = {"continue": token} if token else {}
        page = api.get_json(f"{kind.base}/{kind.plural}", limit=_PAGE, **more)
        yield from page.get("items") or ()
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            return


def is_made_by_people(kind: Kind, item: Mapping[str, Any]) -> bool:
    metadata = item["metadata"]
    name, space = metadata["name"], metadata.get("namespace")
    labels = metadata.get("labels") or {}
    if (
        metadata.get("ownerReferences")
        or metadata.get("deletionTimestamp")
        or any(label in labels for label in _DISTRIBUTION_LABELS)
    ):
        return False
    if space is not None and _SYSTEM_NAMESPACES.fullmatch(space):
        return False
    match kind.name:
        case "namespaces":
            return name != "default" and not _SYSTEM_NAMESPACES.fullmatch(name)
        case "serviceaccounts":
            return bool(name != "default")
        case "configmaps":
            return bool(name != "kube-root-ca.crt")
        case "services":
            return (space, name) != ("default", "kubernetes")
        case "secrets":
            return not str(item.get("type", "")).startswith(("kubernetes.io/service-account-token", "bootstrap.kubernetes.io"))
        case "customresourcedefinitions.apiextensions.k8s.io":
            return not _DISTRIBUTION_GROUPS.fullmatch(f".{item['spec']['group']}")
        case "priorityclasses.scheduling.k8s.io":
            return not name.startswith("system-")
    if kind.namespaced:
        return True
    return not name.startswith(
        ("system:", "kube-", "k3s", "kubeadm:", "cluster-admin", "local-path", "azure-arc", "aksedge")
    ) and name not in (
        "admin",
        "edit",
        "view",
    )


def portable(kind: Kind, item: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what only its own cluster knows."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SERVER_FIELDS}
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in _SERVER_ANNOTATIONS and not key.startswith(("pv.kubernetes.io/", "volume."))
    }
    if annotations:
        metadata["annotations"] = annotations
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    spec = rest.get("spec")
    if isinstance(spec, Mapping):
        dropped: Sequence[str] = ()
        if kind.name == "services":
            # A headless service says so in clusterIP; every other address is the cluster's own choice.
            headless = spec.get("clusterIP") == "None"
            dropped = ("healthCheckNodePort",) if headless else ("clusterIP", "clusterIPs", "healthCheckNodePort")
        elif kind.name == "persistentvolumeclaims":
            dropped = ("volumeName",)
        elif kind.name == "pods":
            dropped = ("nodeName", "serviceAccount")
        elif kind.name == "namespaces":
            dropped = ("finalizers",)
        rest["spec"] = {key: value for key, value in spec.items() if key not in dropped}
        if kind.name == "jobs.batch":
            _forget_the_uid(rest["spec"])
    if kind.name == "namespaces":
        (metadata.get("labels") or {}).pop("kubernetes.io/metadata.name", None)
    return {"apiVersion": version, "kind": kind.kind, "metadata": metadata, **rest}


def _forget_the_uid(spec: dict[str, Any]) -> None:
    """A job's selector and labels name its old self, unless somebody chose them."""
    if spec.get("manualSelector"):
        return
    spec.pop("selector", None)
    template = json.loads(json.dumps(spec.get("template") or {}))
    labels = (template.get("metadata") or {}).get("labels") or {}
    for label in ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"):
        labels.pop(label, None)
    spec["template"] = template
