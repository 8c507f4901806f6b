"""Exchanges with a device through interruptions of the network, as Windows' own client goes through them.

Called by ``remoting.invocation`` and ``remoting.sending``. Repeats what may be repeated, takes up a session that the device put
aside, looks a changed password up again, and says exactly what is known when it gives up. Never sends a command.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pypsrp.exceptions import AuthenticationError, WinRMTransportError

from akslite_ps.errors import AksLiteError, AuthenticationFailed, CommandFate, RemotingError, SessionLost
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

_T = TypeVar("_T")

OUTAGE_LIMIT_S = 300.0
"""How long a broken way to the device is tried again, counted from the first failure: an outage of four minutes, which is what
Windows' own client survives, with a minute for the attempt under way at its end and for logging on again."""

STOP_GRACE_S = 10.0
"""How long the end of a pipeline that was told to stop is waited for."""

_STOP_ATTEMPT_S = 1.0
_STOP_PAUSE_S = 0.1
_PAUSES_S = (0.1, 0.3, 1.0, 2.0, 5.0)
_INTERRUPTIBLE_WAIT_S = 2

NOTHING_RUNS = "the command was sent; whether it was started is unknown, and nothing of it runs any more"
_FATES = {
    CommandFate.NOT_STARTED: "the command was not started",
    CommandFate.UNKNOWN: "the command was sent; whether it still runs, and how it ended, is unknown",
    CommandFate.ENDED: "the command was started and runs no more; how it ended is unknown",
}


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


def is_break(error: BaseException) -> bool:
    """True where the way broke, so that nobody knows what the device did: no answer, half of one, or one that is not WSMan's."""
    if isinstance(error, AksLiteError):
        return error.__cause__ is not None and is_break(error.__cause__)
    return isinstance(error, (*DROPPED, WinRMTransportError)) or fault_code(error) == OPERATION_TIMED_OUT


def with_fate(error: AksLiteError, fate: CommandFate, told: str | None = None) -> AksLiteError:
    """The error, saying what is known of the command; one that says so already stays as it is.

    Args:
        error: What ended the way to the command.
        fate: What is known.
        told: How to say it, where the usual words do not fit.
    """
    if isinstance(error, RemotingError) and error.fate is None:
        error.fate = fate
        error.message = f"{error.message}; {told or _FATES[fate]}"
        if fate is CommandFate.NOT_STARTED and isinstance(error, SessionLost):
            error.next_action = "run it again in a new session"
    return error


