"""One deployment from a notebook, step by step: device, config, plan, application, cluster. The logic without the display.

Used by ``notebook.deployment_runbook`` headless and by ``notebook.deployment_panels`` in JupyterLab, so that both do
the same things in the same order. Shows nothing itself.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.releases import Distribution
from akslite_ps.cluster import ClusterHealth
from akslite_ps.errors import AksLiteError, StepFailed, Unreachable, UsageError
from akslite_ps.home import journal_file
from akslite_ps.journal import Journal, RunSummary, owner_name
from akslite_ps.notebook.device_picker import is_simulated, pick_device
from akslite_ps.operations import MsiSource, apply, deploy, find_resumable, resume
from akslite_ps.operations.controller import Ask, open_session
from akslite_ps.operations.device_cluster import cluster_of
from akslite_ps.operations.events import Listener
from akslite_ps.operations.plan import Plan, Run
from akslite_ps.operations.reading import reading
from akslite_ps.outcome import Outcome
from akslite_ps.remoting.endpoint import Device

REHEARSAL_VARIABLE = "AKSLITE_REHEARSAL"
DISTRIBUTIONS: tuple[Distribution, ...] = ("K3s", "K8s")
_CLUSTER_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class DeploymentOptions:
    """The parameters of the runbook, checked.

    Args:
        device: Name in the inventory; empty: to be chosen, or the first simulated device.
        config_file: Path of a deployment config; empty: a form, or the template of the distribution.
        distribution: ``K3s`` or ``K8s``.
        offline: True for a site without internet: sets ``Network.InternetDisabled``.
        accept_eula: True where the caller accepts the product's licence terms.
        confirm: The device's name, typed by whoever approves the plan.
        msi: Installer: https address, share, or path on the device; empty: Microsoft's newest.
        msi_sha256: SHA-256 it must have.
    """

    device: str = ""
    config_file: str = ""
    distribution: str = "K3s"
    offline: bool = False
    accept_eula: bool = False
    confirm: str = ""
    msi: str = ""
    msi_sha256: str = ""

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise UsageError(f"distribution={self.distribution!r}: must be {' or '.join(DISTRIBUTIONS)}")
        if self.msi_sha256 and not self.msi:
            raise UsageError("msi_sha256 is given without msi", next_action="name the installer that must have this hash")

    def msi_source(self) -> MsiSource | None:
        """The installer, None for Microsoft's newest.

        Raises:
            UsageError: It is not usable.
        """
        return MsiSource.of(self.msi, sha256=self.msi_sha256 or None, distribution=self.kind) if self.msi else None

    @property
    def kind(self) -> Distribution:
        """The distribution."""
        return "K8s" if self.distribution == "K8s" else "K3s"


class Deployment:
    """A deployment in the making; each method is one step a person takes.

    Args:
        options: The runbook's parameters.
        ask: Answers ``prompt:`` secret references.
    """

    def __init__(self, options: DeploymentOptions, *, ask: Ask | None = None) -> None:
        self.options = options
        self.device: Device | None = None
        self.config: DeploymentConfig | None = None
        self.plan: Plan | None = None
        self.run: Run | None = None
        self.health: ClusterHealth | None = None
        self.rehearsed = False
        self._ask = ask

    def choose_device(self) -> Device:
        """The device of the parameters, or the first simulated one.

        Raises:
            UsageError: See :func:`akslite_ps.notebook.device_picker.pick_device`.
        """
        self.device = pick_device(self.options.device)
        self.rehearsed = not self.options.device and is_simulated(self.device) and _rehearsing()
        return self.device

    def starting_config(self) -> DeploymentConfig:
        """The config of the parameters: the file, or the template, with ``offline`` put in. A rehearsal is offline.

        Raises:
            UsageError, ConfigError: The file cannot be used.
        """
        options = self.options
        if options.config_file:
            config = DeploymentConfig.load(Path(options.config_file))
        else:
            config = DeploymentConfig.template("SingleMachineCluster", options.kind)
        return config.with_values({"Network.InternetDisabled": True}) if options.offline or self.rehearsed else config

    def config_from(self, data: dict[str, Any]) -> DeploymentConfig:
        """The config that a form's data makes, with the rules between fields.

        Raises:
            ConfigError: With every fault found.
        """
        self.config = None
        config = DeploymentConfig.parse(data, source="the form")
        config.require_valid(distribution=self.options.kind)
        self.config = config
        return config

    def make_plan(self) -> Plan:
        """Read the device and plan.

        Raises:
            AksLiteError: The device cannot be read, or the parameters do not fit.
        """
        device, config = self._chosen()
        accepted = self.options.accept_eula or self.rehearsed
        self.plan = deploy.plan(
            device,
            config,
            accept_eula=True if accepted else None,
            msi=self.options.msi_source(),
            distribution=self.options.kind,
            ask=self._ask,
        )
        return self.plan

    @property
    def needs_licence(self) -> bool:
        """True where the plan deploys the product and nobody has accepted its licence terms yet."""
        plan = self.plan
        return plan is not None and plan.eula_accepted_by is None and any(s.id == deploy.CREATE and s.needed for s in plan.steps)

    def accept_licence(self) -> Plan:
        """Note that the person at the notebook accepts the product's licence terms for this plan."""
        if self.plan is None:
            raise UsageError("there is no plan yet", next_action="plan first")
        self.plan = self.plan.model_copy(update={"eula_accepted_by": owner_name()})
        return self.plan

    def unfinished(self) -> RunSummary | None:
        """An earlier run for the same device and config that did not end, and can go on."""
        device, config = self._chosen()
        if not journal_file().exists():
            return None
        with Journal.open(journal_file()) as journal:
            return find_resumable(journal, device.name, deploy.OPERATION, config=config.as_data())

    def apply(self, approved_hash: str, listener: Listener, *, stop: threading.Event | None = None) -> Run:
        """Apply the plan; where an earlier run for the same device and config did not end, that run goes on.

        Args:
            approved_hash: From :func:`akslite_ps.notebook.approval.approve`.
            listener: Takes the events.
            stop: Set it to interrupt.

        Raises:
            AksLiteError: Nothing could be started; what happens later is in the run.
        """
        device, config = self._chosen()
        if self.plan is None:
            raise UsageError("there is no plan yet", next_action="plan first")
        with Journal.open(journal_file()) as journal:
            waiting = find_resumable(journal, device.name, deploy.OPERATION, config=config.as_data())
            more: dict[str, Any] = {"journal": journal, "listener": listener, "ask": self._ask, "stop": stop}
            if waiting is not None:
                self.run = resume(device, run_id=waiting.run_id, **more)
            else:
                self.run = apply(self.plan, device, approved_hash=approved_hash, **more)
        return self.run

    def read_cluster(self) -> ClusterHealth:
        """Nodes and system pods of the device's cluster, now.

        Raises:
            AksLiteError: Device or cluster cannot be read.
        """
        device, _ = self._chosen()
        with reading(device, open_session=open_session, ask=self._ask) as session, cluster_of(session) as cluster:
            self.health = cluster.wait_ready(_CLUSTER_WITHIN_S)
        return self.health

    def _chosen(self) -> tuple[Device, DeploymentConfig]:
        if self.device is None:
            raise UsageError("no device is chosen yet", next_action="choose one")
        if self.config is None:
            raise UsageError("there is no config yet", next_action="fill it in")
        return self.device, self.config


def raise_unless_done(run: Run) -> None:
    """Turn a run that did not reach its end into the error that says what to do.

    Raises:
        Unreachable: The device did not answer.
        StepFailed: A step failed, or the run was interrupted.
    """
    if run.finished:
        return
    last = next((result for result in reversed(run.results) if not result.outcome.is_success), None)
    error = (last.error or {}) if last else {}
    title = next((step.title for step in run.plan.steps if last and step.id == last.step_id), run.plan.operation)
    detail = (last.detail if last else "") or str(error.get("message") or f"the run ended as {run.outcome.value}")
    action = str(error.get("next_action") or "mend the cause")
    goes_on = (
        f"{action}; to go on where it stopped: akslite resume {run.run_id}, or run this runbook again with the same parameters"
    )
    kind: type[AksLiteError] = Unreachable if run.outcome is Outcome.UNREACHABLE else StepFailed
    raise kind(detail, device=run.plan.device, attempted=title, next_action=goes_on)


def _rehearsing() -> bool:
    return os.environ.get(REHEARSAL_VARIABLE, "").strip().casefold() in ("1", "true", "yes", "on")
