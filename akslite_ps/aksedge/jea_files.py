"""The project's least-privilege (JEA) endpoints as the files Windows wants: role capabilities and session configurations.

Written from ``aksedge.roles`` by ``akslite jea export``. The layout of the files is that of New-PSRoleCapabilityFile and
New-PSSessionConfigurationFile; role capabilities are found in the folder ``RoleCapabilities`` of any module on the device.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path, PurePosixPath

from akslite_ps.aksedge.roles import (
    OPERATORS,
    VIEWERS,
    RoleCapability,
    SessionConfiguration,
    VisibleCommand,
    VisibleParameter,
    session_configurations,
    with_installers,
)
from akslite_ps.errors import UsageError
from akslite_ps.whole_file import write_whole

ROLES_MODULE = "AksLiteRoles"
OPS_MODULE = "AksLiteOps"
TRANSCRIPTS = r"C:\ProgramData\AksLite\Transcripts"
_FULL_PATH = re.compile(r"[A-Za-z]:(\\[^\\/\"<>|?*:\r\n\x00-\x1f]+)+")
_NAMESPACE = uuid.UUID("0d3b6bb0-5c1f-5f0b-9d0b-3c6b2b1a7f42")
_FORBIDDEN_IN_GROUP = "'\"`$;{}()\r\n"

Data = str | bool | Sequence["Data"] | Mapping[str, "Data"]


def export(
    folder: Path,
    *,
    groups: Mapping[str, str] | None = None,
    transcripts: str = TRANSCRIPTS,
    installers: str | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write everything a device needs to offer the endpoints.

    Args:
        folder: Where; made if it does not exist.
        groups: Other groups than the default local ones, by their default names: ``{"AksEdge-Operators": r"CORP\\EdgeOps"}``.
        transcripts: Folder on the device for the sessions' transcripts, a full path.
        installers: A share or folder from which operators may install, besides Microsoft's own addresses.
        force: Replace files that exist.

    Returns:
        The files written.

    Raises:
        UsageError: A file exists, a group is unknown or cannot be a group's name, a path is none, or the folder cannot be
            written.
    """
    wanted = _checked(groups or {})
    if not _FULL_PATH.fullmatch(transcripts):
        raise UsageError(
            f"{transcripts!r} is no folder for transcripts", next_action=f"use a full path on the device, such as {TRANSCRIPTS}"
        )
    texts = {
        PurePosixPath(ROLES_MODULE, f"{ROLES_MODULE}.psd1"): roles_manifest(),
        PurePosixPath("README.md"): _readme(wanted, transcripts, installers),
    }
    for configuration in session_configurations():
        texts[PurePosixPath(f"{configuration.name}.pssc")] = session_configuration_file(
            configuration, groups=wanted, transcripts=transcripts
        )
        for role in configuration.role_definitions.values():
            shown = with_installers(role, installers) if installers is not None else role
            texts[PurePosixPath(ROLES_MODULE, "RoleCapabilities", f"{role.name}.psrc")] = role_capability_file(shown)
    for source in files(__package__).joinpath("data", OPS_MODULE).iterdir():
        texts[PurePosixPath(OPS_MODULE, source.name)] = source.read_text(encoding="utf-8")
    return _write(folder, texts, force=force)


def role_capability_file(role: RoleCapability) -> str:
    """The text of a .psrc file."""
    return _data_file(
        {
            "GUID": _guid(f"role/{role.name}"),
            "Author": "akslite-ps",
            "CompanyName": "akslite-ps",
            "Copyright": "MIT License",
            "Description": role.description,
            "ModulesToImport": role.modules,
            "VisibleFunctions": [_visible(command) for command in role.commands if command.kind == "Function"],
            "VisibleCmdlets": [_visible(command) for command in role.commands if command.kind == "Cmdlet"],
        }
    )


