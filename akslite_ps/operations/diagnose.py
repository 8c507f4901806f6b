"""Diagnoses a device: asks everything, recognises known failures, and puts the likely cause first. Only reads.

    found = diagnose(device, folder=Path("out"), logs=True)
    print(found.verdict)

Called by ``akslite diagnose`` and by notebooks. A question that fails is a finding, never an exception: the device may be
half dead. The product writes its archives on the device; nothing else is changed there.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from akslite_ps.errors import AksLiteError
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations.controller import Ask, OpenCluster, OpenSession, open_cluster, open_session
from akslite_ps.operations.diagnosis import Cause, Diagnosis, Evidence, FetchedFile, Reading, Text, cleaned
from akslite_ps.operations.diagnosis_files import fetch, texts_of
from akslite_ps.operations.diagnosis_judging import judge
from akslite_ps.operations.diagnosis_readings import Reader, Seen
from akslite_ps.operations.diagnosis_report import as_html, as_markdown
from akslite_ps.operations.known_secrets import know_secrets
from akslite_ps.whole_file import write_whole

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

_RUNS = 20
LIMIT_S = 120.0
"""Longest time in seconds for one question, unless the caller says otherwise."""


def diagnose(
    device: Device,
    *,
    folder: Path | None = None,
    logs: bool = False,
    told: str = "",
    journal: Journal | None = None,
    limit_s: float = LIMIT_S,
    open_session: OpenSession = open_session,
    open_cluster: OpenCluster = open_cluster,
    ask: Ask | None = None,
    on_reading: Callable[[Reading], None] | None = None,
) -> Diagnosis:
    """Diagnose a device.

    Args:
        device: The device.
        folder: Where the product's archives are copied to; made where it is missing. None: no archive is made.
        logs: Have the archive of all logs made, too; it takes minutes. Needs a folder.
        told: What a person saw, in the device's words: a message that no log holds.
        journal: Where the last run on this device is looked up: what it was told belongs to the evidence.
        limit_s: Longest time in seconds for one question; archives have 30 minutes.
        open_session: Opens the session to read with.
        open_cluster: Makes the direct client of the cluster.
        ask: Answers ``prompt:`` secret references.
        on_reading: Told of each question when it is over.

    Returns:
        The diagnosis, also of a device that cannot be reached.

    Raises:
        SecretUnavailable: The credentials of this device cannot be had.
        OSError: The folder cannot be made.
    """
    started, began = dt.datetime.now(dt.UTC), time.monotonic()
    if journal is not None:
        _know_secrets(journal, device.name)
    reader = Reader(device, open_session=open_session, open_cluster=open_cluster, ask=ask, limit_s=limit_s, on_reading=on_reading)
    files: list[FetchedFile] = []
    try:
        seen = reader.read_all()
        if folder is not None and seen.unreachable is None and not _nothing_installed(seen):
            folder.mkdir(parents=True, exist_ok=True)
            files = fetch(reader, folder, logs=logs)
    finally:
        reader.close()
    for file in files:
        if file.local is not None:
            seen.texts += texts_of(Path(file.local))
    if journal is not None:
        seen.texts += _last_run(journal, device.name)
    if told.strip():
        seen.texts.append(Text("what you told", told, started, failure=True))
    causes, unrecognised = judge(seen, device=device.name)
    if seen.unreachable is not None:
        causes = (_unreachable(device, seen.unreachable), *causes)
    elif unrecognised and not any(cause.matters for cause in causes):
        causes = (_unrecognised(device, unrecognised), *causes)
    return Diagnosis(
        device=device.name,
        started=started,
        duration_s=round(time.monotonic() - began, 2),
        reachable=seen.unreachable is None,
        complete=all(done.ok is not False for done in seen.readings),
        causes=causes,
        unrecognised=unrecognised,
        readings=tuple(seen.readings),
        files=tuple(files),
        data=seen.data,
    )


def write_report(found: Diagnosis, folder: Path) -> tuple[Path, Path, Path]:
    """Write the page as HTML and Markdown, and the whole diagnosis as JSON.

    Args:
        found: The diagnosis.
        folder: Where they go; made where it is missing.

    Returns:
        Their paths, in that order.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"diagnosis-{re.sub(r'[^A-Za-z0-9.-]', '_', found.device)}-{found.started:%Y%m%d-%H%M%S}"
    paths = folder / f"{name}.html", folder / f"{name}.md", folder / f"{name}.json"
    texts = as_html(found), as_markdown(found), json.dumps(found.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    for path, text in zip(paths, texts, strict=True):
        write_whole(path, text)
    return paths


def _nothing_installed(seen: Seen) -> bool:
    return seen.facts is not None and seen.facts.product_name is None


def _know_secrets(journal: Journal, device: str) -> None:
    """Of the configs that were sent to the device: its logs may repeat them."""
    with suppress(AksLiteError):
        for run in journal.runs(device=device, limit=_RUNS):
            first = journal.rows(run.run_id, kinds=[RowKind.RUN_STARTED])
            plan = first[0].data.get("plan") if first else None
            if isinstance(plan, dict) and isinstance(plan.get("config"), dict):
                know_secrets(plan["config"])


def _last_run(journal: Journal, device: str) -> Iterable[Text]:
    """What the last run on this device ended with, where it did not succeed."""
    try:
        run = next(iter(journal.runs(device=device, limit=1)), None)
        rows = journal.rows(run.run_id, kinds=[RowKind.RESULT]) if run is not None else []
    except AksLiteError:
        return
    for row in rows[-1:]:
        error = row.data.get("error") or {}
        said = [str(error[key]) for key in ("message", "cause") if error.get(key)]
        if said:
            yield Text(f"run {row.run_id}, step {row.step_id}", said[0], row.time, failure=True)


def _unreachable(device: Device, error: AksLiteError) -> Cause:
    return Cause(
        id="unreachable",
        kind="cause",
        cause=f"No session could be opened on the device: {error.message}",
        remedy=error.next_action or "Check name, network, port and credentials.",
        next=f"akslite device test {device.name}",
        sure="seen now",
        certainty="inferred",
        source="the attempt to open a session",
        evidence=(Evidence(where="session", text=f"{type(error).__name__}: {cleaned(error.message)}"),),
    )


def _unrecognised(device: Device, found: tuple[Evidence, ...]) -> Cause:
    return Cause(
        id="unrecognised",
        kind="symptom",
        cause="Something failed in words that no known failure explains.",
        remedy="Read the device's own words; collect all logs for those who know the product.",
        next=f"akslite diagnose {device.name} --logs",
        sure="possible",
        certainty="inferred",
        source="the device's own words",
        evidence=found,
    )
