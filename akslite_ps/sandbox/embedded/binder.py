"""Parameter binding as PowerShell does it: names, positions, types, parameter sets, pipeline objects.

Called by ``embedded.runspace`` for every command of a pipeline. Errors carry PowerShell's ids, categories and
messages (Windows PowerShell 5.1 wording). A missing mandatory parameter is an error, never a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo
from akslite_ps.sandbox.embedded.values import (
    ConversionFailed,
    convert,
    full_type_name,
    is_sequence,
    property_of,
    text_of,
    type_name_of,
)
from akslite_ps.sandbox.engine import ErrorInfo, Parameter, PipelineFailed

_EXCEPTIONS = "System.Management.Automation."


@dataclass(slots=True)
class Binding:
    """The outcome for one command: values by declared name, the chosen set, parameters that wait for pipeline objects."""

    syntax: CommandSyntax
    values: dict[str, Any]
    parameter_set: str
    awaiting_pipeline: tuple[ParameterInfo, ...] = ()

    def value(self, name: str) -> Any:
        """The bound value, else the parameter's default."""
        if name in self.values:
            return self.values[name]
        return next((p.default for p in self.syntax.parameters if p.name == name), None)

    def bind_object(self, item: Any) -> dict[str, Any] | None:
        """The values one pipeline object gives, None where it fits no parameter."""
        for exact in (True, False):
            for parameter in self.awaiting_pipeline:
                membership = parameter.membership(self.parameter_set)
                if membership and membership.from_pipeline and (not exact or _has_type(item, parameter.type)):
                    try:
                        return {parameter.name: convert(item, parameter.type)}
                    except ConversionFailed:
                        continue
            bound = self._bind_properties(item)
            if bound:
                return bound
        return None

    def _bind_properties(self, item: Any) -> dict[str, Any]:
        bound = {}
        for parameter in self.awaiting_pipeline:
            membership = parameter.membership(self.parameter_set)
            if not (membership and membership.from_property):
                continue
            for name in parameter.names():
                found, value = property_of(item, name)
                if found:
                    try:
                        bound[parameter.name] = convert(value, parameter.type)
                    except ConversionFailed:
                        continue
                    break
        return bound


def bind(syntax: CommandSyntax, arguments: Sequence[Parameter], *, has_input: bool) -> Binding:
    """Bind a command's arguments.

    Args:
        syntax: The command.
        arguments: As the client sent them.
        has_input: True where something is piped into the command.

    Raises:
        PipelineFailed: With the error PowerShell would give.
    """
    return _Binder(syntax, has_input).bind(arguments)


