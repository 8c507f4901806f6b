"""Measure-Object: counts objects, sums and compares their properties, counts lines, words and characters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from akslite_ps.sandbox.commands.expressions import PropertyExpression
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.comparison import compare
from akslite_ps.sandbox.embedded.conversion import ConversionFailed, convert
from akslite_ps.sandbox.embedded.parameters import parameter, switch
from akslite_ps.sandbox.embedded.values import is_sequence, text_of, type_name_of
from akslite_ps.sandbox.engine import PsValue

_INFO = "Microsoft.PowerShell.Commands.{}MeasureInfo"


@dataclass(slots=True)
class _Statistics:
    """What is known of one property, or of the objects themselves."""

    count: int = 0
    total: float = 0.0
    greatest: Any = None
    least: Any = None
    lines: int = 0
    words: int = 0
    characters: int = 0
    all_numbers: bool = field(default=True)


async def measure_object(call: Call) -> AsyncIterator[PsValue]:
    names = [PropertyExpression(text_of(name), None, {}) for name in call["Property"] or []]
    found: dict[str, _Statistics] = {} if names else {"": _Statistics()}
    async for value in call.items():
        if value is None:
            continue
        if not names:
            _take(call, found[""], value)
        for expression in names:
            matches = expression.of(value)
            for label, exists, item in matches:
                statistics = found.setdefault(label, _Statistics())
                if exists:
                    _take(call, statistics, item)
    is_text = call.binding.parameter_set == "TextMeasure"
    for name, statistics in found.items():
        if names and not statistics.count:
            call.error(
                f'The property "{name}" cannot be found in the input for any objects.',
                "TextMeasurePropertyNotFound" if is_text else "GenericMeasurePropertyNotFound",
                "InvalidArgument",
                exception="System.Management.Automation.PSArgumentException",
            )
        else:
            yield _text_info(call, statistics, name or None) if is_text else _generic_info(call, statistics, name or None)


def _take(call: Call, statistics: _Statistics, value: Any) -> None:
    statistics.count += 1
    if call["Line"] or call["Word"] or call["Character"]:
        _take_text(call, statistics, text_of(value))
    if call["Sum"] or call["Average"]:
        number = _number(value)
        if number is None:
            statistics.all_numbers = False
            call.error(
                f'Input object "{text_of(value)}" is not numeric.',
                "NonNumericInputObject",
                "InvalidType",
                exception="System.Management.Automation.PSInvalidOperationException",
                target=value,
            )
            return
        statistics.total += number
    if call["Maximum"]:
        statistics.greatest = _further(value, statistics.greatest, 1)
    if call["Minimum"]:
        statistics.least = _further(value, statistics.least, -1)


def _take_text(call: Call, statistics: _Statistics, text: str) -> None:
    statistics.lines += text.count("\n") + (1 if text and not text.endswith("\n") else 0)
    statistics.words += len(text.split())
    statistics.characters += sum(not c.isspace() for c in text) if call["IgnoreWhiteSpace"] else len(text)


def _further(value: Any, known: Any, direction: int) -> Any:
    """Of two values the greater or the lesser: as numbers where both are, as texts where they are of different kinds."""
    if known is None:
        return value
    pair = [item if (number := _number(item)) is None else number for item in (value, known)]
    if type_name_of(pair[0]) != type_name_of(pair[1]):
        pair = [text_of(item) for item in pair]
    order = compare(pair[0], pair[1], case_sensitive=True)
    return value if (order or 0) * direction > 0 else known


def _number(value: Any) -> float | None:
    if is_sequence(value) or isinstance(value, dict | PsValue):
        return None
    try:
        return float(convert(value, "Double"))
    except ConversionFailed:
        return None


def _generic_info(call: Call, statistics: _Statistics, name: str | None) -> PsValue:
    sums = statistics.all_numbers
    edges: list[Any] = [statistics.greatest, statistics.least]
    numbers = [None if edge is None else _number(edge) for edge in edges]
    are_numbers = all(edge is None or number is not None for edge, number in zip(edges, numbers, strict=True))
    greatest, least = numbers if are_numbers else edges
    properties = {
        "Count": statistics.count,
        "Average": statistics.total / statistics.count if sums and call["Average"] and statistics.count else None,
        "Sum": statistics.total if sums and call["Sum"] else None,
        "Maximum": greatest,
        "Minimum": least,
        "Property": name,
    }
    kind = _INFO.format("Generic" if are_numbers else "GenericObject")
    return PsValue(properties, (kind, _INFO.format(""), "System.Object"))


def _text_info(call: Call, statistics: _Statistics, name: str | None) -> PsValue:
    properties = {
        "Lines": statistics.lines if call["Line"] else None,
        "Words": statistics.words if call["Word"] else None,
        "Characters": statistics.characters if call["Character"] else None,
        "Property": name,
    }
    return PsValue(properties, (_INFO.format("Text"), _INFO.format(""), "System.Object"))


_GENERIC, _TEXT = "GenericMeasure", "TextMeasure"
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Measure-Object",
        measure_object,
        parameter("InputObject", "PSObject", from_pipeline=True),
        parameter("Property", "String[]", position=0),
        *(switch(name, sets=[_GENERIC]) for name in ("Sum", "Average", "Maximum", "Minimum")),
        *(switch(name, sets=[_TEXT]) for name in ("Line", "Word", "Character", "IgnoreWhiteSpace")),
        module="Microsoft.PowerShell.Utility",
        class_name="MeasureObjectCommand",
        default_set=_GENERIC,
        synopsis="Counts objects, and sums and compares their properties.",
        read_only=True,
    ),
)
