"""Commands as objects: what ``Get-Command`` gives, as clients of a session see it (enums and nested objects are their texts there).

Properties and their order are those that a PowerShell server was seen to send.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
from akslite_ps.sandbox.embedded.conversion import ENUMS
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, SetMembership
from akslite_ps.sandbox.embedded.syntax import syntax_lines
from akslite_ps.sandbox.embedded.values import full_type_name
from akslite_ps.sandbox.engine import EnumValue, PsValue, Version

COMMAND_TYPES = {"Alias": 1, "Function": 2, "Cmdlet": 8}
_TYPE = "System.Management.Automation.CommandTypes"
_PARAMETER_METADATA = "System.Management.Automation.ParameterMetadata"
_NO_POSITION = -(2**31)


def command_object(info: CommandInfo) -> PsValue:
    """A CmdletInfo or FunctionInfo."""
    verb, _, noun = info.name.partition("-")
    common = _properties(info)
    if info.command_type == "Cmdlet":
        own: dict[str, Any] = {
            "Verb": verb,
            "Noun": noun,
            "HelpFile": f"{info.module.replace('PowerShell.', 'PowerShell.Commands.')}.dll-Help.xml",
            "PSSnapIn": None,
            "ImplementingType": info.syntax.error_source,
            "DefaultParameterSet": info.syntax.default_set,
            "Options": "ReadOnly",
        }
    else:
        own = {
            "CmdletBinding": True,
            "DefaultParameterSet": info.syntax.default_set,
            "Options": "None",
            "Description": None,
            "Verb": verb,
            "Noun": noun,
            "HelpFile": None,
        }
    return _object(info.command_type, info.name, {**own, **common})


def alias_object(alias: str, info: CommandInfo) -> PsValue:
    """An AliasInfo."""
    return _object(
        "Alias",
        alias,
        {
            **_properties(info),
            "DisplayName": f"{alias} -> {info.name}",
            "ResolvedCommandName": info.name,
            "ReferencedCommand": info.name,
            "ResolvedCommand": info.name,
            "Name": alias,
            "CommandType": _kind("Alias"),
            "Definition": info.name,
            "Description": "",
            "Options": "ReadOnly, AllScope",
            "Source": "",
            "ModuleName": "",
            "Module": None,
            "Version": None,
        },
    )


def syntax_text(info: CommandInfo) -> str:
    """What ``Get-Command -Syntax`` writes of a cmdlet or function."""
    return "\r\n" + "\r\n\r\n".join(syntax_lines(info.syntax)) + "\r\n"


def show_command_object(info: CommandInfo) -> PsValue:
    """What ``Get-Command -ShowCommandInfo`` gives: plain data that needs no types of its own."""
    return PsValue(
        {
            "Name": info.name,
            "ModuleName": info.module,
            "Module": PsValue({"Name": info.module}),
            "CommandType": _kind(info.command_type),
            "Definition": syntax_text(info),
            "ParameterSets": [
                PsValue(
                    {
                        "Name": set_name,
                        "IsDefault": set_name == info.syntax.default_set,
                        "Parameters": [
                            _show_parameter(p, membership)
                            for p in info.syntax.all_parameters()
                            if (membership := p.membership(set_name)) is not None
                        ],
                    }
                )
                for set_name in info.syntax.set_names()
            ],
        }
    )


def _show_parameter(parameter: ParameterInfo, membership: SetMembership) -> PsValue:
    return PsValue(
        {
            "Name": parameter.name,
            "IsMandatory": membership.mandatory,
            "ValueFromPipeline": membership.from_pipeline,
            "Position": _NO_POSITION if membership.position is None else membership.position,
            "ParameterType": _show_type(parameter.type),
            "HasParameterSet": bool(parameter.allowed),
            "ValidParamSetValues": list(parameter.allowed),
        }
    )


def _show_type(type_name: str) -> PsValue:
    is_array = type_name.endswith("[]")
    return PsValue(
        {
            "FullName": full_type_name(type_name),
            "IsEnum": type_name in ENUMS,
            "IsArray": is_array,
            "EnumValues": list(ENUMS.get(type_name, ())),
            "HasFlagAttribute": type_name == "CommandTypes",
            "ElementType": _show_type(type_name[:-2]) if is_array else None,
            "ImplementsDictionary": type_name == "Hashtable",
        }
    )


def _properties(info: CommandInfo) -> dict[str, Any]:
    lines = [line.removeprefix(info.name).strip() for line in syntax_lines(info.syntax)]
    return {
        "Name": info.name,
        "CommandType": _kind(info.command_type),
        "Definition": syntax_text(info),
        "OutputType": [],
        "ParameterSets": lines,
        "Parameters": dict.fromkeys(
            (p.name for p in info.syntax.all_parameters()), "System.Management.Automation.ParameterMetadata"
        ),
        "RemotingCapability": "PowerShell",
        "Source": info.module,
        "ModuleName": info.module,
        "Module": info.module or None,
        "Version": Version(info.version) if info.module else None,
        "Visibility": "Public",
        "HelpUri": "",
        "Namespace": info.module,
    }


def _kind(name: str) -> EnumValue:
    return EnumValue(_TYPE, COMMAND_TYPES[name], name)


def _object(kind: str, name: str, properties: dict[str, Any]) -> PsValue:
    names = (f"System.Management.Automation.{kind}Info", "System.Management.Automation.CommandInfo", "System.Object")
    return PsValue(properties, names, name)
