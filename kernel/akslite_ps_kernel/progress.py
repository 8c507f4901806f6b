"""Progress of a running cell as bars: one output that is displayed once and then updated.

Fed by ``screen`` with progress records. Updates are at least 0.2 s apart, as fast as a person can follow and
slow enough for a long notebook; the last state is always shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from akslite_ps.remoting.records import ProgressRecord
from akslite_ps.secrets import redact

THROTTLE_S = 0.2
_CELLS = 30


@dataclass(frozen=True, slots=True)
class _Bar:
    record: ProgressRecord
    done: bool = False


class ProgressPanel:
    """The bars of one pipeline, one per activity, children below their parents.

    Args:
        show: Shows a mime bundle; the flag tells an update from the first display.
        clock: Seconds, monotonic.
    """

    def __init__(self, show: Callable[[dict[str, str], bool], None], clock: Callable[[], float]) -> None:
        self._show = show
        self._clock = clock
        self._bars: dict[int, _Bar] = {}
        self._shown_at: float | None = None
        self._stale = False

    def take(self, record: ProgressRecord) -> None:
        """Note a progress record; it is shown at once, or with the next :meth:`tick` that is due."""
        known = self._bars.get(record.activity_id)
        if record.completed and known is not None:
            self._bars[record.activity_id] = replace(known, done=True)
        elif record.completed:
            return
        else:
            self._bars[record.activity_id] = _Bar(record)
        self._stale = True
        self.tick()

    def tick(self) -> float:
        """Show what has changed, if the last time is long enough ago.

        Returns:
            Seconds until the next update is due; infinity where nothing waits.
        """
        if not self._stale:
            return math.inf
        left = 0.0 if self._shown_at is None else self._shown_at + THROTTLE_S - self._clock()
        if left > 0:
            return left
        self._refresh()
        return math.inf

    def close(self, *, succeeded: bool) -> None:
        """Show the last state: bars of a pipeline that succeeded are done, others stay where they were."""
        if succeeded and any(not bar.done for bar in self._bars.values()):
            self._bars = {activity: replace(bar, done=True) for activity, bar in self._bars.items()}
            self._stale = True
        if self._stale:
            self._refresh()

    def _refresh(self) -> None:
        ordered = list(self._ordered(None, 0))
        self._show(
            {"text/plain": "\n".join(_text(bar, depth) for bar, depth in ordered), "text/html": _html(ordered)},
            self._shown_at is not None,
        )
        self._shown_at = self._clock()
        self._stale = False

    def _ordered(self, parent: int | None, depth: int) -> list[tuple[_Bar, int]]:
        found = []
        for activity, bar in self._bars.items():
            belongs = bar.record.parent_id if bar.record.parent_id in self._bars and bar.record.parent_id != activity else None
            if belongs == parent and depth < len(self._bars):
                found += [(bar, depth), *self._ordered(activity, depth + 1)]
        return found


def _percent(bar: _Bar) -> int | None:
    return 100 if bar.done else bar.record.percent


def _detail(bar: _Bar) -> str:
    if bar.done:
        return "done"
    record = bar.record
    left = ""
    if record.seconds_remaining is not None and record.seconds_remaining >= 0:
        minutes, seconds = divmod(record.seconds_remaining, 60)
        left = f"{minutes}:{seconds:02d} left"
    return ", ".join(part for part in (record.status.strip(), record.current_operation.strip(), left) if part)


def _text(bar: _Bar, depth: int) -> str:
    percent = _percent(bar)
    drawn = "" if percent is None else f" [{('#' * round(percent * _CELLS / 100)).ljust(_CELLS, '.')}] {percent:3d} %"
    return redact(f"{'  ' * depth}{bar.record.activity}{drawn} {_detail(bar)}".rstrip())


def _html(bars: list[tuple[_Bar, int]]) -> str:
    from akslite_ps.notebook import style

    rows = []
    for bar, depth in bars:
        percent = _percent(bar)
        value = "" if percent is None else f' value="{percent}"'
        drawn = f'<progress max="100"{value} style="width:220px;vertical-align:middle"></progress>'
        words = f'<b>{style.escape(bar.record.activity)}</b> <span class="akslite-soft">{style.escape(_detail(bar))}</span>'
        rows.append(f'<div style="margin:2px 0 2px {depth * 18}px">{drawn} {words}</div>')
    return style.block("".join(rows))
