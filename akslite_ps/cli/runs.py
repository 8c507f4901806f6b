"""``akslite runs``: what was done on which device, from the journal."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from akslite_ps.cli.device import known_name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.output import Json, emit, facts, say, table
from akslite_ps.home import journal_file

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
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its first characters.")],
    records: Annotated[bool, typer.Option("--records", help="Also show what the device said.")] = False,
    as_json: Json = False,
) -> None:
    """Show one run: its steps, their outcomes and the journal's rows."""
    from akslite_ps.journal import Journal

    with Journal.open(journal_file()) as journal:
        summary = journal.find_run(run)
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
            ((_time(r.time), r.step_id, r.kind, _short(r.data)) for r in rows if records or r.kind != "record"),
        )

    data = {**summary.as_data(), "intact": intact.ok, "rows": [r.as_data() for r in rows]}
    emit(data, as_json=as_json, show=show)


@app.command("abandon")
def abandon_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its first characters.")],
    as_json: Json = False,
) -> None:
    """Give up an interrupted run: stop what may still run on the device, and end the run as cancelled."""
    from akslite_ps.journal import Journal
    from akslite_ps.operations import abandon

    with Journal.open(journal_file()) as journal:
        summary = journal.find_run(run)
        stopped = abandon(load_device(summary.device), summary.run_id, journal=journal)
    left = "a command was still running there and has been stopped" if stopped else "nothing was running there any more"
    emit(
        {"run_id": summary.run_id, "device": summary.device, "stopped": stopped},
        as_json=as_json,
        show=lambda: say(f"run {summary.run_id} is given up; {left}; see: akslite status {summary.device}"),
    )


def _time(value: object) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "astimezone") else ""


def _short(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:157] + "..."
