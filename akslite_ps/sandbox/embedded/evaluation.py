"""Values and arguments of parsed command lines, by PowerShell's rules: what ``$x.Nodes[0]`` is, what a command is called with.

Called by ``embedded.script``. Unlike the client's side (``akslite_ps.command_line.values``) nothing is refused that a device
would take: a variable that is not set is null, and so is a member that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from akslite_ps.command_line import (
    Argument,
    Collected,
    Command,
    Expression,
    Interpolated,
    Items,
    Literal,
    Number,
    Splat,
    Table,
    Variable,
)
from akslite_ps.sandbox.dotnet import Int64
from akslite_ps.sandbox.embedded.failures import statement_failed
from akslite_ps.sandbox.embedded.parameters import BARE, WrittenArgument
from akslite_ps.sandbox.embedded.values import is_sequence, property_of, text_of, type_name_of


class Variables:
    """The variables of a runspace. Names are compared without case; ``env:NAME`` is an environment variable.

    Args:
        automatic: Those that PowerShell sets, by name.
    """

    def __init__(self, automatic: Mapping[str, Any]) -> None:
        self._values: MutableMapping[str, Any] = {name.casefold(): value for name, value in automatic.items()}

    def get(self, name: str) -> Any:
        """The value, None where it is not set."""
        return self._values.get(name.casefold())

    def set(self, name: str, value: Any) -> None:
        self._values[name.casefold()] = value


def value_of(expression: Expression, scope: Variables) -> Any:
    """The value of an expression.

    Raises:
        PipelineFailed: An index into null or into something without items.
    """
    match expression:
        case Literal(value=value):
            return value
        case Number(written=written, bare=True):
            return written
        case Number(value=value, written=written):
            return Int64(value) if isinstance(value, int) and written[-1:] in "lL" else value
        case Variable():
            return _looked_up(expression, scope)
        case Interpolated(parts=parts):
            return "".join(part if isinstance(part, str) else text_of(_looked_up(part, scope)) for part in parts)
        case Items(items=items):
            return [value_of(item, scope) for item in items]
        case Collected(items=items):
            return [one for item in items for one in enumerated(value_of(item, scope))]
        case Table(entries=entries):
            return {key: value_of(item, scope) for key, item in entries}


def enumerated(value: Any) -> list[Any]:
    """What a value puts into a pipeline: the items of a list, everything else as it is."""
    return list(value) if is_sequence(value) else [value]


def arguments_of(command: Command, scope: Variables) -> list[WrittenArgument]:
    """The arguments of a command, for the binder."""
    found: list[WrittenArgument] = []
    for argument in command.arguments:
        if isinstance(argument, Splat):
            found.extend(_splatted(_looked_up(argument.variable, scope)))
        else:
            found.append(_argument(argument, scope))
    return found


def _argument(argument: Argument, scope: Variables) -> WrittenArgument:
    expression = argument.value
    if expression is None:
        return WrittenArgument(argument.name, BARE)
    written = expression.written if isinstance(expression, Number) else None
    return WrittenArgument(argument.name, value_of(expression, scope), written)


def _splatted(value: Any) -> list[WrittenArgument]:
    if isinstance(value, dict):
        return [WrittenArgument(str(name), item) for name, item in value.items()]
    return [WrittenArgument(None, item) for item in enumerated(value)]


def _looked_up(variable: Variable, scope: Variables) -> Any:
    value = scope.get(variable.name)
    for step in variable.path:
        value = _indexed(value, step) if isinstance(step, int) else _member(value, step)
    return value


def _member(value: Any, name: str) -> Any:
    found, item = property_of(value, name)
    if found:
        return item
    count = name.casefold() in {"count", "length"}
    if is_sequence(value):
        if count:
            return len(value)
        return [one for part in value for one in enumerated(_member(part, name))]
    if isinstance(value, dict):
        return {"count": len(value), "keys": list(value), "values": list(value.values())}.get(name.casefold())
    return (0 if value is None else 1) if count else None


def _indexed(value: Any, index: int) -> Any:
    if value is None:
        raise statement_failed("Cannot index into a null array.", "NullArray", "InvalidOperation")
    if isinstance(value, dict):
        return value.get(index)
    if is_sequence(value) or isinstance(value, str):
        return value[index] if -len(value) <= index < len(value) else None
    raise statement_failed(f"Unable to index into an object of type {type_name_of(value)}.", "CannotIndex", "InvalidOperation")
