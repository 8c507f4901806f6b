"""Where a run stands, made from its events: the same for the widget, the printed log and the record.

Fed by ``notebook.run_view``. Keeps a bounded number of the device's messages; the journal has them all.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from akslite_ps.operations.events import Event, RecordArrived, RunEnded, RunStarted, StepEnded, StepProgress, StepStarted
from akslite_ps.operations.plan import Run
from akslite_ps.remoting import records
from akslite_ps.secrets import redact

MESSAGES_KEPT = 300
_ESTIMATE_FROM = 0.02

MessageKind = Literal["text", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Message:
    """One line that the device wrote."""

    text: str
    kind: MessageKind = "text"


@dataclass(slots=True)
class StepLine:
    """One step as the list of steps shows it: ``waiting``, ``working``, ``already so``, or its outcome."""

    title: str
    state: str = "waiting"
    detail: str = ""


@dataclass
class RunState:
    """Takes events; everything else is to be read.

    Args:
        clock: Monotonic seconds.
    """

    clock: Callable[[], float] = time.monotonic
    run_id: str = ""
    device: str = ""
    resumed: bool = False
    steps: dict[str, StepLine] = field(default_factory=dict)
    index: int = 0
    total: int = 0
    title: str = ""
    stage: str = ""
    step_left_s: int | None = None
    overall: float = 0.0
    run: Run | None = None
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MESSAGES_KEPT))
    messages_seen: int = 0
    _since: float | None = None
    _overall_then: float = 0.0

    def take(self, event: Event) -> None:
        """Bring one event in."""
        match event:
            case RunStarted():
                self.run_id, self.device, self.resumed = event.run_id, event.plan.device, event.resumed
                self.steps = {s.id: StepLine(s.title, "waiting" if s.needed else "already so") for s in event.plan.steps}
                self.total, self.run = len(event.plan.steps), None
            case StepStarted():
                self.index, self.total, self.title = event.index, event.total, event.step.title
                self.stage, self.step_left_s = "", None
                self._line(event.step.id, event.step.title).state = "working"
            case StepProgress():
                self.stage, self.step_left_s = redact(event.stage), event.seconds_left
                self._advance(event.overall)
            case RecordArrived():
                self._keep(event.record)
            case StepEnded():
                line = self._line(event.step.id, event.step.title)
                line.state, line.detail = event.result.outcome.value, redact(event.result.detail)
                self.stage, self.step_left_s = "", None
            case RunEnded():
                self.run = event.run
                self.overall = 1.0 if event.run.finished else self.overall

    @property
    def left_s(self) -> float | None:
        """Seconds that the whole run will still take, judged by its own pace; None while that cannot be told."""
        if self._since is None or self.run is not None:
            return None
        gained = self.overall - self._overall_then
        elapsed = self.clock() - self._since
        return elapsed * (1.0 - self.overall) / gained if gained >= _ESTIMATE_FROM and elapsed > 0 else None

    def _line(self, step_id: str, title: str) -> StepLine:
        return self.steps.setdefault(step_id, StepLine(title))

    def _advance(self, overall: float | None) -> None:
        if overall is None:
            return
        if self._since is None:
            self._since, self._overall_then = self.clock(), overall
        self.overall = max(self.overall, min(1.0, overall))

    def _keep(self, record: records.Record) -> None:
        message = as_message(record)
        if message is not None:
            self.messages_seen += 1
            self.messages.append(message)


def as_message(record: records.Record) -> Message | None:
    """What of a record a person reads in the log, or None (progress has its bar, objects have no line)."""
    match record:
        case records.InformationRecord() | records.VerboseRecord() | records.DebugRecord():
            return Message(redact(record.message))
        case records.WarningRecord():
            return Message(redact(record.message), "warning")
        case records.ErrorRecord():
            return Message(redact(record.message), "error")
        case records.OutputRecord(value=str() as text):
            return Message(redact(text))
        case _:
            return None
