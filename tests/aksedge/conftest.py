"""Configs and a session that answers from a list, for the tests of the product knowledge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import AksLiteError, NotPermitted
from akslite_ps.remoting.records import InformationRecord, Record

SAMPLE_FILE = Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"

SCALABLE_FILE = Path(__file__).with_name("scalable-config.json")


@pytest.fixture
def sample_file() -> Path:
    """Microsoft's sample config, unchanged."""
    return SAMPLE_FILE


@pytest.fixture
def scalable() -> dict[str, Any]:
    """A config of a scalable cluster that uses nearly every field and has no faults on K3s."""
    config: dict[str, Any] = json.loads(SCALABLE_FILE.read_text(encoding="utf-8"))
    return config


@dataclass
class Sent:
    """One command as it was sent."""

    name: str
    parameters: dict[str, Any]


@dataclass
class Answered:
    """What a command gave."""

    output: list[Any] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class FakeDevice:
    name: str = "press-01"


class FakeSession:
    """A session whose answers are given beforehand, by command name."""

    def __init__(self, answers: dict[str, Any] | None = None, *, language: str = "full") -> None:
        self.device = FakeDevice()
        self.language = language
        self.sent: list[Sent] = []
        self.scripts: list[Sent] = []
        self._answers = answers or {}

    def give(self, command: str, *output: Any) -> None:
        """Set the answer of a command to several values."""
        self._answers[command] = Answered(list(output))

    def invoke(
        self,
        command: str,
        /,
        *,
        timeout_s: float | None = None,
        on_record: Callable[[Record], None] | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Answered:
        self.sent.append(Sent(command, parameters))
        answer = self._answers.get(command, Answered())
        if isinstance(answer, AksLiteError):
            raise answer
        found = answer if isinstance(answer, Answered) else Answered([answer])
        for record in found.records:
            if on_record:
                on_record(record)
        return found

    def run_script(self, text: str, *, timeout_s: float | None = None, **parameters: Any) -> Answered:
        if self.language != "full":
            raise NotPermitted("no scripts here")
        self.scripts.append(Sent(text, parameters))
        return Answered()


@pytest.fixture
def session_with() -> Callable[..., FakeSession]:
    """Makes a session: ``session_with({"Get-Thing": value}, language="none")``."""
    return FakeSession


@pytest.fixture
def told() -> Callable[..., Answered]:
    """Makes an answer with host text beside its output: ``told("OK", lines=[...])``."""

    def make(*output: Any, lines: tuple[str, ...] = ()) -> Answered:
        return Answered(list(output), [InformationRecord(line, tags=("PSHOST",)) for line in lines])

    return make
