"""What a person is told about a command line that cannot be taken: where, what, and what to write instead.

Raised by every module of this package; the kernel shows it, ``is_complete`` reads ``incomplete``.
"""

from __future__ import annotations

from dataclasses import dataclass

from akslite_ps.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in the text: ``offset`` counts characters from 0, ``line`` and ``column`` from 1."""

    offset: int
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class CommandLineError(UsageError):
    """A line that is not one of the simple command lines, or a value in it that cannot be had.

    Args:
        construct: What stands there, in PowerShell's words, e.g. ``"a sub-expression $(...)"``.
        reason: Why it is refused, as the rest of a sentence that starts with the construct.
        place: Where it starts.
        instead: What to write instead.
        incomplete: True where the text only stops too early, so that more input may mend it.
    """

    def __init__(self, construct: str, reason: str, *, place: Place, instead: str, incomplete: bool = False) -> None:
        super().__init__(f"{place}: {construct} {reason}", next_action=instead)
        self.construct = construct
        self.place = place
        self.incomplete = incomplete
