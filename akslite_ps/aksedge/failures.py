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


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One known failure.

    Args:
        id: Short name, stable.
        pattern: Regular expression found anywhere in the text, ignoring case.
        cause: What is behind it.
        remedy: What to do now.
        certainty: How sure that is: documented by Microsoft, reported by users or maintainers, or inferred.
        source: Page or issue.
    """

    id: str
    pattern: str
    cause: str
    remedy: str
    certainty: Certainty
    source: str

    def matches(self, text: str) -> bool:
        """Whether the text shows this failure. Line breaks and repeated blanks do not matter: consoles wrap."""
        return bool(_compiled(self.pattern).search(" ".join(text.split())))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@cache
def known_failures() -> tuple[KnownFailure, ...]:
    """All of them, in the order in which they are tried."""
    data = json.loads(files(__package__).joinpath("data", "failures.json").read_text(encoding="utf-8"))
    return tuple(KnownFailure(**item) for item in data["failures"])


def known_failure(text: str) -> KnownFailure | None:
    """The first known failure that the text shows, or None.

    Args:
        text: A message, a returned string, or a whole transcript.
    """
    return next((failure for failure in known_failures() if failure.matches(text)), None)


def all_known_failures(text: str) -> tuple[KnownFailure, ...]:
    """Every known failure that a transcript or log shows, likeliest first."""
    return tuple(failure for failure in known_failures() if failure.matches(text))
