"""Asks the person at the terminal for ``prompt:`` secrets: each one once per command, and never beneath a moving display.

Given as ``ask`` to everything that opens sessions or resolves secrets while a spinner or a bar is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from akslite_ps.secrets import SecretRef


class Live(Protocol):
    """A moving display, such as Rich's ``Status`` and ``Progress``."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Questions:
    """The questions of one command, with the answers given so far."""

    def __init__(self) -> None:
        self._answers: dict[str, str] = {}

    def over(self, live: Live) -> Callable[[str], str]:
        """A function that asks for the secret with this label while the display stands still.

        Args:
            live: The display that is shown meanwhile.
        """

        def ask(label: str) -> str:
            if label not in self._answers:
                live.stop()
                try:
                    self._answers[label] = SecretRef("prompt", label).resolve()
                finally:
                    live.start()
            return self._answers[label]

        return ask
