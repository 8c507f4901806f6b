"""What the device asks the client's host: to confirm an operation, to go on after a record, to supply what a command lacks.

Texts and choices are those of a remote session (one without Suspend), as a PowerShell 7 server was seen to send them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from akslite_ps.sandbox.embedded.parameters import ParameterInfo
from akslite_ps.sandbox.embedded.values import full_type_name
from akslite_ps.sandbox.engine import PipelineFailed, Streams

_YES, _YES_TO_ALL, _NO, _NO_TO_ALL = range(4)
_CHOICES = (
    ("&Yes", "Continue with only the next step of the operation."),
    ("Yes to &All", "Continue with all the steps of the operation."),
    ("&No", "Skip this operation and proceed with the next operation."),
    ("No to A&ll", "Skip this operation and all subsequent operations."),
)


_HALT_CHOICES = (*_CHOICES[:2], ("&Halt Command", "Stop this command."))
_HALT = 2
_EXCEPTION_CHOICES = (
    ("&Continue", "Report the error then continue with the next script statement."),
    ("S&ilently Continue", "Do not report this error, just continue with the next script statement."),
    ("&Break", "Do not continue processing, throw the exception instead."),
    (
        "&Suspend",
        "Pause the current pipeline and return to the command prompt. Type exit to resume operation when you are done.",
    ),
)
_SILENTLY_CONTINUE = 1
CONTINUE = "Continue with this operation?"
"""What is asked after a warning, an information or a debug record whose preference is Inquire."""


@dataclass(frozen=True, slots=True)
class Answer:
    """To a confirmation; ``for_all`` is the answer to further ones of the same call, None where they are to be asked again."""

    yes: bool
    for_all: bool | None = None


async def ask_to_confirm(streams: Streams, operation: str) -> Answer:
    """Ask whether an operation may go on.

    Args:
        streams: Of the pipeline whose client is asked.
        operation: ``Performing the operation "..." on target "...".``

    Raises:
        PipelineFailed: The client has no host that can answer; the message ends with what it was to be asked.
    """
    question = f"Are you sure you want to perform this action?\r\n{operation}"
    answer = await _choose(streams, "Confirm", question, _CHOICES)
    for_all = {_YES_TO_ALL: True, _NO_TO_ALL: False}.get(answer)
    return Answer(answer in {_YES, _YES_TO_ALL}, for_all)


async def ask_to_continue(streams: Streams, question: str) -> Answer:
    """Ask, where a record's preference is Inquire, whether its command may go on.

    Raises:
        PipelineFailed: As for :func:`ask_to_confirm`.
    """
    answer = await _choose(streams, "Confirm", question, _HALT_CHOICES)
    return Answer(answer != _HALT, True if answer == _YES_TO_ALL else None)


async def ask_to_silence(streams: Streams, message: str) -> bool:
    """Ask what becomes of an exception in a function whose preference is Inquire; True where it is to be passed over in silence.

    Raises:
        PipelineFailed: As for :func:`ask_to_confirm`.
    """
    answer = await _choose(streams, "Action to take for this exception:", message, _EXCEPTION_CHOICES)
    return bool(answer == _SILENTLY_CONTINUE)


async def _choose(streams: Streams, caption: str, question: str, choices: Sequence[tuple[str, str]]) -> Any:
    try:
        return await streams.host_call("PromptForChoice", [caption, question, list(choices), _YES])
    except PipelineFailed as failed:
        message = f"{failed.error.message} The host was attempting to request confirmation with the following message: {question}"
        raise PipelineFailed(replace(failed.error, message=message)) from None


async def ask_for_values(
    streams: Streams, command: str, position: int, parameters: Sequence[ParameterInfo]
) -> Mapping[str, Any] | None:
    """Ask for mandatory parameters.

    Args:
        streams: Of the pipeline whose client is asked.
        command: Name of the command.
        position: Its place in the pipeline, from 1.
        parameters: What it lacks.

    Returns:
        What was answered, by parameter name; None where nobody could be asked or nothing came.
    """
    caption = f"cmdlet {command} at command pipeline position {position}"
    fields = [_field(p) for p in parameters]
    try:
        answers = await streams.host_call("Prompt", [caption, "Supply values for the following parameters:", fields])
    except PipelineFailed:
        return None
    return answers if isinstance(answers, Mapping) and answers else None


def _field(parameter: ParameterInfo) -> dict[str, Any]:
    full_name = full_type_name(parameter.type)
    return {
        "name": parameter.name,
        "label": f"&{parameter.name}",
        "parameterTypeName": full_name.rpartition(".")[2],
        "parameterTypeFullName": full_name,
        "helpMessage": "",
        "isMandatory": True,
    }