def session_configuration_file(
    configuration: SessionConfiguration, *, groups: Mapping[str, str] | None = None, transcripts: str = TRANSCRIPTS
) -> str:
    """The text of a .pssc file; ``groups`` and ``transcripts`` as for :func:`export`."""
    named = groups or {}
    data: dict[str, Data] = {
        "SchemaVersion": "2.0.0.0",
        "GUID": _guid(f"endpoint/{configuration.name}"),
        "Author": "akslite-ps",
        "Description": configuration.description,
        "SessionType": configuration.session_type,
        "LanguageMode": "NoLanguage",
        "ExecutionPolicy": "RemoteSigned",
        "RunAsVirtualAccount": configuration.run_as_virtual_account,
        "TranscriptDirectory": transcripts,
        "RoleDefinitions": {
            named.get(group, group): {"RoleCapabilities": role.name} for group, role in configuration.role_definitions.items()
        },
    }
    if configuration.virtual_account_groups:
        data["RunAsVirtualAccountGroups"] = configuration.virtual_account_groups
    return _data_file(data)


def roles_manifest() -> str:
    """The manifest of the module that carries the role capabilities and nothing else."""
    return _data_file(
        {
            "ModuleVersion": "0.1.0",
            "GUID": _guid("module"),
            "Author": "akslite-ps",
            "CompanyName": "akslite-ps",
            "Copyright": "MIT License",
            "Description": "Roles for AKS Edge Essentials: viewer and operator.",
            "PowerShellVersion": "5.1",
            "FunctionsToExport": [],
            "CmdletsToExport": [],
            "AliasesToExport": [],
        }
    )


def _visible(command: VisibleCommand) -> Data:
    """An entry of VisibleFunctions or VisibleCmdlets.

    One with parameters must not carry its module: PowerShell 7.6.9 then leaves the command as it was, with all its parameters
    (tried with the engine). An empty list hides every parameter but the common ones.
    """
    if command.parameters is None:
        return command.qualified_name
    return {"Name": command.name, "Parameters": [_parameter(parameter) for parameter in command.parameters]}


def _parameter(parameter: VisibleParameter) -> Data:
    data: dict[str, Data] = {"Name": parameter.name}
    if parameter.pattern is not None:
        data["ValidatePattern"] = parameter.pattern
    elif parameter.allowed:
        data["ValidateSet"] = parameter.allowed
    return data


def _guid(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _data_file(data: Mapping[str, Data]) -> str:
    width = max(len(key) for key in data)
    lines = [f"    {key.ljust(width)} = {_literal(value, '    ')}" for key, value in data.items()]
    return "\r\n".join(["@{", *lines, "}", ""])


def _literal(value: Data, indent: str) -> str:
    """A PowerShell literal. Only literals stand in these files: Windows reads them as restricted data."""
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    inner = f"{indent}    "
    if isinstance(value, Mapping):
        if all(isinstance(part, str) for part in value.values()) or set(value) <= {"Name", "ValidateSet", "ValidatePattern"}:
            return "@{ " + "; ".join(f"{_key(key)} = {_literal(part, indent)}" for key, part in value.items()) + " }"
        parts = [f"{inner}{_key(key)} = {_literal(part, inner)}" for key, part in value.items()]
        return "\r\n".join(["@{", *parts, f"{indent}}}"])
    if all(isinstance(part, str) for part in value) and sum(len(part) for part in value if isinstance(part, str)) < 80:
        return "@(" + ", ".join(_literal(part, indent) for part in value) + ")"
    return "\r\n".join(["@(", *(f"{inner}{_literal(part, inner)}" for part in value), f"{indent})"])


def _key(name: str) -> str:
    return name if name.isidentifier() else _literal(name, "")


def _checked(groups: Mapping[str, str]) -> Mapping[str, str]:
    for name, group in groups.items():
        if name not in (OPERATORS, VIEWERS):
            raise UsageError(f"there is no role group {name!r}", next_action=f"use {OPERATORS} or {VIEWERS}")
        if not group.strip() or any(character in _FORBIDDEN_IN_GROUP for character in group):
            raise UsageError(
                f"{group!r} is no name of a group", next_action=r"use e.g. CORP\EdgeOperators, or a local group's name"
            )
    return groups


def _write(folder: Path, texts: Mapping[PurePosixPath, str], *, force: bool) -> tuple[Path, ...]:
    targets = {folder.joinpath(*path.parts): text for path, text in texts.items()}
    taken = [path for path in targets if path.exists()]
    if taken and not force:
        raise UsageError(f"{taken[0]} exists", next_action="choose an empty folder, or replace the files with --force")
    try:
        for path, text in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror or error}", next_action="choose a folder that can be"
        ) from None
    return tuple(targets)


