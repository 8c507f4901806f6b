"""What is read of a device before its deployment is removed, and what a person should know of it. Only reads.

Called by ``operations.remove`` for a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from akslite_ps.aksedge.exposure import PortProxy, host_ports
from akslite_ps.errors import CmdletFailed, NotPermitted
from akslite_ps.operations import arc
from akslite_ps.operations.comparison import is_complete
from akslite_ps.operations.plan import Finding

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Session

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True, slots=True)
class Found:
    """What was read for the plan.

    Args:
        facts: The host's.
        complete: The product, too, says that there is a deployment.
        state: How the cluster stands to Azure Arc, None without a complete deployment.
        cluster_name: As the product tells it, None where it does not.
        has_windows_node: One of the cluster's nodes is this machine's Windows node.
        others: Nodes of other machines in the cluster; None where the cluster does not answer.
        orphans: Removing this machine takes the last control plane from the others.
        ports: Port proxies of ours that lead into the cluster.
    """

    facts: HostFacts
    complete: bool = False
    state: arc.ArcState | None = None
    cluster_name: str | None = None
    has_windows_node: bool = False
    others: tuple[str, ...] | None = ()
    orphans: bool = False
    ports: tuple[PortProxy, ...] = ()


def read_device(session: Session) -> Found:
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import host_facts, workload

    facts = host_facts(session)
    if not facts.deployment_exists or not is_complete(session):
        return Found(facts)
    name = AksEdge(session).get_deployment_info().get("ClusterName")
    told = str(name) if name else None
    state = arc.read_arc(session)
    try:
        items = workload(session, "Nodes").get("items") or []
    except (CmdletFailed, NotPermitted):
        return Found(facts, True, state, told, others=None)
    host = (facts.computer_name or "").casefold()
    nodes = {item["metadata"]["name"].casefold(): item["metadata"].get("labels") or {} for item in items}
    windows = nodes.pop(f"{host}-wedge", None)
    nodes.pop(f"{host}-ledge", None)
    orphans = bool(nodes) and not any(_CONTROL_PLANE in labels for labels in nodes.values())
    return Found(facts, True, state, told, windows is not None, tuple(sorted(nodes)), orphans)


def our_ports(session: Session) -> tuple[PortProxy, ...]:
    """Port proxies of ours; none where they cannot be read, as the proof at the end tells."""
    try:
        return tuple(proxy for proxy in host_ports(session).proxies or () if proxy.ours)
    except (CmdletFailed, NotPermitted):
        return ()


def findings(found: Found, config: DeploymentConfig | None) -> Iterator[Finding]:
    exists = bool(found.facts.deployment_exists)
    partial = exists and not found.complete
    yield Finding(
        check="deployment",
        title="Deployment",
        severity="info",
        read=("nodes are left of a deployment that broke off" if partial else "there is one") if exists else "there is none",
        needed="",
    )
    if found.others is None:
        yield Finding(
            check="machines",
            title="Other machines of the cluster",
            severity="warning",
            read="the cluster does not answer",
            needed="none, or such as have a control plane of their own",
            action="make sure that no other machine lives on this one's control plane",
        )
    elif found.others:
        yield Finding(
            check="machines",
            title="Other machines of the cluster",
            severity="error" if found.orphans else "info",
            read=f"nodes {', '.join(found.others)}",
            needed="none, or such as have a control plane of their own",
            action="remove the other machines first: this one has the only control plane" if found.orphans else "",
        )
    yield from _arc_findings(found, config)


def _arc_findings(found: Found, config: DeploymentConfig | None) -> Iterator[Finding]:
    state = found.state
    registered = state.registered if state is not None else False
    if registered is not False and config is not None:
        yield arc.section_finding(config)
    if state is not None:
        left = registered is not False and config is None
        yield Finding(
            check="arc",
            title="Azure Arc",
            severity="warning" if left else "info",
            read=state.sentence,
            needed="not connected, or credentials to disconnect",
            action="give the config with the Arc section: --config FILE" if left else "",
        )


def notes(found: Found, *, product: bool, disconnects: bool) -> Iterator[str]:
    state = found.state
    if state is not None and state.registered is not False and not disconnects:
        name = found.cluster_name or "of this device"
        may = "would be" if state.registered else "may be"
        yield (
            f"Without credentials the connected cluster {name} {may} left in Azure, shown as offline, and its name is taken: "
            f"give --config FILE, or delete it afterwards: az connectedk8s delete --name {found.cluster_name or 'NAME'} "
            "--resource-group GROUP"
        )
    if found.facts.deployment_exists:
        yield "All data in the nodes is lost, volumes of local-path storage included."
        yield "Restart the device before anything is deployed on it again."
    elif product and found.facts.product_name is not None:
        yield "Restart the device before the product is installed again."
