"""Removes a deployment from a device, and the product where that is wanted, then proves what is gone and says what is left.

Arc first, because afterwards nobody on the device can delete the resource in Azure; then the pods move away where other machines
keep the cluster; then the nodes, all of this machine at once, as the product does it; then the product. All data in the nodes is
lost: a person types the device's name before (:func:`require_confirmation`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from akslite_ps.errors import ConfirmationRequired
from akslite_ps.operations import arc, expose
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.reading import reading
from akslite_ps.operations.reboot import wait_for_restart
from akslite_ps.operations.remove_findings import Found, findings, notes, our_ports, read_device
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.ops import Leftovers
    from akslite_ps.remoting import Device

OPERATION = "remove"
DRAIN = "remove.drain"
DEPLOYMENT = "remove.deployment"
PRODUCT = "remove.product"
PROOF = "remove.proof"
DRAIN_WITHIN_S = 300

_NOT_INSTALLED = 1605
_WORDS = {
    "node_disks": "virtual disks of nodes",
    "switches": "virtual switches",
    "networks": "HNS networks",
    "port_proxies": "port proxies",
    "registry_keys": "registry keys",
    "folders": "folders",
}


def plan(
    device: Device,
    *,
    product: bool = False,
    config: DeploymentConfig | None = None,
    open_session: OpenSession = open_session,
    ask: Ask | None = None,
) -> Plan:
    """Read the device and say what removing its deployment would do, and what would be left.

    Args:
        device: The device.
        product: Uninstall the product, too.
        config: A config with a complete Arc section, to delete the cluster's resource in Azure; without it that is left.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
        SecretUnavailable: The config holds a secret that cannot be written as a reference.
    """
    data = config.as_data() if config is not None else None
    with reading(device, open_session=open_session, ask=ask) as session:
        found = replace(read_device(session), ports=our_ports(session))
    disconnects = config is not None and found.state is not None and found.state.registered is not False
    steps: list[Step] = []
    if disconnects and config is not None:
        steps += arc.disconnect_steps(config)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=found.facts.computer_name,
        config=data,
        findings=tuple(findings(found, config)),
        steps=(*steps, *_steps(found, product=product)),
        notes=tuple(notes(found, product=product, disconnects=disconnects)),
    )


def removes_product(plan: Plan) -> bool:
    """Whether a plan is about the product, too."""
    return any(step.id == PRODUCT for step in plan.steps)


def require_confirmation(plan: Plan, typed: str | None) -> None:
    """Make sure that a person typed the name of the device that will lose its data.

    Args:
        plan: The plan to be applied; one that removes nothing needs no confirmation.
        typed: What was typed; case does not matter.

    Raises:
        ConfirmationRequired: It is not the device's name.
    """
    if not plan.has_changes or (typed or "").strip().casefold() == plan.device.casefold():
        return
    raise ConfirmationRequired(
        "all data in the device's nodes will be lost; "
        + ("the name typed is not the device's" if typed else "nobody confirmed that with the device's name"),
        device=plan.device,
        attempted="remove the deployment",
        next_action=f"to confirm: --confirm {plan.device}, or type the name when asked",
    )


def drain_step(node_type: str) -> Step:
    """The step that moves the pods away from this machine's nodes."""
    return Step(
        id=DRAIN,
        title="Move the pods away from the nodes",
        command="Set-AksEdgeNodeToDrain",
        change="moves the pods away; no new ones come",
        disturbs=True,
        typical_s=60,
        max_run_s=DRAIN_WITHIN_S + 60,
        parameters={"node_type": node_type},
    )


def deployment_step(*, exists: bool = True) -> Step:
    """The step that removes the nodes and the deployment."""
    return Step(
        id=DEPLOYMENT,
        title="Remove the nodes and the deployment",
        command="Remove-AksEdgeDeployment",
        change="deletes every node of this machine, with all data in them" if exists else "",
        needed=exists,
        disturbs=exists,
        typical_s=120,
        max_run_s=3600,
    )


def _steps(found: Found, *, product: bool) -> Iterator[Step]:
    if found.others and not found.orphans:
        yield drain_step("LinuxAndWindows" if found.has_windows_node else "Linux")
    yield from expose.removal_steps(found.ports)
    yield deployment_step(exists=bool(found.facts.deployment_exists))
    if product:
        installed = found.facts.product_name is not None
        yield Step(
            id=PRODUCT,
            title="Uninstall the product",
            command="Uninstall-AksLiteProduct",
            change=f"uninstalls {found.facts.product_name} {found.facts.product_version}" if installed else "",
            needed=installed,
            disturbs=installed,
            typical_s=120,
            max_run_s=3600,
        )
    yield Step(
        id=PROOF,
        title="See what is left",
        command="Get-AksLiteLeftover",
        typical_s=10,
        max_run_s=300,
        parameters={"vhdx_dir": found.facts.vhdx_dir, "product": product},
    )


