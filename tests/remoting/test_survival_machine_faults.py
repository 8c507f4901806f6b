"""Faults of the machine, its WinRM service, its account and its network, under an invocation that writes numbered records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from akslite_ps.errors import AuthenticationFailed, CommandFate, RemotingError, SessionLost
from akslite_ps.remoting import Session, attach, connection, recovery

WAYS = {"Negotiate over HTTP": {}, "Basic over HTTPS": {"auth": "basic", "transport": "https"}}
PAUSES_S = recovery._PAUSES_S
COUNT = 8
NUMBERS = list(range(1, COUNT + 1))

GONE: list[tuple[str, dict[str, Any]]] = [
    ("shell-gone", {}),
    ("winrm-restart", {}),
    ("reboot", {"announced": False}),
    ("reboot", {"announced": True}),
    ("reboot", {"boot_time": "unchanged"}),
]


def named(fault: str, parameters: dict[str, Any]) -> str:
    return " ".join((fault, *(f"-p {key}={str(value).lower()}" for key, value in parameters.items())))


class OutageClock:
    """The time of an outage: it passes while the client pauses between attempts."""

    def __init__(self, back_after_s: float, come_back: Callable[[], None]) -> None:
        self.now = 0.0
        self._back_after_s = back_after_s
        self._come_back: Callable[[], None] | None = come_back

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._come_back is not None and self.now >= self._back_after_s:
            come_back, self._come_back = self._come_back, None
            come_back()


@pytest.fixture
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client takes a silent device for lost after a second and a bit."""
    monkeypatch.setattr(connection, "_ANSWER_MARGIN_S", 0.3)


def count_up(session: Session) -> Iterator[Any]:
    """Start counting; gives the invocation after its second record, then what became of it."""
    invocation = session.start("Count-Up", Count=COUNT, HoldAt=2)
    records = invocation.records()
    first = [next(records).value, next(records).value]
    yield invocation
    try:
        yield first + [record.value for record in records]
    except RemotingError as error:
        yield error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("fault", "parameters"), GONE, ids=str)
def test_what_ends_the_session_is_said_and_the_command_called_ended(
    faulty: Any, matrix: Any, fault: str, parameters: dict[str, Any], way: str
) -> None:
    with Session.open(faulty.target(**WAYS[way])) as session:
        steps = count_up(session)
        next(steps)
        faulty.fault(fault, at="receive", **parameters)
        seen = next(steps)
        matrix.note(named(fault, parameters), "receive", way, faulty, seen)

        assert isinstance(seen, SessionLost)
        assert seen.fate is CommandFate.ENDED
        assert "no longer exists" in seen.message
        assert session.running() == []
    faulty.wait_until_up()
    with Session.open(faulty.target(**WAYS[way])) as again:
        assert again.invoke("Count-Up", Count=1).output == [1]


@pytest.mark.parametrize(
    ("fault", "fate", "kind"),
    [
        ("shell-gone", CommandFate.NOT_STARTED, SessionLost),
        ("command-quota", CommandFate.NOT_STARTED, SessionLost),
        ("password-changed", CommandFate.UNKNOWN, AuthenticationFailed),
        ("winrm-restart", CommandFate.UNKNOWN, SessionLost),
        ("reboot", CommandFate.UNKNOWN, SessionLost),
    ],
)
def test_a_command_that_meets_a_fault_is_not_started_or_unknown_and_never_sent_twice(
    faulty: Any, matrix: Any, fault: str, fate: CommandFate, kind: type[RemotingError]
) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault(fault, at="command")
        with pytest.raises(kind) as caught:
            session.invoke("Count-Up", Count=COUNT)
        matrix.note(fault, "command", "Negotiate over HTTP", faulty, caught.value)

        assert caught.value.fate is fate
        assert caught.value.to_dict()["command_fate"] == fate
        assert len(faulty.requests) <= (fate is CommandFate.UNKNOWN)


def test_a_password_that_was_changed_before_the_command_keeps_it_from_being_started(faulty: Any, matrix: Any) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault("password-changed")
        with pytest.raises(AuthenticationFailed) as caught:
            session.invoke("Count-Up", Count=COUNT)
        matrix.note("password-changed", "between two commands", "Negotiate over HTTP", faulty, caught.value)

        assert caught.value.fate is CommandFate.NOT_STARTED
        assert faulty.requests == []


