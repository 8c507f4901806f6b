"""How an invocation ended, and the error a caller gets where it did not end well.

Made by ``remoting.invocation``; ``remoting.session`` asks :func:`failure` what to raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from akslite_ps.errors import AksLiteError, CmdletFailed, NotPermitted
from akslite_ps.remoting.records import ErrorRecord, Record
from akslite_ps.secrets import redact


class InvocationState(StrEnum):
    """States of an invocation; :attr:`is_over` for the last ones."""

    RUNNING = "running"
    STOPPING = "stopping"
    DISCONNECTED = "disconnected"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"

    @property
    def is_over(self) -> bool:
        """True where nothing more will come. LOST: the connection broke for good, how it ended is unknown."""
        return self in (InvocationState.COMPLETED, InvocationState.FAILED, InvocationState.STOPPED, InvocationState.LOST)


@dataclass(frozen=True, slots=True)
class Result:
    """An invocation that is over.

    Args:
        state: COMPLETED, FAILED (a terminating error, last in ``errors``) or STOPPED.
        output: Values of the output stream.
        errors: Error records in order.
        records: The records of all streams in the order of arrival.
        duration_s: Seconds from sending to the end, as seen here.
    """

    state: InvocationState
    output: list[Any] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def had_errors(self) -> bool:
        """True where it failed or wrote an error record."""
        return self.state is InvocationState.FAILED or bool(self.errors)


_NEXT_BY_CATEGORY = {
    "InvalidArgument": "correct the argument named in the message and run the command again",
    "InvalidData": "correct the input named in the message and run the command again",
    "ObjectNotFound": "check the name in the message; list what there is first",
    "PermissionDenied": "use an account that may do this on the device",
    "SecurityError": "use an account that may do this on the device",
    "ResourceBusy": "wait until the device is done with it and run the command again",
    "OperationTimeout": "read the device's state, then run the command again with a longer time limit",
    "ConnectionError": "check the device's own network, then run the command again",
}
_NEXT = "mend the cause that the device names, then run the command again"
_SCRIPT_REFUSED = "syntax is not supported by this runspace"


def failure(result: Result, *, device: str, command: str, check: bool, is_restricted: Callable[[], bool]) -> AksLiteError | None:
    """The error that a result stands for, or None.

    Args:
        result: The invocation's result.
        device: Name of the device.
        command: Name of the command, for messages.
        check: Non-terminating error records count too.
        is_restricted: Tells whether the session refuses scripts; asked only where it matters.
    """
    if result.state is InvocationState.STOPPED:
        return CmdletFailed(
            "it was stopped before its end",
            command=command,
            device=device,
            error_id="PipelineStopped",
            category="OperationStopped",
            next_action="read the device's state before it is run again: a part of the work may be done",
        )
    decisive = [error for error in result.errors if error.terminating] or (result.errors if check else [])
    if not decisive:
        if result.state is not InvocationState.FAILED:
            return None
        decisive = [ErrorRecord("the device ended the command as failed and gave no reason", terminating=True)]
    first = decisive[0]
    return _refusal(first, device, command, is_restricted) or _cmdlet_failed(first, len(decisive) - 1, device, command)


def _refusal(error: ErrorRecord, device: str, command: str, is_restricted: Callable[[], bool]) -> NotPermitted | None:
    if _SCRIPT_REFUSED in error.message:
        return NotPermitted(
            f"this endpoint takes no script text: {redact(error.message)}",
            device=device,
            attempted=f"run {command}",
            next_action="send commands with parameters instead, or use a session configuration with full language",
        )
    if error.error_id.startswith("CommandNotFoundException") and _names(error.message, command) and is_restricted():
        return NotPermitted(
            "the command is not visible in this session: either the role does not allow it, or it is not installed "
            f"({redact(error.message)})",
            device=device,
            attempted=f"run {command}",
            next_action="check that the product is installed on the device, then that the session configuration's role lists it",
        )
    return None


def _names(message: str, command: str) -> bool:
    """Whether it is the command sent that was not found, and not one that it needs itself: a tool that is not installed."""
    return any(name.casefold() in message.casefold() for name in command.split(" | "))


def _cmdlet_failed(error: ErrorRecord, more: int, device: str, command: str) -> CmdletFailed:
    others = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    return CmdletFailed(
        redact(error.message) + others,
        command=command,
        device=device,
        error_id=error.error_id or None,
        category=redact(error.category_line) or error.category,
        next_action=_NEXT_BY_CATEGORY.get(error.category, _NEXT),
    )
