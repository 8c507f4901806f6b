"""Get-Help: what a command does and takes, from the metadata that the binder uses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import ParameterInfo, parameter, switch
from akslite_ps.sandbox.embedded.syntax import shown_type, syntax_lines
from akslite_ps.sandbox.embedded.values import text_of, wildcard
from akslite_ps.sandbox.engine import PsValue

_MAML = "MamlCommandHelpInfo"
"""Type of the help that PowerShell reads from a module's comments or files, and the beginning of the types of its parts."""
_HAS_WILDCARD = re.compile(r"[*?\[]")
_CATEGORIES = (
    *("Alias", "Cmdlet", "Provider", "General", "FAQ", "Glossary", "HelpFile", "ScriptCommand", "Function", "Filter"),
    *("ExternalScript", "All", "DefaultHelp", "Workflow", "DscResource", "Class", "Configuration"),
)
_COMMON = (
    "This cmdlet supports the common parameters: Verbose, Debug, ErrorAction, ErrorVariable, WarningAction, WarningVariable, "
    "OutBuffer, PipelineVariable, and OutVariable."
)


async def get_help(call: Call) -> AsyncIterator[PsValue]:
    async for values in call.each():
        name = values.get("Name") or ("*" if values.get("Category") else "Get-Help")
        found = _found(call, name, values.get("Category") or [])
        if not found:
            if _HAS_WILDCARD.search(name):
                continue
            _not_found(call, name)
        if len(found) > 1:
            pattern = wildcard(values.get("Parameter") or "*")
            for info in found:
                if "Parameter" not in values or any(pattern.fullmatch(p.name) for p in info.syntax.parameters):
                    yield _short_help(info)
        elif "Parameter" in values:
            for one in _parameters(call, found[0], values["Parameter"]):
                yield one
        else:
            yield _help(found[0], values)


def _found(call: Call, name: str, categories: list[str]) -> list[CommandInfo]:
    commands = call.runspace.commands
    info = None if _HAS_WILDCARD.search(name) else commands.find(name)
    found = [info] if info else []
    if not found:
        pattern = wildcard(name if _HAS_WILDCARD.search(name) else f"*{name}*")
        found = sorted((one for one in commands if pattern.fullmatch(one.name)), key=lambda one: one.name.casefold())
    wanted = {category.casefold() for category in categories} - {"all"}
    return [one for one in found if not wanted or one.command_type.casefold() in wanted]


def _not_found(call: Call, name: str) -> NoReturn:
    call.fail(
        f'Get-Help could not find {name} in a help file in this session. To download updated help topics type: "Update-Help". To '
        "get help online, search for the help topic in the TechNet library at https://go.microsoft.com/fwlink/?LinkID=107116.",
        "HelpNotFound",
        "ResourceUnavailable",
        exception="Microsoft.PowerShell.Commands.HelpNotFoundException",
    )


def _parameters(call: Call, info: CommandInfo, text: str) -> list[PsValue]:
    pattern = wildcard(text)
    found = [p for p in info.syntax.parameters if pattern.fullmatch(p.name)]
    if not found:
        call.error(
            f"No parameter matches criteria {text}.",
            "NoParmsFound",
            "InvalidArgument",
            exception="System.Management.Automation.PSArgumentException",
            target=text,
        )
    return [_parameter_help(p) for p in found]


def _short_help(info: CommandInfo) -> PsValue:
    return PsValue(
        {"Name": info.name, "Category": info.command_type, "Module": info.module, "Synopsis": info.synopsis},
        ("HelpInfoShort", "System.Object"),
    )


def _help(info: CommandInfo, values: Any) -> PsValue:
    syntax = syntax_lines(info.syntax, show_allowed=True)
    view = next((word for word in ("Full", "Detailed", "Examples") if values.get(word)), "")
    parameters = [_parameter_help(p) for p in info.syntax.parameters]
    item = PsValue({"name": info.name, "parameter": parameters}, (f"{_MAML}#syntaxItem",))
    return PsValue(
        {
            "parameters": PsValue({"parameter": parameters}, (f"{_MAML}#parameters",)),
            "syntax": PsValue({"syntaxItem": [item]}, (f"{_MAML}#syntax",), "\r\n".join(syntax)),
            "details": PsValue({"name": info.name, "description": _paragraph(info.synopsis)}, (f"{_MAML}#details",)),
            "examples": None,
            "Name": info.name,
            "Category": info.command_type,
            "Synopsis": info.synopsis,
            "Component": None,
            "Role": None,
            "Functionality": None,
            "ModuleName": info.module,
        },
        (f"{_MAML}#{view}View", f"HelpInfo#{view}View", _MAML, "HelpInfo") if view else (_MAML, "HelpInfo"),
        _help_text(info, syntax, view),
    )


