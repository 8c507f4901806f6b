"""The journal: what was intended, sent and answered, append-only and durable before anybody is told.

``operations.engine`` writes it; the command line, notebooks and reports read it. One SQLite file (WAL,
synchronous FULL), one writer thread per process, rows chained by hash, every payload redacted before it is written.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from akslite_ps.errors import UsageError
from akslite_ps.home import journal_file
from akslite_ps.journal.chain import verify_chain
from akslite_ps.journal.lock import DeviceLock, DeviceLocks, LockInfo, owner_name
from akslite_ps.journal.rows import ChainReport, Row, RowKind, RunSummary, content_hash, json_text
from akslite_ps.journal.store import JournalError, connect, connect_to_read, unpack
from akslite_ps.journal.writer import Entry, GroupWriter, NewRun

LARGEST_RECORD = 4 * 1024 * 1024
_PREVIEW = 4 * 1024

_SUMMARY = """
SELECT r.run_id, r.operation, r.device, r.owner, r.plan_hash, r.started, m.kind, m.time, m.data
FROM runs r JOIN rows m ON m.run_id = r.run_id AND m.seq = (
    SELECT max(seq) FROM rows
    WHERE run_id = r.run_id AND kind IN ('run-started', 'interrupted', 'resumed', 'run-ended'))
