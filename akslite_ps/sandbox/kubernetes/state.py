"""What a cluster's controllers work on: the store, the moment being simulated, and facts about the cluster.

Handed to every controller. Controllers run when somebody looks (lazily), so "now" is the moment at
which their work was due, not the moment at which it is computed.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.credentials import ClusterCredentials
from akslite_ps.sandbox.kubernetes.custom_types import ServedTypes
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, name_of, namespace_of, timestamp
from akslite_ps.sandbox.kubernetes.store import Store

GENERATION_GROUPS = frozenset({"apps", "batch", "networking.k8s.io", "policy"})
"""Groups whose objects count the changes of their spec."""

_NETWORKS = {"K3s": ("10.42.0.0/16", "10.43.0.0/16"), "K8s": ("10.244.0.0/16", "10.96.0.0/12")}


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What does not change while a cluster lives.

    Args:
        distribution: ``K3s`` or ``K8s``.
        version: Kubernetes version, e.g. ``v1.31.6+k3s1``.
        cluster_name: The name or id under which the product knows the cluster.
        service_addresses: Addresses that kube-vip may give to LoadBalancer services.
    """

    distribution: str
    version: str
    cluster_name: str
    service_addresses: tuple[str, ...] = ()

    @property
    def pod_network(self) -> ipaddress.IPv4Network:
        """Addresses of pods; fixed by the product per distribution."""
        return ipaddress.IPv4Network(_NETWORKS[self.distribution][0])

    @property
    def service_network(self) -> ipaddress.IPv4Network:
        """Addresses of services; fixed by the product per distribution."""
        return ipaddress.IPv4Network(_NETWORKS[self.distribution][1])

    @property
    def dns_address(self) -> str:
        """The cluster IP of kube-dns."""
        return str(self.service_network[10])


class ClusterState:
    """One cluster as its controllers see it.

    Attributes:
        now: The moment being simulated.
        horizon: The end of the stretch of time being caught up; never before ``now``.
        system_pods_ready: Whether the pods of kube-system may run.
        instant: While true every step takes no time and leaves no events (a cluster made ready at once).
        gpu_failures: By node, why containers that use a GPU do not start on it.
        silent_nodes: Nodes whose machine is off or cut off: nothing is heard of them, and nothing changes on them.

    Args:
        facts: What does not change.
        store: The objects.
        credentials: The cluster's keys.
        clock: The device's clock.
    """

    def __init__(
        self, facts: ClusterFacts, store: Store, credentials: ClusterCredentials, clock: Callable[[], dt.datetime]
    ) -> None:
        self.facts = facts
        self.store = store
        self.credentials = credentials
        self.clock = clock
        self.now = clock()
        self.horizon = self.now
        self.system_pods_ready = True
        self.instant = False
        self.silent_nodes: set[str] = set()
        self.gpu_failures: dict[str, str] = {}
        self._types: ServedTypes | None = None

    @property
    def types(self) -> ServedTypes:
        """The types that the cluster serves now."""
        if self._types is None or self._types.version != self.facts.version:
            self._types = ServedTypes(self.store, self.facts.version)
        return self._types

    def get(self, kind: resources.ResourceType, name: str, namespace: str = "") -> Object | None:
        """The object of this kind and name, or None."""
        return self.store.get(ObjectKey(kind.resource, namespace, name))

    def add(self, kind: resources.ResourceType, obj: Object) -> Object:
        """Create an object: fills in apiVersion, kind, uid, creation time and the first generation."""
        metadata = obj.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", timestamp(self.now))
        if "spec" in obj and kind.group in GENERATION_GROUPS:
            metadata.setdefault("generation", 1)
        head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        return self.store.put(kind.resource, head | {key: value for key, value in obj.items() if key not in head})

    def put(self, kind: resources.ResourceType, obj: Object) -> Object:
        """Write an object back."""
        return self.store.put(kind.resource, obj)

    def remove(self, kind: resources.ResourceType, obj: Mapping[str, Any]) -> None:
        """Remove an object for good."""
        self.store.remove(ObjectKey(kind.resource, namespace_of(obj), name_of(obj)))

    def event(
        self, about: Mapping[str, Any], reason: str, message: str, *, component: str, warning: bool = False, host: str = ""
    ) -> None:
        """Record an Event about an object; a repetition raises the count of the one that is there."""
        if self.instant:
            return
        namespace = namespace_of(about) or "default"
        reference = {
            "kind": about["kind"],
            "namespace": namespace_of(about),
            "name": name_of(about),
            "uid": about["metadata"]["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": about["metadata"].get("resourceVersion", ""),
        }
        for known in self.store.objects(resources.EVENTS.resource, namespace):
            same = known["involvedObject"]["uid"] == reference["uid"] and known["reason"] == reason and known["message"] == message
            if same:
                known["count"] += 1
                known["lastTimestamp"] = timestamp(self.now)
                self.put(resources.EVENTS, known)
                return
        self.add(
            resources.EVENTS,
            {
                "metadata": {"name": f"{name_of(about)}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
                "involvedObject": {key: value for key, value in reference.items() if value},
                "reason": reason,
                "message": message,
                "source": {"component": component, **({"host": host} if host else {})},
                "firstTimestamp": timestamp(self.now),
                "lastTimestamp": timestamp(self.now),
                "count": 1,
                "type": "Warning" if warning else "Normal",
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": host,
            },
        )
