"""Adds a second node to a machine that has a deployment, and removes one: ``akslite scale add-node`` and ``remove-node``.

Adding first has the machine write the config that the node joins with. Its token voids all earlier ones and is held in memory
only: it is made right before it is used, and never journaled. Removing moves the pods away first; the last node goes with the
deployment (``akslite remove``), and the last control plane not before the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import UsageError
from akslite_ps.operations.cluster_nodes import in_words, names_on, nodes_now
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.reading import reading
from akslite_ps.operations.scale_findings import (
    Member,
    address_findings,
    cluster_findings,
    control_plane_finding,
    free_memory_finding,
    read_member,
    wanted_addresses,
)
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.calls.nodes import NodeType
    from akslite_ps.remoting import Device

ADD_OPERATION = "scale add-node"
REMOVE_OPERATION = "scale remove-node"
ADD = "scale.add-node"
READY = "scale.node-ready"
DRAIN = "scale.drain"
REMOVE = "scale.remove-node"
GONE = "scale.node-gone"
DRAIN_WITHIN_S = 300
ONE_AT_A_TIME = "The join config's token voids every earlier one, also one that was handed out a moment ago; it lives 24 hours."


def plan_add(
    device: Device,
    kind: NodeType,
    *,
    address: str | None = None,
    control_plane: bool = False,
    values: Mapping[str, Any] | None = None,
    open_session: OpenSession = open_session,
    ask: Ask | None = None,
) -> Plan:
    """Read the device and say what adding a node to it would do.

    Args:
        device: The device; it has a deployment.
        kind: Of the node.
        address: Its IPv4 address; needed in a scalable cluster, chosen by the product on a single machine.
        control_plane: A Linux node becomes part of the control plane.
        values: Changes of the config that the device writes for it, by path, e.g. ``Machines[0].WindowsNode.MemoryInMB``.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        UsageError: The address is none.
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    wanted = wanted_addresses(*((address, None) if kind == "Linux" else (None, address)))
    with reading(device, open_session=open_session, ask=ask) as session:
        from akslite_ps.aksedge.calls import AksEdge

        member = read_member(session)
        exists = member.complete and AksEdge(session).test_node(kind)
    name = names_on(member.facts.computer_name)[kind]
    parameters = {
        "kind": kind,
        "address": wanted.get(kind),
        "control_plane": control_plane,
        "values": dict(values or {}),
        "name": name,
    }
    return Plan(
        operation=ADD_OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=member.facts.computer_name,
        findings=tuple(_add_findings(member, kind, wanted.get(kind), values or {}, exists=exists)),
        steps=(
            Step(
                id=ADD,
                title=f"Add a {kind} node",
                command="Add-AksEdgeNode",
                change="" if exists else f"creates the node {name}" + (f" at {address}" if address else ""),
                needed=not exists,
                disturbs=not exists,
                typical_s=600 if kind == "Windows" else 300,
                max_run_s=3600,
                parameters=parameters,
            ),
            Step(
                id=READY,
                title="Wait until Kubernetes has the node Ready",
                command="Get-AksLiteWorkload",
                typical_s=60,
                max_run_s=900,
                parameters={"names": [name]},
            ),
        ),
        notes=(ONE_AT_A_TIME,) if not exists else (),
        eula_accepted_by=None,
    )


def _add_findings(
    member: Member, kind: NodeType, address: str | None, values: Mapping[str, Any], *, exists: bool
) -> Iterator[Finding]:
    yield from cluster_findings(member)
    if not member.complete or exists:
        return
    if member.nodes is not None:
        yield control_plane_finding(member)
    if member.scalable and address is None:
        yield Finding(
            check=f"address:{kind}",
            title=f"Address of the {kind} node",
            severity="error",
            read="none given",
            needed="a free address of the nodes' subnet, in a scalable cluster",
            action="give one: --ip ADDRESS",
        )
    yield from address_findings(member, {kind: address})
    yield free_memory_finding(member.facts, values.get(f"Machines[0].{kind}Node.MemoryInMB"))
    if kind == "Windows":
        yield Finding(
            check="windows-node",
            title="Windows node",
            severity="warning",
            read="experimental, and not part of every installation",
            needed="the installer's feature for Windows nodes, with the node's files beside the MSI",
            action="try it on a device that may fail; the product says so where the feature is missing",
        )


