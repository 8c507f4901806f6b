"""Entries of a simulated device's event logs as ``Get-WinEvent | Export-Clixml`` writes them.

Used by the cmdlets that collect logs. The shape of an entry (its properties, the messages below ``Properties``) is that of the
files which users attach to issues.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from akslite_ps.sandbox.device.event_log import LEVEL_NUMBERS, EventEntry

_HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_RECORD_TYPES = (
    "System.Diagnostics.Eventing.Reader.EventLogRecord",
    "System.Diagnostics.Eventing.Reader.EventRecord",
    "System.Object",
)
_LIST_TYPES = (
    "System.Collections.Generic.List`1[[System.Diagnostics.Eventing.Reader.EventProperty, System.Core, Version=4.0.0.0, "
    "Culture=neutral, PublicKeyToken=b77a5c561934e089]]",
    "System.Object",
)
_PROPERTY_TYPES = ("System.Diagnostics.Eventing.Reader.EventProperty", "System.Object")
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x1f\x7f]")


def as_clixml(entries: Iterable[EventEntry], computer: str) -> bytes:
    """The entries as a CLIXML file: UTF-16 with a mark at the beginning, as Windows PowerShell writes it.

    Args:
        entries: In the order of the file; Get-WinEvent lists the newest first.
        computer: Name of the machine.
    """
    lines = [_HEAD]
    number = 0
    for entry in entries:
        number = _write(entry, computer, number, lines)
    lines.append("</Objs>")
    return "\r\n".join(lines).encode("utf-16")


def _write(entry: EventEntry, computer: str, number: int, lines: list[str]) -> int:
    """Write one record; returns the next free reference number."""
    lines += [
        f'  <Obj RefId="{number}">',
        *_types(number, _RECORD_TYPES, "    "),
        f"    <ToString>{_RECORD_TYPES[0]}</ToString>",
        "    <Props>",
        f'      <I32 N="Id">{entry.event_id}</I32>',
        f'      <By N="Level">{LEVEL_NUMBERS[entry.level]}</By>',
        f'      <I64 N="RecordId">{entry.record_id}</I64>',
        f'      <S N="ProviderName">{_text(entry.source)}</S>',
        f'      <S N="LogName">{_text(entry.log)}</S>',
        f'      <S N="MachineName">{_text(computer)}</S>',
        f'      <DT N="TimeCreated">{entry.at:%Y-%m-%dT%H:%M:%S.%f}0Z</DT>',
        f'      <S N="LevelDisplayName">{entry.level}</S>',
        f'      <Obj N="Properties" RefId="{number + 1}">',
        *_types(number + 1, _LIST_TYPES, "        "),
        "        <LST>",
        f'          <Obj RefId="{number + 2}">',
        *_types(number + 2, _PROPERTY_TYPES, "            "),
        f"            <ToString>{_PROPERTY_TYPES[0]}</ToString>",
        f'            <Props><S N="Value">{_text(entry.message)}</S></Props>',
        "          </Obj>",
        "        </LST>",
        "      </Obj>",
        "    </Props>",
        "    <MS>",
        f'      <S N="Message">{_text(entry.message)}</S>',
        "    </MS>",
        "  </Obj>",
    ]
    return number + 3


def _types(number: int, names: tuple[str, ...], indent: str) -> list[str]:
    return [f'{indent}<TN RefId="{number}">', *(f"{indent}  <T>{_text(name)}</T>" for name in names), f"{indent}</TN>"]


def _text(value: str) -> str:
    return escape(_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", value))