"""


_T = TypeVar("_T")


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Journal:
    """One journal file. Safe to use from several threads; several processes may share the file.

    Use :meth:`open`, as a context manager or with :meth:`close`.
    """

    def __init__(self, path: Path, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        self.path = path
        self.locks = DeviceLocks(path.parent / "locks")
        self._clock = clock
        self._reader = connect_to_read(path)
        self._reading = threading.RLock()
        self._writer = GroupWriter(lambda: connect(path), clock)

    @classmethod
    def open(cls, path: Path | None = None, *, clock: Callable[[], dt.datetime] = _utc_now) -> Self:
        """Open the journal; the file is made where missing.

        Args:
            path: Default: :func:`akslite_ps.home.journal_file`.
            clock: Gives the time of rows, UTC.

        Raises:
            JournalError: The file cannot be used.
        """
        return cls(path or journal_file(), clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._writer.close()
        with self._reading:
            self._reader.close()

    # -- writing ------------------------------------------------------------------------------------------------

    def begin_run(self, *, operation: str, device: str, plan: Mapping[str, Any], plan_hash: str, owner: str | None = None) -> str:
        """Start a run: its first row, durable on return.

        Args:
            operation: e.g. ``deploy``.
            device: Name of the device.
            plan: The plan as JSON-ready data; what a resumption goes by.
            plan_hash: The hash that was approved.
            owner: Default: ``user@host`` of this process.

        Returns:
            The run's id: time (UTC) and eight random hex digits; sorts by time.
        """
        owner = owner or owner_name()
        run_id = f"{self._clock():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        data = {"operation": operation, "device": device, "owner": owner, "plan_hash": plan_hash, "plan": plan}
        entry = Entry(run_id, RowKind.RUN_STARTED, None, 0, json_text(data), new_run=NewRun(operation, device, owner, plan_hash))
        self._writer.submit([entry]).result()
        return run_id

    def append(
        self,
        run_id: str,
        kind: RowKind | str,
        *,
        step_id: str | None = None,
        attempt: int = 0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Append a row. Durable on return, except for a ``record``: it shares the next commit.

        Data above 32 KiB goes into a blob named by its hash, so that the same output is stored once; a ``record`` above
        4 MiB of text is cut to a preview with the hash and the length of the whole.

        Raises:
            JournalError: This row, or an earlier record, could not be written.
        """
        kind = RowKind(kind)
        waits = kind is not RowKind.RECORD
        done = self._writer.submit([Entry(run_id, kind, step_id, attempt, _text(kind, data or {}), awaited=waits)])
        if waits:
            done.result()

    def append_records(self, run_id: str, step_id: str, attempt: int, records: Sequence[Mapping[str, Any]]) -> None:
        """Append what a device said at once, in one transaction; durable on return.

        Args:
            run_id: The run.
            step_id: The step.
            attempt: Which attempt at it.
            records: The data of one ``record`` row each; cut as by :meth:`append`.

        Raises:
            JournalError: They could not be written.
        """
        kind = RowKind.RECORD
        if records:
            self._writer.submit([Entry(run_id, kind, step_id, attempt, _text(kind, data)) for data in records]).result()

    def flush(self) -> None:
        """Return when everything appended before is on the disk."""
        self._writer.flush()

    # -- the device lock ----------------------------------------------------------------------------------------

    def lock(
        self, device: str, *, what: str, run_id: str | None = None, force_token: str | None = None
    ) -> AbstractContextManager[DeviceLock]:
        """Hold the device for the time of a ``with`` block; see :meth:`DeviceLocks.acquire`.

        Raises:
            RunLocked: Another controller holds it.
        """
        return self.locks.hold(device, what=what, run_id=run_id, force_token=force_token)

    def holder(self, device: str) -> LockInfo | None:
        """Who works on the device now, None where nobody does."""
        return self.locks.holder(device)

    # -- reading ------------------------------------------------------------------------------------------------

    def runs(self, *, device: str | None = None, operation: str | None = None, limit: int = 50) -> list[RunSummary]:
        """The latest runs, newest first.

        Args:
            device: Only of this device.
            operation: Only of this operation.
            limit: How many at most.
        """
        found = self._query(
            _SUMMARY + "WHERE (?1 IS NULL OR r.device = ?1) AND (?2 IS NULL OR r.operation = ?2) ORDER BY r.number DESC LIMIT ?3",
            (device, operation, limit),
        )
        return [self._summary(row) for row in found]

    def find_run(self, run_id: str) -> RunSummary:
        """The run with this id, or the only one whose id starts so.

        Raises:
            UsageError: There is none, or several.
        """
        found = self._query(_SUMMARY + "WHERE substr(r.run_id, 1, length(?1)) = ?1 ORDER BY r.number DESC LIMIT 11", (run_id,))
        exact = [row for row in found if row[0] == run_id] or found
        if len(exact) == 1 and run_id:
            return self._summary(exact[0])
        if not exact or not run_id:
            raise UsageError(f"there is no run '{run_id}' in {self.path}", next_action="list the runs with `akslite runs list`")
        names = ", ".join(row[0] for row in exact[:10])
        raise UsageError(f"several runs start with '{run_id}': {names}", next_action="give more of the id")

    def rows(self, run_id: str, *, kinds: Collection[RowKind] | None = None, after: int = 0) -> list[Row]:
        """The rows of a run in order.

        Args:
            run_id: The whole id.
            kinds: Only these kinds.
            after: Only rows with a higher ``seq``.
        """
        found = self._query(
            "SELECT r.run_id, seq, time, kind, step_id, attempt, r.data, previous, hash, b.data FROM rows r"
            " LEFT JOIN blobs b ON r.data IS NULL AND b.content = r.content WHERE r.run_id = ? AND seq > ? ORDER BY seq",
            (run_id, after),
        )
        wanted = None if kinds is None else set(kinds)
        return [_row(columns) for columns in found if wanted is None or columns[3] in wanted]

    def unfinished(self, device: str, operation: str | None = None) -> RunSummary | None:
        """The device's newest run, if it can go on; None where it ended or there is none.

        Args:
            device: Name of the device.
            operation: Look only at runs of this operation.
        """
        newest = self.runs(device=device, operation=operation, limit=1)
        return newest[0] if newest and newest[0].state != "ended" else None

    def verify(self, run_id: str | None = None) -> ChainReport:
        """Recompute the hash chain of one run, or of all: tells of every row changed, removed or inserted later."""
        return self._read(lambda reader: verify_chain(reader, run_id))

    def _query(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        return self._read(lambda reader: reader.execute(sql, values).fetchall())

    def _read(self, read: Callable[[sqlite3.Connection], _T]) -> _T:
        self.flush()
        with self._reading:
            try:
                return read(self._reader)
            except sqlite3.Error as error:
                raise JournalError(
                    f"{self.path}: {error}",
                    attempted="read the journal",
                    next_action="check the disk; a damaged journal can be moved away, akslite then starts a new one",
                ) from error

    def _summary(self, columns: tuple[Any, ...]) -> RunSummary:
        run_id, operation, device, owner, plan_hash, started, kind, time, text = columns
        try:
            data = _data(text) if text and kind in (RowKind.INTERRUPTED, RowKind.RUN_ENDED) else {}
            ended = dt.datetime.fromisoformat(time) if kind == RowKind.RUN_ENDED else None
            began = dt.datetime.fromisoformat(started)
        except ValueError as error:
            raise _damaged(f"what the list of runs says about run {run_id}") from error
        state = "ended" if ended else "interrupted"
        if ended is None:
            holder = self.locks.holder(device)
            state = "running" if holder is not None and holder.run_id == run_id else state
        return RunSummary(
            run_id=run_id,
            operation=operation,
            device=device,
            owner=owner,
            plan_hash=plan_hash,
            started=began,
            ended=ended,
            outcome=data.get("outcome"),
            state=state,
        )


def _text(kind: RowKind, data: Mapping[str, Any]) -> str:
    text = json_text(data)
    if kind is RowKind.RECORD and len(text) > LARGEST_RECORD:
        return json_text({"cut": True, "characters": len(text), "sha256": content_hash(text), "preview": text[:_PREVIEW]})
    return text


def _row(columns: tuple[Any, ...]) -> Row:
    run_id, seq, time, kind, step_id, attempt, text, previous, digest, blob = columns
    try:
        data = _data(unpack(blob) if text is None else text)
        return Row(run_id, seq, dt.datetime.fromisoformat(time), RowKind(kind), step_id, attempt, data, previous, digest)
    except ValueError as error:
        raise _damaged(f"the data of run {run_id}, row {seq}") from error


def _data(text: str | None) -> dict[str, Any]:
    data = json.loads(text or "")
    if not isinstance(data, dict):
        raise ValueError("a row holds an object")
    return data


def _damaged(what: str) -> JournalError:
    return JournalError(
        f"{what} is damaged",
        attempted="read the journal",
        next_action="see what else is, with `akslite runs verify`, and check the disk that holds the journal; a damaged journal "
        "can be moved away, akslite then starts a new one",
    )
