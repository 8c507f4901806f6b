"""Waits, within a step, for what the device or its cluster will show: read again and again until it is as wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from akslite_ps.errors import RemotingError, SessionLost, Unreachable
from akslite_ps.operations.work import Work

_T = TypeVar("_T")


def wait_for(
    work: Work,
    read: Callable[[], _T],
    ready: Callable[[_T], bool],
    say: Callable[[_T], str],
    *,
    silent_within_s: float | None = None,
) -> _T:
    """Read until it is ready or the step's time is over. What does not answer for a while is waited for.

    Args:
        work: The step's.
        read: Reads once; a session that broke is opened anew for the next reading.
        ready: Whether a reading is as wanted.
        say: What is told of a reading.
        silent_within_s: How long nothing at all may answer, in seconds; default: as for an API server that starts.

    Returns:
        The last reading, ready or not.

    Raises:
        Unreachable: Nothing answered for too long.
        Stopped: The run is to stop.
    """
    now = work.controller.clock.monotonic
    patience = work.controller.limits.api_within_s if silent_within_s is None else silent_within_s
    end = now() + work.step.max_run_s
    answered = now()
    for pause in work.controller.limits.polls():
        try:
            value = read()
        except (SessionLost, Unreachable) as error:
            work.sessions.drop()
            if now() >= min(end, answered + patience):
                raise _silent(work, error) from error
        else:
            answered = now()
            work.tell(say(value))
            if ready(value) or now() >= end:
                return value
        work.wait(pause)
    raise AssertionError("polls never end")


def _silent(work: Work, error: RemotingError) -> Unreachable:
    then = f"{error.next_action}; then resume the run" if error.next_action else "resume the run when the device answers"
    return Unreachable(error.message, device=work.device.name, attempted=work.step.title, next_action=then)
