"""Who may do what on a least-privilege (JEA) endpoint, as data: role capabilities and session configurations.

The simulated device enforces them; role capability files (.psrc) and session configuration files (.pssc) can be written from
them. Commands come from the catalogs by their risk, so that a new cmdlet gets its place by being classified there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from akslite_ps.aksedge.catalog import CmdletSpec, ParameterSpec, Risk, load_catalog, load_ops_catalog
from akslite_ps.errors import UsageError

VIEWER_ENDPOINT = "AksLite.Viewer"
OPERATOR_ENDPOINT = "AksLite.Operator"
VIEWERS = "AksEdge-Viewers"
OPERATORS = "AksEdge-Operators"

_SERVICES = ("WinRM", "hns", "iphlpsvc", "vmms", "wssdagent")

# A path that an operator chooses is written or read with the rights of an administrator: only content goes in, and files go
# where the product puts them. -Force of New-AksEdgeDeployment belongs to the form with a file.
_HIDDEN: Mapping[str, frozenset[str]] = {
    "Add-AksEdgeNode": frozenset({"JsonConfigFilePath"}),
    "Connect-AksEdgeArc": frozenset({"JsonConfigFilePath"}),
    "Get-AksEdgeEventLog": frozenset({"OutputPath"}),
    "Get-AksEdgeLogs": frozenset({"OutputPath"}),
    "New-AksEdgeConfig": frozenset({"outFile"}),
    "New-AksEdgeDeployment": frozenset({"JsonConfigFilePath", "Force"}),
    "New-AksEdgeScaleConfig": frozenset({"outFile"}),
    "Test-AksEdgeNetworkParameters": frozenset({"JsonConfigFilePath"}),
}

# An installer runs with all rights on the device: who may choose any has them, too.
_FROM_MICROSOFT = (
    r"https://aka\.ms/aks-edge/[\w-][\w.-]*",
    r"https://download\.microsoft\.com/([\w-][\w.-]*/)*[\w-][\w.-]*\.msi",
)
_SOURCES: Mapping[tuple[str, str], tuple[str, ...]] = {("Install-AksLiteMsi", "Source"): _FROM_MICROSOFT}
_SHARE = re.compile(r"(\\\\[^\\/\"'<>|?*:\s][^\\/\"<>|?*:\r\n]*|[A-Za-z]:)(\\[^\\/\"<>|?*:\r\n]+)+")


@dataclass(frozen=True, slots=True)
class VisibleParameter:
    """A parameter that a role may use.

    Args:
        name: As the command declares it.
        allowed: ValidateSet; empty where the role adds none.
        pattern: ValidatePattern, None where the role adds none.
    """

    name: str
    allowed: tuple[str, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class VisibleCommand:
    """A command that a role may use.

    Args:
        name: Without its module.
        module: The module it comes from.
        kind: Under which field of the role capability it stands.
        parameters: Those that exist for the role, beside the common ones; None for all.
    """

    name: str
    module: str
    kind: Literal["Function", "Cmdlet"] = "Function"
    parameters: tuple[VisibleParameter, ...] | None = None

    @property
    def qualified_name(self) -> str:
        """``Module\\Name``, as role capabilities should name it."""
        return f"{self.module}\\{self.name}"


@dataclass(frozen=True, slots=True)
class RoleCapability:
    """What one role may do: the content of a role capability file.

    Args:
        name: The file's name without ``.psrc``.
        description: For people.
        modules: Imported for its commands.
        commands: What it may use, in order of name.
    """

    name: str
    description: str
    modules: tuple[str, ...]
    commands: tuple[VisibleCommand, ...]


@dataclass(frozen=True, slots=True)
class SessionConfiguration:
    """An endpoint: the content of a session configuration file.

    Args:
        name: What clients ask for.
        description: For people.
        role_definitions: Local group to the role capability its members get.
        session_type: ``RestrictedRemoteServer`` implies NoLanguage and hides everything but eight commands.
        run_as_virtual_account: The session runs as a local account made for it, not as the one who connects.
        virtual_account_groups: The groups of that account; administrators where empty.
    """

    name: str
    description: str
    role_definitions: Mapping[str, RoleCapability]
    session_type: Literal["RestrictedRemoteServer"] = "RestrictedRemoteServer"
    run_as_virtual_account: bool = True
    virtual_account_groups: tuple[str, ...] = field(default=())


@cache
def viewer_role() -> RoleCapability:
    """Looks at everything, changes nothing."""
    commands = [*_visible({"read"}), _services()]
    return RoleCapability("AksEdgeViewer", "Read the state of AKS Edge Essentials.", ("AksEdge", "AksLiteOps"), _sorted(commands))


@cache
def operator_role() -> RoleCapability:
    """Does the daily work and builds; neither destroys nor gets hold of the cluster's or the node's full power."""
    commands = [*_visible({"read", "routine", "build"}), _services()]
    return RoleCapability("AksEdgeOperator", "Run AKS Edge Essentials day by day.", ("AksEdge", "AksLiteOps"), _sorted(commands))


@cache
def session_configurations() -> tuple[SessionConfiguration, ...]:
    """The project's restricted endpoints."""
    return (
        SessionConfiguration(VIEWER_ENDPOINT, "AKS Edge Essentials, read only", {VIEWERS: viewer_role()}),
        SessionConfiguration(OPERATOR_ENDPOINT, "AKS Edge Essentials, daily work", {OPERATORS: operator_role()}),
    )


