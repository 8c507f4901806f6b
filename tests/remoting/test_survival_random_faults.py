"""Faults by chance, seeded: whatever comes together, every record arrives once and in order, or the error says what is known."""

from __future__ import annotations

import random
from typing import Any

import pytest

from akslite_ps.errors import CommandFate, RemotingError
from akslite_ps.remoting import OutputRecord, Session

COUNT = 40
NUMBERS = list(range(1, COUNT + 1))
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("tcp-reset", {"where": "request"}),
    ("tcp-reset", {"where": "wait"}),
    ("tcp-reset", {"where": "reply"}),
    ("lost-reply", {"how": "reset"}),
    ("half-reply", {}),
    ("idle-drop", {}),
    ("slow-reply", {"seconds": 15.0}),
]
FATAL = ("shell-gone", "winrm-restart", "reboot")
MOMENTS = ("command", "receive", "log-on", "reconnect", "connect", "get", "enumerate", None)


def switch_on(faulty: Any, chance: random.Random, *, fatal: bool) -> None:
    for name, parameters in chance.sample(BROKEN, 4):
        moment = chance.choice(MOMENTS)
        faulty.fault(name, at=moment, probability=0.15, seed=chance.randrange(1000), times=3, **parameters)
    if fatal:
        faulty.fault(chance.choice(FATAL), at="receive", after=chance.randrange(2, 12))


@pytest.mark.parametrize("seed", range(6))
def test_breaks_by_chance_cost_nothing(faulty: Any, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable faults
    way = {"auth": "basic", "transport": "https"} if seed % 2 else {}
    with Session.open(faulty.target(**way)) as session:
        switch_on(faulty, chance, fatal=False)
        result = session.invoke("Count-Up", Count=COUNT)

        assert result.output == NUMBERS
        assert [record.seq for record in result.records] == NUMBERS
        assert len(faulty.requests) == 1


@pytest.mark.parametrize("seed", range(4))
def test_with_the_end_of_the_session_among_them_what_came_is_in_order_and_the_error_says_the_rest(faulty: Any, seed: int) -> None:
    chance = random.Random(100 + seed)  # noqa: S311 - repeatable faults
    fate: CommandFate | None = CommandFate.UNKNOWN
    with Session.open(faulty.target()) as session:
        switch_on(faulty, chance, fatal=True)
        came: list[Any] = []
        try:
            invocation = session.start("Count-Up", Count=COUNT)
            for record in invocation.records():
                assert isinstance(record, OutputRecord)
                came.append(record.value)
            fate = None
        except RemotingError as error:
            fate = error.fate

        assert came == NUMBERS[: len(came)]
        assert fate is not None or len(came) == COUNT
        assert len(faulty.requests) <= (fate is not CommandFate.NOT_STARTED)
