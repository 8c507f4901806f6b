"""TabExpansion2: what can stand at the cursor of a command line, for commands, parameters and the values a parameter allows.

Answers the object that PowerShell's completion answers (CommandCompletion with CompletionResults). Paths and variables are not
completed: a client that wants those asks for them itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from akslite_ps.command_line import Spot, full_name, spot_at, word_around
from akslite_ps.sandbox.commands.command_objects import syntax_text
from akslite_ps.sandbox.commands.table import CommandTable
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.embedded.binder import named_parameter
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.conversion import ENUMS
from akslite_ps.sandbox.embedded.parameter_sets import ALL, ParameterSets
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo, parameter
from akslite_ps.sandbox.embedded.syntax import shown_type
from akslite_ps.sandbox.embedded.values import InvalidWildcard, wildcard
from akslite_ps.sandbox.engine import EnumValue, ErrorInfo, PipelineFailed, PsValue

_PARAMETER = re.compile(r"(?<!\S)-([A-Za-z_]\w*)")
_WORD = re.compile(r"""'[^']*'|"[^"]*"|[^\s,]+(?:\s*,\s*[^\s,]+)*""")
_RESULT_TYPES = {"Command": 2, "ParameterName": 7, "ParameterValue": 8}
_NEEDS_QUOTES = re.compile(r"[\s'\"(){};|&,@#$]")


async def tab_expansion(call: Call) -> PsValue:
    text = call["inputScript"]
    column = call["cursorColumn"] if call.is_bound("cursorColumn") else len(text)
    if not 0 <= column <= len(text):
        raise PipelineFailed(
            ErrorInfo(
                'Exception calling "CompleteInput" with "3" argument(s): "Cannot process argument because the value of argument '
                '"cursorIndex" is not valid. Change the value of the "cursorIndex" argument and run the operation again."',
                "PSArgumentException",
                exception_type="System.Management.Automation.MethodInvocationException",
            )
        )
    start, end, matches = _completed(call, text, column)
    return PsValue(
        {"CurrentMatchIndex": -1, "ReplacementIndex": start, "ReplacementLength": end - start, "CompletionMatches": matches},
        ("System.Management.Automation.CommandCompletion", "System.Object"),
        "System.Management.Automation.CommandCompletion",
    )


def _completed(call: Call, text: str, column: int) -> tuple[int, int, list[PsValue]]:
    """Start and end of what is replaced, and with what. The word that the cursor stands in counts whole, also behind the cursor."""
    begin, end = word_around(text, column)
    if begin == column < end or not text:
        whole = (0, len(text)) if text and not re.search(r"\s", text) else (-1, -2)
        return (column, column, []) if column else (*whole, [])
    spot = spot_at(text, end)
    segment = re.split(r"[|;\n]", text[: spot.start])[-1]
    try:
        matches = list(_matches(call, spot, segment))
    except InvalidWildcard:
        matches = []
    return spot.start - len(spot.quote), end, matches


def _matches(call: Call, spot: Spot, segment: str) -> Iterable[PsValue]:
    commands = call.runspace.commands
    if spot.kind == "command":
        return _commands(commands, spot.word)
    info = commands.find(full_name(spot.command)) if spot.command else None
    if info is None:
        return ()
    if spot.kind == "parameter":
        return _parameters(info, spot.word, _given(info, segment))
    if spot.kind == "value":
        named = named_parameter(info.syntax, spot.parameter) if spot.parameter else None
        wanted = [named] if named is not None and not named.is_switch else _at_position(info, segment)
        return [result for one in wanted for result in _values(call, info, one, spot.word, spot.quote)]
    return ()


def _commands(commands: CommandTable, word: str) -> list[PsValue]:
    pattern = wildcard(f"{word}*")
    names = sorted({*commands.aliases, *(info.name for info in commands)}, key=str.casefold) if word else []
    found = []
    for name in names:
        info = commands.find(name)
        if info is not None and pattern.fullmatch(name):
            found.append(_result(name, name, "Command", syntax_text(info) if name == info.name else info.name))
    return found


