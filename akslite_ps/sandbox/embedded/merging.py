"""Streams of a command that join its output, as ``2>&1`` and PowerShell's MergeMyResults say it.

Used by ``embedded.runspace`` around each command of a pipeline that has such merges.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from akslite_ps.sandbox.engine import Destination, ErrorInfo, MergedRecord, Progress, PsValue, StreamName, Streams

Taker = Callable[[MergedRecord], None]


class MergingStreams:
    """``engine.Streams`` of one command.

    Args:
        streams: Where goes what is not merged.
        merges: What becomes of which stream.
        into: Takes the records that join the output.
        errors_into: Takes those of the error stream where ``merges`` does not name it; None where nobody does.
        now: The device's clock.
    """

    def __init__(
        self,
        streams: Streams,
        merges: Mapping[StreamName, Destination],
        *,
        into: Taker,
        errors_into: Taker | None,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._streams = streams
        self._merges = merges
        self._into = into
        self._errors_into = errors_into
        self._now = now

    def output(self, value: Any) -> None:
        self._streams.output(value)

    def error(self, error: ErrorInfo) -> None:
        destination = self._merges.get("error")
        if destination == "output":
            self._into(merged_error(error))
        elif destination is None and self._errors_into is not None:
            self._errors_into(merged_error(error))
        elif destination is None:
            self._streams.error(error)

    def warning(self, message: str) -> None:
        self._informational("warning", message, self._streams.warning)

    def verbose(self, message: str) -> None:
        self._informational("verbose", message, self._streams.verbose)

    def debug(self, message: str) -> None:
        self._informational("debug", message, self._streams.debug)

    def information(self, message: str, *, tags: Sequence[str] = ("PSHOST",), source: str = "Write-Host") -> None:
        match self._merges.get("information"):
            case "output":
                self._into(merged_information(message, tuple(tags), source, self._now()))
            case None:
                self._streams.information(message, tags=tags, source=source)

    def progress(self, progress: Progress) -> None:
        self._streams.progress(progress)

    async def host_call(self, method: str, arguments: Sequence[Any]) -> Any:
        return await self._streams.host_call(method, arguments)

    def _informational(self, stream: StreamName, message: str, write: Callable[[str], None]) -> None:
        match self._merges.get(stream):
            case "output":
                self._into(merged_informational(stream, message))
            case None:
                write(message)


async def with_records(values: AsyncIterator[Any] | None, records: deque[MergedRecord]) -> AsyncIterator[Any]:
    """What comes down a pipeline together with the records that were merged into it, each before the value that followed it."""
    if values is not None:
        async for value in values:
            while records:
                yield records.popleft()
            yield value
    while records:
        yield records.popleft()


def merged_error(error: ErrorInfo) -> MergedRecord:
    """An error record as the object that it is in a pipeline."""
    reason = error.reason or error.exception_type.rpartition(".")[2]
    category = {
        "Category": error.category,
        "Activity": error.activity,
        "Reason": reason,
        "TargetName": error.target_name,
        "TargetType": error.target_type,
    }
    return MergedRecord(
        {
            "Exception": PsValue(
                {"Message": error.message}, (error.exception_type, "System.Exception", "System.Object"), error.message
            ),
            "TargetObject": error.target,
            "CategoryInfo": PsValue(category, ("System.Management.Automation.ErrorCategoryInfo", "System.Object")),
            "FullyQualifiedErrorId": error.error_id,
            "ErrorDetails": None,
        },
        ("System.Management.Automation.ErrorRecord", "System.Object"),
        error.message,
        "error",
        error,
    )


def merged_informational(stream: StreamName, message: str) -> MergedRecord:
    """A warning, verbose or debug record as the object that it is in a pipeline."""
    return MergedRecord(
        {"Message": message},
        (
            f"System.Management.Automation.{stream.capitalize()}Record",
            "System.Management.Automation.InformationalRecord",
            "System.Object",
        ),
        message,
        stream,
        message,
    )


def merged_information(message: str, tags: tuple[str, ...], source: str, generated: dt.datetime) -> MergedRecord:
    """An information record as the object that it is in a pipeline."""
    return MergedRecord(
        {"MessageData": message, "Source": source, "TimeGenerated": generated, "Tags": list(tags)},
        ("System.Management.Automation.InformationRecord", "System.Object"),
        message,
        "information",
        message,
        tags,
        source,
        generated,
    )
