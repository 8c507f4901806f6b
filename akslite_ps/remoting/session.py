"""Sessions on devices: open one, run commands in it, leave it there and come back, close it.

The face of this package for operations, the notebook, the kernel and the command line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from akslite_ps.errors import CommandFate, RemotingError, SessionLost, UsageError
from akslite_ps.remoting.arguments import Command, Script, as_commands, no_secret_input, wire_value
from akslite_ps.remoting.detached import InvocationReference, command_gone, of_this_device, session_gone
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import SHELL_GONE, fault_code
from akslite_ps.remoting.invocation import Invocation
from akslite_ps.remoting.keep_alive import KEEP_ALIVE
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.pool_making import pool_for
from akslite_ps.remoting.prompts import PromptHandler
from akslite_ps.remoting.records import Record
from akslite_ps.remoting.recovery import with_fate
from akslite_ps.remoting.result import InvocationState, Result, failure
from akslite_ps.remoting.values import PsVersion

Language = Literal["full", "constrained", "none", "unknown"]
_LANGUAGE_SCRIPT = "$ExecutionContext.SessionState.LanguageMode"
_LANGUAGE_LIMIT_S = 30.0
_LANGUAGES: dict[str, Language] = {"FullLanguage": "full", "ConstrainedLanguage": "constrained"}


class Session:
    """One open runspace pool on a device, kept awake while idle. Runs one pipeline at a time; a second thread may stop it.

    Use :meth:`open` or :meth:`attach`, and the session as a context manager: leaving it closes the session on
    the device, and ends what runs there, unless :meth:`disconnect` was called.
    """

    def __init__(self, pool: DevicePool, ask: Callable[[str], str] | None) -> None:
        self._pool = pool
        self._ask = ask
        self._language: Language = "unknown"
        self._invocations: list[Invocation] = []
        self._is_open = True

    @classmethod
    def open(
        cls,
        device: Device,
        *,
        ask: Callable[[str], str] | None = None,
        prompts: PromptHandler | None = None,
        open_timeout_s: float = 30,
    ) -> Session:
        """Open a session.

        Args:
            device: The device.
            ask: Answers ``prompt:`` references; gets the label, returns the secret.
            prompts: Answers questions of commands; without one a question ends its command.
            open_timeout_s: Seconds that each step of opening may take.

        Raises:
            SecretUnavailable: The password's reference cannot be resolved.
            Unreachable: No answer, or one that is not to be trusted.
            AuthenticationFailed: The credentials were refused.
            NotPermitted: The account may not use the endpoint's session configuration, or there is none of that name.
        """
        pool = pool_for(device, ask, prompts)
        pool.open(open_timeout_s)
        KEEP_ALIVE.enrol(pool)
        return cls(pool, ask)

    @classmethod
    def attach(
        cls,
        device: Device,
        left: str | InvocationReference,
        *,
        ask: Callable[[str], str] | None = None,
        prompts: PromptHandler | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
    ) -> Session:
        """Connect, as a new client, to a session left on the device by :meth:`detach`, :meth:`disconnect` or a crash.

        Args:
            device: The device; the endpoint must name the same session configuration and user.
            left: The session's :attr:`shell_id`, or the reference of an invocation in it: :meth:`running` has that alone then.
            ask: As for :meth:`open`.
            prompts: As for :meth:`open`.
            remember: As for :meth:`start`, for every invocation found.

        Raises:
            SessionLost: The session (the invocation of the reference) no longer exists there, or another client holds it.
            UsageError: The reference belongs to another device.
            RemotingError: As for :meth:`open`.
        """
        reference = None if isinstance(left, str) else left
        if reference is not None:
            of_this_device(reference, device.name)
        pool = pool_for(device, ask, prompts)
        try:
            pool.adopt(left if isinstance(left, str) else left.shell_id)
        except SessionLost as error:
            if reference is not None and fault_code(error.__cause__ or error) in SHELL_GONE:
                raise session_gone(reference, dt.datetime.now(dt.UTC)) from error
            raise
        session = cls(pool, ask)
        try:
            found = pool.running_commands()
            if reference is None:
                session._invocations = [
                    Invocation(pool, "the command left running", pipeline_id=id_, remember=remember) for id_ in found
                ]
            elif reference.command_id.casefold() in (id_.casefold() for id_ in found):
                taken_up = Invocation(
                    pool, reference.command, pipeline_id=reference.command_id, place=reference.place, remember=remember
                )
                session._invocations = [taken_up]
            else:
                raise command_gone(reference)
        except BaseException:
            pool.hang_up()
            raise
        KEEP_ALIVE.enrol(pool)
        return session

    @property
    def device(self) -> Device:
        """The device."""
        return self._pool.device

    @property
    def shell_id(self) -> str:
        """Id of the session on the device; keep it to :meth:`attach` later."""
        return self._pool.shell_id

    @property
    def language(self) -> Language:
        """What scripts the session takes: ``full``, ``constrained``, ``none`` (commands with parameters only).

        Found out on first use by sending a one-line script, which a restricted endpoint refuses; ``unknown``
        while another command runs or where the device does not say.
        """
        if self._language == "unknown" and self._is_open and not self._busy():
            self._language = self._find_language()
        return self._language

    @property
    def powershell_version(self) -> PsVersion | None:
        """Version of PowerShell on the device, as it told when the session opened."""
        told = self._pool.private_data.get("PSVersionTable")
        version = told.get("PSVersion") if isinstance(told, dict) else None
        return PsVersion(version) if version else None

    def invoke(
        self,
        command: str | Command | Sequence[Command],
        /,
        *,
        timeout_s: float | None = None,
        on_record: Callable[[Record], None] | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Result:
        """Run a command, or a pipeline of commands, to its end.

        Args:
            command: A name with ``parameters``, a Command, or the Commands of a pipeline.
            timeout_s: Time limit in seconds; the command is then stopped on the device.
            on_record: Called with each record as it arrives. An exception it raises is raised here, and so is
                KeyboardInterrupt; the command then goes on and is found by :meth:`running`.
            check: Raise for non-terminating errors too.
            parameters: Parameters of the command; True, False or ``ON`` for switches.

        Raises:
            CmdletFailed: A terminating error, or with ``check`` any error record.
            NotPermitted: The session's role does not allow the command.
            InvocationTimedOut: The limit passed.
            PromptUnanswered: The command asked and nobody can answer.
            SessionLost: The connection is gone for good; the result is unknown.
        """
        invocation = self.start(command, timeout_s=timeout_s, **parameters)
        return self._finished(invocation, on_record, check=check)

    def run_script(
        self,
        text: str,
        *,
        timeout_s: float | None = None,
        on_record: Callable[[Record], None] | None = None,
        check: bool = True,
        own_scope: bool = False,
        **parameters: Any,
    ) -> Result:
        """Run script text; needs a full-language endpoint.

        Args:
            text: The script. Secrets belong into ``parameters``, never into the text: devices log it.
            timeout_s: As for :meth:`invoke`.
            on_record: As for :meth:`invoke`.
            check: As for :meth:`invoke`.
            own_scope: Its variables and preferences end with it; otherwise they stay in the session.
            parameters: For the script's ``param()`` block.

        Raises:
            NotPermitted: The endpoint takes no scripts.
            AksLiteError: As for :meth:`invoke`.
        """
        invocation = self._start([Script(text, parameters, own_scope)], "the script", timeout_s=timeout_s)
        return self._finished(invocation, on_record, check=check)

    def start(
        self,
        command: str | Command | Sequence[Command],
        /,
        *,
        input: Sequence[Any] | None = None,
        timeout_s: float | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
        **parameters: Any,
    ) -> Invocation:
        """Start a command or pipeline and return at once.

        Args:
            command: As for :meth:`invoke`.
            input: Pipeline input.
            timeout_s: Time limit in seconds, counted from now and kept while somebody reads the invocation.
            remember: Called, by whoever reads, before the device is asked for more: keeps where the invocation is and how far it
                was read, for another process to go on should this one die. See :attr:`Invocation.reference`.
            parameters: As for :meth:`invoke`.

        Raises:
            UsageError: A command is still running in this session, or an argument cannot be sent.
            SessionLost: The connection broke; the message says whether the command was received.
        """
        commands = as_commands(command, parameters)
        name = " | ".join(c.name for c in commands)
        return self._start(commands, name, input=input, timeout_s=timeout_s, remember=remember)

    def start_script(
        self,
        text: str,
        *,
        input: Sequence[Any] | None = None,
        timeout_s: float | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
        **parameters: Any,
    ) -> Invocation:
        """Start script text and return at once; needs a full-language endpoint, which its end tells (see :meth:`run_script`).

        Args:
            text: As for :meth:`run_script`.
            input: Pipeline input, the script's ``$input``.
            timeout_s: As for :meth:`start`.
            remember: As for :meth:`start`.
            parameters: For the script's ``param()`` block.

        Raises:
            AksLiteError: As for :meth:`start`.
        """
        return self._start([Script(text, parameters)], "the script", input=input, timeout_s=timeout_s, remember=remember)

    def running(self) -> list[Invocation]:
        """The invocations of this session that are not over, those found by :meth:`attach` included."""
        self._invocations = [invocation for invocation in self._invocations if not invocation.state.is_over]
        return list(self._invocations)

    def is_alive(self) -> bool:
        """Ask the device whether the session still exists there; keeps an idle session and its connection awake."""
        return self._is_open and self._pool.is_alive()

    def detach(self, *, idle_limit_s: float | None = None) -> InvocationReference:
        """Leave the running invocation, and the session, on the device for another process to :func:`attach` to.

        While nobody is connected the device keeps the output in a buffer. Where that is full the command waits, and
        goes on when its output is read again: nothing is lost, but a command that writes much does not end alone.

        Args:
            idle_limit_s: How long the device keeps the session while nobody is connected, in seconds; it then ends the session
                and the command. Default: what the session configuration says, for PowerShell's own two hours.

        Raises:
            UsageError: Nothing runs in the session.
            SessionLost: As for :meth:`disconnect`.
        """
        running = self.running()
        if not running:
            raise UsageError(
                "nothing runs in this session",
                device=self.device.name,
                attempted="leave the running command on the device",
                next_action="start a command first; disconnect() leaves an idle session",
            )
        self.disconnect(idle_limit_s=idle_limit_s)
        return running[0].reference

    def disconnect(self, *, idle_limit_s: float | None = None) -> None:
        """Leave the session, and what runs in it, on the device; go on with :meth:`reconnect` or :meth:`attach`.

        Args:
            idle_limit_s: As for :meth:`detach`.

        Raises:
            SessionLost: The device could not be told. It puts the session aside by itself when it notices that
                nobody is there; :meth:`close` does not end it any more.
        """
        self._is_open = False
        KEEP_ALIVE.dismiss(self._pool)
        for invocation in self._invocations:
            invocation.mark_disconnected()
        self._pool.disconnect(idle_limit_s)

    def reconnect(self) -> None:
        """Take up the session again after :meth:`disconnect`; its invocations go on.

        Raises:
            SessionLost: The session no longer exists on the device.
        """
        self._pool.reconnect()
        self._is_open = True
        KEEP_ALIVE.enrol(self._pool)

    def close(self) -> None:
        """End the session and what still runs in it on the device. Never fails; does nothing after :meth:`disconnect`."""
        if not self._is_open:
            return
        self._is_open = False
        KEEP_ALIVE.dismiss(self._pool)
        self._pool.delete()
        for invocation in self._invocations:
            invocation.mark_closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session {self.shell_id} on {self.device.name}>"

    def _start(
        self,
        statements: Sequence[Command | Script],
        name: str,
        *,
        input: Sequence[Any] | None = None,
        timeout_s: float | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
    ) -> Invocation:
        if not self._is_open:
            raise UsageError(
                "this session is closed or disconnected", device=self.device.name, next_action="open or attach a session"
            )
        if self._busy():
            raise UsageError(
                "a command is still running in this session",
                device=self.device.name,
                attempted=f"run {name}",
                next_action="wait for it, stop it, or open a second session",
            )
        pool = self._pool
        try:
            wire = pool.build(statements, self._ask)
        except RemotingError as error:
            raise with_fate(error, CommandFate.NOT_STARTED) from error.__cause__
        values = None if input is None else [wire_value(value, no_secret_input) for value in input]
        invocation = Invocation(pool, name, timeout_s=timeout_s, remember=remember)
        fragments = pool.fragments_of(wire, invocation.id, has_input=values is not None)
        self._invocations = [invocation]
        invocation.begin(fragments, values)
        return invocation

    def _finished(self, invocation: Invocation, on_record: Callable[[Record], None] | None, *, check: bool) -> Result:
        result = invocation.wait(on_record)
        error = failure(
            result,
            device=self.device.name,
            command=invocation.command,
            check=check,
            is_restricted=lambda: self.language == "none",
        )
        if error is not None:
            raise error
        return result

    def _busy(self) -> bool:
        return bool(self.running())

    def _find_language(self) -> Language:
        try:
            result = self._start([Script(_LANGUAGE_SCRIPT)], "the language test", timeout_s=_LANGUAGE_LIMIT_S).wait()
        except RemotingError:
            return "unknown"
        if result.state is InvocationState.COMPLETED and result.output:
            return _LANGUAGES.get(str(result.output[0]), "none")
        return "none" if result.state is InvocationState.FAILED else "unknown"
