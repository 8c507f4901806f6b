"""Reads a device for a plan: one session, opened for it and closed again. Changes nothing, journals nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from akslite_ps.operations.controller import Ask, OpenSession, open_session

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.remoting import Device, Session


@contextmanager
def reading(device: Device, *, open_session: OpenSession, ask: Ask | None = None) -> Iterator[Session]:
    """A session with our device-side functions for the time of a ``with`` block.

    Raises:
        RemotingError: It cannot be opened.
    """
    from akslite_ps.aksedge.ops import ensure_ops

    with open_session(device, ask=ask) as session:
        ensure_ops(session)
        yield session


def read_facts(device: Device, *, open_session: OpenSession, ask: Ask | None = None) -> HostFacts:
    """The host's facts now.

    Raises:
        RemotingError: The device cannot be read.
    """
    from akslite_ps.aksedge.ops import host_facts

    with reading(device, open_session=open_session, ask=ask) as session:
        return host_facts(session)


def read_kubeconfig(device: Device, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> str:
    """The admin kubeconfig of a device's cluster, a secret; kept nowhere.

    Raises:
        AksLiteError: It cannot be read.
    """
    from akslite_ps.aksedge.ops import kube_config

    with reading(device, open_session=open_session, ask=ask) as session:
        return kube_config(session)
