"""Which parameter sets of a command are still possible, by PowerShell's rules.

Sets are bits, as PowerShell has them: ``ALL`` stands for "no decision yet" and for parameters that belong to every set. Used by
``embedded.binder``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from akslite_ps.sandbox.embedded.parameters import ALL_SETS, CommandSyntax, ParameterInfo, SetMembership

ALL: Final = -1


class ParameterSets:
    """The parameter sets of a command.

    Args:
        syntax: The command.
    """

    def __init__(self, syntax: CommandSyntax) -> None:
        self._names = [name for name in syntax.set_names() if name != ALL_SETS]
        self._default_name = syntax.default_set
        self.default = self.flag(syntax.default_set) if syntax.default_set else 0
        self.declared = sum(1 << index for index in range(len(self._names)))

    def __len__(self) -> int:
        return len(self._names)

    def flag(self, name: str) -> int:
        """The bit of a set."""
        return 1 << self._names.index(name)

    def flags(self, parameter: ParameterInfo) -> int:
        """The sets that binding a parameter leaves; 0 where it leaves all."""
        return sum(self.flag(name) for name in parameter.sets if name != ALL_SETS)

    def name(self, flags: int) -> str:
        """The name that ``$PSCmdlet.ParameterSetName`` shows."""
        if flags not in (ALL, 0):
            found = [name for name in self._names if self.flag(name) & flags]
            return found[0] if len(found) == 1 else ""
        return self._default_name or ALL_SETS

    def memberships(self, parameter: ParameterInfo, flags: int) -> Iterator[tuple[int, SetMembership]]:
        """How a parameter takes part in the sets that are left: each set's bit, ALL for every set."""
        for name, membership in parameter.sets.items():
            if name == ALL_SETS:
                yield ALL, membership
            elif self.flag(name) & flags:
                yield self.flag(name), membership

    def without_missing(self, flags: int, parameters: Iterable[ParameterInfo], unbound: Iterable[ParameterInfo]) -> int:
        """Of the sets that are left, those in which nothing mandatory is missing.

        Args:
            flags: The sets that are left.
            parameters: All parameters.
            unbound: Those that have no value yet.
        """
        left = flags
        known = 0
        for parameter in parameters:
            known |= self.flags(parameter)
        left &= known
        for parameter in unbound:
            for name, membership in parameter.sets.items():
                if membership.mandatory and name != ALL_SETS:
                    left &= ~self.flag(name)
        return left


def count(flags: int) -> int:
    """How many sets are left; no decision counts as one."""
    return 1 if flags == ALL else flags.bit_count()
