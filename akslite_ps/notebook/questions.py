"""Asks a person for a secret in the notebook, for references of the kind ``prompt:LABEL``.

Given as ``ask`` to operations that run in a thread. The answer is taken out of the input at once: what a widget holds
could be saved with the notebook.
"""

from __future__ import annotations

import threading

import ipywidgets as w

from akslite_ps.errors import SecretUnavailable
from akslite_ps.notebook import style

_WAIT_S = 600.0


class SecretQuestion:
    """A place in an app where questions appear; call it from a working thread, never from a cell.

    Args:
        wait_s: How long to wait for the answer, in seconds.
    """

    def __init__(self, *, wait_s: float = _WAIT_S) -> None:
        self._wait_s = wait_s
        self._one_at_a_time = threading.Lock()
        self._answered = threading.Event()
        self._answer = ""
        self._input = w.Password(layout=w.Layout(width="250px"))
        self._button = w.Button(description="Answer", icon="check", button_style="primary", layout=w.Layout(width="140px"))
        self._button.on_click(lambda _: self._take())
        self._label = w.HTML()
        self.widget = w.VBox([self._label, w.HBox([self._input, self._button])], layout=w.Layout(display="none"))

    def __call__(self, label: str) -> str:
        """Ask and wait.

        Raises:
            SecretUnavailable: Nobody answered in time.
        """
        with self._one_at_a_time:
            self._answered.clear()
            self._label.value = style.frame(style.note(f"{label}: this secret is asked for and not kept.", "warn"))
            self.widget.layout.display = ""
            try:
                if not self._answered.wait(self._wait_s):
                    raise SecretUnavailable(
                        f"nobody answered the question for {label}",
                        next_action="start again and answer it, or use keyring:SERVICE/USER",
                    )
                answer, self._answer = self._answer, ""
                return answer
            finally:
                self.widget.layout.display = "none"

    def _take(self) -> None:
        self._answer, self._input.value = self._input.value, ""
        if self._answer:
            self._answered.set()
