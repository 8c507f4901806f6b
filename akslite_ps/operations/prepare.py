"""Prepares a Windows host: switches on the features the product needs, and restarts the device where that is due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from akslite_ps.errors import StepFailed
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.preflight import features_wait_for_restart, host_findings, missing_features
from akslite_ps.operations.reading import read_facts
from akslite_ps.operations.reboot import REBOOT_LIMIT_S, restart, wait_for_restart
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device

OPERATION = "prepare"
FEATURES = "prepare.features"
REBOOT = "prepare.reboot"
_BEGINS_WITHIN_S = 120.0


def plan(device: Device, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> Plan:
    """Read the device and say what preparing it would do.

    Args:
        device: The device.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
    """
    facts = read_facts(device, open_session=open_session, ask=ask)
    prepared = steps(facts)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=facts.computer_name,
        findings=tuple(host_findings(facts, restart_planned=restarts(prepared))),
        steps=prepared,
    )


def steps(facts: HostFacts) -> tuple[Step, ...]:
    """The steps that prepare a host with these facts."""
    missing = missing_features(facts)
    due = bool(missing) or features_wait_for_restart(facts) or bool(facts.pending_reboot)
    reasons = ", ".join(facts.pending_reboot_reasons)
    return (
        Step(
            id=FEATURES,
            title="Switch on the Windows features",
            command="Enable-AksLiteHostFeatures",
            change=f"switches on {', '.join(missing)}; switches sleep off" if missing else "",
            needed=bool(missing),
            typical_s=120,
            max_run_s=1800,
        ),
        Step(
            id=REBOOT,
            title="Restart the device",
            command="Request-AksLiteReboot",
            change=("restarts Windows" + (f" (also due: {reasons})" if reasons else "")) if due else "",
            needed=due,
            disturbs=due,
            reboots=due,
            typical_s=90,
            max_run_s=REBOOT_LIMIT_S,
        ),
    )


def restarts(planned: tuple[Step, ...]) -> bool:
    """True where one of the steps restarts the device."""
    return any(step.needed and step.reboots for step in planned)


class _Features(StepCode):
    repeatable = True  # Windows takes switching on what is on as done

    def check(self, work: Work) -> Check:
        facts = work.facts()
        missing = missing_features(facts)
        evidence = {"host_features": facts.host_features, "open_ssh_client": facts.open_ssh_client}
        if missing:
            return Check(Verdict.NOT_SO, f"missing: {', '.join(missing)}", evidence)
        return Check(Verdict.SO, "all features are on or wait for a restart", evidence)

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import enable_host_features

        answer = enable_host_features(work.sender)
        outcome = Outcome.OK_REBOOT_SOFT if answer.reboot_required else Outcome.CHANGED
        changed = ", ".join(answer.changed) or "nothing"
        return Done(
            outcome, f"switched on: {changed}", {"changed": list(answer.changed), "reboot_required": answer.reboot_required}
        )

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                check.detail,
                next_action="switch the feature on by hand on the device to see Windows' own message, then resume the run",
            )
        return Done(done.outcome, done.detail, check.evidence)


class Reboot(StepCode):
    """Restarts Windows where that is due, and waits until it is back."""

    def check(self, work: Work) -> Check:
        facts = work.facts()
        evidence = {"boot_time": facts.boot_time, "pending": list(facts.pending_reboot_reasons)}
        if facts.pending_reboot or features_wait_for_restart(facts):
            return Check(Verdict.NOT_SO, "a restart is due", evidence)
        return Check(Verdict.SO, "no restart is due", evidence)

    def act(self, work: Work) -> Done:
        restarted = restart(work, reason="AKS Edge Essentials: host features")
        return Done(
            Outcome.CHANGED,
            f"back after {restarted.waited_s:.0f} s",
            {"boot_time_before": restarted.before, "boot_time": restarted.after},
        )

    def verify(self, work: Work, done: Done) -> Done:
        facts = work.facts()
        if features_wait_for_restart(facts):
            raise work.failure(
                "features still wait for a restart",
                next_action="restart the device once more by hand and look at Windows' setup log, then resume the run",
            )
        left = f"; Windows still reports: {', '.join(facts.pending_reboot_reasons)}" if facts.pending_reboot else ""
        return Done(done.outcome, done.detail + left, {"pending": list(facts.pending_reboot_reasons)})

    def settle(self, work: Work) -> Check:
        """A restart that was asked for may be about to happen: wait for it a while before asking again."""
        before = work.sender.boot_time
        if before is not None:
            try:
                restarted = wait_for_restart(work, before, begins_within_s=_BEGINS_WITHIN_S)
            except StepFailed:
                return Check(Verdict.NOT_SO, "the device has not restarted")
            return Check(Verdict.SO, "the device has restarted", {"boot_time": restarted.after})
        return self.check(work)


CODE: Mapping[str, StepCode] = {FEATURES: _Features(), REBOOT: Reboot()}
