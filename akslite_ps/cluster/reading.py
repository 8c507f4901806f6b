"""What can be read of a cluster, whichever way it is reached, and the reading of what somebody else fetched.

:class:`ClusterReading` is what ``operations``, the command line and the notebooks work with; ``cluster.client`` is the
direct way to it. :class:`FetchedCluster` judges the API's own JSON where another way brings it. No I/O here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar

from akslite_ps.cluster.health import ClusterFinding, ClusterHealth, NodeHealth, PodHealth, Way, assess, node_health, pod_health
from akslite_ps.cluster.official import load_official_client
from akslite_ps.errors import AksLiteError, Unreachable

_SYSTEM_NAMESPACES = frozenset({"calico-system", "calico-apiserver", "tigera-operator", "azure-arc", "aksedge"})
_RETRY_S = 2.0

_T = TypeVar("_T")


def is_system_namespace(namespace: str) -> bool:
    """True for the namespaces that Kubernetes, the network plugin and Azure Arc use."""
    return namespace.startswith("kube-") or namespace in _SYSTEM_NAMESPACES


class ClusterReading(ABC):
    """Reads one cluster.

    Attributes:
        device: Name of the device, for messages.
        server: URL of the API server as its kubeconfig has it.
    """

    device: str | None
    server: str

    @property
    def way(self) -> Way:
        """How the last answer came here."""
        return "api"

    @abstractmethod
    def version(self) -> str:
        """The API server's version, e.g. ``v1.33.5+k3s1``."""

    @abstractmethod
    def nodes(self) -> list[NodeHealth]:
        """All nodes, by name."""

    @abstractmethod
    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        """The pods of one namespace, or of all, by namespace and name."""

    def system_pods(self) -> list[PodHealth]:
        """The pods of the system namespaces, by namespace and name."""
        return [pod for pod in self.pods() if is_system_namespace(pod.namespace)]

    def health(self) -> ClusterHealth:
        """Read version, nodes and system pods now, and judge them.

        Raises:
            Unreachable, AuthenticationFailed, NotPermitted: The API server cannot be asked.
        """
        version, nodes, pods = self.version(), self.nodes(), self.system_pods()
        return assess(version, nodes, pods, way=self.way)

    def wait_ready(
        self,
        timeout_s: float,
        on_change: Callable[[ClusterHealth], None] | None = None,
        *,
        poll_s: float = _RETRY_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> ClusterHealth:
        """Ask again and again until nodes and system pods are ready. An API server that does not answer yet is waited for.

        Args:
            timeout_s: Longest time to wait in seconds.
            on_change: Called with the health whenever it differs from the one before.
            poll_s: Seconds between two questions.
            clock: Monotonic seconds.
            sleep: Waits that many seconds; one that returns something true ends the waiting (``Event.wait`` does).

        Returns:
            The last health read: ``ready`` is False where the time is over.

        Raises:
            AuthenticationFailed, NotPermitted: Waiting will not help.
        """
        end = clock() + timeout_s
        last: ClusterHealth | None = None
        while True:
            try:
                health = self.health()
            except Unreachable as error:
                health = _silent(error)
            if on_change and health != last:
                on_change(health)
            last = health
            left = end - clock()
            if health.ready or left <= 0 or sleep(min(poll_s, left)):
                return health


class Fetch(Protocol):
    """Brings the JSON of one question to the API server: a list of objects, or the answer of ``/version``."""

    def __call__(self, kind: Literal["Nodes", "Pods", "Version"], *, namespace: str | None = None) -> Mapping[str, Any]: ...


class FetchedCluster(ClusterReading):
    """A cluster whose answers are fetched by somebody else, e.g. by kubectl on the device itself.

    Args:
        fetch: Brings the answers; what it raises passes through.
        server: URL of the API server, for reports.
        device: Name of the device, for messages.
    """

    def __init__(self, fetch: Fetch, *, server: str = "", device: str | None = None) -> None:
        self.device = device
        self.server = server
        self._fetch = fetch

    @property
    def way(self) -> Way:
        return "device"

    def version(self) -> str:
        answer = self._fetch("Version")
        return self._understood(lambda: str(answer["gitVersion"]))

    def nodes(self) -> list[NodeHealth]:
        load_official_client()
        from kubernetes.client import V1Node

        answer = self._fetch("Nodes")
        found = self._understood(lambda: [node_health(V1Node.from_dict(item)) for item in answer["items"]])
        return sorted(found, key=lambda node: node.name)

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        load_official_client()
        from kubernetes.client import V1Pod

        answer = self._fetch("Pods", namespace=namespace)
        found = self._understood(lambda: [pod_health(V1Pod.from_dict(item)) for item in answer["items"]])
        return sorted(found, key=lambda pod: (pod.namespace, pod.name))

    def _understood(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise AksLiteError(
                f"what was read on the device is not a Kubernetes API answer: {type(error).__name__}",
                device=self.device,
                attempted="read the cluster",
                next_action="check that the device's module AksLiteOps is of the same version as akslite-ps",
            ) from None


def _silent(error: Unreachable) -> ClusterHealth:
    return ClusterHealth(
        False, findings=(ClusterFinding("api", "API server", "error", error.message, "an answer", error.next_action or ""),)
    )
