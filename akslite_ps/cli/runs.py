"""``akslite runs``: what was done on which device, from the journal."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli.carrying_out import Unlock
from akslite_ps.cli.device import known_name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.exit_codes import FAILED, OK
from akslite_ps.cli.output import Json, emit, facts, say, table
from akslite_ps.errors import UsageError
from akslite_ps.home import journal_file

if TYPE_CHECKING:
    from akslite_ps.journal import ChainReport, Journal, RunSummary

app = typer.Typer(help="What was done: the journal of runs.", no_args_is_help=True)


@app.command("list")
def list_command(
    device: Annotated[str | None, typer.Option(help="Only runs on this device.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from akslite_ps.journal import Journal

    with Journal.open(journal_file()) as journal:
        runs = journal.runs(device=known_name(device), limit=limit)

    def show() -> None:
        if not runs:
            say(f"no runs yet in {journal_file()}")
            return
        table(
            ("RUN", "DEVICE", "OPERATION", "STARTED", "ENDED", "OUTCOME"),
            ((r.run_id, r.device, r.operation, _time(r.started), _time(r.ended), r.outcome or r.state) for r in runs),
        )

    emit([r.as_data() for r in runs], as_json=as_json, show=show)


@app.command("show")
def show_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id, or its first characters. Default: the newest run.")
    ] = None,
    records: Annotated[bool, typer.Option("--records", help="Also show what the device said, and how far it was read.")] = False,
    as_json: Json = False,
) -> None:
    """Show one run: its steps, their outcomes and the journal's rows."""
    from akslite_ps.journal import Journal

    with Journal.open(journal_file()) as journal:
        summary = journal.find_run(run) if run is not None else _newest(journal)
        rows = journal.rows(summary.run_id)
        intact = journal.verify(summary.run_id)

    def show() -> None:
        facts(
            {
                "run": summary.run_id,
                "device": summary.device,
                "operation": summary.operation,
                "plan": summary.plan_hash,
                "started": _time(summary.started),
                "ended": _time(summary.ended),
                "outcome": summary.outcome or summary.state,
                "hash chain": "intact" if intact.ok else f"BROKEN: {intact.detail}",
                "journal": journal_file(),
            }
        )
        table(
            ("TIME", "STEP", "KIND", "DATA"),
            ((_time(r.time), r.step_id, r.kind, _short(r.data)) for r in rows if records or r.kind not in ("record", "place")),
        )

    data = {**summary.as_data(), "intact": intact.ok, "rows": [r.as_data() for r in rows]}
    emit(data, as_json=as_json, show=show)


@app.command("abandon")
def abandon_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its first characters.")],
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Give up an interrupted run: stop what may still run on the device, and end the run as cancelled."""
    from akslite_ps.journal import Journal
    from akslite_ps.operations import abandon

    with Journal.open(journal_file()) as journal:
        summary = journal.find_run(run)
        stopped = abandon(load_device(summary.device), summary.run_id, journal=journal, force_token=unlock)
    left = "a command was still running there and has been stopped" if stopped else "nothing was running there any more"
    emit(
        {"run_id": summary.run_id, "device": summary.device, "stopped": stopped},
        as_json=as_json,
        show=lambda: say(f"run {summary.run_id} is given up; {left}; see: akslite status {summary.device}"),
    )


@app.command("export")
def export_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its first characters.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, JSON; must not be there yet.")],
    as_json: Json = False,
) -> None:
    """Write one run into a file that stands alone: plan, rows, what the device said. It holds no secret."""
    from akslite_ps.journal import Journal, write_export
    from akslite_ps.operations.evidence import verify_runs

    with Journal.open(journal_file()) as journal:
        summary = journal.find_run(run)
        rows = journal.rows(summary.run_id)
        write_export(file, summary, rows, now=dt.datetime.now(dt.UTC))
        report = verify_runs(journal, summary.run_id)

    def show() -> None:
        say(f"run {summary.run_id}: {len(rows)} rows written to {file}")
        say(f"it is checked anywhere with: akslite runs verify {file}", style="dim")
        _tell_faults(report)

    data = {**summary.as_data(), "file": str(file), "rows": len(rows), "intact": report.ok, "faults": list(report.faults)}
    emit(data, as_json=as_json, show=show)
    raise typer.Exit(OK if report.ok else FAILED)


@app.command("verify")
def verify_command(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|FILE]", help="A run, or a file that `akslite runs export` wrote. Default: all runs."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that nothing was changed, removed or inserted since: rows, large data, approved plans. Exit code 4 where it was."""
    from akslite_ps.journal import Journal, read_export
    from akslite_ps.operations.evidence import verify_export, verify_runs

    last_hash: str | None = None
    if what is not None and names_file(what):
        exported = read_export(Path(what))
        name, report = f"run {exported.summary.run_id} in {what}", verify_export(exported)
        last_hash = exported.rows[-1].hash if exported.rows else None
    elif not journal_file().exists():
        raise UsageError(f"there is no journal {journal_file()}", attempted="verify runs", next_action="run an operation first")
    else:
        with Journal.open(journal_file()) as journal:
            run_id = journal.find_run(what).run_id if what is not None else None
            name, report = f"run {run_id}" if run_id else f"the journal {journal_file()}", verify_runs(journal, run_id)

    def show() -> None:
        facts(
            {
                "checked": name,
                "runs": report.runs,
                "rows": report.rows,
                "result": "intact" if report.ok else "NOT as it was journaled",
                "hash of the last row": last_hash or "",
            }
        )
        _tell_faults(report)

    data = {"verified": name, "intact": report.ok, "runs": report.runs, "rows": report.rows, "faults": list(report.faults)}
    emit({**data, "last_hash": last_hash}, as_json=as_json, show=show)
    raise typer.Exit(OK if report.ok else FAILED)


def _newest(journal: Journal) -> RunSummary:
    for summary in journal.runs(limit=1):
        return summary
    raise UsageError(f"no runs yet in {journal.path}", attempted="show the newest run", next_action="run an operation first")


def names_file(what: str) -> bool:
    """Whether a word is the name of a file rather than a run's id."""
    return Path(what).is_file() or what.endswith(".json") or Path(what).name != what


def _tell_faults(report: ChainReport) -> None:
    for number, fault in enumerate(report.faults):
        say(f"{'first' if not number else 'then'}: {fault}", style="red")


def _time(value: object) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "astimezone") else ""


def _short(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:157] + "..."
