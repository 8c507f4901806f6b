"""Deploys a cluster: from whatever the device is to a running, verified cluster, in one plan.

The plan holds the steps of ``prepare`` and ``install`` too; what is already so is skipped. What cannot change on an
existing deployment is said in the plan and never done here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.failures import known_failure
from akslite_ps.aksedge.releases import Distribution, distribution_of, latest
from akslite_ps.errors import ConfirmationRequired
from akslite_ps.journal import owner_name
from akslite_ps.operations import install, prepare, verify
from akslite_ps.operations.comparison import differences_of, is_complete
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.msi_source import MsiSource
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.preflight import config_findings, host_findings, product_findings
from akslite_ps.operations.reading import reading
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device

OPERATION = "deploy"
CLEAR = "deploy.clear"
NETWORK = "deploy.network"
CREATE = "deploy.create"
_REMOVE_INCOMPLETE = "plan again and let the plan remove them first: --remove-incomplete, or remove_incomplete=True"


def plan(
    device: Device,
    config: DeploymentConfig,
    *,
    accept_eula: bool | None,
    msi: MsiSource | None = None,
    distribution: Distribution | None = None,
    remove_incomplete: bool = False,
    open_session: OpenSession = open_session,
    ask: Ask | None = None,
) -> Plan:
    """Read the device and say what it takes to bring it to a running cluster.

    Args:
        device: The device.
        config: The wanted deployment.
        accept_eula: True: the caller accepts the product's licence terms. False: refused, nothing is read. None: not
            asked yet; the plan can be read but not applied.
        msi: The installer, for a device without the product. Default: Microsoft's newest.
        distribution: Default: that of the installed product, of the installer, or the one that fits the network plugin.
        remove_incomplete: Remove what a deployment that broke off left behind; without it such a device blocks the plan.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        ConfirmationRequired: The licence terms are refused.
        RemotingError: The device cannot be read.
        SecretUnavailable: The config holds a secret that cannot be written as a reference.
    """
    if accept_eula is False:
        raise eula_refusal(device.name)
    data = config.as_data()
    with reading(device, open_session=open_session, ask=ask) as session:
        from akslite_ps.aksedge.ops import host_facts

        facts = host_facts(session)
        incomplete = bool(facts.deployment_exists) and not is_complete(session)
        differences = differences_of(session, config) if facts.deployment_exists and not incomplete else []
    installed = distribution_of(facts.product_name or "")
    wanted = distribution or (msi.distribution if msi else None) or installed or distribution_for(config)
    source = msi or MsiSource.default(wanted)
    existing = Existing(
        exists=bool(facts.deployment_exists),
        incomplete=incomplete,
        removed=incomplete and remove_incomplete,
        differences=differences,
    )
    prepared = prepare.steps(facts)
    if existing.stays:
        left_alone = {"needed": False, "change": "", "disturbs": False, "reboots": False}
        prepared = tuple(step.model_copy(update=left_alone) for step in prepared)
    release = facts.product_version or source.version or latest().product
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=facts.computer_name,
        config=data,
        findings=(
            *host_findings(facts, config=config, restart_planned=prepare.restarts(prepared)),
            *product_findings(facts, distribution=wanted, version=source.version),
            *install.findings(facts, source),
            *config_findings(config, distribution=wanted, release=release),
            _deployment_finding(existing),
        ),
        steps=(*prepared, *install.steps(facts, source), *steps(config, existing), *verify.steps()),
        notes=tuple(_notes(facts, existing, source)),
        eula_accepted_by=owner_name() if accept_eula else None,
    )


@dataclass(frozen=True, slots=True)
class Existing:
    """What is on the device already; by default nothing.

    Args:
        exists: There are nodes of a deployment.
        incomplete: They are left of a deployment that broke off.
        removed: The plan removes them.
        differences: In what a complete deployment differs from the config.
    """

    exists: bool = False
    incomplete: bool = False
    removed: bool = False
    differences: Sequence[str] = ()

    @property
    def stays(self) -> bool:
        return self.exists and not self.removed


def steps(config: DeploymentConfig, existing: Existing) -> tuple[Step, ...]:
    """The steps that make the deployment itself."""
    missing = not existing.stays
    kinds = [("Linux", config.machine.linux_node), ("Windows", config.machine.windows_node)]
    nodes = " and ".join(f"a {kind} node" for kind, node in kinds if node is not None)
    clear = Step(
        id=CLEAR,
        title="Remove what an incomplete deployment left",
        command="Remove-AksEdgeDeployment",
        change="removes the nodes of a deployment that broke off, with everything in them",
        disturbs=True,
        typical_s=120,
        max_run_s=3600,
    )
    network = Step(
        id=NETWORK,
        title="Let the product check the network settings",
        command="Test-AksEdgeNetworkParameters",
        needed=missing,
        typical_s=20,
        max_run_s=600,
    )
    differs = bool(existing.differences)
    create = Step(
        id=CREATE,
        title="Create the deployment",
        command="New-AksEdgeDeployment",
        change=f"creates {nodes} and the cluster" if missing else "; ".join(existing.differences),
        needed=missing or differs,
        disturbs=missing or differs,
        typical_s=750,
        max_run_s=5400,
        forces_redeploy=differs,
    )
    return (clear, network, create) if existing.removed else (network, create)


def distribution_for(config: DeploymentConfig) -> Distribution:
    """The distribution whose product works with the config's network plugin."""
    return "K8s" if config.network.network_plugin == "calico" else "K3s"


