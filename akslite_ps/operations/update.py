"""Updates the product, and Kubernetes where that is allowed, with what Microsoft Update or a person staged on the device.

Releases are taken in order. Three phases: the product, the control plane's node, the worker nodes; each is read back. A cluster
of several machines is updated in two rounds: ``part="product"`` on every machine, then ``part="nodes"`` on one machine after the
other, control planes first. The steps' code is in ``operations.update_phases``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from akslite_ps.aksedge.releases import distribution_of, find_release, next_release
from akslite_ps.aksedge.versions import compare, is_version, version_key
from akslite_ps.errors import CmdletFailed
from akslite_ps.operations import verify
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.reading import reading
from akslite_ps.operations.update_phases import ACCEPT, CODE, CONTROL_PLANE, PRODUCT, WORKERS, NodeSystem, minor_of, read_nodes

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.aksedge.ops import StagedUpdate
    from akslite_ps.aksedge.releases import Release
    from akslite_ps.remoting import Device, Session

OPERATION = "update"
Part = Literal["all", "product", "nodes"]
"""``all`` for a single machine; ``product``: the first phase only; ``nodes``: the phases after it, where the first is done."""
PARTS: tuple[Part, ...] = get_args(Part)

_PHASE_LIMIT_S = 3600
_ACCEPT_UPGRADE = "--accept-upgrade, or accept_upgrade=True"


def plan(
    device: Device,
    *,
    part: Part = "all",
    accept_upgrade: bool = False,
    first_control_plane: bool | None = None,
    open_session: OpenSession = open_session,
    ask: Ask | None = None,
) -> Plan:
    """Read the device and say what is staged, what may follow what, and what updating would do.

    Args:
        device: The device.
        part: Which phases.
        accept_upgrade: The caller wants a new minor version of Kubernetes where one is coming; the device is told so.
        first_control_plane: This machine's is the first control plane of the cluster to be updated; default: yes where no
            other one has a newer Kubernetes already.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    with reading(device, open_session=open_session, ask=ask) as session:
        found = _read(session)
    coming = _Coming.of(found, part)
    accepts = _accepting(found, coming, part, accept_upgrade=accept_upgrade)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        findings=tuple(_findings(found, coming, part, accepts=accepts is not None)),
        steps=_steps(found, coming, part, accepts, first_control_plane),
        notes=tuple(_notes(found, coming, part)),
    )


def part_of(the_plan: Plan) -> Part:
    """Which phases a plan of this module has."""
    ids = {step.id for step in the_plan.steps}
    if PRODUCT not in ids:
        return "nodes"
    return "all" if CONTROL_PLANE in ids else "product"


# -- what there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
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
    own: tuple[NodeSystem, ...] | None = ()
    others: tuple[NodeSystem, ...] = ()
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


def _read(session: Session) -> _Found:
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import StagedUpdate, host_facts, staged_update

    facts = host_facts(session)
    if facts.product_name is None:
        return _Found(facts, StagedUpdate(files=()), accepts_upgrade=False)
    staged, accepts = staged_update(session), AksEdge(session).get_upgrade()
    if not facts.deployment_exists:
        return _Found(facts, staged, accepts)
    try:
        nodes = read_nodes(session)
    except CmdletFailed as error:
        return _Found(facts, staged, accepts, own=None, trouble=error.message)
    computer = (facts.computer_name or "").casefold()
    own = tuple(node for node in nodes if node.name in (f"{computer}-ledge", f"{computer}-wedge"))
    if not own and len(nodes) == 1:
        own = tuple(nodes)
    return _Found(facts, staged, accepts, own, tuple(node for node in nodes if node not in own))


@dataclass(frozen=True, slots=True)
class _Coming:
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
    def of(cls, found: _Found, part: Part) -> _Coming:
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
        distribution = distribution_of(found.facts.product_name or "")
        offered = (release.kubernetes(distribution) if release and distribution else None) or ()
        if now is None:
            return cls(product)
        by_minor = {minor_of(version): version for version in offered}
        same, higher = by_minor.get(minor_of(now)), by_minor.get(minor_of(now) + 1)
        certain = same if not found.accepts_upgrade or higher is None else (higher if same is None else None)
        return cls(product, certain, (higher if found.accepts_upgrade or same is None else None) or same)

    def new_minor(self, now: str | None) -> bool:
        """A new minor version of Kubernetes is, or may be, coming."""
        return now is not None and self.highest is not None and minor_of(self.highest) > minor_of(now)


def _accepting(found: _Found, coming: _Coming, part: Part, *, accept_upgrade: bool) -> Step | None:
    """The step that lets the device take a new minor version: only where one is coming, and the caller wants it."""
    wanted = accept_upgrade and part != "nodes" and coming.new_minor(found.kubernetes)
    if not wanted and accept_upgrade and part != "nodes" and not found.is_staged and found.following and found.kubernetes:
        distribution = distribution_of(found.facts.product_name or "")
        offered = (found.following.kubernetes(distribution) if distribution else None) or ()
        wanted = any(minor_of(version) > minor_of(found.kubernetes) for version in offered)
    if not wanted:
        return None
    return Step(
        id=ACCEPT,
        title="Let the device take a new minor version of Kubernetes",
        command="Set-AksEdgeUpgrade",
        change="" if found.accepts_upgrade else "accepts upgrades of Kubernetes on this device",
        needed=not found.accepts_upgrade,
        typical_s=5,
        max_run_s=120,
    )


