"""The commands that a session can see, by name and by alias.

Made by ``sandbox.commands`` and ``commands.restricted``; asked by the runspace, Get-Command, Get-Help and TabExpansion2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from akslite_ps.sandbox.embedded.cmdlet import CommandInfo


class CommandTable:
    """Commands and aliases by name, ignoring case."""

    def __init__(self, commands: Iterable[CommandInfo], aliases: Mapping[str, str]) -> None:
        self._commands = {info.name.casefold(): info for info in commands}
        self._aliases = {alias.casefold(): name for alias, name in aliases.items() if name.casefold() in self._commands}

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
