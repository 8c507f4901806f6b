"""Work that lives on without the process that started it: where it is on the device, and how far its output was read.

An :class:`InvocationReference` is kept by whoever starts long work (a journal, a file); another process hands it to
:func:`akslite_ps.remoting.attach` and gets the rest of the output. Made by ``remoting.invocation``; knows no session.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from akslite_ps.errors import SessionLost, UsageError

_FORM = 1


@dataclass(frozen=True, slots=True)
class ReadingPlace:
    """How far the output of an invocation was read.

    Args:
        received: Records handed out.
        message: Number of the protocol's message that the last of them came in.
        next_receive: Message id of the Receive whose answer has what follows, None where it does not matter. The
            device keeps its last answer and gives it again to the same id: so what a process received and had not
            handed out when it died is not lost.
        parts: What had come of messages that were not whole, by number. Output of the command, in clear.
        screen: Digest of the last record's text where it was text for the screen, which devices send twice.
    """

    received: int = 0
    message: int = -1
    next_receive: str | None = None
    parts: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    screen: str | None = None


@dataclass(frozen=True, slots=True)
class InvocationReference:
    """One invocation on a device, to be found again by another process. Keep it as safe as the command's output.

    Args:
        device: Name of the device.
        shell_id: The session's id there.
        command_id: The pipeline's id in it.
        command: Names of its commands, for messages.
        place: How far its output was read.
        idle_limit_s: How long the device keeps the session while nobody is connected, in seconds, if it told. Then it
            ends the session and what runs in it.
        noted_at: When this reference was made (UTC, this machine's clock).
    """

    device: str
    shell_id: str
    command_id: str
    command: str
    place: ReadingPlace = ReadingPlace()
    idle_limit_s: float | None = None
    noted_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC), compare=False)

    def as_text(self) -> str:
        """The reference as one line of JSON."""
        place = self.place
        return json.dumps(
            {
                "form": _FORM,
                "device": self.device,
                "shell_id": self.shell_id,
                "command_id": self.command_id,
                "command": self.command,
                "received": place.received,
                "message": place.message,
                "next_receive": place.next_receive,
                "screen": place.screen,
                "parts": {str(number): base64.b64encode(part).decode("ascii") for number, part in place.parts.items()},
                "idle_limit_s": self.idle_limit_s,
                "noted_at": self.noted_at.isoformat(),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A reference from :meth:`as_text`.

        Raises:
            UsageError: The text is none.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            if data["form"] != _FORM:
                raise ValueError
            parts = {int(number): base64.b64decode(part, validate=True) for number, part in data["parts"].items()}
            place = ReadingPlace(int(data["received"]), int(data["message"]), data["next_receive"], parts, data["screen"])
            return cls(
                device=str(data["device"]),
                shell_id=str(data["shell_id"]),
                command_id=str(data["command_id"]),
                command=str(data["command"]),
                place=place,
                idle_limit_s=data["idle_limit_s"],
                noted_at=dt.datetime.fromisoformat(data["noted_at"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                "this is no reference of an invocation",
                attempted="read where an invocation is",
                next_action="pass on unchanged what as_text() gave",
            ) from None

    def known(self) -> str:
        """What can be said of the invocation from here, in one sentence."""
        count = self.place.received
        records = "no record" if count == 0 else "1 record" if count == 1 else f"{count} records"
        return f"{self.command} was started, and {records} of its output had been received by {self.noted_at:%Y-%m-%d %H:%M:%S} UTC"


def of_this_device(reference: InvocationReference, device: str) -> None:
    """Refuse a reference to another device.

    Raises:
        UsageError: It is one.
    """
    if reference.device != device:
        raise UsageError(
            f"the invocation runs on {reference.device}",
            device=device,
            attempted=f"take up {reference.command}",
            next_action=f"attach to {reference.device}",
        )


def session_gone(reference: InvocationReference, now: dt.datetime) -> SessionLost:
    """The error where the session of a reference is no longer on the device: says what is known.

    Args:
        reference: The reference.
        now: The time, UTC.
    """
    away_s = (now - reference.noted_at).total_seconds()
    if reference.idle_limit_s is not None and away_s >= reference.idle_limit_s:
        why = (
            f"nobody was connected for up to {away_s:.0f} s and the device keeps an idle session for {reference.idle_limit_s:g} s: "
            "it ended the session, and a command still running with it"
        )
    else:
        why = "the device or its WinRM service restarted, or somebody closed the session: a command still running was ended with it"
    return _lost(reference, f"its session is no longer on the device; {why}")


def command_gone(reference: InvocationReference) -> SessionLost:
    """The error where the session is there and the invocation is not."""
    return _lost(
        reference, "it is no longer in its session: it ended or was stopped, and somebody has taken the rest of its output"
    )


def _lost(reference: InvocationReference, message: str) -> SessionLost:
    return SessionLost(
        f"{message}. {reference.known()}; how it ended is unknown",
        device=reference.device,
        attempted=f"take up {reference.command}",
        next_action="read the device's state before anything is sent again",
    )