# -- steps --------------------------------------------------------------------------------------------------------


class _Drain(StepCode):
    repeatable = True  # a drained node is drained

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).set_node_to_drain(work.parameters["node_type"], timeout_seconds=DRAIN_WITHIN_S)
        return Done(Outcome.CHANGED, "the pods have moved")


class _Deployment(StepCode):
    def check(self, work: Work) -> Check:
        if work.facts().deployment_exists:
            return Check(Verdict.NOT_SO, "there are nodes of a deployment")
        return Check(Verdict.SO, "there is no deployment")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).remove_deployment(timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "nodes and deployment are removed")

    def verify(self, work: Work, done: Done) -> Done:
        if work.facts().deployment_exists:
            raise work.failure(
                "the product answered well, but nodes are still there",
                next_action="restart the device, then resume the run",
            )
        return done


class _Product(StepCode):
    def check(self, work: Work) -> Check:
        facts = work.facts()
        if facts.product_name is None:
            return Check(Verdict.SO, "the product is not installed")
        return Check(Verdict.NOT_SO, f"{facts.product_name} {facts.product_version} is installed")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import uninstall_product

        result = uninstall_product(work.sender, timeout_s=work.step.max_run_s)
        evidence = {"exit_code": result.exit_code, "log": result.log_path}
        gone = result.exit_code == _NOT_INSTALLED
        if result.outcome is Outcome.FAILED and not gone:
            raise work.failure(
                f"the uninstallation ended with {result.exit_code}: {result.meaning.meaning}",
                next_action=result.meaning.next_action + (f" ({result.log_path})" if result.log_path else ""),
            )
        if result.outcome is Outcome.OK_REBOOT_HARD:
            restarted = wait_for_restart(work, work.sender.boot_time or work.sessions.boot_time())
            return Done(Outcome.CHANGED, "uninstalled; the device restarted", {**evidence, "boot_time": restarted.after})
        outcome = Outcome.CHANGED if gone else result.outcome
        return Done(outcome, f"uninstalled (exit code {result.exit_code})", evidence)

    def verify(self, work: Work, done: Done) -> Done:
        work.sessions.drop()  # this one still has the product's module
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                f"the installer reported success, but {check.detail}",
                next_action=f"read the installer's log on the device: {done.evidence.get('log', 'unknown')}",
            )
        return done


class _Proof(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import leftovers

        found = leftovers(work.sender, vhdx_dir=work.parameters.get("vhdx_dir"))
        facts = work.facts()
        evidence = {**asdict(found), "deployment_exists": facts.deployment_exists, "product": facts.product_name}
        if facts.deployment_exists or found.node_disks:
            raise work.failure(
                "the device is not clean: "
                + (f"there are {', '.join(found.node_disks)}" if found.node_disks else "nodes are left"),
                next_action="restart the device, delete the disks where they stay, then resume the run",
            )
        left = _left(found, product_gone=facts.product_name is None)
        left += _left_in_azure(work.plan)
        unread = [_WORDS[name] for name, value in asdict(found).items() if value is None]
        if len(unread) == len(asdict(found)):
            raise work.failure(
                "nothing could be read of what a deployment leaves, so nothing is proved",
                next_action="check that the device's module AksLiteOps is of the same version as akslite-ps, then resume the run",
            )
        parts = [f"left: {'; '.join(left)}" if left else "nothing is left of what can be read"]
        if unread:
            parts.append(f"could not be read: {', '.join(unread)}")
        return Done(Outcome.OK, "no deployment; " + "; ".join(parts), {**evidence, "left": left, "unread": unread})


def _left(found: Leftovers, *, product_gone: bool) -> list[str]:
    """What is left, for people. Data folder and registry key belong to the product as long as that is installed."""
    own = {"HKLM:\\SOFTWARE\\Microsoft\\AksEdge", "C:\\ProgramData\\AksEdge"}
    left = []
    for name, values in asdict(found).items():
        kept = [value for value in values or () if product_gone or value not in own]
        if kept:
            left.append(f"{_WORDS[name]} {', '.join(kept)}")
    return left


def _left_in_azure(plan: Plan) -> Sequence[str]:
    registered = any(finding.check == "arc" and finding.severity == "warning" for finding in plan.findings)
    return ["in Azure the connected cluster, see the plan's note"] if registered else []


CODE: Mapping[str, StepCode] = {DRAIN: _Drain(), DEPLOYMENT: _Deployment(), PRODUCT: _Product(), PROOF: _Proof()}
