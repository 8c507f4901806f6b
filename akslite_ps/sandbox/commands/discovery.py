"""Get-Command and Get-FormatData. What Get-Command shows comes from the same metadata that the binder uses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from akslite_ps.sandbox.commands.command_objects import alias_object, command_object, show_command_object, syntax_text
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.failures import NOT_RECOGNIZED
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import wildcard

_MODULE = "Microsoft.PowerShell.Core"
_HAS_WILDCARD = re.compile(r"[*?\[]")
_ORDER = ("Alias", "Function", "Cmdlet")
_Found = tuple[str, CommandInfo]


async def get_command(call: Call) -> AsyncIterator[Any]:
    left = call["TotalCount"]
    left = None if left is None or left < 0 else left
    async for values in call.each():
        for name, info in _asked(call, values):
            if left is not None and left <= 0:
                return
            left = None if left is None else left - 1
            yield _shown(name, info, values)


def _asked(call: Call, values: Mapping[str, Any]) -> list[_Found]:
    names: list[str] = values.get("Name") or []
    if not names:
        # Of the aliases only those in the form Verb-Noun, unless somebody asks for a number of commands.
        found = [f for f in _all(call) if not _is_alias(f) or "-" in f[0] or _wants_aliases(values)]
        return [one for one in found if _wanted(one, values)]
    asked: list[_Found] = []
    for name in names:
        if _HAS_WILDCARD.search(name):
            asked += [one for one in _matching(call, name) if _wanted(one, values)]
            continue
        info = call.runspace.commands.find(name)
        own = name.rpartition("\\")[2]
        one = None if info is None else (own if own.casefold() in call.runspace.commands.aliases else info.name, info)
        if one is None or not _wanted(one, values):
            _not_recognized(call, name)
        else:
            asked.append(one)
    return asked


def _wants_aliases(values: Mapping[str, Any]) -> bool:
    return "CommandType" in values or "TotalCount" in values or bool(values.get("All"))


def _all(call: Call) -> list[_Found]:
    commands = call.runspace.commands
    aliases: list[_Found] = [(alias, info) for alias in commands.aliases if (info := commands.find(alias)) is not None]
    found = [*aliases, *((info.name, info) for info in commands)]
    return sorted(found, key=lambda one: (_ORDER.index(_kind(one)), one[0].casefold()))


def _matching(call: Call, pattern: str) -> list[_Found]:
    module, _, bare = pattern.rpartition("\\")
    names, modules = wildcard(bare), wildcard(module or "*")
    return [one for one in _all(call) if names.fullmatch(one[0]) and (not module or modules.fullmatch(one[1].module))]


def _is_alias(one: _Found) -> bool:
    return one[0] != one[1].name


def _kind(one: _Found) -> str:
    return "Alias" if _is_alias(one) else one[1].command_type


def _wanted(one: _Found, values: Mapping[str, Any]) -> bool:
    name, info = one
    verb, dash, noun = name.partition("-")
    if (values.get("Verb") or values.get("Noun")) and (not dash or _is_alias(one)):
        return False
    kinds = {kind.strip() for kind in (values.get("CommandType") or "All").split(",")}
    if not kinds & {"All", _kind(one)}:
        return False
    module = "" if _is_alias(one) else info.module
    for asked, actual in (("Module", module), ("Verb", verb), ("Noun", noun)):
        patterns = values.get(asked)
        if patterns and not any(wildcard(text).fullmatch(actual) for text in patterns):
            return False
    patterns = values.get("ParameterName")
    return not patterns or any(_has_parameter(info, text) for text in patterns)


def _has_parameter(info: CommandInfo, text: str) -> bool:
    pattern = wildcard(text)
    return any(pattern.fullmatch(name) for p in info.syntax.all_parameters() for name in p.names())


def _not_recognized(call: Call, name: str) -> None:
    call.error(
        NOT_RECOGNIZED.format(name),
        "CommandNotFoundException",
        "ObjectNotFound",
        exception="System.Management.Automation.CommandNotFoundException",
        target=name,
    )


def _shown(name: str, info: CommandInfo, values: Mapping[str, Any]) -> Any:
    is_alias = name != info.name
    if values.get("Syntax"):
        return info.name if is_alias else syntax_text(info)
    if values.get("ShowCommandInfo"):
        return show_command_object(info)
    return alias_object(name, info) if is_alias else command_object(info)


async def get_format_data(_call: Call) -> None:
    """Clients of a session ask for formats of the types they get; the device has none that differ from Windows PowerShell's own."""


_CMDLET_SET, _ALL_SET = "CmdletSet", "AllCommandSet"
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Get-Command",
        get_command,
        parameter("Name", "String[]", position=0, from_pipeline=True, from_property=True, sets=[_ALL_SET], not_empty=True),
        parameter("Verb", "String[]", from_property=True, sets=[_CMDLET_SET]),
        parameter("Noun", "String[]", from_property=True, sets=[_CMDLET_SET]),
        parameter("Module", "String[]", from_property=True, aliases=("PSSnapin",)),
        parameter("CommandType", "CommandTypes", from_property=True, sets=[_ALL_SET], aliases=("Type",)),
        parameter("TotalCount", "Int32", from_property=True),
        switch("Syntax"),
        switch("ShowCommandInfo"),
        parameter("ArgumentList", "Object[]", position=1, aliases=("Args",), remaining=True, may_be_empty=True),
        switch("All"),
        switch("ListImported"),
        parameter("ParameterName", "String[]", not_empty=True),
        module=_MODULE,
        class_name="GetCommandCommand",
        default_set=_CMDLET_SET,
        version="3.0.0.0",
        synopsis="Lists the commands of this session.",
        read_only=True,
    ),
    cmdlet(
        "Get-FormatData",
        get_format_data,
        parameter("TypeName", "String[]", position=0, not_empty=True),
        parameter("PowerShellVersion", "Version"),
        module="Microsoft.PowerShell.Utility",
        class_name="GetFormatDataCommand",
        synopsis="Tells how objects are shown.",
        read_only=True,
    ),
)
