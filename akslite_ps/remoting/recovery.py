"""Receiving from a pipeline through interruptions of the network, as Windows' own client does it.

Called by ``remoting.invocation``. Repeats a Receive, takes up a session that the device put aside, and says
exactly what is known when it gives up. Never sends a command.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from pypsrp.exceptions import WinRMTransportError

from akslite_ps.errors import AksLiteError
from akslite_ps.remoting.faults import (
    DISCONNECTED,
    DROPPED,
    OPERATION_TIMED_OUT,
    SHELL_GONE,
    STILL_PENDING,
    as_remoting_error,
    fault_code,
)
from akslite_ps.remoting.pool import DevicePool

log = logging.getLogger(__name__)

OUTAGE_LIMIT_S = 240.0
"""How long a broken way to the device is tried again; Windows' own client gives up after about four minutes too."""

STOP_GRACE_S = 10.0
"""How long the end of a pipeline that was told to stop is waited for."""

_PAUSES_S = (0.1, 0.3, 1.0, 2.0, 5.0)
_INTERRUPTIBLE_WAIT_S = 2


def receive_wait_s(remaining_s: float, operation_timeout_s: int, *, platform: str, in_main_thread: bool) -> int | None:
    """How long one Receive may stay open, in seconds; None for the endpoint's operation time-out.

    Shortened where a time limit ends earlier, and on Windows in the main thread: there Ctrl-C is noticed only
    when a blocking call returns.
    """
    wait = operation_timeout_s
    if platform == "nt" and in_main_thread:
        wait = min(wait, _INTERRUPTIBLE_WAIT_S)
    if remaining_s < wait:
        wait = max(1, math.ceil(remaining_s))
    return None if wait == operation_timeout_s else wait


@dataclass(slots=True)
class Receiver:
    """Receives for one pipeline.

    Args:
        pool: Where it runs.
        attempted: What is being done, for messages.
        unconfirmed: True while it is not known whether the device received the command.
        time_left_s: Seconds until the invocation's limit.
        is_stopping: True where the pipeline was told to stop.
    """

    pool: DevicePool
    attempted: str
    time_left_s: Callable[[], float]
    is_stopping: Callable[[], bool]
    unconfirmed: bool = False
    _broken_since: float | None = None

    def receive(self, command_id: str, wait_s: int | None, until: float | None = None) -> tuple[bytes, bool]:
        """The bytes of one answered Receive, none where the device had nothing to say, and whether it was the last one.

        Args:
            command_id: The pipeline.
            wait_s: How long the Receive may stay open, in seconds; None: the endpoint's operation time-out.
            until: Monotonic time at which to come back with nothing although the way is broken; the outage goes on counting.

        Raises:
            AksLiteError: The way to the pipeline is gone, for good or beyond the limits; how it ended is unknown.
        """
        pauses = iter(_PAUSES_S)
        while True:
            try:
                with self.pool.lock:
                    answer = self.pool.receive(command_id, wait_s)
                self.unconfirmed = False
                self._broken_since = None
                return answer
            except (*DROPPED, WinRMTransportError) as error:
                broken: Exception = error
                log.warning("%s: the connection broke (%s); trying again", self.pool.device.name, type(error).__name__)
            except Exception as error:
                code = fault_code(error)
                if code == OPERATION_TIMED_OUT:
                    self.unconfirmed = False
                    self._broken_since = None
                    return b"", False
                if code in DISCONNECTED:
                    self._take_up_again(command_id)
                elif code != STILL_PENDING:
                    raise self._gone(error, code) from error
                broken = error
            now = time.monotonic()
            self._broken_since = self._broken_since or now
            limit = STOP_GRACE_S if self.is_stopping() else OUTAGE_LIMIT_S
            if now - self._broken_since > limit or self.time_left_s() <= 0:
                raise as_remoting_error(broken, self.pool.device, self.attempted, established=True) from broken
            if until is not None and now >= until:
                return b"", False
            pause = next(pauses, _PAUSES_S[-1])
            time.sleep(pause if until is None else min(pause, until - now))

    def _take_up_again(self, command_id: str) -> None:
        """The device put the session aside during an outage."""
        self.pool.reconnect()
        self.pool.connect_command(command_id)

    def _gone(self, error: Exception, code: int | None) -> AksLiteError:
        if self.unconfirmed and code in SHELL_GONE:
            return self.pool.lost(
                "the connection broke while the command was sent, and the device does not know it: it was not started",
                self.attempted,
                "run it again in a new session",
            )
        return as_remoting_error(error, self.pool.device, self.attempted, established=True)
