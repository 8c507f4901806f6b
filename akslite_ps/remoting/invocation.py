"""One pipeline running in a session: its records as they arrive, its end, and how to stop it.

Made by ``remoting.session``. Has no thread of its own: whoever asks for records, waits or stops drives it.
``remoting.sending`` and ``remoting.recovery`` bring it through broken connections.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from pypsrp.complex_objects import PSInvocationState
from pypsrp.messages import MessageType

from akslite_ps.errors import (
    AksLiteError,
    CommandFate,
    InvocationTimedOut,
    RemotingError,
    SessionLost,
)
from akslite_ps.remoting.detached import InvocationReference, ReadingPlace
from akslite_ps.remoting.faults import SHELL_GONE, as_remoting_error, fault_code
from akslite_ps.remoting.fragments import RawMessage
from akslite_ps.remoting.host_calls import HostCalls
from akslite_ps.remoting.messages import pipeline_state, record_from
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.prompts import QuestionUnanswered
from akslite_ps.remoting.record_stream import RecordStream
from akslite_ps.remoting.records import ErrorRecord, OutputRecord, Record
from akslite_ps.remoting.recovery import STOP_GRACE_S, Receiver, receive_wait_s, with_fate
from akslite_ps.remoting.result import InvocationState, Result
from akslite_ps.remoting.sending import Sending

_STATES = {
    PSInvocationState.COMPLETED: InvocationState.COMPLETED,
    PSInvocationState.FAILED: InvocationState.FAILED,
    PSInvocationState.STOPPED: InvocationState.STOPPED,
}


class Invocation:
    """One pipeline on a device. Made by :meth:`Session.start` and :meth:`Session.running`.

    One thread reads it; another may call :meth:`stop`.
    """

    def __init__(
        self,
        pool: DevicePool,
        command: str,
        *,
        pipeline_id: str | None = None,
        timeout_s: float | None = None,
        place: ReadingPlace | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
    ) -> None:
        self._pool = pool
        self._pipeline_id = pipeline_id or str(uuid.uuid4()).upper()
        self._command_id = self._pipeline_id
        self._command = command
        self._state = InvocationState.RUNNING
        self._started = time.monotonic()
        self._ended_at: float | None = None
        self._timeout_s = timeout_s
        self._must_connect = pipeline_id is not None
        self._stream = RecordStream(place)
        self._remember = remember
        self._is_asking_again = self._stream.asked_again_for is not None
        self._pump_lock = threading.Lock()
        self._pumping_thread: int | None = None
        self._stop_wanted = threading.Event()
        self._over = threading.Event()
        self._is_owed_terminate = False
        self._error: AksLiteError | None = None
        self._receiver = Receiver(pool, self._attempted, self._remaining_s, self._stop_wanted.is_set)
        self._sending: Sending | None = None
        self._host_calls = HostCalls(pool, self._stream, self._receiver, self._pipeline_id)

    @property
    def id(self) -> str:
        """The command id by which the device knows the pipeline."""
        return self._command_id

    @property
    def command(self) -> str:
        """Names of the commands, for messages."""
        return self._command

    @property
    def state(self) -> InvocationState:
        """Where it stands, as far as the device has told."""
        return self._state

    @property
    def reference(self) -> InvocationReference:
        """Where it is and how far its output was read: what :meth:`records` has given counts as received.

        Another process goes on with it by :func:`akslite_ps.remoting.attach`. Keep the newest together with the
        record just received, and let ``remember`` of :meth:`Session.start` keep it where records are long in coming.
        """
        pool = self._pool
        place = self._stream.place(None if self._state.is_over else pool.next_receive_id)
        return InvocationReference(
            pool.device.name, pool.shell_id, self._command_id, self._command, place=place, idle_limit_s=pool.idle_limit_s
        )

    def records(self, timeout_s: float | None = None) -> Iterator[Record]:
        """The records of all streams, each as soon as the device has sent it, in the order of arrival.

        An iteration may be given up at any record; the next one goes on behind it.

        Args:
            timeout_s: Return after this many seconds although the pipeline goes on; call again for the rest.

        Raises:
            SessionLost: The connection is gone for good; :attr:`state` is then LOST and how it ended is unknown.
            InvocationTimedOut: The invocation's own time limit passed; the pipeline was told to stop.
            PromptUnanswered: The device asked a question and there is no handler; the pipeline was stopped.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            while (record := self._stream.hand_out()) is not None:
                yield record
            self._release()
            if self._error is not None:
                raise self._error
            if self._state.is_over or (until is not None and time.monotonic() >= until):
                return
            self._pump(until)

    def wait(self, on_record: Callable[[Record], None] | None = None) -> Result:
        """Wait for the end; a failed pipeline is a result, not an exception.

        Args:
            on_record: Called with each record not yet read. An exception it raises is raised here; the pipeline goes on.

        Raises:
            RemotingError: As :meth:`records`.
        """
        for record in self.records():
            if on_record is not None:
                on_record(record)
        return self.result()

    def result(self) -> Result:
        """What has arrived so far; complete where :attr:`state` is over."""
        records = list(self._stream.records)
        return Result(
            self._state,
            output=[record.value for record in records if isinstance(record, OutputRecord)],
            errors=[record for record in records if isinstance(record, ErrorRecord)],
            records=records,
            duration_s=(self._ended_at or time.monotonic()) - self._started,
        )

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Tell the device to stop the pipeline; may be called from another thread than the one that reads.

        Args:
            timeout_s: How long to wait for the device's confirmation, in seconds.

        Returns:
            True where the pipeline is over; False where the device has not confirmed in time (it was told to stop).

        Raises:
            RemotingError: The device could not be told.
        """
        if self._state.is_over:
            return True
        until = time.monotonic() + timeout_s
        self._stop_wanted.set()
        if self._state is InvocationState.RUNNING:
            self._state = InvocationState.STOPPING
        self._receiver.tell_to_stop(self._command_id, until, self._over.is_set)
        if self._pumping_thread == threading.get_ident():
            return self._state.is_over
        while not self._over.is_set() and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(SessionLost):
                self._pump(until, patience_s=min(left, 0.05))
        if self._over.is_set():
            self._release(unread=True)
        return self._over.is_set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it where it is not over and was not left on the device by :meth:`Session.detach`."""
        if not self._state.is_over and self._state is not InvocationState.DISCONNECTED:
            with contextlib.suppress(AksLiteError):
                self.stop()
        self._release(unread=True)

    # -- beginning ------------------------------------------------------------------------------------------------------

    def begin(self, fragments: Sequence[bytes], pipeline_input: Sequence[Any] | None) -> None:
        """Send the pipeline. Where the connection breaks meanwhile, whoever reads it finds out what the device has.

        For :class:`Session` only.

        Raises:
            RemotingError: The device did not take it; says whether the command was started.
        """
        self._sending = Sending(self._pool, self._receiver, self._pipeline_id, fragments, pipeline_input)
        try:
            if self._sending.attempt():
                self._has_arrived()
        except AksLiteError as error:
            raise self._lost(error) from error.__cause__

    def _has_arrived(self) -> None:
        assert self._sending is not None
        self._command_id, self._sending = self._sending.command_id, None

    def mark_disconnected(self) -> None:
        """The session was disconnected. For :class:`Session` only."""
        if not self._state.is_over:
            self._state = InvocationState.DISCONNECTED
            self._must_connect = True

    def mark_closed(self) -> None:
        """The session was closed, and the pipeline with it. For :class:`Session` only."""
        if not self._state.is_over:
            self._finish(InvocationState.STOPPED)
        self._is_owed_terminate = False

    # -- driving ----------------------------------------------------------------------------------------------------------

    def _pump(self, until: float | None, *, patience_s: float = -1) -> None:
        """Take up to one answer of the device and turn it into records.

        Args:
            until: Moment (monotonic) up to which the caller wants to wait.
            patience_s: How long to wait for another thread that does the same; then nothing is done. Default: for ever.
        """
        if not self._pump_lock.acquire(timeout=patience_s):
            return
        error: RemotingError | None = None
        try:
            self._pumping_thread = threading.get_ident()
            self._advance(until)
        except QuestionUnanswered as question:
            error = self._host_calls.unanswered(question)
        finally:
            self._pumping_thread = None
            self._pump_lock.release()
        if self._state.is_over or self._stop_wanted.is_set():
            return
        if error is None and self._remaining_s() <= 0:
            error = self._timed_out()
        if error is not None:
            self._give_up(error)

    def _advance(self, until: float | None) -> None:
        if self._state.is_over:
            return
        if not self._is_reached(until):
            return
        done = False
        if self._stream.next_message() is None:
            done = self._receive(until)
        while (message := self._stream.next_message()) is not None:
            try:
                self._take(message)
            except QuestionUnanswered:
                self._stream.taken()
                raise
            self._stream.taken()
        if not self._is_asking_again:
            self._stream.nothing_comes_again()
        if done and not self._state.is_over:
            ended = self._pool.lost("the device ended the command without telling its result", self._attempted, _READ_STATE)
            raise self._lost(with_fate(ended, CommandFate.ENDED))

    def _is_reached(self, until: float | None) -> bool:
        """Have the device know the pipeline, and us as its client; False where ``until`` came first."""

        def connect() -> bool:
            self._pool.connect_command(self._command_id)
            return True

        try:
            if self._sending is not None:
                if not self._sending.settle(until):
                    return False
                self._has_arrived()
            if self._must_connect:
                if not self._receiver.repeat(connect, until=until):
                    return False
                self._must_connect = False
                self._state = InvocationState.RUNNING
        except AksLiteError as error:
            raise self._lost(error) from error.__cause__
        return True

    def _receive(self, until: float | None) -> bool:
        """Get one answer; True where the device says that no more will come."""
        if self._is_asking_again:
            self._pool.next_receive_id = self._stream.asked_again_for or self._pool.next_receive_id
        if self._remember is not None and self._stream.is_read and not self._stop_wanted.is_set():
            self._remember(self.reference)
        try:
            data, done = self._receiver.receive(self._command_id, self._wait_s(until), until)
            if data:
                self._stream.feed(data, self._pool.answered_receive_id)
        except (AksLiteError, ValueError) as error:
            if self._is_asking_again and fault_code(error.__cause__ or error) in SHELL_GONE:
                # The answer kept for the other process was a fault, or is no longer kept: what follows is asked for.
                self._is_asking_again = False
                return False
            raise self._lost(error) from (error.__cause__ if isinstance(error, AksLiteError) else error)
        self._is_asking_again = False
        return done

    def _take(self, message: RawMessage) -> None:
        was_told = self._stream.was_told(message)
        if message.kind == MessageType.PIPELINE_STATE:
            number, error = pipeline_state(message.data, self._stream.next_number)
            if error is not None and not was_told:
                self._stream.add(error, message)
            if number == PSInvocationState.COMPLETED and self._stream.is_torn:
                torn = self._pool.lost("the device ended the command in the middle of a record", self._attempted, _READ_STATE)
                raise self._lost(with_fate(torn, CommandFate.ENDED))
            if number in _STATES:
                self._finish(_STATES[number])
        elif was_told:
            return
        elif message.kind == MessageType.PIPELINE_HOST_CALL:
            try:
                self._host_calls.take(message, self._command_id)
            except AksLiteError as error:
                raise self._lost(error) from error.__cause__
        else:
            record = record_from(message.kind, message.data, self._stream.next_number, self._pool.decrypt)
            if record is not None:
                self._stream.add(record, message)

    def _finish(self, state: InvocationState) -> None:
        self._state = state
        self._ended_at = time.monotonic()
        if state is not InvocationState.LOST:
            self._pool.ended(self._command_id)
            self._is_owed_terminate = True
        self._over.set()

    def _release(self, *, unread: bool = False) -> None:
        """Free what the device keeps for the ended pipeline; while records are not handed out only where ``unread`` says so."""
        if self._is_owed_terminate and (unread or self._stream.is_read):
            self._is_owed_terminate = False
            self._pool.terminate(self._command_id)

    def _lost(self, error: Exception) -> AksLiteError:
        """The way to the pipeline is gone: the error to raise, now and to whoever reads on."""
        translated = as_remoting_error(error, self._pool.device, self._attempted, established=True)
        self._error = with_fate(translated, CommandFate.UNKNOWN)
        self._finish(InvocationState.LOST)
        return translated

    def _give_up(self, error: RemotingError) -> None:
        """Stop the pipeline and make this error its end."""
        stopped = self.stop(STOP_GRACE_S)
        if not stopped:
            error.message += "; the device has not confirmed that it stopped"
        error.fate = CommandFate.ENDED if stopped else CommandFate.UNKNOWN
        self._error = error

    def _timed_out(self) -> InvocationTimedOut:
        return InvocationTimedOut(
            f"it did not end within its limit of {self._timeout_s:g} s",
            device=self._pool.device.name,
            attempted=self._attempted,
            next_action="read the device's state; run it again with a longer time limit if it needs more",
        )

    @property
    def _attempted(self) -> str:
        return f"run {self._command}"

    def _remaining_s(self) -> float:
        return math.inf if self._timeout_s is None else self._started + self._timeout_s - time.monotonic()

    def _wait_s(self, until: float | None) -> int | None:
        return receive_wait_s(
            min(self._remaining_s(), math.inf if until is None else until - time.monotonic()),
            self._pool.device.endpoint.operation_timeout_s,
            platform=os.name,
            in_main_thread=threading.current_thread() is threading.main_thread(),
        )


_READ_STATE = "read the device's state before anything is sent again"
