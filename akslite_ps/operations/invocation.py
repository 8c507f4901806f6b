"""Sends the one command of a step and journals it: intent before, sent when the device took it, every record as it comes.

Used by the steps' code in place of a session (``work.sender``), so that the typed calls of ``aksedge`` work through
it. When a run goes on, the same call collects the rest of an invocation that was left on the device instead of
sending again. Never sends twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import AksLiteError, InvocationTimedOut, SessionLost, Unreachable
from akslite_ps.journal import RowKind
from akslite_ps.operations.events import RecordArrived
from akslite_ps.operations.history import InFlight
from akslite_ps.operations.record_rows import redacted, row_data, text_of
from akslite_ps.operations.stages import STAGES, StageTracker
from akslite_ps.operations.work import Sessions, Work
from akslite_ps.remoting.faults import is_passing
from akslite_ps.remoting.records import ErrorRecord, OutputRecord, ProgressRecord, Record

if TYPE_CHECKING:
    from akslite_ps.remoting import Command, Device, Invocation, InvocationReference, Result, Session

_PERCENT_STEP = 5
_STOP_WITHIN_S = 30.0


class EndMissed(Exception):
    """Whether the command ran to its end cannot be told from the invocation; the device must be read. Engine only."""

    def __init__(self, why: str, cause: AksLiteError | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.cause = cause


def stop_in_flight(sessions: Sessions, in_flight: InFlight) -> bool:
    """Stop what an interrupted run left running on the device, and end its session there.

    Returns:
        True where it was found running.

    Raises:
        RemotingError: The device cannot be asked.
    """
    if in_flight.shell_id is None:
        return False
    try:
        session = sessions.attach(in_flight.shell_id)
    except SessionLost as error:
        if is_passing(error):
            raise
        return False
    try:
        found = _found_in(session, in_flight)
        if found is not None:
            found.stop(timeout_s=_STOP_WITHIN_S)
        return found is not None
    finally:
        sessions.drop()


def _found_in(session: Session, in_flight: InFlight) -> Invocation | None:
    wanted = in_flight.command_id
    return next((found for found in session.running() if wanted is None or found.id.casefold() == wanted.casefold()), None)


class Sender:
    """Sends one attempt's command.

    Args:
        work: The attempt's surroundings.
        run_id: The run.
        attempt: Which attempt at the step, from 1.
        note: Told what is on its way, as soon as the journal has it.
        in_flight: An earlier attempt's invocation to take up instead of sending, or None.
    """

    def __init__(
        self, work: Work, *, run_id: str, attempt: int, note: Callable[[InFlight], None], in_flight: InFlight | None = None
    ) -> None:
        self._work = work
        self._run_id = run_id
        self._attempt = attempt
        self._taken_up = in_flight
        self._used = False
        self._note = note
        self._flight = in_flight
        self._journaled = _journaled(in_flight)

    @property
    def device(self) -> Device:
        """The device, as :attr:`akslite_ps.remoting.Session.device`."""
        return self._work.device

    @property
    def takes_up(self) -> bool:
        """True where an invocation left on the device is collected instead of sending."""
        return self._taken_up is not None

    @property
    def boot_time(self) -> dt.datetime | None:
        """When the device had last started at the time the command was sent; None where nothing was sent."""
        return self._flight.boot_time if self._flight else None

    def invoke(
        self,
        command: str | Command,
        /,
        *,
        timeout_s: float | None = None,
        on_record: Callable[[Record], None] | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Result:
        """Run the step's command to its end; arguments and errors as :meth:`akslite_ps.remoting.Session.invoke`.

        Raises:
            EndMissed: It was sent, and how it ended cannot be told.
            Unreachable: It was sent, and the device did not come back in time.
            Stopped: The run is to stop; the command goes on in the device.
        """
        assert not self._used, "a step sends one command"
        self._used = True
        name = command if isinstance(command, str) else command.name
        limit_s = timeout_s or self._work.step.max_run_s
        if self._taken_up is None:
            invocation = self._send(name, command, limit_s, parameters)
        elif self._taken_up.command == name:
            invocation = self._take_up(self._taken_up)
        else:
            raise EndMissed(f"the run sent {self._taken_up.command}, this version of akslite-ps would send {name}")
        result = self._collect(name, invocation, limit_s, on_record)
        return self._judged(name, result, check)

    # -- sending and taking up --------------------------------------------------------------------------------------

    def _send(self, name: str, command: str | Command, limit_s: float, parameters: dict[str, Any]) -> Invocation | None:
        work = self._work
        session = work.session()
        if not session.is_alive():
            work.sessions.drop()
            session = work.session()
        boot_time = work.sessions.boot_time()
        self._journal(
            RowKind.INTENT,
            {"command": name, "parameters": sorted(parameters), "shell_id": session.shell_id, "boot_time": boot_time},
        )
        self._flies(InFlight(work.step.id, self._attempt, name, session.shell_id, boot_time=boot_time))
        try:
            invocation = session.start(command, timeout_s=limit_s, remember=self._remember, **parameters)
        except SessionLost:
            return None
        place = invocation.reference
        self._journal(
            RowKind.SENT,
            {"command": name, "shell_id": session.shell_id, "command_id": invocation.id, "reference": place.as_text()},
        )
        self._flies(InFlight(work.step.id, self._attempt, name, session.shell_id, invocation.id, boot_time, place=place))
        return invocation

    def _remember(self, place: InvocationReference) -> None:
        """Journal how far the output was read. Pieces of a message that is not whole yet may hold a secret: not those."""
        if place.place.parts or self._flight is None:
            return
        self._flight.place = place
        self._journal(RowKind.PLACE, {"reference": place.as_text()})

    def _take_up(self, in_flight: InFlight) -> Invocation:
        """Connect to the session left on the device.

        Raises:
            EndMissed: Session or invocation are no longer there.
            Unreachable: The device did not answer in time.
        """
        found: list[Invocation] = []

        def ready() -> bool:
            if in_flight.shell_id is None:
                raise EndMissed("its session is not known")
            try:
                session = self._work.sessions.attach(in_flight.place or in_flight.shell_id, remember=self._remember)
            except SessionLost as error:
                if is_passing(error):
                    raise
                raise EndMissed("its session is no longer there", error) from error
            invocation = _found_in(session, in_flight)
            if invocation is None:
                self._work.sessions.drop()
                raise EndMissed("it is no longer in its session")
            found.append(invocation)
            return True

        self._work.wait_until_back(
            self._work.controller.limits.back_within_s, stage="Waiting for the device to answer again", ready=ready
        )
        return found[0]

    # -- collecting -------------------------------------------------------------------------------------------------

    def _collect(
        self, name: str, invocation: Invocation | None, limit_s: float, on_record: Callable[[Record], None] | None
    ) -> Result:
        earlier = list(self._taken_up.records) if self._taken_up else []
        progress = _Progress(self._work, name)
        while True:
            known = self._journaled
            try:
                if invocation is None:
                    raise SessionLost("the connection broke while the command was sent", device=self.device.name)
                self._drain(invocation, progress, limit_s, on_record)
                return _together(earlier, invocation.result(), known)
            except (SessionLost, Unreachable) as error:
                if invocation is not None:
                    earlier += [record for record in invocation.result().records if known < record.seq <= self._journaled]
                assert self._flight is not None
                try:
                    invocation = self._take_up(self._flight)
                except EndMissed as missed:
                    raise EndMissed(missed.why, missed.cause or error) from error

    def _drain(
        self, invocation: Invocation, progress: _Progress, limit_s: float, on_record: Callable[[Record], None] | None
    ) -> None:
        work, arrived, known = self._work, 0, self._journaled
        while not invocation.state.is_over:
            for record in invocation.records(timeout_s=work.controller.limits.tick_s):
                if record.seq <= known:
                    continue
                if record.seq > self._journaled:
                    # All that arrived with it is written at once: the device need not say it a second time.
                    batch = invocation.result().records[arrived:]
                    arrived += len(batch)
                    self._write([item for item in batch if item.seq > self._journaled], progress)
                progress.record(record)
                work.tell_event(RecordArrived(work.step, redacted(record)))
                if on_record is not None:
                    on_record(record)
                work.check_stop()
            work.check_stop()
            progress.tick()
            if progress.elapsed_s > limit_s and not invocation.state.is_over:
                # An invocation that was taken up has lost the limit it was started with.
                invocation.stop()
                raise InvocationTimedOut(
                    f"it did not end within its limit of {limit_s:g} s",
                    device=self.device.name,
                    attempted=f"run {invocation.command}",
                    next_action="read the device's state with `akslite status`; then run the operation again",
                )

    def _write(self, records: Sequence[Record], progress: _Progress) -> None:
        news = [row_data(record) for record in records if progress.is_news(record)]
        self._work.controller.journal.append_records(self._run_id, self._work.step.id, self._attempt, news)
        self._journaled = records[-1].seq

    def _judged(self, name: str, result: Result, check: bool) -> Result:
        from akslite_ps.remoting.result import failure

        error = failure(
            result,
            device=self.device.name,
            command=name,
            check=check,
            is_restricted=lambda: self._work.sessions.current().language == "none",
        )
        if error is not None:
            raise error
        return result

    def _flies(self, in_flight: InFlight) -> None:
        self._flight = in_flight
        self._note(in_flight)

    def _journal(self, kind: RowKind, data: dict[str, Any]) -> None:
        self._work.controller.journal.append(self._run_id, kind, step_id=self._work.step.id, attempt=self._attempt, data=data)


class _Progress:
    """Turns records and the passing of time into progress events."""

    def __init__(self, work: Work, command: str) -> None:
        self._work = work
        self._clock = work.controller.clock
        self._began = self._clock.monotonic()
        self._tracker = StageTracker(work.step.title, STAGES.get(command, ()), work.step.typical_s)
        self._told: tuple[str, int | None] | None = None
        self._last_progress: dict[int, tuple[str, str, int]] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was sent or taken up."""
        return self._clock.monotonic() - self._began

    def is_news(self, record: Record) -> bool:
        """Whether a record belongs into the journal: everything but progress that moved by less than five percent."""
        if not isinstance(record, ProgressRecord):
            return True
        now = (record.activity, record.status, (record.percent or 0) // _PERCENT_STEP)
        if self._last_progress.get(record.activity_id) == now:
            return False
        self._last_progress[record.activity_id] = now
        return True

    def record(self, record: Record) -> None:
        """Take note of a record and tell where the step stands, if that changed."""
        elapsed = self.elapsed_s
        if isinstance(record, ProgressRecord):
            if not record.completed:
                self._tracker.percent(record.percent, _said(record), elapsed)
        else:
            for line in text_of(record).splitlines():
                self._tracker.line(line, elapsed)
        self.tick()

    def tick(self) -> None:
        """Tell where the step stands, if it differs by a percent, the stage, or a second of time left."""
        standing = self._tracker.standing(self.elapsed_s)
        percent = None if standing.fraction is None else int(standing.fraction * 100)
        if (standing.stage, percent) != self._told:
            self._told = (standing.stage, percent)
            self._work.tell(standing.stage, standing.fraction, standing.seconds_left)


def _journaled(in_flight: InFlight | None) -> int:
    """Number of the last record of an invocation that the journal has; 0 where its records are not counted on."""
    if in_flight is None or in_flight.place is None:
        return 0
    return max((record.seq for record in in_flight.records), default=0)


def _together(earlier: list[Record], result: Result, known: int) -> Result:
    """The result with what came before the connection was lost or the controller changed; ``known`` is the last of that."""
    records = [*earlier, *(record for record in result.records if record.seq > known)]
    return replace(
        result,
        output=[record.value for record in records if isinstance(record, OutputRecord)],
        errors=[record for record in records if isinstance(record, ErrorRecord)],
        records=records,
    )


def _said(record: ProgressRecord) -> str:
    parts = [part.strip() for part in (record.activity, record.status) if part.strip()]
    return ": ".join(parts)