def test_a_password_that_was_changed_for_good_leaves_the_running_command_unknown(faulty: Any, matrix: Any) -> None:
    with Session.open(faulty.target()) as session:
        steps = count_up(session)
        next(steps)
        faulty.fault("password-changed", at="receive")
        seen = next(steps)
        matrix.note("password-changed", "receive", "Negotiate over HTTP", faulty, seen)

        assert isinstance(seen, AuthenticationFailed)
        assert seen.fate is CommandFate.UNKNOWN
    assert faulty.asked.count("log-on") < 8


@pytest.mark.parametrize("way", WAYS)
def test_a_password_that_was_changed_where_it_is_kept_too_is_taken_from_there(faulty: Any, matrix: Any, way: str) -> None:
    with Session.open(faulty.target(**WAYS[way])) as session:
        steps = count_up(session)
        next(steps)
        faulty.fault("password-changed")
        account = next(account for account in faulty.simulated.accounts if account.user == faulty.simulated.spec.user)
        faulty.shown.password_file.write_text(account.password, encoding="utf-8")
        faulty.hold.set()
        seen = next(steps)
        matrix.note("password-changed", "receive, and the stored password is the new one", way, faulty, seen)

        assert seen == NUMBERS


@pytest.mark.parametrize("way", WAYS)
def test_a_network_away_for_four_minutes_costs_no_record(
    faulty: Any, matrix: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with Session.open(faulty.target(**WAYS[way])) as session:
        steps = count_up(session)
        next(steps)
        faulty.fault("network-away", lasts_s=1e6)
        monkeypatch.setattr(recovery, "_PAUSES_S", PAUSES_S)
        monkeypatch.setattr(recovery, "time", OutageClock(240, faulty.clear))
        faulty.hold.set()
        seen = next(steps)
        matrix.note("network-away", "receive, away for 240 s", way, faulty, seen)

        assert seen == NUMBERS
        assert len(faulty.requests) == 1


def test_a_network_away_for_longer_leaves_the_command_unknown_and_where_it_is(
    faulty: Any, matrix: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.open(faulty.target())
    steps = count_up(session)
    invocation = next(steps)
    faulty.fault("network-away", lasts_s=1e6)
    clock = OutageClock(400, faulty.clear)
    monkeypatch.setattr(recovery, "_PAUSES_S", PAUSES_S)
    monkeypatch.setattr(recovery, "time", clock)
    seen = next(steps)
    matrix.note("network-away", "receive, away for 400 s", "Negotiate over HTTP", faulty, seen)

    assert isinstance(seen, SessionLost)
    assert seen.fate is CommandFate.UNKNOWN
    assert 300 <= clock.now < 320
    faulty.clear()
    faulty.hold.set()
    again, found = attach(faulty.target(), invocation.reference)
    with again:
        assert found.wait().output == NUMBERS[2:]


@pytest.mark.usefixtures("short_answers")
@pytest.mark.parametrize("how", ["refused", "silent"])
def test_the_device_goes_on_working_while_nothing_reaches_it(faulty: Any, matrix: Any, how: str) -> None:
    with Session.open(faulty.target(operation_timeout_s=1)) as session:
        steps = count_up(session)
        next(steps)
        faulty.fault("network-away", how=how, lasts_s=240)
        faulty.hold.set()
        seen = next(steps)
        matrix.note(f"network-away -p how={how}", "receive", "Negotiate over HTTP", faulty, seen)

        assert seen == NUMBERS


@pytest.mark.usefixtures("short_answers")
@pytest.mark.parametrize(("fault", "parameters"), [("slow-reply", {"seconds": 1200.0}), ("lost-reply", {"how": "silent"})], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_a_reply_that_comes_too_late_or_never_costs_no_record(
    faulty: Any, matrix: Any, fault: str, parameters: dict[str, Any], way: str
) -> None:
    with Session.open(faulty.target(operation_timeout_s=1, **WAYS[way])) as session:
        faulty.fault(fault, after=2, **parameters)
        seen = session.invoke("Count-Up", Count=COUNT)
        matrix.note(named(fault, parameters), "receive", way, faulty, seen)

        assert seen.output == NUMBERS


@pytest.mark.parametrize("fault", ["clock-skew", "disk-full", "no-gateway"])
def test_faults_of_the_machine_that_do_not_touch_the_connection_leave_it_alone(faulty: Any, matrix: Any, fault: str) -> None:
    with Session.open(faulty.target()) as session:
        faulty.fault(fault)
        result = session.invoke("Count-Up", Count=COUNT)
        faulty.struck_at = None
        matrix.note(fault, "any moment", "Negotiate over HTTP", faulty, result)

        assert result.output == NUMBERS
    Session.open(faulty.target()).close()
