"""The syntax lines of a command, as ``Get-Command -Syntax`` and ``Get-Help`` write them."""

from __future__ import annotations

from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo, SetMembership

_SHOWN_TYPES = {
    "String": "string",
    "Int32": "int",
    "Int64": "long",
    "Double": "double",
    "Boolean": "bool",
    "DateTime": "datetime",
    "Object": "Object",
    "PSObject": "psobject",
    "Hashtable": "hashtable",
    "SecureString": "securestring",
    "ActionPreference": "ActionPreference",
}


def syntax_lines(command: CommandSyntax, *, show_allowed: bool = False) -> list[str]:
    """One line per parameter set.

    Args:
        command: The command.
        show_allowed: Write the values of a ValidateSet instead of the type, as Get-Help does.
    """
    return [_line(command, name, show_allowed) for name in command.set_names()]


def shown_type(type_name: str) -> str:
    """``String[]`` as ``string[]``."""
    return shown_type(type_name[:-2]) + "[]" if type_name.endswith("[]") else _SHOWN_TYPES.get(type_name, type_name)


def _line(command: CommandSyntax, set_name: str, show_allowed: bool) -> str:
    members: list[tuple[ParameterInfo, SetMembership]] = []
    for parameter in command.parameters:
        membership = parameter.membership(set_name)
        if membership is not None:
            members.append((parameter, membership))
    positional = sorted((m for m in members if m[1].position is not None), key=lambda m: m[1].position or 0)
    named = [m for m in members if m[1].position is None]
    ordered = positional + [m for m in named if m[1].mandatory] + [m for m in named if not m[1].mandatory]
    parts = [command.name, *(_parameter(p, membership, show_allowed) for p, membership in ordered)]
    if command.should_process:
        parts += ["[-WhatIf]", "[-Confirm]"]
    return " ".join([*parts, "[<CommonParameters>]"])


def _parameter(parameter: ParameterInfo, membership: SetMembership, show_allowed: bool) -> str:
    name = f"-{parameter.name}"
    if membership.position is not None:
        name = f"[{name}]"
    if parameter.is_switch:
        text = name
    elif show_allowed and parameter.allowed:
        text = f"{name} {{{' | '.join(parameter.allowed)}}}"
    else:
        text = f"{name} <{shown_type(parameter.type)}>"
    return text if membership.mandatory else f"[{text}]"
