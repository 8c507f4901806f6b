"""Commands that write: Write-Output, Write-Host, and one for each stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, cmdlet
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import is_sequence, text_of
from akslite_ps.sandbox.engine import ErrorInfo, Progress

_MODULE = "Microsoft.PowerShell.Utility"
_WRITE_ERROR = "Microsoft.PowerShell.Commands.WriteErrorException"


async def write_output(call: Call) -> AsyncIterator[Any]:
    async for value in call.items():
        if is_sequence(value) and not call["NoEnumerate"]:
            for item in value:
                yield item
        else:
            yield value


async def write_host(call: Call) -> None:
    async for value in call.items("Object"):
        separator = text_of(call["Separator"]) if call.is_bound("Separator") else " "
        call.host(separator.join(text_of(item) for item in value) if is_sequence(value) else text_of(value))


async def write_warning(call: Call) -> None:
    async for message in call.items("Message"):
        call.warning(message)


async def write_verbose(call: Call) -> None:
    async for message in call.items("Message"):
        call.verbose(message)


async def write_debug(call: Call) -> None:
    async for message in call.items("Message"):
        call.debug(message)


async def write_information(call: Call) -> None:
    async for message in call.items("MessageData"):
        call.information(text_of(message), tags=tuple(call["Tags"] or ()), source=call.info.name)


async def write_error(call: Call) -> None:
    async for message in call.items("Message"):
        target = call["TargetObject"]
        error = ErrorInfo(
            message=message,
            error_id=f"{call['ErrorId'] or _WRITE_ERROR},{call.info.syntax.error_source}",
            category=call["Category"],
            exception_type=_WRITE_ERROR,
            target=target,
            activity=call["CategoryActivity"] or call.info.name,
            reason=call["CategoryReason"] or "WriteErrorException",
            target_name=text_of(target),
        )
        call.write_error(error)


async def write_progress(call: Call) -> None:
    call.progress(
        Progress(
            activity=call["Activity"],
            status=call["Status"],
            percent=call["PercentComplete"],
            seconds_remaining=call["SecondsRemaining"],
            current_operation=call["CurrentOperation"] or "",
            activity_id=call["Id"],
            parent_id=call["ParentId"],
            completed=bool(call["Completed"]),
        )
    )


COMMANDS = (
    cmdlet(
        "Write-Output",
        write_output,
        parameter("InputObject", "PSObject[]", mandatory=True, position=0, from_pipeline=True, may_be_empty=True, remaining=True),
        switch("NoEnumerate"),
        module=_MODULE,
        class_name="WriteOutputCommand",
        synopsis="Sends the given objects down the pipeline.",
        read_only=True,
    ),
    cmdlet(
        "Write-Host",
        write_host,
        parameter("Object", "Object", position=0, from_pipeline=True, remaining=True),
        switch("NoNewline"),
        parameter("Separator", "Object"),
        parameter("ForegroundColor", "ConsoleColor"),
        parameter("BackgroundColor", "ConsoleColor"),
        module=_MODULE,
        class_name="WriteHostCommand",
        synopsis="Writes text to the host.",
        read_only=True,
    ),
    cmdlet(
        "Write-Warning",
        write_warning,
        parameter("Message", "String", mandatory=True, position=0, from_pipeline=True, may_be_empty=True, aliases=("Msg",)),
        module=_MODULE,
        class_name="WriteWarningCommand",
        synopsis="Writes a warning.",
        read_only=True,
    ),
    cmdlet(
        "Write-Verbose",
        write_verbose,
        parameter("Message", "String", mandatory=True, position=0, from_pipeline=True, may_be_empty=True, aliases=("Msg",)),
        module=_MODULE,
        class_name="WriteVerboseCommand",
        synopsis="Writes to the verbose stream where -Verbose is given.",
        read_only=True,
    ),
    cmdlet(
        "Write-Debug",
        write_debug,
        parameter("Message", "String", mandatory=True, position=0, from_pipeline=True, may_be_empty=True, aliases=("Msg",)),
        module=_MODULE,
        class_name="WriteDebugCommand",
        synopsis="Writes to the debug stream where -Debug is given.",
        read_only=True,
    ),
    cmdlet(
        "Write-Information",
        write_information,
        parameter("MessageData", "Object", mandatory=True, position=0, from_pipeline=True, aliases=("Msg", "Message")),
        parameter("Tags", "String[]", position=1),
        module=_MODULE,
        class_name="WriteInformationCommand",
        synopsis="Writes to the information stream.",
        read_only=True,
    ),
    cmdlet(
        "Write-Error",
        write_error,
        parameter("Message", "String", mandatory=True, position=0, from_pipeline=True, may_be_empty=True, aliases=("Msg",)),
        parameter("Category", "ErrorCategory", default="NotSpecified"),
        parameter("ErrorId", "String"),
        parameter("TargetObject"),
        parameter("CategoryActivity", "String", aliases=("Activity",)),
        parameter("CategoryReason", "String", aliases=("Reason",)),
        module=_MODULE,
        class_name="WriteErrorCommand",
        synopsis="Writes an error record.",
        read_only=True,
    ),
    cmdlet(
        "Write-Progress",
        write_progress,
        parameter("Activity", "String", mandatory=True, position=0),
        parameter("Status", "String", position=1, default="Processing"),
        parameter("Id", "Int32", position=2, minimum=0, default=0),
        parameter("PercentComplete", "Int32", minimum=-1, maximum=100, default=-1),
        parameter("SecondsRemaining", "Int32", default=-1),
        parameter("CurrentOperation", "String"),
        parameter("ParentId", "Int32", minimum=-1, default=-1),
        switch("Completed"),
        parameter("SourceId", "Int32", default=0),
        module=_MODULE,
        class_name="WriteProgressCommand",
        synopsis="Writes a progress record.",
        read_only=True,
    ),
)
