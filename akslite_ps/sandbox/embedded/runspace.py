"""The embedded engine: a PowerShell runspace of little language, run in Python on a simulated device.

Opened by ``sandbox.device.simulated`` for the listener. Looks commands up, binds their parameters, runs them as one
pipeline that passes objects. Script text is read as simple command lines or refused, as the session configuration says.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from akslite_ps.sandbox.dotnet import TypedList
from akslite_ps.sandbox.embedded.arguments import is_bare
from akslite_ps.sandbox.embedded.automatic import automatic_variables, sender_info
from akslite_ps.sandbox.embedded.binder import Binding, MissingMandatory, bind
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.describing import describe_commands
from akslite_ps.sandbox.embedded.evaluation import Variables
from akslite_ps.sandbox.embedded.failures import ExitRequested, Thrown, command_not_found, script_refused
from akslite_ps.sandbox.embedded.history import History
from akslite_ps.sandbox.embedded.merging import MergingStreams, Taker, with_records
from akslite_ps.sandbox.embedded.parameters import WrittenArgument
from akslite_ps.sandbox.embedded.prompts import ask_for_values
from akslite_ps.sandbox.embedded.script import run_script
from akslite_ps.sandbox.embedded.values import InvalidWildcard
from akslite_ps.sandbox.engine import (
    CommandCall,
    CommandDescription,
    MergedRecord,
    Parameter,
    PipelineFailed,
    PipelineRequest,
    Streams,
)

if TYPE_CHECKING:
    from akslite_ps.sandbox.commands.table import CommandTable
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_GIVES_WAY_AFTER = 64
"""Output objects after which other work of the process, and a client that does not keep up, get their turn."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a runspace is opened for.

    Args:
        configuration: Name of the session configuration.
        user: The account that connected, ``COMPUTER\\user``.
        runs_as: The account that commands run as: the same one, or a virtual account.
        takes_script_text: Simple command lines are read; otherwise all text is refused.
    """

    configuration: str
    user: str
    runs_as: str
    takes_script_text: bool


class EmbeddedRunspace:
    """One runspace: ``engine.Runspace`` for a simulated device.

    Args:
        device: The device it runs on.
        session: Who it is for and how much it takes.
        commands: What it can see. Commands of a product installed later are not among them, as in a session opened
            before the installation.
    """

    def __init__(self, device: SimulatedDevice, session: Session, commands: CommandTable) -> None:
        self.device = device
        self.session = session
        self.commands = commands
        self.variables = Variables(automatic_variables(device, session.runs_as))
        self.history = History(device.now)
        self._closed = False

    async def run(self, request: PipelineRequest, streams: Streams) -> None:
        """Run all statements; an error that ends one fails the pipeline where it is the last, or the client says so."""
        if self._closed:
            raise RuntimeError("the runspace is closed")
        if request.pool is not None:
            self.variables.set("PSSenderInfo", sender_info(request.pool.sender))
        with self.device.working(), self.history.entry(request):
            statements = _statements(request.commands)
            for index, statement in enumerate(statements):
                given = request.input if index == 0 else None
                try:
                    upstream = None if given is None else _replay(given)
                    await self._write(self.pipeline(statement, upstream, streams, goes_on=request.goes_on), streams)
                except ExitRequested as end:
                    await streams.host_call("SetShouldExit", [end.code])
                    return
                except PipelineFailed as failed:
                    if index == len(statements) - 1 or not request.goes_on:
                        raise
                    streams.error(failed.error)

    def describe_commands(self) -> list[CommandDescription]:
        return describe_commands(self.commands)

    def close(self) -> None:
        """No pipeline can run in it any more."""
        self._closed = True

    async def _write(self, output: AsyncIterator[Any], streams: Streams) -> None:
        count = 0
        async for value in output:
            streams.output(value)
            count += 1
            if count % _GIVES_WAY_AFTER == 0:
                await asyncio.sleep(0)

    def find(self, name: str) -> CommandInfo:
        """Look a command up.

        Raises:
            PipelineFailed: There is none of that name.
        """
        info = self.commands.find(name)
        if info is None:
            raise command_not_found(name)
        return info

    async def pipeline(
        self, commands: Sequence[CommandCall], upstream: AsyncIterator[Any] | None, streams: Streams, *, goes_on: bool = True
    ) -> AsyncIterator[Any]:
        """The output of commands that are joined by ``|``.

        Args:
            commands: At least one.
            upstream: What is piped into the first, None where nothing is.
            streams: Where their records go.
            goes_on: Script text among them goes on after a statement that failed.

        Raises:
            PipelineFailed: One of them ended it.
            ExitRequested: Script text among them said ``exit``.
        """
        stages: list[AsyncIterator[Any]] = []
        inputs: list[deque[MergedRecord]] = [deque() for _ in commands]
        for position, command in enumerate(commands, start=1):
            streams_here = self._merging(commands, position, inputs, streams)
            if _takes_records(commands, position):
                upstream = with_records(upstream, inputs[position - 1])
                stages.append(upstream)
            if command.is_script:
                if not self.session.takes_script_text:
                    raise script_refused(command.text)
                upstream = run_script(self, command.text, streams_here, goes_on=goes_on)
            else:
                info, parameters = self._called(command)
                binding = await self._bind(info, parameters, position, streams_here, has_input=upstream is not None)
                upstream = _stage(Call(info, binding, upstream, streams_here, self))
            stages.append(upstream)
        assert upstream is not None, "a pipeline has a command"
        try:
            async for value in upstream:
                yield value
        finally:
            for stage in reversed(stages):
                await cast(Any, stage).aclose()

    def _called(self, command: CommandCall) -> tuple[CommandInfo, Sequence[Parameter]]:
        """The command to run and its arguments: with ``-?`` among them it is Get-Help that is called, for the command."""
        info = self.find(command.text)
        help_command = self.commands.find("Get-Help")
        if help_command is None or not any(is_bare(one) and (one.name or "").lstrip("-") == "?" for one in command.parameters):
            return info, command.parameters
        return help_command, [Parameter("Name", info.name), Parameter("Category", info.command_type)]

    async def _bind(
        self, info: CommandInfo, arguments: Sequence[Parameter], position: int, streams: Streams, *, has_input: bool
    ) -> Binding:
        try:
            return bind(info.syntax, [_as_received(argument) for argument in arguments], has_input=has_input)
        except MissingMandatory as missing:
            answers = await ask_for_values(streams, info.name, position, missing.parameters)
            if answers is None:
                raise
            return missing.resume(answers)

    def _merging(
        self, commands: Sequence[CommandCall], position: int, inputs: Sequence[deque[MergedRecord]], streams: Streams
    ) -> Streams:
        """The streams of the command at a position, counted from one: what it merges becomes input of the next, or output."""
        command = commands[position - 1]
        claimed = next((place for place, later in enumerate(commands) if place >= position and later.takes_earlier_errors), None)
        if not command.merges and claimed is None:
            return streams
        into: Taker = inputs[position].append if position < len(commands) else streams.output
        errors_into = None if claimed is None else inputs[claimed].append
        return MergingStreams(streams, command.merges, into=into, errors_into=errors_into, now=self.device.now)


def _takes_records(commands: Sequence[CommandCall], position: int) -> bool:
    earlier = commands[: position - 1]
    return bool(earlier) and (commands[position - 1].takes_earlier_errors or "output" in earlier[-1].merges.values())


def _as_received(argument: Parameter) -> Parameter:
    """A list that a client sends is an ArrayList on the device, and no array: as a text, PowerShell joins it."""
    if isinstance(argument, WrittenArgument) or type(argument.value) is not list:
        return argument
    return Parameter(argument.name, TypedList(argument.value))


def _statements(commands: Sequence[CommandCall]) -> list[list[CommandCall]]:
    statements: list[list[CommandCall]] = [[]]
    for command in commands:
        statements[-1].append(command)
        if command.end_of_statement:
            statements.append([])
    return [statement for statement in statements if statement]


async def _replay(values: Sequence[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def _stage(call: Call) -> AsyncIterator[Any]:
    """The output of one command; -OutVariable and its like hold it, and its records, when it has ended."""
    keeps_output = "OutVariable" in call.binding.values
    try:
        async with aclosing(cast(Any, _command_output(call))) as output:
            async for value in output:
                await call.settle()
                if keeps_output:
                    call.kept.output.append(value)
                yield value
        await call.settle()
    except InvalidWildcard as invalid:
        call.fail(str(invalid), "RuntimeException", exception="System.Management.Automation.WildcardPatternException")
    except Thrown as thrown:
        if not await call.silences(thrown):
            raise
        call.keep_error(thrown.error)
    finally:
        call.kept.store(call.binding.values, call.runspace.variables)


async def _command_output(call: Call) -> AsyncIterator[Any]:
    """What is piped into a command that takes no input is an error per object."""
    if call.upstream is not None and not call.binding.awaiting_pipeline:
        async for item in call.upstream:
            call.refuse_input(item)
        if not call.info.syntax.is_function:
            return
        call.upstream = None
    with call.device.carrying_out(call.info.name):
        running = call.info.run(call)
        if inspect.isasyncgen(running):
            try:
                async for value in running:
                    yield value
            finally:
                await running.aclose()
            return
        value = await cast(Awaitable[Any], running)
        if value is not None:
            yield value
