"""What an update meets on a device: what is staged, what may follow what, and what stands in the way. Only reads.

Called by ``operations.update``. What staged files look like is not documented: where they tell no versions, the release table
and what the device accepts say what may come, and what is not certain is not expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from akslite_ps.aksedge.releases import distribution_of, find_release, next_release
from akslite_ps.aksedge.versions import compare, is_version, version_key
from akslite_ps.errors import CmdletFailed
from akslite_ps.operations.cluster_nodes import ClusterNode, names_on, read_nodes
from akslite_ps.operations.plan import Finding
from akslite_ps.operations.update_phases import minor_of

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.aksedge.ops import StagedUpdate
    from akslite_ps.aksedge.releases import Release
    from akslite_ps.remoting import Session

Part = Literal["all", "product", "nodes"]
"""``all`` for a single machine; ``product``: the first phase only; ``nodes``: the phases after it, where the first is done."""
_ACCEPT_UPGRADE = "--accept-upgrade, or accept_upgrade=True"


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    Args:
        facts: Of the host.
        staged: What waits on it.
        accepts_upgrade: It takes new minor versions of Kubernetes.
        own, others: Nodes of the cluster, on this machine and elsewhere; None where Kubernetes does not answer.
        trouble: Why not.
    """

    facts: HostFacts
    staged: StagedUpdate
    accepts_upgrade: bool
    own: tuple[ClusterNode, ...] | None = ()
    others: tuple[ClusterNode, ...] = ()
    trouble: str = ""

    @property
    def installed(self) -> str | None:
        """Version of the product, None where there is none that can be read."""
        version = self.facts.product_version
        return version if version is not None and is_version(version) else None

    @property
    def following(self) -> Release | None:
        """The release in turn."""
        return next_release(self.installed) if self.installed else None

    @property
    def is_staged(self) -> bool:
        """Files wait; also where they cannot be read, for the product knows better."""
        return self.staged.files is None or bool(self.staged.files)

    @property
    def kubernetes(self) -> str | None:
        """The oldest Kubernetes version of this machine's nodes, None where there is none."""
        versions = [node.kubernetes for node in self.own or () if node.kubernetes]
        return min(versions, key=version_key, default=None)

    def offered_by(self, release: Release | None) -> tuple[str, ...]:
        """Kubernetes versions that a release brings for this product; empty where unknown."""
        distribution = distribution_of(self.facts.product_name or "")
        return (release.kubernetes(distribution) if release and distribution else None) or ()


