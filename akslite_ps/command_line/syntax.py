"""What a parsed command line consists of: plain frozen data, no behaviour.

Made by ``parser``, given values by ``values``, read by the kernel and by the simulated device. Values that
need a variable stay expressions, so that a script can be parsed whole before its first statement runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from akslite_ps.command_line.faults import Place


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, or ``$true``, ``$false``, ``$null``. ``bare`` is True for a word without quotes."""

    value: str | bool | None
    place: Place
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number and how it was written; a parameter of type String gets the writing (``1.10``, ``007``).

    ``bare`` is True for an argument with a sign (``-5``): PowerShell has it as a text until it is bound.
    """

    value: int | float | Decimal
    written: str
    place: Place
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``, ``$env:NAME`` (name ``env:NAME``), with members and indexes: ``$x.Nodes[0].Name``."""

    name: str
    place: Place
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with variables in it; the parts are joined as PowerShell's string forms."""

    parts: tuple[str | Variable, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Items:
    """A comma list ``a, b``."""

    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Collected:
    """``@(...)``: every value in it is unrolled one level, as PowerShell collects output."""

    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """``@{ key = value }``."""

    entries: tuple[tuple[str, Expression], ...]
    place: Place


Expression: TypeAlias = Literal | Number | Variable | Interpolated | Items | Collected | Table


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command.

    Args:
        name: The parameter's name as written, without its dash; None for a positional value.
        value: None for a parameter without a value (a switch that is on).
        place: Where it starts.
    """

    name: str | None
    value: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class Splat:
    """``@name``: the parameters (a table) or positional values (a list) held by a variable."""

    variable: Variable
    place: Place


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a pipeline; ``name`` is the full name where an alias of a core cmdlet was written."""

    name: str
    arguments: tuple[Argument | Splat, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``. ``head`` is a value that goes in first, or stands alone without commands."""

    head: Expression | None
    commands: tuple[Command, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Assignment:
    """``$name = pipeline``."""

    name: str
    pipeline: Pipeline
    place: Place


@dataclass(frozen=True, slots=True)
class Exit:
    """``exit`` or ``exit N``."""

    code: Expression | None
    place: Place


Statement: TypeAlias = Pipeline | Assignment | Exit


@dataclass(frozen=True, slots=True)
class Script:
    """The statements of one text, in order."""

    statements: tuple[Statement, ...]
    text: str
