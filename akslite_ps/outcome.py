"""How a step, a run or a device ended: one enum for every back end (journal, reports, exit codes).

``unreachable`` is never ``failed``; ``unknown`` (sent, no answer) is settled by reconnecting or by
detection, never by sending again blindly.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """The classes of result, worst last where they are compared (see :func:`worst`)."""

    OK = "ok"
    CHANGED = "changed"
    OK_REBOOT_SOFT = "ok_reboot_soft"
    OK_REBOOT_HARD = "ok_reboot_hard"
    SKIPPED_WINDOW = "skipped_window"
    SKIPPED_CONDITION = "skipped_condition"
    RETRY_LATER = "retry_later"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"
    FAILED = "failed"

    @property
    def is_success(self) -> bool:
        """True where the device is as wanted (a reboot may still be due)."""
        return self in _SUCCESS


_SUCCESS = {
    Outcome.OK,
    Outcome.CHANGED,
    Outcome.OK_REBOOT_SOFT,
    Outcome.OK_REBOOT_HARD,
    Outcome.SKIPPED_CONDITION,
}
_ORDER = {outcome: place for place, outcome in enumerate(Outcome)}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that decides for all: the last in the enum's order; OK for none."""
    return max(outcomes, key=_ORDER.__getitem__, default=Outcome.OK)
