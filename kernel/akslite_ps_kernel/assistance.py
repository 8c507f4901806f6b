"""Completion, help and "is it complete" for PowerShell cells and for the lines of our magics.

Answers in the form of the Jupyter messages, from what is known already (``commands``); asks no device itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from akslite_ps.command_line import CommandLineError, Spot, full_name, parse, spot_at, word_around
from akslite_ps.errors import AksLiteError
from akslite_ps_kernel.cells import CELL_MAGICS, LINE_MAGICS
from akslite_ps_kernel.commands import CommandTable, KnownParameter
from akslite_ps_kernel.connection import Connection
from akslite_ps_kernel.values_view import mime_bundle

_OPTIONS = ("--in", "--out", "--timeout", "--no-fail", "--script")
_CONSTANTS = ("true", "false", "null")
_TYPES = "_jupyter_types_experimental"


def complete(
    code: str, position: int, is_powershell: bool, connection: Connection, variables: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The ``complete_reply``, or None where Python has to answer."""
    line_start = code.rfind("\n", 0, position) + 1
    line = code[line_start:position]
    if (found := _complete_magic(line, position, is_powershell, connection)) is not None or not is_powershell:
        return found
    spot = spot_at(code, position)
    return _reply(spot.start, position, _proposals(spot, connection.commands, variables))


def inspect(code: str, position: int, connection: Connection, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The ``inspect_reply``: help on the command at the cursor, or of the command the cursor's word belongs to."""
    spot = spot_at(code, word_around(code, position)[1])
    text = ""
    if spot.kind == "variable":
        known = {name.casefold(): value for name, value in variables.items()}
        value = known.get(spot.word.partition(".")[0].casefold())
        text = "" if value is None else mime_bundle(value if isinstance(value, list) else [value])["text/plain"]
    else:
        name = spot.word if spot.kind == "command" else spot.command
        text = describe(connection.commands, full_name(name)) if name else ""
    return {"status": "ok", "found": bool(text), "data": {"text/plain": text} if text else {}, "metadata": {}}


def command_at(code: str, position: int) -> str:
    """The command whose parameters an answer for this position needs; empty where it needs none."""
    spot = spot_at(code, word_around(code, position)[1])
    return spot.command or (spot.word if spot.kind == "command" else "")


def is_complete(code: str, connection: Connection) -> dict[str, Any]:
    """The ``is_complete_reply``."""
    lines = code.split("\n")
    body = "\n".join(line for line in lines if not line.lstrip().startswith(("%%ps", *(f"%{name}" for name in LINE_MAGICS))))
    try:
        parse(body, is_switch=connection.commands.is_switch)
    except CommandLineError as error:
        return {"status": "incomplete", "indent": "    "} if error.incomplete else {"status": "invalid"}
    return {"status": "complete"}


def describe(table: CommandTable, name: str) -> str:
    """What is known of a command, as plain text; empty for an unknown one."""
    spec = table.spec(name)
    parameters = table.parameters(name, with_common=False)
    if spec is None:
        if name.casefold() not in {known.casefold() for known in table.names()}:
            return ""
        return "\n".join([name, "", *_parameter_lines(parameters)]).rstrip()
    lines = [spec.name, f"    {spec.synopsis}", ""]
    lines += [f"    {spec.cls}, module {spec.module}" + (", may require a restart" if spec.may_require_reboot else ""), ""]
    mandatory = {parameter.name for parameter in spec.parameters if parameter.mandatory}
    lines += _parameter_lines(parameters, mandatory)
    if spec.output:
        lines += ["", f"OUTPUT: {spec.output}"]
    lines += [f"NOTE: {note}" for note in spec.notes]
    return "\n".join(lines).rstrip()


def _parameter_lines(parameters: Iterable[KnownParameter], mandatory: Iterable[str] = ()) -> list[str]:
    lines = []
    for parameter in parameters:
        value = "" if parameter.is_switch else f" <{parameter.type or 'Object'}>"
        allowed = f"  one of: {', '.join(parameter.allowed)}" if parameter.allowed else ""
        lines.append(f"    -{parameter.name}{value}{'  (mandatory)' if parameter.name in mandatory else ''}{allowed}")
    return ["PARAMETERS", *lines] if lines else ["    no parameters of its own"]


def _proposals(spot: Spot, table: CommandTable, variables: Mapping[str, Any]) -> list[tuple[str, str]]:
    wanted = spot.word.casefold()
    match spot.kind:
        case "command":
            return [(name, "function") for name in table.names() if name.casefold().startswith(wanted)]
        case "parameter":
            found = [p for p in table.parameters(spot.command) if p.name.casefold().startswith(wanted)]
            return [(f"-{parameter.name}", "param") for parameter in found]
        case "variable":
            return _variables(spot.word, variables)
        case "value":
            parameter = table.parameter(spot.command, spot.parameter) if spot.parameter else None
            if parameter is not None and parameter.allowed:
                return [(value, "value") for value in parameter.allowed if value.casefold().startswith(wanted)]
            if full_name(spot.command) in ("Get-Command", "Get-Help") and spot.parameter.casefold() in ("", "name"):
                return [(name, "function") for name in table.names() if name.casefold().startswith(wanted)]
    return []


def _variables(written: str, variables: Mapping[str, Any]) -> list[tuple[str, str]]:
    name, dot, member = written.partition(".")
    if dot:
        value = next((value for known, value in variables.items() if known.casefold() == name.casefold()), None)
        if isinstance(value, list) and value:
            value = value[0]
        members = value if isinstance(value, Mapping) else ()
        return [(f"${name}.{m}", "property") for m in members if str(m).casefold().startswith(member.casefold())]
    return [
        (f"${known}", "variable") for known in sorted((*variables, *_CONSTANTS)) if known.casefold().startswith(name.casefold())
    ]


def _complete_magic(line: str, position: int, is_powershell: bool, connection: Connection) -> dict[str, Any] | None:
    stripped = line.lstrip()
    name, space, argument = stripped.partition(" ")
    if name == "%connect" and space:
        word = argument.lstrip()
        devices: list[tuple[str, str]] = []
        with suppress(AksLiteError):
            devices = [(device.name, "device") for device in connection.devices()]
        return _reply(position - len(word), position, [d for d in devices if d[0].casefold().startswith(word.casefold())])
    if name == "%%ps" and space:
        word = argument.split(" ")[-1]
        return _reply(position - len(word), position, [(option, "param") for option in _OPTIONS if option.startswith(word)])
    if is_powershell and stripped.startswith("%") and not space:
        magics = [*(f"%%{magic}" for magic in CELL_MAGICS), *(f"%{magic}" for magic in LINE_MAGICS)]
        return _reply(position - len(stripped), position, [(magic, "magic") for magic in magics if magic.startswith(stripped)])
    return None


def _reply(start: int, end: int, proposals: list[tuple[str, str]]) -> dict[str, Any]:
    matches = list(dict(proposals))
    kinds = dict(proposals)
    types = [{"start": start, "end": end, "text": text, "type": kinds[text], "signature": ""} for text in matches]
    return {
        "status": "ok",
        "matches": matches,
        "cursor_start": start,
        "cursor_end": end,
        "metadata": {_TYPES: types} if types else {},
    }
