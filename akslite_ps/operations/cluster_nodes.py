"""The nodes of a device's cluster as its Kubernetes tells them, read on the device. Used by update and by scaling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from akslite_ps.aksedge.versions import is_version
from akslite_ps.errors import CmdletFailed, Unreachable
from akslite_ps.operations.work import Work

if TYPE_CHECKING:
    from akslite_ps.aksedge.calls.nodes import NodeType
    from akslite_ps.remoting import Session

_CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """What a node runs, as Kubernetes reports it.

    Args:
        name: The node's name.
        control_plane: It is one of the control plane.
        ready: Its Ready condition is True.
        version: The kubelet's, e.g. ``v1.31.6+k3s1``.
        image, kernel: Of the system.
        address: Its address within the cluster, None where it is not told.
    """

    name: str
    control_plane: bool
    ready: bool
    version: str
    image: str
    kernel: str
    address: str | None = None

    @classmethod
    def read(cls, node: Mapping[str, Any]) -> Self:
        """Of a node as Kubernetes gives it."""
        labels = node["metadata"].get("labels") or {}
        status = node.get("status") or {}
        info = status.get("nodeInfo") or {}
        ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or ())
        version, image, kernel = (info.get(member, "") for member in ("kubeletVersion", "osImage", "kernelVersion"))
        addresses = (item.get("address") for item in status.get("addresses") or () if item.get("type") == "InternalIP")
        control_plane = any(label in labels for label in _CONTROL_PLANE_LABELS)
        return cls(node["metadata"]["name"], control_plane, ready, version, image, kernel, next(addresses, None))

    @property
    def kubernetes(self) -> str | None:
        """The version's numbers, e.g. ``1.31.6``; None where they cannot be read."""
        numbers = self.version.removeprefix("v").partition("+")[0].partition("-")[0]
        return numbers if is_version(numbers) else None

    @property
    def system(self) -> list[str]:
        """All that differs where the node got another system, JSON-ready."""
        return [self.version, self.image, self.kernel]


def read_nodes(session: Session) -> list[ClusterNode]:
    """All nodes of the device's cluster, read on the device.

    Raises:
        CmdletFailed: Its Kubernetes does not answer.
    """
    from akslite_ps.aksedge.ops import workload

    return [ClusterNode.read(node) for node in workload(session, "Nodes").get("items") or ()]


def nodes_now(work: Work, session: Session) -> list[ClusterNode]:
    """The same within a step: an API server that is away for a while counts as unreachable.

    Raises:
        Unreachable: Kubernetes does not answer on the device now.
    """
    try:
        return read_nodes(session)
    except CmdletFailed as error:
        raise Unreachable(
            f"Kubernetes does not answer on the device: {error.message}",
            device=session.device.name,
            attempted=work.step.title,
            next_action="see on the device whether its node runs (Test-AksEdgeNode, Start-AksEdgeNode)",
        ) from error


def in_words(nodes: Iterable[ClusterNode]) -> str:
    """The nodes in one line."""
    return "; ".join(f"{node.name} {'Ready' if node.ready else 'NotReady'} {node.version}" for node in nodes)


def names_on(computer: str | None) -> Mapping[NodeType, str]:
    """How Kubernetes calls the nodes of a machine, by kind."""
    host = (computer or "").casefold()
    return {"Linux": f"{host}-ledge", "Windows": f"{host}-wedge"}
