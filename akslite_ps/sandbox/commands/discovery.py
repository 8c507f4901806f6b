"""Commands about commands: Get-Command, Get-Help, Get-FormatData.

What they show comes from the same metadata that the binder uses.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, parameter, switch
from akslite_ps.sandbox.embedded.syntax import shown_type, syntax_lines
from akslite_ps.sandbox.embedded.values import full_type_name, wildcard
from akslite_ps.sandbox.engine import EnumValue, ErrorInfo, PipelineFailed, PsValue

_MODULE = "Microsoft.PowerShell.Core"
_COMMAND_TYPES = {"Alias": 1, "Function": 2, "Cmdlet": 8}
_HAS_WILDCARD = re.compile(r"[*?\[]")


async def get_command(call: Call) -> AsyncIterator[Any]:
    left = call["TotalCount"]
    async for values in call.each():
        names: list[str] = values.get("Name") or ["*"]
        for name in names:
            found = [info for info in _named(call, name) if _wanted(info, values)]
            if not found and not _HAS_WILDCARD.search(name):
                call.error(
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
                    "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
                    "CommandNotFoundException",
                    "ObjectNotFound",
                    exception="System.Management.Automation.CommandNotFoundException",
                    target=name,
                )
            for info in found:
                if left is not None and left <= 0:
                    return
                left = None if left is None else left - 1
                yield _syntax_text(info) if values.get("Syntax") else _command_object(info)


def _named(call: Call, name: str) -> list[CommandInfo]:
    if not _HAS_WILDCARD.search(name):
        info = call.runspace.commands.find(name)
        return [info] if info else []
    pattern = wildcard(name)
    return sorted((info for info in call.runspace.commands if pattern.fullmatch(info.name)), key=lambda info: info.name.casefold())


def _wanted(info: CommandInfo, values: Any) -> bool:
    verb, _, noun = info.name.partition("-")
    for asked, actual in (("Module", info.module), ("Verb", verb), ("Noun", noun), ("CommandType", info.command_type)):
        patterns = values.get(asked)
        if patterns and not any(text == "All" or wildcard(text).fullmatch(actual) for text in patterns):
            return False
    return True


def _syntax_text(info: CommandInfo) -> str:
    return "\r\n" + "\r\n\r\n".join(syntax_lines(info.syntax)) + "\r\n"


def _command_object(info: CommandInfo) -> PsValue:
    kind = info.command_type
    verb, _, noun = info.name.partition("-")
    return PsValue(
        {
            "Name": info.name,
            "CommandType": EnumValue("System.Management.Automation.CommandTypes", _COMMAND_TYPES[kind], kind),
            "Version": info.version,
            "Source": info.module,
            "ModuleName": info.module,
            "Verb": verb,
            "Noun": noun,
            "DefaultParameterSet": info.syntax.default_set,
            "Definition": _syntax_text(info),
            "Parameters": {p.name: full_type_name(p.type) for p in info.syntax.all_parameters()},
        },
        (f"System.Management.Automation.{kind}Info", "System.Management.Automation.CommandInfo", "System.Object"),
        info.name,
    )


# -- Get-Help -----------------------------------------------------------------------------------------------------


async def get_help(call: Call) -> AsyncIterator[PsValue]:
    name = call["Name"] or "Get-Help"
    found = _named(call, name)
    if not found and not _HAS_WILDCARD.search(name):
        found = _named(call, f"*{name}*")
    if not found:
        raise PipelineFailed(
            ErrorInfo(
                message=f"Get-Help could not find {name} in a help file in this session.",
                error_id="HelpNotFound,Microsoft.PowerShell.Commands.GetHelpCommand",
                category="ResourceUnavailable",
                exception_type="Microsoft.PowerShell.Commands.HelpNotFoundException",
                activity="Get-Help",
            )
        )
    if call.is_bound("Parameter"):
        for parameter_info in _asked_parameters(call, found[0]):
            yield _parameter_help(parameter_info)
        return
    if len(found) > 1:
        for info in found:
            yield PsValue(
                {"Name": info.name, "Category": info.command_type, "Module": info.module, "Synopsis": info.synopsis},
                ("HelpInfoShort", "System.Object"),
            )
        return
    yield _help(found[0], detailed=bool(call["Full"] or call["Detailed"]))


def _asked_parameters(call: Call, info: CommandInfo) -> list[ParameterInfo]:
    pattern = wildcard(call["Parameter"])
    found = [p for p in info.syntax.parameters if pattern.fullmatch(p.name)]
    if not found:
        call.error(
            f"No parameter matches criteria {call['Parameter']}.",
            "NoParmsFound",
            "InvalidArgument",
            exception="System.Management.Automation.PSArgumentException",
            target=call["Parameter"],
        )
    return found


def _help(info: CommandInfo, *, detailed: bool) -> PsValue:
    syntax = syntax_lines(info.syntax, show_allowed=True)
    blocks = [("NAME", [info.name]), ("SYNOPSIS", [info.synopsis]), ("SYNTAX", syntax)]
    if detailed:
        blocks.append(("PARAMETERS", [line for p in info.syntax.parameters for line in _parameter_text(p).splitlines()]))
    text = "\r\n".join(title + "\r\n" + "".join(f"    {line}\r\n" for line in lines) for title, lines in blocks)
    return PsValue(
        {
            "Name": info.name,
            "Category": info.command_type,
            "ModuleName": info.module,
            "Synopsis": info.synopsis,
            "Syntax": syntax,
            "Parameters": [_parameter_help(p) for p in info.syntax.parameters],
        },
        ("ExtendedCmdletHelpInfo", "System.Object"),
        text,
    )


def _parameter_help(info: ParameterInfo) -> PsValue:
    memberships = list(info.sets.values())
    positions = [m.position for m in memberships if m.position is not None]
    return PsValue(
        {
            "Name": info.name,
            "Type": shown_type(info.type),
            "Required": any(m.mandatory for m in memberships),
            "Position": str(positions[0]) if positions else "named",
            "PipelineInput": any(m.from_pipeline or m.from_property for m in memberships),
            "DefaultValue": info.default,
            "Aliases": list(info.aliases),
            "Values": list(info.allowed),
            "Description": info.description,
        },
        ("ExtendedCmdletHelpInfo#parameter", "System.Object"),
        _parameter_text(info),
    )


def _parameter_text(info: ParameterInfo) -> str:
    head = f"-{info.name}" + ("" if info.is_switch else f" <{shown_type(info.type)}>")
    lines = [head]
    if info.description:
        lines.append(f"    {info.description}")
    if info.allowed:
        lines.append(f"    Values: {', '.join(info.allowed)}")
    if any(membership.mandatory for membership in info.sets.values()):
        lines.append("    Required")
    return "\r\n".join([*lines, ""])


async def get_format_data(_call: Call) -> None:
    """Clients of a session ask for formats; a restricted endpoint has none of its own to give."""


_CMDLET_SET, _ALL_SET = "CmdletSet", "AllCommandSet"
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Get-Command",
        get_command,
        parameter("Name", "String[]", position=0, from_pipeline=True, from_property=True, sets=[_ALL_SET]),
        parameter("Verb", "String[]", from_property=True, sets=[_CMDLET_SET]),
        parameter("Noun", "String[]", from_property=True, sets=[_CMDLET_SET]),
        parameter("Module", "String[]", from_property=True, aliases=("PSSnapin",)),
        parameter("TotalCount", "Int32", from_property=True, minimum=0),
        switch("Syntax"),
        switch("ListImported"),
        parameter("ArgumentList", "Object[]", aliases=("Args",)),
        parameter(
            "CommandType", "String[]", from_property=True, sets=[_ALL_SET], aliases=("Type",), allowed=(*_COMMAND_TYPES, "All")
        ),
        module=_MODULE,
        class_name="GetCommandCommand",
        default_set=_CMDLET_SET,
        version="3.0.0.0",
        synopsis="Lists the commands of this session.",
        read_only=True,
    ),
    cmdlet(
        "Get-Help",
        get_help,
        parameter("Name", "String", position=0, from_property=True),
        parameter("Parameter", "String"),
        switch("Full"),
        switch("Detailed"),
        switch("Examples"),
        parameter("Category", "String[]"),
        module=_MODULE,
        class_name="GetHelpCommand",
        version="3.0.0.0",
        synopsis="Tells what a command does and takes.",
        read_only=True,
    ),
    cmdlet(
        "Get-FormatData",
        get_format_data,
        parameter("TypeName", "String[]", position=0),
        parameter("PowerShellVersion", "Object"),
        module="Microsoft.PowerShell.Utility",
        class_name="GetFormatDataCommand",
        synopsis="Tells how objects are shown.",
        read_only=True,
    ),
)
