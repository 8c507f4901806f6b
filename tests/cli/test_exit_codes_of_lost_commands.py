"""The exit code says what is known of a command whose way broke."""

from __future__ import annotations

import pytest

from akslite_ps.cli import exit_codes
from akslite_ps.errors import AuthenticationFailed, CommandFate, RemotingError, SessionLost, Unreachable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SessionLost("broken", fate=CommandFate.NOT_STARTED), exit_codes.UNREACHABLE),
        (SessionLost("broken", fate=CommandFate.UNKNOWN), exit_codes.UNKNOWN),
        (SessionLost("broken", fate=CommandFate.ENDED), exit_codes.UNKNOWN),
        (SessionLost("broken"), exit_codes.UNKNOWN),
        (AuthenticationFailed("refused", fate=CommandFate.UNKNOWN), exit_codes.UNKNOWN),
        (AuthenticationFailed("refused", fate=CommandFate.NOT_STARTED), exit_codes.FAILED),
        (Unreachable("silent"), exit_codes.UNREACHABLE),
    ],
    ids=str,
)
def test_what_may_still_run_is_unknown_and_what_was_not_started_is_unreachable(error: RemotingError, code: int) -> None:
    assert exit_codes.for_error(error) == code
