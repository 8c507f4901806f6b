"""The commands of the simulated device, one module per PowerShell module or group.

``commands_for`` gives a runspace the commands it can see. Each command is written once, against the device's
state, and bound by ``sandbox.embedded.binder``.
"""

from __future__ import annotations

from functools import cache

from akslite_ps.sandbox.commands import (
    aksedge,
    completion,
    discovery,
    helping,
    json_commands,
    measuring,
    objects,
    ops,
    ordering,
    output,
    selecting,
    sessions,
    showing,
    system,
    where,
)
from akslite_ps.sandbox.commands.table import CommandTable
from akslite_ps.sandbox.device.state import InstalledProduct

__all__ = ["CommandTable", "commands_for"]

_SUBJECTS = (
    completion,
    discovery,
    helping,
    json_commands,
    measuring,
    objects,
    ordering,
    output,
    selecting,
    sessions,
    showing,
    system,
    where,
)
_CORE = tuple(info for subject in _SUBJECTS for info in subject.COMMANDS)
_ALIASES = {
    "%": "ForEach-Object",
    "?": "Where-Object",
    "clear": "Clear-Host",
    "cls": "Clear-Host",
    "echo": "Write-Output",
    "fl": "Format-List",
    "foreach": "ForEach-Object",
    "ft": "Format-Table",
    "gcm": "Get-Command",
    "gl": "Get-Location",
    "gm": "Get-Member",
    "group": "Group-Object",
    "gsv": "Get-Service",
    "help": "Get-Help",
    "iex": "Invoke-Expression",
    "man": "Get-Help",
    "measure": "Measure-Object",
    "pwd": "Get-Location",
    "select": "Select-Object",
    "sleep": "Start-Sleep",
    "sort": "Sort-Object",
    "where": "Where-Object",
    "write": "Write-Output",
}


def commands_for(product: InstalledProduct | None) -> CommandTable:
    """The commands of a device on which this product is installed, or none."""
    return _table(product.version if product else None)


@cache
def _table(product_version: str | None) -> CommandTable:
    product = aksedge.commands(product_version) if product_version else []
    return CommandTable([*_CORE, *ops.COMMANDS, *product], _ALIASES)
