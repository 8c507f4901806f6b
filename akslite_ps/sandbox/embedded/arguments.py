"""One argument for one parameter: converted to its type, checked against its attributes, or refused as PowerShell refuses it.

Called by ``embedded.binder`` and ``embedded.pipeline_binding``. Functions and compiled cmdlets refuse a wrong type differently,
and the common parameters of a function are compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.embedded.conversion import ENUMS, ConversionFailed, convert
from akslite_ps.sandbox.embedded.parameters import BARE, CommandSyntax, ParameterInfo, WrittenArgument
from akslite_ps.sandbox.embedded.patterns import dotnet_pattern
from akslite_ps.sandbox.embedded.values import full_type_name, is_sequence, text_of, type_name_of
from akslite_ps.sandbox.engine import ErrorInfo, Parameter, PipelineFailed

Kind = Literal["binding", "conversion", "validation"]
_EXCEPTIONS = {
    "binding": "System.Management.Automation.ParameterBindingException",
    "conversion": "System.Management.Automation.ParameterBindingArgumentTransformationException",
    "validation": "System.Management.Automation.ParameterBindingValidationException",
}
_VALUE_TYPES = frozenset(
    {"Int32", "Int64", "Byte", "Char", "Double", "Decimal", "Boolean", "DateTime", "TimeSpan", "Guid", "SwitchParameter"}
)


_NOTHING = "The argument is null or empty. Provide an argument that is not null or empty, and then try the command again."
_NOTHING_IN_COLLECTION = (
    "The argument is null, empty, or an element of the argument collection contains a null value. Supply a collection that does "
    "not contain any null values and then try the command again."
)


class BindingFailed(PipelineFailed):
    """An argument or a set of arguments that a command refuses; ``kind`` is the exception's."""

    def __init__(self, error: ErrorInfo, kind: Kind) -> None:
        super().__init__(error)
        self.kind = kind


def refusal(syntax: CommandSyntax, error_id: str, message: str, kind: Kind = "binding") -> BindingFailed:
    """The error of a command that cannot be called like this."""
    category = "InvalidArgument" if kind == "binding" else "InvalidData"
    return BindingFailed(
        ErrorInfo(
            message=message,
            error_id=f"{error_id},{syntax.error_source or syntax.name}",
            category=category,
            exception_type=_EXCEPTIONS[kind],
            activity=syntax.name,
        ),
        kind,
    )


def given_value(syntax: CommandSyntax, parameter: ParameterInfo, argument: Parameter) -> Any:
    """What an argument is for a parameter before it is converted: a number in script text is text to a String.

    Raises:
        BindingFailed: The parameter stands there without the value it needs.
    """
    if is_bare(argument):
        if parameter.is_switch:
            return True
        raise missing_argument(syntax, parameter)
    if isinstance(argument, WrittenArgument) and argument.written is not None and parameter.type in {"String", "String[]"}:
        return argument.written
    return argument.value


def missing_argument(syntax: CommandSyntax, parameter: ParameterInfo) -> BindingFailed:
    """The error of a parameter that needs a value and has none."""
    return refusal(
        syntax,
        "MissingArgument",
        f"Missing an argument for parameter '{parameter.name}'. Specify a parameter of type "
        f"'{full_type_name(parameter.type)}' and try again.",
    )


def is_bare(argument: Parameter) -> bool:
    """True for a parameter without a value."""
    return argument.value is BARE or (argument.value is None and argument.name is not None and _is_dashed(argument.name))


def _is_dashed(name: str) -> bool:
    """A client may send ``-Force`` with its dash and no value: then it is the parameter alone, otherwise one that is null."""
    return name.startswith("-") and not name.endswith(":")


def fits(parameter: ParameterInfo, value: Any) -> bool:
    """True where a value needs no conversion."""
    return _fits(value, parameter.type)


def _fits(value: Any, type_name: str) -> bool:
    if type_name in {"Object", "PSObject"}:
        return True
    if value is None:
        return type_name != "String" and type_name not in _VALUE_TYPES
    if type_name.endswith("[]"):
        items = value if is_sequence(value) else [value]
        return all(_fits(item, type_name[:-2]) for item in items)
    return type_name_of(value) == full_type_name(type_name)


