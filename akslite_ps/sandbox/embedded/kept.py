"""What the common parameters -OutVariable, -ErrorVariable, -WarningVariable and -InformationVariable of one call keep.

Filled by ``embedded.cmdlet`` while the command runs, put into the session's variables by ``embedded.runspace`` when it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox.engine import MergedRecord

if TYPE_CHECKING:
    from akslite_ps.sandbox.embedded.evaluation import Variables


@dataclass(slots=True)
class Kept:
    """The output and the records of one call, in order."""

    output: list[Any] = field(default_factory=list)
    errors: list[MergedRecord] = field(default_factory=list)
    warnings: list[MergedRecord] = field(default_factory=list)
    information: list[MergedRecord] = field(default_factory=list)

    def store(self, arguments: Mapping[str, Any], variables: Variables) -> None:
        """Set the variables that the arguments name; a plus before a name adds to what it holds."""
        for parameter, values in (
            ("OutVariable", self.output),
            ("ErrorVariable", _objects(self.errors)),
            ("WarningVariable", _objects(self.warnings)),
            ("InformationVariable", _objects(self.information)),
        ):
            name = str(arguments.get(parameter) or "")
            if not name:
                continue
            held = variables.get(name[1:]) if name.startswith("+") else None
            variables.set(name.removeprefix("+"), [*(held if isinstance(held, list) else []), *values])


def _objects(records: list[MergedRecord]) -> list[MergedRecord]:
    return [replace(record, merged=False) for record in records]
