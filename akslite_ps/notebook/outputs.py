"""Outputs of cells: a remark, several things in one, and an output that is replaced as a whole while the notebook lives.

What a widget shows is gone when the notebook is opened again; what must stay as the record goes through here. Used by
the runbooks' panels and their headless ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from akslite_ps.notebook import style


class Showable(Protocol):
    """Something with HTML and plain text of its own."""

    def inner_html(self) -> str:
        """HTML without the style."""

    def text(self) -> str:
        """Plain text."""


class Remark:
    """A sentence set apart by a coloured edge."""

    def __init__(self, text: str, tone: style.Tone = "busy") -> None:
        self._text = text
        self._tone = tone

    def inner_html(self) -> str:
        """HTML without the style."""
        return style.note(self._text, self._tone)

    def text(self) -> str:
        """Plain text."""
        return self._text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": style.block(self.inner_html())}


class Stack:
    """Several things below each other, as one output."""

    def __init__(self, parts: Sequence[Showable]) -> None:
        self._parts = tuple(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/plain": "\n\n".join(part.text() for part in self._parts),
            "text/html": style.block("".join(part.inner_html() for part in self._parts)),
        }


class Slot:
    """One output of a cell that can be replaced later, from any thread.

    Args:
        value: What it shows first.
    """

    def __init__(self, value: object) -> None:
        self._value = value
        self._handle: Any = None

    def show(self) -> None:
        """Make it an output of the running cell; shown again, the newer place is the one that is replaced."""
        from IPython.display import display as show

        self._handle = show(self._value, display_id=True)  # type: ignore[no-untyped-call]

    def put(self, *parts: Showable) -> None:
        """Replace what it shows."""
        self.replace(parts[0] if len(parts) == 1 else Stack(parts))

    def replace(self, value: object) -> None:
        """Replace what it shows by something that displays itself."""
        self._value = value
        if self._handle is not None:
            self._handle.update(value)


def display(value: object) -> None:
    """Make a value an output of the running cell."""
    from IPython.display import display as show

    show(value)  # type: ignore[no-untyped-call]
