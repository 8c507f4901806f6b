"""The value of a PowerShell cell: a list of the device's objects that shows itself as PowerShell would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from akslite_ps_kernel.values_view import View, mime_bundle


class PsOutput(list[Any]):
    """The output objects of the last statement of a cell, as kept in ``Out[n]``.

    Args:
        values: Python values and ``PsObject``.
        view: What Format-Table or Format-List asked for.
    """

    def __init__(self, values: Iterable[Any] = (), view: View | None = None) -> None:
        super().__init__(values)
        self._view = view

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return mime_bundle(self, self._view)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(mime_bundle(self, self._view)["text/plain"])
