"""Faults of single requests: the command runs once and every record arrives once and in order, or the error is exact."""

from __future__ import annotations

from typing import Any

import pytest

from akslite_ps.errors import CommandFate, RemotingError, SessionLost
from akslite_ps.remoting import InvocationState, Session, sessions_on

WAYS = {"Negotiate over HTTP": {}, "Basic over HTTPS": {"auth": "basic", "transport": "https"}}
COUNT = 8
NUMBERS = list(range(1, COUNT + 1))

HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("tcp-reset", {"where": "request"}),
    ("tcp-reset", {"where": "reply"}),
    ("lost-reply", {"how": "reset"}),
    ("half-reply", {}),
    ("idle-drop", {}),
]


def named(fault: str, parameters: dict[str, Any]) -> str:
    return " ".join((fault, *(f"-p {key}={value}" for key, value in parameters.items())))


def outcome_of(session: Session, **parameters: Any) -> Any:
    """The result of counting up, or the error."""
    try:
        return session.invoke("Count-Up", Count=COUNT, **parameters)
    except RemotingError as error:
        return error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", ["command", "receive"])
@pytest.mark.parametrize(("fault", "parameters"), HARMLESS, ids=str)
def test_a_broken_exchange_costs_nothing(
    faulty: Any, matrix: Any, fault: str, parameters: dict[str, Any], moment: str, way: str
) -> None:
    with Session.open(faulty.target(**WAYS[way])) as session:
        faulty.fault(fault, at=moment, after=2 if moment == "receive" else 0, **parameters)
        seen = outcome_of(session)
        matrix.note(named(fault, parameters), moment, way, faulty, seen)

        assert faulty.struck_at is not None
        assert seen.output == NUMBERS
        assert len(faulty.requests) == 1
        assert session.invoke("Count-Up", Count=1).output == [1]


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_cut_while_a_receive_waits_costs_nothing(faulty: Any, matrix: Any, way: str) -> None:
    with Session.open(faulty.target(**WAYS[way])) as session:
        faulty.fault("tcp-reset", at="receive", after=2, where="wait")
        invocation = session.start("Count-Up", Count=COUNT, HoldAt=2)
        records = invocation.records()
        first = [next(records), next(records)]
        faulty.hold.set()
        rest = list(records)

        assert [record.value for record in (*first, *rest)] == NUMBERS
        assert invocation.state is InvocationState.COMPLETED
        matrix.note("tcp-reset -p where=wait", "receive", way, faulty, invocation.result())


@pytest.mark.parametrize(
    ("pieces_before", "fate"), [(0, CommandFate.NOT_STARTED), (1, CommandFate.UNKNOWN)], ids=["in the middle", "at its last piece"]
)
def test_a_large_command_cut_in_the_middle_was_not_started_and_at_its_end_is_unknown(
    faulty: Any, matrix: Any, pieces_before: int, fate: CommandFate
) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault("lost-reply", at="send", after=pieces_before)
        with pytest.raises(SessionLost) as caught:
            session.invoke("Count-Up", Count=COUNT, Text="x" * 1_000_000)
        where = "last piece of a large command" if pieces_before else "a piece of a large command"
        matrix.note("lost-reply", where, "Negotiate over HTTP", faulty, caught.value)

        assert caught.value.fate is fate
        assert caught.value.attempted == "run Count-Up"
        assert len(faulty.requests) == pieces_before
        assert session.running() == []
        assert session.invoke("Count-Up", Count=1).output == [1]


def test_pipeline_input_that_breaks_off_is_unknown(faulty: Any) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault("tcp-reset", at="send")
        with pytest.raises(SessionLost) as caught:
            session.start("Count-Up", Count=1, input=["a", "b"]).wait()

    assert caught.value.fate is CommandFate.UNKNOWN


@pytest.mark.parametrize("moment", ["create", "receive", "log-on"])
@pytest.mark.parametrize("fault", ["tcp-reset", "lost-reply", "half-reply"])
def test_a_session_whose_opening_is_cut_is_opened_anew_and_none_is_left_behind(
    faulty: Any, matrix: Any, fault: str, moment: str
) -> None:
    faulty.fault(fault, at=moment)
    with Session.open(faulty.target()) as session:
        assert faulty.struck_at is not None
        result = session.invoke("Count-Up", Count=1)
        assert result.output == [1]
        assert [left.shell_id for left in sessions_on(faulty.target())] == [session.shell_id]


def test_commands_without_a_break_cost_no_further_request(faulty: Any) -> None:
    with Session.open(faulty.target()) as session:
        before = len(faulty.asked)
        session.invoke("Count-Up", Count=1)

    assert [asked for asked in faulty.asked[before:] if asked != "receive"] == ["command", "signal", "delete"]
