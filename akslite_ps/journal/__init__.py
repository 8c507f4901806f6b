"""What was intended, sent and answered: append-only, hash-chained, resumable; and who works on a device now."""

from akslite_ps.journal.export import ExportedRun, read_export, write_export
from akslite_ps.journal.journal import Journal
from akslite_ps.journal.lock import DeviceLock, DeviceLocks, LockInfo, owner_name
from akslite_ps.journal.rows import ChainReport, Row, RowKind, RunSummary, json_ready
from akslite_ps.journal.store import JournalError

__all__ = [
    "ChainReport",
    "DeviceLock",
    "DeviceLocks",
    "ExportedRun",
    "Journal",
    "JournalError",
    "LockInfo",
    "Row",
    "RowKind",
    "RunSummary",
    "json_ready",
    "owner_name",
    "read_export",
    "write_export",
]