def _paragraph(text: str) -> list[PsValue]:
    return [PsValue({"Text": text}, ("MamlParaTextItem", "MamlTextItem"), text)]


def _help_text(info: CommandInfo, syntax: list[str], view: str) -> str:
    blocks = [("NAME", [info.name]), ("SYNOPSIS", [info.synopsis])]
    if view != "Examples":
        blocks.append(("SYNTAX", syntax))
    if view in {"Full", "Detailed"}:
        lines = [line for p in info.syntax.parameters for line in _parameter_lines(p, full=view == "Full")]
        blocks.append(("PARAMETERS", [*lines, "<CommonParameters>", f"    {_COMMON}"]))
    if view == "Full":
        inputs = dict.fromkeys(shown_type(p.type) for p in info.syntax.parameters if _takes_input(p))
        blocks.append(("INPUTS", list(inputs) or ["None"]))
    if not view:
        blocks.append(("ALIASES", ["None"]))
        blocks.append(("REMARKS", ["None"]))
    return "\r\n".join(title + "\r\n" + "".join(f"    {line}\r\n" for line in lines) for title, lines in blocks)


def _parameter_help(info: ParameterInfo) -> PsValue:
    """As PowerShell makes it of a comment in a function: texts throughout, and positions that count from one."""
    return PsValue(
        {
            "parameterValue": info.type,
            "description": _paragraph(info.description or info.name),
            "name": info.name,
            "defaultValue": "" if info.default is None else text_of(info.default),
            "type": PsValue({"name": info.type}, (f"{_MAML}#type",)),
            "required": str(_required(info)).lower(),
            "globbing": "false",
            "pipelineInput": _pipeline_input(info),
            "position": _position(info),
        },
        (f"{_MAML}#parameter",),
        "\r\n".join([*_parameter_lines(info, full=True), ""]),
    )


def _parameter_lines(info: ParameterInfo, *, full: bool) -> list[str]:
    lines = [f"-{info.name} " + (f"[<{info.type}>]" if info.is_switch else f"<{info.type}>")]
    if info.description:
        lines += [f"    {info.description}", "    "]
    if info.allowed:
        lines.append(f"    Possible values: {', '.join(info.allowed)}")
    if full:
        rows = {
            "Required?": str(_required(info)).lower(),
            "Position?": _position(info),
            "Default value": "" if info.default is None else text_of(info.default),
            "Accept pipeline input?": _pipeline_input(info),
            "Accept wildcard characters?": "false",
        }
        lines += [f"    {label.ljust(29)}{value}".rstrip() for label, value in rows.items()]
    return [*lines, ""]


def _required(info: ParameterInfo) -> bool:
    return any(membership.mandatory for membership in info.sets.values())


def _position(info: ParameterInfo) -> str:
    positions = [m.position for m in info.sets.values() if m.position is not None]
    return str(positions[0] + 1) if positions else "named"


def _takes_input(info: ParameterInfo) -> bool:
    return any(m.from_pipeline or m.from_property for m in info.sets.values())


def _pipeline_input(info: ParameterInfo) -> str:
    ways = []
    if any(m.from_pipeline for m in info.sets.values()):
        ways.append("ByValue")
    if any(m.from_property for m in info.sets.values()):
        ways.append("ByPropertyName")
    return f"true ({', '.join(ways)})" if ways else "false"


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Get-Help",
        get_help,
        parameter("Name", "String", position=0, from_property=True),
        parameter("Category", "String[]", allowed=_CATEGORIES),
        parameter("Component", "String[]"),
        parameter("Functionality", "String[]"),
        parameter("Role", "String[]"),
        switch("Detailed", sets=["DetailedView"]),
        switch("Full", sets=["AllUsersView"]),
        switch("Examples", sets=["Examples"]),
        parameter("Parameter", "String", mandatory=True, sets=["Parameters"]),
        module="Microsoft.PowerShell.Core",
        class_name="GetHelpCommand",
        default_set="AllUsersView",
        version="3.0.0.0",
        synopsis="Tells what a command does and takes.",
        read_only=True,
    ),
)
