"""The line magics ``%connect``, ``%disconnect`` and ``%devices`` in Python cells.

Above a PowerShell cell the runner runs them itself, inside the event loop; here they are plain synchronous
magics, because IPython does not await magics.
"""

from __future__ import annotations

import getpass
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class

from akslite_ps.errors import AksLiteError, PromptUnanswered
from akslite_ps_kernel.connection import Connection
from akslite_ps_kernel.failures import not_done
from akslite_ps_kernel.result import PsOutput
from akslite_ps_kernel.runner import connected_text, devices_view
from akslite_ps_kernel.work import Asked, Work


@magics_class
class DeviceMagics(Magics):
    """The line magics of the kernel.

    Args:
        shell: IPython's shell.
        connection: The kernel's session.
    """

    def __init__(self, shell: Any, connection: Connection) -> None:
        super().__init__(shell)
        self._connection = connection

    @line_magic
    def connect(self, line: str) -> None:
        """Open a session on a device of the inventory: ``%connect press-01``; without a name on the last one again."""
        work: Work[Any] = Work(lambda own: self._connection.connect(line.strip(), own))
        try:
            work.start()
            while not work.is_over:
                for item in work.items_blocking():
                    if isinstance(item, Asked):
                        _answer(item)
            print(connected_text(work.result()))
        except KeyboardInterrupt:
            work.abandon(PromptUnanswered("the cell was interrupted", attempted="ask at the notebook"))
            raise
        except AksLiteError as error:
            raise not_done(error) from None

    @line_magic
    def disconnect(self, line: str) -> None:
        """Close the session."""
        device = self._connection.disconnect()
        print(f"Disconnected from {device.name}." if device else "No device was connected.")

    @line_magic
    def devices(self, line: str) -> PsOutput:
        """The devices of the inventory; the connected one is marked."""
        try:
            return devices_view(self._connection)
        except AksLiteError as error:
            raise not_done(error) from None


def _answer(question: Asked) -> None:
    try:
        question.answer(getpass.getpass(question.prompt) if question.is_secret else input(question.prompt))
    except (EOFError, RuntimeError) as error:  # ipykernel's StdinNotImplementedError is a RuntimeError
        question.refuse(PromptUnanswered(f"nobody can answer: {error}", attempted="ask at the notebook"))
