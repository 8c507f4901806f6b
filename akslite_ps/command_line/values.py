"""Puts variables into parsed command lines: expressions become plain values, commands become calls.

The caller owns the variables: a mapping from name to value, ``env:NAME`` for the environment variables it
wants to give. Nothing is read from the process's environment here.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NoReturn

from akslite_ps.command_line.faults import CommandLineError
from akslite_ps.command_line.numbers import real_text
from akslite_ps.command_line.syntax import (
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


class _Bare(enum.Enum):
    BARE = "a parameter without a value"

    def __repr__(self) -> str:
        return "BARE"


BARE: Final = _Bare.BARE
"""The value of a parameter that was written without one: a switch that is on."""

WantsText = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Call:
    """A command ready to be sent: its name, its named parameters and its positional arguments."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()


def calls_of(commands: Sequence[Command], variables: Mapping[str, Any], *, wants_text: WantsText | None = None) -> list[Call]:
    """The calls of a pipeline's commands.

    Args:
        commands: As parsed.
        variables: Values by name; names are compared without case.
        wants_text: Tells whether a parameter (second argument) of a command (first) is a String: a number
            then goes as it was written, as PowerShell's binder does (``-KubernetesVersion 1.30``).

    Raises:
        CommandLineError: A variable or member does not exist, or a splatted variable cannot be splatted.
    """
    scope = _folded(variables)
    return [_call(command, scope, wants_text or (lambda name, parameter: False)) for command in commands]


def value_of(expression: Expression, variables: Mapping[str, Any]) -> Any:
    """The plain value of an expression: None, bool, int, float, Decimal, str, list, dict, or a variable's own value.

    Raises:
        CommandLineError: A variable or member in it does not exist.
    """
    return _value(expression, _folded(variables))


def text_form(value: Any) -> str:
    """How PowerShell writes a value into a text: no text for null, lists joined by a space."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return real_text(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, Mapping) and type(value) is dict:
        return "System.Collections.Hashtable"
    if isinstance(value, list | tuple):
        return " ".join(text_form(item) for item in value)
    return str(value)


def _folded(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name.casefold(): value for name, value in variables.items()}


def _call(command: Command, scope: Mapping[str, Any], wants_text: WantsText) -> Call:
    parameters: dict[str, Any] = {}
    arguments: list[Any] = []
    for argument in command.arguments:
        if isinstance(argument, Splat):
            named, positional = _splatted(argument, scope)
        elif argument.name is None:
            named, positional = {}, [_value(_required(argument.value), scope)]
        else:
            as_text = argument.value is not None and wants_text(command.name, argument.name)
            named, positional = {argument.name: _parameter_value(argument.value, scope, as_text=as_text)}, []
        for name, value in named.items():
            if name.casefold() in {known.casefold() for known in parameters}:
                raise CommandLineError(f"the parameter -{name}", "stands twice", place=argument.place, instead="keep one of them")
            parameters[name] = value
        arguments.extend(positional)
    return Call(command.name, parameters, tuple(arguments))


def _required(value: Expression | None) -> Expression:
    assert value is not None, "a positional argument always has a value"
    return value


def _parameter_value(expression: Expression | None, scope: Mapping[str, Any], *, as_text: bool) -> Any:
    if expression is None:
        return BARE
    if as_text and isinstance(expression, Number):
        return expression.written
    if as_text and isinstance(expression, Items):
        return [_parameter_value(item, scope, as_text=True) for item in expression.items]
    return _value(expression, scope)


def _splatted(splat: Splat, scope: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any]]:
    value = _look_up(splat.variable, scope)
    if isinstance(value, Mapping):
        return {str(name): item for name, item in value.items()}, []
    if isinstance(value, list | tuple):
        return {}, list(value)
    raise CommandLineError(
        f"@{splat.variable.name}",
        "holds neither a table nor a list",
        place=splat.place,
        instead=f"assign a table, ${splat.variable.name} = @{{ Name = 'value' }}",
    )


def _value(expression: Expression, scope: Mapping[str, Any]) -> Any:
    match expression:
        case Literal(value=value) | Number(value=value):
            return value
        case Variable():
            return _look_up(expression, scope)
        case Interpolated(parts=parts):
            return "".join(part if isinstance(part, str) else text_form(_look_up(part, scope)) for part in parts)
        case Items(items=items):
            return [_value(item, scope) for item in items]
        case Collected(items=items):
            return [unrolled for item in items for unrolled in _unrolled(_value(item, scope))]
        case Table(entries=entries):
            return {key: _value(item, scope) for key, item in entries}


def _unrolled(value: Any) -> Sequence[Any]:
    if value is None:
        return [None]
    return value if isinstance(value, list | tuple) else [value]


def _look_up(variable: Variable, scope: Mapping[str, Any]) -> Any:
    name = variable.name.casefold()
    if name not in scope:
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        _refuse_unknown(variable)
    value = scope[name]
    written = f"${variable.name}"
    for step in variable.path:
        value = _member(value, step, written, variable) if isinstance(step, str) else _item(value, step, written, variable)
        written += f".{step}" if isinstance(step, str) else f"[{step}]"
    return value


def _refuse_unknown(variable: Variable) -> NoReturn:
    if variable.name.casefold().startswith("env:"):
        instead = "environment variables of the device are not read; write the value"
    else:
        instead = f"assign it, ${variable.name} = ..., or take it from Python with %%ps --in {variable.name}"
    raise CommandLineError(f"${variable.name}", "is not set", place=variable.place, instead=instead)


def _member(value: Any, name: str, written: str, variable: Variable) -> Any:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).casefold() == name.casefold():
                return item
        known = ", ".join(str(key) for key in value)
        if name.casefold() == "count":
            return len(value)
    elif isinstance(value, list | tuple):
        if name.casefold() in ("count", "length"):
            return len(value)
        return [_member(item, name, f"{written}[{place}]", variable) for place, item in enumerate(value)]
    elif isinstance(value, str) and name.casefold() == "length":
        return len(value)
    else:
        known = ""
    raise CommandLineError(
        f"{written}.{name}",
        "does not exist",
        place=variable.place,
        instead=f"it has: {known}" if known else f"{written} has no members; compute the value in a %%python cell",
    )


def _item(value: Any, index: int, written: str, variable: Variable) -> Any:
    if isinstance(value, list | tuple | str) and -len(value) <= index < len(value):
        return value[index]
    count = len(value) if isinstance(value, list | tuple | str) else None
    raise CommandLineError(
        f"{written}[{index}]",
        "does not exist",
        place=variable.place,
        instead=f"{written} has {count} items" if count is not None else f"{written} is no list",
    )
