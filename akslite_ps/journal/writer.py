"""The one thread of a process that writes to the journal: many appends, one commit.

``Journal`` hands it redacted entries; whoever needs durability waits for the entry's future. With nobody
waiting in between, whatever has queued up shares the next transaction and its one fsync (group commit).
"""

from __future__ import annotations

import datetime as dt
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field

from akslite_ps.errors import AksLiteError
from akslite_ps.journal.rows import GENESIS, RowKind, content_hash, row_hash
from akslite_ps.journal.store import JournalError, pack

LARGEST_INLINE = 32 * 1024
_LARGEST_BATCH = 512


@dataclass(slots=True)
class NewRun:
    """The row of the ``runs`` table that goes with a first row."""

    operation: str
    device: str
    owner: str
    plan_hash: str


@dataclass(slots=True)
class Entry:
    """One append on its way to the file. ``text`` is already redacted JSON."""

    run_id: str
    kind: RowKind
    step_id: str | None
    attempt: int
    text: str
    awaited: bool = True
    new_run: NewRun | None = None
    done: Future[tuple[int, str]] = field(default_factory=Future)


class GroupWriter:
    """Writes entries in the order they were submitted.

    Args:
        connect: Opens the connection; called in the writer's own thread.
        clock: Gives the time of a row, UTC.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], clock: Callable[[], dt.datetime]) -> None:
        self._connect = connect
        self._clock = clock
        self._queue: queue.SimpleQueue[Sequence[Entry] | None] = queue.SimpleQueue()
        self._failure: AksLiteError | None = None
        self._closed = False
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._latest: Future[tuple[int, str]] | None = None

    def submit(self, entries: Sequence[Entry]) -> Future[tuple[int, str]]:
        """Queue entries that are to be written in one transaction. The future of the last gives its (seq, hash) once on the disk.

        Raises:
            JournalError: The journal is closed, or an earlier entry nobody waited for could not be written.
        """
        with self._gate:
            if self._closed:
                raise JournalError("the journal is closed", attempted="write to the journal")
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="akslite-journal", daemon=True)
                self._thread.start()
            self._queue.put(entries)
            self._latest = entries[-1].done
        return entries[-1].done

    def flush(self) -> None:
        """Return when everything submitted before was written, or could not be."""
        with self._gate:
            latest = self._latest
        if latest is not None:
            wait((latest,))

    def close(self) -> None:
        """Write what is queued, then end the thread. Safe to call twice."""
        with self._gate:
            self._closed = True
            thread = self._thread
            if thread is not None and thread.is_alive():
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        try:
            connection = self._connect()
        except JournalError as error:
            self._refuse_all(error)
            return
        try:
            while True:
                batch, more = self._next_batch()
                if batch:
                    self._write(connection, batch)
                if not more:
                    return
        finally:
            connection.close()

    def _next_batch(self) -> tuple[list[Entry], bool]:
        entries = self._queue.get()
        batch: list[Entry] = []
        while entries is not None:
            batch += entries
            if len(batch) >= _LARGEST_BATCH:
                return batch, True
            try:
                entries = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _write(self, connection: sqlite3.Connection, batch: list[Entry]) -> None:
        written: list[tuple[Entry, int, str]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            heads: dict[str, tuple[int, str]] = {}
            for entry in batch:
                try:
                    written.append((entry, *self._insert(connection, entry, heads)))
                except sqlite3.IntegrityError as error:
                    self._fail(entry, error)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits for a row must be told
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            for entry in batch:
                self._fail(entry, error)
            return
        for entry, seq, digest in written:
            entry.done.set_result((seq, digest))

    def _insert(self, connection: sqlite3.Connection, entry: Entry, heads: dict[str, tuple[int, str]]) -> tuple[int, str]:
        time = self._clock().isoformat()
        if entry.new_run is not None:
            run = entry.new_run
            connection.execute(
                "INSERT INTO runs (run_id, operation, device, owner, plan_hash, started) VALUES (?, ?, ?, ?, ?, ?)",
                (entry.run_id, run.operation, run.device, run.owner, run.plan_hash, time),
            )
        seq, previous = heads.get(entry.run_id) or _head(connection, entry.run_id)
        seq += 1
        content = content_hash(entry.text)
        digest = row_hash(
            run_id=entry.run_id,
            seq=seq,
            time=time,
            kind=entry.kind,
            step_id=entry.step_id,
            attempt=entry.attempt,
            content=content,
            previous=previous,
        )
        inline = len(entry.text) <= LARGEST_INLINE
        if not inline:
            blob = (content, pack(entry.text))
            connection.execute("INSERT INTO blobs (content, data) VALUES (?, ?) ON CONFLICT DO NOTHING", blob)
        connection.execute(
            "INSERT INTO rows (run_id, seq, time, kind, step_id, attempt, data, content, previous, hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.run_id,
                seq,
                time,
                entry.kind.value,
                entry.step_id,
                entry.attempt,
                entry.text if inline else None,
                content,
                previous,
                digest,
            ),
        )
        heads[entry.run_id] = (seq, digest)
        return seq, digest

    def _fail(self, entry: Entry, error: Exception) -> None:
        if entry.done.done():
            return
        failure = JournalError(
            f"a row could not be written: {error}",
            attempted="write to the journal",
            next_action="free disk space or repair the folder's permissions; without the journal nothing is sent to a device",
        )
        failure.__cause__ = error
        entry.done.set_exception(failure)
        if not entry.awaited:
            with self._gate:
                self._failure = failure

    def _refuse_all(self, error: JournalError) -> None:
        while True:
            entries = self._queue.get()
            if entries is None:
                return
            for entry in entries:
                entry.done.set_exception(error)


def _head(connection: sqlite3.Connection, run_id: str) -> tuple[int, str]:
    row = connection.execute("SELECT seq, hash FROM rows WHERE run_id = ? ORDER BY seq DESC LIMIT 1", (run_id,)).fetchone()
    if row:
        return row[0], row[1]
    # A run's first row holds the latest hash of the run before it, so that a removed run or tail shows.
    row = connection.execute(
        "SELECT hash FROM rows JOIN runs USING (run_id)"
        " WHERE number = (SELECT max(number) FROM runs WHERE number < (SELECT number FROM runs WHERE run_id = ?))"
        " ORDER BY seq DESC LIMIT 1",
        (run_id,),
    ).fetchone()
    return 0, (row[0] if row else GENESIS)
