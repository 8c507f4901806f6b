"""Errors as a person at PowerShell knows them: the error block, in red, without a line of Python.

The exceptions here end a cell. IPython shows what ``_render_traceback_`` gives, in the notebook and in its record.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from akslite_ps.command_line import CommandLineError
from akslite_ps.errors import AksLiteError
from akslite_ps.remoting.records import ErrorRecord
from akslite_ps.secrets import redact

RED, YELLOW, CYAN, OFF = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"
_WIDTH = 116
_ACTIVITY = re.compile(r"\[([^\]]*)\], ")


class CellFailed(Exception):
    """A PowerShell cell that did not succeed.

    Args:
        message: One line for reports (``evalue``).
        lines: What is shown in the notebook.
        error: What happened, for a program that catches it.
    """

    def __init__(self, message: str, lines: Sequence[str], error: BaseException | None = None) -> None:
        super().__init__(redact(message))
        self.lines = tuple(redact(line) for line in lines)
        self.error = error

    def _render_traceback_(self) -> list[str]:
        return reddened(self.lines)


def error_block(record: ErrorRecord, *, device: str | None = None) -> list[str]:
    """An error record as Windows PowerShell's console shows it.

    Args:
        device: The device's name, shown as PSComputerName.
    """
    activity = match[1] if (match := _ACTIVITY.search(record.category_line)) else ""
    message = f"{activity} : {record.message}" if activity else record.message
    lines = [part for line in message.splitlines() for part in textwrap.wrap(line, _WIDTH, break_long_words=False) or [""]]
    lines += record.position.strip("\n").splitlines() if record.position else []
    details = [
        (
            "CategoryInfo",
            record.category_line or f"{record.category}: (:) [], {record.exception_type.rpartition('.')[2] or 'Exception'}",
        ),
        ("FullyQualifiedErrorId", record.error_id),
        ("PSComputerName", device or ""),
    ]
    width = max(len(name) for name, _ in details)
    return [redact(line) for line in [*lines, *(f"    + {name.ljust(width)} : {value}" for name, value in details if value)]]


def reddened(lines: Sequence[str]) -> list[str]:
    """The lines with what happened in red; what is indented (details, the way out) keeps the reader's own colour."""
    return [f"{RED}{line}{OFF}" if line and not line.startswith(" ") else line for line in lines]


def known_cause(message: str) -> list[str]:
    """What is known of a failure of the product, as lines to stand below its block; none for an unknown one."""
    from akslite_ps.aksedge.failures import known_failure

    known = known_failure(message)
    return [f"  cause: {known.cause}", f"  next: {known.remedy}"] if known else []


def terminated(record: ErrorRecord, *, device: str | None, similar: Callable[[str], str | None]) -> CellFailed:
    """The failure of a cell whose pipeline ended with an error.

    Args:
        similar: Gives the command most like a mistyped one.
    """
    lines = [*error_block(record, device=device), *known_cause(record.message)]
    if record.error_id.startswith("CommandNotFoundException") and record.target and (meant := similar(record.target)):
        lines.append(f"  next: did you mean {meant}?")
    return CellFailed(_first_line(record.message), lines)


def left_errors(records: Sequence[ErrorRecord]) -> CellFailed:
    """The failure of a cell that ran to its end and wrote error records, which were shown when they came."""
    count = len(records)
    head = f"The cell ran to its end and left {count} error record{'s' if count > 1 else ''}"
    return CellFailed(
        f"{head}: {_first_line(records[0].message)}",
        [f"{head} (shown above).", "  next: mend the cause, or start the cell with %%ps --no-fail where errors are expected"],
    )


def refused(error: CommandLineError, source: str) -> CellFailed:
    """The failure of a cell that is not made of simple command lines: the line, and a mark under the place."""
    place = error.place
    line = source.split("\n")[place.line - 1].rstrip("\r") if place.line <= source.count("\n") + 1 else ""
    mark = "".join("\t" if character == "\t" else " " for character in line[: place.column - 1]) + "^"
    return CellFailed(error.message, [error.message, f"    {line}", f"    {mark}", f"  next: {error.next_action}"], error)


def not_done(error: AksLiteError) -> CellFailed:
    """The failure of a cell that could not be run, or not to its end, for a reason outside of the command."""
    lines = str(error).splitlines() or [type(error).__name__]
    return CellFailed(lines[0], [f"{type(error).__name__}: {lines[0]}", *lines[1:]], error)


def interrupted(lines: Sequence[str]) -> KeyboardInterrupt:
    """A KeyboardInterrupt that is shown as these lines."""
    error = KeyboardInterrupt(" ".join(lines))
    shown = reddened(lines)
    setattr(error, "_render_traceback_", lambda: shown)  # noqa: B010 - IPython's protocol, on an instance of a built-in
    return error


def _first_line(message: str) -> str:
    return (message.strip().splitlines() or [""])[0]
