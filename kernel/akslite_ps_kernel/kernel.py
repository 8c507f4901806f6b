"""The kernel class: ipykernel's, with cells in PowerShell that run on a device.

A PowerShell cell is rewritten by an input transformer into one awaited call of :meth:`AksLiteKernel.run_powershell`.
History, ``Out[n]``, counts, errors, user expressions and comms (so widgets) stay IPython's own.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from importlib.metadata import version
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from traitlets import Enum

from akslite_ps.notebook.kernel_setup import set_up_kernel
from akslite_ps_kernel import assistance
from akslite_ps_kernel.cells import Language, foreign_magic, language_of, python_source
from akslite_ps_kernel.connection import Connection
from akslite_ps_kernel.failures import CellFailed
from akslite_ps_kernel.front_end import NotebookFrontEnd
from akslite_ps_kernel.magics import DeviceMagics
from akslite_ps_kernel.result import PsOutput
from akslite_ps_kernel.runner import CellRunner

_POWERSHELL_INFO: dict[str, object] = {
    "name": "powershell",
    "version": "5.1",
    "mimetype": "application/x-powershell",
    "file_extension": ".ps1",
    "codemirror_mode": "powershell",
    "pygments_lexer": "powershell",
    "nbconvert_exporter": "script",
}
_CLOSE_WITHIN_S = 3.0


class AksLiteKernel(IPythonKernel):
    """A Python kernel whose PowerShell cells run on a device."""

    default_language = Enum(
        ("python", "powershell"), default_value="python", help="The language of a cell that does not start with %%ps or %%python."
    ).tag(config=True)

    implementation = "akslite-ps"
    implementation_version = version("akslite-ps")

    def __init__(self, **kwargs: Any) -> None:
        self._ipykernel.__init__(**kwargs)
        self.connection = Connection()
        self.runner = CellRunner(self.connection, NotebookFrontEnd(self), self._shell.user_ns)
        self._cell: str | None = None
        if self.default_language == "powershell":
            self.language_info = _POWERSHELL_INFO

    @property
    def language(self) -> Language:
        """The language of a plain cell."""
        return "powershell" if self.default_language == "powershell" else "python"

    @property
    def banner(self) -> str:  # type: ignore[override] # a property in ipykernel too
        """What a console shows at its start."""
        plain = "PowerShell" if self.language == "powershell" else "Python"
        return (
            f"akslite-ps {self.implementation_version}. Plain cells are {plain}; %%ps and %%python say otherwise.\n"
            "%devices lists the devices, %connect DEVICE opens a session.\n"
        )

    def start(self) -> None:
        """Start serving. What IPython ran before this (startup files) was Python in both kernels."""
        set_up_kernel()
        self._shell.register_magics(DeviceMagics(self._shell, self.connection))
        self._shell.input_transformer_manager.cleanup_transforms.insert(0, self._rewrite)
        self._ipykernel.start()

    async def do_execute(self, code: str, silent: bool, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a cell; remembers its text, for only that is rewritten."""
        self._cell = code
        reply: dict[str, Any] = await self._ipykernel.do_execute(code, silent, *args, **kwargs)
        return reply

    def _rewrite(self, lines: list[str]) -> list[str]:
        text = "".join(lines)
        if self._cell is None or text.rstrip("\n") != self._cell.rstrip("\n"):
            return lines  # Python text that a magic or an extension runs inside of a cell
        if language_of(text, self.language) == "python":
            return python_source(text).splitlines(keepends=True)
        if not text.strip():
            return lines
        return [f"await get_ipython().kernel.run_powershell({self._cell!r})\n"]

    async def run_powershell(self, text: str) -> PsOutput | None:
        """Run a PowerShell cell. Called by the rewritten cell.

        Raises:
            CellFailed: It did not succeed.
            KeyboardInterrupt: It was interrupted.
        """
        magic = foreign_magic(text)
        if magic is not None:
            raise CellFailed(
                f"{magic} is no magic of PowerShell cells",
                [f"{magic} is no magic of PowerShell cells.", f"  next: put %%python on a line above it for IPython's {magic}"],
            )
        return await self.runner.run(text)

    async def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Interrupt by message: a PowerShell cell is cancelled, anything else is done as ipykernel does it."""
        if self.session is not None and self.runner.interrupt():
            self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)
            return
        await self._ipykernel.interrupt_request(stream, ident, parent)

    async def do_complete(self, code: str, cursor_pos: int | None) -> dict[str, Any]:
        """Complete commands, parameters, values and devices in PowerShell cells and on lines of our magics."""
        position = len(code) if cursor_pos is None else cursor_pos
        await self._learn(code, position)
        found = assistance.complete(code, position, self._is_powershell(code), self.connection, self.runner.variables)
        return found if found is not None else await _awaited(self._ipykernel.do_complete(code, cursor_pos))

    async def do_inspect(self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()) -> dict[str, Any]:
        """Help on the command or variable at the cursor."""
        if self._is_powershell(code):
            await self._learn(code, cursor_pos)
            return assistance.inspect(code, cursor_pos, self.connection, self.runner.variables)
        return await _awaited(self._ipykernel.do_inspect(code, cursor_pos, detail_level, omit_sections))

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Whether a console may run the text or should ask for another line."""
        if self._is_powershell(code):
            return assistance.is_complete(code, self.connection)
        return await _awaited(self._ipykernel.do_is_complete(python_source(code)))

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """End the session on the device, but never wait long for it."""
        closing = threading.Thread(target=self.connection.close, name="akslite-close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _CLOSE_WITHIN_S)
        return await _awaited(self._ipykernel.do_shutdown(restart))

    async def _learn(self, code: str, position: int) -> None:
        """Ask the device for the parameters of the command at the cursor, once, where nothing else is known of it."""
        if self._is_powershell(code) and (command := assistance.command_at(code, position)):
            await self.runner.learn_parameters([command])

    @property
    def _ipykernel(self) -> Any:
        """The methods of the base class, most of which have no type hints."""
        return super()

    @property
    def _shell(self) -> Any:
        return self.shell

    def _is_powershell(self, code: str) -> bool:
        return language_of(code, self.language) == "powershell"


async def _awaited(answer: Any) -> dict[str, Any]:
    """ipykernel's own answer, which may be a value or an awaitable."""
    result: dict[str, Any] = await answer if inspect.isawaitable(answer) else answer
    return result
