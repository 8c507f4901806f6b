"""The commands of the simulated device, one module per PowerShell module or group.

``commands_for`` gives a runspace the commands it can see. Each command is written once, against the device's
state, and bound by ``sandbox.embedded.binder``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from akslite_ps.sandbox.commands import aksedge, discovery, objects, ops, output, system, where
from akslite_ps.sandbox.device.state import InstalledProduct
from akslite_ps.sandbox.embedded.cmdlet import CommandInfo

__all__ = ["CommandTable", "commands_for"]

_CORE = (*discovery.COMMANDS, *objects.COMMANDS, *output.COMMANDS, *system.COMMANDS, *where.COMMANDS)
_ALIASES = {
    "%": "ForEach-Object",
    "?": "Where-Object",
    "clear": "Clear-Host",
    "cls": "Clear-Host",
    "echo": "Write-Output",
    "foreach": "ForEach-Object",
    "gcm": "Get-Command",
    "gsv": "Get-Service",
    "help": "Get-Help",
    "man": "Get-Help",
    "measure": "Measure-Object",
    "select": "Select-Object",
    "sleep": "Start-Sleep",
    "sort": "Sort-Object",
    "where": "Where-Object",
    "write": "Write-Output",
}


class CommandTable:
    """Commands and aliases by name, ignoring case."""

    def __init__(self, commands: Iterable[CommandInfo], aliases: Mapping[str, str]) -> None:
        self._commands = {info.name.casefold(): info for info in commands}
        self._aliases = {alias.casefold(): name for alias, name in aliases.items()}

    def __iter__(self) -> Iterator[CommandInfo]:
        return iter(self._commands.values())

    @property
    def aliases(self) -> Mapping[str, str]:
        """Alias to command name."""
        return self._aliases

    def find(self, name: str) -> CommandInfo | None:
        """The command of this name or alias, which may carry its module's name before a backslash."""
        module, _, bare = name.rpartition("\\")
        wanted = self._aliases.get(bare.casefold(), bare).casefold()
        info = self._commands.get(wanted)
        return info if info and module.casefold() in {"", info.module.casefold()} else None


def commands_for(product: InstalledProduct | None) -> CommandTable:
    """The commands of a device on which this product is installed, or none."""
    return _table(product.version if product else None)


@cache
def _table(product_version: str | None) -> CommandTable:
    product = aksedge.commands(product_version) if product_version else []
    return CommandTable([*_CORE, *ops.COMMANDS, *product], _ALIASES)
