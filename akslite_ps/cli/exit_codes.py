"""The exit codes of ``akslite``: one table, the same in README.

====  ==================================================================================
code  meaning
====  ==================================================================================
0     ok: the device is as wanted (changed or already so)
2     usage: wrong option, unknown device, faulty config, missing confirmation or secret
3     ``plan --detailed-exitcode``: the plan has changes
4     failed: the device refused or failed, or a check did not pass; a person must act
5     unreachable: the device did not answer; nothing is known to be wrong with it
6     unknown: a command was sent and its end is not known; run ``akslite resume``
130   interrupted (Ctrl-C); the run can go on
3010  with ``--windows-exit-codes``: ok, a reboot is due
1641  with ``--windows-exit-codes``: ok, a reboot has been started
====  ==================================================================================
"""

from __future__ import annotations

from akslite_ps.errors import (
    AksLiteError,
    AuthenticationFailed,
    CommandFate,
    ConfigError,
    ConfirmationRequired,
    SecretUnavailable,
    SessionLost,
    Unreachable,
    UsageError,
)
from akslite_ps.outcome import Outcome

OK = 0
USAGE = 2
CHANGES = 3
FAILED = 4
UNREACHABLE = 5
UNKNOWN = 6
INTERRUPTED = 130

_WINDOWS = {Outcome.OK_REBOOT_SOFT: 3010, Outcome.OK_REBOOT_HARD: 1641}
_BY_OUTCOME = {
    Outcome.CANCELLED: INTERRUPTED,
    Outcome.UNREACHABLE: UNREACHABLE,
    Outcome.UNKNOWN: UNKNOWN,
    Outcome.SKIPPED_WINDOW: OK,
}


def for_outcome(outcome: Outcome, *, windows_exit_codes: bool = False) -> int:
    """The exit code of a run that ended so.

    Args:
        outcome: The run's outcome.
        windows_exit_codes: Say 3010 or 1641 where a reboot is due, as Windows Installer does.
    """
    if windows_exit_codes and outcome in _WINDOWS:
        return _WINDOWS[outcome]
    if outcome.is_success:
        return OK
    return _BY_OUTCOME.get(outcome, FAILED)


def for_error(error: AksLiteError) -> int:
    """The exit code of a command that ended with this error."""
    match error:
        case UsageError() | ConfigError() | ConfirmationRequired() | SecretUnavailable():
            return USAGE
        case Unreachable() | SessionLost(fate=CommandFate.NOT_STARTED):
            return UNREACHABLE
        case SessionLost() | AuthenticationFailed(fate=CommandFate.UNKNOWN):
            return UNKNOWN
        case _:
            return FAILED
