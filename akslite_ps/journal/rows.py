"""The journal's rows as frozen data: what a row holds, how it becomes text, and how rows are chained.

Used by the other modules of this package and by whoever reads a run. No input or output here.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePath
from typing import Any

from akslite_ps.secrets import REDACTOR

GENESIS = ""
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class RowKind(enum.StrEnum):
    """What a row says.

    ``intent`` is written before anything is sent, ``sent`` when the device took it, ``result`` when it answered;
    ``record`` is one item of the device's own output, ``place`` says how far it was read. The others are the milestones of a run.
    """

    RUN_STARTED = "run-started"
    APPROVED = "approved"
    INTENT = "intent"
    SENT = "sent"
    RECORD = "record"
    PLACE = "place"
    RESULT = "result"
    INTERRUPTED = "interrupted"
    RESUMED = "resumed"
    RUN_ENDED = "run-ended"


MILESTONES = (RowKind.RUN_STARTED, RowKind.INTERRUPTED, RowKind.RESUMED, RowKind.RUN_ENDED)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a run.

    Args:
        run_id: The run.
        seq: Place in the run, from 1, without gaps.
        time: When it was appended, UTC.
        kind: See :class:`RowKind`.
        step_id: The step concerned, if any.
        attempt: Which attempt at the step, from 1; 0 for rows about the run.
        data: JSON-ready and redacted.
        previous: Hash of the run's previous row, empty for the first.
        hash: Hash of this row, ``previous`` included.
    """

    run_id: str
    seq: int
    time: dt.datetime
    kind: RowKind
    step_id: str | None
    attempt: int
    data: dict[str, Any]
    previous: str
    hash: str

    def as_data(self) -> dict[str, Any]:
        """The row as JSON-ready data."""
        return {
            "seq": self.seq,
            "time": self.time.isoformat(),
            "kind": self.kind.value,
            "step_id": self.step_id,
            "attempt": self.attempt,
            "data": self.data,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run at a glance.

    Args:
        run_id: Its id; sorts by time.
        operation: e.g. ``deploy``.
        device: Name of the device.
        owner: ``user@host`` who started it.
        plan_hash: The hash that was approved.
        started: UTC.
        ended: UTC, None while it can go on.
        outcome: How it ended or why it stopped, None where it runs or its controller died.
        state: ``running`` (a live controller holds the device), ``interrupted`` (it can go on) or ``ended``.
    """

    run_id: str
    operation: str
    device: str
    owner: str
    plan_hash: str
    started: dt.datetime
    ended: dt.datetime | None = None
    outcome: str | None = None
    state: str = "interrupted"

    def as_data(self) -> dict[str, Any]:
        """The summary as JSON-ready data."""
        return {
            "run_id": self.run_id,
            "operation": self.operation,
            "device": self.device,
            "owner": self.owner,
            "plan_hash": self.plan_hash,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "outcome": self.outcome,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What :meth:`Journal.verify` found. ``faults`` has one sentence per broken place."""

    runs: int
    rows: int
    faults: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """True where nothing was changed, removed or inserted afterwards."""
        return not self.faults

    @property
    def detail(self) -> str:
        """All faults in one line."""
        return "; ".join(self.faults)


def json_text(data: Mapping[str, Any] | None) -> str:
    """The redacted data as canonical JSON text: the form that is hashed and stored."""
    return canonical_text(REDACTOR.value(json_ready(data or {})))


def canonical_text(data: Any) -> str:
    """JSON data as the one text that is hashed; reading that text and asking again gives the same."""
    return encodable(json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False))


def encodable(text: str) -> str:
    """JSON text that UTF-8 can hold: half of a character, which a .NET string may have alone, becomes its JSON escape."""
    return _HALF_CHARACTER.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def json_ready(value: Any) -> Any:
    """A value of any kind as plain JSON data; what JSON lacks becomes text."""
    match value:
        case enum.Enum():
            return json_ready(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bytes() | bytearray():
            return {"base64": base64.b64encode(value).decode("ascii")}
        case Mapping():
            return {str(key): json_ready(item) for key, item in value.items()}
        case Sequence() | Set() if not isinstance(value, PurePath):
            return [json_ready(item) for item in value]
    if hasattr(value, "reveal") or hasattr(value, "resolve"):
        return str(value)  # a secret, or where one is to be found: its text is made to be shown
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: json_ready(getattr(value, part.name)) for part in fields(value)}
    return str(value)


def content_hash(text: str) -> str:
    """SHA-256 (hex) of a row's data; also the name of the blob that holds it where it is large."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def row_hash(*, run_id: str, seq: int, time: str, kind: str, step_id: str | None, attempt: int, content: str, previous: str) -> str:
    """SHA-256 (hex) over everything a row says. ``content`` is :func:`content_hash` of its data."""
    parts = json.dumps([run_id, seq, time, kind, step_id, attempt, content, previous], separators=(",", ":"))
    return hashlib.sha256(parts.encode("utf-8")).hexdigest()
