"""The pool of a session that is about to be opened or attached: its password looked up, its connection and host made.

Used by ``remoting.session``.
"""

from __future__ import annotations

from collections.abc import Callable

from akslite_ps.errors import SecretUnavailable
from akslite_ps.remoting.connection import Connection, password_of
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.prompts import PromptHandler, SessionHost


def pool_for(device: Device, ask: Callable[[str], str] | None, prompts: PromptHandler | None) -> DevicePool:
    """A pool that is not on the device yet.

    Args:
        device: The device.
        ask: Answers ``prompt:`` references.
        prompts: Answers questions of commands.

    Raises:
        SecretUnavailable: The password's reference cannot be resolved.
        UsageError: The log-on cannot come about from this machine.
    """
    password = password_of(device, ask)

    def look_up() -> str | None:
        reference = device.endpoint.password
        if reference is None or reference.scheme == "prompt":
            return None
        try:
            return password_of(device, None)
        except SecretUnavailable:
            return None

    def connect(session_id: str | None) -> Connection:
        return Connection(device, password, session_id=session_id)

    return DevicePool(device, connect, SessionHost(prompts), look_up)
