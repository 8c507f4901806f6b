"""What the machine that keeps a cluster tells before the cluster grows or shrinks, and what a person should know of it.

Used by ``operations.scale_node`` and ``operations.scale_join``. Only reads. What Get-AksEdgeDeploymentInfo does not tell is not
judged: its layout is not documented.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.host_requirements import VM_OVERHEAD_MB
from akslite_ps.errors import CmdletFailed, UsageError
from akslite_ps.operations.cluster_nodes import ClusterNode, in_words, names_on, read_nodes
from akslite_ps.operations.comparison import is_complete
from akslite_ps.operations.plan import Finding

if TYPE_CHECKING:
    from akslite_ps.aksedge.calls.nodes import NodeType
    from akslite_ps.aksedge.config import NodeType as NodeTypes
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Session

SMALLEST_NODE_MB = 2048
Addresses = Mapping["NodeType", str | None]
"""The address of each kind of node to come; None where the product chooses it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A machine of a cluster.

    Args:
        facts: The host's.
        complete: It has a deployment, and the product says so.
        info: What Get-AksEdgeDeploymentInfo tells.
        nodes: All nodes of the cluster; None where Kubernetes does not answer.
        trouble: Why not.
    """

    facts: HostFacts
    complete: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[ClusterNode, ...] | None = None
    trouble: str = ""

    @property
    def scalable(self) -> bool | None:
        """Whether other machines can join; None where it is not told."""
        told = self.info.get("DeploymentType")
        return None if not told else str(told).casefold() == "scalablecluster"

    @property
    def own(self) -> tuple[ClusterNode, ...]:
        """The nodes of this machine."""
        names = names_on(self.facts.computer_name).values()
        return tuple(node for node in self.nodes or () if node.name.casefold() in names)

    @property
    def others(self) -> tuple[ClusterNode, ...]:
        """The nodes of other machines."""
        own = self.own
        return tuple(node for node in self.nodes or () if node not in own)

    @property
    def subnet(self) -> ipaddress.IPv4Network | None:
        """The nodes' subnet, None where it is not told."""
        try:
            return ipaddress.IPv4Network(str(self._network().get("Ip4AddressPrefix") or ""), strict=False)
        except ValueError:
            return None

    @property
    def taken(self) -> Mapping[str, str]:
        """Addresses that the cluster is known to use, and for what."""
        found = {node.address: f"node {node.name}" for node in self.nodes or () if node.address}
        if endpoint := self._network().get("ControlPlaneEndpointIp"):
            found[str(endpoint)] = "the control plane's address"
        if self.facts.default_gateway:
            found[self.facts.default_gateway] = "the gateway"
        linux = self.info.get("LinuxNodeConfig")
        services = str(linux.get("ServiceIpRange") or "") if isinstance(linux, Mapping) else ""
        first, _, last = services.partition("-")
        try:
            start, end = ipaddress.IPv4Address(first.strip()), ipaddress.IPv4Address(last.strip())
        except ValueError:
            return found
        count = min(int(end) - int(start), 255)
        return {**found, **{str(start + offset): "the addresses of services" for offset in range(count + 1)}}

    def _network(self) -> Mapping[str, Any]:
        section = self.info.get("Network")
        return section if isinstance(section, Mapping) else {}


def read_member(session: Session) -> Member:
    """Read a machine that may keep a cluster.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import host_facts

    facts = host_facts(session)
    if not facts.deployment_exists or not is_complete(session):
        return Member(facts)
    info = AksEdge(session).get_deployment_info()
    try:
        return Member(facts, True, info, tuple(read_nodes(session)))
    except CmdletFailed as error:
        return Member(facts, True, info, None, error.message)


def wanted_addresses(linux: str | None, windows: str | None) -> Addresses:
    """The addresses that a caller gave, by kind, those that it gave only.

    Raises:
        UsageError: One is no IPv4 address, or both are the same.
    """
    given: dict[NodeType, str] = {}
    if linux is not None:
        given["Linux"] = linux
    if windows is not None:
        given["Windows"] = windows
    for kind, text in given.items():
        try:
            given[kind] = str(ipaddress.IPv4Address(text.strip()))
        except ValueError:
            raise UsageError(
                f"{text} is no IPv4 address for the {kind} node", next_action="give a free address of the nodes' subnet"
            ) from None
    if len(set(given.values())) < len(given):
        raise UsageError(f"both nodes have the address {given['Linux']}", next_action="give each its own")
    return given


def both_kinds(kinds: Sequence[NodeType]) -> NodeTypes:
    """How the product's cmdlets call one kind of node, or both."""
    return "LinuxAndWindows" if len(kinds) > 1 else kinds[0]