def read_device(session: Session) -> Found:
    """Read all that a plan needs.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import StagedUpdate, host_facts, staged_update

    facts = host_facts(session)
    if facts.product_name is None:
        return Found(facts, StagedUpdate(files=()), accepts_upgrade=False)
    staged, accepts = staged_update(session), AksEdge(session).get_upgrade()
    if not facts.deployment_exists:
        return Found(facts, staged, accepts)
    try:
        nodes = read_nodes(session)
    except CmdletFailed as error:
        return Found(facts, staged, accepts, own=None, trouble=error.message)
    own = tuple(node for node in nodes if node.name in names_on(facts.computer_name).values())
    if not own and len(nodes) == 1:
        own = tuple(nodes)
    return Found(facts, staged, accepts, own, tuple(node for node in nodes if node not in own))


@dataclass(frozen=True, slots=True)
class Coming:
    """What an update brings, as far as it is known before.

    Args:
        product: Version of the product, None where there is nothing to come or nothing tells.
        kubernetes: Version of Kubernetes, None where it is not certain.
        highest: The highest version of Kubernetes that it may be.
    """

    product: str | None = None
    kubernetes: str | None = None
    highest: str | None = None

    @classmethod
    def of(cls, found: Found, part: Part) -> Coming:
        """From the staged files where they tell, else from the release table and what the device accepts."""
        staged, now = found.staged, found.kubernetes
        if part == "nodes":
            release = find_release(found.installed) if found.installed else None
            product = found.installed
        else:
            product = staged.product or (found.following.product if found.following else None)
            release = find_release(product) if product else None
            if staged.kubernetes is not None:
                return cls(product, staged.kubernetes, staged.kubernetes)
        if now is None:
            return cls(product)
        by_minor = {minor_of(version): version for version in found.offered_by(release)}
        same, higher = by_minor.get(minor_of(now)), by_minor.get(minor_of(now) + 1)
        certain = same if not found.accepts_upgrade or higher is None else (higher if same is None else None)
        return cls(product, certain, (higher if found.accepts_upgrade or same is None else None) or same)

    def new_minor(self, now: str | None) -> bool:
        """A new minor version of Kubernetes is, or may be, coming."""
        return now is not None and self.highest is not None and minor_of(self.highest) > minor_of(now)


def findings(found: Found, coming: Coming, part: Part, *, accepts: bool) -> Iterator[Finding]:
    """What a person should know before, and what forbids the update.

    Args:
        found: What was read.
        coming: What the update brings.
        part: Which phases are planned.
        accepts: The plan lets the device take a new minor version of Kubernetes.
    """
    if found.installed is None:
        yield Finding(
            check="product",
            title="Product",
            severity="error",
            read=found.facts.product_name or "not installed",
            needed="AKS Edge Essentials, with a version",
            action="install and deploy it first: akslite deploy",
        )
        return
    following = found.following
    yield Finding(
        check="product",
        title="Product",
        severity="ok",
        read=f"{found.facts.product_name} {found.installed}"
        + (f"; {following.product} follows" if following else "; the newest release known here"),
        needed="AKS Edge Essentials",
    )
    if part != "nodes":
        yield _staged_finding(found, accepts=accepts)
    if found.is_staged or part == "nodes":
        yield from _kubernetes_finding(found, coming, part, accepts=accepts)
    yield from _cluster_findings(found, coming, part)
    if found.facts.pending_reboot:
        yield Finding(
            check="reboot",
            title="Restart",
            severity="warning",
            read=f"Windows wants one: {', '.join(found.facts.pending_reboot_reasons)}",
            needed="none is due",
            action="restart the device before the update",
        )


def _staged_finding(found: Found, *, accepts: bool) -> Finding:
    staged, following = found.staged, found.following
    result: dict[str, Any] = {"check": "staged", "title": "Staged update", "needed": "the release that follows, or none"}
    if staged.files is None:
        read = f"{' and '.join(staged.folders)} cannot be read; whether an update waits is seen when the product looks"
        return Finding(**result, severity="warning", read=read, action="use an endpoint whose role may read them")
    if not staged.files:
        if following is None:
            return Finding(**result, severity="ok", read="nothing is staged, and no newer release is known here")
        if accepts and not found.accepts_upgrade:
            return Finding(
                **result,
                severity="warning",
                read="nothing is staged",
                action="this plan only lets the device take upgrades; then scan for updates and plan again",
            )
        return Finding(**result, severity="error", read="nothing is staged", action=_how_to_stage(found, following))
    count = len(staged.files)
    read = f"{count} {'file' if count == 1 else 'files'}, {staged.size / 1e6:.1f} MB"
    if staged.newest_at is not None:
        read += f", of {staged.newest_at:%Y-%m-%d %H:%M} UTC"
    if staged.product is None:
        return Finding(**result, severity="info", read=f"{read}; which release they are of is seen after the first phase")
    read = f"{staged.product}" + (f" with Kubernetes {staged.kubernetes}" if staged.kubernetes else "") + f" ({read})"
    assert found.installed is not None
    if compare(staged.product, found.installed) <= 0:
        return Finding(**result, severity="error", read=f"{read}, not newer than what is installed", action="remove these files")
    if following is None or compare(staged.product, following.product) != 0:
        known = (
            f"{following.product} follows {found.installed}" if following else f"no release after {found.installed} is known here"
        )
        return Finding(
            **result,
            severity="error" if following else "warning",
            read=f"{read}; {known}",
            action="releases are taken in order: stage the one that follows" if following else "see its release notes first",
        )
    return Finding(**result, severity="ok", read=read)


def _how_to_stage(found: Found, following: Release) -> str:
    now, offered = found.kubernetes, found.offered_by(following)
    needs_upgrade = now is not None and bool(offered) and all(minor_of(version) > minor_of(now) for version in offered)
    first = f"let it take a new Kubernetes first ({_ACCEPT_UPGRADE}); " if needs_upgrade and not found.accepts_upgrade else ""
    return (
        f"{first}have the device scan for updates (Microsoft Update or WSUS, other Microsoft products included), or run the files "
        f"of {following.product} from the Update Catalog on it with -y. Where the first phase ran already: --part nodes"
    )


def _kubernetes_finding(found: Found, coming: Coming, part: Part, *, accepts: bool) -> Iterator[Finding]:
    now = found.kubernetes
    if now is None:
        return
    result: dict[str, Any] = {"check": "kubernetes", "title": "Kubernetes", "needed": "the same minor version, or one higher"}
    read = f"{now} now; " + (
        f"{coming.kubernetes} comes" if coming.kubernetes else f"{coming.highest or 'an unknown version'} may come"
    )
    if not coming.new_minor(now):
        yield Finding(**result, severity="ok" if coming.highest else "info", read=read)
    elif coming.highest is not None and minor_of(coming.highest) > minor_of(now) + 1:
        yield Finding(
            **result, severity="error", read=f"{read}: a minor version is skipped", action="take the releases between first"
        )
    elif accepts or part == "nodes":
        yield Finding(**result, severity="info", read=f"{read}: a new minor version, which cannot be undone")
    elif found.accepts_upgrade:
        yield Finding(
            **result,
            severity="warning",
            read=f"{read}: a new minor version, which this device was set to take; it cannot be undone",
            action="see that the workloads run on it; or: Set-AksEdgeUpgrade -AcceptUpgrade $false, and stage the update anew",
        )
    else:
        yield Finding(
            **result,
            severity="error",
            read=f"{read}: a new minor version, and this device takes none",
            action=f"see that the workloads run on it, then {_ACCEPT_UPGRADE}",
        )


def _cluster_findings(found: Found, coming: Coming, part: Part) -> Iterator[Finding]:
    if not found.facts.deployment_exists:
        if part == "nodes":
            yield Finding(
                check="cluster",
                title="Nodes",
                severity="error",
                read="there is no deployment",
                needed="nodes on this machine",
                action="only the product can be updated: --part product",
            )
        return
    result: dict[str, Any] = {"check": "cluster", "title": "Nodes", "needed": "all Ready, and known to Kubernetes"}
    if found.own is None:
        yield Finding(
            **result,
            severity="error",
            read=f"Kubernetes does not answer: {found.trouble}",
            action="get the cluster to answer first (akslite status, Start-AksEdgeNode)",
        )
        return
    nodes = (*found.own, *found.others)
    late = [node.name for node in nodes if not node.ready]
    if not found.own:
        yield Finding(
            **result,
            severity="error",
            read=f"none of {', '.join(node.name for node in nodes) or 'no nodes'} is this machine's",
            action="see whether the host was renamed after the deployment",
        )
    elif late:
        yield Finding(
            **result, severity="error", read=f"not Ready: {', '.join(late)}", action="mend these nodes first: akslite status"
        )
    else:
        yield Finding(**result, severity="ok", read=", ".join(f"{node.name} {node.version}" for node in nodes))
    if found.others and part == "all" and found.is_staged:
        yield Finding(
            check="machines",
            title="Machines",
            severity="error",
            read=f"the cluster has nodes on other machines: {', '.join(node.name for node in found.others)}",
            needed="one machine, or one round after the other",
            action="update with --part product on every machine first, then with --part nodes on one after the other: control "
            "planes first, then the machines with workers only",
        )
    if part == "nodes" and (early := _too_early(found, coming)):
        yield Finding(
            check="order",
            title="Order",
            severity="error",
            read=f"control planes of an older version: {', '.join(early)}",
            needed="the control planes are updated",
            action="update them first: --part nodes on their machines",
        )


def _too_early(found: Found, coming: Coming) -> list[str]:
    """Control planes that must come before this machine, which has workers only."""
    if coming.kubernetes is None or any(node.control_plane for node in found.own or ()):
        return []
    planes = (node for node in found.others if node.control_plane and node.kubernetes)
    return [node.name for node in planes if node.kubernetes and compare(node.kubernetes, coming.kubernetes) < 0]


def notes(found: Found, coming: Coming, part: Part) -> Iterator[str]:
    """Sentences to read before approving."""
    if found.installed is None:
        return
    if not found.is_staged and part != "nodes":
        if found.following is None:
            yield f"Nothing is staged, and no release after {found.installed} is known here: there is nothing to update."
        return
    yield "There is no way back to an earlier release; a node that cannot be updated starts with its former system by itself."
    if found.own and part != "product":
        alone = not any(node.control_plane for node in found.others)
        yield "The nodes restart" + (
            "; the Kubernetes API and all workloads of this machine are away meanwhile."
            if alone
            else "; what runs on this machine's nodes is away meanwhile."
        )
    if part == "product" and found.others:
        yield "Update the product on every machine of the cluster before the first machine's nodes."
    if part == "nodes":
        yield "Only where Start-AksEdgeUpdate has run on every machine of the cluster."
    if coming.new_minor(found.kubernetes):
        yield f"Kubernetes moves from {found.kubernetes} towards {coming.highest}: a new minor version may end old API versions."
