"""Commands about the session itself: Invoke-Expression, Get-Location, Get-History, Exit-PSSession."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from akslite_ps.sandbox.dotnet import Int64
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.failures import ScriptEnded
from akslite_ps.sandbox.embedded.parameters import parameter
from akslite_ps.sandbox.embedded.script import run_script
from akslite_ps.sandbox.engine import PipelineFailed, PsValue


async def invoke_expression(call: Call) -> AsyncIterator[Any]:
    """Text as a command line: as much of the language as the session takes for script text.

    PowerShell goes on after no error here, and gives nothing of what came before one.
    """
    async for text in call.items("Command"):
        try:
            async with aclosing(cast(Any, run_script(call.runspace, text, call.streams, goes_on=False))) as output:
                values = [value async for value in output]
        except PipelineFailed as failed:
            name, _, source = failed.error.error_id.partition(",")
            if source and isinstance(failed, ScriptEnded):
                # A record that was to stop the script is told as it was written.
                raise
            error_id = f"{name},Microsoft.PowerShell.Commands.InvokeExpressionCommand"
            failed.error = replace(failed.error, error_id=error_id, activity="Invoke-Expression")
            raise
        for value in values:
            yield value


async def get_location(call: Call) -> Any:
    return call.runspace.variables.get("PWD")


async def get_history(call: Call) -> AsyncIterator[PsValue]:
    """What ran in this session and was to be remembered, the oldest first."""
    for entry in call.runspace.history:
        if call.is_bound("Id") and entry.number not in call["Id"]:
            continue
        yield PsValue(
            {
                "Id": Int64(entry.number),
                "CommandLine": entry.line,
                "ExecutionStatus": entry.outcome,
                "StartExecutionTime": entry.began,
                "EndExecutionTime": entry.ended,
            },
            ("Microsoft.PowerShell.Commands.HistoryInfo", "System.Object"),
            entry.line,
        )


async def exit_session(call: Call) -> None:
    """Leaves an interactive session: the client's host goes back to where it came from."""
    await call.streams.host_call("PopRunspace", [])


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Invoke-Expression",
        invoke_expression,
        parameter("Command", "String", mandatory=True, position=0, from_pipeline=True),
        module="Microsoft.PowerShell.Utility",
        class_name="InvokeExpressionCommand",
        synopsis="Runs a text as a command line.",
    ),
    cmdlet(
        "Get-Location",
        get_location,
        module="Microsoft.PowerShell.Management",
        class_name="GetLocationCommand",
        synopsis="Tells the current folder.",
        read_only=True,
    ),
    cmdlet(
        "Get-History",
        get_history,
        parameter("Id", "Int64[]", position=0, from_pipeline=True),
        module="Microsoft.PowerShell.Core",
        class_name="GetHistoryCommand",
        synopsis="Tells which commands were run in the session.",
        read_only=True,
    ),
    cmdlet(
        "Exit-PSSession",
        exit_session,
        module="Microsoft.PowerShell.Core",
        class_name="ExitPSSessionCommand",
        synopsis="Leaves an interactive session.",
        read_only=True,
    ),
)
