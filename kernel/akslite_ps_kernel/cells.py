"""What a cell is: PowerShell or Python, its options, and the line magics above it.

Pure text work, called by the kernel for every cell. Only the first lines of a cell are looked at, and only for
the names listed here, because ``%`` and ``?`` are also aliases in PowerShell.
"""

from __future__ import annotations

import argparse
import keyword
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from akslite_ps.errors import UsageError

Language = Literal["python", "powershell"]
LINE_MAGICS = ("connect", "disconnect", "devices")
CELL_MAGICS = ("ps", "python", "local")
_USAGE = "%%ps [--in NAME] [--out NAME] [--timeout SECONDS] [--no-fail] [--script]"


@dataclass(frozen=True, slots=True)
class CellOptions:
    """The options of ``%%ps``.

    Args:
        take: Python variables that become PowerShell variables of the same name.
        give: Python variable that gets the list of output objects instead of the cell showing them.
        timeout_s: Time limit of each pipeline in seconds.
        may_fail: Errors do not make the cell fail.
        script: The cell is script text for a full-language endpoint.
    """

    take: tuple[str, ...] = ()
    give: str | None = None
    timeout_s: float | None = None
    may_fail: bool = False
    script: bool = False


@dataclass(frozen=True, slots=True)
class PowerShellCell:
    """A cell for the device: line magics to run first (name, argument), then ``source``.

    Lines above the source are kept as empty lines, so that places in errors are places in the cell.
    """

    source: str
    options: CellOptions = CellOptions()
    magics: tuple[tuple[str, str], ...] = ()


def language_of(text: str, default: Language) -> Language:
    """The language of a cell: what its first line says, else the kernel's default."""
    header = _header(text)
    if header is None:
        return default
    return "powershell" if header[0] == "ps" else "python"


def python_source(text: str) -> str:
    """A Python cell without the line ``%%python`` or ``%%local``."""
    header = _header(text)
    if header is None or header[0] == "ps":
        return text
    return "\n".join(text.split("\n")[header[2] + 1 :])


def read_powershell_cell(text: str) -> PowerShellCell:
    """Take a PowerShell cell apart.

    Raises:
        UsageError: An option of ``%%ps`` is unknown or its value is unusable.
    """
    lines = text.split("\n")
    options = CellOptions()
    header = _header(text)
    first = 0
    if header is not None:
        _, arguments, number = header
        options = read_options(arguments)
        first = number + 1
    magics: list[tuple[str, str]] = []
    while first < len(lines):
        line = lines[first].strip()
        name, _, argument = line.removeprefix("%").partition(" ")
        if line.startswith("%") and name in LINE_MAGICS:
            magics.append((name, argument.strip()))
        elif line and not line.startswith("#"):
            break
        first += 1
    kept = [line if line.lstrip().startswith("#") else "" for line in lines[:first]]
    return PowerShellCell("\n".join([*kept, *lines[first:]]), options, tuple(magics))


def read_options(arguments: str) -> CellOptions:
    """The options on the line of ``%%ps``.

    Raises:
        UsageError: An option is unknown or its value is unusable.
    """
    parser = _Options(prog="%%ps", add_help=False, allow_abbrev=False)
    parser.add_argument("--in", dest="take", action="append", default=[])
    parser.add_argument("--out", dest="give")
    parser.add_argument("--timeout", dest="timeout_s", type=float)
    parser.add_argument("--no-fail", dest="may_fail", action="store_true")
    parser.add_argument("--script", action="store_true")
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        parser.error(str(error))
    found = parser.parse_args(words)
    take = tuple(name.strip().removeprefix("$") for item in found.take for name in item.split(",") if name.strip())
    for name in (*take, *([found.give] if found.give is not None else [])):
        if not name.isidentifier() or keyword.iskeyword(name):
            parser.error(f"{name!r} is not a name of a Python variable")
    if found.timeout_s is not None and not 0 < found.timeout_s < float("inf"):
        parser.error("the time limit must be a number of seconds above 0")
    return CellOptions(take, found.give, found.timeout_s, found.may_fail, found.script)


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%ps: {message}", next_action=f"write {_USAGE}")


def _header(text: str) -> tuple[str, str, int] | None:
    """Name, arguments and line number of a cell magic of ours on the first line that is not empty."""
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if stripped:
            name, _, arguments = stripped.removeprefix("%%").partition(" ")
            return (name, arguments, number) if stripped.startswith("%%") and name in CELL_MAGICS else None
    return None


def foreign_magic(text: str) -> str | None:
    """The cell magic in the first line that is not one of ours, e.g. ``%%time``; None where there is none."""
    first: Sequence[str] = text.lstrip().split("\n", 1)[0].split()
    return first[0] if first and first[0].startswith("%%") and first[0][2:] not in CELL_MAGICS else None
