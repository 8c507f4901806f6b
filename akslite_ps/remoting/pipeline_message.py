"""The message that creates a pipeline, written as text: nearly all of it is the same for every command.

Used by ``remoting.pool``; the values of parameters are written by pypsrp. Facts: [MS-PSRP] 2.2.2.10 (CREATE_PIPELINE), 2.2.3.11 to
2.2.3.13 (pipeline, command, parameter), 2.2.1 (message).
"""

from __future__ import annotations

import struct
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from pypsrp.complex_objects import ObjectMeta
from pypsrp.messages import Destination, MessageType
from pypsrp.serializer import Serializer

from akslite_ps.remoting.arguments import Command, Reveal, Script, wire_value

_HEADER = struct.Struct("<II16s16s")
_FIRST_OBJECT = 1_000_000
"""References made here are numbered apart from those in values, which pypsrp numbers from 0."""
_ENUM_TYPES, _LIST_TYPES = 1_000_000, 1_000_001
_STATE_TYPES, _OPTION_TYPES = 1_000_002, 1_000_003
_AUTOMATION = "System.Management.Automation"
_LIST_OF_OBJECTS = (
    f"System.Collections.Generic.List`1[[{_AUTOMATION}.PSObject, {_AUTOMATION}, Version=1.0.0.0, Culture=neutral, "
    "PublicKeyToken=31bf3856ad364e35]]"
)
_ADD_INVOCATION_INFO = 15
_APARTMENTS = {0: "STA", 1: "MTA", 2: "UNKNOWN"}
_MERGED = ("MergeError", "MergeWarning", "MergeVerbose", "MergeDebug", "MergeInformation")
_MERGED_BY_VERSION: Sequence[tuple[tuple[int, ...], Sequence[str]]] = (((2, 3), _MERGED), ((2, 2), _MERGED[:-1]), ((0,), ()))


@dataclass(frozen=True, slots=True)
class Statement:
    """One command or script of a pipeline.

    Args:
        text: Name of the command, or script text.
        is_script: Which of the two.
        arguments: Name (None where positional) and value in the form pypsrp serialises.
        own_scope: True where a script's variables end with it.
    """

    text: str
    is_script: bool
    arguments: Sequence[tuple[str | None, Any]]
    own_scope: bool = False


def in_wire_form(statements: Sequence[Command | Script], reveal: Reveal) -> list[Statement]:
    """Commands with their values in pypsrp's form.

    Args:
        statements: The commands of one pipeline.
        reveal: Gives the clear text of a secret among the arguments.
    """
    wire = []
    for statement in statements:
        arguments: list[tuple[str | None, Any]] = [
            (name, wire_value(value, reveal)) for name, value in statement.parameters.items()
        ]
        if isinstance(statement, Script):
            wire.append(Statement(statement.text, True, arguments, statement.own_scope))
        else:
            arguments += [(None, wire_value(value, reveal)) for value in statement.arguments]
            wire.append(Statement(statement.name, False, arguments))
    return wire


