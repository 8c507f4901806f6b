"""What a run has around it: the journal, the way to devices and clusters, a clock, patience.

Used by ``operations.work``; ``operations.controller`` adds the steps' code. Holds no state of a run.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from akslite_ps.journal import Journal

if TYPE_CHECKING:
    from akslite_ps.cluster import Cluster
    from akslite_ps.remoting import Device, InvocationReference, Session

Ask = Callable[[str], str]


class OpenSession(Protocol):
    """Opens a session, as :meth:`akslite_ps.remoting.Session.open` does."""

    def __call__(self, device: Device, *, ask: Ask | None = None) -> Session: ...


class AttachSession(Protocol):
    """Takes over a session left on the device, as :meth:`akslite_ps.remoting.Session.attach` does."""

    def __call__(
        self,
        device: Device,
        left: str | InvocationReference,
        *,
        ask: Ask | None = None,
        remember: Callable[[InvocationReference], None] | None = None,
    ) -> Session: ...


class OpenCluster(Protocol):
    """Makes a client of a device's cluster from its kubeconfig."""

    def __call__(self, device: Device, kubeconfig: str) -> Cluster: ...


class Clock(Protocol):
    """The time: of day for rows and reports, monotonic for limits."""

    def now(self) -> dt.datetime: ...
    def monotonic(self) -> float: ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> dt.datetime:
        """The time, UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a run is; all in seconds.

    Args:
        first_poll_s: The first pause between two looks at something that is coming; each next one is longer.
        longest_poll_s: The longest such pause.
        back_within_s: How long a device lost amid a step is waited for.
        api_within_s: How long an API server that does not answer at all is waited for.
        tick_s: How often progress is told while the device is silent.
    """

    first_poll_s: float = 0.25
    longest_poll_s: float = 5.0
    back_within_s: float = 900.0
    api_within_s: float = 240.0
    tick_s: float = 1.0

    def polls(self) -> Iterator[float]:
        """Pauses in seconds, growing from the first to the longest, without end."""
        pause = self.first_poll_s
        while True:
            yield pause
            pause = min(pause * 1.5, self.longest_poll_s)


def open_session(device: Device, *, ask: Ask | None = None) -> Session:
    """Open a session on the device (the default of :class:`Controller`)."""
    from akslite_ps.remoting import Session

    return Session.open(device, ask=ask)


def attach_session(
    device: Device,
    left: str | InvocationReference,
    *,
    ask: Ask | None = None,
    remember: Callable[[InvocationReference], None] | None = None,
) -> Session:
    """Take over a session left on the device (the default of :class:`Controller`)."""
    from akslite_ps.remoting import Session

    return Session.attach(device, left, ask=ask, remember=remember)


def open_cluster(device: Device, kubeconfig: str) -> Cluster:
    """Make a client of the device's cluster (the default of :class:`Controller`)."""
    from akslite_ps.cluster import Cluster

    return Cluster.from_kubeconfig(kubeconfig, device=device.name)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where steps are done.

    Args:
        journal: Where every intent, sending and result is written before anybody is told.
        open_session: Opens a session on a device.
        attach_session: Takes over a session left on a device.
        open_cluster: Makes a client of a device's cluster.
        limits: How patient.
        clock: The time.
    """

    journal: Journal
    open_session: OpenSession = open_session
    attach_session: AttachSession = attach_session
    open_cluster: OpenCluster = open_cluster
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)
