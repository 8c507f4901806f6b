"""The Windows event logs of a simulated device, as far as the product's story is told there.

Owned by ``device.simulated``. Written as the device works: by deployments, updates and the Arc connection (the product's own
log), by installations (Application), by starts and services (System). Read by the cmdlets that collect logs. Kept in a file of
its own beside the device's state, one entry a line; the oldest go when a log is full.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from akslite_ps.sandbox.device.store import write_whole

Level = Literal["Critical", "Error", "Warning", "Information"]

APPLICATION = "Application"
SYSTEM = "System"
KEPT_ENTRIES = 1000
"""How many entries a device keeps over all its logs. Windows bounds a log by its size, 1 MB unless somebody changed it, which is
about as many entries of this length."""

LEVEL_NUMBERS: dict[Level, int] = {"Critical": 1, "Error": 2, "Warning": 3, "Information": 4}


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One entry of an event log.

    Args:
        record_id: Counts up over all logs of the device.
        log: Name of the log.
        source: The provider that wrote it.
        event_id: Its number; together with the source it says what has happened.
        level: Its severity.
        message: The whole text.
        at: When it was written, UTC.
    """

    record_id: int
    log: str
    source: str
    event_id: int
    level: Level
    message: str
    at: dt.datetime


class EventLog:
    """The event logs of one device.

    Args:
        file: Where they are kept; made at the first entry.
        kept: How many entries are kept at least; the file is shortened when it holds a quarter more.
    """

    def __init__(self, file: Path, *, kept: int = KEPT_ENTRIES) -> None:
        self._file = file
        self._kept = kept
        self._last: int | None = None
        self._count = 0

    def write(self, log: str, source: str, event_id: int, message: str, at: dt.datetime, *, level: Level = "Information") -> None:
        """Add an entry; see :class:`EventEntry`."""
        if self._last is None:
            self._find_end()
        assert self._last is not None
        entry = EventEntry(self._last + 1, log, source, event_id, level, message, at.astimezone(dt.UTC))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(entry))
        self._last, self._count = entry.record_id, self._count + 1
        if self._count > self._kept + self._kept // 4:
            self._shorten()

    def entries(self, log: str | None = None) -> Iterator[EventEntry]:
        """The entries of a log, or of all, oldest first."""
        if not self._file.is_file():
            return
        with self._file.open(encoding="utf-8") as file:
            for line in file:
                entry = _entry(line)
                if entry is not None and log in {None, entry.log}:
                    yield entry

    def _find_end(self) -> None:
        """Read on from what an earlier process left. It may have been killed within a line: that one is dropped."""
        entries = list(self.entries())
        self._last = entries[-1].record_id if entries else 0
        self._count = len(entries)
        if self._file.is_file() and not self._file.read_bytes().endswith(b"\n"):
            self._rewrite(entries)

    def _shorten(self) -> None:
        self._rewrite(list(self.entries())[-self._kept :])

    def _rewrite(self, entries: list[EventEntry]) -> None:
        write_whole(self._file, "".join(_line(entry) for entry in entries).encode())
        self._count = len(entries)


def _line(entry: EventEntry) -> str:
    return json.dumps({**asdict(entry), "at": entry.at.isoformat()}, ensure_ascii=False) + "\n"


def _entry(line: str) -> EventEntry | None:
    try:
        data = json.loads(line)
        return EventEntry(**{**data, "at": dt.datetime.fromisoformat(data["at"])})
    except (ValueError, TypeError, KeyError):
        return None
