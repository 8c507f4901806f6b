"""``akslite diagnose``: what is wrong with a device, and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli.carrying_out import reading_display
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.exit_codes import FAILED, OK, for_error
from akslite_ps.cli.output import Json, console, emit, table
from akslite_ps.cli.questions import Questions
from akslite_ps.home import journal_file, records_dir
from akslite_ps.secrets import redact

if TYPE_CHECKING:
    from akslite_ps.operations.diagnosis import Cause, Diagnosis, Reading

_SHOWN_EVIDENCE = 3


def register(app: typer.Typer) -> None:
    """Put the command at the top level of ``akslite``."""
    app.command("diagnose")(diagnose)


def diagnose(
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where report and archives go; default: the records folder."),
    ] = None,
    logs: Annotated[bool, typer.Option("--logs", help="Also collect all logs of host and nodes, which takes minutes.")] = False,
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="TEXT", help="A message you saw on the device; it is looked up as well.")
    ] = "",
    limit_s: Annotated[float, typer.Option("--limit", metavar="SECONDS", min=1, help="Longest time for one question.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Find out what is wrong with a device: the likely cause first, with evidence, remedy and the next command. Only reads.

    Exit code 0: nothing wrong was found; 4: a cause was found, or not every question was answered; 5: it cannot be reached.
    """
    from akslite_ps.errors import UsageError
    from akslite_ps.journal import Journal
    from akslite_ps.operations import diagnose as operation

    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file", next_action="name a folder")
    device = load_device(name)
    folder = output or records_dir() / "diagnoses" / device.name
    folder.mkdir(parents=True, exist_ok=True)
    with Journal.open(journal_file()) as journal, reading_display(device) as live:

        def tell(reading: Reading) -> None:
            live.update(f"reading {device.name}: {reading.title} is done ...")

        found = operation.diagnose(
            device,
            folder=folder,
            logs=logs,
            told=message,
            journal=journal,
            limit_s=limit_s,
            ask=Questions().over(live),
            on_reading=tell,
        )
    page, markdown, data_file = operation.write_report(found, folder)
    data = {
        **found.model_dump(mode="json"),
        "verdict": found.verdict,
        "reports": {"html": str(page), "markdown": str(markdown), "json": str(data_file)},
    }
    emit(data, as_json=as_json, show=lambda: _show(found, page))
    raise typer.Exit(_exit_code(found))


def _exit_code(found: Diagnosis) -> int:
    if not found.reachable:
        from akslite_ps.errors import Unreachable

        return for_error(Unreachable(found.verdict))
    return OK if found.likely is None and found.complete else FAILED


def _line(text: str = "", *, style: str | None = None) -> None:
    """A line of the result. It is what the command is for, so it goes to standard output."""
    from rich.markup import escape

    console().print(escape(redact(text)), style=style, soft_wrap=True)


def _show(found: Diagnosis, page: Path) -> None:
    _line(f"{found.device}: {found.verdict}", style="bold")
    mattering = [cause for cause in found.causes if cause.matters]
    for number, cause in enumerate(mattering, start=1):
        _line()
        _show_cause(number, cause)
    for evidence in found.unrecognised:
        _line(f"not recognised ({evidence.where}): {evidence.text}", style="dim")
    for cause in found.causes:
        if not cause.matters:
            _line(f"not the cause: {cause.cause} ({cause.note or 'harmless'})", style="dim")
    _line()
    failed = [done for done in found.readings if done.ok is False]
    if failed:
        table(("NOT ANSWERED", "WHY", "NEXT"), ((done.title, done.found, done.next_action) for done in failed))
    for file in found.files:
        if file.local is None:
            _line(f"{file.title}: {file.note}" + (f" at {file.remote}" if file.remote else ""))
        else:
            _line(f"{file.title}: {file.local}")
    _line(f"report: {page}")


def _show_cause(number: int, cause: Cause) -> None:
    from akslite_ps.operations.diagnosis_report import SURE

    _line(f"{number}. {cause.cause}", style="yellow" if cause.kind == "cause" else None)
    _line(f"   {SURE[cause.sure]}; {cause.certainty}: {cause.source}", style="dim")
    for evidence in cause.evidence[:_SHOWN_EVIDENCE]:
        when = f" {evidence.time:%Y-%m-%d %H:%M:%S}" if evidence.time else ""
        _line(f"   {evidence.where}{when}: {evidence.text}", style="dim")
    _line(f"   do: {cause.remedy}")
    _line(f"   next: {cause.next}", style="cyan")
