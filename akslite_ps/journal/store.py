"""The journal's SQLite file: how it is opened, its tables, and how older files are brought up to date.

Used by ``journal.journal`` and ``journal.writer`` only.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from akslite_ps.errors import AksLiteError

APPLICATION_ID = 0x414B4C4A
_BUSY_TIMEOUT_S = 30.0

_TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    device TEXT NOT NULL,
    owner TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    started TEXT NOT NULL
);
CREATE INDEX runs_by_device ON runs (device, number);
CREATE TABLE rows (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    seq INTEGER NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    step_id TEXT,
    attempt INTEGER NOT NULL,
    data TEXT,
    content TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
CREATE INDEX rows_milestones ON rows (run_id, seq) WHERE kind IN ('run-started', 'interrupted', 'resumed', 'run-ended');
CREATE TABLE blobs (content TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
_APPEND_ONLY = (
    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
)


Migration = Callable[[sqlite3.Connection], None]


class JournalError(AksLiteError):
    """The journal file cannot be used; nothing was sent to a device."""


def pack(text: str) -> bytes:
    """The content of a blob."""
    return zlib.compress(text.encode("utf-8"))


def unpack(blob: bytes | None) -> str | None:
    """The text in a blob, None where it is missing or damaged."""
    if blob is None:
        return None
    try:
        return zlib.decompress(blob).decode("utf-8")
    except (zlib.error, UnicodeDecodeError):
        return None


def _create(connection: sqlite3.Connection) -> None:
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)
    for table in ("runs", "rows", "blobs"):
        for verb in ("UPDATE", "DELETE"):
            connection.execute(_APPEND_ONLY.format(table=table, verb=verb))


# One entry per schema version: what turns version n into n + 1. Each runs in one transaction with the others.
MIGRATIONS: Sequence[Migration] = (_create,)


def connect(path: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """Open the file (made where missing), durable on every commit, with the newest schema.

    Args:
        path: The file.
        migrations: The steps from an empty file to the newest schema; a file that has taken some takes the rest.

    Raises:
        JournalError: The file is no journal, is damaged, was written by a newer version, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        _configure(connection)
        _migrate(connection, path, migrations)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """As :func:`connect`; a journal on a medium that cannot be written (a backup, an audit's copy) is opened for reading alone.

    Raises:
        JournalError: As for :func:`connect`; also where a write-ahead log lies beside such a file, whose rows would be missed.
    """
    try:
        return connect(path)
    except JournalError as error:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.OperationalError) or cause.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            error.next_action = "copy the whole folder to where it can be written, and name that with AKSLITE_HOME"
            raise
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    if (_application(connection), _version(connection)) != (APPLICATION_ID, len(MIGRATIONS)):
        connection.close()
        raise JournalError(
            f"{path} is no journal of this version, and cannot be brought up to date: it cannot be written",
            attempted="open the journal",
            next_action="copy the whole folder to where it can be written, and name that with AKSLITE_HOME",
        )
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # switching to WAL needs the file alone and does not honour the busy time-out
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    if _version(connection) == len(migrations) and _application(connection) == APPLICATION_ID:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if _application(connection) != APPLICATION_ID and not _is_empty(connection):
            raise JournalError(
                f"{path} is an SQLite file of another program",
                attempted="open the journal",
                next_action="choose another folder with AKSLITE_HOME, or move that file away",
            )
        if version > len(migrations):
            raise JournalError(
                f"{path} was written by a newer version of akslite-ps (journal schema {version}, known here: {len(migrations)})",
                attempted="open the journal",
                next_action="update akslite-ps on this machine",
            )
        for migrate in migrations[version:]:
            migrate(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _application(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _is_empty(connection: sqlite3.Connection) -> bool:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]) == 0


def _unusable(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"{path}: {error}",
        attempted="open the journal",
        next_action="check that the folder can be written and the disk is not full; move a damaged file away",
    )