# -- findings ---------------------------------------------------------------------------------------------------------


def _findings(found: _Found, coming: _Coming, part: Part, *, accepts: bool) -> Iterator[Finding]:
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


def _staged_finding(found: _Found, *, accepts: bool) -> Finding:
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
    read = f"{len(staged.files)} files, {staged.size / 1e6:.1f} MB"
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


def _how_to_stage(found: _Found, following: Release) -> str:
    distribution = distribution_of(found.facts.product_name or "")
    offered = (following.kubernetes(distribution) if distribution else None) or ()
    now = found.kubernetes
    needs_upgrade = now is not None and bool(offered) and all(minor_of(version) > minor_of(now) for version in offered)
    first = f"first let it take a new Kubernetes ({_ACCEPT_UPGRADE}), then " if needs_upgrade and not found.accepts_upgrade else ""
    return (
        f"{first}let the device scan for updates (Microsoft Update or WSUS; updates for other Microsoft products switched on), "
        f"or run the files of {following.product} from the Update Catalog on it with -y; if Start-AksEdgeUpdate ran already in "
        "another way, go on with the nodes: --part nodes"
    )


def _kubernetes_finding(found: _Found, coming: _Coming, part: Part, *, accepts: bool) -> Iterator[Finding]:
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


def _cluster_findings(found: _Found, coming: _Coming, part: Part) -> Iterator[Finding]:
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


def _too_early(found: _Found, coming: _Coming) -> list[str]:
    """Control planes that must come before this machine, which has workers only."""
    if coming.kubernetes is None or any(node.control_plane for node in found.own or ()):
        return []
    planes = (node for node in found.others if node.control_plane and node.kubernetes)
    return [node.name for node in planes if node.kubernetes and compare(node.kubernetes, coming.kubernetes) < 0]


def _notes(found: _Found, coming: _Coming, part: Part) -> Iterator[str]:
    if found.installed is None or not (found.is_staged or part == "nodes"):
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


# -- steps ------------------------------------------------------------------------------------------------------------


def _steps(found: _Found, coming: _Coming, part: Part, accepts: Step | None, first_control_plane: bool | None) -> tuple[Step, ...]:
    begins = part == "nodes" or found.is_staged
    steps = [accepts] if accepts is not None else []
    if part != "nodes":
        steps.append(_product_step(found, coming))
    if part != "product" and found.facts.deployment_exists:
        planes = [node for node in found.own or () if node.control_plane]
        workers = [node for node in found.own or () if not node.control_plane]
        steps.append(
            _nodes_step(
                CONTROL_PLANE,
                "Update the control plane's node",
                "Start-AksEdgeControlPlaneUpdate",
                planes,
                coming,
                begins=begins,
                first=_is_first(found, planes) if first_control_plane is None else first_control_plane,
            )
        )
        steps.append(
            _nodes_step(WORKERS, "Update the worker nodes", "Start-AksEdgeWorkerNodeUpdate", workers, coming, begins=begins)
        )
    if found.facts.deployment_exists:
        steps.extend(verify.steps())
    return tuple(steps)


def _product_step(found: _Found, coming: _Coming) -> Step:
    wanted = found.staged.product
    return Step(
        id=PRODUCT,
        title="Update the product on the host",
        command="Start-AksEdgeUpdate",
        change=f"updates {found.installed} to {wanted or coming.product or 'what is staged'}" if found.is_staged else "",
        needed=found.is_staged,
        disturbs=found.is_staged,
        max_run_s=_PHASE_LIMIT_S,
        parameters={"from": found.installed, **({"to": wanted} if wanted else {})},
    )


def _nodes_step(
    step_id: str, title: str, command: str, nodes: Sequence[NodeSystem], coming: _Coming, *, begins: bool, **more: Any
) -> Step:
    needed = begins and bool(nodes)
    system = f"Kubernetes {coming.kubernetes}" if coming.kubernetes else "a newer system"
    return Step(
        id=step_id,
        title=title,
        command=command,
        change=f"restarts {', '.join(node.name for node in nodes)} with {system}" if needed else "",
        needed=needed,
        disturbs=needed,
        max_run_s=_PHASE_LIMIT_S,
        parameters={"kubernetes": coming.kubernetes, "before": {node.name: node.system for node in nodes}, **more},
    )


def _is_first(found: _Found, planes: Sequence[NodeSystem]) -> bool:
    """No other control plane is ahead of this machine's."""
    own = [node.kubernetes for node in planes if node.kubernetes]
    ahead = [node.kubernetes for node in found.others if node.control_plane and node.kubernetes]
    return not any(compare(other, mine) > 0 for other in ahead for mine in own)


__all__ = ["ACCEPT", "CODE", "CONTROL_PLANE", "OPERATION", "PARTS", "PRODUCT", "WORKERS", "Part", "part_of", "plan"]
