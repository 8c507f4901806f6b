"""Calls to the client's host: which method, and the shape of its arguments on the wire.

Called by ``protocol.psrp``. An engine writes ``("PromptForChoice", [caption, message, [(label, help), ...], default])`` or
``("Prompt", [caption, message, [field, ...]])``, a field being a name or a mapping of FieldDescription's properties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psrpcore.types import HostMethodIdentifier

from akslite_ps.sandbox.protocol.clixml import Complex

_ARRAY_LIST = ("System.Collections.ArrayList", "System.Object")
_BY_ARGUMENT_COUNT = {
    ("Write", 1): "Write1",
    ("Write", 3): "Write2",
    ("WriteLine", 0): "WriteLine1",
    ("WriteLine", 1): "WriteLine2",
    ("WriteLine", 3): "WriteLine3",
    ("PromptForCredential", 4): "PromptForCredential1",
    ("PromptForCredential", 6): "PromptForCredential2",
}


def host_call_arguments(method: str, arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """The wire's name of a host method and its arguments in the wire's shape.

    Raises:
        ValueError: There is no such method.
    """
    name = _BY_ARGUMENT_COUNT.get((method, len(arguments)), method)
    if name not in HostMethodIdentifier.__members__:
        raise ValueError(f"a PowerShell host has no method {method} with {len(arguments)} arguments")
    values = list(arguments)
    if name in ("PromptForChoice", "PromptForChoiceMultipleSelection"):
        values[2] = Complex(_ARRAY_LIST, items=[_choice(choice) for choice in values[2]])
    elif name == "Prompt":
        values[2] = Complex(_ARRAY_LIST, items=[_field(field) for field in values[2]])
    return name, values


def _choice(choice: Any) -> Complex:
    if isinstance(choice, Mapping):
        label, help_text = choice.get("label", ""), choice.get("helpMessage", "")
    elif isinstance(choice, str):
        label, help_text = choice, ""
    else:
        label, help_text = choice
    return Complex(notes={"label": label, "helpMessage": help_text})


def _field(field: Any) -> Complex:
    given = dict(field) if isinstance(field, Mapping) else {"name": str(field)}
    type_name = str(given.get("parameterTypeFullName", "System.String"))
    notes = {
        "name": "",
        "label": "",
        "parameterTypeName": type_name.rpartition(".")[2],
        "parameterTypeFullName": type_name,
        "parameterAssemblyFullName": type_name,
        "helpMessage": "",
        "isMandatory": True,
        "metadata": Complex(_ARRAY_LIST, items=()),
        "modifiedByRemotingProtocol": False,
        "isFromRemoteHost": False,
    }
    return Complex(notes=notes | given)
