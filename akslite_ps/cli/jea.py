"""``akslite jea``: the least-privilege endpoints of the project, as files for the devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akslite_ps.cli.output import Json, emit, say

app = typer.Typer(help="Least-privilege (JEA) endpoints: viewer and operator.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Least-privilege (JEA) endpoints: viewer and operator."""


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it does not exist.")],
    operators: Annotated[str | None, typer.Option(metavar="GROUP", help="Default: AksEdge-Operators.")] = None,
    viewers: Annotated[str | None, typer.Option(metavar="GROUP", help="Default: AksEdge-Viewers.")] = None,
    transcripts: Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder on the device for transcripts.")] = None,
    installers: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="A share or folder that operators may install from, besides Microsoft's addresses."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: Json = False,
) -> None:
    """Write role capabilities, session configurations, the modules they need, and a page that says how to register them."""
    from akslite_ps.aksedge import jea_files, roles

    groups = {name: group for name, group in ((roles.OPERATORS, operators), (roles.VIEWERS, viewers)) if group is not None}
    written = jea_files.export(
        folder,
        groups=groups,
        transcripts=jea_files.TRANSCRIPTS if transcripts is None else transcripts,
        installers=installers,
        force=force,
    )

    def show() -> None:
        for path in written:
            say(str(path))
        say(f"what to do with them on a device: {folder / 'README.md'}", style="green")

    emit({"folder": str(folder), "files": [str(path) for path in written]}, as_json=as_json, show=show)
