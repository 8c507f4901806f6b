"""Questions of a running command: answered by a handler, or the end of the command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from akslite_ps.errors import PromptUnanswered
from akslite_ps.remoting import Question, Session
from akslite_ps.sandbox.engine import SecureText
from akslite_ps.secrets import redact

YES_NO = [("&Yes", "Go on."), ("&No", "Do not.")]


@dataclass
class Person:
    """A prompt handler that says what it is told to, and remembers what it was asked."""

    yes: bool = True
    index: int = 0
    line: str = "linux"
    secret: str = "pr0mpted-secret"
    asked: list[Any] = field(default_factory=list)

    def confirm(self, question: Question) -> bool:
        self.asked.append(question)
        return self.yes

    def choice(self, question: Question) -> int:
        self.asked.append(question)
        return self.index

    def read_line(self, label: str) -> str:
        self.asked.append(label)
        return self.line

    def read_secure(self, label: str) -> str:
        self.asked.append(label)
        return self.secret


@pytest.fixture
def asking(lab: Any) -> None:
    """Ask-Host <method> <arguments...> writes the client's answer."""

    @lab.device.command("Ask-Host")
    async def ask(call: Any, streams: Any, request: Any) -> None:
        method, arguments = QUESTIONS[call.parameters[0].value]
        streams.output(await streams.host_call(method, arguments))


QUESTIONS: dict[str, tuple[str, list[Any]]] = {
    "confirm": ("PromptForChoice", ["Confirm", "Remove the deployment?", YES_NO, 0]),
    "choice": ("PromptForChoice", ["Node", "Which one?", ["&Linux", "&Windows"], -1]),
    "several": ("PromptForChoiceMultipleSelection", ["Node", "Which ones?", ["&Linux", "&Windows"], []]),
    "several proposed": ("PromptForChoiceMultipleSelection", ["Node", "Which ones?", ["&Linux", "&Windows"], [1, 0]]),
    "credential": ("PromptForCredential2", ["Log on", "to the share", "", "share", 1, 0]),
    "key": ("ReadKey", [4]),
    "two fields": ("Prompt", ["Supply values", "for New-Thing:", ["Name", "Size"]]),
    "fields": ("Prompt", ["Supply values", "for New-Thing:", ["Name"]]),
    "line": ("ReadLine", []),
    "secret": ("ReadLineAsSecureString", []),
}


@pytest.mark.parametrize(("yes", "index"), [(True, 0), (False, 1)])
@pytest.mark.usefixtures("asking")
def test_a_confirmation_is_a_yes_or_no(lab: Any, yes: bool, index: int) -> None:
    person = Person(yes=yes)
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="confirm").output == [index]

    (question,) = person.asked
    assert (question.caption, question.message, question.default) == ("Confirm", "Remove the deployment?", 0)
    assert [(choice.label, choice.key, choice.help) for choice in question.choices] == [
        ("Yes", "Y", "Go on."),
        ("No", "N", "Do not."),
    ]


@pytest.mark.usefixtures("asking")
def test_a_choice_is_an_index(lab: Any) -> None:
    person = Person(index=1)
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="choice").output == [1]

    assert str(person.asked[0]) == "Node - Which one? [Linux, Windows]"
    assert person.asked[0].default is None


@pytest.mark.usefixtures("asking")
def test_a_choice_of_several_is_a_list_of_indexes(lab: Any) -> None:
    with Session.open(lab.target(), prompts=Person(index=1)) as session:
        assert session.invoke("Ask-Host", Question="several").output == [[1]]


@pytest.mark.usefixtures("asking")
def test_several_answers_are_chosen_by_a_handler_that_can(lab: Any) -> None:
    @dataclass
    class Chooser(Person):
        def several_choices(self, question: Question) -> list[int]:
            self.asked.append(question)
            return [1, 0]

    person = Chooser()
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="several proposed").output == [[1, 0]]
    assert (person.asked[0].default, person.asked[0].defaults) == (1, (1, 0))


@pytest.mark.usefixtures("asking")
def test_missing_parameters_are_asked_for_by_name(lab: Any) -> None:
    person = Person()
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="fields").output == [{"Name": "linux"}]

    assert person.asked == ["Supply values - for New-Thing: - Name"]


@pytest.mark.usefixtures("asking")
def test_every_field_of_a_question_is_asked_for(lab: Any) -> None:
    person = Person()
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="two fields").output == [{"Name": "linux", "Size": "linux"}]

    assert [asked.rpartition(" - ")[2] for asked in person.asked] == ["Name", "Size"]


@pytest.mark.usefixtures("asking")
def test_what_only_moves_the_screen_is_passed_over(lab: Any, session: Session) -> None:
    @lab.device.command("Set-Title")
    async def title(call: Any, streams: Any, request: Any) -> None:
        await streams.host_call("SetWindowTitle", ["busy"])
        streams.output("done")

    assert session.invoke("Set-Title", timeout_s=20).output == ["done"]


@pytest.mark.usefixtures("asking")
def test_a_line_and_a_secret_are_read(lab: Any) -> None:
    person = Person()
    with Session.open(lab.target(), prompts=person) as session:
        assert session.invoke("Ask-Host", Question="line").output == ["linux"]

        @lab.device.command("Ask-Secret")
        async def ask(call: Any, streams: Any, request: Any) -> None:
            streams.output(await streams.host_call("ReadLineAsSecureString", []) == SecureText("pr0mpted-secret"))

        assert session.invoke("Ask-Secret").output == [True]
    assert redact("pr0mpted-secret") == "<redacted>"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("confirm", "Confirm - Remove the deployment"),
        ("choice", "Which one"),
        ("line", "a line of text"),
        ("fields", "for New-Thing: - Name"),
        ("two fields", "for New-Thing: - Name"),
        ("several", "Which ones"),
        ("credential", "to the share: user name"),
        ("key", "a key to be pressed"),
        ("secret", "a secret"),
    ],
)
@pytest.mark.usefixtures("asking")
def test_without_a_handler_the_question_ends_the_command(session: Session, question: str, text: str) -> None:
    with pytest.raises(PromptUnanswered, match=text) as caught:
        session.invoke("Ask-Host", Question=question, timeout_s=20)

    assert caught.value.next_action
    assert session.running() == []


@pytest.mark.usefixtures("asking")
def test_the_session_works_on_after_an_unanswered_question(lab: Any, session: Session) -> None:
    with pytest.raises(PromptUnanswered):
        session.invoke("Ask-Host", Question="confirm")

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    assert session.invoke("Get-Greeting").output == ["hello"]


@pytest.mark.usefixtures("asking")
def test_a_handler_that_gives_up_can_be_asked_again(lab: Any) -> None:
    person = Person()
    with Session.open(lab.target(), prompts=person) as session:
        invocation = session.start("Ask-Host", Question="line")
        read_line = person.read_line

        def leave(label: str) -> str:
            person.read_line = read_line  # type: ignore[method-assign]
            raise KeyboardInterrupt

        person.read_line = leave  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            invocation.wait()

        assert invocation.wait().output == ["linux"]
