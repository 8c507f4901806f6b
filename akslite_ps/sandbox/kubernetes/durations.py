"""Ages as kubectl prints them, e.g. ``45s``, ``3m12s``, ``5d20h``."""

from __future__ import annotations

import datetime as dt

from akslite_ps.sandbox.kubernetes.objects import parse_timestamp

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def age(since: str | None, now: dt.datetime) -> str:
    """The time from a timestamp until now, ``<unknown>`` where there is none."""
    if not since:
        return "<unknown>"
    return human_duration((now - parse_timestamp(since)).total_seconds())


def human_duration(seconds: float) -> str:
    """A duration with two units while the second one still tells something, as the printers of Kubernetes round it."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 2 * _MINUTE:
        return f"{total}s"
    if total < 10 * _MINUTE:
        return _two(total, _MINUTE, "m", 1, "s")
    if total < 3 * _HOUR:
        return f"{total // _MINUTE}m"
    if total < 8 * _HOUR:
        return _two(total, _HOUR, "h", _MINUTE, "m")
    if total < 2 * _DAY:
        return f"{total // _HOUR}h"
    if total < 8 * _DAY:
        return _two(total, _DAY, "d", _HOUR, "h")
    if total < 2 * _YEAR:
        return f"{total // _DAY}d"
    if total < 8 * _YEAR:
        return _two(total, _YEAR, "y", _DAY, "d")
    return f"{total // _YEAR}y"


def _two(total: int, unit: int, letter: str, smaller: int, small_letter: str) -> str:
    rest = (total % unit) // smaller
    return f"{total // unit}{letter}{rest}{small_letter}" if rest else f"{total // unit}{letter}"
