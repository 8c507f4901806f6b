"""What a step's code works with: the device, its sessions, the journaled sender, and the way to tell how far it is.

Made by ``operations.engine``, one :class:`Work` per attempt at a step.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from akslite_ps.aksedge.session_port import DeviceSession
from akslite_ps.errors import AksLiteError, AuthenticationFailed, NotPermitted, RemotingError, StepFailed, Unreachable
from akslite_ps.operations.events import Event, Listener, StepProgress
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.stages import OverallTracker
from akslite_ps.operations.surroundings import Ask, Surroundings
from akslite_ps.secrets import redact

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device, InvocationReference, Session

_log = logging.getLogger(__name__)
# A host that is starting may refuse good credentials for a moment; a wrong password must not lock the account.
_REFUSALS_BORNE = 4


class StepSender(DeviceSession, Protocol):
    """Sends a step's one command, or takes up what was sent; as :class:`akslite_ps.operations.invocation.Sender`."""

    @property
    def takes_up(self) -> bool: ...

    @property
    def boot_time(self) -> dt.datetime | None: ...


class Stopped(Exception):
    """The stop event was set; raised inside the engine only."""


class Sessions:
    """The one session of a run, opened when first needed and again after it was lost.

    Args:
        controller: Gives the functions that open and attach.
        device: The device.
        ask: Answers prompts for secrets.
        computer: Windows' name of the machine that is meant, None for whichever answers.
    """

    def __init__(self, controller: Surroundings, device: Device, ask: Ask | None = None, *, computer: str | None = None) -> None:
        self.device = device
        self._computer = computer
        self._controller = controller
        self._ask = ask
        self._session: Session | None = None
        self._boot_time: dt.datetime | None = None

    def current(self) -> Session:
        """The open session, or a new one.

        Raises:
            Unreachable: It cannot be opened, or another computer answers.
            RemotingError: It cannot be opened for another reason.
        """
        if self._session is None:
            from akslite_ps.aksedge.ops import ensure_ops

            session = self._controller.open_session(self.device, ask=self._ask)
            try:
                ensure_ops(session)
                self._recognise(session)
            except BaseException:
                _close(session)
                raise
            self._session = session
        return self._session

    def _recognise(self, session: Session) -> None:
        from akslite_ps.aksedge.ops import host_facts

        found = host_facts(session).computer_name if self._computer else None
        if found and self._computer and found.casefold() != self._computer.casefold():
            raise Unreachable(
                f"another computer answers at {self.device.endpoint.host}: {found}, the plan was made for {self._computer}",
                device=self.device.name,
                attempted="open a session",
                next_action=f"correct the device's address (akslite device show {self.device.name}); where the computer was "
                "renamed or replaced, give the run up (akslite runs abandon) and make a new plan",
            )

    def boot_time(self) -> dt.datetime:
        """When Windows started; read once per session."""
        if self._boot_time is None:
            from akslite_ps.aksedge.ops import boot_time

            self._boot_time = boot_time(self.current())
        return self._boot_time

    def still_alive(self) -> bool:
        """Whether the device still knows the open session; False where none is open. Opens nothing."""
        return self._session is not None and self._session.is_alive()

    def attach(self, left: str | InvocationReference, *, remember: Callable[[InvocationReference], None] | None = None) -> Session:
        """Take over a session left on the device; it becomes the current one.

        Args:
            left: The session's id there, or the reference of an invocation in it.
            remember: As for :meth:`akslite_ps.remoting.Session.attach`.

        Raises:
            SessionLost: It is no longer there.
            Unreachable: The device does not answer.
        """
        # Never close here: closing would end what is to be taken up.
        with suppress(AksLiteError):
            self.leave()
        self._session = self._controller.attach_session(self.device, left, ask=self._ask, remember=remember)
        return self._session

    def leave(self) -> None:
        """Disconnect: the session, and what runs in it, stays on the device."""
        session, self._session, self._boot_time = self._session, None, None
        if session is not None:
            session.disconnect()

    def drop(self) -> None:
        """Close the session, if there is one; a broken one is forgotten."""
        session, self._session, self._boot_time = self._session, None, None
        if session is not None:
            _close(session)


def _close(session: Session) -> None:
    with suppress(AksLiteError, OSError):
        session.close()


