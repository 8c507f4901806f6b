"""What a command takes: parameter metadata, as PowerShell's ``[Parameter()]`` and ``[Validate...()]`` attributes say it.

Declared beside each command in ``sandbox.commands``, or made from the product's catalog; read by the binder,
by ``Get-Command`` and by ``Get-Help``. Pure data.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from akslite_ps.sandbox.engine import Parameter

ALL_SETS: Final = "__AllParameterSets"


class _Bare(enum.Enum):
    BARE = "a parameter without a value"


BARE: Final = _Bare.BARE
"""The value of a parameter that stands in script text without one."""


@dataclass(frozen=True, slots=True)
class WrittenArgument(Parameter):
    """An argument from script text; ``written`` is how a number was written, which is what a String parameter gets."""

    written: str | None = None


@dataclass(frozen=True, slots=True)
class SetMembership:
    """How a parameter takes part in one parameter set; ``position`` None means by name only."""

    mandatory: bool = False
    position: int | None = None
    from_pipeline: bool = False
    from_property: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ParameterInfo:
    """One parameter.

    Args:
        name: As declared.
        type: Short type name, e.g. ``String``, ``Int32``, ``SwitchParameter``, ``Object[]``.
        sets: Parameter set to membership; ``ALL_SETS`` where it belongs to every set.
        aliases: Other names.
        allowed: ValidateSet, empty where there is none.
        minimum, maximum: ValidateRange, None where there is none.
        pattern: ValidatePattern, None where there is none.
        length: ValidateLength: least and greatest number of characters, None where there is none.
        count: ValidateCount: least and greatest number of items, None where there is none.
        not_null, not_empty: ValidateNotNull, ValidateNotNullOrEmpty.
        default: Value of an unbound parameter.
        may_be_empty: AllowEmptyString, AllowNull and AllowEmptyCollection at once.
        remaining: Takes all positional arguments that are left.
        common: One of the common parameters.
        names_variable: A common parameter whose value is the name of a variable.
        description: For Get-Help.
    """

    name: str
    type: str = "Object"
    sets: Mapping[str, SetMembership] = field(default_factory=lambda: {ALL_SETS: SetMembership()})
    aliases: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    length: tuple[int, int] | None = None
    count: tuple[int, int] | None = None
    not_null: bool = False
    not_empty: bool = False
    default: Any = None
    may_be_empty: bool = False
    remaining: bool = False
    common: bool = False
    names_variable: bool = False
    description: str = ""

    @property
    def is_switch(self) -> bool:
        return self.type == "SwitchParameter"

    def names(self) -> Iterator[str]:
        yield self.name
        yield from self.aliases

    def membership(self, parameter_set: str) -> SetMembership | None:
        """Its part in a set; None where it does not belong to it."""
        return self.sets.get(parameter_set) or self.sets.get(ALL_SETS)


def parameter(
    name: str,
    type_name: str = "Object",
    *,
    sets: Iterable[str] = (ALL_SETS,),
    mandatory: bool = False,
    position: int | None = None,
    from_pipeline: bool = False,
    from_property: bool = False,
    aliases: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    default: Any = None,
    may_be_empty: bool = False,
    not_empty: bool = False,
    remaining: bool = False,
    description: str = "",
) -> ParameterInfo:
    """A parameter with the same membership in each of ``sets``."""
    membership = SetMembership(mandatory, position, from_pipeline, from_property)
    return ParameterInfo(
        name,
        type_name,
        dict.fromkeys(sets, membership),
        aliases,
        allowed,
        minimum,
        maximum,
        default=default,
        may_be_empty=may_be_empty,
        not_empty=not_empty,
        remaining=remaining,
        description=description,
    )


def switch(name: str, *, sets: Iterable[str] = (ALL_SETS,), aliases: tuple[str, ...] = (), description: str = "") -> ParameterInfo:
    """A switch parameter."""
    return parameter(name, "SwitchParameter", sets=sets, aliases=aliases, default=False, description=description)


def _common(name: str, type_name: str, alias: str) -> ParameterInfo:
    return ParameterInfo(name, type_name, aliases=(alias,), common=True, names_variable=name.endswith("Variable"))


COMMON_PARAMETERS: Final = (
    _common("Verbose", "SwitchParameter", "vb"),
    _common("Debug", "SwitchParameter", "db"),
    _common("ErrorAction", "ActionPreference", "ea"),
    _common("WarningAction", "ActionPreference", "wa"),
    _common("InformationAction", "ActionPreference", "infa"),
    _common("ErrorVariable", "String", "ev"),
    _common("WarningVariable", "String", "wv"),
    _common("InformationVariable", "String", "iv"),
    _common("OutVariable", "String", "ov"),
    replace(_common("OutBuffer", "Int32", "ob"), minimum=0, maximum=2**31 - 1),
    _common("PipelineVariable", "String", "pv"),
)
SHOULD_PROCESS_PARAMETERS: Final = (_common("WhatIf", "SwitchParameter", "wi"), _common("Confirm", "SwitchParameter", "cf"))


@dataclass(frozen=True, slots=True)
class CommandSyntax:
    """All that the binder needs to know of a command.

    Args:
        name: Name of the command, for messages.
        parameters: Its own parameters, in order of declaration.
        default_set: DefaultParameterSetName.
        should_process: SupportsShouldProcess.
        error_source: What follows the comma of a FullyQualifiedErrorId: the class of a cmdlet, the name of a function.
        is_function: Functions and compiled cmdlets refuse a wrong type with different errors.
    """

    name: str
    parameters: tuple[ParameterInfo, ...] = ()
    default_set: str | None = None
    should_process: bool = False
    error_source: str = ""
    is_function: bool = True

    def all_parameters(self) -> tuple[ParameterInfo, ...]:
        """Its own and the common parameters."""
        extra = SHOULD_PROCESS_PARAMETERS if self.should_process else ()
        own = tuple(p for p in self.parameters if p.name not in {"WhatIf", "Confirm"} or not self.should_process)
        return own + COMMON_PARAMETERS + extra

    def set_names(self) -> tuple[str, ...]:
        """The parameter sets, default first, then in order of declaration."""
        names = dict.fromkeys(name for p in self.parameters for name in p.sets if name != ALL_SETS)
        if not names:
            return (self.default_set or ALL_SETS,)
        first = [self.default_set] if self.default_set else []
        return tuple(dict.fromkeys([*first, *names]))
