"""Parameter binding as PowerShell does it: names, positions, types, parameter sets, what is missing.

Called by ``embedded.runspace`` for every command of a pipeline. The order of the steps is PowerShell's, because it decides
which of several errors a caller sees. Errors carry PowerShell's ids, categories and messages (Windows PowerShell 5.1 wording).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from akslite_ps.sandbox.dotnet import TypedList
from akslite_ps.sandbox.embedded.arguments import BindingFailed, fits, given_value, is_bare, missing_argument, prepared, refusal
from akslite_ps.sandbox.embedded.missing import Latched, missing_mandatory
from akslite_ps.sandbox.embedded.parameter_sets import ALL, ParameterSets, count
from akslite_ps.sandbox.embedded.parameters import BARE, CommandSyntax, ParameterInfo, SetMembership, WrittenArgument
from akslite_ps.sandbox.embedded.pipeline_binding import Binding
from akslite_ps.sandbox.embedded.values import is_sequence, text_of, type_name_of
from akslite_ps.sandbox.engine import Parameter

__all__ = ["Binding", "MissingMandatory", "bind", "matching_parameters", "named_parameter"]


class MissingMandatory(BindingFailed):
    """Mandatory parameters have no value. Over a host that can ask, :meth:`resume` goes on with its answers.

    Args:
        binder: The binding so far.
        parameters: Those without a value.
    """

    def __init__(self, binder: _Binder, parameters: list[ParameterInfo]) -> None:
        names = " ".join(p.name for p in parameters)
        message = f"Cannot process command because of one or more missing mandatory parameters: {names}."
        super().__init__(refusal(binder.syntax, "MissingMandatoryParameter", message).error, "binding")
        self.parameters = parameters
        self._binder = binder

    def resume(self, answers: Mapping[str, Any]) -> Binding:
        """Bind what the host answered, by parameter name.

        Raises:
            BindingFailed: An answer is refused. What was not answered stays without a value, as in PowerShell.
        """
        return self._binder.resume(answers)


def bind(syntax: CommandSyntax, arguments: Sequence[Parameter], *, has_input: bool) -> Binding:
    """Bind a command's arguments.

    Args:
        syntax: The command.
        arguments: As the client sent them.
        has_input: True where something is piped into the command.

    Raises:
        BindingFailed: With the error PowerShell would give; :class:`MissingMandatory` where PowerShell would ask first.
    """
    return _Binder(syntax, has_input).bind(arguments)


def named_parameter(syntax: CommandSyntax, text: str) -> ParameterInfo | None:
    """The one parameter that a name, an alias or the beginning of one means; None where there is none or more than one."""
    found = matching_parameters(syntax, text)
    return found[0] if len(found) == 1 else None


def matching_parameters(syntax: CommandSyntax, text: str) -> list[ParameterInfo]:
    """The parameters a name can mean: one where that is decided, else all that begin with it, by name and then by alias."""
    wanted = text.casefold()
    parameters = syntax.all_parameters()
    for parameter in parameters:
        if any(name.casefold() == wanted for name in parameter.names()):
            return [parameter]
    by_name = [p for p in parameters if p.name.casefold().startswith(wanted)]
    by_alias = [p for p in parameters if p not in by_name and any(a.casefold().startswith(wanted) for a in p.aliases)]
    matches = by_name + by_alias
    own = [p for p in matches if not p.common]
    return own if len(own) == 1 else matches


class _Binder:
    def __init__(self, syntax: CommandSyntax, has_input: bool) -> None:
        self.syntax = syntax
        self.has_input = has_input
        self.parameters = syntax.all_parameters()
        self.sets = ParameterSets(syntax)
        self.left = ALL
        self.prefers = 0
        self.values: dict[str, Any] = {}

    def bind(self, arguments: Sequence[Parameter]) -> Binding:
        unbound = self._bind_named(self._joined(arguments))
        unbound, failure = self._bind_positional(unbound)
        self._settle(before_input=True, take_default=False)
        unbound = self._bind_remaining(unbound)
        if unbound:
            raise self._left_over(unbound[0], failure)
        return self._complete()

    def resume(self, answers: Mapping[str, Any]) -> Binding:
        for name, value in answers.items():
            parameter = named_parameter(self.syntax, name)
            if parameter is not None:
                self._bind(parameter, prepared(self.syntax, parameter, value))
        return self._binding()

    def unbound(self) -> list[ParameterInfo]:
        """The parameters without a value, in order of declaration."""
        return [p for p in self.parameters if p.name not in self.values]

    def _bind(self, parameter: ParameterInfo, value: Any) -> None:
        flags = self.sets.flags(parameter)
        if flags:
            self.left &= flags
        self.values[parameter.name] = value

    # -- the arguments ------------------------------------------------------------------------------------------

    def _joined(self, arguments: Sequence[Parameter]) -> list[Parameter]:
        """A parameter that needs a value and stands there without one takes the argument after it, under its whole name.

        What looks like a parameter and is none of this command's is such a value, too.
        """
        found: list[Parameter] = []
        position = 0
        while position < len(arguments):
            argument = arguments[position]
            position += 1
            parameter = self._find(_written_name(argument)) if argument.name is not None and is_bare(argument) else None
            if parameter is None or parameter.is_switch:
                found.append(argument)
                continue
            following = arguments[position] if position < len(arguments) else None
            position += 1
            if following is None or (following.name is not None and not self._is_text(following)):
                raise missing_argument(self.syntax, parameter)
            if following.name is not None:
                found.append(Parameter(parameter.name, f"-{_written_name(following)}"))
            else:
                found.append(replace(following, name=parameter.name))
        return found

    def _bind_named(self, arguments: Sequence[Parameter]) -> list[Parameter]:
        unbound = []
        for argument in arguments:
            parameter = None if argument.name is None else self._find(_written_name(argument))
            if parameter is None:
                unbound.append(argument)
                continue
            value = given_value(self.syntax, parameter, argument)
            if parameter.name in self.values:
                raise refusal(
                    self.syntax,
                    "ParameterAlreadyBound",
                    f"Cannot bind parameter because parameter '{_written_name(argument)}' is specified more than once. To provide "
                    "multiple values to parameters that can accept multiple values, use the array syntax. For example, "
                    '"-parameter value1,value2,value3".',
                )
            self._bind(parameter, prepared(self.syntax, parameter, value))
        return unbound

    def _is_text(self, argument: Parameter) -> bool:
        return is_bare(argument) and self._find(_written_name(argument)) is None

    def _find(self, text: str) -> ParameterInfo | None:
        matches = matching_parameters(self.syntax, text)
        if len(matches) <= 1:
            return matches[0] if matches else None
        listed = " ".join(f"-{p.name}" for p in matches)
        raise refusal(
            self.syntax,
            "AmbiguousParameter",
            f"Parameter cannot be processed because the parameter name '{text}' is ambiguous. Possible matches include: {listed}.",
        )

    def _bind_positional(self, arguments: list[Parameter]) -> tuple[list[Parameter], BindingFailed | None]:
        """Returns what is left over, and why the last positional argument was refused."""
        positions = self._positions() if arguments else []
        left_over: list[Parameter] = []
        failure: BindingFailed | None = None
        index = 0
        for candidates in positions:
            argument, index = _next_positional(arguments, index, left_over)
            if argument is None:
                break
            open_now = [entry for entry in candidates if self._is_open(entry)]
            if not open_now:
                index -= 1
                continue
            bound, failure = self._bind_position(argument, open_now)
            if not bound:
                left_over.append(argument)
        return left_over + arguments[index:], failure

    def _positions(self) -> list[list[tuple[int, ParameterInfo]]]:
        """Parameters by position, lowest first; each with the set it is at this position in."""
        found: dict[int, list[tuple[int, ParameterInfo]]] = {}
        for parameter in self.unbound():
            for flag, membership in self.sets.memberships(parameter, self.left):
                if membership.position is None or parameter.remaining:
                    continue
                at = found.setdefault(membership.position, [])
                if any(other is not parameter and (ALL in (flag, taken) or flag == taken) for taken, other in at):
                    message = "Cannot bind positional parameters because no names were given."
                    raise refusal(self.syntax, "AmbiguousPositionalParameterNoName", message)
                at.append((flag, parameter))
        return [found[position] for position in sorted(found)]

    def _is_open(self, entry: tuple[int, ParameterInfo]) -> bool:
        flag, parameter = entry
        return parameter.name not in self.values and (flag == ALL or bool(flag & self.left))

    def _bind_position(self, argument: Parameter, candidates: list[tuple[int, ParameterInfo]]) -> tuple[bool, BindingFailed | None]:
        """Without conversion before with it, the default set before the others."""
        default = self.sets.default if self.sets.default & self.left else 0
        failure: BindingFailed | None = None
        for coerces in (False, True):
            for among in (default, self.left):
                bound, failure = self._bind_in_sets(argument, candidates, among, coerces=coerces) if among else (False, failure)
                if bound:
                    return True, None
        return False, failure

    def _bind_in_sets(
        self, argument: Parameter, candidates: list[tuple[int, ParameterInfo]], among: int, *, coerces: bool
    ) -> tuple[bool, BindingFailed | None]:
        """Every parameter at this position takes the argument, as far as it stands in one of the sets asked for."""
        failure: BindingFailed | None = None
        bound = False
        for flag, parameter in candidates:
            if parameter.name in self.values or (flag != ALL and not flag & among):
                continue
            value = given_value(self.syntax, parameter, argument)
            if not coerces and not fits(parameter, value):
                continue
            try:
                self._bind(parameter, prepared(self.syntax, parameter, value))
            except BindingFailed as failed:
                if failed.kind != "binding":
                    raise
                failure = failed
            else:
                bound = True
        return bound, failure

    def _bind_remaining(self, arguments: list[Parameter]) -> list[Parameter]:
        takers = [p for p in self.unbound() if p.remaining and any(self.sets.memberships(p, self.left))]
        if not arguments or not takers:
            return arguments
        values: list[Any] = []
        for argument in arguments:
            if argument.name is not None:
                values.append(f"-{argument.name.lstrip('-')}")
            if argument.value is not BARE:
                values.append(argument.value)
        value = values[0] if len(values) == 1 and is_sequence(values[0]) else values
        self._bind(takers[0], prepared(self.syntax, takers[0], value))
        return []

    def _left_over(self, argument: Parameter, failure: BindingFailed | None) -> BindingFailed:
        if argument.name is not None:
            message = f"A parameter cannot be found that matches parameter name '{_written_name(argument)}'."
            return refusal(self.syntax, "NamedParameterNotFound", message)
        if failure is not None:
            return failure
        value = argument.written if isinstance(argument, WrittenArgument) and argument.written else argument.value
        is_array = is_sequence(value) and not isinstance(value, TypedList)
        shown = "$null" if value is None else type_name_of(value) if is_array else text_of(value)
        message = f"A positional parameter cannot be found that accepts argument '{shown}'."
        return refusal(self.syntax, "PositionalParameterNotFound", message)

    # -- the sets -----------------------------------------------------------------------------------------------

    def _settle(self, *, before_input: bool, take_default: bool) -> int:
        """Decide on the parameter set as far as that is possible; returns how many are left.

        Raises:
            BindingFailed: No set is left, or several between which nothing decides.
        """
        left = count(self.left)
        if left == 0:
            raise self._ambiguous()
        undecided = self.left == ALL
        if undecided:
            left = len(self.sets) or 1
        if left == 1 and not undecided:
            return 1
        if undecided and before_input and self._takes_input():
            return left
        if self.sets.default and (undecided or self.left & self.sets.default):
            if take_default:
                self.left, left = self.sets.default, 1
            return left
        if left <= 1 or (before_input and self._takes_input()):
            return left
        return self._resolve()

    def _resolve(self) -> int:
        complete = self.sets.without_missing(self.left, self.parameters, self.unbound())
        if complete.bit_count() != 1:
            raise self._ambiguous()
        self.left = complete
        return 1

    def _takes_input(self) -> bool:
        return any(_from_input(m) for p in self.unbound() for _, m in self.sets.memberships(p, self.left))

    def _complete(self) -> Binding:
        left = self._settle(before_input=self.has_input, take_default=not self.has_input)
        if left > 1 and self.has_input:
            self._keep_sets_with_input()
            left = self._settle(before_input=True, take_default=False)
        latched = Latched(self.left, self.prefers)
        missing = missing_mandatory(self.sets, self.unbound(), latched, left=left, has_input=self.has_input)
        if missing is None:
            raise self._ambiguous()
        self.left, self.prefers = latched.left, latched.prefers
        if missing:
            raise MissingMandatory(self, missing)
        if not self.has_input:
            self._settle(before_input=False, take_default=True)
        return self._binding()

    def _binding(self) -> Binding:
        waiting = [p for p in self.unbound() if any(_from_input(m) for _, m in self.sets.memberships(p, self.left))]
        return Binding(
            self.syntax, self.values, self.sets.name(self.left), tuple(waiting), left_sets=self.left, prefers=self.prefers
        )

    def _keep_sets_with_input(self) -> None:
        """Of several sets, drop those that can take nothing from the pipeline any more."""
        taking, everywhere = 0, False
        for parameter in self.unbound():
            for flag, membership in self.sets.memberships(parameter, self.left):
                if _from_input(membership):
                    everywhere = everywhere or flag == ALL
                    taking |= 0 if flag == ALL else flag
        if taking and not everywhere:
            self.left &= taking

    def _ambiguous(self) -> BindingFailed:
        return refusal(
            self.syntax,
            "AmbiguousParameterSet",
            "Parameter set cannot be resolved using the specified named parameters. One or more parameters issued cannot be used "
            "together or an insufficient number of parameters were provided.",
        )


def _next_positional(arguments: Sequence[Parameter], index: int, left_over: list[Parameter]) -> tuple[Parameter | None, int]:
    """The next positional argument; one that follows an unknown parameter is taken to be its value."""
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        if argument.name is None:
            return argument, index
        left_over.append(argument)
        if index < len(arguments) and arguments[index].name is None:
            left_over.append(arguments[index])
            index += 1
    return None, index


def _written_name(argument: Parameter) -> str:
    return (argument.name or "").lstrip("-").rstrip(":")


def _from_input(membership: SetMembership) -> bool:
    return membership.from_pipeline or membership.from_property
