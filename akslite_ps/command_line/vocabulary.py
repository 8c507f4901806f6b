"""What is known of PowerShell's own cmdlets without asking a device: aliases, and which parameters are switches.

In ``-Force press-01`` only the cmdlet's definition tells whether the text belongs to the parameter. The caller
of ``parse`` adds what it knows of the product's cmdlets; this is the part that never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

IsSwitch: TypeAlias = Callable[[str, str], bool]

_BASE_COMPARISONS = (
    *("EQ", "NE", "GT", "GE", "LT", "LE", "Like", "NotLike", "Match", "NotMatch"),
    *("Contains", "NotContains", "In", "NotIn", "Is", "IsNot"),
)
_COMPARISONS = (*_BASE_COMPARISONS, *(f"C{name}" for name in _BASE_COMPARISONS if not name.startswith("Is")))
COMPARISONS: Mapping[str, str] = {
    **{name.casefold(): name for name in _COMPARISONS},
    **{"i" + name.casefold(): name for name in _BASE_COMPARISONS},
}

_ALIASES = {
    "?": "Where-Object",
    "where": "Where-Object",
    "%": "ForEach-Object",
    "foreach": "ForEach-Object",
    "select": "Select-Object",
    "sort": "Sort-Object",
    "group": "Group-Object",
    "measure": "Measure-Object",
    "gcm": "Get-Command",
    "help": "Get-Help",
    "man": "Get-Help",
    "gm": "Get-Member",
    "ft": "Format-Table",
    "fl": "Format-List",
    "fw": "Format-Wide",
    "oh": "Out-Host",
    "echo": "Write-Output",
    "write": "Write-Output",
}

_COMMON_SWITCHES = ("Verbose", "Debug", "WhatIf", "Confirm")
_COMMON_VALUES = (
    *("ErrorAction", "WarningAction", "InformationAction", "ErrorVariable", "WarningVariable", "InformationVariable"),
    *("OutVariable", "OutBuffer", "PipelineVariable"),
)

# Cmdlet: its switches, its other parameters (needed to know when an abbreviation is unambiguous).
_CORE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "where-object": (_COMPARISONS, ("InputObject", "FilterScript", "Property", "Value")),
    "foreach-object": ((), ("InputObject", "Begin", "Process", "End", "RemainingScripts", "MemberName", "ArgumentList")),
    "select-object": (
        ("Unique", "Wait"),
        ("InputObject", "Property", "ExcludeProperty", "ExpandProperty", "Last", "First", "Skip", "SkipLast", "Index"),
    ),
    "sort-object": (("Descending", "Unique", "CaseSensitive"), ("InputObject", "Property", "Culture")),
    "group-object": (("NoElement", "AsHashTable", "AsString", "CaseSensitive"), ("InputObject", "Property", "Culture")),
    "measure-object": (
        ("Sum", "Average", "Maximum", "Minimum", "Line", "Word", "Character", "IgnoreWhiteSpace"),
        ("InputObject", "Property"),
    ),
    "get-command": (
        ("ListImported", "All", "Syntax", "ShowCommandInfo"),
        (
            "Name",
            "Verb",
            "Noun",
            "Module",
            "FullyQualifiedModule",
            "CommandType",
            "TotalCount",
            "ArgumentList",
            "ParameterName",
            "ParameterType",
        ),
    ),
    "get-help": (
        ("Detailed", "Full", "Examples", "Online", "ShowWindow"),
        ("Name", "Path", "Category", "Component", "Functionality", "Role", "Parameter"),
    ),
    "get-member": (("Static", "Force"), ("InputObject", "Name", "MemberType", "View")),
    "format-table": (
        ("AutoSize", "HideTableHeaders", "Wrap", "ShowError", "DisplayError", "Force"),
        ("Property", "GroupBy", "View", "Expand", "InputObject"),
    ),
    "format-list": (("ShowError", "DisplayError", "Force"), ("Property", "GroupBy", "View", "Expand", "InputObject")),
    "format-wide": (
        ("AutoSize", "ShowError", "DisplayError", "Force"),
        ("Property", "Column", "GroupBy", "View", "Expand", "InputObject"),
    ),
    "out-host": (("Paging",), ("InputObject",)),
    "out-default": (("Transcript",), ("InputObject",)),
    "out-string": (("Stream",), ("Width", "InputObject")),
    "convertto-json": (("Compress",), ("InputObject", "Depth")),
    "write-output": (("NoEnumerate",), ("InputObject",)),
}


def full_name(command: str) -> str:
    """The cmdlet's name where ``command`` is an alias of a core cmdlet, else ``command``."""
    return _ALIASES.get(command.casefold(), command)


def matching(name: str, names: Mapping[str, bool]) -> str | None:
    """The parameter that ``name`` means, by PowerShell's rule: exact, else the only one it abbreviates."""
    wanted = name.casefold()
    candidates = [known for known in names if known.casefold().startswith(wanted)]
    exact = [known for known in candidates if known.casefold() == wanted]
    if exact:
        return exact[0]
    return candidates[0] if len(candidates) == 1 else None


def parameters_of(command: str) -> Mapping[str, bool] | None:
    """The parameters of a core cmdlet, each with whether it is a switch; None for any other command."""
    known = _CORE.get(full_name(command).casefold())
    if known is None:
        return None
    return {**dict.fromkeys(known[0], True), **dict.fromkeys(known[1], False)}


def common_parameters() -> Mapping[str, bool]:
    """The parameters that every cmdlet takes, each with whether it is a switch."""
    return {**dict.fromkeys(_COMMON_SWITCHES, True), **dict.fromkeys(_COMMON_VALUES, False)}


def is_known_switch(command: str, parameter: str) -> bool:
    """True where ``parameter`` of ``command`` takes no value, as far as this module knows.

    Of a command that is not known here only the full names of the common parameters count: an abbreviation
    might mean one of the command's own.
    """
    own = parameters_of(command)
    known = {**common_parameters(), **(own or {})}
    name = matching(parameter, known)
    return bool(name and known[name] and (own is not None or len(name) == len(parameter)))
