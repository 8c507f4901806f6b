"""The session's preference variables: what becomes of records where no common parameter says it (about_Preference_Variables).

Asked by ``embedded.cmdlet`` for each record and by ``embedded.script`` for an error that ends a statement.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.embedded.conversion import ENUMS
from akslite_ps.sandbox.embedded.evaluation import Variables
from akslite_ps.sandbox.engine import EnumValue

SHOWN = frozenset({"Continue", "Inquire", "Stop"})
"""The actions with which a record is written."""
SILENT = frozenset({"SilentlyContinue", "Ignore"})

_NAMES = ENUMS["ActionPreference"]
_BY_TEXT = {name.casefold(): name for name in _NAMES}


def preferred(variables: Variables, name: str, default: str) -> str:
    """The action that a variable asks for.

    Args:
        variables: The session's.
        name: Of the variable, e.g. ``ErrorActionPreference``.
        default: What counts where it holds no action.
    """
    value: Any = variables.get(name)
    if isinstance(value, EnumValue):
        value = value.name
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_NAMES):
        return _NAMES[value]
    return _BY_TEXT.get(value.casefold(), default) if isinstance(value, str) else default
