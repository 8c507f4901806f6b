"""Where the work of a cmdlet shows itself while it runs: the host, the warnings and the errors of its pipeline.

Implemented by the running command (``embedded.cmdlet.Call``); used by the long operations of ``sandbox.device``, which know
nothing of commands.
"""

from __future__ import annotations

from typing import Any, Protocol


class Console(Protocol):
    """The streams of a running cmdlet, as far as the product's long operations write to them."""

    def host(self, text: str) -> None:
        """Write a line to the host, as Write-Host does."""
        ...

    def warning(self, text: str) -> None:
        """Write to the warning stream."""
        ...

    def error(
        self,
        message: str,
        error_id: str,
        category: str = "NotSpecified",
        *,
        exception: str = "System.Exception",
        target: Any = None,
    ) -> None:
        """Write a non-terminating error."""
        ...
