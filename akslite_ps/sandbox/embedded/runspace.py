"""The embedded engine: a PowerShell runspace in NoLanguage mode, run in Python on a simulated device.

Opened by ``sandbox.device.simulated`` for the listener. Looks commands up, binds their parameters, runs them as one
pipeline that passes objects. Script text is refused, as on an endpoint made for least privilege.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Any, cast

from akslite_ps.sandbox.embedded.binder import bind
from akslite_ps.sandbox.embedded.cmdlet import INPUT_NOT_BOUND, Call, CommandInfo
from akslite_ps.sandbox.engine import CommandCall, ErrorInfo, PipelineFailed, PipelineRequest, Streams

if TYPE_CHECKING:
    from akslite_ps.sandbox.commands import CommandTable
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_NO_LANGUAGE = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."
_NOT_RECOGNIZED = (
    "The term '{}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of "
    "the name, or if a path was included, verify that the path is correct and try again."
)
_YES, _YES_TO_ALL, _NO, _NO_TO_ALL = range(4)
_CHOICES = (
    ("&Yes", "Continue with only the next step of the operation."),
    ("Yes to &All", "Continue with all the steps of the operation."),
    ("&No", "Skip this operation and proceed with the next operation."),
    ("No to A&ll", "Skip this operation and all subsequent operations."),
)


class EmbeddedRunspace:
    """One runspace: ``engine.Runspace`` for a simulated device.

    Args:
        device: The device it runs on.
        user: The account it runs as.
        commands: What it can see. Commands of a product installed later are not among them, as in a session opened
            before the installation.
    """

    def __init__(self, device: SimulatedDevice, user: str, commands: CommandTable) -> None:
        self.device = device
        self.user = user
        self.commands = commands
        self._closed = False

    async def run(self, request: PipelineRequest, streams: Streams) -> None:
        """Run all statements of a pipeline; an error that ends one statement fails the pipeline only where it is the last."""
        if self._closed:
            raise RuntimeError("the runspace is closed")
        with self.device.working():
            statements = _statements(request.commands)
            for index, statement in enumerate(statements):
                given = request.input if index == 0 else None
                try:
                    await self._run_statement(statement, given, streams)
                except PipelineFailed as failed:
                    if index == len(statements) - 1:
                        raise
                    streams.error(failed.error)

    def close(self) -> None:
        """No pipeline can run in it any more."""
        self._closed = True

    def find(self, name: str) -> CommandInfo:
        """Look a command up.

        Raises:
            PipelineFailed: There is none of that name.
        """
        info = self.commands.find(name)
        if info is None:
            raise PipelineFailed(
                ErrorInfo(
                    message=_NOT_RECOGNIZED.format(name),
                    error_id="CommandNotFoundException",
                    category="ObjectNotFound",
                    exception_type="System.Management.Automation.CommandNotFoundException",
                    target=name,
                    target_name=name,
                    target_type="String",
                )
            )
        return info

    async def confirm(self, call: Call, operation: str) -> bool:
        """Ask the client's host whether an operation may go on.

        Raises:
            PipelineFailed: The client has no host that can answer.
        """
        answer = await call.streams.host_call(
            "PromptForChoice", ["Confirm", f"Are you sure you want to perform this action?\r\n{operation}", list(_CHOICES), _YES]
        )
        return answer in {_YES, _YES_TO_ALL}

    async def _run_statement(self, commands: Sequence[CommandCall], given: Sequence[Any] | None, streams: Streams) -> None:
        upstream: AsyncIterator[Any] | None = None if given is None else _replay(given)
        stages: list[AsyncIterator[Any]] = []
        for command in commands:
            if command.is_script:
                raise PipelineFailed(_script_refused(command.text))
            info = self.find(command.text)
            binding = bind(info.syntax, command.parameters, has_input=upstream is not None)
            upstream = _stage(Call(info, binding, upstream, streams, self))
            stages.append(upstream)
        if upstream is None:
            return
        try:
            async for value in upstream:
                streams.output(value)
        finally:
            for stage in reversed(stages):
                await cast(Any, stage).aclose()


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
    """The output of one command. What is piped into a command that takes no input is an error per object."""
    if call.upstream is not None and not call.binding.awaiting_pipeline:
        async for item in call.upstream:
            call.error(
                INPUT_NOT_BOUND,
                "InputObjectNotBound",
                "InvalidArgument",
                exception="System.Management.Automation.ParameterBindingException",
                target=item,
            )
        if not call.info.syntax.is_function:
            return
        call.upstream = None
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


def _script_refused(text: str) -> ErrorInfo:
    return ErrorInfo(
        message=_NO_LANGUAGE,
        error_id="ScriptsNotAllowed",
        category="ParserError",
        exception_type="System.Management.Automation.ParseException",
        target=text,
        target_name=text,
        target_type="String",
    )
