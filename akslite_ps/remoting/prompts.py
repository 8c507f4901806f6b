"""Questions that a running command asks, passed to whoever can answer.

The host that a session declares to the device (:class:`SessionHost`) turns PowerShell's host calls into calls
of a :class:`PromptHandler`. Without a handler a question ends the pipeline at once: nothing ever waits for an
answer that cannot come. Used by ``remoting.invocation``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pypsrp.complex_objects import GenericComplexObject, HostMethodIdentifier, ObjectMeta, PSCredential
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool

from akslite_ps.secrets import REDACTOR

_MULTIPLE_CHOICE = 56
_READ_KEY = 46
_WRITE_METHODS = range(13, 23)
_SCREEN_METHODS = frozenset((28, 30, 32, 34, 36, 38, 40, 42, 47, 48, 49, 51))
"""Calls that set something of the screen, and flush the keyboard: they expect no answer, and there is no screen."""

_MOST_ELEMENTS = 1000
_YES_OR_NO = ("System.Boolean", "System.Management.Automation.SwitchParameter")
_YES = ("true", "yes", "y", "1")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: its label without the ``&``, the key that stands for it, and its help text."""

    label: str
    key: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with fixed answers.

    Args:
        caption: Its title, e.g. ``Confirm``.
        message: The question.
        choices: The answers.
        default: Index of the proposed one, None where there is none.
        defaults: Indexes of all that are proposed, where several may be chosen.
    """

    caption: str
    message: str
    choices: tuple[Choice, ...]
    default: int | None = None
    defaults: tuple[int, ...] = ()

    def __str__(self) -> str:
        answers = ", ".join(choice.label for choice in self.choices)
        return " - ".join(part for part in (self.caption, self.message) if part) + f" [{answers}]"


class PromptHandler(Protocol):
    """Answers the questions of commands, from the thread that waits for the command. May block."""

    def confirm(self, question: Question) -> bool:
        """Yes or no; asked where the answers are those of PowerShell's confirmation. No ends the action."""
        ...

    def choice(self, question: Question) -> int:
        """Index of the chosen answer."""
        ...

    def read_line(self, label: str) -> str:
        """A line of text."""
        ...

    def read_secure(self, label: str) -> str:
        """A secret; sent as SecureString and redacted from then on."""
        ...


@runtime_checkable
class SeveralChoicesHandler(Protocol):
    """What a :class:`PromptHandler` may be besides, to choose several answers; without it one is asked for."""

    def several_choices(self, question: Question) -> Sequence[int]:
        """Indexes of the chosen answers; none is an answer too."""
        ...


class QuestionUnanswered(Exception):
    """Internal: a question came and there is no handler. The text is the question."""


class SessionHost(PSHost):
    """The host that a session declares: no screen, but it can be asked.

    Args:
        handler: Who answers; None where nobody can.
    """

    def __init__(self, handler: PromptHandler | None) -> None:
        self._asking = _Asking(handler)
        super().__init__(None, None, False, "akslite-ps", None, self._asking, "1.0")

    def use_key_exchange(self, exchange_keys: Callable[[], None]) -> None:
        """How the session agrees on a key before a secret is answered."""
        self._asking.exchange_keys = exchange_keys

    def run_method(
        self, method_identifier: HostMethodIdentifier, args: list[Any], runspace: RunspacePool, pipeline: PowerShell | None = None
    ) -> Any:
        """Answer one host call; None where the call expects no answer.

        Raises:
            QuestionUnanswered: It is a question and there is no handler, or a call that no handler can answer.
        """
        number = method_identifier.value or 0
        if number in _WRITE_METHODS or number in _SCREEN_METHODS:
            return None
        if number == _MULTIPLE_CHOICE:
            return self._asking.choose_several(*args)
        if number == _READ_KEY:
            raise QuestionUnanswered("for a key to be pressed")
        try:
            return super().run_method(method_identifier, args, runspace, pipeline)
        except (NotImplementedError, AttributeError):
            raise QuestionUnanswered(f"host call {method_identifier}") from None


