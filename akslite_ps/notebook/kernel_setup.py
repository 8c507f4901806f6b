"""What a kernel gets before it runs our notebooks: outputs without secrets, and errors without Python frames.

Called by ``notebook.runner`` in the kernel it starts and by the first cell of a runbook. All messages of a kernel,
whatever their kind, leave through its session; that is the one place where they are redacted, because only this
process knows which secrets it has resolved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from akslite_ps.errors import AksLiteError
from akslite_ps.notebook.front_end import shell
from akslite_ps.secrets import REDACTOR, redact

DEBUG_VARIABLE = "AKSLITE_DEBUG"
_MARK = "_akslite_redacts"


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
    if getattr(session, _MARK, False):
        return
    plain_send = session.send

    def send(stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(msg_or_type, Mapping):
            msg_or_type = {**msg_or_type, "content": REDACTOR.value(msg_or_type.get("content", {}))}
        if isinstance(content, Mapping):
            content = REDACTOR.value(content)
        return plain_send(stream, msg_or_type, content, *args, **kwargs)

    session.send = send
    setattr(session, _MARK, True)


def _show_error(
    running: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: int | None = None
) -> list[str]:
    head, *rest = redact(str(error)).splitlines() or [""]
    lines = [f"\x1b[1;31m{kind.__name__}\x1b[0m: {head}", *rest]
    running._showtraceback(kind, error, lines)
    return lines
