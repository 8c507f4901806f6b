"""The connections of one runspace pool: who may use which, what fails on them said as an error of ours.

The base of ``remoting.pool``. One connection serves the pool; a second one is made where a request must not wait for the first.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from pypsrp.wsman import NAMESPACES

from akslite_ps.errors import AksLiteError, PromptUnanswered, SessionLost
from akslite_ps.remoting.connection import Connection
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import as_remoting_error
from akslite_ps.remoting.prompts import QuestionUnanswered
from akslite_ps.secrets import redact

RSP = NAMESPACES["rsp"]
SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


class PoolConnections:
    """The connections of one pool.

    Args:
        device: The device.
        connect: Makes a connection with the session's credentials; called once more if a second one is needed.
        look_up: Gives the password of the device's endpoint as it is now, None where there is none to be had.
    """

    def __init__(self, device: Device, connect: Callable[[str | None], Connection], look_up: Callable[[], str | None]) -> None:
        self.device = device
        self.lock = threading.RLock()
        """Whoever holds it has the pool's connection alone."""
        self.connection = connect(None)
        self._connect = connect
        self._look_up = look_up
        self._new_password: str | None = None
        self._aside: Connection | None = None
        self._aside_lock = threading.Lock()

    @contextlib.contextmanager
    def exchange(self, attempted: str, *, established: bool = True) -> Iterator[None]:
        """Use the connection alone; what fails below is raised as an error of ours."""
        with self.lock:
            try:
                yield
            except AksLiteError:
                raise
            except QuestionUnanswered as question:
                raise PromptUnanswered(
                    f"the device asks: {redact(str(question))}",
                    device=self.device.name,
                    attempted=attempted,
                    next_action="take the question out of what the endpoint runs at its start, or give a prompt handler",
                ) from question
            except Exception as error:
                raise as_remoting_error(error, self.device, attempted, established=established) from error

    def lost(self, message: str, attempted: str, next_action: str) -> SessionLost:
        """A SessionLost about this device."""
        return SessionLost(message, device=self.device.name, attempted=attempted, next_action=next_action)

    def hang_up(self) -> None:
        """Close the connections, not the pool."""
        with self._aside_lock:
            if self._aside is not None:
                self._aside.reset()
        if self.lock.acquire(blocking=False):
            try:
                self.connection.reset()
            finally:
                self.lock.release()

    def renew_password(self) -> bool:
        """Look the password up again after it was refused; True where it is another one now, so that logging on can be tried.

        An unchanged password is never tried twice: that is how accounts get locked.
        """
        with self._aside_lock:
            password = self._look_up()
            if password is None or password == (self._new_password or self.connection.transport.password):
                return False
            self._new_password = password
            for connection in (self.connection, self._aside):
                if connection is not None:
                    connection.use_password(password)
        return True

    @contextlib.contextmanager
    def free_connection(self) -> Iterator[Connection]:
        """The session's connection, or a second one while another thread waits on the first.

        With message encryption two threads cannot share a connection. The second one logs in by itself and
        repeats the session id of the first.
        """
        if self.lock.acquire(blocking=False):
            try:
                yield self.connection
            finally:
                self.lock.release()
            return
        with self._aside_lock:
            if self._aside is None:
                self._aside = self._connect(self.connection.session_id)
                if self._new_password is not None:
                    self._aside.use_password(self._new_password)
            yield self._aside