def with_installers(role: RoleCapability, folder: str) -> RoleCapability:
    """The role with installers from a folder besides Microsoft's own; unchanged where it may not install.

    Args:
        role: The role.
        folder: A share, or a folder on the device, that only administrators can write to: ``\\\\server\\share\\aksedge``.

    Raises:
        UsageError: It is no full path of a folder below a share or drive.
    """
    if not _SHARE.fullmatch(folder) or any(part.strip(" .") == "" for part in folder.lstrip("\\").split("\\")):
        raise UsageError(
            f"{folder!r} is no folder for installers",
            next_action=r"give a share with a folder, \\server\share\aksedge, or a folder on the device, D:\Installers",
        )
    # One level only, and no dots first: .. would lead out of the folder.
    below = re.escape(folder.rstrip("\\")).replace("\\ ", " ") + r"\\[\w-][\w. -]*\.msi"
    return replace(role, commands=tuple(_installing_from(command, below) for command in role.commands))


def _installing_from(command: VisibleCommand, pattern: str) -> VisibleCommand:
    if command.parameters is None or command.name not in {name for name, _ in _SOURCES}:
        return command
    widened = tuple(
        replace(parameter, pattern=_one_of(*sources, pattern))
        if (sources := _SOURCES.get((command.name, parameter.name)))
        else parameter
        for parameter in command.parameters
    )
    return replace(command, parameters=widened)


def _one_of(*patterns: str) -> str:
    """One pattern for a whole value, whether the one who reads it anchors it or not."""
    return rf"^(?:{'|'.join(patterns)})\z"


def endpoint_for(command: str) -> str | None:
    """The least endpoint of the project that allows a command; None where none does and an administrator is needed."""
    for configuration in session_configurations():
        for role in configuration.role_definitions.values():
            if any(command.casefold() == visible.name.casefold() for visible in role.commands):
                return configuration.name
    return None


def _visible(risks: set[Risk]) -> list[VisibleCommand]:
    specs = [*load_catalog().current, *load_ops_catalog().current]
    return [_command(spec) for spec in specs if spec.risk in risks]


def _command(spec: CmdletSpec) -> VisibleCommand:
    hidden = _HIDDEN.get(spec.name, frozenset())
    shown = tuple(_parameter(spec, p) for p in spec.parameters if p.name not in hidden and not _is_common(spec, p))
    constrained = bool(hidden) or any(p.allowed or p.pattern for p in shown)
    return VisibleCommand(spec.name, spec.module, parameters=shown if constrained else None)


def _parameter(command: CmdletSpec, spec: ParameterSpec) -> VisibleParameter:
    sources = _SOURCES.get((command.name, spec.name))
    return VisibleParameter(spec.name, spec.allowed, _one_of(*sources) if sources else None)


def _is_common(spec: CmdletSpec, parameter: ParameterSpec) -> bool:
    return spec.supports_shouldprocess and parameter.name in {"WhatIf", "Confirm"}


def _services() -> VisibleCommand:
    return VisibleCommand("Get-Service", "Microsoft.PowerShell.Management", "Cmdlet", (VisibleParameter("Name", _SERVICES),))


def _sorted(commands: list[VisibleCommand]) -> tuple[VisibleCommand, ...]:
    return tuple(sorted(commands, key=lambda command: command.name.casefold()))
