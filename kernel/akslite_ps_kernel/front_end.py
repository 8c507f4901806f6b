"""The notebook as seen from a running cell: streams in order, displays, questions.

The one place that knows ipykernel's and IPython's ways of output and input; ``runner`` and ``screen`` see the
protocol only.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import Any, Literal

import zmq

from akslite_ps.errors import PromptUnanswered


class NotebookFrontEnd:
    """Output and input of the cell that runs now.

    Args:
        kernel: The kernel.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._written: Literal["stdout", "stderr"] | None = None

    @property
    def is_watched(self) -> bool:
        """True where the front end promises to answer questions: a person sits there."""
        return bool(self._kernel._allow_stdin)

    def write(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Write text. The streams have a buffer each: the other one is emptied first, or their texts change places."""
        if self._written not in (None, stream):
            self.flush()
        getattr(sys, stream).write(text)
        self._written = stream

    def flush(self) -> None:
        """Send what was written."""
        if self._written is not None:
            getattr(sys, self._written).flush()
            self._written = None

    def show(self, bundle: dict[str, str], *, display_id: str | None = None, update: bool = False) -> str:
        """Display a mime bundle, or update the one shown under the id; returns the id."""
        self.flush()
        display_id = display_id or uuid.uuid4().hex
        self._kernel.shell.display_pub.publish(dict(bundle), metadata={}, transient={"display_id": display_id}, update=update)
        return display_id

    def keep(self, value: Any) -> None:
        """Make a value ``_`` and ``Out[n]`` without showing it."""
        self._kernel.shell.displayhook.update_user_ns(value)

    async def ask(self, prompt: str, *, is_secret: bool) -> str:
        """Ask the person and wait for the answer, leaving the event loop free.

        Raises:
            PromptUnanswered: Nobody sits at the notebook.
        """
        kernel = self._kernel
        if not self.is_watched:
            raise PromptUnanswered(
                f"the question is: {prompt.strip()}",
                attempted="ask at the notebook",
                next_action="pass the parameter that avoids the question (such as -Force or -Confirm:$false); keep passwords of "
                "unattended runs in keyring: or env: references",
            )
        self.flush()
        while _reply(kernel) is not None:
            continue
        kernel.session.send(
            kernel.stdin_socket,
            "input_request",
            {"prompt": prompt, "password": is_secret},
            kernel.get_parent("shell"),
            ident=kernel._parent_ident["shell"],
        )
        while True:
            reply = _reply(kernel)
            if reply is not None:
                return str(reply.get("value", ""))
            await asyncio.sleep(0.05)


def _reply(kernel: Any) -> dict[str, Any] | None:
    """The content of a waiting message on the stdin channel, if there is one."""
    try:
        _, message = kernel.session.recv(kernel.stdin_socket, mode=zmq.NOBLOCK)
    except zmq.Again:
        return None
    return None if message is None else dict(message["content"])
