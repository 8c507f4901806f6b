"""One pipeline running in a session: its records as they arrive, its end, and how to stop it.

Made by ``remoting.session``. Has no thread of its own: whoever asks for records, waits or stops drives it.
Repeats a Receive after a broken connection, never a command.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pypsrp.complex_objects import PSInvocationState
from pypsrp.messages import MessageType

from akslite_ps.errors import AksLiteError, InvocationTimedOut, PromptUnanswered, RemotingError, SessionLost
from akslite_ps.remoting.faults import DROPPED, as_remoting_error
from akslite_ps.remoting.fragments import Defragmenter, RawMessage
from akslite_ps.remoting.messages import SCREEN_TAG, host_text, pipeline_state, record_from
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.prompts import QuestionUnanswered
from akslite_ps.remoting.records import ErrorRecord, InformationRecord, OutputRecord, Record
from akslite_ps.remoting.recovery import STOP_GRACE_S, Receiver, receive_wait_s
from akslite_ps.remoting.result import InvocationState, Result
from akslite_ps.secrets import redact

_STATES = {
    PSInvocationState.COMPLETED: InvocationState.COMPLETED,
    PSInvocationState.FAILED: InvocationState.FAILED,
    PSInvocationState.STOPPED: InvocationState.STOPPED,
}


class Invocation:
    """One pipeline on a device. Made by :meth:`Session.start` and :meth:`Session.running`.

    One thread reads it; another may call :meth:`stop`.
    """

    def __init__(self, pool: DevicePool, command: str, *, pipeline_id: str | None = None, timeout_s: float | None = None) -> None:
        self._pool = pool
        self._pipeline_id = pipeline_id or str(uuid.uuid4()).upper()
        self._command_id = self._pipeline_id
        self._command = command
        self._state = InvocationState.RUNNING
        self._started = time.monotonic()
        self._ended_at: float | None = None
        self._timeout_s = timeout_s
        self._must_connect = pipeline_id is not None
        self._defragmenter = Defragmenter()
        self._raw: deque[RawMessage] = deque()
        self._inbox: deque[Record] = deque()
        self._records: list[Record] = []
        self._pump_lock = threading.Lock()
        self._pumping_thread: int | None = None
        self._stop_wanted = threading.Event()
        self._over = threading.Event()
        self._error: AksLiteError | None = None
        self._receiver = Receiver(pool, self._attempted, self._remaining_s, self._stop_wanted.is_set)

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

    def records(self, timeout_s: float | None = None) -> Iterator[Record]:
        """The records of all streams, each as soon as the device has sent it, in the order of arrival.

        Args:
            timeout_s: Return after this many seconds although the pipeline goes on; call again for the rest.

        Raises:
            SessionLost: The connection is gone for good; :attr:`state` is then LOST and how it ended is unknown.
            InvocationTimedOut: The invocation's own time limit passed; the pipeline was told to stop.
            PromptUnanswered: The device asked a question and there is no handler; the pipeline was stopped.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            while self._inbox:
                yield self._inbox.popleft()
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
        records = list(self._records)
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
        self._pool.interrupt(self._command_id)
        if self._pumping_thread == threading.get_ident():
            return self._state.is_over
        while not self._over.is_set() and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(SessionLost):
                self._pump(until, patience_s=min(left, 0.05))
        return self._over.is_set()

    # -- beginning ------------------------------------------------------------------------------------------------------

    def begin(self, fragments: Sequence[bytes], pipeline_input: Sequence[Any] | None) -> None:
        """Send the pipeline. For :class:`Session` only.

        Raises:
            SessionLost: The connection broke; whether the device runs the command is unknown.
            RemotingError: The device did not take it.
        """
        pool = self._pool
        whole = len(fragments) == 1 and pipeline_input is None
        self._receiver.unconfirmed = True
        try:
            with pool.lock:
                self._command_id = pool.command(fragments[0], self._pipeline_id)
                self._receiver.unconfirmed = False
                pool.send(fragments[1:], self._command_id)
                if pipeline_input is not None:
                    pool.send_input(pipeline_input, self._pipeline_id, self._command_id)
        except DROPPED as error:
            if whole:
                # The device has it or not: the first Receive tells, without sending the command again.
                return
            raise self._lost(error) from error
        except Exception as error:
            raise self._lost(error) from error

    def mark_disconnected(self) -> None:
        """The session was disconnected. For :class:`Session` only."""
        if not self._state.is_over:
            self._state = InvocationState.DISCONNECTED
            self._must_connect = True

    def mark_closed(self) -> None:
        """The session was closed, and the pipeline with it. For :class:`Session` only."""
        if not self._state.is_over:
            self._finish(InvocationState.STOPPED)

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
            error = self._prompt_unanswered(str(question))
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
        if self._must_connect:
            self._pool.connect_command(self._command_id)
            self._must_connect = False
            self._state = InvocationState.RUNNING
        done = False
        if not self._raw:
            try:
                data, done = self._receiver.receive(self._command_id, self._wait_s(until), until)
                self._raw.extend(self._defragmenter.feed(data))
            except (AksLiteError, ValueError) as error:
                raise self._lost(error) from error
        while self._raw:
            # Taken off the queue last, so that an interrupt in between loses no message.
            try:
                self._take(self._raw[0])
            except QuestionUnanswered:
                self._raw.popleft()
                raise
            self._raw.popleft()
        if self._state.is_over:
            self._pool.terminate(self._command_id)
        elif done:
            raise self._lost(
                self._pool.lost("the device ended the command without telling its result", self._attempted, _READ_STATE)
            )

    def _take(self, message: RawMessage) -> None:
        if message.kind == MessageType.PIPELINE_STATE:
            number, error = pipeline_state(message.data, len(self._records) + 1)
            if error is not None:
                self._append(error)
            if number in _STATES:
                self._finish(_STATES[number])
        elif message.kind == MessageType.PIPELINE_HOST_CALL:
            self._take_host_call(message)
        else:
            record = record_from(message.kind, message.data, len(self._records) + 1, self._pool.decrypt)
            if record is not None:
                self._append(record)

    def _take_host_call(self, message: RawMessage) -> None:
        text = host_text(message.data)
        if text is None:
            self._pool.answer_host_call(message, self._pipeline_id)
        elif not self._is_on_screen(text):
            self._append(InformationRecord(text, source="Host", tags=(SCREEN_TAG,), seq=len(self._records) + 1))

    def _is_on_screen(self, text: str) -> bool:
        """True where the last record says the same: Write-Host sends its text as record and as host call."""
        last = self._records[-1] if self._records else None
        return isinstance(last, InformationRecord) and SCREEN_TAG in last.tags and last.source != "Host" and last.message == text

    def _append(self, record: Record) -> None:
        self._records.append(record)
        self._inbox.append(record)

    def _finish(self, state: InvocationState) -> None:
        self._state = state
        self._ended_at = time.monotonic()
        self._over.set()

    def _lost(self, error: Exception) -> AksLiteError:
        """The way to the pipeline is gone: the error to raise, now and to whoever reads on."""
        translated = as_remoting_error(error, self._pool.device, self._attempted, established=True)
        self._error = translated
        self._finish(InvocationState.LOST)
        return translated

    def _give_up(self, error: RemotingError) -> None:
        """Stop the pipeline and make this error its end."""
        if not self.stop(STOP_GRACE_S):
            error.message += "; the device has not confirmed that it stopped"
        self._error = error

    def _prompt_unanswered(self, question: str) -> PromptUnanswered:
        return PromptUnanswered(
            f"the device asks: {redact(question)}",
            device=self._pool.device.name,
            attempted=self._attempted,
            next_action="pass the parameter that avoids the question (such as Force, or Confirm=False), or give a prompt handler",
        )

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
