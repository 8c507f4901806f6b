"""The kernel's session: which device it is on, and one pipeline at a time in it.

Opened and closed by the line magics, used by ``runner``. Blocking calls here are made inside a ``Work``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from akslite_ps.errors import AksLiteError, CmdletFailed, PromptUnanswered, UsageError
from akslite_ps.fleet.inventory import Inventory
from akslite_ps.remoting import Command, Device, InvocationState, Question, Session
from akslite_ps_kernel.commands import CommandTable
from akslite_ps_kernel.work import Work

_LIST_LIMIT_S = 15.0
_STOP_LIMIT_S = 2.0


class Connection:
    """At most one open session.

    Args:
        open_session: Opens one; replaced in tests.
        inventory: Loads the inventory.
    """

    def __init__(
        self,
        open_session: Callable[..., Session] = Session.open,
        inventory: Callable[[], Inventory] = Inventory.load,
    ) -> None:
        self._open_session = open_session
        self._inventory = inventory
        self._session: Session | None = None
        self._device: Device | None = None
        self._use = threading.Lock()
        self._work: Work[Any] | None = None
        self.commands = CommandTable()

    @property
    def device(self) -> Device | None:
        """The device last connected; it is kept when its session breaks, for a plain ``%connect``."""
        return self._device

    @property
    def is_open(self) -> bool:
        """True where there is a session."""
        return self._session is not None

    def devices(self) -> Sequence[Device]:
        """The devices of the inventory."""
        return self._inventory().list()

    def connect(self, name: str, work: Work[Any]) -> Device:
        """Open a session on a device of the inventory and learn its commands. Ends the session there was before.

        Args:
            name: The device's name; empty for the last one again.
            work: The work this runs in; asks the person for secrets.

        Raises:
            UsageError: There is no such device.
            AksLiteError: As ``Session.open``.
        """
        device = self._device if not name and self._device else self._inventory().get(name) if name else None
        if device is None:
            raise UsageError("no device is named", next_action="write %connect DEVICE; %devices lists them")
        self.disconnect()
        with self._exclusive():
            session = self._open_session(
                device, ask=lambda label: work.ask(f"{label}: ", is_secret=True), prompts=NotebookPrompts(self._current_work)
            )
            self._session, self._device = session, device
            with suppress(AksLiteError):
                listing = session.invoke(list_commands(), timeout_s=_LIST_LIMIT_S, check=False)
                self.commands.learn(listing.output)
        return device

    def disconnect(self) -> Device | None:
        """Close the session. Returns the device it was on."""
        with self._exclusive():
            session, self._session = self._session, None
            self.commands.forget()
            if session is None:
                return None
            session.close()
            return self._device

    def lost(self) -> None:
        """The session broke: the next command needs a new one."""
        self._session = None

    def close(self) -> None:
        """End the session because the kernel ends; what runs in it is stopped on the device."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    @contextmanager
    def session_for(self, work: Work[Any]) -> Iterator[Session]:
        """The session for one piece of work, which nobody else uses meanwhile.

        Raises:
            UsageError: No device is connected, or another cell uses the session.
        """
        with self._exclusive():
            if self._session is None:
                again = f"%connect {self._device.name}" if self._device else "%connect DEVICE (%devices lists them)"
                raise UsageError("no device is connected", next_action=f"run {again} first")
            self._work = work
            try:
                yield self._session
            finally:
                self._work = None

    def stop_running(self, timeout_s: float) -> None:
        """Stop what runs in the session on the device; from another thread than the one that reads it."""
        session = self._session
        if session is not None:
            for invocation in session.running():
                invocation.stop(timeout_s)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self._use.acquire(timeout=0.5):
            raise UsageError("another cell uses the session", next_action="wait for it, or interrupt it")
        try:
            yield
        finally:
            self._use.release()

    def _current_work(self) -> Work[Any] | None:
        return self._work


class NotebookPrompts:
    """Answers the questions of commands by asking the person at the notebook (the remoting PromptHandler)."""

    def __init__(self, work: Callable[[], Work[Any] | None]) -> None:
        self._work = work

    def confirm(self, question: Question) -> bool:
        """Yes or no to PowerShell's confirmation."""
        return self._ask(f"{_head(question)} [Y] Yes  [N] No: ").strip().casefold() in ("y", "yes")

    def choice(self, question: Question) -> int:
        """Index of the chosen answer."""
        keys = "  ".join(f"[{choice.key}] {choice.label}" for choice in question.choices)
        while True:
            answer = self._ask(f"{_head(question)} {keys}: ").strip().casefold()
            if not answer and question.default is not None:
                return question.default
            for index, choice in enumerate(question.choices):
                if answer in (choice.key.casefold(), choice.label.casefold()):
                    return index

    def read_line(self, label: str) -> str:
        """A line of text."""
        return self._ask(f"{label or 'The device asks for a line of text'}: ")

    def read_secure(self, label: str) -> str:
        """A secret, typed without echo."""
        return self._ask(f"{label}: ", is_secret=True)

    def _ask(self, prompt: str, *, is_secret: bool = False) -> str:
        work = self._work()
        if work is None:
            raise PromptUnanswered("nobody can answer", attempted="ask at the notebook")
        return work.ask(prompt, is_secret=is_secret)


def _head(question: Question) -> str:
    return "\n".join(part for part in (question.caption, question.message) if part)


def list_commands(names: Sequence[str] = ()) -> list[Command]:
    """The pipeline that lists the session's commands: their names only, for a full endpoint has thousands.

    Args:
        names: Tell these commands with their parameters instead.
    """
    if names:
        return [Command("Get-Command", {"Name": list(names)})]
    return [Command("Get-Command"), Command("Select-Object", {"Property": "Name"})]


@dataclass(frozen=True, slots=True)
class Ended:
    """A pipeline that is over: what it was called, and how it ended."""

    command: str
    state: InvocationState


def run_pipeline(
    connection: Connection, commands: Sequence[Command], pipeline_input: Sequence[Any] | None, timeout_s: float | None
) -> Callable[[Work[Ended]], Ended]:
    """The job that runs one pipeline and posts its records."""

    def job(work: Work[Ended]) -> Ended:
        with connection.session_for(work) as session:
            invocation = session.start(commands, input=pipeline_input, timeout_s=timeout_s)
            try:
                for record in invocation.records():
                    work.post(record)
            finally:
                if not invocation.state.is_over:  # an unanswered question: the device must not wait for it
                    invocation.stop(_STOP_LIMIT_S)
            return Ended(invocation.command, invocation.state)

    return job


def run_script(connection: Connection, text: str, timeout_s: float | None) -> Callable[[Work[Ended]], Ended]:
    """The job that runs script text, on a full-language endpoint, and posts its records."""

    def job(work: Work[Ended]) -> Ended:
        with connection.session_for(work) as session:
            try:
                state = session.run_script(text, timeout_s=timeout_s, on_record=work.post, check=False).state
            except CmdletFailed:
                state = InvocationState.FAILED  # the error record was posted
            return Ended("the script", state)

    return job
