"""Where a running step stands: the device's own progress lines turned into stage, fraction and time left.

Called by ``operations.invocation`` for every record. The lines are those that the product is known to print, in
English, over several releases and not in a strict order; unknown lines change nothing, and on a display language
other than English the estimate goes by time alone. Pure computation: no clock of its own, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SHARE_OF_TIME = 0.97
_TRUSTED_FROM = 0.08


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a step, known by what the device prints when it begins.

    Args:
        begins_with: Any of these texts in a line, compared without case.
        title: For people.
        fraction: Where the step stands when the stage begins, 0.0 to 1.0.
    """

    begins_with: tuple[str, ...]
    title: str
    fraction: float


DEPLOYMENT = (
    Stage(("checking host for required features",), "Checking the host's features", 0.01),
    Stage(("all required host features are installed",), "Host features are in place", 0.03),
    Stage(("validating aksedge network parameters",), "Checking the network settings", 0.04),
    Stage(("errors found in the deployment configuration",), "The config is accepted", 0.05),
    Stage(("deploying a new linux", "deploying a new"), "Starting the deployment", 0.06),
    Stage(("preparing host for",), "Preparing the host", 0.08),
    Stage(("enabling microsoft update",), "Switching on Microsoft Update", 0.10),
    Stage(("associating wssdagent",), "Connecting the virtual machine agent", 0.12),
    Stage(("creating vnet",), "Creating the virtual network", 0.15),
    Stage(("creating single machine cluster hcs network",), "Creating the cluster's network", 0.18),
    Stage(("private network carved",), "Network range chosen", 0.20),
    Stage(("checking for virtual switch",), "Checking the virtual switch", 0.22),
    Stage(("deploying aks edge essentials",), "Creating the Linux node", 0.25),
    Stage(("testing ssh connection",), "Waiting for the Linux node to answer", 0.45),
    Stage(("preparing to install kms-plugin",), "Installing the key plugin", 0.55),
    Stage(("initializing kubernetes runtime",), "Starting Kubernetes", 0.60),
    Stage(("waiting for kubernetes node",), "Waiting for the node to be Ready", 0.75),
    Stage(("establishing azure connected kubernetes", "connecting to azure arc"), "Connecting to Azure Arc", 0.88),
)
HOST_CHECK = (
    Stage(("checking host for required features",), "Checking the host's features", 0.1),
    Stage(("checking the status of 'microsoft-hyper-v'",), "Checking Hyper-V", 0.2),
    Stage(("checking the status of 'openssh",), "Checking the OpenSSH client", 0.5),
    Stage(("checking power management",), "Checking the power settings", 0.6),
    Stage(("checking hns version",), "Checking the host network service", 0.7),
    Stage(("checking openssh version",), "Checking the OpenSSH version", 0.8),
    Stage(("checking nested virtualization",), "Checking nested virtualization", 0.9),
)
STAGES: Mapping[str, Sequence[Stage]] = {"New-AksEdgeDeployment": DEPLOYMENT, "Install-AksEdgeHostFeatures": HOST_CHECK}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a step stands; the fields of :class:`akslite_ps.operations.events.StepProgress`."""

    stage: str
    fraction: float | None
    seconds_left: int | None


class StageTracker:
    """Follows one step.

    Args:
        title: Shown until the device says more.
        stages: Known stages, in their usual order; see :data:`STAGES`.
        typical_s: Usual run time of the step in seconds, None where unknown.
    """

    def __init__(self, title: str, stages: Sequence[Stage] = (), typical_s: float | None = None) -> None:
        self._stages = stages
        self._typical_s = typical_s
        self._title = title
        self._said = 0.0
        self._ceiling = stages[0].fraction if stages else 1.0
        self._pace: float | None = None

    def line(self, text: str, elapsed_s: float) -> bool:
        """A line of text from the device; returns whether it began a known stage.

        A stage that lies behind the one reached only renames the stage shown: the fraction never goes back.

        Args:
            text: One line.
            elapsed_s: Seconds since the step began.
        """
        folded = text.casefold()
        for place, stage in enumerate(self._stages):
            if any(sign in folded for sign in stage.begins_with):
                self._title = stage.title
                if stage.fraction >= self._said:
                    self._reach(stage.fraction, elapsed_s)
                    self._ceiling = self._stages[place + 1].fraction if place + 1 < len(self._stages) else 1.0
                return True
        return False

    def percent(self, percent: int | None, title: str, elapsed_s: float) -> None:
        """A progress record of the device.

        Args:
            percent: 0 to 100, None where the device does not know.
            title: What it does, for people; empty keeps the stage shown.
            elapsed_s: Seconds since the step began.
        """
        self._title = title or self._title
        if percent is not None and not self._stages:
            self._reach(max(self._said, min(percent, 100) / 100), elapsed_s)
            self._ceiling = max(self._said, 1.0)

    def standing(self, elapsed_s: float) -> Standing:
        """The best estimate now.

        Between two stages the fraction moves with the time, at the pace seen so far or the typical one, and stays
        below the next stage: a step that takes longer than usual is not shown as nearly done.
        """
        total = self._total(elapsed_s)
        if total is None:
            return Standing(self._title, self._said or None, None)
        guess = min(elapsed_s / total, self._said + (self._ceiling - self._said) * _SHARE_OF_TIME)
        fraction = min(max(self._said, guess), 1.0)
        return Standing(self._title, round(fraction, 4), max(0, round(total - elapsed_s)) if total > elapsed_s else None)

    def _reach(self, fraction: float, elapsed_s: float) -> None:
        self._said = fraction
        if fraction >= _TRUSTED_FROM and elapsed_s > 0:
            self._pace = elapsed_s / fraction

    def _total(self, elapsed_s: float) -> float | None:
        if self._pace is None:
            return self._typical_s
        # a stage that lasts longer than its share stretches the whole
        return max(self._pace, elapsed_s / max(self._ceiling, _TRUSTED_FROM))


class OverallTracker:
    """The whole run's fraction from the steps' usual durations.

    Args:
        typical_s: For each step that will run, its usual run time in seconds or None.
    """

    _UNKNOWN_S = 15.0

    def __init__(self, typical_s: Mapping[str, float | None]) -> None:
        self._weights = {step: float(seconds or self._UNKNOWN_S) for step, seconds in typical_s.items()}
        self._done = 0.0

    def step_done(self, step_id: str) -> None:
        """The step has its result."""
        self._done += self._weights.pop(step_id, 0.0)

    def overall(self, step_id: str, fraction: float | None) -> float:
        """Fraction of the run, 0.0 to 1.0, while this step stands at ``fraction``."""
        total = self._done + sum(self._weights.values())
        if not total:
            return 1.0
        return min(1.0, (self._done + self._weights.get(step_id, 0.0) * (fraction or 0.0)) / total)
