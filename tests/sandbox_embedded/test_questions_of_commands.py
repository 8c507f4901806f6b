"""What a command asks its client: to confirm, and for what it lacks. Texts and choices are those of a real session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from akslite_ps.sandbox.commands.table import CommandTable
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter
from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace, Session
from akslite_ps.sandbox.engine import CommandCall

if TYPE_CHECKING:
    from conftest import Desk

YES, YES_TO_ALL, NO, NO_TO_ALL = range(4)


async def remove(call: Call) -> AsyncIterator[str]:
    for name in ("one", "two", "three"):
        if await call.should_process(name, "Remove"):
            yield name


async def wait(call: Call) -> None:
    async for _ in call.items("Name"):
        pass


COMMANDS = CommandTable(
    [
        CommandInfo(
            CommandSyntax("Remove-Thing", should_process=True, error_source="Remove-Thing"), remove, "Things", impact="High"
        ),
        CommandInfo(CommandSyntax("Clear-Thing", should_process=True, error_source="Clear-Thing"), remove, "Things"),
        CommandInfo(
            CommandSyntax(
                "Wait-Thing",
                (parameter("Name", "String", from_pipeline=True), parameter("Count", "Int32", mandatory=True)),
                error_source="Wait-Thing",
            ),
            wait,
            "Things",
        ),
    ],
    {},
)


@pytest.fixture
def things(desk: Desk) -> EmbeddedRunspace:
    """A session with commands that ask."""
    return EmbeddedRunspace(desk.device, Session("Microsoft.PowerShell", "aksadmin", "aksadmin", takes_script_text=True), COMMANDS)


@pytest.mark.parametrize(
    ("answers", "done"),
    [
        ([YES, NO, YES], ["one", "three"]),
        ([YES_TO_ALL], ["one", "two", "three"]),
        ([NO, YES_TO_ALL], ["two", "three"]),
        ([NO_TO_ALL], []),
        ([YES, NO_TO_ALL], ["one"]),
    ],
)
async def test_every_operation_is_confirmed_until_somebody_answers_for_all(
    desk: Desk, things: EmbeddedRunspace, answers: list[int], done: list[str]
) -> None:
    heard = await desk.run(desk.call("Remove-Thing"), answers=answers, runspace=things)

    assert heard.output == done
    assert len(heard.asked) == len(answers)


async def test_a_confirmation_has_powershells_words_and_four_choices(desk: Desk, things: EmbeddedRunspace) -> None:
    heard = await desk.run(desk.call("Remove-Thing"), answers=[NO_TO_ALL], runspace=things)

    (method, (caption, message, choices, default)) = heard.asked[0]
    assert (method, caption, default) == ("PromptForChoice", "Confirm", 0)
    assert message == 'Are you sure you want to perform this action?\r\nPerforming the operation "Remove" on target "one".'
    assert choices == [
        ("&Yes", "Continue with only the next step of the operation."),
        ("Yes to &All", "Continue with all the steps of the operation."),
        ("&No", "Skip this operation and proceed with the next operation."),
        ("No to A&ll", "Skip this operation and all subsequent operations."),
    ]


async def test_only_a_high_impact_asks_without_being_told_to(desk: Desk, things: EmbeddedRunspace) -> None:
    quiet = await desk.run(desk.call("Remove-Thing", Confirm=False), runspace=things)
    low = await desk.run(desk.call("Clear-Thing"), runspace=things)
    told = await desk.run(desk.call("Clear-Thing", Confirm=True), answers=[NO_TO_ALL], runspace=things)

    assert quiet.output == low.output == ["one", "two", "three"]
    assert told.output == []


async def test_an_unanswered_confirmation_fails_with_the_question(desk: Desk, things: EmbeddedRunspace) -> None:
    heard = await desk.run(desk.call("Remove-Thing"), runspace=things)

    assert heard.failed is not None
    assert heard.failed.error_id == "HostException"
    assert heard.failed.message.startswith('Exception calling "ShouldProcess" with "2" argument(s): "')
    assert "The host was attempting to request confirmation with the following message: Are you sure" in heard.failed.message


async def test_what_if_says_it_and_verbose_tells_it(desk: Desk, things: EmbeddedRunspace) -> None:
    what_if = await desk.run(desk.call("Remove-Thing", WhatIf=True), runspace=things)
    verbose = await desk.run(desk.call("Clear-Thing", Verbose=True), runspace=things)

    assert (what_if.asked, what_if.output) == ([], [])
    assert what_if.messages[0] == 'What if: Performing the operation "Remove" on target "one".'
    assert verbose.messages[0] == 'verbose: Performing the operation "Remove" on target "one".'


async def test_missing_parameters_are_asked_for(desk: Desk, things: EmbeddedRunspace) -> None:
    heard = await desk.run(
        CommandCall("'a', 'b'", is_script=True), desk.call("Wait-Thing"), answers=[{"Count": "3"}], runspace=things
    )

    assert heard.failed is None
    assert heard.asked == [
        (
            "Prompt",
            [
                "cmdlet Wait-Thing at command pipeline position 2",
                "Supply values for the following parameters:",
                [
                    {
                        "name": "Count",
                        "label": "&Count",
                        "parameterTypeName": "Int32",
                        "parameterTypeFullName": "System.Int32",
                        "helpMessage": "",
                        "isMandatory": True,
                    }
                ],
            ],
        )
    ]


@pytest.mark.parametrize("answers", [[], [{}]])
async def test_what_is_still_missing_without_an_answer_is_an_error(desk: Desk, answers: list[dict[str, str]]) -> None:
    heard = await desk.run(desk.call("Start-Sleep"), answers=answers)

    assert heard.failed is not None
    assert heard.failed.error_id == "MissingMandatoryParameter,Microsoft.PowerShell.Commands.StartSleepCommand"
    assert heard.failed.message == "Cannot process command because of one or more missing mandatory parameters: Seconds."


async def test_an_answer_is_checked_like_an_argument(desk: Desk) -> None:
    heard = await desk.run(desk.call("Start-Sleep"), answers=[{"Seconds": "soon"}])

    assert heard.failed is not None
    assert heard.failed.error_id == "CannotConvertArgumentNoMessage,Microsoft.PowerShell.Commands.StartSleepCommand"
