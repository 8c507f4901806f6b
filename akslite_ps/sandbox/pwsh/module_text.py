"""PowerShell modules that stand for the device's commands: one function each, with the parameters, the help and nothing else.

Written to disk by ``pwsh.module_folder``. The text is made from what the embedded engine binds by
(``embedded.parameters``), so both engines know the same parameters; for the product that is the catalog. Works in Windows
PowerShell 5.1 and in PowerShell 7.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
from akslite_ps.sandbox.embedded.parameters import ALL_SETS, ParameterInfo, SetMembership
from akslite_ps.sandbox.embedded.values import text_of

_TYPES: Mapping[str, str] = {
    "String": "string",
    "Int32": "int",
    "Int64": "long",
    "Double": "double",
    "Boolean": "bool",
    "SwitchParameter": "switch",
    "DateTime": "datetime",
    "TimeSpan": "timespan",
    "Hashtable": "hashtable",
    "SecureString": "securestring",
    "PSCredential": "pscredential",
    "Object": "object",
    "PSObject": "psobject",
}
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_NAMESPACE = uuid.UUID("3f6d4b5c-7a0e-4d55-9d0a-2f0f0a6f4c11")


def quoted(text: str) -> str:
    """A text as a single-quoted PowerShell string; PowerShell takes typographic quotation marks for straight ones."""
    return "'" + _QUOTES.sub(lambda match: match[0] * 2, text) + "'"


def literal(value: Any) -> str:
    """A plain value as PowerShell source."""
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case int() | float():
            return text_of(value)
        case list() | tuple():
            return f"@({', '.join(literal(item) for item in value)})"
        case _:
            return quoted(text_of(value))


def module_source(commands: Iterable[CommandInfo], *, outputs: Mapping[str, str], prologue: str = "") -> str:
    """The text of a script module.

    Args:
        commands: What it exports.
        outputs: Output types by command name, where they are known.
        prologue: What it does when it is imported.
    """
    infos = sorted(commands, key=lambda info: info.name)
    parts = [prologue] if prologue else []
    parts += [_function(info, outputs.get(info.name)) for info in infos]
    exported = ", ".join(quoted(info.name) for info in infos)
    return "\n\n".join([*parts, f"Export-ModuleMember -Function @({exported})"]) + "\n"


def manifest_source(
    name: str, *, version: str, description: str, functions: Iterable[str], nested: Iterable[str], required: Iterable[str] = ()
) -> str:
    """The text of a module's manifest; names and versions as ``Get-Module`` shows them."""
    fields: dict[str, Any] = {
        "RootModule": f"{name}.psm1",
        "ModuleVersion": version,
        "GUID": str(uuid.uuid5(_NAMESPACE, name)),
        "Author": "akslite-ps",
        "Description": description,
        "PowerShellVersion": "5.1",
        "NestedModules": list(nested),
        "RequiredModules": list(required),
        "FunctionsToExport": sorted(functions),
        "CmdletsToExport": [],
        "VariablesToExport": [],
        "AliasesToExport": [],
    }
    lines = [f"    {key} = {literal(value)}" for key, value in fields.items()]
    return "\n".join(["@{", *lines, "}", ""])


def _function(info: CommandInfo, output: str | None) -> str:
    syntax = info.syntax
    binding = ["PositionalBinding = $false"]
    if syntax.default_set:
        binding.insert(0, f"DefaultParameterSetName = {quoted(syntax.default_set)}")
    if syntax.should_process:
        binding += ["SupportsShouldProcess = $true", f"ConfirmImpact = {quoted(info.impact)}"]
    own = [p for p in syntax.parameters if not (syntax.should_process and p.name in {"WhatIf", "Confirm"})]
    lines = [f"function {info.name} {{", *_help(info, own, output), f"    [CmdletBinding({', '.join(binding)})]"]
    if output:
        lines.append(f"    [OutputType({quoted(output)})]")
    lines.append("    param(" + ")" * (not own))
    for index, parameter in enumerate(own):
        lines += [f"        {part}" for part in _parameter(parameter)]
        lines[-1] += "," if index + 1 < len(own) else ""
        lines.append("")
    if own:
        lines[-1] = "    )"
    takes_input = any(m.from_pipeline or m.from_property for p in own for m in p.sets.values())
    block = "process" if takes_input else "end"
    lines += ["", f"    {block} {{ Invoke-SimulatedCommand -Caller $PSCmdlet -Bound $PSBoundParameters }}", "}"]
    return "\n".join(lines)


def _parameter(parameter: ParameterInfo) -> Iterator[str]:
    for name, membership in parameter.sets.items():
        yield f"[Parameter({', '.join(_membership(name, membership, remaining=parameter.remaining))})]"
    if parameter.aliases:
        yield f"[Alias({_listed(parameter.aliases)})]"
    if parameter.may_be_empty:
        yield "[AllowNull()]"
        yield "[AllowEmptyString()]"
        yield "[AllowEmptyCollection()]"
    if parameter.allowed:
        yield f"[ValidateSet({_listed(parameter.allowed)})]"
    if parameter.minimum is not None or parameter.maximum is not None:
        low = "[int]::MinValue" if parameter.minimum is None else literal(parameter.minimum)
        high = "[int]::MaxValue" if parameter.maximum is None else literal(parameter.maximum)
        yield f"[ValidateRange({low}, {high})]"
    if parameter.pattern is not None:
        # .NET's \Z would let a line break at the end pass, Python's does not.
        yield "[ValidatePattern(" + quoted(parameter.pattern.replace("\\Z", "\\z")) + ")]"
    if parameter.length is not None:
        yield f"[ValidateLength({parameter.length[0]}, {parameter.length[1]})]"
    if parameter.count is not None:
        yield f"[ValidateCount({parameter.count[0]}, {parameter.count[1]})]"
    default = f" = {literal(parameter.default)}" if parameter.default is not None and not parameter.is_switch else ""
    yield f"[{_type(parameter.type)}] ${parameter.name}{default}"


def _membership(name: str, membership: SetMembership, *, remaining: bool) -> Iterator[str]:
    if name != ALL_SETS:
        yield f"ParameterSetName = {quoted(name)}"
    if membership.mandatory:
        yield "Mandatory = $true"
    if membership.position is not None:
        yield f"Position = {membership.position}"
    if membership.from_pipeline:
        yield "ValueFromPipeline = $true"
    if membership.from_property:
        yield "ValueFromPipelineByPropertyName = $true"
    if remaining:
        yield "ValueFromRemainingArguments = $true"


def _type(name: str) -> str:
    """PowerShell's name of a type; one that only the product has is taken as text."""
    return _type(name[:-2]) + "[]" if name.endswith("[]") else _TYPES.get(name, "string")


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(quoted(text) for text in texts)


def _help(info: CommandInfo, parameters: Iterable[ParameterInfo], output: str | None) -> Iterator[str]:
    yield "    <#"
    yield "    .SYNOPSIS"
    yield f"    {_help_text(info.synopsis or info.name)}"
    for parameter in parameters:
        yield f"    .PARAMETER {parameter.name}"
        yield f"    {_help_text(parameter.description or parameter.name)}"
    if output:
        yield "    .OUTPUTS"
        yield f"    {output}"
    yield "    #>"


def _help_text(text: str) -> str:
    """One line of a help comment: it must neither end the comment nor begin like a keyword."""
    return " ".join(text.split()).replace("#>", "# >").lstrip(".")
