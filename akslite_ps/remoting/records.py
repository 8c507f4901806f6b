"""The records of PowerShell's streams as typed, immutable Python values.

Made by ``remoting.invocation`` from what the device sends; read by operations, widgets, kernel and CLI.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PsObject(Mapping[str, Any]):
    """A PowerShell object that has no Python type: its properties, type names and string form.

    Behaves as a read-only mapping of its properties; look-up ignores case as PowerShell does.
    """

    properties: Mapping[str, Any]
    type_names: tuple[str, ...] = ()
    text: str | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self.properties:
            return self.properties[name]
        wanted = name.casefold()
        for key, value in self.properties.items():
            if key.casefold() == wanted:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def __len__(self) -> int:
        return len(self.properties)

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        return "@{" + "; ".join(f"{k}={v}" for k, v in self.properties.items()) + "}"


@dataclass(frozen=True, slots=True)
class Record:
    """One item of a stream. ``seq`` counts the records of the invocation from 1."""

    seq: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class OutputRecord(Record):
    """An object of the output stream as a Python value (or :class:`PsObject`)."""

    value: Any


@dataclass(frozen=True, slots=True)
class ErrorRecord(Record):
    """An error record.

    Args:
        message: What PowerShell shows first.
        error_id: FullyQualifiedErrorId.
        category: Category name, e.g. ``ObjectNotFound``.
        category_line: PowerShell's category line, ``Category: (target:type) [activity], reason``.
        exception_type: .NET type of the exception.
        target: String form of the target object.
        position: The position message with command and line, where the device sent one.
        terminating: True for the error that ended the pipeline.
    """

    message: str
    error_id: str = ""
    category: str = "NotSpecified"
    category_line: str = ""
    exception_type: str = ""
    target: str | None = None
    position: str | None = None
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class WarningRecord(Record):
    """A warning."""

    message: str


@dataclass(frozen=True, slots=True)
class VerboseRecord(Record):
    """A verbose message."""

    message: str


@dataclass(frozen=True, slots=True)
class DebugRecord(Record):
    """A debug message."""

    message: str


@dataclass(frozen=True, slots=True)
class InformationRecord(Record):
    """An information record; ``Write-Host`` text arrives here with the tag ``PSHOST``."""

    message: str
    source: str = ""
    tags: tuple[str, ...] = ()
    time_generated: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class ProgressRecord(Record):
    """State of one activity.

    Args:
        percent: 0 to 100, or None where the device does not know.
        seconds_remaining: None where unknown.
        completed: True when the bar should vanish.
    """

    activity: str
    status: str = ""
    percent: int | None = None
    seconds_remaining: int | None = None
    current_operation: str = ""
    activity_id: int = 0
    parent_id: int | None = None
    completed: bool = False
