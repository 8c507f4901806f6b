"""What the cmdlets answer, read from whatever form it comes in: texts, truth values, lines told beside the output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.aksedge.failures import known_failure
from akslite_ps.aksedge.session_port import Answer

_GOOD_LINE = re.compile(r"^\s*-?\s*(checking|all required host features are installed|validating)\b", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"\b(not|fail\w*|error|unable|cannot|could|missing|manually|please|incompatible|unsupported|warning)\b", re.IGNORECASE
)
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_MAC = re.compile(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HostFeatures:
    """The answer of Install-AksEdgeHostFeatures.

    Args:
        ready: The product said True.
        complaints: Lines in which a check complained all the same; localized ones are not recognised.
    """

    ready: bool
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """The answer of Test-AksEdgeNetworkParameters, with the lines that explain it."""

    passed: bool
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Address of a node's primary interface; None for what the answer did not show."""

    ip: str | None
    mac: str | None


def last_text(answer: Answer) -> str:
    return str(answer.output[-1]).strip() if answer.output and answer.output[-1] is not None else ""


def truth(answer: Answer) -> bool:
    """The answer of a cmdlet that says True or False; anything else, and nothing, is no."""
    return last_text(answer).casefold() in ("true", "ok")


def lines(answer: Answer) -> list[str]:
    """What the cmdlet told besides its output: host text, warnings and errors, line by line."""
    from akslite_ps.remoting.records import ErrorRecord, InformationRecord, WarningRecord

    texts = [r.message for r in answer.records if isinstance(r, InformationRecord | WarningRecord | ErrorRecord)]
    return [line.rstrip() for text in texts for line in text.splitlines() if line.strip()]


def is_complaint(line: str) -> bool:
    return not _GOOD_LINE.match(line) and bool(_COMPLAINT.search(line) or known_failure(line))


def flat(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in flat(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in flat(part)]
    return [str(value)]


def node_address(answer: Answer) -> NodeAddress:
    """The first IP and MAC address anywhere in an answer."""
    text = " ".join(flat(answer.output))
    address, mac = _IPV4.search(text), _MAC.search(text)
    return NodeAddress(address[0] if address else None, mac[0] if mac else None)
