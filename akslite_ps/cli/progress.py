"""Shows a run in a terminal as it happens: a live bar in a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import datetime as dt
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from akslite_ps.cli.output import OUTCOME_STYLE, console, visible
from akslite_ps.operations.events import Event, RecordArrived, RunEnded, RunStarted, StepEnded, StepProgress, StepStarted
from akslite_ps.remoting import records
from akslite_ps.secrets import redact

_PROGRESS_STEP = 0.25


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.fields.get("seconds_left")
        return Text("" if left is None else f"about {dt.timedelta(seconds=int(left))} left", style="cyan")


class TerminalView:
    """A listener for :mod:`akslite_ps.operations.events`; use as a context manager.

    Args:
        quiet: Print nothing (with ``--json``).
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = console(stderr=True)
        self._console.quiet = quiet
        self._live = self._console.is_terminal and not quiet
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._last_fraction = 0.0

    @property
    def live(self) -> Progress:
        """The bar, for whoever has to ask a question while it is shown."""
        return self._progress

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                verb = "going on with run" if event.resumed else "run"
                self._line(f"[bold]{verb} {event.run_id}[/] on {escape(event.plan.device)}")
                self._task = self._progress.add_task("starting", total=1.0, seconds_left=None)
            case StepStarted():
                self._last_fraction = 0.0
                self._line(f"[bold]step {event.index}/{event.total}[/] {escape(event.step.title)}")
                self._update(description=escape(event.step.title), seconds_left=None)
            case StepProgress():
                self._show_progress(event)
            case RecordArrived():
                self._show_record(event.record)
            case StepEnded():
                word = event.result.outcome.value
                style = OUTCOME_STYLE.get(word, "default")
                detail = f"  {escape(redact(event.result.detail))}" if event.result.detail else ""
                self._line(f"  [{style}]{word}[/]{detail}")
            case RunEnded():
                self._update(completed=1.0 if event.run.finished else None, seconds_left=None)

    def _show_progress(self, event: StepProgress) -> None:
        self._update(
            description=escape(redact(event.stage or event.step.title)), completed=event.overall, seconds_left=event.seconds_left
        )
        if not self._live and event.fraction is not None and event.fraction - self._last_fraction >= _PROGRESS_STEP:
            self._last_fraction = event.fraction
            self._line(f"  [dim]{event.fraction:.0%} {escape(redact(event.stage))}[/]")

    def _show_record(self, record: records.Record) -> None:
        match record:
            case records.InformationRecord() | records.VerboseRecord():
                self._line(f"  [dim]{escape(redact(record.message))}[/]")
            case records.WarningRecord():
                self._line(f"  [yellow]warning: {escape(redact(record.message))}[/]")
            case records.ErrorRecord():
                self._line(f"  [red]{escape(redact(record.message))}[/]")

    def _update(self, *, description: str | None = None, completed: float | None = None, seconds_left: int | None = None) -> None:
        if self._task is not None:
            shown = None if description is None else visible(description)
            self._progress.update(self._task, description=shown, completed=completed, seconds_left=seconds_left)

    def _line(self, markup: str) -> None:
        self._console.print(markup, soft_wrap=True)
