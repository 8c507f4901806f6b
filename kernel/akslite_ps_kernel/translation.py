"""From parsed statements to what is sent and kept: commands for the session, and what the notebook does itself.

Pure functions, called by ``runner``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from akslite_ps.command_line import BARE, Assignment, Call, Exit, Statement
from akslite_ps.errors import UsageError
from akslite_ps.remoting import ON, Command
from akslite_ps_kernel.values_view import View

_VIEWS: dict[str, Literal["table", "list"] | None] = {
    "format-table": "table",
    "format-list": "list",
    "out-host": None,
    "out-default": None,
}
_VIEW_PARAMETERS = {"property", "autosize", "wrap", "force"}


def split_view(calls: Sequence[Call]) -> tuple[list[Call], View | None]:
    """Take what only shows objects off the end of a pipeline: the notebook does that itself, better than text."""
    kept, view = list(calls), None
    while kept and kept[-1].name.casefold() in _VIEWS:
        call = kept[-1]
        if any(name.casefold() not in _VIEW_PARAMETERS for name in call.parameters):
            break
        wanted = [value for name, value in call.parameters.items() if name.casefold() == "property"] + list(call.arguments)
        names = [name for value in wanted for name in (value if isinstance(value, list | tuple) else [value])]
        if not all(isinstance(name, str) for name in names):
            break
        form = _VIEWS[call.name.casefold()]
        if form is not None and view is None:
            view = View(form, tuple(names))
        kept.pop()
    return kept, view


def command_names(statements: Sequence[Statement]) -> list[str]:
    """The names of all commands of a script."""
    pipelines = [s.pipeline if isinstance(s, Assignment) else s for s in statements if not isinstance(s, Exit)]
    return [command.name for pipeline in pipelines for command in pipeline.commands]


def command(call: Call) -> Command:
    """The command to send for a call.

    Raises:
        UsageError: It is a line magic in the wrong place.
    """
    if call.name.startswith("%"):
        raise UsageError(
            f"{call.name} is no command of the device", next_action="line magics such as %connect stand above the first command"
        )
    return Command(
        call.name, {name: ON if value is BARE else value for name, value in call.parameters.items()}, list(call.arguments)
    )


def unrolled(value: Any) -> list[Any]:
    """A value as the objects it puts into a pipeline: none for null, the items of a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def collapsed(values: Sequence[Any]) -> Any:
    """What an assignment keeps: nothing, the one object, or the list, as PowerShell does."""
    if not values:
        return None
    return values[0] if len(values) == 1 else list(values)
