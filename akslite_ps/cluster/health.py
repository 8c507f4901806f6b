"""What the API server says about nodes and system pods, as frozen values, and what to do about it.

Made by ``cluster.client`` and ``cluster.reading`` from the official client's objects; shown by tables and reports. No I/O here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

_ROLE_LABEL = "node-role.kubernetes.io/"
Way = Literal["api", "device"]
"""How something was read: from the Kubernetes API directly, or on the device because its API cannot be reached from here."""

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@dataclass(frozen=True, slots=True)
class ClusterFinding:
    """One thing read from the cluster; the same fields as a plan's finding."""

    check: str
    title: str
    severity: Literal["ok", "info", "warning", "error"]
    read: str
    needed: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One node.

    Args:
        name: The node's name.
        status: As kubectl prints it, e.g. ``Ready`` or ``NotReady,SchedulingDisabled``.
        ready: True where the Ready condition is True.
        roles: e.g. ``("control-plane", "master")``.
        version: The kubelet's version.
        internal_ip: Address in the cluster's network.
        os_image, kernel, container_runtime: As the kubelet reports them.
        created: When the node joined.
        message: Why it is not ready, or under which pressure.
    """

    name: str
    status: str
    ready: bool
    roles: tuple[str, ...] = ()
    version: str = ""
    internal_ip: str = ""
    os_image: str = ""
    kernel: str = ""
    container_runtime: str = ""
    created: dt.datetime | None = None
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return _json_ready(asdict(self))


@dataclass(frozen=True, slots=True)
class PodHealth:
    """One pod.

    Args:
        namespace, name: Which pod.
        status: As kubectl prints it, e.g. ``Running``, ``CrashLoopBackOff``, ``Completed``.
        ready: Containers ready.
        containers: Containers in all.
        restarts: Restarts of all containers.
        node: Node it runs on.
        created: When it was made.
        message: Why it is not healthy, where Kubernetes says so.
    """

    namespace: str
    name: str
    status: str
    ready: int
    containers: int
    restarts: int = 0
    node: str = ""
    created: dt.datetime | None = None
    message: str = ""

    @property
    def healthy(self) -> bool:
        """True where all containers are ready, or the pod has done its work."""
        return self.status == "Completed" or (self.status == "Running" and self.ready == self.containers > 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {**_json_ready(asdict(self)), "healthy": self.healthy}


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The whole picture at one moment.

    Args:
        ready: True where every node is Ready and every system pod healthy, and there is at least one of each.
        version: Version of the API server, empty where it did not answer.
        nodes, pods: What was read.
        findings: One per check, with what to do where it is not ``ok``.
        way: How it was read.
    """

    ready: bool
    version: str = ""
    nodes: tuple[NodeHealth, ...] = ()
    pods: tuple[PodHealth, ...] = ()
    findings: tuple[ClusterFinding, ...] = field(default=())
    way: Way = "api"

    @property
    def summary(self) -> str:
        """One sentence for a progress line."""
        if not self.version:
            return self.findings[0].read if self.findings else "the API server does not answer"
        nodes = sum(node.ready for node in self.nodes)
        pods = sum(pod.healthy for pod in self.pods)
        return f"{nodes} of {len(self.nodes)} nodes Ready, {pods} of {len(self.pods)} system pods ready"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "ready": self.ready,
            "version": self.version,
            "way": self.way,
            "nodes": [node.to_dict() for node in self.nodes],
            "pods": [pod.to_dict() for pod in self.pods],
            "findings": [asdict(finding) for finding in self.findings],
        }


# The official client types every field as optional, also those a stored object always has; hence Any.


def node_health(node: Any) -> NodeHealth:
    """A ``V1Node`` of the official client as :class:`NodeHealth`."""
    conditions = {c.type: c for c in (node.status.conditions or ())}
    ready = conditions.get("Ready")
    is_ready = ready is not None and ready.status == "True"
    words = ["Ready" if is_ready else "NotReady"]
    if node.spec.unschedulable:
        words.append("SchedulingDisabled")
    notes = [] if is_ready else [(ready.message or ready.reason or "") if ready else "the kubelet has not reported yet"]
    notes += [c.message or kind for kind in _PRESSURES if (c := conditions.get(kind)) and c.status == "True"]
    labels = node.metadata.labels or {}
    roles = sorted(label.removeprefix(_ROLE_LABEL) for label in labels if label.startswith(_ROLE_LABEL))
    info = node.status.node_info
    return NodeHealth(
        name=node.metadata.name,
        status=",".join(words),
        ready=is_ready,
        roles=tuple(roles),
        version=info.kubelet_version if info else "",
        internal_ip=next((a.address for a in node.status.addresses or () if a.type == "InternalIP"), ""),
        os_image=info.os_image if info else "",
        kernel=info.kernel_version if info else "",
        container_runtime=info.container_runtime_version if info else "",
        created=node.metadata.creation_timestamp,
        message="; ".join(note for note in notes if note),
    )


