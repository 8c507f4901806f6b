"""Restarts a device and waits until it is really back: the boot time must change, then a command must be answered.

Used by ``operations.prepare`` and by steps whose installer restarts the device itself. That the port answers says
nothing: a device that is about to go down still answers, and one that comes up answers before it is ready.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from akslite_ps.errors import StepFailed
from akslite_ps.operations.work import Work

REBOOT_LIMIT_S = 1200
"""How long a device may take to come back, in seconds: 600 s are usual patience, and updates are configured on the way."""

_DELAY_S = 5


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart that happened.

    Args:
        before: Boot time before it, UTC.
        after: Boot time after it, UTC.
        waited_s: Seconds until the device was back.
    """

    before: dt.datetime
    after: dt.datetime
    waited_s: float


def restart(work: Work, *, reason: str) -> Restart:
    """Ask the device to restart and wait until it is back.

    Args:
        work: The step's surroundings; its sender sends the request.
        reason: For the device's event log.

    Raises:
        RemotingError: It did not come back in time.
        StepFailed: It answers, but did not restart.
    """
    from akslite_ps.aksedge.ops import request_reboot

    before = work.sender.boot_time or work.sessions.boot_time()
    work.tell("Asking the device to restart", 0.02)
    request_reboot(work.sender, delay_s=_DELAY_S, reason=reason)
    return wait_for_restart(work, before)


def wait_for_restart(
    work: Work, before: dt.datetime, *, within_s: float = REBOOT_LIMIT_S, begins_within_s: float | None = None
) -> Restart:
    """Wait until the device has started anew.

    Args:
        work: The step's surroundings.
        before: The boot time before the restart, UTC.
        within_s: Longest time to wait in seconds.
        begins_within_s: How long a device that answers may go on without restarting; default: ``within_s``.

    Raises:
        RemotingError: It did not come back in time.
        StepFailed: It answers, but did not restart.
    """
    clock = work.controller.clock
    began = clock.monotonic()
    patience_s = within_s if begins_within_s is None else begins_within_s
    times: list[dt.datetime] = []

    def ready() -> bool:
        # Windows moves its boot time when the clock is set, so a session that still lives counts as not restarted.
        if work.sessions.still_alive():
            return not_yet()
        work.sessions.drop()
        now = work.sessions.boot_time()
        if now == before:
            return not_yet()
        times.append(now)
        # The answer above came through a session of the new start; a second command shows that it stays.
        work.facts()
        return True

    def not_yet() -> bool:
        if clock.monotonic() - began > patience_s:
            raise TimeoutError
        return False

    try:
        work.wait_until_back(within_s, stage="Waiting for the device to restart", ready=ready)
    except TimeoutError:
        raise StepFailed(
            f"it answers, but has not restarted within {patience_s:.0f} s (started {before:%Y-%m-%d %H:%M:%S} UTC)",
            device=work.device.name,
            attempted="restart the device",
            next_action="look on the device for what holds the restart back, restart it by hand, then resume the run",
        ) from None
    return Restart(before, times[-1], round(clock.monotonic() - began, 1))
