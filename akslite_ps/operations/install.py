"""Installs the product from its MSI and lets the product check the host, in a session that knows the new module."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from akslite_ps.aksedge.releases import Distribution, msi_link, parse_msi_name, product_name
from akslite_ps.errors import StepFailed, UsageError
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.preflight import host_findings, product_findings
from akslite_ps.operations.reading import read_facts
from akslite_ps.operations.reboot import wait_for_restart
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device

MSI = "install.msi"
HOST_CHECK = "install.host-check"


class MsiSource(BaseModel):
    """Which installer, from where. Plain data for plans.

    Args:
        source: https address, share, or path on the device.
        distribution: What it installs.
        version: Product version, None where the name does not tell.
        sha256: Checksum it must have (hex); None: not checked.
        install_dir, vhdx_dir: Folders on the device; None: the product's defaults.
        features: Installer features; empty: the installer's choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    distribution: Distribution
    version: str | None = None
    sha256: str | None = None
    install_dir: str | None = None
    vhdx_dir: str | None = None
    features: tuple[str, ...] = ()

    @field_validator("sha256")
    @classmethod
    def _is_sha256(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
            raise ValueError("must be 64 hexadecimal digits")
        return value.lower() if value else None

    @field_validator("source")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        if value.casefold().startswith("http:"):
            raise ValueError("must be https, a share or a path on the device: http can be changed on the way")
        return value

    @classmethod
    def default(cls, distribution: Distribution) -> MsiSource:
        """Microsoft's link to the newest installer of the distribution."""
        return cls(source=msi_link(distribution), distribution=distribution)

    @classmethod
    def of(cls, source: str, *, sha256: str | None = None, distribution: Distribution | None = None) -> MsiSource:
        """An installer by its address; distribution and version are read from the file name where it tells them.

        Args:
            source: https address, share, or path on the device.
            sha256: Checksum it must have (hex).
            distribution: Needed where the name does not tell.

        Raises:
            UsageError: The source or the checksum is not usable, or the distribution is not known.
        """
        try:
            name = parse_msi_name(source)
        except UsageError as error:
            if distribution is None:
                raise UsageError(
                    error.message, attempted="use the installer", next_action="say which distribution it installs"
                ) from None
            name = None
        if name and distribution and name.distribution != distribution:
            raise UsageError(
                f"{source} installs {name.distribution}, wanted is {distribution}", next_action="name the other installer"
            )
        try:
            return cls(
                source=source,
                distribution=name.distribution if name else distribution,
                version=name.product if name else None,
                sha256=sha256,
            )
        except ValueError as error:
            raise UsageError(
                f"the installer {source} cannot be used: {_reasons(error)}", next_action="correct source or checksum"
            ) from None


def _reasons(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{fault['loc'][0]} {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors(include_url=False))


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
        operation="install",
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        findings=(*host_findings(facts), *product_findings(facts, distribution=msi.distribution, version=msi.version)),
        steps=steps(facts, msi),
    )


def steps(facts: HostFacts, msi: MsiSource) -> tuple[Step, ...]:
    """The steps that install the product on a host with these facts."""
    installed = facts.product_name is not None
    name = product_name(msi.distribution) + (f" {msi.version}" if msi.version else "")
    return (
        Step(
            id=MSI,
            title=f"Install {product_name(msi.distribution)}",
            command="Install-AksLiteMsi",
            change="" if installed else f"installs {name} from {msi.source}",
            needed=not installed,
            typical_s=240,
            max_run_s=3600,
            parameters=msi.model_dump(mode="json", exclude_none=True),
        ),
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


class _Msi(StepCode):
    def check(self, work: Work) -> Check:
        facts = work.facts()
        wanted = MsiSource.model_validate(dict(work.parameters))
        evidence = {"product": facts.product_name, "version": facts.product_version, "distribution": facts.distribution}
        if facts.product_name is None:
            return Check(Verdict.NOT_SO, "the product is not installed", evidence)
        if facts.distribution != wanted.distribution:
            raise StepFailed(
                f"{facts.product_name} is installed, wanted is {wanted.distribution}",
                device=work.device.name,
                attempted=work.step.title,
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
            raise StepFailed(
                f"the installer ended with {result.exit_code}: {result.meaning.meaning}",
                device=work.device.name,
                attempted=work.step.title,
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
            raise StepFailed(
                f"the installer reported success, but {check.detail}",
                device=work.device.name,
                attempted=work.step.title,
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
            raise StepFailed(
                f"the product does not accept the host: {told or 'it gave no reason'}",
                device=work.device.name,
                attempted=work.step.title,
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


CODE: Mapping[str, StepCode] = {MSI: _Msi(), HOST_CHECK: _HostCheck()}
