"""The one error tree. Everything that can go wrong for a user of akslite-ps is one of these.

    AksLiteError                    device, what was attempted, what to do next
    +-- UsageError                  a name, option or file the caller gave is not usable
    +-- ConfigError                 one ConfigIssue per fault: path, value, allowed, reason
    +-- SecretUnavailable           a secret reference that cannot be resolved
    +-- RemotingError               the way to the device
    |   +-- AuthenticationFailed    the device answered and refused the credentials
    |   +-- Unreachable             no answer: name, route, port, TLS trust
    |   +-- SessionLost             there was a session; it broke (the result may be unknown)
    |   +-- NotPermitted            the endpoint's role does not allow the command (JEA)
    |   +-- InvocationTimedOut      the time limit of one invocation passed
    |   +-- PromptUnanswered        the device asked a question and nobody can answer
    +-- CmdletFailed                a command ran on the device and failed
    +-- PreflightFailed             the device does not meet what the operation needs
    +-- StepFailed                  a step ran and its result could not be verified
    +-- PlanOutdated                the plan's hash is not the approved one, or the device changed
    +-- ConfirmationRequired        a person must say yes (licence terms, destructive step)
    +-- RunLocked                   another controller works on the device
    +-- JournalError                the journal cannot be read or written (akslite_ps.journal)

Used by every room; imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AksLiteError(Exception):
    """Base of all errors meant for a person.

    Args:
        message: What happened and why, one or two sentences, no secrets.
        device: Name of the device concerned, if there is one.
        attempted: What was being done, e.g. ``"open a session"``.
        next_action: What the person should do now.
    """

    def __init__(
        self,
        message: str,
        *,
        device: str | None = None,
        attempted: str | None = None,
        next_action: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.device = device
        self.attempted = attempted
        self.next_action = next_action

    def __reduce__(self) -> tuple[Callable[..., AksLiteError], tuple[Any, ...]]:
        """Errors pass between processes whole, whatever their constructors take."""
        return _rebuilt, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        where = f"{self.device}: " if self.device else ""
        what = f"could not {self.attempted}: " if self.attempted else ""
        then = f"\n  next: {self.next_action}" if self.next_action else ""
        return f"{where}{what}{self.message}{then}"

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON-ready data, the form used by ``--json`` and reports."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "device": self.device,
            "attempted": self.attempted,
            "next_action": self.next_action,
        }


def _rebuilt(kind: type[AksLiteError], args: tuple[Any, ...], state: dict[str, Any]) -> AksLiteError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(AksLiteError):
    """A name, option or file given by the caller is not usable."""


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """One fault of a deployment config.

    Args:
        path: Where, in the product's spelling, e.g. ``Machines[0].LinuxNode.CpuCount``.
        value: The offending value, already redacted where the field is a secret.
        allowed: What is allowed there.
        reason: The rule's reason and source.
    """

    path: str
    value: object
    allowed: str
    reason: str = ""

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.path} = {self.value!r}: allowed is {self.allowed}{why}"


class ConfigError(AksLiteError):
    """A deployment config that must not be sent to a device; carries every fault found."""

    def __init__(
        self,
        issues: Sequence[ConfigIssue],
        *,
        source: str | None = None,
        device: str | None = None,
        next_action: str | None = None,
    ) -> None:
        self.issues = tuple(issues)
        self.source = source
        count = len(self.issues)
        head = f"{source or 'the config'} has {count} fault{'s' if count != 1 else ''}"
        body = "".join(f"\n  - {issue}" for issue in self.issues)
        super().__init__(head + body, device=device, next_action=next_action)

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()
        data["source"] = self.source
        data["issues"] = [{"path": i.path, "value": repr(i.value), "allowed": i.allowed, "reason": i.reason} for i in self.issues]
        return data


class SecretUnavailable(AksLiteError):
    """A secret reference that cannot be resolved; names the reference, never a value."""


class CommandFate(StrEnum):
    """What is known of a command whose way broke. NOT_STARTED is certain; ENDED: it ran and runs no more, its result is unknown."""

    NOT_STARTED = "not started"
    UNKNOWN = "unknown"
    ENDED = "ended, result unknown"


class RemotingError(AksLiteError):
    """The way to the device failed.

    Args:
        fate: What is known of the command that was on its way; None where there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        device: str | None = None,
        attempted: str | None = None,
        next_action: str | None = None,
        fate: CommandFate | None = None,
    ) -> None:
        super().__init__(message, device=device, attempted=attempted, next_action=next_action)
        self.fate = fate

    def to_dict(self) -> dict[str, Any]:
        """As :meth:`AksLiteError.to_dict`, with the fate of the command where there was one."""
        data = super().to_dict()
        return data if self.fate is None else {**data, "command_fate": str(self.fate)}


class AuthenticationFailed(RemotingError):
    """The device answered and refused the credentials."""


class Unreachable(RemotingError):
    """Nothing answered, or what answered cannot be trusted. Never the same as a failed step."""


class SessionLost(RemotingError):
    """A session existed and broke. Whether a command sent before ran to its end is unknown."""


class NotPermitted(RemotingError):
    """The session's role does not allow the command (just-enough-administration endpoint)."""


class InvocationTimedOut(RemotingError):
    """The time limit of one invocation passed; the pipeline on the device was told to stop."""


class PromptUnanswered(RemotingError):
    """The device asked a question and no callback was there to answer it."""


class CmdletFailed(AksLiteError):
    """A command ran on the device and reported failure.

    Args:
        command: The cmdlet's name.
        error_id: PowerShell's FullyQualifiedErrorId where there was an error record.
        category: PowerShell's category line where there was one.
        cause: Known cause from the failure catalog, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        command: str,
        device: str | None = None,
        error_id: str | None = None,
        category: str | None = None,
        cause: str | None = None,
        next_action: str | None = None,
    ) -> None:
        super().__init__(message, device=device, attempted=f"run {command}", next_action=next_action)
        self.command = command
        self.error_id = error_id
        self.category = category
        self.cause = cause

    def __str__(self) -> str:
        text = super().__str__()
        return text if not self.cause else f"{text}\n  cause: {self.cause}"

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()
        data.update(command=self.command, error_id=self.error_id, category=self.category, cause=self.cause)
        return data


class PreflightFailed(AksLiteError):
    """The device does not meet what the operation needs; nothing was changed."""


class StepFailed(AksLiteError):
    """A step ran, but reading the device back shows that it is not as it should be."""


class PlanOutdated(AksLiteError):
    """The plan approved is not the plan to be applied, or the device changed since."""


class ConfirmationRequired(AksLiteError):
    """A person must say yes: licence terms, or a step that destroys something."""


class RunLocked(AksLiteError):
    """Another controller works on the device; says who, since when, and the lock's token."""