def prepared(syntax: CommandSyntax, parameter: ParameterInfo, value: Any) -> Any:
    """An argument's value as the command gets it.

    Args:
        syntax: The command.
        parameter: One of its parameters, or a common one.
        value: As given.

    Raises:
        BindingFailed: It cannot be converted, or an attribute of the parameter forbids it.
    """
    compiled = parameter.common or not syntax.is_function
    converted = _compiled(syntax, parameter, value) if compiled else _transformed(syntax, parameter, value)
    for why in _faults(parameter, converted):
        raise refusal(
            syntax,
            "ParameterArgumentValidationError",
            f"Cannot validate argument on parameter '{parameter.name}'. {why}",
            "validation",
        )
    _check_empty(syntax, parameter, value, converted)
    if parameter.type == "ActionPreference" and converted == "Suspend":
        raise _not_settable(syntax, parameter, assumptions.SUSPEND_REFUSED)
    return converted


def _transformed(syntax: CommandSyntax, parameter: ParameterInfo, value: Any) -> Any:
    try:
        return convert(value, parameter.type)
    except ConversionFailed as failed:
        message = f"Cannot process argument transformation on parameter '{parameter.name}'. {failed}"
        raise refusal(syntax, "ParameterArgumentTransformationError", message, "conversion") from None


def _compiled(syntax: CommandSyntax, parameter: ParameterInfo, value: Any) -> Any:
    if value is None:
        if parameter.is_switch:
            return True
        if parameter.type in ENUMS:
            raise _unsettable(syntax, parameter)
        if parameter.type != "Boolean":
            return None
    try:
        return _element(syntax, parameter, value, parameter.type)
    except ConversionFailed as failed:
        message = f"Cannot bind parameter '{parameter.name}'. {failed}"
        raise refusal(syntax, "CannotConvertArgumentNoMessage", message) from None


def _element(syntax: CommandSyntax, parameter: ParameterInfo, value: Any, type_name: str) -> Any:
    if type_name.endswith("[]"):
        items = value if is_sequence(value) else [value]
        return [_element(syntax, parameter, item, type_name[:-2]) for item in items]
    if type_name in {"SwitchParameter", "Boolean"}:
        if isinstance(value, int | float):
            return bool(value)
        try:
            return convert(value, type_name)
        except ConversionFailed:
            raise _wrong_type(syntax, parameter, type_name_of(value), "") from None
    if is_sequence(value) and type_name not in {"Object", "PSObject"} and type_name not in ENUMS:
        raise _wrong_type(syntax, parameter, type_name_of(value), "Specified method is not supported.")
    return convert(value, type_name)


def _unsettable(syntax: CommandSyntax, parameter: ParameterInfo) -> BindingFailed:
    """Null for an enum passes the binder of a compiled cmdlet and fails in the property's setter."""
    try:
        convert(None, parameter.type)
    except ConversionFailed as failed:
        return _not_settable(syntax, parameter, str(failed))
    raise AssertionError("null is no member of an enum")


def _not_settable(syntax: CommandSyntax, parameter: ParameterInfo, why: str) -> BindingFailed:
    message = f'Cannot bind parameter \'{parameter.name}\' to the target. Exception setting "{parameter.name}": "{why}"'
    found = refusal(syntax, "ParameterBindingFailed", message)
    return BindingFailed(replace(found.error, category="WriteError"), "binding")


def _wrong_type(syntax: CommandSyntax, parameter: ParameterInfo, shown: str, reason: str) -> BindingFailed:
    required = full_type_name(parameter.type)
    message = f"Cannot convert '{shown}' to the type '{required}' required by parameter '{parameter.name}'. {reason}"
    return refusal(syntax, "CannotConvertArgument", message)


