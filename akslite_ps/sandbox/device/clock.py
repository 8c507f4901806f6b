"""Time of the simulated devices: waiting is compressed, the calendar is not.

A device shows the real date and time (plus its own clock error, if it has one), so that its stamps agree
with the controller's, with certificates and with ``kubectl``. Only durations shrink: at speed 60, ten
device minutes pass in ten seconds. Used by everything on a device that takes time.
"""

from __future__ import annotations

import asyncio
import datetime as dt

SHORTEST_NOTICE_S = 0.5


class Pace:
    """How many device seconds pass in one real second; one object per sandbox, so that it can change while devices run."""

    def __init__(self, speed: float) -> None:
        self._speed = 1.0
        self.speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not value > 0:
            raise ValueError(f"speed must be above 0, not {value}")
        self._speed = float(value)


class DeviceClock:
    """The clock of one device.

    Args:
        pace: Shared speed.
        skew: How far the device's clock is ahead of real time.
    """

    def __init__(self, pace: Pace, *, skew: dt.timedelta = dt.timedelta(0)) -> None:
        self._pace = pace
        self.skew = skew
        self.slowness = 1.0

    def now(self) -> dt.datetime:
        """The device's date and time, UTC."""
        return dt.datetime.now(dt.UTC) + self.skew

    def real_seconds(self, device_seconds: float) -> float:
        """How long ``device_seconds`` take for us, with the device's slowness."""
        return device_seconds * self.slowness / self._pace.speed

    def notice_seconds(self, device_seconds: float) -> float:
        """How long an announced event is ahead for us: long enough for the announcement to reach a client at any speed."""
        return max(self.real_seconds(device_seconds), min(device_seconds, SHORTEST_NOTICE_S))

    async def sleep(self, device_seconds: float) -> None:
        """Wait ``device_seconds`` of the device's time; cancelling the task ends it at once."""
        await asyncio.sleep(self.real_seconds(device_seconds))