class Teller:
    """Sends events to the listener; what the listener does wrong stays its own affair.

    Args:
        listener: Takes the events, or None.
        overall: Knows how far the whole run is.
    """

    def __init__(self, listener: Listener | None, overall: OverallTracker) -> None:
        self._listener = listener
        self._overall = overall
        self._furthest = 0.0

    def tell(self, event: Event) -> None:
        """Hand an event on."""
        if self._listener is None:
            return
        try:
            self._listener(event)
        except Exception:  # noqa: BLE001 - a listener is foreign code
            _log.exception("a listener failed on %s; the run goes on", type(event).__name__)

    def progress(self, step: Step, stage: str, fraction: float | None = None, seconds_left: int | None = None) -> None:
        """Tell where a step stands; the run's overall fraction never goes back."""
        self._furthest = max(self._furthest, self._overall.overall(step.id, fraction))
        self.tell(StepProgress(step, redact(stage), fraction, seconds_left, round(self._furthest, 4)))

    def step_done(self, step: Step) -> None:
        """The step has its result and counts as a whole."""
        self._overall.step_done(step.id)


class Work:
    """One attempt at a step.

    Args:
        controller: The run's surroundings.
        sessions: The run's session.
        plan: The plan being applied.
        step: The step.
        teller: Where progress goes.
        stop: Set when a person wants the run to stop.
        ask: Answers prompts for secrets.
        sender: The one that sends the step's invocation and journals it.
    """

    def __init__(
        self,
        *,
        controller: Surroundings,
        sessions: Sessions,
        plan: Plan,
        step: Step,
        teller: Teller,
        stop: threading.Event,
        ask: Ask | None,
        sender: Callable[[Work], StepSender],
    ) -> None:
        self.controller = controller
        self.sessions = sessions
        self.plan = plan
        self.step = step
        self.stop = stop
        self.ask = ask
        self._teller = teller
        self.sender = sender(self)

    @property
    def device(self) -> Device:
        """The device worked on."""
        return self.sessions.device

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The step's parameters."""
        return self.step.parameters

    def session(self) -> Session:
        """A session for reading; what is sent through it is not journaled."""
        self.check_stop()
        return self.sessions.current()

    def facts(self) -> HostFacts:
        """Read the host's facts now."""
        from akslite_ps.aksedge.ops import host_facts

        return host_facts(self.session())

    def config(self) -> DeploymentConfig:
        """The plan's deployment config, secrets still references."""
        from akslite_ps.aksedge.config import DeploymentConfig

        return DeploymentConfig.parse(self.plan.config or {}, source=f"the plan for {self.plan.device}")

    def failure(self, message: str, *, next_action: str) -> StepFailed:
        """The error to raise where this step did not do what it should.

        Args:
            message: What is wrong.
            next_action: What a person should do.
        """
        return StepFailed(message, device=self.device.name, attempted=self.step.title, next_action=next_action)

    def tell(self, stage: str, fraction: float | None = None, seconds_left: int | None = None) -> None:
        """Tell where the step stands."""
        self._teller.progress(self.step, stage, fraction, seconds_left)

    def tell_event(self, event: Event) -> None:
        """Hand an event to whoever listens."""
        self._teller.tell(event)

    def check_stop(self) -> None:
        """Raise where the run is to stop.

        Raises:
            Stopped: The stop event is set.
        """
        if self.stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, unless the run is to stop.

        Raises:
            Stopped: The stop event is set.
        """
        if self.stop.wait(seconds):
            raise Stopped

    def wait_until_back(self, within_s: float, *, stage: str, ready: Callable[[], bool]) -> None:
        """Wait for a device that does not answer, or not as wanted, at the moment.

        Args:
            within_s: Longest time in seconds.
            stage: What is told meanwhile.
            ready: Asked again and again, with no session open at first; errors of remoting mean not yet.

        Raises:
            RemotingError: The last error, where the time is over.
            TimeoutError: The time is over and the device answers, but ``ready`` never said yes.
            Stopped: The stop event is set.
        """
        clock = self.controller.clock
        end = clock.monotonic() + within_s
        refusals = 0
        for pause in self.controller.limits.polls():
            self.tell(stage)
            last: RemotingError | None = None
            try:
                if ready():
                    return
            except NotPermitted:
                raise
            except RemotingError as error:
                self.sessions.drop()
                last = error
                refusals += isinstance(error, AuthenticationFailed)
                if refusals > _REFUSALS_BORNE:
                    raise
            left = end - clock.monotonic()
            if left <= 0:
                if last is not None:
                    raise last
                raise TimeoutError(stage)
            self.wait(min(pause, left))
