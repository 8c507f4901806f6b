"""What applying a plan needs from outside: the surroundings, and the code of the steps.

Made by :func:`akslite_ps.operations.apply` with defaults; tests and fleets make their own. Holds no state of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akslite_ps.operations.steps import StepCode
from akslite_ps.operations.surroundings import (
    Ask,
    AttachSession,
    Clock,
    Limits,
    OpenCluster,
    OpenSession,
    Surroundings,
    SystemClock,
    attach_session,
    open_cluster,
    open_session,
)


@dataclass(frozen=True, slots=True)
class Controller(Surroundings):
    """The surroundings of runs, with the code behind step ids where it is not that of this package."""

    code: Mapping[str, StepCode] | None = None


__all__ = [
    "Ask",
    "AttachSession",
    "Clock",
    "Controller",
    "Limits",
    "OpenCluster",
    "OpenSession",
    "Surroundings",
    "SystemClock",
    "attach_session",
    "open_cluster",
    "open_session",
]
