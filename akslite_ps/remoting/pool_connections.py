"""The connections of one runspace pool: who may use which, what fails on them said as an error of ours.

The base of ``remoting.pool``. One connection serves the pool; a second one is made where a request must not wait for the first.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from pypsrp.wsman import NAMESPACES, SelectorSet

from akslite_ps.errors import AksLiteError, PromptUnanswered, SessionLost
from akslite_ps.remoting.connection import Connection
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import FAILURES, as_remoting_error
from akslite_ps.remoting.prompts import QuestionUnanswered
from akslite_ps.secrets import redact

log = logging.getLogger(__name__)

RSP = NAMESPACES["rsp"]
SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_PROBE_TIMEOUT_S = 5


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

    def is_alive(self) -> bool:
        """Ask the device whether the pool is still there."""
        try:
            with self.free_connection() as connection:
                return self.state_from(connection) is not None
        except FAILURES as error:
            log.debug("%s: the session does not answer: %s", self.device.name, type(error).__name__)
            return False

    def keep_alive(self, idle_s: float) -> bool:
        """Let the device hear of an idle pool, on the pool's own connection; at once nothing where that is in use.

        Args:
            idle_s: Only where nothing was sent for so long, in seconds.

        Returns:
            False where the device did not answer.
        """
        if not self.lock.acquire(blocking=False):
            return True
        try:
            if time.monotonic() - self.last_used >= idle_s:
                self.state_from(self.connection)
            return True
        except FAILURES as error:
            log.debug("%s: the idle session does not answer: %s", self.device.name, type(error).__name__)
            return False
        finally:
            self.lock.release()

    def state_from(self, connection: Connection) -> str | None:
        """The state of the pool's shell, as the device tells it."""
        body = connection.get(SHELL_URI, selector_set=self.selectors(), timeout=_PROBE_TIMEOUT_S)
        shell = body.find("rsp:Shell", NAMESPACES)
        return None if shell is None else shell.findtext("rsp:State", "Connected", NAMESPACES)

    @property
    def last_used(self) -> float:
        """When something was sent or received last on the pool's connection (monotonic)."""
        return self.connection.transport.last_used

    def selectors(self) -> SelectorSet:
        """What names the pool on the device."""
        raise NotImplementedError
