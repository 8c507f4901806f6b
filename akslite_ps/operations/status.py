"""What a device is right now, read through read-only commands. Used by ``akslite status``, notebooks and reports."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from akslite_ps.errors import AksLiteError
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.preflight import features_wait_for_restart, missing_features
from akslite_ps.operations.reading import reading

if TYPE_CHECKING:
    from akslite_ps.remoting import Device, Session


class DeviceStatus(BaseModel):
    """A device at one moment.

    Args:
        device: Its name.
        read: When it was read, UTC.
        state: ``bare`` (no features), ``restart-due``, ``prepared``, ``installed``, ``deployed``, or ``incomplete`` (the
            product shows a deployment that does not answer as one).
        computer_name: Windows' name of it.
        os: Edition and build, for people.
        product, product_version, distribution: What is installed, None where nothing is.
        node_name, node_address: The Linux node, None where there is no deployment.
        pending_reboot: Reasons for a restart that is due, empty where none is.
        boot_time: When Windows started last, UTC.
        problems: Sentences about what could not be read.
        facts: All facts of the host, JSON-ready.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    read: dt.datetime
    state: str
    computer_name: str
    os: str
    product: str | None = None
    product_version: str | None = None
    distribution: str | None = None
    node_name: str | None = None
    node_address: str | None = None
    pending_reboot: tuple[str, ...] = ()
    boot_time: dt.datetime | None = None
    problems: tuple[str, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)


def read(device: Device, *, open_session: OpenSession = open_session, ask: Ask | None = None) -> DeviceStatus:
    """Read a device.

    Args:
        device: The device.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
    """
    with reading(device, open_session=open_session, ask=ask) as session:
        return read_through(session)


def read_through(session: Session) -> DeviceStatus:
    """Read the device that a session with our device-side functions is open on; further as :func:`read`."""
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import host_facts

    problems: list[str] = []
    node_name: str | None = None
    node_address: str | None = None
    facts = host_facts(session)
    if facts.deployment_exists:
        product = AksEdge(session)
        try:
            if not product.test_deployment():
                problems.append("there are nodes on the device, but the product says that there is no deployment")
            node_name = product.get_node_name()
            node_address = product.get_node_addr().ip
        except AksLiteError as error:
            problems.append(error.message)
    if facts.deployment_exists:
        state = "incomplete" if problems else "deployed"
    elif facts.product_name is not None:
        state = "installed"
    elif features_wait_for_restart(facts):
        state = "restart-due"
    else:
        state = "bare" if missing_features(facts) else "prepared"
    return DeviceStatus(
        device=session.device.name,
        read=dt.datetime.now(dt.UTC),
        state=state,
        computer_name=facts.computer_name or "",
        os=f"{facts.os_caption}, build {facts.os_build}",
        product=facts.product_name,
        product_version=facts.product_version,
        distribution=facts.distribution,
        node_name=node_name,
        node_address=node_address,
        pending_reboot=tuple(facts.pending_reboot_reasons) if facts.pending_reboot else (),
        boot_time=facts.boot_time,
        problems=tuple(problems),
        facts=facts.model_dump(mode="json"),
    )
