"""What a program in a node VM is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.node_shell.linux_machine import LinuxMachine

NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class ShellResult:
    """What a command line printed, and how it ended.

    Args:
        output, errors: Text of stdout and stderr.
        exit_code: 0 where it worked.
        endless: It goes on printing until it is stopped.
    """

    output: str = ""
    errors: str = ""
    exit_code: int = 0
    endless: bool = False


@dataclass(slots=True)
class Process:
    """A running program.

    Args:
        machine: The node.
        arguments: Without the program's name.
        stdin: What is piped into it, None where nothing is.
        is_root: It runs under sudo.
        folder: Working folder.
        environment: Its variables.
    """

    machine: LinuxMachine
    arguments: Sequence[str]
    stdin: str | None
    is_root: bool
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def flags(self) -> set[str]:
        """Single letters given as options, ``-lah`` being three, and long options as they are."""
        found: set[str] = set()
        for argument in self.arguments:
            if argument.startswith("--"):
                found.add(argument)
            elif argument.startswith("-") and len(argument) > 1:
                found |= set(argument[1:])
        return found

    def operands(self) -> list[str]:
        """The arguments that are no options."""
        return [argument for argument in self.arguments if not argument.startswith("-") or argument == "-"]

    def value_of(self, *options: str) -> str | None:
        """The value of an option, as ``-n 5``, ``-n5``, ``--lines=5`` or ``--lines 5``."""
        for index, argument in enumerate(self.arguments):
            for option in options:
                if argument == option and index + 1 < len(self.arguments):
                    return self.arguments[index + 1]
                if option.startswith("--") and argument.startswith(option + "="):
                    return argument[len(option) + 1 :]
                if not option.startswith("--") and argument.startswith(option) and len(argument) > len(option):
                    return argument[len(option) :]
        return None


Program = Callable[[Process], ShellResult]


def printed(text: str) -> ShellResult:
    """A program that printed this and was content."""
    return ShellResult(text if not text or text.endswith("\n") else text + "\n")


def failed(message: str, code: int = 1, output: str = "") -> ShellResult:
    """A program that complained."""
    return ShellResult(output, message + "\n", code)


def columns(rows: Sequence[Sequence[str]], gap: int = 3) -> str:
    """Rows as aligned columns, the way kubectl and crictl print them."""
    if not rows:
        return ""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    pad = " " * gap
    lines = [pad.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
