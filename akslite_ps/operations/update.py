"""Updates the product, and Kubernetes where that is allowed, with what Microsoft Update or a person staged on the device.

Releases are taken in order. Three phases: the product, the control plane's node, the worker nodes; each is read back. A cluster
of several machines is updated in two rounds: ``part="product"`` on every machine, then ``part="nodes"`` on one machine after the
other, control planes first. What is read for a plan is in ``operations.update_findings``, the
steps' code in ``operations.update_phases``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.versions import compare
from akslite_ps.operations import verify
from akslite_ps.operations.cluster_nodes import ClusterNode
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.reading import reading
from akslite_ps.operations.update_findings import Coming, Found, Part, findings, notes, read_device
from akslite_ps.operations.update_phases import ACCEPT, CODE, CONTROL_PLANE, PRODUCT, WORKERS, minor_of

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

OPERATION = "update"
_PHASE_LIMIT_S = 3600
_PHASES = {
    CONTROL_PLANE: ("Update the control plane's node", "Start-AksEdgeControlPlaneUpdate"),
    WORKERS: ("Update the worker nodes", "Start-AksEdgeWorkerNodeUpdate"),
}


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
        found = read_device(session)
    coming = Coming.of(found, part)
    accepts = _accepting(found, coming, part, accept_upgrade=accept_upgrade)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=found.facts.computer_name,
        findings=tuple(findings(found, coming, part, accepts=accepts is not None)),
        steps=_steps(found, coming, part, accepts, first_control_plane),
        notes=tuple(notes(found, coming, part)),
    )


def part_of(the_plan: Plan) -> Part:
    """Which phases a plan of this module has."""
    ids = {step.id for step in the_plan.steps}
    if PRODUCT not in ids:
        return "nodes"
    return "all" if ids & _PHASES.keys() else "product"


def _accepting(found: Found, coming: Coming, part: Part, *, accept_upgrade: bool) -> Step | None:
    """The step that lets the device take a new minor version: only where one is coming, and the caller wants it."""
    wanted = accept_upgrade and part != "nodes" and coming.new_minor(found.kubernetes)
    if not wanted and accept_upgrade and part != "nodes" and not found.is_staged and found.following and found.kubernetes:
        wanted = any(minor_of(version) > minor_of(found.kubernetes) for version in found.offered_by(found.following))
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


def _steps(found: Found, coming: Coming, part: Part, accepts: Step | None, first_control_plane: bool | None) -> tuple[Step, ...]:
    """Only what concerns this machine: no phase for a kind of node that it has not, none at all where nothing is staged."""
    begins = part == "nodes" or found.is_staged
    steps = [accepts] if accepts is not None else []
    if part != "nodes" and begins:
        steps.append(_product_step(found, coming))
    if part != "product" and begins:
        planes = [node for node in found.own or () if node.control_plane]
        workers = [node for node in found.own or () if not node.control_plane]
        if planes:
            first = _is_first(found, planes) if first_control_plane is None else first_control_plane
            steps.append(_nodes_step(CONTROL_PLANE, planes, coming, first=first))
        if workers:
            steps.append(_nodes_step(WORKERS, workers, coming))
    if found.facts.deployment_exists:
        steps.extend(verify.steps())
    return tuple(steps)


def _product_step(found: Found, coming: Coming) -> Step:
    wanted = found.staged.product
    return Step(
        id=PRODUCT,
        title="Update the product on the host",
        command="Start-AksEdgeUpdate",
        change=f"updates {found.installed} to {wanted or coming.product or 'what is staged'}",
        disturbs=True,
        max_run_s=_PHASE_LIMIT_S,
        parameters={"from": found.installed, **({"to": wanted} if wanted else {})},
    )


def _nodes_step(step_id: str, nodes: Sequence[ClusterNode], coming: Coming, **more: Any) -> Step:
    title, command = _PHASES[step_id]
    system = f"Kubernetes {coming.kubernetes}" if coming.kubernetes else "a newer system"
    return Step(
        id=step_id,
        title=title,
        command=command,
        change=f"restarts {', '.join(node.name for node in nodes)} with {system}",
        disturbs=True,
        max_run_s=_PHASE_LIMIT_S,
        parameters={"kubernetes": coming.kubernetes, "before": {node.name: node.system for node in nodes}, **more},
    )


def _is_first(found: Found, planes: Sequence[ClusterNode]) -> bool:
    """No other control plane is ahead of this machine's."""
    own = [node.kubernetes for node in planes if node.kubernetes]
    ahead = [node.kubernetes for node in found.others if node.control_plane and node.kubernetes]
    return not any(compare(other, mine) > 0 for other in ahead for mine in own)


__all__ = ["ACCEPT", "CODE", "CONTROL_PLANE", "OPERATION", "PRODUCT", "WORKERS", "Part", "part_of", "plan"]
