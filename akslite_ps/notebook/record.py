"""The record of a runbook run: the executed notebook, the same as a page, and a small JSON file, in a folder of its own.

Written by ``notebook.runner`` after every cell, each file whole or not at all. Until the last cell is done the record
says at its top that it is not complete; a run that was killed leaves just that.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from akslite_ps.errors import UsageError
from akslite_ps.secrets import REDACTOR
from akslite_ps.whole_file import write_whole

State = Literal["running", "completed", "failed", "interrupted"]
BANNER_TAG = "akslite-record"
METADATA = "akslite"
RECORD_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class RunbookRecord:
    """One run of a runbook and where its files lie.

    Args:
        name: The runbook's file name without extension.
        state: ``running`` until the end; ``completed`` only where every cell ran.
        folder: Holds the files below.
        notebook: The executed copy.
        html: The same as a page, None while running or where it could not be made.
        parameters: As given, after they were checked.
        started, ended: UTC.
        failure: Where and why it failed or stopped, None where it did not.
        cells: Code cells in all.
        cells_run: Code cells that ran to their end.
    """

    name: str
    state: State
    folder: Path
    notebook: Path
    started: dt.datetime
    html: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ended: dt.datetime | None = None
    failure: str | None = None
    cells: int = 0
    cells_run: int = 0

    @property
    def ok(self) -> bool:
        """True where every cell ran to its end."""
        return self.state == "completed"

    def as_data(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "schema_version": RECORD_SCHEMA,
            "runbook": self.name,
            "state": self.state,
            "failure": self.failure,
            "parameters": dict(self.parameters),
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "cells": self.cells,
            "cells_run": self.cells_run,
            "notebook": str(self.notebook),
            "html": str(self.html) if self.html else None,
        }


def new_folder(parent: Path, name: str, started: dt.datetime) -> Path:
    """Make a folder for one run below ``parent``; its name sorts by time.

    Raises:
        UsageError: It cannot be made.
    """
    stem = f"{started:%Y%m%dT%H%M%SZ}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-')}"
    for number in range(1, 1000):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made: {error.strerror}",
                attempted="keep the record of the runbook",
                next_action="choose another folder for records",
            ) from None
        return folder
    raise UsageError(f"{parent} holds too many records of this second", next_action="try again")


def write(record: RunbookRecord, notebook: NotebookNode) -> None:
    """Write the executed notebook and ``record.json`` as they stand, redacted; the page too once the run is over."""
    copy = _redacted(notebook)
    banner = nbformat.v4.new_markdown_cell(_banner(record), metadata={"tags": [BANNER_TAG]})  # type: ignore[no-untyped-call]
    copy.cells = [banner, *(cell for cell in copy.cells if BANNER_TAG not in cell.metadata.get("tags", ()))]
    copy.metadata[METADATA] = REDACTOR.value(record.as_data())
    copy.metadata.pop("widgets", None)
    write_whole(record.notebook, nbformat.writes(copy))  # type: ignore[no-untyped-call]
    if record.html is not None:
        write_whole(record.html, _page(copy, record.name))
    write_whole(record.folder / "record.json", json.dumps(REDACTOR.value(record.as_data()), indent=2, ensure_ascii=False) + "\n")


def _redacted(notebook: NotebookNode) -> NotebookNode:
    copy: NotebookNode = nbformat.from_dict(REDACTOR.value(notebook))  # type: ignore[no-untyped-call]
    return copy


def _banner(record: RunbookRecord) -> str:
    when = f"{record.started:%Y-%m-%d %H:%M:%S} UTC"
    match record.state:
        case "completed":
            head = f"**Completed.** All {record.cells} code cells ran, from {when} to {record.ended:%H:%M:%S} UTC."
        case "running":
            head = f"**Not complete.** Started {when}; {record.cells_run} of {record.cells} code cells have run so far."
        case _:
            head = f"**{record.state.capitalize()}.** Started {when}; {record.cells_run} of {record.cells} code cells ran."
    lines = [f"> {head}"]
    if record.failure:
        lines += [">", *(f">     {line}" for line in record.failure.splitlines())]
    if record.parameters:
        given = ", ".join(f"`{name}={value!r}`" for name, value in record.parameters.items())
        lines += [">", f"> Parameters: {given}"]
    return "\n".join(lines)


def _page(notebook: NotebookNode, title: str) -> str:
    from nbconvert.exporters import HTMLExporter

    # No script from elsewhere: a record must open on a machine without internet, years later.
    exporter = HTMLExporter(template_name="lab", mathjax_url="", require_js_url="", jquery_url="", widget_renderer_url="")  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return str(body)
