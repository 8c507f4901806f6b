"""Shows a run as it happens: widgets in JupyterLab, printed lines headless. Both are listeners for events.

The engine calls a listener from the thread that works, so nothing here prints from a thread in JupyterLab: widgets
are changed, at most five times a second, and what comes in between is shown with the next change.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w

from akslite_ps.notebook import style
from akslite_ps.notebook.run_state import Message, RunState, as_message
from akslite_ps.notebook.tables import duration
from akslite_ps.operations.events import Event, RecordArrived, RunEnded, RunStarted, StepEnded, StepProgress, StepStarted

_INTERVAL_S = 0.2
_BAR_STEPS = 1000
_PRINTED_MESSAGES = 2000
_SAME_STAGE_S = 15.0
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class RunView:
    """A listener that shows progress, stage, time left, steps and the device's messages in widgets.

    Args:
        interval_s: Shortest time between two changes of the widgets.
        clock: Monotonic seconds.
    """

    def __init__(self, *, interval_s: float = _INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = RunState(clock)
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.RLock()
        self._painted: float | None = None
        self._timer: threading.Timer | None = None
        self._head = w.HTML()
        self._bar = w.IntProgress(value=0, min=0, max=_BAR_STEPS, bar_style="info", layout=w.Layout(width="420px"))
        self._left = w.HTML()
        self._steps = w.HTML()
        self._log = w.HTML()
        bar = w.HBox([self._bar, self._left], layout=w.Layout(align_items="center"))
        self.widget = w.VBox([w.HTML(style.sheet()), self._head, bar, self._steps, self._log])
        self.widget.add_class("akslite-app")
        self.widget.add_class("akslite-run")
        self.paint()

    def __call__(self, event: Event) -> None:
        """Take an event; called by the engine."""
        with self._lock:
            self.state.take(event)
            if isinstance(event, RunStarted | StepStarted | StepEnded | RunEnded):
                self.paint()
                return
            since = self._interval_s if self._painted is None else self._clock() - self._painted
            if since >= self._interval_s:
                self.paint()
            elif self._timer is None:
                self._timer = threading.Timer(self._interval_s - since, self.paint)
                self._timer.daemon = True
                self._timer.start()

    def paint(self) -> None:
        """Bring the widgets up to date now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._painted = self._clock()
            state = self.state
            _set(self._head, style.frame(_headline(state)))
            _set(self._bar, round(state.overall * _BAR_STEPS))
            _set(self._left, style.frame(f'<span class="akslite-left">{style.escape(_time_left(state))}</span>'))
            _set(self._steps, style.frame(_steps(state)))
            _set(self._log, style.frame(log_html(state.messages, state.messages_seen)))
            if state.run is not None:
                self._bar.bar_style = "success" if state.run.finished else "warning" if state.run.outcome.is_success else "danger"

    def close(self) -> None:
        """Forget a change that is still due."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.widget._repr_mimebundle_(include=include, exclude=exclude)


class RunPrinter:
    """A listener that prints a line whenever something changes, for runs without a browser.

    A stage whose numbers alone change (megabytes, seconds) is printed again after a while only.

    Args:
        write: Takes each line; default: ``print`` with flush.
        clock: Monotonic seconds.
    """

    def __init__(self, write: Callable[[str], object] | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write or (lambda line: print(line, flush=True))
        self._clock = clock
        self._stage = ""
        self._printed = 0.0
        self._messages = 0

    def __call__(self, event: Event) -> None:
        """Take an event; called by the engine."""
        match event:
            case RunStarted():
                self._line(f"{'going on with run' if event.resumed else 'run'} {event.run_id} on {event.plan.device}")
            case StepStarted():
                self._stage = ""
                self._line(f"step {event.index}/{event.total} {event.step.title}")
            case StepProgress() if self._is_news(event.stage):
                done = "" if event.overall is None else f"{event.overall:4.0%} "
                self._line(f"  {done}{event.stage}{_about(event.seconds_left)}")
            case RecordArrived():
                self._message(as_message(event.record))
            case StepEnded():
                detail = f": {event.result.detail}" if event.result.detail else ""
                self._line(f"  {event.result.outcome.value}{detail}")
            case RunEnded():
                self._line(f"run {event.run.run_id}: {event.run.outcome.value if event.run.finished else 'not finished'}")

    def _is_news(self, stage: str) -> bool:
        kind = _NUMBER.sub("#", stage)
        if not stage or (kind == self._stage and self._clock() - self._printed < _SAME_STAGE_S):
            return False
        self._stage, self._printed = kind, self._clock()
        return True

    def _message(self, message: Message | None) -> None:
        if message is None:
            return
        self._messages += 1
        if self._messages <= _PRINTED_MESSAGES:
            kind = "" if message.kind == "text" else f"{message.kind}: "
            self._line(f"  | {kind}{message.text}")
        elif self._messages == _PRINTED_MESSAGES + 1:
            self._line("  | more messages are in the journal")

    def _line(self, text: str) -> None:
        self._write(text)


class RunLog:
    """The device's messages of a run, as an output that stays."""

    def __init__(self, state: RunState) -> None:
        self._state = state

    def inner_html(self) -> str:
        """HTML without the style."""
        return log_html(self._state.messages, self._state.messages_seen)

    def text(self) -> str:
        """Plain text, one message a line."""
        return "\n".join(message.text for message in self._state.messages)


def log_html(messages: Iterable[Message], seen: int) -> str:
    """The device's messages as inner HTML, the newest in sight."""
    kept = list(messages)
    if not kept:
        return ""
    earlier = seen - len(kept)
    lines = [f'<div class="akslite-soft">{earlier} earlier messages are in the journal</div>'] if earlier > 0 else []
    lines += [_log_line(message) for message in kept]
    return f'<h4>What the device says</h4><div class="akslite-log"><div>{"".join(lines)}</div></div>'


def _log_line(message: Message) -> str:
    text = style.escape(message.text)
    tone = {"warning": "warn", "error": "bad"}.get(message.kind)
    return f'<div><span class="akslite-dot akslite-{tone}">{message.kind}</span> {text}</div>' if tone else f"<div>{text}</div>"


def _headline(state: RunState) -> str:
    if not state.run_id:
        return "<p>Starting.</p>"
    device = style.escape(state.device)
    if state.run is not None:
        word = (
            state.run.outcome.value
            if state.run.finished
            else "interrupted"
            if state.run.outcome.is_success
            else state.run.outcome.value
        )
        return f"<h4>Run {style.escape(state.run_id)} on {device}: {style.state(word)}</h4>"
    where = f"step {state.index} of {state.total}: {style.escape(state.title)}" if state.index else "starting"
    stage = style.escape(state.stage) + style.escape(_about(state.step_left_s)) if state.stage else "&nbsp;"
    return f'<h4>{device}, {where}</h4><p class="akslite-stage">{stage}</p>'


def _steps(state: RunState) -> str:
    rows = "".join(
        f"<tr><td>{style.state(line.state)}</td><td>{style.escape(line.title)}</td>"
        f'<td class="akslite-soft">{style.escape(line.detail)}</td></tr>'
        for line in state.steps.values()
    )
    return f'<div class="akslite-scroll"><table class="akslite-table"><tbody>{rows}</tbody></table></div>' if rows else ""


def _time_left(state: RunState) -> str:
    done = f"{state.overall:.0%}"
    left = state.left_s
    return done if left is None else f"{done}, about {duration(left)} left"


def _about(seconds: int | None) -> str:
    return "" if not seconds else f" (about {duration(seconds)} left)"


def _set(widget: Any, value: Any) -> None:
    if widget.value != value:
        widget.value = value