@dataclass(slots=True)
class Receiver:
    """Exchanges for one pipeline.

    Args:
        pool: Where it runs.
        attempted: What is being done, for messages.
        time_left_s: Seconds until the invocation's limit.
        is_stopping: True where the pipeline was told to stop.
        is_sent: False while it is certain that the device did not get the command.
        is_known: True once the device is known to have the command.
        untold_stop: The device could not be told to stop: the command id to tell as soon as the way is there again.
    """

    pool: DevicePool
    attempted: str
    time_left_s: Callable[[], float]
    is_stopping: Callable[[], bool]
    is_sent: bool = True
    is_known: bool = True
    untold_stop: str | None = None
    _broken_since: float | None = None

    def receive(self, command_id: str, wait_s: int | None, until: float | None = None) -> tuple[bytes, bool]:
        """The bytes of one answered Receive, none where the device had nothing to say, and whether it was the last one.

        Args:
            command_id: The pipeline.
            wait_s: How long the Receive may stay open, in seconds; None: the endpoint's operation time-out.
            until: Monotonic time at which to come back with nothing although the way is broken; the outage goes on counting.

        Raises:
            AksLiteError: The way to the pipeline is gone, for good or beyond the limits; it says what is known of the command.
        """

        def once() -> tuple[bytes, bool]:
            if self.untold_stop is not None:
                self.pool.interrupt(self.untold_stop)
                self.untold_stop = None
            try:
                return self.pool.receive(command_id, wait_s)
            except Exception as error:
                if fault_code(error) == OPERATION_TIMED_OUT:
                    return b"", False
                raise

        return self.repeat(once, until=until, command_id=command_id) or (b"", False)

    def repeat(self, work: Callable[[], _T], *, until: float | None = None, command_id: str | None = None) -> _T | None:
        """Carry out an exchange that may be carried out twice, again and again until the device has answered it.

        Args:
            work: The exchange.
            until: As for :meth:`receive`.
            command_id: The pipeline to connect to where the session was put aside; None where the device may not know it yet.

        Returns:
            What the exchange gave; None where ``until`` came first.

        Raises:
            AksLiteError: As for :meth:`receive`.
        """
        pauses = iter(_PAUSES_S)
        while True:
            try:
                with self.pool.lock:
                    answer = work()
                self._broken_since = None
                return answer
            except Exception as error:  # noqa: BLE001 - what is not survived is raised anew by what is called
                if not self._wait_out(error, command_id, pauses, until):
                    return None

    def tell_to_stop(self, command_id: str, until: float, is_over: Callable[[], bool]) -> None:
        """Tell the device to stop the pipeline, through a broken connection too; who reads goes on trying after ``until``.

        Args:
            command_id: The pipeline.
            until: Monotonic time up to which to try.
            is_over: True where the pipeline has ended meanwhile.

        Raises:
            AksLiteError: The device could not be told.
        """
        while not is_over():
            left = until - time.monotonic()
            try:
                return self.pool.interrupt(command_id, limit_s=max(_STOP_ATTEMPT_S, left))
            except AksLiteError as error:
                self.untold_stop = command_id
                if fault_code(_root(error)) in DISCONNECTED:
                    # Who reads takes the session up again and tells the device then.
                    return
                is_renewed = isinstance(error, AuthenticationFailed) and self.pool.renew_password()
                if until - time.monotonic() <= 0 or not (is_renewed or is_break(error)):
                    raise with_fate(error, CommandFate.UNKNOWN) from error.__cause__
                time.sleep(_STOP_PAUSE_S)

    def _wait_out(self, error: Exception, command_id: str | None, pauses: Iterator[float], until: float | None) -> bool:
        """Make ready for another attempt after a failed one; False where ``until`` has come.

        Raises:
            AksLiteError: There is no point in another one.
        """
        cause = _root(error)
        code = fault_code(cause)
        if code in DISCONNECTED:
            self._take_up_again(command_id)
        elif isinstance(cause, AuthenticationError):
            if not self.pool.renew_password():
                raise self.given_up(error) from cause
            log.warning("%s: the password was refused and has been looked up again", self.pool.device.name)
        elif is_break(cause):
            log.warning("%s: the connection broke (%s); trying again", self.pool.device.name, type(cause).__name__)
        elif code != STILL_PENDING:
            raise self.given_up(error) from cause
        now = time.monotonic()
        self._broken_since = self._broken_since or now
        limit = STOP_GRACE_S if self.is_stopping() else OUTAGE_LIMIT_S
        if now - self._broken_since > limit or self.time_left_s() <= 0:
            raise self.given_up(error) from cause
        if until is not None and now >= until:
            return False
        pause = next(pauses, _PAUSES_S[-1])
        time.sleep(pause if until is None else min(pause, until - now))
        return True

    def _take_up_again(self, command_id: str | None) -> None:
        """The device put the session aside during an outage. Where this breaks too, the next attempt comes here again."""
        try:
            self.pool.reconnect()
            if command_id is not None:
                self.pool.connect_command(command_id)
        except AksLiteError as error:
            if fault_code(_root(error)) in SHELL_GONE:
                raise self.given_up(error) from error.__cause__
            log.warning("%s: the session is not taken up yet: %s", self.pool.device.name, error.message)

    def given_up(self, error: Exception) -> AksLiteError:
        """The error to raise where the way to the command is gone for good."""
        translated = as_remoting_error(error, self.pool.device, self.attempted, established=True)
        if not self.is_sent:
            return with_fate(translated, CommandFate.NOT_STARTED)
        if fault_code(_root(error)) not in SHELL_GONE:
            return with_fate(translated, CommandFate.UNKNOWN)
        if self.is_known:
            return with_fate(translated, CommandFate.ENDED)
        return with_fate(translated, CommandFate.UNKNOWN, NOTHING_RUNS)


def _root(error: Exception) -> Exception:
    """What an error of ours was made from; the error itself where it was made from nothing."""
    return error.__cause__ if isinstance(error, AksLiteError) and isinstance(error.__cause__, Exception) else error