def _given(info: CommandInfo, segment: str) -> list[ParameterInfo]:
    found = (named_parameter(info.syntax, match[1]) for match in _PARAMETER.finditer(segment))
    return [p for p in found if p is not None]


def _parameters(info: CommandInfo, word: str, given: list[ParameterInfo]) -> list[PsValue]:
    """Parameters that may still be given: not twice, and only of sets that are left."""
    pattern = wildcard(f"{word}*")
    sets, left = ParameterSets(info.syntax), ALL
    for one in given:
        flags = sets.flags(one)
        left &= flags or ALL
    open_ones = [p for p in info.syntax.all_parameters() if p not in given and any(True for _ in sets.memberships(p, left))]
    found = [(p, p.name) for p in open_ones if pattern.fullmatch(p.name)] or [
        (p, alias) for p in open_ones for alias in p.aliases if pattern.fullmatch(alias)
    ]
    return [_result(f"-{name}", name, "ParameterName", f"[{_type(p)}] {name}") for p, name in found]


def _type(info: ParameterInfo) -> str:
    return "switch" if info.is_switch else shown_type(info.type)


def _at_position(info: CommandInfo, segment: str) -> list[ParameterInfo]:
    """The parameters that the next positional argument of an unfinished command can go to."""
    count, skips = 0, False
    for word in _WORD.findall(segment)[1:]:
        if word.startswith("-") and _PARAMETER.fullmatch(word):
            known = named_parameter(info.syntax, word[1:])
            skips = known is None or not known.is_switch
        elif skips:
            skips = False
        else:
            count += 1
    given = _given(info, segment)
    by_position: dict[int, list[ParameterInfo]] = {}
    for one in info.syntax.parameters:
        for position in {m.position for m in one.sets.values() if m.position is not None}:
            if one not in given:
                by_position.setdefault(position, []).append(one)
    positions = sorted(by_position)
    return by_position[positions[count]] if count < len(positions) else []


def _values(call: Call, info: CommandInfo, wanted: ParameterInfo, word: str, quote: str) -> list[PsValue]:
    pattern = wildcard(f"{word.strip(chr(39) + chr(34))}*")
    if info.name in {"Get-Command", "Get-Help"} and wanted.name == "Name":
        return _commands(call.runspace.commands, word)
    if wanted.allowed:
        known: Iterable[str] = sorted(wanted.allowed, key=lambda text: (text.casefold() != word.casefold(), text.casefold()))
    elif wanted.type in ENUMS:
        known = sorted(ENUMS[wanted.type])
    elif info.name == "Get-Service":
        known = [s.display_name if wanted.name == "DisplayName" else s.name for s in host.services(call.device)]
    else:
        known = ()
    return [_result(_quoted(text, quote), text, "ParameterValue", text) for text in known if pattern.fullmatch(text)]


def _quoted(text: str, quote: str) -> str:
    """A value between the quotes that it was begun with, or in single ones where it needs some."""
    if quote:
        return quote + text.replace(quote, quote * 2) + quote
    return "'" + text.replace("'", "''") + "'" if _NEEDS_QUOTES.search(text) or not text else text


def _result(text: str, shown: str, kind: str, tip: str) -> PsValue:
    return PsValue(
        {
            "CompletionText": text,
            "ListItemText": shown,
            "ResultType": EnumValue("System.Management.Automation.CompletionResultType", _RESULT_TYPES[kind], kind),
            "ToolTip": tip,
        },
        ("System.Management.Automation.CompletionResult", "System.Object"),
        "System.Management.Automation.CompletionResult",
    )


_INPUT_SET = "ScriptInputSet"
COMMANDS: tuple[CommandInfo, ...] = (
    CommandInfo(
        CommandSyntax(
            "TabExpansion2",
            (
                parameter("inputScript", "String", mandatory=True, position=0, sets=[_INPUT_SET], may_be_empty=True),
                parameter("cursorColumn", "Int32", position=1, sets=[_INPUT_SET]),
                parameter("options", "Hashtable", position=2, sets=[_INPUT_SET]),
            ),
            _INPUT_SET,
            error_source="TabExpansion2",
        ),
        tab_expansion,
        "",
        synopsis="Completes a command line.",
        read_only=True,
    ),
)
