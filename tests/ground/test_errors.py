"""Errors say device, what was attempted and what to do; outcomes know which is worst."""

from __future__ import annotations

import pytest

from akslite_ps.errors import CmdletFailed, ConfigError, ConfigIssue, Unreachable
from akslite_ps.outcome import Outcome, worst


def test_an_error_names_device_attempt_and_next_action() -> None:
    error = Unreachable("nothing answers", device="press-01", attempted="open a session", next_action="check the name")

    assert str(error) == "press-01: could not open a session: nothing answers\n  next: check the name"
    assert error.to_dict()["next_action"] == "check the name"


def test_a_config_error_lists_every_issue() -> None:
    issues = [ConfigIssue("A.B", 1, "2", "rule"), ConfigIssue("C", None, "text")]
    error = ConfigError(issues, source="file.json")

    assert "2 faults" in str(error)
    assert "A.B = 1: allowed is 2 (rule)" in str(error)
    assert [issue["path"] for issue in error.to_dict()["issues"]] == ["A.B", "C"]


def test_a_cmdlet_failure_carries_the_known_cause() -> None:
    error = CmdletFailed("no", command="New-AksEdgeDeployment", device="d", cause="no gateway", next_action="set one")

    assert "cause: no gateway" in str(error)
    assert error.to_dict()["command"] == "New-AksEdgeDeployment"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome.OK),
        ([Outcome.OK, Outcome.CHANGED], Outcome.CHANGED),
        ([Outcome.FAILED, Outcome.CHANGED], Outcome.FAILED),
        ([Outcome.UNREACHABLE, Outcome.OK], Outcome.UNREACHABLE),
        ([Outcome.UNKNOWN, Outcome.CANCELLED], Outcome.UNKNOWN),
    ],
)
def test_the_worst_outcome_decides(outcomes: list[Outcome], expected: Outcome) -> None:
    assert worst(outcomes) is expected


def test_unreachable_and_unknown_are_no_success() -> None:
    assert not Outcome.UNREACHABLE.is_success
    assert not Outcome.UNKNOWN.is_success
    assert Outcome.OK_REBOOT_SOFT.is_success
