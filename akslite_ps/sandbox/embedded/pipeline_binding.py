"""What one command is called with, and what each object of the pipeline adds to it.

Made by ``embedded.binder``; asked by ``embedded.cmdlet`` once for every object. An object is tried as a whole before its
properties are, and without conversion before with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.embedded.arguments import BindingFailed, fits, prepared
from akslite_ps.sandbox.embedded.parameter_sets import ALL, ParameterSets
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo, SetMembership
from akslite_ps.sandbox.embedded.values import property_of


class MissingFromInput(Exception):
    """A pipeline object that leaves mandatory parameters without a value."""

    def __init__(self, parameters: list[ParameterInfo]) -> None:
        super().__init__("mandatory parameters are missing")
        self.names = "".join(f" {p.name}" for p in parameters)


@dataclass(slots=True)
class Binding:
    """The outcome for one command: values by declared name, the chosen set, parameters that wait for pipeline objects.

    Args:
        syntax: The command.
        values: What is bound.
        parameter_set: The set that was chosen, as far as that is decided.
        awaiting_pipeline: Parameters that a pipeline object may fill.
        left_sets: The sets that are left, as bits.
        prefers: The set that pipeline objects are tried with first, 0 for none.
    """

    syntax: CommandSyntax
    values: dict[str, Any]
    parameter_set: str
    awaiting_pipeline: tuple[ParameterInfo, ...] = ()
    left_sets: int = ALL
    prefers: int = 0

    def value(self, name: str) -> Any:
        """The bound value, else the parameter's default."""
        if name in self.values:
            return self.values[name]
        return next((p.default for p in self.syntax.parameters if p.name == name), None)

    def bind_object(self, item: Any) -> dict[str, Any] | None:
        """The values one pipeline object gives, None where it fits no parameter.

        Raises:
            BindingFailed: A property of it cannot be converted.
            MissingFromInput: It leaves mandatory parameters without a value.
        """
        matching = _Matching(self, item)
        bound = matching.values_of_object()
        if bound:
            self.parameter_set = matching.sets.name(matching.settled())
        return bound


class _Matching:
    """One pipeline object on its way into the parameters that wait for it."""

    def __init__(self, binding: Binding, item: Any) -> None:
        self._binding = binding
        self._item = item
        self.sets = ParameterSets(binding.syntax)
        self._left = binding.left_sets
        self._bound: dict[str, Any] = {}

    def values_of_object(self) -> dict[str, Any] | None:
        rounds = [self._binding.prefers, self._left] if self._binding.prefers else [self._left]
        for among in rounds:
            for coerces in (False, True):
                self._bind_whole(among, coerces=coerces)
                self._bind_properties(among, coerces=coerces)
            if self._bound and self._binding.prefers:
                break
        if not self._bound:
            return None
        missing = self._still_missing()
        if missing:
            raise MissingFromInput(missing)
        return self._bound

    def settled(self) -> int:
        """The sets after this object: the default one where it is still possible."""
        if self.sets.default and (self._left == ALL or self._left & self.sets.default):
            return self.sets.default
        return self._left

    def _waiting(self, among: int) -> Iterator[tuple[ParameterInfo, SetMembership]]:
        for parameter in self._binding.awaiting_pipeline:
            for flag, membership in self.sets.memberships(parameter, self._left):
                if parameter.name not in self._bound and (flag == ALL or flag & among):
                    yield parameter, membership

    def _bind_whole(self, among: int, *, coerces: bool) -> None:
        for parameter, membership in list(self._waiting(among)):
            if membership.from_pipeline and parameter.name not in self._bound and self._still_possible(parameter):
                self._try(parameter, self._item, coerces=coerces, ignores_failure=True)

    def _bind_properties(self, among: int, *, coerces: bool) -> None:
        for parameter, membership in list(self._waiting(among)):
            if not membership.from_property or parameter.name in self._bound or not self._still_possible(parameter):
                continue
            for name in parameter.names():
                found, value = property_of(self._item, name)
                if found:
                    self._try(parameter, value, coerces=coerces, ignores_failure=not coerces)
                    break

    def _still_possible(self, parameter: ParameterInfo) -> bool:
        return any(True for _ in self.sets.memberships(parameter, self._left))

    def _try(self, parameter: ParameterInfo, value: Any, *, coerces: bool, ignores_failure: bool) -> None:
        if not coerces and not fits(parameter, value):
            return
        try:
            self._bound[parameter.name] = prepared(self._binding.syntax, parameter, value)
        except BindingFailed as failed:
            if ignores_failure and failed.kind != "validation":
                return
            raise
        flags = self.sets.flags(parameter)
        if flags:
            self._left &= flags

    def _still_missing(self) -> list[ParameterInfo]:
        known = {*self._binding.values, *self._bound}
        settled = self.settled()
        return [
            p
            for p in self._binding.syntax.parameters
            if p.name not in known and any(m.mandatory for _, m in self.sets.memberships(p, settled))
        ]
