"""What a restricted session shows of the device's commands: JEA's eight, and those that the user's role lists.

Called by ``device.session_configurations``. A command that a role constrains becomes a function of its own with only the listed
parameters, as PowerShell does it; everything else cannot be found, not even by its full name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from akslite_ps.aksedge.roles import RoleCapability, VisibleCommand, VisibleParameter
from akslite_ps.sandbox.commands.table import CommandTable
from akslite_ps.sandbox.embedded.cmdlet import CommandInfo
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo, parameter, switch

_NAME_COUNT = (0, 1000)
_HELP_CATEGORIES = (
    *("None", "Alias", "Cmdlet", "Provider", "General", "FAQ", "Glossary", "HelpFile", "ScriptCommand", "Function"),
    *("Filter", "ExternalScript", "DefaultHelp", "Workflow", "Configuration", "DscResource", "Class", "All"),
)
_COMMAND_PROPERTIES = (
    *("ModuleName", "Namespace", "OutputType", "Count", "HelpUri", "Name", "CommandType", "ResolvedCommandName"),
    *("DefaultParameterSet", "CmdletBinding", "Parameters"),
)


def _piped(position: int) -> ParameterInfo:
    """What the pipeline gives; a function's parameter has a position even where nobody meant it to."""
    return parameter("InputObject", "Object", mandatory=True, from_pipeline=True, position=position)


def _names(name: str, position: int, count: tuple[int, int]) -> ParameterInfo:
    return replace(parameter(name, "String[]", position=position), length=(0, 1000), count=count)


# The parameters that PowerShell leaves of the commands which every restricted remote session has: what Import-PSSession and
# Enter-PSSession need, and no more (CommandMetadata.GetRestrictedCommands).
DEFAULT_PARAMETERS: dict[str, tuple[ParameterInfo, ...]] = {
    "Get-Command": (
        _names("Name", 0, _NAME_COUNT),
        _names("Module", 1, (0, 100)),
        replace(parameter("ArgumentList", "Object[]", position=2), count=(0, 100)),
        parameter("CommandType", "CommandTypes", position=3),
        switch("ListImported"),
        switch("ShowCommandInfo"),
    ),
    "Get-FormatData": (_names("TypeName", 0, _NAME_COUNT), parameter("PowerShellVersion", "Version", position=1)),
    "Get-Help": (
        replace(
            parameter("Name", "String", position=0),
            pattern=r"^[-._:\\\p{Ll}\p{Lu}\p{Lt}\p{Lo}\p{Nd}\p{Lm}]{1,100}$",
            length=(0, 1000),
        ),
        replace(parameter("Category", "String[]", position=1, allowed=_HELP_CATEGORIES), count=(0, 1)),
    ),
    "Measure-Object": (_piped(0),),
    "Out-Default": (_piped(0),),
    "Select-Object": (
        replace(parameter("Property", "String[]", position=0, allowed=_COMMAND_PROPERTIES), count=(1, 11)),
        _piped(1),
    ),
    "Exit-PSSession": (),
    "Clear-Host": (),
}
_DEFAULT_ALIASES = {
    "clear": "Clear-Host",
    "cls": "Clear-Host",
    "exsn": "Exit-PSSession",
    "gcm": "Get-Command",
    "measure": "Measure-Object",
    "select": "Select-Object",
}


@cache
def restricted_to(role: RoleCapability, commands: CommandTable) -> CommandTable:
    """The part of a device's commands that a session of a role can see."""
    return CommandTable([*_defaults(commands), *_of_role(role, commands)], _DEFAULT_ALIASES)


def _defaults(commands: CommandTable) -> Iterator[CommandInfo]:
    for name, parameters in DEFAULT_PARAMETERS.items():
        info = commands.find(name)
        assert info is not None, "every device has them"
        yield _function(info, parameters, default_set=None)


def _of_role(role: RoleCapability, commands: CommandTable) -> Iterator[CommandInfo]:
    for visible in role.commands:
        info = commands.find(visible.qualified_name)
        if info is not None:
            yield info if visible.parameters is None else _constrained(info, visible)


def _constrained(info: CommandInfo, visible: VisibleCommand) -> CommandInfo:
    shown = {p.name.casefold(): p for p in visible.parameters or ()}
    left = [(p, shown[p.name.casefold()]) for p in info.syntax.parameters if p.name.casefold() in shown]
    return _function(info, tuple(_narrowed(*pair) for pair in left), default_set=info.syntax.default_set)


def _narrowed(own: ParameterInfo, visible: VisibleParameter) -> ParameterInfo:
    """A role's pattern takes the place of its set of values; both are checked beside the command's own."""
    if visible.pattern is not None:
        return replace(own, pattern=f"^({visible.pattern})$")
    return replace(own, allowed=visible.allowed) if visible.allowed else own


def _function(info: CommandInfo, parameters: tuple[ParameterInfo, ...], *, default_set: str | None) -> CommandInfo:
    syntax = CommandSyntax(info.name, parameters, default_set, info.syntax.should_process, error_source=info.name)
    return replace(info, syntax=syntax, module="", version="0.0")
