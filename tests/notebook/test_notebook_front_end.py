"""Who sits at the notebook, and how a secret is asked for there."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import ipywidgets
import pytest

from akslite_ps.errors import SecretUnavailable, UsageError
from akslite_ps.notebook import interactive
from akslite_ps.notebook.kernel_setup import set_up_kernel
from akslite_ps.notebook.questions import SecretQuestion
from akslite_ps.secrets import SecretRef


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("True", True), ("0", False), ("off", False), ("", False)])
def test_the_setting_decides_and_without_a_kernel_nobody_is_there(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKSLITE_INTERACTIVE", value)
    assert interactive() is expected


def test_a_setting_that_says_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKSLITE_INTERACTIVE", "perhaps")
    with pytest.raises(UsageError, match="AKSLITE_INTERACTIVE=perhaps"):
        interactive()


def test_outside_of_a_kernel_there_is_nothing_to_set_up() -> None:
    assert set_up_kernel() is False


def test_a_secret_is_asked_for_and_kept_in_no_widget() -> None:
    question = SecretQuestion()
    asked = threading.Event()
    question.widget.layout.observe(lambda change: asked.set() if change["new"] != "none" else None, "display")
    answers: list[str] = []
    worker = threading.Thread(target=lambda: answers.append(SecretRef.parse("prompt:the site's password").resolve(ask=question)))
    worker.start()
    assert asked.wait(20)
    assert "the site&#x27;s password" in question._label.value
    question._button.click()
    assert worker.is_alive(), "an empty answer is none"
    question._input.value = "canary-c04d"
    question._button.click()
    worker.join(20)
    assert answers == ["canary-c04d"]
    assert question._input.value == ""
    assert "canary-c04d" not in str(vars(question))
    assert question.widget.layout.display == "none"


def test_a_question_that_nobody_answers_ends() -> None:
    with pytest.raises(SecretUnavailable, match="nobody answered"):
        SecretQuestion(wait_s=0.01)("the password")