@dataclass(slots=True)
class _Binder:
    syntax: CommandSyntax
    has_input: bool
    values: dict[str, Any] = field(default_factory=dict)
    sets: list[str] = field(default_factory=list)
    left_over: list[PipelineFailed] = field(default_factory=list)

    def bind(self, arguments: Sequence[Parameter]) -> Binding:
        self.sets = list(self.syntax.set_names())
        for argument in arguments:
            if argument.name is not None:
                self._bind_named(argument.name, argument.value)
        self._bind_positional([a.value for a in arguments if a.name is None])
        chosen = self._choose_set()
        # PowerShell decides on the parameter set first, and only then complains about what fits nowhere.
        if self.left_over:
            raise self.left_over[0]
        self._check_complete(chosen)
        return Binding(self.syntax, self.values, chosen, tuple(self._open_to_pipeline(chosen)))

    def _bind_named(self, text: str, value: Any) -> None:
        parameter = self._find(text.lstrip("-").rstrip(":"))
        if parameter is None:
            return
        if parameter.name in self.values:
            raise self._failure(
                "ParameterAlreadyBound",
                f"Cannot bind parameter because parameter '{parameter.name}' is specified more than once. To provide multiple "
                "values to parameters that can accept multiple values, use the array syntax. For example, "
                '"-parameter value1,value2,value3".',
            )
        self._bind_value(parameter, value)
        self._narrow(parameter)

    def _find(self, text: str) -> ParameterInfo | None:
        wanted = text.casefold()
        parameters = self.syntax.all_parameters()
        for parameter in parameters:
            if any(name.casefold() == wanted for name in parameter.names()):
                return parameter
        matches = [p for p in parameters if any(name.casefold().startswith(wanted) for name in p.names())]
        own = [p for p in matches if not p.common]
        if len(own) == 1 or len(matches) == 1:
            return (own or matches)[0]
        if not matches:
            message = f"A parameter cannot be found that matches parameter name '{text}'."
            self.left_over.append(self._failure("NamedParameterNotFound", message))
            return None
        listed = " ".join(f"-{p.name}" for p in sorted(matches, key=lambda p: p.name))
        raise self._failure(
            "AmbiguousParameter",
            f"Parameter cannot be processed because the parameter name '{text}' is ambiguous. Possible matches include: {listed}.",
        )

    def _narrow(self, parameter: ParameterInfo) -> None:
        remaining = [name for name in self.sets if parameter.membership(name)]
        if not remaining:
            raise self._ambiguous_set()
        self.sets = remaining

    def _bind_positional(self, arguments: list[Any]) -> None:
        for index, argument in enumerate(arguments):
            candidates = self._positional_candidates()
            if not candidates:
                rest = next((p for p in self.syntax.parameters if p.remaining and p.name not in self.values), None)
                if rest is not None:
                    left = arguments[index:]
                    self._bind_value(rest, left[0] if len(left) == 1 else left)
                    return
                message = f"A positional parameter cannot be found that accepts argument '{text_of(argument)}'."
                self.left_over.append(self._failure("PositionalParameterNotFound", message))
                return
            fitting = [p for p in candidates if _has_type(argument, p.type)]
            chosen = (fitting or candidates)[0]
            if chosen.remaining and index + 1 < len(arguments):
                self._bind_value(chosen, arguments[index:])
                return
            self._bind_value(chosen, argument)
            self._narrow(chosen)

    def _positional_candidates(self) -> list[ParameterInfo]:
        """Unbound parameters at the lowest open position, those of the default set first."""
        found: list[tuple[int, int, ParameterInfo]] = []
        for rank, name in enumerate(self.sets):
            for parameter in self.syntax.parameters:
                membership = parameter.membership(name)
                if parameter.name not in self.values and membership and membership.position is not None:
                    found.append((membership.position, rank, parameter))
        if not found:
            return []
        lowest = min(position for position, _, _ in found)
        ordered = sorted((entry for entry in found if entry[0] == lowest), key=lambda entry: entry[1])
        return list(dict.fromkeys(parameter for _, _, parameter in ordered))

    def _bind_value(self, parameter: ParameterInfo, value: Any) -> None:
        raw = value.split(",") if parameter.allowed and isinstance(value, str) and parameter.type.endswith("[]") else value
        try:
            converted = convert(raw, parameter.type)
        except ConversionFailed as failed:
            raise self._conversion_failure(parameter, value, str(failed)) from None
        self._check_allowed(parameter, converted)
        self._check_empty(parameter, raw, converted)
        self.values[parameter.name] = converted

    def _conversion_failure(self, parameter: ParameterInfo, value: Any, reason: str) -> PipelineFailed:
        if parameter.common or not self.syntax.is_function:
            if parameter.type in {"SwitchParameter", "Boolean", "String"}:
                return self._failure(
                    "CannotConvertArgument",
                    f"Cannot convert '{type_name_of(value)}' to the type '{full_type_name(parameter.type)}' required by parameter "
                    f"'{parameter.name}'. ",
                )
            return self._failure("CannotConvertArgumentNoMessage", f"Cannot bind parameter '{parameter.name}'. {reason}")
        return self._failure(
            "ParameterArgumentTransformationError",
            f"Cannot process argument transformation on parameter '{parameter.name}'. {reason}",
            category="InvalidData",
            exception="ParameterBindingArgumentTransformationException",
        )

    def _check_empty(self, parameter: ParameterInfo, raw: Any, converted: Any) -> None:
        mandatory = any(membership.mandatory for membership in parameter.sets.values())
        if not mandatory or parameter.may_be_empty:
            return
        found = None
        if raw is None and parameter.type not in {"String", "SwitchParameter"}:
            found = ("NullNotAllowed", "it is null")
        elif converted == "" and parameter.type == "String":
            found = ("EmptyStringNotAllowed", "it is an empty string")
        elif is_sequence(converted) and not converted:
            found = ("EmptyArrayNotAllowed", "it is an empty array")
        elif is_sequence(converted) and parameter.type == "String[]" and "" in converted:
            found = ("EmptyStringNotAllowed", "it is an empty string")
        if found:
            suffix, why = found
            raise self._failure(
                f"ParameterArgumentValidationError{suffix}",
                f"Cannot bind argument to parameter '{parameter.name}' because {why}.",
                category="InvalidData",
                exception="ParameterBindingValidationException",
            )

    def _check_allowed(self, parameter: ParameterInfo, value: Any) -> None:
        items = value if is_sequence(value) else [value]
        allowed = {name.casefold() for name in parameter.allowed}
        for item in items:
            why = None
            if allowed and text_of(item).casefold() not in allowed:
                why = (
                    f'The argument "{text_of(item)}" does not belong to the set "{",".join(parameter.allowed)}" specified by the '
                    "ValidateSet attribute. Supply an argument that is in the set and then try the command again."
                )
            elif parameter.maximum is not None and item > parameter.maximum:
                limit = text_of(parameter.maximum)
                why = (
                    f"The {text_of(item)} argument is greater than the maximum allowed range of {limit}. Supply an argument that "
                    f"is less than or equal to {limit} and then try the command again."
                )
            elif parameter.minimum is not None and item < parameter.minimum:
                limit = text_of(parameter.minimum)
                why = (
                    f"The {text_of(item)} argument is less than the minimum allowed range of {limit}. Supply an argument that "
                    f"is greater than or equal to {limit} and then try the command again."
                )
            elif parameter.pattern is not None and not re.search(parameter.pattern, text_of(item), re.IGNORECASE):
                why = (
                    f'The argument "{text_of(item)}" does not match the "{parameter.pattern}" pattern. Supply an argument that '
                    f'matches "{parameter.pattern}" and try the command again.'
                )
            if why:
                raise self._failure(
                    "ParameterArgumentValidationError",
                    f"Cannot validate argument on parameter '{parameter.name}'. {why}",
                    category="InvalidData",
                    exception="ParameterBindingValidationException",
                )

    def _missing(self, parameter_set: str) -> list[ParameterInfo]:
        """Mandatory parameters of a set that are neither bound nor can come from the pipeline."""
        missing = []
        for parameter in self.syntax.parameters:
            membership = parameter.membership(parameter_set)
            if membership is None or not membership.mandatory or parameter.name in self.values:
                continue
            if not (self.has_input and (membership.from_pipeline or membership.from_property)):
                missing.append(parameter)
        return missing

    def _choose_set(self) -> str:
        if len(self.sets) == 1:
            return self.sets[0]
        complete = [name for name in self.sets if not self._missing(name)]
        default = self.syntax.default_set
        if default in self.sets and default in complete:
            return default
        if len(complete) == 1:
            return complete[0]
        if default in self.sets:
            return default
        raise self._ambiguous_set()

    def _check_complete(self, parameter_set: str) -> None:
        missing = self._missing(parameter_set)
        if missing:
            raise self._failure(
                "MissingMandatoryParameter",
                f"Cannot process command because of one or more missing mandatory parameters: {_names(missing)}.",
            )

    def _open_to_pipeline(self, parameter_set: str) -> Iterable[ParameterInfo]:
        for parameter in self.syntax.parameters:
            membership = parameter.membership(parameter_set)
            if parameter.name not in self.values and membership and (membership.from_pipeline or membership.from_property):
                yield parameter

    def _ambiguous_set(self) -> PipelineFailed:
        return self._failure(
            "AmbiguousParameterSet",
            "Parameter set cannot be resolved using the specified named parameters. One or more parameters issued cannot be used "
            "together or an insufficient number of parameters were provided.",
        )

    def _failure(
        self, error_id: str, message: str, *, category: str = "InvalidArgument", exception: str = "ParameterBindingException"
    ) -> PipelineFailed:
        return PipelineFailed(
            ErrorInfo(
                message=message,
                error_id=f"{error_id},{self.syntax.error_source or self.syntax.name}",
                category=category,
                exception_type=_EXCEPTIONS + exception,
                activity=self.syntax.name,
            )
        )


def _names(parameters: Iterable[ParameterInfo]) -> str:
    return " ".join(p.name for p in parameters)


def _has_type(value: Any, type_name: str) -> bool:
    """True where a value needs no conversion."""
    if type_name in {"Object", "PSObject"}:
        return True
    if type_name.endswith("[]"):
        return not is_sequence(value) and _has_type(value, type_name[:-2])
    return type_name_of(value) == full_type_name(type_name)
