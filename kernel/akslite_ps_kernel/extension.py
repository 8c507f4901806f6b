"""PowerShell cells in a stock Python kernel: ``%load_ext akslite_ps_kernel`` gives ``%%ps`` and the line magics.

IPython does not await cell magics, so the cell runs on an event loop in a thread while the main thread waits:
an interrupt works, widgets stand still until the cell is over. Where both are wanted, use the kernel itself.
"""

from __future__ import annotations

import asyncio
import atexit
from contextlib import suppress
from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class

from akslite_ps.errors import UsageError
from akslite_ps.notebook.kernel_setup import set_up_kernel
from akslite_ps_kernel.connection import Connection
from akslite_ps_kernel.front_end import NotebookFrontEnd
from akslite_ps_kernel.magics import DeviceMagics
from akslite_ps_kernel.result import PsOutput
from akslite_ps_kernel.runner import CellRunner
from akslite_ps_kernel.work import Work


@magics_class
class PowerShellMagics(Magics):
    """``%%ps`` for a stock kernel.

    Args:
        shell: IPython's shell.
        runner: Runs the cells.
    """

    def __init__(self, shell: Any, runner: CellRunner) -> None:
        super().__init__(shell)
        self._runner = runner

    @cell_magic
    def ps(self, line: str, cell: str) -> PsOutput | None:
        """Run PowerShell on the connected device; options as in the akslite kernels."""
        text = f"%%ps {line}\n{cell}"
        work: Work[PsOutput | None] = Work(lambda own: asyncio.run(self._runner.run(text)), name="akslite-cell")
        work.start()
        while not work.is_over:
            try:
                work.items_blocking()
            except KeyboardInterrupt:
                self._runner.interrupt()
        return work.result()


def load(shell: Any) -> None:
    """Register the magics with a shell; does nothing in the akslite kernels, which have them.

    Raises:
        UsageError: The shell is not that of a Jupyter kernel.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        raise UsageError(
            "%load_ext akslite_ps_kernel needs a notebook", next_action="use it in Jupyter, or use the akslite command"
        )
    if hasattr(kernel, "run_powershell"):
        return
    set_up_kernel()
    connection = Connection()
    shell.register_magics(DeviceMagics(shell, connection))
    shell.register_magics(PowerShellMagics(shell, CellRunner(connection, NotebookFrontEnd(kernel), shell.user_ns)))
    atexit.register(_close, connection)


def _close(connection: Connection) -> None:
    with suppress(Exception):  # the process ends; there is nobody to tell
        connection.close()