def create_pipeline(
    statements: Sequence[Statement],
    *,
    pool_id: str,
    pipeline_id: str,
    has_input: bool,
    protocol_version: str,
    apartment_state: int,
    serializer: Serializer,
) -> bytes:
    """The message, header included.

    Args:
        statements: The pipeline, one at least.
        pool_id: Id of the runspace pool.
        pipeline_id: Id of the pipeline.
        has_input: True where input follows.
        protocol_version: What was agreed on with the device, e.g. ``2.3``.
        apartment_state: Of the pool.
        serializer: The pool's: it has the key for secrets.
    """
    serializer._clear()
    writer = _Writer(serializer, protocol_version)
    commands = "".join(map(writer.command, statements))
    content = (
        f'<Obj RefId="{writer.number()}"><MS><B N="NoInput">{_text(not has_input)}</B>'
        + writer.enumeration(
            "ApartmentState",
            _types(_STATE_TYPES, f"{_AUTOMATION}.Runspaces.ApartmentState"),
            _APARTMENTS[apartment_state],
            apartment_state,
        )
        + writer.enumeration(
            "RemoteStreamOptions",
            _types(_OPTION_TYPES, f"{_AUTOMATION}.Runspaces.RemoteStreamOptions"),
            "AddInvocationInfo",
            _ADD_INVOCATION_INFO,
        )
        + '<B N="AddToHistory">false</B>'
        f'<Obj N="HostInfo" RefId="{writer.number()}"><MS><B N="_isHostNull">false</B><B N="_isHostUINull">false</B>'
        '<B N="_isHostRawUINull">true</B><B N="_useRunspaceHost">false</B></MS></Obj>'
        f'<Obj N="PowerShell" RefId="{writer.number()}"><MS><B N="IsNested">false</B><Nil N="ExtraCmds"/>'
        f'<Obj N="Cmds" RefId="{writer.number()}"><TN RefId="{_LIST_TYPES}"><T>{_LIST_OF_OBJECTS}</T><T>System.Object</T></TN>'
        f"<LST>{commands}</LST></Obj>"
        '<Nil N="History"/><B N="RedirectShellErrorOutputPipe">false</B></MS></Obj><B N="IsNested">false</B></MS></Obj>'
    )
    header = _HEADER.pack(
        Destination.SERVER, MessageType.CREATE_PIPELINE, uuid.UUID(pool_id).bytes_le, uuid.UUID(pipeline_id).bytes_le
    )
    return header + content.encode()


class _Writer:
    """Writes the parts of one message."""

    def __init__(self, serializer: Serializer, protocol_version: str) -> None:
        self._serializer = serializer
        self._merged = next(names for version, names in _MERGED_BY_VERSION if _numbers(protocol_version) >= version)
        self._next = _FIRST_OBJECT
        self._has_enum_types = False

    def number(self) -> int:
        self._next += 1
        return self._next

    def enumeration(self, name: str, types: str, text: str, number: int) -> str:
        return f'<Obj N="{name}" RefId="{self.number()}">{types}<ToString>{text}</ToString><I32>{number}</I32></Obj>'

    def command(self, statement: Statement) -> str:
        arguments = "".join(self._argument(name, value) for name, value in statement.arguments)
        scope = '<B N="UseLocalScope">true</B>' if statement.own_scope else '<Nil N="UseLocalScope"/>'
        return (
            f'<Obj RefId="{self.number()}"><MS><S N="Cmd">{self._string(statement.text)}</S>'
            f'<B N="IsScript">{_text(statement.is_script)}</B>{scope}'
            + "".join(map(self._unmerged, ("MergeMyResult", "MergeToResult", "MergePreviousResults")))
            + f'<Obj N="Args" RefId="{self.number()}"><TNRef RefId="{_LIST_TYPES}"/><LST>{arguments}</LST></Obj>'
            + "".join(map(self._unmerged, self._merged))
            + "</MS></Obj>"
        )

    def _unmerged(self, name: str) -> str:
        types = f'<TNRef RefId="{_ENUM_TYPES}"/>'
        if not self._has_enum_types:
            self._has_enum_types = True
            types = _types(_ENUM_TYPES, f"{_AUTOMATION}.Runspaces.PipelineResultTypes")
        return self.enumeration(name, types, "None", 0)

    def _argument(self, name: str | None, value: Any) -> str:
        given = '<Nil N="N"/>' if name is None else f'<S N="N">{self._string(name)}</S>'
        element = self._serializer.serialize(value, ObjectMeta(name="V"), clear=False)
        assert element is not None
        return f'<Obj RefId="{self.number()}"><MS>{given}{ET.tostring(element, encoding="unicode")}</MS></Obj>'

    def _string(self, text: str) -> str:
        return escape(self._serializer._serialize_string(text) or "")


def _types(number: int, name: str) -> str:
    return f'<TN RefId="{number}"><T>{name}</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN>'


def _text(flag: bool) -> str:
    return "true" if flag else "false"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
