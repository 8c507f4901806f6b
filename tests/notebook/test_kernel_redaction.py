"""What leaves a kernel is redacted, also where a secret is printed in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from akslite_ps.notebook.kernel_setup import _redact_messages
from akslite_ps.secrets import REDACTED, REDACTOR

SECRET = "pieces-of-Zaunkoenig-9"


class RecordedSession:
    """What ipykernel sends through: whole messages, or a type with a content."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, ident: Any = None) -> Any:
        if isinstance(msg_or_type, Mapping):
            self.sent.append((msg_or_type["header"]["msg_type"], msg_or_type["content"]))
        else:
            self.sent.append((msg_or_type, content))
        return {}

    def text(self, name: str = "stdout") -> str:
        return "".join(content["text"] for kind, content in self.sent if kind == "stream" and content["name"] == name)


@pytest.fixture
def session() -> RecordedSession:
    REDACTOR.add(SECRET)
    session = RecordedSession()
    _redact_messages(session)
    return session


def printed(text: str, name: str = "stdout", *, whole: bool = True) -> tuple[Any, Any]:
    content = {"name": name, "text": text}
    return ({"header": {"msg_type": "stream"}, "parent_header": {}, "content": content}, None) if whole else ("stream", content)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 21])
def test_a_secret_printed_in_pieces_is_redacted(session: RecordedSession, size: int, whole: bool) -> None:
    text = f"it is {SECRET}, {SECRET[:-1]}! pie{SECRET}"
    for at in range(0, len(text), size):
        session.send(None, *printed(text[at : at + size], whole=whole))
        session.send(None, *printed("p", "stderr", whole=whole))
        session.send(None, "comm_msg", {"data": {}})
    session.send(None, "status", {"execution_state": "idle"})
    assert session.text() == f"it is {REDACTED}, {SECRET[:-1]}! pie{REDACTED}"
    assert set(session.text("stderr")) == {"p"}
    assert session.sent[-1][0] == "status"


def test_text_that_may_become_a_secret_is_shown_before_the_next_message(session: RecordedSession) -> None:
    session.send(None, *printed("pieces"))
    assert session.text() == ""
    session.send(None, "display_data", {"data": {"text/plain": f"<{SECRET}>"}})
    assert session.sent == [
        ("stream", {"name": "stdout", "text": "pieces"}),
        ("display_data", {"data": {"text/plain": f"<{REDACTED}>"}}),
    ]


def test_other_text_goes_at_once(session: RecordedSession) -> None:
    session.send(None, *printed("done\n"))
    assert session.text() == "done\n"
