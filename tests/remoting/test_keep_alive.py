"""Idle sessions stay awake, without ever getting in the way of a command."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from akslite_ps.remoting import Session
from akslite_ps.remoting.keep_alive import KEEP_ALIVE, KeepAlive

PATIENCE_S = 20.0


class Pool:
    """A pool that notes when it is heard of."""

    def __init__(self, *, answers: bool = True) -> None:
        self.last_used = time.monotonic()
        self.heard = 0
        self.answers = answers

    def keep_alive(self, idle_s: float) -> bool:
        self.heard += 1
        self.last_used = time.monotonic()
        return self.answers


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def threads() -> int:
    return sum(thread.name == "akslite keep-alive" for thread in threading.enumerate())


@pytest.fixture
def quick() -> Iterator[KeepAlive]:
    """A keep-alive that hears of its pools every twentieth of a second."""
    keep_alive = KeepAlive(0.05)
    yield keep_alive
    for pool in list(keep_alive._pools):
        keep_alive.dismiss(pool)
    thread = keep_alive._thread
    if thread is not None:
        thread.join(PATIENCE_S)


def test_every_idle_pool_is_heard_of_again_and_again_by_one_thread(quick: KeepAlive) -> None:
    before = threads()
    pools = [Pool() for _ in range(20)]
    for pool in pools:
        quick.enrol(pool)

    wait_until(lambda: all(pool.heard >= 2 for pool in pools))
    assert threads() == before + 1


def test_a_pool_that_is_in_use_is_left_alone(quick: KeepAlive) -> None:
    busy, idle = Pool(), Pool()
    busy.last_used += 3600
    quick.enrol(busy)
    quick.enrol(idle)

    wait_until(lambda: idle.heard >= 2)
    assert busy.heard == 0


def test_a_pool_that_does_not_answer_is_left_alone_until_it_is_used_again(quick: KeepAlive) -> None:
    silent, idle = Pool(answers=False), Pool()
    quick.enrol(silent)
    quick.enrol(idle)

    wait_until(lambda: idle.heard >= 3)
    assert silent.heard == 1

    silent.last_used = time.monotonic()
    wait_until(lambda: silent.heard == 2)


def test_the_thread_ends_with_the_last_pool_and_comes_back(quick: KeepAlive) -> None:
    before = threads()
    pool = Pool()
    quick.enrol(pool)
    quick.dismiss(pool)
    wait_until(lambda: threads() == before)

    quick.enrol(pool)
    wait_until(lambda: pool.heard >= 1)


def test_the_thread_ends_where_the_last_pool_is_dismissed_while_it_looks_round() -> None:
    keep_alive = KeepAlive(3600)

    class DismissedMeanwhile(Pool):
        @property
        def last_used(self) -> float:
            keep_alive.dismiss(self)
            return time.monotonic()

        @last_used.setter
        def last_used(self, when: float) -> None:
            pass

    before = threads()
    pool = DismissedMeanwhile()
    keep_alive.enrol(pool)
    wait_until(lambda: threads() == before)


def test_a_session_that_nobody_refers_to_is_not_kept_for_ever(quick: KeepAlive) -> None:
    before = threads()
    quick.enrol(Pool())
    gc.collect()
    wait_until(lambda: threads() == before)


def test_an_idle_session_is_heard_of_on_its_own_connection(lab: Any) -> None:
    with Session.open(lab.target()) as session:
        connections = lab.connections()
        last = session._pool.last_used

        assert session._pool.keep_alive(0.0)
        assert session._pool.last_used > last
        assert lab.connections() == connections


def test_a_connection_in_use_is_not_waited_for(lab: Any) -> None:
    with Session.open(lab.target()) as session:
        last = session._pool.last_used
        held, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            with session._pool.lock:
                held.set()
                go_on.wait(PATIENCE_S)

        holding = threading.Thread(target=hold)
        holding.start()
        assert held.wait(PATIENCE_S)
        assert session._pool.keep_alive(0.0)
        assert session._pool.last_used == last
        go_on.set()
        holding.join(PATIENCE_S)


def test_a_device_that_is_away_is_told_as_silent(lab: Any, relay: Any) -> None:
    with Session.open(lab.target(port=relay.port)) as session:
        lab.run(relay.stop())
        assert not session._pool.keep_alive(0.0)
        lab.run(relay.start())


def test_sessions_are_looked_after_while_they_are_open(lab: Any) -> None:
    with Session.open(lab.target()) as session:
        assert session._pool in KEEP_ALIVE._pools
        session.disconnect()
        assert session._pool not in KEEP_ALIVE._pools
        session.reconnect()
        assert session._pool in KEEP_ALIVE._pools
    assert session._pool not in KEEP_ALIVE._pools
