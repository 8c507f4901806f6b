"""Taking up an invocation that another process started and left, or lost, on a device.

Called by operations, the notebook and the command line with a reference that was kept (``remoting.detached``).
"""

from __future__ import annotations

from collections.abc import Callable

from akslite_ps.remoting.detached import InvocationReference
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.invocation import Invocation
from akslite_ps.remoting.prompts import PromptHandler
from akslite_ps.remoting.session import Session


def attach(
    device: Device,
    reference: InvocationReference,
    *,
    ask: Callable[[str], str] | None = None,
    prompts: PromptHandler | None = None,
) -> tuple[Session, Invocation]:
    """Take up an invocation that another process started: its session, and the invocation in it with the rest of its output.

    Records come in order, those that the reference counts as received not again; :attr:`Record.seq` goes on counting.
    A command whose output did not fit into the device's buffer was waiting there, and goes on as its output is read.

    Args:
        device: The device; the endpoint must name the same session configuration and user.
        reference: The newest one that was kept.
        ask: As for :meth:`Session.open`.
        prompts: As for :meth:`Session.open`.

    Raises:
        SessionLost: Session or invocation are no longer there, and how it ended is unknown; or another client holds the session.
        UsageError: The reference belongs to another device.
        RemotingError: As for :meth:`Session.open`.
    """
    session = Session.attach(device, reference, ask=ask, prompts=prompts)
    return session, session.running()[0]
