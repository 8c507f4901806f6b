"""Runs a PowerShell cell: its statements one after the other, each as one pipeline on the device.

Called by the kernel for every PowerShell cell, inside the event loop. The blocking side is ``work`` and
``connection``; what is seen is ``screen``. Sends commands with parameters; script text only where ``--script`` asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from akslite_ps.command_line import (
    Assignment,
    CommandLineError,
    Exit,
    Pipeline,
    Statement,
    calls_of,
    parse,
    value_of,
)
from akslite_ps.errors import AksLiteError, PromptUnanswered, SessionLost, UsageError
from akslite_ps.remoting import ErrorRecord, InvocationState, OutputRecord, Record
from akslite_ps_kernel.cells import CellOptions, read_powershell_cell
from akslite_ps_kernel.connection import Connection, Ended, list_commands, run_pipeline, run_script
from akslite_ps_kernel.failures import (
    CellFailed,
    interrupted,
    left_errors,
    not_done,
    refused,
    terminated,
)
from akslite_ps_kernel.result import PsOutput
from akslite_ps_kernel.screen import FrontEnd, Screen
from akslite_ps_kernel.translation import collapsed, command, command_names, split_view, unrolled
from akslite_ps_kernel.values_view import View
from akslite_ps_kernel.work import Asked, Work

STOP_WITHIN_S = 2.0
DETAILS_LIMIT_S = 5.0
_JOIN_S = 1.0
T = TypeVar("T")


class AskingFrontEnd(FrontEnd, Protocol):
    """A front end that can also ask."""

    async def ask(self, prompt: str, *, is_secret: bool) -> str:
        """Ask the person; raises PromptUnanswered where there is none."""
        ...

    def keep(self, value: Any) -> None:
        """Make a value, already shown, the cell's result (``Out[n]``)."""
        ...


