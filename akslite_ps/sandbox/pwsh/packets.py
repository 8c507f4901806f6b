"""The lines that a PowerShell process reads and writes when it is started with ``-s``: PSRP fragments in XML elements, one a line.

Used by ``pwsh.engine_process``. No I/O. The elements are those of ``reference/wsman-psrp.md`` section 5; an id of zeros
names the runspace pool.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass
from typing import Literal

Kind = Literal["Data", "DataAck", "Command", "CommandAck", "Close", "CloseAck", "Signal", "SignalAck"]

_POOL = uuid.UUID(int=0)
_LINE = re.compile(
    rb"<(?P<kind>Data|DataAck|Command|CommandAck|Close|CloseAck|Signal|SignalAck)"
    rb"(?: Stream='(?P<stream>\w+)')? PSGuid='(?P<id>[0-9A-Fa-f-]{36})' ?(?:/>|>(?P<data>[^<]*)</(?P=kind)>)"
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One line.

    Args:
        kind: Name of its element.
        target: A pipeline, or None for the runspace pool.
        data: Fragments, of a ``Data`` packet.
        answers_prompt: The data is a host's answer.
    """

    kind: Kind
    target: uuid.UUID | None = None
    data: bytes = b""
    answers_prompt: bool = False

    def line(self) -> bytes:
        """The packet as it is written, with its line break."""
        target = self.target or _POOL
        if self.kind != "Data":
            return f"<{self.kind} PSGuid='{target}' />\n".encode()
        stream = "PromptResponse" if self.answers_prompt else "Default"
        text = base64.b64encode(self.data).decode()
        return f"<Data Stream='{stream}' PSGuid='{target}'>{text}</Data>\n".encode()


class NotAPacket(ValueError):
    """A line that is none of the protocol's."""


def read_packet(line: bytes) -> Packet:
    """Read a line.

    Raises:
        NotAPacket: It is something else.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise NotAPacket(line[:200].decode(errors="replace"))
    try:
        data = base64.b64decode(match["data"] or b"", validate=True)
        target = uuid.UUID(match["id"].decode())
    except (binascii.Error, ValueError):
        raise NotAPacket(line[:200].decode(errors="replace")) from None
    kind: Kind = match["kind"].decode()  # type: ignore[assignment]  # the pattern lists the kinds
    return Packet(kind, None if target == _POOL else target, data, match["stream"] == b"PromptResponse")
