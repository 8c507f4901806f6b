"""What the API sends back, before it becomes HTTP. Made by the handlers, written out by the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from akslite_ps.sandbox.kubernetes.requests import Encoding
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.selectors import Matcher
from akslite_ps.sandbox.kubernetes.store import encode


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished response."""

    body: bytes
    code: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """An answer with this data as JSON."""
        return cls.encoded(encode(data), code, headers)

    @classmethod
    def encoded(cls, body: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """An answer with this JSON, which ends with a line break as the real server's."""
        return cls(body + b"\n", code, headers=headers or {})

    @classmethod
    def text(cls, text: str, code: int = 200) -> Answer:
        """An answer in plain text."""
        return cls(text.encode(), code, "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """A stream of changes that a client is to get.

    Args:
        revision: Start after this revision; None starts with what is there.
        bookmarks: Whether the client takes BOOKMARK events.
        mark_end_of_initial: Whether a bookmark has to say where the initial objects end.
        seconds: Real seconds after which the stream ends, None for the server's choice.
    """

    kind: ResourceType
    namespace: str
    matches: Matcher
    encoding: Encoding
    revision: int | None
    bookmarks: bool
    mark_end_of_initial: bool
    seconds: int | None
    include_object: str