def pod_health(pod: Any) -> PodHealth:
    """A ``V1Pod`` of the official client as :class:`PodHealth`; the status word follows kubectl's rules."""
    statuses: Sequence[Any] = pod.status.container_statuses or ()
    status, message = pod.status.reason or pod.status.phase or "Unknown", pod.status.message or ""
    if status == "Succeeded":
        status = "Completed"
    for word, why in _troubles(statuses):
        status, message = word, why or message
    for number, init in enumerate(pod.status.init_container_statuses or ()):
        if init.state and init.state.terminated and init.state.terminated.exit_code == 0:
            continue
        trouble = next(_troubles([init]), None)
        total = len(pod.spec.init_containers or ())
        status, message = (f"Init:{trouble[0]}", trouble[1]) if trouble else (f"Init:{number}/{total}", message)
        break
    if pod.metadata.deletion_timestamp is not None:
        status = "Terminating"
    return PodHealth(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        status=status,
        ready=sum(bool(s.ready) for s in statuses),
        containers=len(pod.spec.containers or ()) if pod.spec else len(statuses),
        restarts=sum(s.restart_count or 0 for s in statuses),
        node=(pod.spec.node_name or "") if pod.spec else "",
        created=pod.metadata.creation_timestamp,
        message=message,
    )


def _troubles(statuses: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for status in statuses:
        state = status.state
        if state and state.waiting and state.waiting.reason:
            yield state.waiting.reason, state.waiting.message or ""
        elif state and state.terminated:
            ended = state.terminated
            word = ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")
            yield word, ended.message or ""


def assess(version: str, nodes: Sequence[NodeHealth], pods: Sequence[PodHealth], *, way: Way = "api") -> ClusterHealth:
    """Judge what was read: all nodes Ready and all system pods ready, as the product's own tests ask."""
    where = "answers" if way == "api" else "answers on the device, not from here"
    findings = [ClusterFinding("api", "API server", "ok", f"{where}, version {version}", "an answer")]
    down = [node for node in nodes if not node.ready]
    read = f"{len(nodes) - len(down)} of {len(nodes)} Ready"
    if down or not nodes:
        why = "; ".join(f"{node.name}: {node.message or node.status}" for node in down)
        findings.append(
            ClusterFinding(
                "nodes", "Nodes", "error", f"{read}{': ' + why if why else ''}", "every node Ready",
                "wait some minutes; then look at the device's event log: akslite status DEVICE",
            )
        )  # fmt: skip
    else:
        findings.append(ClusterFinding("nodes", "Nodes", "ok", read, "every node Ready"))
    for node in nodes:
        if node.ready and node.message:
            findings.append(
                ClusterFinding(
                    "pressure", f"Node {node.name}", "warning", node.message, "no pressure", "free memory or disk on the device"
                )
            )
    ill = [pod for pod in pods if not pod.healthy]
    read = f"{len(pods) - len(ill)} of {len(pods)} ready"
    if ill or not pods:
        why = "; ".join(f"{pod.namespace}/{pod.name} is {pod.status}" for pod in ill[:5])
        more = f"; and {len(ill) - 5} more" if len(ill) > 5 else ""
        findings.append(
            ClusterFinding(
                "system-pods", "System pods", "error", f"{read}{': ' + why if why else ''}{more}", "every system pod ready",
                "images may still be loading: wait some minutes; then: kubectl describe pod -n NAMESPACE POD",
            )
        )  # fmt: skip
    else:
        findings.append(ClusterFinding("system-pods", "System pods", "ok", read, "every system pod ready"))
    ready = not down and not ill and bool(nodes) and bool(pods)
    return ClusterHealth(ready, version, tuple(nodes), tuple(pods), tuple(findings), way)


def _json_ready(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in data.items()}
