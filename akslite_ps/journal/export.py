"""One run as one file that stands alone: written from a journal, read and checked without one.

JSON with a schema version. The rows are the journal's own, so that their hash chain can be checked wherever the file
goes; large data lies under its SHA-256. Redacted when it was journaled: there is no secret in it. Used by the command
line and by reports; asks no device.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akslite_ps.errors import UsageError
from akslite_ps.journal.chain import ChainRow, RunChain, run_faults
from akslite_ps.journal.rows import ChainReport, Row, RowKind, RunSummary, canonical_text, content_hash, encodable
from akslite_ps.journal.writer import LARGEST_INLINE
from akslite_ps.whole_file import write_whole

EXPORT_FORMAT = "akslite run"
EXPORT_SCHEMA = 1
_KINDS = frozenset(kind.value for kind in RowKind)


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """A run read from a file.

    Args:
        summary: The run at a glance. Never ``running``: a file does not know.
        rows: Its rows in order, as far as they can be read.
        exported: When the file was made, UTC.
        report: Whether the rows are as they were journaled.
    """

    summary: RunSummary
    rows: tuple[Row, ...]
    exported: dt.datetime
    report: ChainReport


def write_export(path: Path, summary: RunSummary, rows: Sequence[Row], *, now: dt.datetime) -> None:
    """Write a run into a file.

    Args:
        path: The file; must not be there yet.
        summary: The run.
        rows: All its rows, from :meth:`Journal.rows`.
        now: The time, UTC.

    Raises:
        UsageError: The file is there already, or cannot be written.
    """
    blobs: dict[str, Any] = {}
    written: list[dict[str, Any]] = []
    for row in rows:
        text = canonical_text(row.data)
        content = content_hash(text)
        data: dict[str, Any] = {"data": row.data}
        if len(text) > LARGEST_INLINE:
            blobs[content] = row.data
            data = {}
        described = {"seq": row.seq, "time": row.time.isoformat(), "kind": row.kind.value, "step_id": row.step_id}
        written.append(
            {**described, "attempt": row.attempt, **data, "content": content, "previous": row.previous, "hash": row.hash}
        )
    document = {
        "format": EXPORT_FORMAT,
        "schema_version": EXPORT_SCHEMA,
        "exported": now.isoformat(),
        "run": {
            "run_id": summary.run_id,
            "operation": summary.operation,
            "device": summary.device,
            "owner": summary.owner,
            "plan_hash": summary.plan_hash,
            "started": summary.started.isoformat(),
        },
        "rows": written,
        "blobs": blobs,
        "last_hash": rows[-1].hash if rows else "",
    }
    if path.exists():
        raise _unusable(path, "it is there already", "export the run", "give the name of a new file")
    try:
        write_whole(path, encodable(json.dumps(document, ensure_ascii=False, indent=1)) + "\n")
    except OSError as error:
        raise _unusable(path, str(error), "export the run", "give a file in a folder that can be written") from error


def read_export(path: Path) -> ExportedRun:
    """Read an exported run, of this or of an earlier version, and check it.

    Args:
        path: The file.

    Raises:
        UsageError: It is no exported run, or one of a newer version.
    """
    document = _document(path)
    try:
        return _VERSIONS[document["schema_version"]](document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_export(path, f"a part is missing or of the wrong kind: {error}") from error


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(path, str(error), "read the exported run", "check the name of the file") from error
    except (ValueError, RecursionError) as error:
        raise _no_export(path, f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != EXPORT_FORMAT:
        raise _no_export(path, f'it has no "format": "{EXPORT_FORMAT}"')
    version = document.get("schema_version")
    if not isinstance(version, int) or version not in _VERSIONS:
        newer = isinstance(version, int) and version > EXPORT_SCHEMA
        why = f"it has the schema version {version!r}, known here: up to {EXPORT_SCHEMA}"
        raise _no_export(path, why, "update akslite-ps on this machine" if newer else "export the run again")
    return document


def _version_1(document: Mapping[str, Any]) -> ExportedRun:
    run, blobs = document["run"], document["blobs"]
    rows: list[Row] = []
    chained: list[ChainRow] = []
    for item in document["rows"]:
        data = item["data"] if "data" in item else blobs.get(item["content"])
        chained.append(
            ChainRow(
                seq=item["seq"],
                time=item["time"],
                kind=item["kind"],
                step_id=item["step_id"],
                attempt=item["attempt"],
                text=None if data is None else canonical_text(data),
                content=item["content"],
                previous=item["previous"],
                hash=item["hash"],
            )
        )
        if isinstance(data, dict) and item["kind"] in _KINDS:
            time, kind = dt.datetime.fromisoformat(item["time"]), RowKind(item["kind"])
            place = (run["run_id"], item["seq"], time, kind, item["step_id"], item["attempt"])
            rows.append(Row(*place, data, item["previous"], item["hash"]))
    described = (run["operation"], run["device"], run["owner"], run["plan_hash"])
    faults = run_faults(RunChain(run["run_id"], None, *described), chained, anchored=lambda anchor: True)
    if chained and chained[-1].hash != document["last_hash"]:
        faults.append(f"run {run['run_id']}: the rows after row {chained[-1].seq} are missing")
    return ExportedRun(
        summary=_summary(run, rows),
        rows=tuple(rows),
        exported=dt.datetime.fromisoformat(document["exported"]),
        report=ChainReport(runs=1, rows=len(chained), faults=tuple(faults)),
    )


_VERSIONS: Mapping[int, Callable[[Mapping[str, Any]], ExportedRun]] = {1: _version_1}
"""A reader for every schema version there ever was."""


def _summary(run: Mapping[str, Any], rows: Sequence[Row]) -> RunSummary:
    last = next((row for row in reversed(rows) if row.kind in (RowKind.RUN_ENDED, RowKind.INTERRUPTED, RowKind.RESUMED)), None)
    ended = last is not None and last.kind is RowKind.RUN_ENDED
    return RunSummary(
        run_id=run["run_id"],
        operation=run["operation"],
        device=run["device"],
        owner=run["owner"],
        plan_hash=run["plan_hash"],
        started=dt.datetime.fromisoformat(run["started"]),
        ended=last.time if last is not None and ended else None,
        outcome=last.data.get("outcome") if last is not None else None,
        state="ended" if ended else "interrupted",
    )


def _no_export(path: Path, why: str, next_action: str = "give a file that `akslite runs export` wrote") -> UsageError:
    return _unusable(path, f"no exported run that can be read here: {why}", "read the exported run", next_action)


def _unusable(path: Path, why: str, attempted: str, next_action: str) -> UsageError:
    return UsageError(f"{path}: {why}", attempted=attempted, next_action=next_action)
