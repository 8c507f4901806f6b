"""Which mandatory parameters of a command are missing, and which parameter set that question settles.

Called by ``embedded.binder`` before a command runs. Where something is piped in, a mandatory parameter that the pipeline can
fill is not missing yet, and PowerShell prefers sets that the pipeline can complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from akslite_ps.sandbox.embedded.parameter_sets import ALL, ParameterSets, count
from akslite_ps.sandbox.embedded.parameters import ParameterInfo


@dataclass(slots=True)
class Latched:
    """The sets that are left, and the one that pipeline objects are tried with first (0 for none)."""

    left: int
    prefers: int = 0


@dataclass(slots=True)
class _Missing:
    """What one parameter set misses: what the pipeline can fill, and what it cannot."""

    from_input: list[ParameterInfo] = field(default_factory=list)
    by_value: list[ParameterInfo] = field(default_factory=list)
    by_property: list[ParameterInfo] = field(default_factory=list)
    given_only: list[ParameterInfo] = field(default_factory=list)


def missing_mandatory(
    sets: ParameterSets, unbound: Sequence[ParameterInfo], latched: Latched, *, left: int, has_input: bool
) -> list[ParameterInfo] | None:
    """The mandatory parameters that must be asked for.

    Args:
        sets: The command's sets.
        unbound: Parameters without a value.
        latched: The sets that are left; narrowed where this decides between them.
        left: How many sets are left.
        has_input: Something is piped in.

    Returns:
        The parameters; None where no set is left that could be completed.
    """
    by_set, missing = _gather(sets, unbound, latched.left, has_input=has_input)
    if not by_set or not has_input:
        return missing
    return _with_input(sets, by_set, latched, left)


def _gather(
    sets: ParameterSets, unbound: Sequence[ParameterInfo], flags: int, *, has_input: bool
) -> tuple[dict[int, _Missing], list[ParameterInfo]]:
    by_set: dict[int, _Missing] = {}
    missing = []
    for parameter in unbound:
        mandatory = [(flag, m) for flag, m in sets.memberships(parameter, flags) if m.mandatory]
        for flag, membership in mandatory:
            entry = by_set.setdefault(flag, _Missing())
            if has_input and (membership.from_pipeline or membership.from_property):
                entry.from_input.append(parameter)
                if membership.from_pipeline:
                    entry.by_value.append(parameter)
                if membership.from_property:
                    entry.by_property.append(parameter)
            else:
                entry.given_only.append(parameter)
        if mandatory:
            missing.append(parameter)
    return by_set, missing


def _with_input(sets: ParameterSets, by_set: dict[int, _Missing], latched: Latched, left: int) -> list[ParameterInfo] | None:
    mandatory_sets = 0
    for flag in by_set:
        mandatory_sets |= 0 if flag == ALL else flag & latched.left
    if ALL in by_set or not mandatory_sets:
        mandatory_sets = latched.left & (sets.declared or ALL)
    default = sets.default
    if left > 1 and default and not default & mandatory_sets and default & latched.left:
        others = [flag for flag, entry in by_set.items() if flag != ALL and flag & latched.left and not flag & default]
        if not any(by_set[flag].from_input for flag in others):
            mandatory_sets = latched.left & ~mandatory_sets
            latched.left = mandatory_sets
            if latched.left != default:
                latched.prefers = default
        else:
            latched.prefers = default
    if count(mandatory_sets) == 0:
        return None
    if count(mandatory_sets) == 1:
        return _given_only(by_set, mandatory_sets)
    if latched.prefers:
        return []
    if default & mandatory_sets and _takes_default(by_set, default):
        latched.left = default
        return _given_only(by_set, default)
    chosen = _only_with_input(by_set, mandatory_sets)
    return _given_only(by_set, chosen) if chosen else []


def _given_only(by_set: dict[int, _Missing], flags: int) -> list[ParameterInfo]:
    found = [p for flag, entry in by_set.items() if flag == ALL or flag & flags for p in entry.given_only]
    return list(dict.fromkeys(found))


def _takes_default(by_set: dict[int, _Missing], default: int) -> bool:
    """The default set is taken unless another one can be completed by the pipeline alone."""
    others = [entry for flag, entry in by_set.items() if flag not in (ALL, default)]
    another = any(entry.from_input and not entry.given_only for entry in others)
    own = by_set.get(default)
    if own is not None and own.by_property and not any(entry.by_property for entry in others):
        return True
    return not another or bool(by_set.get(ALL, _Missing()).given_only)


def _only_with_input(by_set: dict[int, _Missing], flags: int) -> int:
    """The one set that the pipeline fills by value, or by property; 0 where it is not one."""
    by_value = [flag for flag, entry in by_set.items() if flag != ALL and flag & flags and entry.by_value]
    by_property = [flag for flag, entry in by_set.items() if flag != ALL and flag & flags and entry.by_property]
    found = {*by_value[:1], *by_property[:1]}
    return found.pop() if len(found) == 1 and len(by_value) <= 1 and len(by_property) <= 1 else 0
