"""Script text on the simulated device: PowerShell's simple command lines, statement by statement.

Called by ``embedded.runspace`` for a client that sends text. ``akslite_ps.command_line`` reads it; what that does not read
is refused with the error of a runspace that has no language for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from akslite_ps.command_line import Assignment, CommandLineError, Exit, Pipeline, Script, parse
from akslite_ps.sandbox.embedded.conversion import ConversionFailed, convert
from akslite_ps.sandbox.embedded.evaluation import arguments_of, enumerated, value_of
from akslite_ps.sandbox.embedded.failures import ExitRequested, ScriptEnded, script_refused
from akslite_ps.sandbox.embedded.preferences import SILENT, preferred
from akslite_ps.sandbox.engine import CommandCall, PipelineFailed, Streams

if TYPE_CHECKING:
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace


async def run_script(runspace: EmbeddedRunspace, text: str, streams: Streams, *, goes_on: bool = True) -> AsyncIterator[Any]:
    """The output of the statements of a text.

    Args:
        runspace: Whose commands and variables it uses.
        text: What the client sent.
        streams: Where its records go.
        goes_on: An error that ends a statement goes there too, and the next statement runs.

    Raises:
        PipelineFailed: A statement failed and the text does not go on.
        ScriptEnded: The text is refused, or something ended the whole of it.
        ExitRequested: ``exit``.
    """
    for statement in read_script(text).statements:
        try:
            match statement:
                case Exit(code=code):
                    raise ExitRequested(_exit_code(value_of(code, runspace.variables) if code else None))
                case Assignment(name=name, pipeline=pipeline):
                    values = [value async for value in _output(runspace, pipeline, streams)]
                    runspace.variables.set(name, values[0] if len(values) == 1 else (values or None))
                case Pipeline():
                    async with aclosing(cast(Any, _output(runspace, statement, streams))) as output:
                        async for value in output:
                            yield value
        except ScriptEnded:
            raise
        except PipelineFailed as failed:
            if not goes_on:
                raise
            action = preferred(runspace.variables, "ErrorActionPreference", "Continue")
            if action == "Stop":
                raise ScriptEnded(failed.error) from None
            if action not in SILENT:
                streams.error(failed.error)


def read_script(text: str) -> Script:
    """The statements of a text.

    Raises:
        ScriptEnded: It holds something else than simple command lines.
    """
    try:
        return parse(text, joins_values=False)
    except CommandLineError as error:
        raise script_refused(text, detail=f"At {error.place}: {error.construct}.") from None


async def _output(runspace: EmbeddedRunspace, pipeline: Pipeline, streams: Streams) -> AsyncIterator[Any]:
    head = None if pipeline.head is None else enumerated(value_of(pipeline.head, runspace.variables))
    if not pipeline.commands:
        for value in head or []:
            yield value
        return
    calls = [CommandCall(command.name, arguments_of(command, runspace.variables)) for command in pipeline.commands]
    upstream = None if head is None else _replay(head)
    async with aclosing(cast(Any, runspace.pipeline(calls, upstream, streams))) as output:
        async for value in output:
            yield value


async def _replay(values: list[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield value


def _exit_code(value: Any) -> int:
    try:
        return int(convert(value, "Int32"))
    except ConversionFailed:
        return 0
