"""The resource types that the simulated API serves by itself: names, scope, verbs, subresources.

Read by discovery, routing, OpenAPI and authorization. Shared by every cluster of the process; the types that people add to a
cluster are in ``custom_types``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akslite_ps.sandbox.kubernetes.custom_types import CustomKind

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind of object under one group and version.

    Args:
        categories: Groups of kinds for clients, e.g. ``all``.
        subresources: Names below an object's path, e.g. ``status``.
        scope_prefix: Definition prefix in the published API definitions, e.g. ``io.k8s.api.apps.v1``.
        custom: What a CustomResourceDefinition says of the kind, None for a built-in one.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    scope_prefix: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    custom: CustomKind | None = field(default=None, repr=False)

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """``plural.group``: the name under which objects are stored."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def definition(self) -> str:
        """Name of the kind's definition in the published API definitions."""
        return f"{self.scope_prefix}.{self.kind}"


def _core(
    plural: str, kind: str, short: str = "", *, namespaced: bool = True, categories: tuple[str, ...] = (), sub: tuple[str, ...] = ()
) -> ResourceType:
    return _type("", "v1", plural, kind, short, "io.k8s.api.core.v1", namespaced, categories, sub)


def _type(
    group: str,
    version: str,
    plural: str,
    kind: str,
    short: str,
    prefix: str,
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    sub: tuple[str, ...] = (),
) -> ResourceType:
    return ResourceType(
        group=group,
        version=version,
        plural=plural,
        singular=kind.lower(),
        kind=kind,
        namespaced=namespaced,
        scope_prefix=prefix,
        short_names=tuple(short.split()),
        categories=categories,
        subresources=sub,
    )


_ALL = ("all",)
_APPS = "io.k8s.api.apps.v1"
_BATCH = "io.k8s.api.batch.v1"
_NETWORKING = "io.k8s.api.networking.v1"
_ADMISSION = "io.k8s.api.admissionregistration.v1"
_RBAC = "io.k8s.api.rbac.v1"
_STORAGE = "io.k8s.api.storage.v1"

CONFIG_MAPS = _core("configmaps", "ConfigMap", "cm")
ENDPOINTS = _core("endpoints", "Endpoints", "ep")
EVENTS = _core("events", "Event", "ev")
NAMESPACES = _core("namespaces", "Namespace", "ns", namespaced=False, sub=("finalize", "status"))
NODES = _core("nodes", "Node", "no", namespaced=False, sub=("status",))
VOLUMES = _core("persistentvolumes", "PersistentVolume", "pv", namespaced=False, sub=("status",))
CLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", sub=("status",))
PODS = _core("pods", "Pod", "po", categories=_ALL, sub=("attach", "eviction", "exec", "log", "portforward", "proxy", "status"))
REPLICATION_CONTROLLERS = _core("replicationcontrollers", "ReplicationController", "rc", categories=_ALL, sub=("scale", "status"))
POD_TEMPLATES = _core("podtemplates", "PodTemplate")
LIMIT_RANGES = _core("limitranges", "LimitRange", "limits")
QUOTAS = _core("resourcequotas", "ResourceQuota", "quota", sub=("status",))
SECRETS = _core("secrets", "Secret")
SERVICES = _core("services", "Service", "svc", categories=_ALL, sub=("status",))
SERVICE_ACCOUNTS = _core("serviceaccounts", "ServiceAccount", "sa", sub=("token",))
DEPLOYMENTS = _type("apps", "v1", "deployments", "Deployment", "deploy", _APPS, categories=_ALL, sub=("scale", "status"))
REPLICA_SETS = _type("apps", "v1", "replicasets", "ReplicaSet", "rs", _APPS, categories=_ALL, sub=("scale", "status"))
DAEMON_SETS = _type("apps", "v1", "daemonsets", "DaemonSet", "ds", _APPS, categories=_ALL, sub=("status",))
STATEFUL_SETS = _type("apps", "v1", "statefulsets", "StatefulSet", "sts", _APPS, categories=_ALL, sub=("scale", "status"))
CONTROLLER_REVISIONS = _type("apps", "v1", "controllerrevisions", "ControllerRevision", "", _APPS)
JOBS = _type("batch", "v1", "jobs", "Job", "", _BATCH, categories=_ALL, sub=("status",))
CRON_JOBS = _type("batch", "v1", "cronjobs", "CronJob", "cj", _BATCH, categories=_ALL, sub=("status",))
AUTOSCALERS = _type(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    "io.k8s.api.autoscaling.v2",
    categories=_ALL,
    sub=("status",),
)
AUTOSCALERS_V1 = _type(
    "autoscaling",
    "v1",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    "io.k8s.api.autoscaling.v1",
    categories=_ALL,
    sub=("status",),
)
INGRESSES = _type("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", _NETWORKING, sub=("status",))
INGRESS_CLASSES = _type("networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", _NETWORKING, False)
NETWORK_POLICIES = _type("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", _NETWORKING)
RUNTIME_CLASSES = _type("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", "", "io.k8s.api.node.v1", False)
DEFINITIONS = _type(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "crd crds",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    False,
    ("api-extensions",),
    ("status",),
)
API_SERVICES = _type(
    "apiregistration.k8s.io",
    "v1",
    "apiservices",
    "APIService",
    "",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    False,
    ("api-extensions",),
    ("status",),
)
MUTATING_WEBHOOKS = _type(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    "",
    _ADMISSION,
    False,
    ("api-extensions",),
)
VALIDATING_WEBHOOKS = _type(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    "",
    _ADMISSION,
    False,
    ("api-extensions",),
)
LEASES = _type("coordination.k8s.io", "v1", "leases", "Lease", "", "io.k8s.api.coordination.v1")
ENDPOINT_SLICES = _type("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", "io.k8s.api.discovery.v1")
DISRUPTION_BUDGETS = _type(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", "io.k8s.api.policy.v1", sub=("status",)
)
CLUSTER_ROLES = _type("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", _RBAC, False)
CLUSTER_ROLE_BINDINGS = _type("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", _RBAC, False)
ROLES = _type("rbac.authorization.k8s.io", "v1", "roles", "Role", "", _RBAC)
ROLE_BINDINGS = _type("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", _RBAC)
STORAGE_CLASSES = _type("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", _STORAGE, False)
CSI_DRIVERS = _type("storage.k8s.io", "v1", "csidrivers", "CSIDriver", "", _STORAGE, False)
CSI_NODES = _type("storage.k8s.io", "v1", "csinodes", "CSINode", "", _STORAGE, False)
VOLUME_ATTACHMENTS = _type("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", "", _STORAGE, False, sub=("status",))
PRIORITY_CLASSES = _type("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", "io.k8s.api.scheduling.v1", False)

RESOURCE_TYPES: tuple[ResourceType, ...] = (
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    CLAIMS,
    VOLUMES,
    PODS,
    POD_TEMPLATES,
    REPLICATION_CONTROLLERS,
    QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    DEFINITIONS,
    API_SERVICES,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    AUTOSCALERS,
    AUTOSCALERS_V1,
    CRON_JOBS,
    JOBS,
    LEASES,
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    INGRESSES,
    NETWORK_POLICIES,
    RUNTIME_CLASSES,
    DISRUPTION_BUDGETS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    PRIORITY_CLASSES,
    CSI_DRIVERS,
    CSI_NODES,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
)

_BY_PATH = {(item.group, item.version, item.plural): item for item in RESOURCE_TYPES}


def find_type(group: str, version: str, plural: str) -> ResourceType | None:
    """The built-in type served under this path, if it is."""
    return _BY_PATH.get((group, version, plural))
