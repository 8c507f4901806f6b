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


async def test_an_interrupt_gets_through_while_items_come_faster_than_they_are_taken() -> None:
    stop = threading.Event()

    def job(own: Work[None]) -> None:
        while not stop.is_set():
            own.post("item")

    work: Work[None] = Work(job)
    taken = 0

    async def follow() -> None:
        nonlocal taken
        work.start()
        while taken < 200_000:
            taken += len(await work.items())

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(following.cancel)
    try:
        with pytest.raises(asyncio.CancelledError):
            await following
    finally:
        stop.set()
        assert work.join(20)


async def test_an_interrupt_that_comes_together_with_an_item_is_not_lost() -> None:
    ended = threading.Event()
    work: Work[bool] = Work(lambda own: ended.wait(20))
    work.start()

    async def follow() -> None:
        while not work.is_over:
            await work.items()

    following = asyncio.create_task(follow())
    for _ in range(5):
        await asyncio.sleep(0)
    assert work._ready is not None
    work._ready.set()
    following.cancel()
    try:
        done, _ = await asyncio.wait({following}, timeout=1)
        assert done
        assert following.cancelled()
    finally:
        ended.set()
        assert work.join(20)