class CellRunner:
    """Runs cells.

    Args:
        connection: The session.
        front: Where output goes and questions are answered.
        python: The variables of the Python cells.
    """

    def __init__(self, connection: Connection, front: AskingFrontEnd, python: MutableMapping[str, Any]) -> None:
        self._connection = connection
        self._front = front
        self._python = python
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self.variables: dict[str, Any] = {}

    def interrupt(self) -> bool:
        """Interrupt the cell that runs now, from any thread. False where none does."""
        running = self._task
        if running is None:
            return False
        loop, task = running
        loop.call_soon_threadsafe(task.cancel)
        return True

    async def run(self, text: str) -> PsOutput | None:
        """Run a cell.

        Returns:
            The objects of the last statement, to be shown as the cell's result; None where there are none, or
            where they were shown already.

        Raises:
            CellFailed: The cell did not succeed.
            KeyboardInterrupt: It was interrupted; what ran was stopped on the device.
        """
        task = asyncio.current_task()
        self._task = (asyncio.get_running_loop(), task) if task is not None else None
        try:
            return await self._cell(text)
        except CommandLineError as error:
            raise refused(error, text) from None
        except AksLiteError as error:
            if isinstance(error, SessionLost):
                self._connection.lost()
            raise not_done(error) from None
        finally:
            self._task = None

    async def _cell(self, text: str) -> PsOutput | None:
        cell = read_powershell_cell(text)
        for name, argument in cell.magics:
            await self.line_magic(name, argument)
        options = cell.options
        for name in options.take:
            if name not in self._python:
                raise UsageError(f"there is no Python variable {name}", next_action="assign it in a %%python cell first")
            self._assign(name, self._python[name])
        errors: list[ErrorRecord] = []
        if options.script:
            return await self._script(cell.source, options, errors)
        statements = await self._parsed(cell.source)
        outcome: PsOutput | None = None
        given: list[Any] = []
        for number, statement in enumerate(statements, start=1):
            if isinstance(statement, Exit):
                self._exit(statement)
                break
            values, outcome = await self._statement(statement, options, errors, is_last=number == len(statements))
            given += values
        self._give(options, given)
        if errors and not options.may_fail:
            self._show_left(outcome)
            raise left_errors(errors)
        return outcome

    async def _parsed(self, source: str) -> Sequence[Statement]:
        """The statements. Which parameters are switches is asked first, for commands that only the device knows."""
        known = self._connection.commands
        script = parse(source, is_switch=known.is_switch)
        if not known.unknown_parameters(command_names(script.statements)):
            return script.statements
        await self.learn_parameters(command_names(script.statements))
        return parse(source, is_switch=known.is_switch).statements

    async def learn_parameters(self, names: Sequence[str]) -> None:
        """Ask the device for the parameters of commands that are not known here; a device that fails to say is no error."""
        unknown = self._connection.commands.unknown_parameters(names)
        if not unknown or not self._connection.is_open:
            return
        found: list[Any] = []

        def take(record: Record) -> None:
            if isinstance(record, OutputRecord):
                found.append(record.value)

        work = Work(run_pipeline(self._connection, list_commands(unknown), None, DETAILS_LIMIT_S))
        with suppress(AksLiteError):
            await self.attend(work, take)
            work.result()
        self._connection.commands.learn_details(found, unknown)

    async def _statement(
        self, statement: Pipeline | Assignment, options: CellOptions, errors: list[ErrorRecord], *, is_last: bool
    ) -> tuple[Sequence[Any], PsOutput | None]:
        pipeline = statement.pipeline if isinstance(statement, Assignment) else statement
        is_kept = isinstance(statement, Assignment) or options.give is not None
        commands = self._connection.commands
        calls = calls_of(pipeline.commands, self.variables, wants_text=commands.wants_text)
        head = None if pipeline.head is None else unrolled(value_of(pipeline.head, self.variables))
        calls, view = split_view(calls)
        screen = Screen(self._front, device=self._device_name, view=view, shows_objects=not is_kept)
        if calls:
            job = run_pipeline(self._connection, [command(call) for call in calls], head, options.timeout_s)
            await self._follow(Work(job), screen, options)
        else:
            for value in head or ():
                screen.take(OutputRecord(value))
        if isinstance(statement, Assignment):
            self._assign(statement.name, collapsed(screen.values))
        errors += screen.errors
        given = [] if isinstance(statement, Assignment) else screen.values
        return given, None if is_kept else self._close(screen, is_last=is_last, view=view)

    async def _script(self, source: str, options: CellOptions, errors: list[ErrorRecord]) -> PsOutput | None:
        screen = Screen(self._front, device=self._device_name, shows_objects=options.give is None)
        await self._follow(Work(run_script(self._connection, source, options.timeout_s)), screen, options)
        errors += screen.errors
        self._give(options, screen.values)
        outcome = self._close(screen, is_last=True, view=None) if options.give is None else None
        if errors and not options.may_fail:
            self._show_left(outcome)
            raise left_errors(errors)
        return outcome

    def _close(self, screen: Screen, *, is_last: bool, view: View | None) -> PsOutput | None:
        if not is_last:
            screen.flush()
            return None
        outcome = PsOutput(screen.values, view)
        if screen.unshown():
            return outcome
        if not outcome:
            return None
        self._front.keep(outcome)
        return None

    def _show_left(self, outcome: PsOutput | None) -> None:
        if outcome:
            self._front.show(outcome._repr_mimebundle_())
            self._front.keep(outcome)

    async def _follow(self, work: Work[Ended], screen: Screen, options: CellOptions) -> None:
        """Show what the pipeline writes until it is over."""
        try:
            await self.attend(work, screen.take, screen.tick)
            ended = work.result()
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise await self._interrupted(work, screen) from None
        except BaseException:
            self._end(screen, succeeded=False)
            raise
        ended_by = [error for error in screen.errors if error.terminating]
        if ended.state is InvocationState.COMPLETED and not ended_by:
            screen.end_progress(succeeded=True)
            return
        self._end(screen, succeeded=False)
        last = ended_by[-1] if ended_by else ErrorRecord(f"{ended.command} ended in state {ended.state}", terminating=True)
        if not options.may_fail:
            raise terminated(last, device=self._device_name, similar=self._connection.commands.similar)
        screen.show_error(last)

    def _end(self, screen: Screen, *, succeeded: bool) -> None:
        screen.end_progress(succeeded=succeeded)
        screen.flush()

    async def attend(self, work: Work[T], take: Callable[[Record], None], tick: Callable[[], float] = lambda: float("inf")) -> None:
        """Start a work, hand on what it posts and answer its questions until it is over."""
        work.start()
        due = 0.0
        while True:
            is_over = work.is_over
            for item in await work.items(due):
                if isinstance(item, Asked):
                    await self._answer(item)
                else:
                    take(item)
            due = tick()
            if is_over:
                return

    async def _answer(self, question: Asked) -> None:
        try:
            question.answer(await self._front.ask(question.prompt, is_secret=question.is_secret))
        except PromptUnanswered as error:
            question.refuse(error)

    async def _interrupted(self, work: Work[Ended], screen: Screen) -> KeyboardInterrupt:
        """Stop the pipeline on the device, show what still came, and give the exception to raise."""
        work.abandon(PromptUnanswered("the cell was interrupted", attempted="ask at the notebook"))
        stopped = True
        try:
            await asyncio.wait_for(asyncio.to_thread(self._connection.stop_running, STOP_WITHIN_S), STOP_WITHIN_S + _JOIN_S)
        except (AksLiteError, TimeoutError):
            stopped = False
        stopped = await asyncio.to_thread(work.join, _JOIN_S) and stopped
        for record in work.posted():
            if isinstance(record, Record):
                with suppress(AksLiteError):
                    screen.take(record)
        self._end(screen, succeeded=False)
        where = self._device_name or "the device"
        if stopped:
            return interrupted([f"KeyboardInterrupt: the pipeline was stopped on {where}."])
        return interrupted(
            [
                f"KeyboardInterrupt: {where} was told to stop the pipeline and has not confirmed it.",
                "  next: read the device's state",
            ]
        )

    async def line_magic(self, name: str, argument: str) -> None:
        """Run a line magic that stands above a PowerShell cell."""
        if name == "connect":
            work: Work[Any] = Work(lambda own: self._connection.connect(argument, own))
            try:
                await self.attend(work, lambda record: None)
            except asyncio.CancelledError:
                work.abandon(PromptUnanswered("the cell was interrupted", attempted="ask at the notebook"))
                raise interrupted(["KeyboardInterrupt: not connected."]) from None
            self._front.write("stdout", connected_text(work.result()) + "\n")
        elif name == "disconnect":
            device = await asyncio.to_thread(self._connection.disconnect)
            self._front.write("stdout", f"Disconnected from {device.name}.\n" if device else "No device was connected.\n")
        else:
            self._front.show(devices_view(self._connection)._repr_mimebundle_())

    def _exit(self, statement: Exit) -> None:
        code = 0 if statement.code is None else value_of(statement.code, self.variables)
        if code:
            raise CellFailed(f"exit {code}", [f"The cell ended with exit {code}."])

    def _assign(self, name: str, value: Any) -> None:
        for known in [known for known in self.variables if known.casefold() == name.casefold()]:
            del self.variables[known]
        self.variables[name] = value

    def _give(self, options: CellOptions, values: Sequence[Any]) -> None:
        if options.give is not None:
            self._python[options.give] = list(values)

    @property
    def _device_name(self) -> str | None:
        return self._connection.device.name if self._connection.device else None


def connected_text(device: Any) -> str:
    """What ``%connect`` says."""
    return f"Connected to {device.name}" + (f" as {device.endpoint.username}." if device.endpoint.username else ".")


def devices_view(connection: Connection) -> PsOutput:
    """What ``%devices`` shows: the inventory, the connected device marked."""
    here = connection.device.name if connection.is_open and connection.device else None
    return PsOutput(
        [
            _Row(
                Name=device.name,
                Connected="*" if device.name == here else "",
                Endpoint=device.endpoint.url,
                User=device.endpoint.username or "",
                Labels=", ".join(f"{key}={value}" for key, value in sorted(device.labels.items())),
            )
            for device in connection.devices()
        ],
        View("table"),
    )


class _Row(dict[str, Any]):
    """A row of a table of ours; a plain dict would be shown as a PowerShell hashtable."""
