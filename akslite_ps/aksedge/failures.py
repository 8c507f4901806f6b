"""Known failures of the product: from a text the device gives to its cause and what to do.

Read by the typed calls (cause and remedy of ``CmdletFailed``), by reports and by diagnosis. Data in
``data/failures.json``; sends nothing to a device.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Certainty = Literal["documented", "reported", "inferred"]
Kind = Literal["cause", "symptom", "noise"]
Phase = Literal["host", "prepare", "install", "deploy", "start", "update", "arc", "cluster", "access"]


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One known failure.

    Args:
        id: Short name, stable.
        pattern: Regular expression found anywhere in the text, ignoring case; None where the device's state shows it, no text.
        cause: What is behind it.
        remedy: What to do now.
        certainty: How sure that is: documented by Microsoft, reported by users or maintainers, or inferred.
        source: Page or issue.
        kind: ``cause``; ``symptom``, where something else is behind it; or ``noise``, which needs nothing to be done.
        phase: What was being done when it shows; ``host``, ``cluster`` and ``access`` can show at any time.
        next: The command to type next; ``{device}`` stands for the device's name, capitals for what the person fills in.
    """

    id: str
    pattern: str | None
    cause: str
    remedy: str
    certainty: Certainty
    source: str
    kind: Kind
    phase: Phase
    next: str

    def matches(self, text: str) -> bool:
        """Whether the text shows this failure. Line breaks and repeated blanks do not matter: consoles wrap."""
        return self.found_in(text) is not None

    def found_in(self, text: str) -> re.Match[str] | None:
        """The place in the text, its line breaks and repeated blanks made one blank each, that shows this failure."""
        return _compiled(self.pattern).search(" ".join(text.split())) if self.pattern is not None else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@cache
def known_failures() -> tuple[KnownFailure, ...]:
    """All of them, in the order in which they are tried."""
    data = json.loads(files(__package__).joinpath("data", "failures.json").read_text(encoding="utf-8"))
    return tuple(KnownFailure(**item) for item in data["failures"])


@cache
def failure_by_id(failure_id: str) -> KnownFailure:
    """The known failure of this id.

    Raises:
        KeyError: There is none.
    """
    return {failure.id: failure for failure in known_failures()}[failure_id]


def known_failure(text: str) -> KnownFailure | None:
    """The first known failure that the text shows, or None.

    Args:
        text: A message, a returned string, or a whole transcript.
    """
    return next((failure for failure in known_failures() if failure.matches(text)), None)


def all_known_failures(text: str) -> tuple[KnownFailure, ...]:
    """Every known failure that a transcript or log shows, likeliest first."""
    return tuple(failure for failure in known_failures() if failure.matches(text))
