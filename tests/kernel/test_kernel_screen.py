"""The output of a running pipeline: order, growing tables, throttled progress. Time is a hand-set clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from akslite_ps.remoting import (
    DebugRecord,
    ErrorRecord,
    InformationRecord,
    OutputRecord,
    ProgressRecord,
    VerboseRecord,
    WarningRecord,
)
from akslite_ps_kernel.progress import THROTTLE_S
from akslite_ps_kernel.screen import LIVE_AFTER_S, Screen


@dataclass
class Paper:
    """A front end that writes everything down."""

    is_watched: bool = True
    lines: list[str] = field(default_factory=list)

    def write(self, stream: str, text: str) -> None:
        self.lines.append(f"{stream}: {text.rstrip()}")

    def flush(self) -> None:
        pass

    def show(self, bundle: dict[str, str], *, display_id: str | None = None, update: bool = False) -> str:
        display_id = display_id or f"d{len(self.lines)}"
        self.lines.append(f"{'update' if update else 'show'} {display_id}: {bundle['text/plain']}")
        return display_id


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def screen(*, watched: bool = True, **options: Any) -> tuple[Screen, Paper, Clock]:
    paper, clock = Paper(watched), Clock()
    return Screen(paper, device="press-01", clock=clock, **options), paper, clock


def test_objects_wait_for_the_end_where_it_comes_soon() -> None:
    own, paper, _ = screen()
    own.take(OutputRecord("a"))
    own.take(OutputRecord("b"))
    own.tick()
    assert paper.lines == []
    assert list(own.unshown()) == ["a", "b"]


def test_a_watched_table_is_shown_after_a_moment_and_then_grows() -> None:
    own, paper, clock = screen()
    own.take(OutputRecord("a"))
    assert own.tick() == pytest.approx(LIVE_AFTER_S)
    clock.now += LIVE_AFTER_S
    own.tick()
    own.take(OutputRecord("b"))
    assert 0 < own.tick() < LIVE_AFTER_S + 0.001
    clock.now += LIVE_AFTER_S
    own.tick()
    assert paper.lines == ["show d0: a", "update d0: a\nb"]
    assert own.unshown() == ()
    assert own.values == ["a", "b"]


def test_an_unwatched_table_is_shown_once_and_complete() -> None:
    own, paper, clock = screen(watched=False)
    own.take(OutputRecord("a"))
    clock.now += 60
    own.tick()
    own.take(OutputRecord("b"))
    own.flush()
    assert paper.lines == ["show d0: a\nb"]


def test_a_text_between_objects_closes_the_table_so_that_the_order_is_true() -> None:
    own, paper, _ = screen()
    own.take(OutputRecord("a"))
    own.take(InformationRecord("note", tags=("PSHOST",)))
    own.take(OutputRecord("b"))
    assert own.unshown() == ()
    assert paper.lines == ["show d0: a", "stdout: note", "show d2: b"]


def test_every_stream_has_its_prefix() -> None:
    own, paper, _ = screen()
    for record in (WarningRecord("w"), VerboseRecord("v"), DebugRecord("d"), InformationRecord("i", tags=("x",))):
        own.take(record)
    plain = [line.replace("\x1b[33m", "").replace("\x1b[36m", "").replace("\x1b[0m", "") for line in paper.lines]
    assert plain == ["stdout: WARNING: w", "stdout: VERBOSE: v", "stdout: DEBUG: d", "stdout: i"]


def test_an_error_record_is_shown_at_once_and_a_terminating_one_is_left_to_the_cell() -> None:
    own, paper, _ = screen()
    own.take(ErrorRecord("no", error_id="E1", category_line="NotSpecified: (x:String) [Get-Foo], Exception"))
    own.take(ErrorRecord("end", terminating=True))
    assert len(paper.lines) == 1
    assert paper.lines[0].startswith("stderr: \x1b[31mGet-Foo : no\x1b[0m\n    + CategoryInfo          : NotSpecified: (x:String)")
    assert [error.message for error in own.errors] == ["no", "end"]


def test_objects_that_go_into_a_variable_are_not_shown() -> None:
    own, paper, _ = screen(shows_objects=False)
    own.take(OutputRecord("a"))
    assert own.unshown() == []
    assert own.values == ["a"]
    assert paper.lines == []


def test_progress_is_shown_at_once_updated_in_steps_and_left_as_it_ended() -> None:
    own, paper, clock = screen()
    for percent in range(0, 60, 10):
        own.take(ProgressRecord("Install", "copying", percent, seconds_remaining=90))
    assert paper.lines == ["show d0: Install [..............................]   0 % copying, 1:30 left"]
    assert own.tick() == pytest.approx(THROTTLE_S)
    clock.now += THROTTLE_S
    own.tick()
    assert paper.lines[1:] == ["update d0: Install [###############...............]  50 % copying, 1:30 left"]
    own.take(ProgressRecord("Install", "copying", 70))
    own.end_progress(succeeded=False)
    assert paper.lines[2:] == ["update d0: Install [#####################.........]  70 % copying"]


def test_progress_of_a_pipeline_that_succeeded_ends_at_its_end() -> None:
    own, paper, _ = screen()
    own.take(ProgressRecord("Install", "copying", 40))
    own.take(ProgressRecord("Copy", "file 1", None, activity_id=1, parent_id=0))
    own.take(ProgressRecord("Install", completed=True))
    own.end_progress(succeeded=True)
    assert paper.lines[-1] == (
        "update d0: Install [##############################] 100 % done\n  Copy [##############################] 100 % done"
    )


def test_the_end_of_an_activity_that_was_never_shown_shows_nothing() -> None:
    own, paper, _ = screen()
    own.take(ProgressRecord("Loading", completed=True))
    own.end_progress(succeeded=True)
    assert paper.lines == []
