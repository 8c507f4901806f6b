"""The metadata of a session's commands, from which a client makes proxies.

Called by ``embedded.runspace`` for the listener; ``Get-Command`` on the device shows the same commands in its own way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
from akslite_ps.sandbox.embedded.values import full_type_name
from akslite_ps.sandbox.engine import CommandDescription, ParameterDescription

if TYPE_CHECKING:
    from akslite_ps.sandbox.commands.table import CommandTable


def describe_commands(table: CommandTable) -> list[CommandDescription]:
    """Commands and aliases of a session, in the order of their names."""
    described = {info.name.casefold(): _description(info) for info in table}
    aliases = [
        replace(described[name.casefold()], name=alias, kind="Alias", resolved_name=described[name.casefold()].name)
        for alias, name in table.aliases.items()
        if name.casefold() in described
    ]
    return sorted((*described.values(), *aliases), key=lambda command: command.name.casefold())


def _description(info: CommandInfo) -> CommandDescription:
    return CommandDescription(
        info.name,
        info.command_type,
        info.module,
        tuple(
            ParameterDescription(parameter.name, full_type_name(parameter.type), parameter.aliases, parameter.is_switch)
            for parameter in info.syntax.all_parameters()
        ),
    )
