"""Where-Object with simple comparisons: a property, an operator, a value. No script block; a restricted endpoint takes none."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.comparison import Incomparable, compare
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, parameter
from akslite_ps.sandbox.embedded.patterns import dotnet_pattern, dotnet_reason
from akslite_ps.sandbox.embedded.syntax import shown_type
from akslite_ps.sandbox.embedded.values import (
    FULL_NAMES,
    InvalidWildcard,
    is_sequence,
    property_of,
    text_of,
    type_name_of,
    wildcard,
)
from akslite_ps.sandbox.engine import PsValue


def _truth(value: Any) -> bool:
    if is_sequence(value):
        return len(value) > 1 or (len(value) == 1 and _truth(value[0]))
    return bool(value)


def _equal(left: Any, right: Any, sensitive: bool) -> bool:
    return compare(left, right, case_sensitive=sensitive) == 0


def _ordered(test: Callable[[int], bool]) -> Callable[[Any, Any, bool], bool]:
    def check(left: Any, right: Any, sensitive: bool) -> bool:
        order = compare(left, right, case_sensitive=sensitive)
        if order is None:
            raise Incomparable(left, right)
        return test(order)

    return check


def _like(left: Any, right: Any, sensitive: bool) -> bool:
    pattern = wildcard(text_of(right), ignore_case=not sensitive)
    return pattern.fullmatch(text_of(left)) is not None


def _match(left: Any, right: Any, sensitive: bool) -> bool:
    return dotnet_pattern(text_of(right), ignore_case=not sensitive).search(text_of(left)) is not None


def _is(left: Any, right: Any, _sensitive: bool) -> bool:
    """Of a type named in full, without ``System.``, or by its short name."""
    wanted = text_of(right).strip("[]").casefold()
    names = left.type_names if isinstance(left, PsValue) and left.type_names else (type_name_of(left),)
    known = {name.casefold() for name in (*names, "System.Object")} | {
        shown_type(short).casefold() for short in _short_names(names)
    }
    return left is not None and (wanted in known or f"system.{wanted}" in known)


def _short_names(names: Iterable[str]) -> list[str]:
    return [short for short, full in FULL_NAMES.items() if full in names]


def _contains(left: Any, right: Any, sensitive: bool) -> bool:
    return any(_equal(item, right, sensitive) for item in (left if is_sequence(left) else [left]))


def _in(left: Any, right: Any, sensitive: bool) -> bool:
    return _contains(right, left, sensitive)


def _not(test: Callable[[Any, Any, bool], bool]) -> Callable[[Any, Any, bool], bool]:
    return lambda left, right, sensitive: not test(left, right, sensitive)


_OPERATORS: dict[str, Callable[[Any, Any, bool], bool]] = {
    "EQ": _equal,
    "NE": _not(_equal),
    "GT": _ordered(lambda order: order > 0),
    "LT": _ordered(lambda order: order < 0),
    "GE": _ordered(lambda order: order >= 0),
    "LE": _ordered(lambda order: order <= 0),
    "Like": _like,
    "NotLike": _not(_like),
    "Match": _match,
    "NotMatch": _not(_match),
    "Contains": _contains,
    "NotContains": _not(_contains),
    "In": _in,
    "NotIn": _not(_in),
    "Is": _is,
    "IsNot": _not(_is),
}
_WITHOUT_CASE = {"Is", "IsNot"}
_EQUAL_SET = "EqualSet"


def _refuse_operand(call: Call, operator: str, operand: str, error: Exception, value: Any) -> None:
    if isinstance(error, re.error):
        info = call.error_info(
            f"The argument to operator '{operator}' is not valid: parsing \"{operand}\" - {dotnet_reason(error)}.",
            "BadOperatorArgument",
            "InvalidArgument",
            exception="System.Management.Automation.PSArgumentException",
            target=value,
        )
    else:
        info = call.error_info(
            f"The '{operator}' operator failed: {error}.",
            "OperatorFailed",
            "InvalidOperation",
            exception="System.Management.Automation.PSInvalidOperationException",
            target=value,
        )
    call.write_error(replace(info, target_type="PSObject"))


async def where_object(call: Call) -> AsyncIterator[Any]:
    name, expected = call["Property"], call["Value"]
    operator, sensitive = next(
        ((operator, letter == "C") for operator in _OPERATORS for letter in _letters(operator) if call.is_bound(letter + operator)),
        ("", False),
    )
    if operator and not call.is_bound("Value"):
        call.fail(
            "The specified operator requires both the -Property and -Value parameters. Provide values for both parameters, and "
            "then try the command again.",
            "ValueNotSpecifiedForWhereObject",
            "InvalidArgument",
            exception="System.Management.Automation.PSArgumentException",
        )
    async for value in call.items():
        _, actual = property_of(value, name)
        if not operator and not call.is_bound("Value"):
            keep = _truth(actual)
        else:
            try:
                keep = _OPERATORS[operator or "EQ"](actual, expected, sensitive)
            except (re.error, InvalidWildcard, Incomparable) as error:
                _refuse_operand(call, f"{'C' if sensitive else 'I'}{operator.lower()}", text_of(expected), error, value)
                continue
        if keep:
            yield value


def _letters(name: str) -> tuple[str, ...]:
    return ("",) if name in _WITHOUT_CASE else ("", "C")


def _where_parameters() -> list[ParameterInfo]:
    sets = [_EQUAL_SET, *(f"{letter}{name}Set" for name in _OPERATORS for letter in _letters(name) if letter + name != "EQ")]
    found = [
        parameter("InputObject", "PSObject", from_pipeline=True),
        parameter("Property", "String", mandatory=True, position=0, sets=sets),
        parameter("Value", "Object", position=1, sets=sets),
        parameter("EQ", "SwitchParameter", sets=[_EQUAL_SET], aliases=("IEQ",)),
    ]
    for name in _OPERATORS:
        if name != "EQ":
            aliases = () if name in _WITHOUT_CASE else (f"I{name}",)
            found.append(parameter(name, "SwitchParameter", mandatory=True, sets=[f"{name}Set"], aliases=aliases))
        if name not in _WITHOUT_CASE:
            found.append(parameter(f"C{name}", "SwitchParameter", mandatory=True, sets=[f"C{name}Set"]))
    return found


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Where-Object",
        where_object,
        *_where_parameters(),
        module="Microsoft.PowerShell.Core",
        class_name="WhereObjectCommand",
        default_set=_EQUAL_SET,
        synopsis="Takes the objects whose property fulfils a condition.",
        read_only=True,
    ),
)
