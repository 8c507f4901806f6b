"""What happens while a plan is applied, for whoever shows it: terminal, widget, kernel, report.

Sent by ``operations.engine`` after the journal row is written, in order, from the thread that works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from akslite_ps.operations.plan import Plan, Run, Step, StepResult
from akslite_ps.remoting.records import Record


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run has begun or, where ``resumed``, goes on."""

    run_id: str
    plan: Plan
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins; ``index`` counts from 1 to ``total``."""

    step: Step
    index: int
    total: int


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Where a running step stands.

    Args:
        stage: What the device does now, e.g. ``Waiting for the node to be Ready``.
        fraction: 0.0 to 1.0 of the step, None where unknown.
        seconds_left: Estimate for the step, None where unknown.
        overall: 0.0 to 1.0 of the whole run.
    """

    step: Step
    stage: str
    fraction: float | None = None
    seconds_left: int | None = None
    overall: float | None = None


@dataclass(frozen=True, slots=True)
class RecordArrived:
    """A record of a PowerShell stream from the device, already redacted."""

    step: Step
    record: Record


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step has its result."""

    step: Step
    result: StepResult


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over (or was interrupted: then ``run.finished`` is False)."""

    run: Run


Event = RunStarted | StepStarted | StepProgress | RecordArrived | StepEnded | RunEnded


class Listener(Protocol):
    """Takes events. Must return quickly; an exception it raises is logged, never stops the run."""

    def __call__(self, event: Event) -> None: ...
