"""Properties as commands are told of them: a name, a pattern, or a table such as ``@{Name='MB'; Expression='Size'}``.

Used by Select-Object, Sort-Object, Group-Object and the Format commands. An expression is a property's name: a session
without script blocks has no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from akslite_ps.sandbox.embedded.cmdlet import Call
from akslite_ps.sandbox.embedded.values import property_names, property_of, text_of, type_name_of, wildcard

_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class PropertyExpression:
    """One property asked for.

    Args:
        expression: Name or pattern.
        label: What it is shown as; None for its own name.
        options: Other keys of the table, by full name.
    """

    expression: str
    label: str | None
    options: dict[str, Any]

    def of(self, value: Any) -> list[tuple[str, bool, Any]]:
        """Label, existence and value of what the expression means for an object; of a pattern only what exists."""
        if _PATTERN.search(self.expression):
            pattern = wildcard(self.expression)
            names = [name for name in property_names(value) if pattern.fullmatch(name)]
            return [(self.label or name, True, property_of(value, name)[1]) for name in names]
        found, item = property_of(value, self.expression)
        real = next((name for name in property_names(value) if name.casefold() == self.expression.casefold()), self.expression)
        return [(self.label or real, found, item)]


def property_expressions(call: Call, given: Iterable[Any], keys: dict[str, tuple[str, ...]]) -> list[PropertyExpression]:
    """The properties that a parameter asks for.

    Args:
        call: The command; ends with an error where a table is none of its kind.
        given: Its argument.
        keys: The keys a table may have here: full name to type names.

    Raises:
        PipelineFailed: PowerShell's error for a wrong table.
    """
    return [
        _of_table(call, item, keys) if isinstance(item, dict) else PropertyExpression(text_of(item), None, {}) for item in given
    ]


def _of_table(call: Call, table: dict[Any, Any], keys: dict[str, tuple[str, ...]]) -> PropertyExpression:
    found: dict[str, Any] = {}
    for key, value in table.items():
        found[_key(call, key, keys)] = value
    if "Expression" not in found:
        if "Name" not in found or not text_of(found["Name"]):
            _refuse(call, "The hash table is missing an entry for the expression.", "DictionaryMissingEntry")
        found["Expression"] = found["Name"]
    expression = found.pop("Expression")
    if not isinstance(expression, str):
        _refuse(
            call,
            f'The "{type_name_of(expression)}" type is not valid for the "expression" key; expected types are "{{System.String, '
            'System.Management.Automation.ScriptBlock}".',
            "DictionaryKeyIllegalValue",
        )
    label = found.pop("Name", None)
    return PropertyExpression(expression, None if label is None else text_of(label), found)


def _key(call: Call, given: Any, keys: dict[str, tuple[str, ...]]) -> str:
    """A key may be abbreviated; Label is another word for Name."""
    text = text_of(given).casefold()
    names = {**{name.casefold(): name for name in keys}, **({"label": "Name"} if "Name" in keys else {})}
    matches = {names[name] for name in names if name.startswith(text)} if text else set()
    if len(matches) != 1:
        _refuse(
            call, f"The {text_of(given)} key is not valid.", "DictionaryKeyUnknown" if not matches else "DictionaryKeyAmbiguous"
        )
    return matches.pop()


def _refuse(call: Call, message: str, error_id: str) -> NoReturn:
    call.fail(message, error_id, "InvalidArgument", exception="System.NotSupportedException")
