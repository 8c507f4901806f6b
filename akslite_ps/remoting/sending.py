"""Brings one pipeline to the device, once, through interruptions of the network.

Called by ``remoting.invocation``. A request that broke is not simply sent again: the device is asked first whether it has the
command. Where it does not, the same request goes out under the same id, so that the device can never have two of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pypsrp.exceptions import AuthenticationError, WinRMTransportError

from akslite_ps.errors import AksLiteError, CommandFate
from akslite_ps.remoting.faults import DISCONNECTED, SHELL_GONE, as_remoting_error, fault_code
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.recovery import Receiver, is_break, with_fate

log = logging.getLogger(__name__)

_MOST_ATTEMPTS = 5
_NOT_FOR_WINRM = (403, 404, 405, 407, 413)
"""HTTP statuses of a service, a proxy or Windows' HTTP layer that did not pass the request on to WinRM."""


class Sending:
    """The sending of one pipeline.

    Args:
        pool: Where it shall run.
        receiver: Carries out what may be repeated.
        pipeline_id: The pipeline's id, and wish for its command id.
        fragments: The message that creates it, in pieces. It starts when the device has the last.
        pipeline_input: Values for its input, None where it has none.
    """

    def __init__(
        self,
        pool: DevicePool,
        receiver: Receiver,
        pipeline_id: str,
        fragments: Sequence[bytes],
        pipeline_input: Sequence[Any] | None,
    ) -> None:
        self.command_id = pipeline_id
        self._pool = pool
        self._receiver = receiver
        self._pipeline_id = pipeline_id
        self._fragments = fragments
        self._input = pipeline_input
        self._attempts = 0
        self._confirmed = 0
        receiver.is_sent = receiver.is_known = False

    def attempt(self) -> bool:
        """Send what the device is not known to have; False where the way broke and :meth:`settle` must find out how far it came.

        Raises:
            AksLiteError: It cannot be sent; says whether the command was started.
        """
        self._attempts += 1
        try:
            with self._pool.lock:
                self._send()
            self._receiver.is_sent = self._receiver.is_known = True
            return True
        except Exception as error:
            if not self._may_go_on(error):
                raise self._failed(error) from error
            log.warning("%s: the connection broke while a command was sent (%s)", self._pool.device.name, type(error).__name__)
            return False

    def settle(self, until: float | None) -> bool:
        """Find out whether the device has the command, and send it where it has not; False where ``until`` came first.

        Args:
            until: Monotonic time at which to come back although nothing is known yet.

        Raises:
            AksLiteError: It cannot be found out, or not be sent; says what is known.
        """
        while True:
            is_there = self._receiver.repeat(lambda: self._pool.has_command(self._pipeline_id), until=until)
            if is_there is None:
                return False
            if is_there:
                self._confirmed = max(self._confirmed, 1)
            if self._confirmed == len(self._fragments) and self._input is None:
                self._receiver.is_sent = self._receiver.is_known = True
                return True
            self._receiver.is_sent = False
            self._refuse_to_go_on()
            if self.attempt():
                return True

    def _refuse_to_go_on(self) -> None:
        if self._receiver.is_stopping():
            why = "it was stopped while it was being sent"
        elif self._receiver.time_left_s() <= 0:
            why = "its time limit passed while it was being sent"
        elif self._attempts >= _MOST_ATTEMPTS:
            why = f"the connection broke {self._attempts} times while it was being sent"
        else:
            return
        raise self._not_started(self._pool.lost(why, self._receiver.attempted, ""))

    def _send(self) -> None:
        if self._confirmed == 0:
            self.command_id = self._pool.command(self._fragments[0], self._pipeline_id)
            self._confirmed = 1
        while self._confirmed < len(self._fragments):
            self._pool.send([self._fragments[self._confirmed]], self.command_id)
            self._confirmed += 1
        if self._input is not None:
            self._pool.send_input(self._input, self._pipeline_id, self.command_id)

    def _may_go_on(self, error: Exception) -> bool:
        """Whether it can be found out what the device has, or is certain that the failed request was not carried out."""
        if isinstance(error, AuthenticationError):
            return self._confirmed < len(self._fragments) and self._pool.renew_password()
        if fault_code(error) in DISCONNECTED:
            return self._confirmed < len(self._fragments)
        if self._confirmed > 0:
            # Whether a further piece arrived the device does not tell, and a piece that comes twice spoils the whole.
            return False
        if isinstance(error, WinRMTransportError) and error.code in _NOT_FOR_WINRM:
            return False
        if is_break(error):
            self._receiver.is_sent = True
            return True
        # Refused because a request that was given up for lost did arrive after all?
        return self._attempts > 1 and fault_code(error) not in SHELL_GONE and self._attempts < _MOST_ATTEMPTS

    def _failed(self, error: Exception) -> AksLiteError:
        translated = as_remoting_error(error, self._pool.device, self._receiver.attempted, established=True)
        whole = self._confirmed == len(self._fragments)
        if whole and fault_code(error) in SHELL_GONE:
            return with_fate(translated, CommandFate.ENDED)
        if whole or (self._confirmed == len(self._fragments) - 1 and self._confirmed > 0 and is_break(error)):
            return with_fate(translated, CommandFate.UNKNOWN)
        return self._not_started(translated)

    def _not_started(self, error: AksLiteError) -> AksLiteError:
        if self._confirmed > 0:
            self._pool.ended(self.command_id)
        return with_fate(error, CommandFate.NOT_STARTED)
