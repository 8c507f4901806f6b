"""What an operation would do and what it did: frozen data, JSON both ways.

Made by the ``plan`` function of an operation, shown to a person, approved by hash, walked by
``operations.engine``, kept in the journal. Holds no secret: the config in it carries references.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from akslite_ps.outcome import Outcome, worst

PLAN_SCHEMA = 1
_NOT_APPROVED = frozenset({"created", "eula_accepted_by", "findings"})
_RESTART_DUE = (Outcome.OK_REBOOT_SOFT, Outcome.OK_REBOOT_HARD)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """One preflight check.

    Args:
        check: Short id, e.g. ``memory``.
        title: What was checked, for people.
        severity: ``ok``; ``info``; ``warning`` (goes on); ``error`` (nothing is changed until it is mended).
        read: What was read on the device, with unit.
        needed: What is needed, with unit.
        action: What to do where it is not ``ok``.
    """

    check: str
    title: str
    severity: Literal["ok", "info", "warning", "error"]
    read: str
    needed: str
    action: str = ""


class Step(_Frozen):
    """One step of a plan.

    Args:
        id: Stable id, e.g. ``prepare.features``.
        title: What it does, for people.
        command: The command sent to the device, empty where none is.
        change: What would change on the device; empty where nothing would.
        needed: False where the check found it already so; the step is then skipped.
        disturbs: True where workloads, network or the machine are disturbed.
        reboots: True where the device restarts.
        typical_s: Usual run time in seconds on a real device, where known.
        max_run_s: Longest run time in seconds; the invocation's time limit.
        forces_redeploy: True where the product cannot change this in place.
        parameters: Plain parameters of the step, JSON-ready, secrets as references.
    """

    id: str
    title: str
    command: str = ""
    change: str = ""
    needed: bool = True
    disturbs: bool = False
    reboots: bool = False
    typical_s: int | None = None
    max_run_s: int = 600
    forces_redeploy: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which code does it: the id, up to a colon where a plan has several steps of one kind."""
        return self.id.partition(":")[0]


class Plan(_Frozen):
    """A frozen plan for one device.

    Args:
        operation: e.g. ``deploy``.
        device: Name of the device.
        computer: Windows' name of the machine that was read, None where it was not: no other one may be worked on.
        created: When the device was read.
        config: The deployment config as JSON-ready data with secrets as references, or None.
        findings: All preflight findings.
        steps: In order.
        notes: Sentences a person should read before approving.
        eula_accepted_by: ``user@host`` of the person who accepted the product's licence terms for this plan, None
            where nobody did yet. Not part of the hash: reading a plan needs no acceptance, applying it does.
    """

    schema_version: int = PLAN_SCHEMA
    operation: str
    device: str
    created: dt.datetime
    computer: str | None = None
    config: dict[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    eula_accepted_by: str | None = None

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over what a person approves.

        Left out: the time, who accepted the licence terms, and the readings of findings (free memory changes from
        second to second; that a check passed or not does count).
        """
        return plan_hash(self.model_dump(mode="json"))

    @property
    def blocked(self) -> bool:
        """True where a finding of severity ``error`` forbids applying."""
        return any(f.severity == "error" for f in self.findings)

    @property
    def has_changes(self) -> bool:
        """True where at least one needed step would change something."""
        return any(step.needed and step.change for step in self.steps)


def plan_hash(data: Mapping[str, Any]) -> str:
    """The hash of a plan in its JSON form; also of one that another version wrote, with fields that this one does not have.

    Args:
        data: The plan, as it is in the journal.

    Raises:
        KeyError, TypeError: It is no plan.
    """
    approved = {name: value for name, value in data.items() if name not in _NOT_APPROVED}
    if approved.get("computer") is None:  # as plans of earlier versions, which knew no computer
        approved.pop("computer", None)
    approved["findings"] = [[finding["check"], finding["severity"]] for finding in data["findings"]]
    return hashlib.sha256(json.dumps(approved, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class StepResult(_Frozen):
    """How one step ended. ``evidence`` is what was read back to verify it, JSON-ready and redacted."""

    step_id: str
    outcome: Outcome
    detail: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    error: dict[str, Any] | None = None


class Run(_Frozen):
    """One application of a plan: an outcome per step, and what is needed to go on.

    Args:
        run_id: Its id in the journal.
        plan: What was approved.
        results: One per step that was looked at, in order.
        started: When the run began; a resumed run keeps its first time.
        ended: None where the run stopped on the way and can go on (:func:`akslite_ps.operations.resume`).
        interrupted: True where a person or a stop event ended it; what runs on the device runs on.
    """

    run_id: str
    plan: Plan
    results: tuple[StepResult, ...] = ()
    started: dt.datetime
    ended: dt.datetime | None = None
    interrupted: bool = False

    @property
    def outcome(self) -> Outcome:
        """CANCELLED where it was interrupted, else the worst outcome of its steps; CHANGED beats OK where all went well.

        A restart that a step asked for counts no longer once a later step restarted the device.
        """
        if self.interrupted:
            return Outcome.CANCELLED
        restarts = {step.id for step in self.plan.steps if step.reboots}
        restarted = False
        outcomes = []
        for result in reversed(self.results):
            outcome = result.outcome
            if outcome is Outcome.SKIPPED_CONDITION:
                outcome = Outcome.OK
            elif restarted and outcome in _RESTART_DUE:
                outcome = Outcome.CHANGED
            restarted = restarted or (result.step_id in restarts and outcome is Outcome.CHANGED)
            outcomes.append(outcome)
        return worst(outcomes)

    @property
    def finished(self) -> bool:
        """True where every step has a successful result."""
        done = {r.step_id for r in self.results if r.outcome.is_success}
        return all(step.id in done for step in self.plan.steps)
