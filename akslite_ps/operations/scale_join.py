"""Joins another machine to a cluster: ``akslite scale join``. The run is the joining machine's; the other one only helps.

Right before the machine joins, a machine of the control plane writes the config for it. Its token lives 24 hours and is void as
soon as the next one is made, so it is made when everything else is ready, held in memory only, and made anew where the run is
resumed before the join was sent. Meanwhile the other machine is locked, too: a second join would void the token in use.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.releases import distribution_of
from akslite_ps.errors import AksLiteError, SessionLost, Unreachable, UsageError
from akslite_ps.journal import owner_name
from akslite_ps.operations import deploy, install, prepare
from akslite_ps.operations.cluster_nodes import ClusterNode, in_words, names_on, nodes_now
from akslite_ps.operations.comparison import is_complete
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.msi_source import MsiSource
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.preflight import host_findings, product_findings
from akslite_ps.operations.reading import reading
from akslite_ps.operations.scale_findings import (
    Addresses,
    Member,
    address_findings,
    both_kinds,
    cluster_findings,
    control_plane_finding,
    read_member,
    wanted_addresses,
)
from akslite_ps.operations.scale_node import ONE_AT_A_TIME, judged_ready
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.endpoint import Device

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Session

OPERATION = "scale join"
JOIN = "scale.join"
READY = "scale.joined"
_LEFTOVERS = "remove them first: akslite remove; then join again"


def plan_join(
    primary: Device,
    joining: Device,
    *,
    linux_address: str | None = None,
    windows_address: str | None = None,
    control_plane: bool = False,
    values: Mapping[str, Any] | None = None,
    accept_eula: bool | None = None,
    msi: MsiSource | None = None,
    open_session: OpenSession = open_session,
    ask: Ask | None = None,
) -> Plan:
    """Read both machines and say what it takes for one to join the other's cluster.

    Args:
        primary: A machine of the cluster's control plane.
        joining: The machine that joins; what it lacks is prepared and installed.
        linux_address, windows_address: IPv4 addresses of its nodes; a node without one is not made.
        control_plane: Its Linux node becomes part of the control plane.
        values: Changes of the config that the primary writes for it, by path, e.g.
            ``Machines[0].NetworkConnection.AdapterName`` or ``Machines[0].LinuxNode.CpuCount``.
        accept_eula: As for :func:`akslite_ps.operations.deploy.plan`.
        msi: The installer, for a machine without the product; needed there, and of the cluster's release.
        open_session: Opens the sessions to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        UsageError: No node is wanted, an address is none, or both machines are the same.
        ConfirmationRequired: The licence terms are refused.
        RemotingError: A device cannot be read.
        CmdletFailed: The product does not tell.
    """
    wanted = wanted_addresses(linux_address, windows_address)
    if not wanted:
        raise UsageError("no node is wanted", next_action="give the address of its Linux node: --linux-ip ADDRESS")
    if control_plane and "Linux" not in wanted:
        raise UsageError("only a Linux node can be part of the control plane", next_action="give its address: --linux-ip ADDRESS")
    if primary.name.casefold() == joining.name.casefold():
        raise UsageError(f"{joining.name} cannot join itself", next_action="to add a node to it: akslite scale add-node")
    if accept_eula is False:
        raise deploy.eula_refusal(joining.name)
    with reading(primary, open_session=open_session, ask=ask) as session:
        member = read_member(session)
    with reading(joining, open_session=open_session, ask=ask) as session:
        from akslite_ps.aksedge.ops import host_facts

        facts = host_facts(session)
        there = _There(bool(facts.deployment_exists), bool(facts.deployment_exists) and is_complete(session))
    names = names_on(facts.computer_name)
    joined = there.complete and all(_has(member, names[kind]) for kind in wanted)
    source = msi or MsiSource.default(distribution_of(member.facts.product_name or "") or "K3s")
    prepared = () if joined else prepare.steps(facts)
    installed = () if joined else install.steps(facts, source)
    parameters = {
        "primary": primary.model_dump(mode="json"),
        "addresses": dict(wanted),
        "control_plane": control_plane,
        "values": dict(values or {}),
        "names": [names[kind] for kind in wanted],
    }
    joining_nodes = ", ".join(f"{names[kind]} at {address}" for kind, address in wanted.items())
    return Plan(
        operation=OPERATION,
        device=joining.name,
        created=dt.datetime.now(dt.UTC),
        computer=facts.computer_name,
        findings=(
            *_findings(member, facts, there, wanted, source, control_plane=control_plane, joined=joined),
            *(() if joined else install.findings(facts, source)),
        ),
        steps=(
            *prepared,
            *installed,
            Step(
                id=JOIN,
                title=f"Join the cluster of {primary.name}",
                command="New-AksEdgeDeployment",
                change="" if joined else f"creates {joining_nodes}; {primary.name} writes the join config",
                needed=not joined,
                disturbs=not joined,
                typical_s=750,
                max_run_s=5400,
                parameters=parameters,
            ),
            Step(
                id=READY,
                title=f"Wait until the cluster of {primary.name} has the nodes Ready",
                command="Get-AksLiteWorkload",
                typical_s=60,
                max_run_s=900,
                parameters=parameters,
            ),
        ),
        notes=() if joined else (ONE_AT_A_TIME, "Deploying accepts the licence terms of AKS Edge Essentials for this device."),
        eula_accepted_by=owner_name() if accept_eula else None,
    )


@dataclass(frozen=True, slots=True)
class _There:
    """What is on the joining machine already: nodes of a deployment, and whether it is a complete one."""

    exists: bool
    complete: bool


def _has(member: Member, name: str) -> bool:
    return any(node.name.casefold() == name for node in member.nodes or ())


def _findings(
    member: Member, facts: HostFacts, there: _There, wanted: Addresses, source: MsiSource, *, control_plane: bool, joined: bool
) -> Iterator[Finding]:
    yield from cluster_findings(member)
    if joined or not member.complete:
        return
    if member.scalable is False:
        yield Finding(
            check="scalable",
            title="Deployment type",
            severity="error",
            read="a single machine",
            needed="a scalable cluster",
            action="a single machine cannot grow: deploy a ScalableCluster there first",
        )
    if member.nodes is not None:
        yield control_plane_finding(member)
    yield from host_findings(facts, restart_planned=prepare.restarts(prepare.steps(facts)))
    yield from _product_findings(member, facts, source)
    yield _deployment_finding(there)
    yield from address_findings(member, wanted, [facts])
    yield from _neighbourhood(member, facts)
    if control_plane:
        yield _quorum_finding(member)


def _product_findings(member: Member, facts: HostFacts, source: MsiSource) -> Iterator[Finding]:
    version = member.facts.product_version
    if facts.product_name is None and source.version != version:
        yield Finding(
            check="release",
            title="Installer",
            severity="error" if source.version else "warning",
            read=source.version or "a link to the newest installer",
            needed=f"release {version or 'of the cluster'}",
            action="give the installer of the cluster's release: --msi",
        )
    distribution = distribution_of(member.facts.product_name or "")
    if distribution is not None:
        yield from product_findings(facts, distribution=distribution, version=source.version)
    if facts.product_name is not None and facts.product_version != version:
        yield Finding(
            check="release",
            title="Release",
            severity="error",
            read=f"{facts.product_version or 'not told'}; the cluster has {version or 'one that is not told'}",
            needed="the same on all machines",
            action="update the older one first: akslite update",
        )


def _deployment_finding(there: _There) -> Finding:
    read = "there is none"
    if there.exists:
        read = "there is one of another cluster" if there.complete else "nodes are left of a deployment that broke off"
    return Finding(
        check="joining-deployment",
        title="Deployment on the joining machine",
        severity="error" if there.exists else "ok",
        read=read,
        needed="none",
        action=_LEFTOVERS if there.exists else "",
    )


def _neighbourhood(member: Member, facts: HostFacts) -> Iterator[Finding]:
    """The joining host stands in the subnet of the nodes, as far as both are told."""
    subnet = member.subnet
    if subnet is None or not facts.ip4_addresses:
        return
    inside = []
    for text in facts.ip4_addresses:
        with suppress(ValueError):
            if ipaddress.IPv4Address(text) in subnet:
                inside.append(text)
    yield Finding(
        check="subnet",
        title="Network of the joining machine",
        severity="ok" if inside else "warning",
        read=", ".join(inside or facts.ip4_addresses),
        needed=f"an address in {subnet}",
        action="" if inside else "the nodes of all machines share one subnet: see that the adapter leads there",
    )


def _quorum_finding(member: Member) -> Finding:
    count = sum(node.control_plane for node in member.nodes or ()) + 1
    return Finding(
        check="quorum",
        title="Control planes",
        severity="warning" if count % 2 == 0 else "ok",
        read=f"{count} with this one",
        needed="an odd number",
        action="" if count % 2 else f"with {count} the cluster bears no more losses than with {count - 1}: add one more",
    )


# -- steps --------------------------------------------------------------------------------------------------------


class _Join(StepCode):
    def check(self, work: Work) -> Check:
        if not work.facts().deployment_exists:
            return Check(Verdict.NOT_SO, "there is no deployment")
        if not is_complete(work.session()):
            raise work.failure(
                "nodes are left of a deployment that broke off; the product does not join beside them", next_action=_LEFTOVERS
            )
        return self._joined(work)

    def settle(self, work: Work) -> Check:
        if work.facts().deployment_exists and not is_complete(work.session()):
            return Check(Verdict.NOT_SO, "a part of the deployment is left", next_action=_LEFTOVERS)
        return self.check(work)

    @staticmethod
    def _joined(work: Work) -> Check:
        """There is a complete deployment: it must be one of this cluster."""
        names = set(work.parameters["names"])
        with Primary(work) as primary:
            found = {node.name.casefold() for node in primary.nodes()}
        if names <= found:
            return Check(Verdict.SO, f"{', '.join(sorted(names))} are in the cluster of {primary.device.name}")
        raise work.failure(
            f"there is a deployment, and the cluster of {primary.device.name} does not know {', '.join(sorted(names - found))}",
            next_action=_LEFTOVERS,
        )

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        if work.sender.takes_up:
            answer = AksEdge(work.sender).new_deployment("{}", timeout_s=work.step.max_run_s)  # nothing is sent again
            return Done(Outcome.CHANGED, f"the product answered {answer}", {"answer": answer})
        with (
            Primary(work) as primary,
            work.controller.journal.lock(primary.device.name, what=f"{work.device.name} joins its cluster"),
        ):
            config = primary.join_config()
            made = work.controller.clock.now()
            text = config.to_json(resolve=True, eula_accepted=work.plan.eula_accepted_by is not None)
            answer = AksEdge(work.sender).new_deployment(text, timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, f"the product answered {answer}", {"answer": answer, "join_config_made": made.isoformat()})

    def verify(self, work: Work, done: Done) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        if not AksEdge(work.session()).test_deployment():
            raise work.failure(
                "the product answered OK, but says that there is no deployment",
                next_action="look at the product's event log (akslite diagnose), then make a new plan",
            )
        return done


class _Ready(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        names = set(work.parameters["names"])
        with Primary(work) as primary:
            found = wait_for(
                work,
                lambda: [node for node in primary.nodes() if node.name.casefold() in names],
                lambda nodes: len(nodes) == len(names) and all(node.ready for node in nodes),
                lambda nodes: in_words(nodes) or f"{primary.device.name} does not know the nodes yet",
            )
        return judged_ready(work, names, found)


class Primary:
    """The machine whose cluster is joined, for the time of a ``with`` block; a session that broke is opened anew."""

    def __init__(self, work: Work) -> None:
        self.device = Device.model_validate(work.parameters["primary"])
        self._work = work
        self._session: Session | None = None

    def __enter__(self) -> Primary:
        return self

    def __exit__(self, *details: object) -> None:
        self._drop()

    def nodes(self) -> list[ClusterNode]:
        """The cluster's nodes now.

        Raises:
            Unreachable: The machine, or Kubernetes on it, does not answer.
        """
        try:
            return nodes_now(self._work, self._live())
        except (SessionLost, Unreachable):
            self._drop()
            raise

    def join_config(self) -> DeploymentConfig:
        """A new config to join with, and the plan's changes in it. Voids every earlier token.

        Raises:
            CmdletFailed: The product refuses.
            ConfigError: The plan's changes do not fit.
            RemotingError: The machine does not answer.
        """
        from akslite_ps.aksedge.calls import AksEdge

        given = self._work.parameters
        self._work.tell(f"{self.device.name} writes the config to join with")
        scale = AksEdge(self._live()).new_scale_config(
            "AddMachine",
            both_kinds(list(given["addresses"])),
            linux_node_ip=given["addresses"].get("Linux"),
            windows_node_ip=given["addresses"].get("Windows"),
            control_plane=given["control_plane"],
        )
        return scale.config.with_values(given["values"]) if given["values"] else scale.config

    def _live(self) -> Session:
        from akslite_ps.aksedge.ops import ensure_ops

        if self._session is None:
            self._session = self._work.controller.open_session(self.device, ask=self._work.ask)
            ensure_ops(self._session)
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(AksLiteError):
                session.close()


CODE: Mapping[str, StepCode] = {JOIN: _Join(), READY: _Ready()}