def _faults(parameter: ParameterInfo, value: Any) -> Iterator[str]:
    """What the Validate attributes of a parameter say against a value."""
    items = value if is_sequence(value) else [value]
    if parameter.names_variable and value is not None and not text_of(value).removeprefix("+"):
        yield (
            'Cannot process argument because the value of argument "path" is not valid. Change the value of the "path" argument '
            "and run the operation again."
        )
    if parameter.not_null and (value is None or (is_sequence(value) and None in value)):
        yield "The argument is null. Provide a valid value for the argument, and then try running the command again."
    if parameter.not_empty and (value is None or value in ("", []) or (is_sequence(value) and any(i in (None, "") for i in value))):
        yield _NOTHING_IN_COLLECTION if is_sequence(value) else _NOTHING
    if parameter.count is not None:
        (low, high), given = parameter.count, 0 if value is None else len(items)
        if not low <= given <= high:
            needed = f"at least {low} value(s) and no more than {high} value(s)"
            yield f"The parameter requires {needed} - {given} value(s) were provided."
    if value is None:
        if parameter.allowed or parameter.minimum is not None or parameter.length or parameter.pattern is not None:
            yield _NOTHING_IN_COLLECTION
        return
    for item in items:
        yield from _item_faults(parameter, item)


def _item_faults(parameter: ParameterInfo, item: Any) -> Iterator[str]:
    text = text_of(item)
    if parameter.allowed and text.casefold() not in {name.casefold() for name in parameter.allowed}:
        yield (
            f'The argument "{text}" does not belong to the set "{",".join(parameter.allowed)}" specified by the '
            "ValidateSet attribute. Supply an argument that is in the set and then try the command again."
        )
    if parameter.maximum is not None and item > parameter.maximum:
        limit = text_of(parameter.maximum)
        yield (
            f"The {text} argument is greater than the maximum allowed range of {limit}. Supply an argument that "
            f"is less than or equal to {limit} and then try the command again."
        )
    if parameter.minimum is not None and item < parameter.minimum:
        limit = text_of(parameter.minimum)
        yield (
            f"The {text} argument is less than the minimum allowed range of {limit}. Supply an argument that "
            f"is greater than or equal to {limit} and then try the command again."
        )
    if parameter.length is not None:
        yield from _length_faults(text, *parameter.length)
    if parameter.pattern is not None and not dotnet_pattern(parameter.pattern).search(text):
        yield (
            f'The argument "{text}" does not match the "{parameter.pattern}" pattern. Supply an argument that '
            f'matches "{parameter.pattern}" and try the command again.'
        )


def _length_faults(text: str, low: int, high: int) -> Iterator[str]:
    if len(text) < low:
        yield (
            f"The character length ({len(text)}) of the argument is too short. Specify an argument with a length that is greater "
            f'than or equal to "{low}", and then try the command again.'
        )
    elif len(text) > high:
        yield (
            f"The character length of the {len(text)} argument is too long. Shorten the character length of the argument so it is "
            f'fewer than or equal to "{high}" characters, and then try the command again.'
        )


def _check_empty(syntax: CommandSyntax, parameter: ParameterInfo, raw: Any, converted: Any) -> None:
    """A parameter that is mandatory in any set takes neither null nor nothing, unless it is declared to."""
    takes_null = parameter.type != "String"  # a text that may be empty has AllowEmptyString alone
    if (parameter.may_be_empty and (takes_null or converted is not None)) or not any(
        membership.mandatory for membership in parameter.sets.values()
    ):
        return
    found = None
    if converted is None or (raw is None and parameter.type not in _VALUE_TYPES and parameter.type != "String"):
        found = ("NullNotAllowed", "it is null")
    elif converted == "" and parameter.type == "String":
        found = ("EmptyStringNotAllowed", "it is an empty string")
    elif converted == [] and parameter.type.endswith("[]"):
        found = ("EmptyArrayNotAllowed", "it is an empty array")
    elif is_sequence(converted) and parameter.type == "String[]" and "" in converted:
        found = ("EmptyStringNotAllowed", "it is an empty string")
    if found:
        suffix, why = found
        raise refusal(
            syntax,
            f"ParameterArgumentValidationError{suffix}",
            f"Cannot bind argument to parameter '{parameter.name}' because {why}.",
            "validation",
        )
