"""Schedules of CronJobs: the five fields of cron and its names, and when a schedule is due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_NAMED: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES: tuple[Mapping[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)
# A schedule such as 30 February is never due; nobody waits longer than this for a leap day.
_FARTHEST = dt.timedelta(days=8 * 366)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due: allowed minutes, hours, days of the month, months, days of the week (Sunday is 0).

    Args:
        any_day, any_weekday: The field was a star; where neither was, one of the two is enough.
        zone: The time zone that the fields are in.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: dt.tzinfo = dt.UTC

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first due minute after a moment, None where there is none in the coming years."""
        return self._search(moment.astimezone(self.zone).replace(second=0, microsecond=0) + dt.timedelta(minutes=1), 1)

    def last_until(self, moment: dt.datetime) -> dt.datetime | None:
        """The last due minute not after a moment."""
        return self._search(moment.astimezone(self.zone).replace(second=0, microsecond=0), -1)

    def _search(self, at: dt.datetime, step: int) -> dt.datetime | None:
        end = at + step * _FARTHEST
        while (at <= end) if step > 0 else (at >= end):
            if at.month not in self.months or not self._is_day(at):
                at = _day_edge(at, step)
            elif at.hour not in self.hours:
                at = _hour_edge(at, step)
            elif at.minute not in self.minutes:
                at += dt.timedelta(minutes=step)
            else:
                return at.astimezone(dt.UTC)
        return None

    def _is_day(self, at: dt.datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def parse_schedule(text: str, zone: str | None = None) -> Schedule:
    """The schedule written in ``spec.schedule``.

    Args:
        text: Five fields, or a name such as ``@hourly``.
        zone: Name of a time zone; UTC where None.

    Raises:
        ValueError: It is no schedule, or there is no such time zone; says why.
    """
    fields = _NAMED.get(text.strip(), text).split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    made = [_values(field, *bounds, names) for field, bounds, names in zip(fields, _BOUNDS, _NAMES, strict=True)]
    weekdays = frozenset(0 if day == 7 else day for day in made[4])
    try:
        where = ZoneInfo(zone) if zone else dt.UTC
    except (OSError, ValueError, KeyError):
        raise ValueError(f"unknown time zone {zone}") from None
    return Schedule(made[0], made[1], made[2], made[3], weekdays, fields[2][0] in "*?", fields[4][0] in "*?", where)


def _values(field: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, every = part.partition("/")
        if slash and not (every.isdigit() and int(every)):
            raise ValueError(f"failed to parse int from {every or repr('')}")
        if span in {"*", "?"}:
            first, last = low, high
        else:
            begin, dash, end = span.partition("-")
            first = _number(begin, names)
            last = _number(end, names) if dash else (high if slash else first)
        if first < low:
            raise ValueError(f"beginning of range ({first}) below minimum ({low}): {part}")
        if last > high:
            raise ValueError(f"end of range ({last}) above maximum ({high}): {part}")
        if first > last:
            raise ValueError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
        found |= set(range(first, last + 1, int(every) if slash else 1))
    return frozenset(found)


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isdigit():
        raise ValueError(f"failed to parse int from {text or repr('')}")
    return int(text)


def _day_edge(at: dt.datetime, step: int) -> dt.datetime:
    if step > 0:
        return (at + dt.timedelta(days=1)).replace(hour=0, minute=0)
    return at.replace(hour=0, minute=0) - dt.timedelta(minutes=1)


def _hour_edge(at: dt.datetime, step: int) -> dt.datetime:
    return (at + dt.timedelta(hours=1)).replace(minute=0) if step > 0 else at.replace(minute=0) - dt.timedelta(minutes=1)
