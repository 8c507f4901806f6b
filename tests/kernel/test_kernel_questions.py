"""Questions of commands, asked at the notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from akslite_ps.errors import PromptUnanswered
from akslite_ps.remoting import Choice, Question
from akslite_ps_kernel.connection import NotebookPrompts
from akslite_ps_kernel.work import Asked, Work

YES_NO = Question("Confirm", "Remove the deployment?", (Choice("Yes", "Y"), Choice("No", "N")))
MODES = Question("", "Which mode?", (Choice("Fast", "F"), Choice("Safe", "S")), default=1)


def asked(call: Any, answers: Sequence[str]) -> tuple[Any, list[str]]:
    """What a call of the prompts returns, and what the person was shown."""
    waiting, shown = list(answers), []
    work: Work[Any] = Work(lambda own: call(NotebookPrompts(lambda: own)))
    work.start()
    while not work.is_over:
        for item in work.items_blocking():
            assert isinstance(item, Asked)
            shown.append(f"{item.prompt}{'(hidden)' if item.is_secret else ''}")
            item.answer(waiting.pop(0))
    return work.result(), shown


@pytest.mark.parametrize(("answer", "yes"), [("y", True), ("Yes", True), ("n", False), ("", False), ("what", False)])
def test_only_a_plain_yes_confirms(answer: str, yes: bool) -> None:
    result, shown = asked(lambda prompts: prompts.confirm(YES_NO), [answer])
    assert result is yes
    assert shown == ["Confirm\nRemove the deployment? [Y] Yes  [N] No: "]


def test_a_choice_is_asked_until_it_is_one() -> None:
    assert asked(lambda prompts: prompts.choice(MODES), ["x", "fast"]) == (0, 2 * ["Which mode? [F] Fast  [S] Safe: "])
    assert asked(lambda prompts: prompts.choice(MODES), [""])[0] == 1


def test_lines_and_secrets() -> None:
    assert asked(lambda prompts: prompts.read_line("Name"), ["x"]) == ("x", ["Name: "])
    assert asked(lambda prompts: prompts.read_secure("Password"), ["p"]) == ("p", ["Password: (hidden)"])


def test_outside_of_a_cell_nobody_can_answer() -> None:
    with pytest.raises(PromptUnanswered):
        NotebookPrompts(lambda: None).read_line("Name")
