"""ConvertTo-Json and ConvertFrom-Json, as Windows PowerShell 5.1 has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.json_text import InvalidJson, from_json, to_json
from akslite_ps.sandbox.embedded.parameters import parameter, switch

_UTILITY = "Microsoft.PowerShell.Utility"
_DEPTH = 2


async def convert_to_json(call: Call) -> AsyncIterator[str]:
    values = [value async for value in call.items()]
    if not values:
        return
    depth = call["Depth"] if call.is_bound("Depth") else _DEPTH
    yield to_json(values[0] if len(values) == 1 else values, depth=depth, compress=bool(call["Compress"]))


async def convert_from_json(call: Call) -> AsyncIterator[Any]:
    """Lines that are piped in are one text, unless the first is JSON by itself. A list comes as one object."""
    texts: list[str] = [text async for text in call.items()]
    if not texts:
        return
    if len(texts) > 1 and _is_json(texts[0]):
        for text in texts:
            yield _value(call, text)
        return
    yield _value(call, "\r\n".join(texts))


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except InvalidJson:
        return False
    return True


def _value(call: Call, text: str) -> Any:
    try:
        return from_json(text)
    except InvalidJson as error:
        if "duplicated keys" in str(error):
            call.fail(str(error), "DuplicateKeysInJsonString", "InvalidOperation", exception="System.InvalidOperationException")
        call.fail(str(error), "System.ArgumentException", exception="System.ArgumentException")


COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "ConvertTo-Json",
        convert_to_json,
        parameter("InputObject", "Object", mandatory=True, position=0, from_pipeline=True, may_be_empty=True),
        parameter("Depth", "Int32", minimum=1, maximum=2**31 - 1),
        switch("Compress"),
        module=_UTILITY,
        class_name="ConvertToJsonCommand",
        synopsis="Writes objects as JSON.",
        read_only=True,
    ),
    cmdlet(
        "ConvertFrom-Json",
        convert_from_json,
        parameter("InputObject", "String", mandatory=True, position=0, from_pipeline=True),
        module=_UTILITY,
        class_name="ConvertFromJsonCommand",
        synopsis="Reads objects from JSON.",
        read_only=True,
    ),
)
