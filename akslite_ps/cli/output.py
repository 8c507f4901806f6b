"""What the commands print: Rich tables for people on standard output, or one JSON document.

Messages, progress and errors go to standard error, so that ``--json`` output can be piped.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.secrets import REDACTOR, redact
from akslite_ps.whole_file import write_whole

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

_PLAIN_WIDTH = 160
_NOT_FOR_TERMINALS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What terminals take for commands, and halves of characters, which no stream takes."""
_NEVER_FOLDED = ("RUN", "DEVICE")
"""Columns whose cells are copied into the next command."""
OUTCOME_STYLE = {
    "ok": "green",
    "changed": "green",
    "skipped_condition": "dim",
    "ok_reboot_soft": "yellow",
    "ok_reboot_hard": "yellow",
    "cancelled": "yellow",
    "unknown": "yellow",
    "retry_later": "yellow",
    "warning": "yellow",
    "info": "cyan",
    "failed": "red",
    "unreachable": "red",
    "timed_out": "red",
    "error": "red",
}


def name_values(pairs: Iterable[str], option: str) -> dict[str, str]:
    """The NAME=VALUE pairs of an option.

    Raises:
        UsageError: A pair has no equals sign or no name.
    """
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{option} {pair}: there is no name and value", next_action=f"write it as: {option} NAME=VALUE")
        values[name.strip()] = value
    return values


def visible(text: str) -> str:
    """The text with everything spelled out that a terminal takes for a command; a return of the carriage becomes a new line."""
    return _NOT_FOR_TERMINALS.sub(_spelled, text.replace("\r\n", "\n").replace("\r", "\n"))


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class _Console(Console):
    """A console that goes on without a reader, and prints text as text: the command's work and exit code depend on neither."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As Rich's; a text holds no command to the terminal."""
        super().print(*(visible(item) if isinstance(item, str) else item for item in objects), **how)

    def on_broken_pipe(self) -> None:
        drop(self.file)


def drop(stream: IO[str]) -> None:
    """Let go nowhere what is still to be written on this stream: nobody reads it, or its disk is full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def write(text: str) -> None:
    """Text as it is, on standard output."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)


def console(*, stderr: bool = False) -> Console:
    """A console on the stream as it is now; outside a terminal lines are not folded at 80 columns."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _PLAIN_WIDTH
    return _Console(file=stream, width=width, highlight=False, soft_wrap=False, legacy_windows=False if width else None)


def refuse_to_replace(file: Path, *, force: bool) -> None:
    """Refuse an output file that is there, or is no file.

    Raises:
        UsageError: It is.
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is no file", next_action="name a file")
    if file.exists() and not force:
        raise UsageError(f"{file} exists", next_action="name another file, or replace it with --force")


def put_text(text: str, file: Path, *, force: bool) -> None:
    """Write an output file whole, and say so.

    Raises:
        UsageError: It is there and may not be replaced.
    """
    refuse_to_replace(file, force=force)
    try:
        write_whole(file, text)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror or type(error).__name__}",
            next_action="name a file in an existing folder that you may write, on a disk with room",
        ) from None
    say(f"{file} written", style="green")


def say(message: str, *, style: str | None = None) -> None:
    """A line for people, on standard error."""
    console(stderr=True).print(escape(redact(message)), style=style, soft_wrap=True)


def emit_json(data: Any) -> None:
    """One JSON document on standard output, without any known secret."""
    text = json.dumps(REDACTOR.value(data), indent=2, ensure_ascii=False, default=lambda value: redact(str(value)))
    write(_NOT_FOR_TERMINALS.sub(_spelled, text) + "\n")


def emit(data: Any, *, as_json: bool, show: Callable[[], None]) -> None:
    """Print ``data`` as JSON, or call ``show`` to print it for people."""
    if as_json:
        emit_json(data)
    else:
        show()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table on standard output. Cells are text; the words of outcomes and severities are coloured."""
    grid = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False, show_edge=False
    )
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in _NEVER_FOLDED)
    for row in rows:
        grid.add_row(*(cell(value) for value in row))
    console().print(grid)


def cell(value: object) -> str:
    """One cell: empty for None, coloured where the text is an outcome or severity."""
    text = "" if value is None else visible(redact(str(value)))
    style = OUTCOME_STYLE.get(text)
    return f"[{style}]{escape(text)}[/]" if style else escape(text)


def facts(pairs: Mapping[str, object], *, title: str | None = None) -> None:
    """Names and values, one pair a line; pairs without a value are left out."""
    grid = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", ()):
            grid.add_row(name, cell(value))
    console().print(grid)


def show_error(error: AksLiteError, *, as_json: bool) -> None:
    """The error for people on standard error and, with ``--json``, as a document on standard output."""
    if as_json:
        emit_json(error.to_dict())
    lines = redact(str(error)).splitlines()
    err = console(stderr=True)
    err.print(f"[red bold]error:[/] {escape(lines[0])}", soft_wrap=True)
    for line in lines[1:]:
        err.print(escape(line), soft_wrap=True, style="cyan" if line.startswith("  next:") else None)