def plan_remove(device: Device, kind: NodeType, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> Plan:
    """Read the device and say what removing one of its nodes would do. Its data is lost: a person confirms it.

    Args:
        device: The device.
        kind: Of the node.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    with reading(device, open_session=open_session, ask=ask) as session:
        from akslite_ps.aksedge.calls import AksEdge

        member = read_member(session)
        product = AksEdge(session)
        exists = member.complete and product.test_node(kind)
        alone = exists and not product.test_node("Linux" if kind == "Windows" else "Windows")
    name = names_on(member.facts.computer_name)[kind]
    parameters = {"kind": kind, "name": name}
    return Plan(
        operation=REMOVE_OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=member.facts.computer_name,
        findings=tuple(_remove_findings(member, kind, name, exists=exists, alone=alone)),
        steps=(
            Step(
                id=DRAIN,
                title="Move the pods to other nodes",
                command="Set-AksEdgeNodeToDrain",
                change="moves the pods away; no new ones come" if exists else "",
                needed=exists,
                disturbs=exists,
                typical_s=60,
                max_run_s=DRAIN_WITHIN_S + 60,
                parameters=parameters,
            ),
            Step(
                id=REMOVE,
                title=f"Remove the {kind} node",
                command="Remove-AksEdgeNode",
                change=f"deletes the node {name} with all data in it" if exists else "",
                needed=exists,
                disturbs=exists,
                typical_s=60,
                max_run_s=1800,
                parameters=parameters,
            ),
            Step(
                id=GONE,
                title="See that Kubernetes no longer has it",
                command="Get-AksLiteWorkload",
                typical_s=10,
                max_run_s=300,
                parameters=parameters,
            ),
        ),
        notes=("All data in the node is lost, volumes of local-path storage included.",) if exists else (),
    )


def _remove_findings(member: Member, kind: NodeType, name: str, *, exists: bool, alone: bool) -> Iterator[Finding]:
    yield from cluster_findings(member)
    if not exists:
        return
    if alone:
        yield Finding(
            check="last-node",
            title="Other nodes of the machine",
            severity="error",
            read=f"none: {name} is the only one",
            needed="another one that stays",
            action="the last node goes with the deployment: akslite remove",
        )
    if member.scalable is False and kind == "Linux":
        yield Finding(
            check="single-machine",
            title="Deployment type",
            severity="error",
            read="a single machine's Linux node",
            needed="a node that the cluster can do without",
            action="remove the deployment: akslite remove",
        )
        return
    stays = [node for node in member.nodes or () if node.name != name]
    leaves_control_plane = any(node.name == name and node.control_plane for node in member.nodes or ())
    if leaves_control_plane and stays and not any(node.control_plane for node in stays):
        yield Finding(
            check="control-plane",
            title="Control plane",
            severity="error",
            read=f"{name} is the last one of {len(stays) + 1} nodes",
            needed="another control plane that stays",
            action="remove the other machines first: the one with the last control plane goes last",
        )


# -- steps --------------------------------------------------------------------------------------------------------


class _Add(StepCode):
    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.calls import AksEdge

        if AksEdge(work.session()).test_node(work.parameters["kind"]):
            return Check(Verdict.SO, f"there is a {work.parameters['kind']} node")
        return Check(Verdict.NOT_SO, f"there is no {work.parameters['kind']} node")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        given = work.parameters
        text = "{}"  # of an invocation that is taken up nothing is sent again
        if not work.sender.takes_up:
            work.tell("The device writes the config to join with")
            scale = AksEdge(work.session()).new_scale_config(
                "AddNode",
                given["kind"],
                control_plane=given["control_plane"],
                **{f"{given['kind'].casefold()}_node_ip": given["address"]},
            )
            config = scale.config.with_values(given["values"]) if given["values"] else scale.config
            # The machine's own config tells that the terms were accepted when it was deployed.
            text = config.to_json(resolve=True, eula_accepted=scale.config.user.accept_eula)
        AksEdge(work.sender).add_node(text, timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "the product answered OK")

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                f"the product answered OK, but {check.detail}",
                next_action="look at the product's event log (akslite diagnose), then resume the run",
            )
        return done


class Ready(StepCode):
    """Waits until Kubernetes has all of ``names`` Ready."""

    repeatable = True

    def act(self, work: Work) -> Done:
        names = set(work.parameters["names"])
        found = wait_for(
            work,
            lambda: [node for node in nodes_now(work, work.session()) if node.name.casefold() in names],
            lambda nodes: len(nodes) == len(names) and all(node.ready for node in nodes),
            lambda nodes: in_words(nodes) or "Kubernetes does not know the node yet",
        )
        return judged_ready(work, names, found)


def judged_ready(work: Work, names: set[str], found: list[Any]) -> Done:
    """The result where all nodes are Ready.

    Raises:
        StepFailed: One is missing or not Ready.
    """
    missing = names - {node.name.casefold() for node in found}
    late = [node.name for node in found if not node.ready]
    if missing or late:
        raise work.failure(
            f"after {work.step.max_run_s} s "
            + "; ".join(
                [*(f"Kubernetes does not know {name}" for name in sorted(missing)), *(f"{name} is not Ready" for name in late)]
            ),
            next_action="look at the machine of the node (akslite diagnose); then resume the run",
        )
    return Done(Outcome.OK, in_words(found), {"nodes": {node.name: node.system for node in found}})


class _Drain(StepCode):
    repeatable = True  # a drained node is drained

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).set_node_to_drain(work.parameters["kind"], timeout_seconds=DRAIN_WITHIN_S)
        return Done(Outcome.CHANGED, "the pods have moved")


class _Remove(StepCode):
    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.calls import AksEdge

        kind = work.parameters["kind"]
        there = AksEdge(work.session()).test_node(kind)
        return Check(Verdict.NOT_SO if there else Verdict.SO, f"there is {'a' if there else 'no'} {kind} node")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).remove_node(work.parameters["kind"], timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, f"the {work.parameters['kind']} node is removed")

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(f"the product answered, but {check.detail}", next_action="restart the device, then resume the run")
        return done


class _Gone(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        name = work.parameters["name"]
        found = wait_for(
            work,
            lambda: [node.name for node in nodes_now(work, work.session()) if node.name.casefold() == name],
            lambda left: not left,
            lambda left: f"Kubernetes still has {name}" if left else f"Kubernetes no longer has {name}",
        )
        if found:
            raise work.failure(
                f"Kubernetes still has the node {name}",
                next_action=f"take it out by hand (kubectl delete node {name}), then resume the run",
            )
        return Done(Outcome.OK, f"Kubernetes no longer has {name}")


def require_kind(text: str) -> NodeType:
    """The kind of a node in any case.

    Raises:
        UsageError: It is neither Linux nor Windows.
    """
    kinds: dict[str, NodeType] = {"linux": "Linux", "windows": "Windows"}
    kind = kinds.get(text.strip().casefold())
    if kind is None:
        raise UsageError(f"{text!r} is no kind of node", next_action="use Linux or Windows")
    return kind


CODE: Mapping[str, StepCode] = {ADD: _Add(), READY: Ready(), DRAIN: _Drain(), REMOVE: _Remove(), GONE: _Gone()}
