"""A blocking job followed from a cell: what it posts, asks and raises."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from akslite_ps_kernel.work import Asked, Work


async def test_items_arrive_in_order_and_the_result_after_them() -> None:
    def job(work: Work[str]) -> str:
        for number in range(5):
            work.post(number)
        return "done"

    work: Work[str] = Work(job)
    work.start()
    items: list[Any] = []
    while not work.is_over or not items:
        items += await work.items()
    items += work.posted()
    assert items == [0, 1, 2, 3, 4]
    assert work.result() == "done"


async def test_a_question_waits_for_its_answer() -> None:
    work: Work[str] = Work(lambda own: own.ask("name: ") + own.ask("secret: ", is_secret=True))
    work.start()
    asked: list[tuple[str, bool]] = []
    while not work.is_over:
        for item in await work.items():
            assert isinstance(item, Asked)
            asked.append((item.prompt, item.is_secret))
            item.answer(item.prompt[0])
    assert asked == [("name: ", False), ("secret: ", True)]
    assert work.result() == "ns"


async def test_an_abandoned_question_ends_the_job_with_the_error() -> None:
    work: Work[str] = Work(lambda own: own.ask("name: "))
    work.start()
    while not await work.items():
        pass
    work.abandon(LookupError("nobody"))
    assert await asyncio.to_thread(work.join, 10)
    with pytest.raises(LookupError, match="nobody"):
        work.result()


async def test_the_event_loop_stays_free_while_the_job_blocks() -> None:
    gate = threading.Event()
    work: Work[bool] = Work(lambda own: gate.wait(30))
    work.start()
    asyncio.get_running_loop().call_later(0.01, gate.set)
    while not work.is_over:
        await work.items()
    assert work.result()


def test_without_an_event_loop_items_are_waited_for_by_blocking() -> None:
    def job(work: Work[int]) -> int:
        work.post("one")
        return 7

    work: Work[int] = Work(job)
    work.start()
    items: list[Any] = []
    while not work.is_over:
        items += work.items_blocking()
    assert [*items, *work.posted()] == ["one"]
    assert work.result() == 7
