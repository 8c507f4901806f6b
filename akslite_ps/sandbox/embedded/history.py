"""The history of a session: pipelines that the client wanted to have remembered.

Kept by ``embedded.runspace``; shown by ``Get-History`` (``sandbox.commands.sessions``).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from akslite_ps.sandbox.engine import PipelineRequest

_KEPT = 4_096
"""$MaximumHistoryCount."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One pipeline that has ended, with its outcome as PowerShell names it: Completed, Stopped or Failed."""

    number: int
    line: str
    began: dt.datetime
    ended: dt.datetime
    outcome: str = "Completed"


class History:
    """The latest pipelines of a session.

    Args:
        now: The device's clock.
    """

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._entries: deque[HistoryEntry] = deque(maxlen=_KEPT)

    def __iter__(self) -> Iterator[HistoryEntry]:
        return iter(self._entries)

    @contextmanager
    def entry(self, request: PipelineRequest) -> Iterator[None]:
        """Remember a pipeline while it runs here, where its client asked for that."""
        if not request.add_to_history:
            yield
            return
        began = self._now()
        entry = HistoryEntry(next(self._numbers), _line(request), began, began)
        try:
            yield
        except Exception:
            entry = replace(entry, outcome="Failed")
            raise
        except BaseException:
            entry = replace(entry, outcome="Stopped")
            raise
        finally:
            self._entries.append(replace(entry, ended=self._now()))


def _line(request: PipelineRequest) -> str:
    parts = [command.text + ("; " if command.end_of_statement else " | ") for command in request.commands]
    return "".join(parts).removesuffix(" | ").removesuffix("; ")
