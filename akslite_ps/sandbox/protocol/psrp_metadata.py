"""A command's metadata as GET_COMMAND_METADATA is answered: what Import-PSSession makes its proxies of.

Called by ``protocol.psrp``. Objects are those of [MS-PSRP] 2.2.3.21 to 2.2.3.23; type names and the order of properties are
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

from akslite_ps.sandbox.engine import CommandDescription, ParameterDescription
from akslite_ps.sandbox.protocol.clixml import Complex, enum

_MSCORLIB = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_AUTOMATION = "System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
_SELECTED = ("System.Management.Automation.PSCustomObject", "System.Object")
_TYPE_LIST = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Management.Automation.PSTypeName, {_AUTOMATION}]]",
    "System.Object",
)
_ALIASES = (f"System.Collections.ObjectModel.Collection`1[[System.String, {_MSCORLIB}]]", "System.Object")
_PARAMETER = "System.Management.Automation.ParameterMetadata"
_PARAMETERS = (
    f"System.Collections.Generic.Dictionary`2[[System.String, {_MSCORLIB}],[{_PARAMETER}, {_AUTOMATION}]]",
    "System.Object",
)
COMMAND_TYPES: Mapping[str, int] = {
    "Alias": 1,
    "Function": 2,
    "Filter": 4,
    "Cmdlet": 8,
    "ExternalScript": 16,
    "Application": 32,
    "Script": 64,
}
"""System.Management.Automation.CommandTypes."""


def command_count(count: int) -> Complex:
    """How many descriptions follow."""
    return Complex(("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", *_SELECTED), notes={"Count": count})


def command_metadata(command: CommandDescription) -> Complex:
    """One command."""
    return Complex(
        (f"Selected.System.Management.Automation.{command.kind}Info", *_SELECTED),
        notes={
            "Name": command.name,
            "Namespace": command.module,
            "HelpUri": command.help_uri or "",
            "CommandType": enum("System.Management.Automation.CommandTypes", COMMAND_TYPES[command.kind], command.kind),
            "ResolvedCommandName": command.resolved_name,
            "OutputType": Complex(_TYPE_LIST, items=command.output_types),
            "Parameters": Complex(_PARAMETERS, entries={each.name: _parameter(each) for each in command.parameters}),
        },
    )


def _parameter(parameter: ParameterDescription) -> Complex:
    return Complex(
        (_PARAMETER, "System.Object"),
        adapted={
            "Name": parameter.name,
            "ParameterType": parameter.type_name,
            "Aliases": Complex(_ALIASES, items=parameter.aliases),
            "IsDynamic": False,
            "SwitchParameter": parameter.is_switch,
        },
        text=_PARAMETER,
    )
