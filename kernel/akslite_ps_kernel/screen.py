"""What a running PowerShell cell shows, in the order in which the device wrote it.

Texts and errors go to the output streams at once. Objects are gathered into a table; a text that comes between
them closes the table, so that the order stays true. While a person watches, a table that takes longer is shown and
grows; without a person it is shown once when it is complete, so that a saved notebook is the same every time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from akslite_ps.remoting.records import (
    DebugRecord,
    ErrorRecord,
    InformationRecord,
    OutputRecord,
    ProgressRecord,
    Record,
    VerboseRecord,
    WarningRecord,
)
from akslite_ps.secrets import redact
from akslite_ps_kernel.failures import CYAN, OFF, YELLOW, error_block, reddened
from akslite_ps_kernel.progress import ProgressPanel
from akslite_ps_kernel.values_view import View, mime_bundle

LIVE_AFTER_S = 0.2


class FrontEnd(Protocol):
    """Where a cell's output goes."""

    @property
    def is_watched(self) -> bool:
        """True where a person sees the output while the cell runs."""
        ...

    def write(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Write text; texts of both streams keep their order."""
        ...

    def flush(self) -> None:
        """Let written text be seen now."""
        ...

    def show(self, bundle: dict[str, str], *, display_id: str | None = None, update: bool = False) -> str:
        """Show or update a mime bundle; returns its display id."""
        ...


class Screen:
    """The output of one pipeline.

    Args:
        front: Where it goes.
        device: Name of the device, for error blocks.
        view: What Format-Table or Format-List at the end of the pipeline asked for.
        shows_objects: False where the objects go into a variable.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        front: FrontEnd,
        *,
        device: str | None,
        view: View | None = None,
        shows_objects: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._front = front
        self._device = device
        self._view = view
        self._shows_objects = shows_objects
        self._clock = clock
        self._progress: ProgressPanel | None = None
        self._open_table: list[Any] = []
        self._table_id: str | None = None
        self._drawn = 0
        self._drawn_at = 0.0
        self.values: list[Any] = []
        self.errors: list[ErrorRecord] = []
        self.has_shown_values = False

    def take(self, record: Record) -> None:
        """Show one record, or keep it for the table that is being gathered. A terminating error is only noted."""
        match record:
            case OutputRecord(value=value):
                self._object(value)
            case ProgressRecord():
                self._panel().take(record)
            case ErrorRecord():
                self.errors.append(record)
                if not record.terminating:
                    self.show_error(record)
            case WarningRecord(message=message):
                self._line("stdout", f"WARNING: {message}", YELLOW)
            case VerboseRecord(message=message):
                self._line("stdout", f"VERBOSE: {message}", YELLOW)
            case DebugRecord(message=message):
                self._line("stdout", f"DEBUG: {message}", YELLOW)
            case InformationRecord(message=message, tags=tags):
                self._line("stdout", message, "" if "PSHOST" in tags else CYAN)

    def show_error(self, record: ErrorRecord) -> None:
        """Show an error record as PowerShell's error block."""
        self._line("stderr", "\n".join(reddened(error_block(record, device=self._device))), "")

    def tick(self) -> float:
        """Give what waits its turn; called at every heartbeat.

        Returns:
            Seconds until something else is due; infinity where nothing waits.
        """
        self._front.flush()
        due = math.inf
        if self._progress is not None:
            due = self._progress.tick()
        if len(self._open_table) > self._drawn and self._front.is_watched:
            left = self._drawn_at + LIVE_AFTER_S - self._clock()
            if left > 0:
                return min(due, left)
            self._draw()
        return due

    def end_progress(self, *, succeeded: bool) -> None:
        """Show the last state of the bars."""
        if self._progress is not None:
            self._progress.close(succeeded=succeeded)

    def unshown(self) -> Sequence[Any]:
        """All objects, where none was shown yet: the caller shows them as the cell's result. Else shows the rest."""
        if not self.has_shown_values:
            return self._open_table
        self.flush()
        return ()

    def flush(self) -> None:
        """Show the objects gathered so far; the next object starts a new table."""
        if len(self._open_table) > self._drawn:
            self._draw()
        self._open_table, self._table_id, self._drawn = [], None, 0

    def _object(self, value: Any) -> None:
        self.values.append(value)
        if not self._shows_objects:
            return
        if not self._open_table:
            self._drawn_at = self._clock()
        self._open_table.append(value)

    def _line(self, stream: Literal["stdout", "stderr"], text: str, colour: str) -> None:
        self.flush()
        text = redact(text)
        self._front.write(stream, f"{colour}{text}{OFF}\n" if colour else f"{text}\n")

    def _panel(self) -> ProgressPanel:
        if self._progress is None:
            shown: list[str] = []

            def show(bundle: dict[str, str], update: bool) -> None:
                shown.append(self._front.show(bundle, display_id=shown[0] if update else None, update=update))

            self._progress = ProgressPanel(show, self._clock)
        return self._progress

    def _draw(self) -> None:
        bundle = mime_bundle(self._open_table, self._view)
        self._table_id = self._front.show(bundle, display_id=self._table_id, update=self._table_id is not None)
        self._drawn, self._drawn_at, self.has_shown_values = len(self._open_table), self._clock(), True