def _readme(groups: Mapping[str, str], transcripts: str, installers: str | None) -> str:
    rows, created = [], []
    for configuration in session_configurations():
        for group, role in configuration.role_definitions.items():
            named = groups.get(group, group)
            commands = ", ".join(command.name for command in role.commands)
            rows.append(f"| `{configuration.name}` | `{named}` | {role.description} | {commands} |")
            if group not in groups:
                created.append(f"New-LocalGroup -Name '{group}' -ErrorAction SilentlyContinue")
    script = "\n".join(
        [
            f'Copy-Item -Recurse -Force .\\{OPS_MODULE}, .\\{ROLES_MODULE} "$env:ProgramFiles\\WindowsPowerShell\\Modules"',
            *created,
            f"New-Item -ItemType Directory -Force {_literal(transcripts, '')} | Out-Null",
            f"foreach ($name in {', '.join(_literal(configuration.name, '') for configuration in session_configurations())}) {{",
            "    # Windows wants a local group with the name of its computer, which differs from device to device.",
            '    $text = [System.IO.File]::ReadAllText("$PWD\\$name.pssc")',
            *(f"    $text = $text.Replace(\"'{group}'\", \"'$env:COMPUTERNAME\\{group}'\")" for group in _local(groups)),
            '    $file = "$env:TEMP\\$name.pssc"',
            "    [System.IO.File]::WriteAllText($file, $text)",
            "    Register-PSSessionConfiguration -Name $name -Path $file -Force",
            "    Remove-Item $file",
            "}",
        ]
    )
    shared = (
        f", and from `{installers}`" + (" (read with the computer's own account)" if installers.startswith("\\\\") else "")
        if installers
        else ""
    )
    sources = "Microsoft's own addresses" + shared
    more = "" if installers else " (more: `akslite jea export --installers FOLDER`)"
    return f"""# Least-privilege endpoints for AKS Edge Essentials

Two PowerShell Remoting endpoints (Just Enough Administration). Whoever connects can run the commands listed here and
nothing else: no scripts, no variables, no files, no executables. Every session is transcribed on the device.

| endpoint | who may connect | for | commands |
|---|---|---|---|
{chr(10).join(rows)}

An installer runs with all rights on the device. Operators may install from {sources}{more}; only
administrators may be able to write there.

## On each device, once, in an elevated 64-bit Windows PowerShell 5.1

Change to the folder of this page first. Registering restarts WinRM: sessions that are open at that moment end. To bring a
newer version, run it again.

```powershell
{script}
```

Let only SYSTEM and auditors read `{transcripts}`: a transcript holds the parameters of commands, the secret that connects a
cluster to Azure Arc among them. Take operators out of the local Administrators: an administrator is not bound by these
endpoints. See what somebody may do with
`Get-PSSessionCapability -ConfigurationName AksLite.Operator -Username CORP\\name`.

## On the machine you work from

```
akslite device add press-01 --host press-01 --username 'CORP\\name' --password prompt: --configuration-name AksLite.Operator
```

A refused command is reported with the role that would allow it. To change what a role may do, change its `.psrc` file in
`{ROLES_MODULE}\\RoleCapabilities`; a new session sees the change. To remove an endpoint:
`Unregister-PSSessionConfiguration -Name AksLite.Operator`.
"""


def _local(groups: Mapping[str, str]) -> list[str]:
    """The groups that are made on the device."""
    named = [group for configuration in session_configurations() for group in configuration.role_definitions]
    return [group for group in named if group not in groups]
