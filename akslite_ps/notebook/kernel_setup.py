"""What a kernel gets before it runs our notebooks: outputs without secrets, and errors without Python frames.

Called by ``notebook.runner`` in the kernel it starts and by the first cell of a runbook. All messages of a kernel,
whatever their kind, leave through its session; that is the one place where they are redacted, because only this
process knows which secrets it has resolved.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from akslite_ps.errors import AksLiteError
from akslite_ps.notebook.front_end import shell
from akslite_ps.secrets import REDACTOR, redact

DEBUG_VARIABLE = "AKSLITE_DEBUG"
_MARK = "_akslite_redacts"
_AFTER_TEXT = frozenset(
    {"status", "execute_result", "display_data", "error", "clear_output", "input_request", "execute_reply", "shutdown_reply"}
)
"""Messages before which printed text must be shown."""


def set_up_kernel() -> bool:
    """Redact what this kernel sends, and show our errors as a person needs them. Calling it again changes nothing.

    Returns:
        False outside of a kernel, where there is nothing to set up.
    """
    running = shell()
    kernel = getattr(running, "kernel", None)
    if kernel is None:
        return False
    _redact_messages(kernel.session)
    if not os.environ.get(DEBUG_VARIABLE):
        running.set_custom_exc((AksLiteError,), _show_error)
    return True


def _redact_messages(session: Any) -> None:
    if not getattr(session, _MARK, False):
        session.send = _RedactingSend(session)
        setattr(session, _MARK, True)


class _RedactingSend:
    """Stands in for a session's ``send``: what a message shows is redacted before it goes.

    Printed text comes in pieces, whenever a buffer is emptied. An end that may be the beginning of a secret waits for the
    next piece, or for the next message of another kind: such as the one that tells that the cell is done.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._send = session.send
        self._waiting: dict[str, tuple[str, dict[str, Any]]] = {}
        self._lock = threading.RLock()

    def __call__(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
        whole = isinstance(msg_or_type, Mapping)
        kind = msg_or_type.get("header", {}).get("msg_type") if whole else msg_or_type
        body = msg_or_type.get("content") if whole else content
        with self._lock:
            if kind == "stream" and isinstance(body, Mapping) and isinstance(body.get("text"), str):
                name = str(body.get("name"))
                text = REDACTOR.text(self._waiting.pop(name, ("", {}))[0] + body["text"])
                kept = REDACTOR.held_back(text)
                if kept:
                    parent = msg_or_type.get("parent_header") if whole else kwargs.get("parent")
                    again = {"stream": stream, "parent": parent, "ident": kwargs.get("ident")}
                    self._waiting[name] = text[len(text) - kept :], again
                    text = text[: len(text) - kept]
                    if not text:
                        return None
                body = {**body, "text": text}
            else:
                if kind in _AFTER_TEXT:
                    self._empty()
                body = REDACTOR.value(body) if isinstance(body, Mapping) else body
            if whole:
                return self._send(stream, {**msg_or_type, "content": body}, content, *args, **kwargs)
            return self._send(stream, msg_or_type, body, *args, **kwargs)

    def _empty(self) -> None:
        """Send what waits: nothing follows that would make a secret of it."""
        while self._waiting:
            name, (text, again) = self._waiting.popitem()
            stream = again.pop("stream")
            self._send(stream, "stream", {"name": name, "text": text}, **again)


def _show_error(
    running: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: int | None = None
) -> list[str]:
    head, *rest = redact(str(error)).splitlines() or [""]
    lines = [f"\x1b[1;31m{kind.__name__}\x1b[0m: {head}", *rest]
    running._showtraceback(kind, error, lines)
    return lines
