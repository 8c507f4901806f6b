"""Installs the product from its MSI and lets the product check the host, in a session that knows the new module."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.releases import product_name
from akslite_ps.operations import install_push
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.msi_source import MsiSource
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.preflight import host_findings, product_findings
from akslite_ps.operations.reading import read_facts
from akslite_ps.operations.reboot import wait_for_restart
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device

OPERATION = "install"
MSI = "install.msi"
HOST_CHECK = "install.host-check"


def plan(device: Device, msi: MsiSource, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> Plan:
    """Read the device and say what installing the product would do.

    Args:
        device: The device.
        msi: The installer.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
    """
    facts = read_facts(device, open_session=open_session, ask=ask)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=facts.computer_name,
        findings=(
            *host_findings(facts),
            *product_findings(facts, distribution=msi.distribution, version=msi.version),
            *findings(facts, msi),
        ),
        steps=steps(facts, msi),
    )


def findings(facts: HostFacts, msi: MsiSource) -> tuple[Finding, ...]:
    """What the way of the installer to the device needs of it."""
    return (install_push.language_finding(facts),) if msi.file and facts.product_name is None else ()


def steps(facts: HostFacts, msi: MsiSource) -> tuple[Step, ...]:
    """The steps that install the product on a host with these facts."""
    installed = facts.product_name is not None
    name = product_name(msi.distribution) + (f" {msi.version}" if msi.version else "")
    from_here = msi.file is not None
    return (
        *((install_push.push_step(msi, needed=not installed),) if from_here else ()),
        Step(
            id=MSI,
            title=f"Install {product_name(msi.distribution)}",
            command="Install-AksLiteMsi",
            change="" if installed else f"installs {name} from {msi.source}",
            needed=not installed,
            typical_s=240,
            max_run_s=3600,
            parameters=msi_parameters(msi),
        ),
        *((install_push.tidy_step(msi, needed=not installed),) if from_here else ()),
        Step(
            id=HOST_CHECK,
            title="Let the product check the host",
            command="Install-AksEdgeHostFeatures",
            change="" if facts.deployment_exists else "checks features, power settings and OpenSSH; switches on what is missing",
            needed=not facts.deployment_exists,
            typical_s=60,
            max_run_s=1800,
        ),
    )


def msi_parameters(msi: MsiSource) -> dict[str, Any]:
    """The parameters of the step that runs this installer."""
    return msi.model_dump(mode="json", exclude_none=True, exclude={"file"})


class _Msi(StepCode):
    def check(self, work: Work) -> Check:
        facts = work.facts()
        wanted = MsiSource.model_validate(dict(work.parameters))
        evidence = {"product": facts.product_name, "version": facts.product_version, "distribution": facts.distribution}
        if facts.product_name is None:
            return Check(Verdict.NOT_SO, "the product is not installed", evidence)
        if facts.distribution != wanted.distribution:
            raise work.failure(
                f"{facts.product_name} is installed, wanted is {wanted.distribution}",
                next_action="uninstall it, restart the device, and make a new plan",
            )
        if wanted.version and facts.product_version != wanted.version:
            return Check(Verdict.NOT_SO, f"version {facts.product_version} is installed", evidence)
        return Check(Verdict.SO, f"{facts.product_name} {facts.product_version} is installed", evidence)

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import install_msi

        msi = MsiSource.model_validate(dict(work.parameters))
        result = install_msi(
            work.sender,
            source=msi.source,
            sha256=msi.sha256,
            install_dir=msi.install_dir,
            vhdx_dir=msi.vhdx_dir,
            features=msi.features,
            timeout_s=work.step.max_run_s,
        )
        evidence: dict[str, Any] = {"exit_code": result.exit_code, "log": result.log_path, "sha256": result.sha256}
        if result.outcome is Outcome.FAILED:
            raise work.failure(
                f"the installer ended with {result.exit_code}: {result.meaning.meaning}",
                next_action=result.meaning.next_action + (f" ({result.log_path})" if result.log_path else ""),
            )
        if result.outcome is Outcome.OK_REBOOT_HARD:
            restarted = wait_for_restart(work, work.sender.boot_time or work.sessions.boot_time())
            return Done(Outcome.CHANGED, "the installer restarted the device", {**evidence, "boot_time": restarted.after})
        return Done(result.outcome, f"{result.meaning.meaning} (exit code {result.exit_code})", evidence)

    def verify(self, work: Work, done: Done) -> Done:
        work.sessions.drop()  # sessions opened before do not see the new module
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                f"the installer reported success, but {check.detail}",
                next_action=f"read the installer's log on the device: {done.evidence.get('log', 'unknown')}",
            )
        return Done(done.outcome, check.detail, check.evidence)


class _HostCheck(StepCode):
    repeatable = True  # the product checks, and switches on only what is missing

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        if not work.sender.takes_up:
            work.sessions.drop()  # only sessions opened after its installation see the product's module
        answer = AksEdge(work.sender).install_host_features(timeout_s=work.step.max_run_s)
        evidence = {"answer": answer.ready, "complaints": list(answer.complaints)}
        told = "; ".join(answer.complaints)
        if not answer.ready:
            raise work.failure(
                f"the product does not accept the host: {told or 'it gave no reason'}",
                next_action="mend what the product complains about, then resume the run",
            )
        return Done(
            Outcome.OK, f"the product says True, and complains: {told}" if told else "the product accepts the host", evidence
        )

    def verify(self, work: Work, done: Done) -> Done:
        facts = work.facts()
        if facts.pending_reboot:
            reasons = ", ".join(facts.pending_reboot_reasons)
            return Done(
                Outcome.OK_REBOOT_SOFT,
                f"{done.detail}; a restart is due: {reasons}",
                {"pending": list(facts.pending_reboot_reasons)},
            )
        return done


CODE: Mapping[str, StepCode] = {**install_push.CODE, MSI: _Msi(), HOST_CHECK: _HostCheck()}