class _Asking(PSHostUserInterface):
    """The questions among the host calls. Method names are the protocol's ([MS-PSRP] 2.2.3.17)."""

    def __init__(self, handler: PromptHandler | None) -> None:
        super().__init__(raw_ui=None)
        self._handler = handler
        self.exchange_keys: Callable[[], None] = lambda: None

    def ReadLine(self, runspace: RunspacePool, pipeline: PowerShell | None) -> str:  # noqa: N802 - the protocol's name
        return self._asked("a line of text").read_line("")

    def ReadLineAsSecureString(self, runspace: RunspacePool, pipeline: PowerShell | None) -> ET.Element:  # noqa: N802
        return self._secure(runspace, "a secret")

    def Prompt(  # noqa: N802
        self,
        runspace: RunspacePool,
        pipeline: PowerShell | None,
        caption: str,
        message: str,
        description: list[GenericComplexObject],
    ) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for item in description:
            properties = item.extended_properties
            name = str(properties.get("name", ""))
            label = " - ".join(part for part in (caption, message, name) if part)
            kind = str(properties.get("parameterTypeFullName", ""))
            if "SecureString" in kind:
                answers[name] = self._secure(runspace, label)
            elif "PSCredential" in kind:
                answers[name] = self.PromptForCredential1(runspace, pipeline, label, "", "", "")
            elif kind.endswith("[]"):
                answers[name] = self._several_lines(label)
            else:
                answers[name] = _converted(self._asked(label).read_line(label), kind)
        return answers

    def _several_lines(self, label: str) -> list[str]:
        """The elements of an array, as PowerShell's own hosts ask for them: one after another, nothing ends it."""
        lines: list[str] = []
        while len(lines) < _MOST_ELEMENTS:
            numbered = f"{label}[{len(lines)}]"
            line = self._asked(numbered).read_line(numbered)
            if not line:
                break
            lines.append(line)
        return lines

    def PromptForCredential1(  # noqa: N802
        self, runspace: RunspacePool, pipeline: PowerShell | None, caption: str, message: str, user_name: str, target_name: str
    ) -> PSCredential:
        label = " - ".join(part for part in (caption, message) if part)
        user = user_name or self._asked(f"{label}: user name").read_line(f"{label}: user name")
        password = self._reveal(f"{label}: password of {user}")
        return PSCredential(username=user, password=password)  # type: ignore[no-untyped-call]

    def PromptForCredential2(  # noqa: N802
        self,
        runspace: RunspacePool,
        pipeline: PowerShell | None,
        caption: str,
        message: str,
        user_name: str,
        target_name: str,
        allowed_credential_types: int,
        options: int,
    ) -> PSCredential:
        return self.PromptForCredential1(runspace, pipeline, caption, message, user_name, target_name)

    def PromptForChoice(  # noqa: N802
        self,
        runspace: RunspacePool,
        pipeline: PowerShell | None,
        caption: str,
        message: str,
        choices: list[GenericComplexObject],
        default_choice: int,
    ) -> int:
        question = Question(
            caption or "", message or "", tuple(map(_choice, choices)), default_choice if default_choice >= 0 else None
        )
        handler = self._asked(str(question))
        keys = [choice.key.upper() for choice in question.choices]
        if "Y" in keys and "N" in keys:
            return keys.index("Y") if handler.confirm(question) else keys.index("N")
        return handler.choice(question)

    def choose_several(self, caption: str, message: str, choices: list[GenericComplexObject], defaults: Any) -> list[int]:
        """Indexes of the chosen answers."""
        proposed = _numbers(defaults)
        question = Question(
            caption or "", message or "", tuple(map(_choice, choices)), proposed[0] if proposed else None, tuple(proposed)
        )
        handler = self._asked(str(question))
        if isinstance(handler, SeveralChoicesHandler):
            return list(handler.several_choices(question))
        return [handler.choice(question)]

    def _asked(self, text: str) -> PromptHandler:
        if self._handler is None:
            raise QuestionUnanswered(text)
        return self._handler

    def _reveal(self, label: str) -> str:
        secret = self._asked(label).read_secure(label)
        REDACTOR.add(secret)
        self.exchange_keys()
        return secret

    def _secure(self, runspace: RunspacePool, label: str) -> ET.Element:
        element = runspace.serialize(self._reveal(label), ObjectMeta("SS"))
        assert element is not None
        return element


def _converted(line: str, kind: str) -> str | bool:
    """What was typed for a field, where PowerShell does not convert it from text itself: yes and no."""
    if kind in _YES_OR_NO:
        return line.strip().removeprefix("$").casefold() in _YES
    return line


def _numbers(wire: Any) -> list[int]:
    """The proposed indexes: a list, or .NET's array as the protocol writes it ([MS-PSRP] 2.2.6.1.4)."""
    numbers = wire.extended_properties.get("mae") if isinstance(wire, GenericComplexObject) else wire
    return [int(number) for number in numbers] if isinstance(numbers, list) else []


def _choice(wire: GenericComplexObject) -> Choice:
    properties: dict[str, Any] = {**wire.adapted_properties, **wire.extended_properties}
    text = str(properties.get("label", properties.get("Label", "")))
    before, mark, after = text.partition("&")
    label = before + after
    return Choice(label, (after[:1] if mark else label[:1]).upper(), str(properties.get("helpMessage", "") or ""))
