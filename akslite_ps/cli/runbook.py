"""``akslite runbook``: run an operations notebook without a browser; its executed copy is the record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akslite_ps.cli.exit_codes import FAILED, OK
from akslite_ps.cli.output import Json, emit, facts, name_values, say
from akslite_ps.home import records_dir

app = typer.Typer(help="Operations notebooks, run headless.", no_args_is_help=True)


@app.command("run")
def run(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="Path of a runbook (.ipynb).")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter of the runbook.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for the record; default: a new folder below the akslite home.")
    ] = None,
    cell_timeout: Annotated[int, typer.Option(min=1, help="Longest time one cell may take, in seconds.")] = 7200,
    as_json: Json = False,
) -> None:
    """Run a runbook with parameters and keep the executed notebook, also as HTML."""
    from akslite_ps.notebook.runner import run_runbook

    record = run_runbook(
        notebook,
        name_values(parameter or (), "-p"),
        output_dir=output_dir or records_dir(),
        on_cell=None if as_json else lambda event: say(event.line()),
        cell_timeout_s=cell_timeout,
    )
    emit(
        record.as_data(),
        as_json=as_json,
        show=lambda: facts(
            {
                "runbook": record.name,
                "state": record.state,
                "failed at": record.failure,
                "executed notebook": record.notebook,
                "as a page": record.html,
            }
        ),
    )
    raise typer.Exit(OK if record.ok else FAILED)