def require_eula(accepted: bool, device: str) -> None:
    """Make sure that a person accepted the product's licence terms.

    Raises:
        ConfirmationRequired: Nobody did.
    """
    if not accepted:
        raise eula_refusal(device)


def eula_refusal(device: str) -> ConfirmationRequired:
    """The error for licence terms that nobody accepted."""
    return ConfirmationRequired(
        "the licence terms of AKS Edge Essentials are not accepted; what a config file says about them does not count",
        device=device,
        attempted="deploy",
        next_action="read Microsoft's licence terms of the product; to accept them: --accept-eula, or accept_eula=True",
    )


def _notes(facts: HostFacts, existing: Existing, source: MsiSource) -> Iterator[str]:
    if facts.product_name is None:
        if source.version is None:
            yield f"{source.source} is a link to the newest installer: which version it brings is seen after the installation."
        if source.sha256 is None:
            yield "No SHA-256 was given: the installer is taken as the source delivers it."
    if not existing.stays:
        yield "Sizes, addresses and the network plugin are fixed once deployed: changing them later means deploying anew."
        yield "Deploying accepts the licence terms of AKS Edge Essentials for this device."


def _deployment_finding(existing: Existing) -> Finding:
    if existing.incomplete:
        return Finding(
            check="deployment",
            title="Deployment",
            severity="warning" if existing.removed else "error",
            read="nodes are left of a deployment that broke off",
            needed="none, or a complete one like the config",
            action="the plan removes them" if existing.removed else _REMOVE_INCOMPLETE,
        )
    if existing.differences:
        return Finding(
            check="deployment",
            title="Deployment",
            severity="error",
            read="; ".join(existing.differences),
            needed="none, or a complete one like the config",
            action=(
                "the product cannot change this in place: correct the config, or save the workloads' data, "
                "remove the deployment (Remove-AksEdgeDeployment) and plan again"
            ),
        )
    read = "there is one like the config" if existing.exists else "there is none"
    return Finding(
        check="deployment", title="Deployment", severity="ok", read=read, needed="none, or a complete one like the config"
    )


class _Clear(StepCode):
    def check(self, work: Work) -> Check:
        if not work.facts().deployment_exists:
            return Check(Verdict.SO, "nothing is left")
        if is_complete(work.session()):
            raise work.failure(
                "the deployment is complete by now; it is not removed",
                next_action="make a new plan",
            )
        return Check(Verdict.NOT_SO, "nodes are left of a deployment that broke off")

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).remove_deployment(timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "removed")

    def verify(self, work: Work, done: Done) -> Done:
        if work.facts().deployment_exists:
            raise work.failure(
                "the product answered well, but nodes are still there",
                next_action="restart the device, then resume the run",
            )
        return done


class _Network(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        answer = AksEdge(work.sender).test_network_parameters(_config_json(work), timeout_s=work.step.max_run_s)
        if not answer.passed:
            known = known_failure("\n".join(answer.lines))
            raise work.failure(
                "the product does not accept the network settings: " + ("; ".join(answer.lines) or "it gave no reason"),
                next_action=known.remedy if known else "correct the config's Network section, then make a new plan",
            )
        return Done(Outcome.OK, "the product accepts the network settings", {"lines": list(answer.lines)})


class _Create(StepCode):
    def check(self, work: Work) -> Check:
        if not work.facts().deployment_exists:
            return Check(Verdict.NOT_SO, "there is no deployment")
        if not is_complete(work.session()):
            raise work.failure(
                "nodes are left of a deployment that broke off; the product does not deploy beside them",
                next_action=_REMOVE_INCOMPLETE,
            )
        differences = differences_of(work.session(), work.config())
        if differences:
            raise work.failure(
                f"there is a deployment that differs from the config: {'; '.join(differences)}",
                next_action="make a new plan: it says what can be done",
            )
        return Check(Verdict.SO, "there is a deployment like the config")

    def settle(self, work: Work) -> Check:
        if work.facts().deployment_exists and not is_complete(work.session()):
            return Check(Verdict.NOT_SO, "a part of the deployment is left", next_action=_REMOVE_INCOMPLETE)
        return self.check(work)

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        answer = AksEdge(work.sender).new_deployment(_config_json(work), timeout_s=work.step.max_run_s)
        detail = "the product answered OK" if answer == "OK" else f"the cluster is made; the product says: {answer}"
        return Done(Outcome.CHANGED, detail, {"answer": answer})

    def verify(self, work: Work, done: Done) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        if not AksEdge(work.session()).test_deployment():
            raise work.failure(
                "the product answered OK, but says that there is no deployment",
                next_action="fetch the product's logs (Get-AksEdgeLogs) and look at its event log, then make a new plan",
            )
        return Done(done.outcome, done.detail, {"test_deployment": True})


def _config_json(work: Work) -> str:
    """The config for the device, secrets resolved now; never stored."""
    return work.config().to_json(resolve=True, eula_accepted=work.plan.eula_accepted_by is not None, ask=work.ask)


CODE: Mapping[str, StepCode] = {CLEAR: _Clear(), NETWORK: _Network(), CREATE: _Create()}