# -- findings -----------------------------------------------------------------------------------------------------


def cluster_findings(member: Member) -> Iterator[Finding]:
    """Whether there is a cluster, and how its nodes are."""
    yield Finding(
        check="deployment",
        title="Deployment",
        severity="ok" if member.complete else "error",
        read="there is one" if member.complete else "there is none, or an incomplete one",
        needed="a complete deployment",
        action="" if member.complete else "deploy first: akslite deploy",
    )
    if not member.complete:
        return
    result: dict[str, Any] = {"check": "nodes", "title": "Nodes of the cluster", "needed": "all Ready"}
    if member.nodes is None:
        yield Finding(
            **result,
            severity="error",
            read=f"Kubernetes does not answer: {member.trouble}",
            action="get the cluster to answer first (akslite status, Start-AksEdgeNode)",
        )
        return
    late = [node.name for node in member.nodes if not node.ready]
    yield Finding(
        **result,
        severity="warning" if late else "ok",
        read=f"not Ready: {', '.join(late)}" if late else in_words(member.nodes),
        action="mend these nodes first: akslite diagnose" if late else "",
    )


def control_plane_finding(member: Member) -> Finding:
    """Join configs are made on a machine of the control plane only."""
    is_one = any(node.control_plane for node in member.own)
    return Finding(
        check="control-plane",
        title="Control plane",
        severity="ok" if is_one else "error",
        read="on this machine" if is_one else "not on this machine",
        needed="on this machine",
        action="" if is_one else "use the machine that the cluster was made on",
    )


def address_findings(member: Member, wanted: Addresses, others: Sequence[HostFacts] = ()) -> Iterator[Finding]:
    """Whether each address can be used, as far as the cluster and the hosts tell.

    Args:
        member: The machine that keeps the cluster.
        wanted: The addresses to come.
        others: Hosts, beside the member's, whose own addresses count, too.
    """
    hosts = {address: facts.computer_name for facts in (member.facts, *others) for address in facts.ip4_addresses}
    for kind, address in wanted.items():
        if address is None:
            continue
        subnet = member.subnet
        used = member.taken.get(address) or (f"the host {hosts[address]}" if address in hosts else None)
        outside = subnet is not None and ipaddress.IPv4Address(address) not in subnet
        needed = f"a free address of {subnet}" if subnet is not None else "a free address of the nodes' subnet"
        yield Finding(
            check=f"address:{kind}",
            title=f"Address of the {kind} node",
            severity="error" if used or outside else "ok",
            read=f"{address}, used by {used}" if used else (f"{address}, outside the subnet" if outside else address),
            needed=needed,
            action="give another one" if used or outside else "",
        )


def free_memory_finding(facts: HostFacts, wanted_mb: object) -> Finding:
    """Whether the host has memory for another node: of the size that is wanted, or of the least that is documented."""
    needed = (wanted_mb if isinstance(wanted_mb, int) else SMALLEST_NODE_MB) + VM_OVERHEAD_MB
    free = facts.free_memory_mb
    enough = free is not None and free >= needed
    return Finding(
        check="free-memory",
        title="Free memory",
        severity="ok" if enough else ("warning" if free is None else "error"),
        read="not told" if free is None else f"{free} MB",
        needed=f"at least {needed} MB",
        action="" if enough else "end what takes the memory, or give the node less: --set Machines[0].LinuxNode.MemoryInMB=2048",
    )
