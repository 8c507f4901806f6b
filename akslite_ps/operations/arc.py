"""Connects a deployed device's cluster to Azure Arc, and disconnects it: checks before, one command, polling after.

The plans hold the config with its secret as a reference; the value is resolved when the command is sent, and goes as text of
the config, which is the only form that the product takes. What was left of secrets in configs on the device is emptied
afterwards. Used by ``akslite connect``, ``akslite disconnect`` and by ``remove``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import NotPermitted
from akslite_ps.operations.arc_state import AGENTS, ArcState, read_arc
from akslite_ps.operations.arc_steps import (
    CODE,
    CONNECT,
    CONNECTED,
    DISCONNECT,
    DISCONNECTED,
    SCRUB_CONNECTED,
    SCRUB_DISCONNECTED,
)
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.reading import reading

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.ops import InternetReach
    from akslite_ps.remoting import Device

CONNECTED_WITHIN_S = 1200
"""Longest wait for the agents in seconds; Microsoft's script polls for 15 minutes."""
DISCONNECTED_WITHIN_S = 300

_FIELDS = ("ClusterName", "Location", "ResourceGroupName", "SubscriptionId", "TenantId", "ClientId", "ClientSecret")


def missing_fields(config: DeploymentConfig) -> list[str]:
    """The fields that a connection needs and the config's Arc section has not: ``Arc.ClusterName`` and so on."""
    values = config.values()
    return [f"Arc.{name}" for name in _FIELDS if f"Arc.{name}" not in values]


def resource_of(config: DeploymentConfig) -> str:
    """The resource in Azure that the config's Arc section names, for people."""
    arc = config.arc
    return f"connected cluster {arc.cluster_name or '(no name)'} in resource group {arc.resource_group_name or '(no name)'}"


def plan_connect(
    device: Device, config: DeploymentConfig, *, open_session: OpenSession = open_session, ask: Ask | None = None
) -> Plan:
    """Read the device and say what connecting its cluster to Azure Arc would do.

    Args:
        device: The device.
        config: The deployment's config with a complete Arc section.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
        SecretUnavailable: The config holds a secret that cannot be written as a reference.
    """
    data = config.as_data()
    found = _read(device, open_session, ask)
    state = found.state
    done = state is not None and state.connected
    steps = connect_steps(config, needed=not done, secret_files=found.secret_files)
    return _plan("connect", device, data, (*_findings(found, config), _state_finding(found)), steps, found)


def plan_disconnect(
    device: Device, config: DeploymentConfig, *, open_session: OpenSession = open_session, ask: Ask | None = None
) -> Plan:
    """Read the device and say what taking its cluster out of Azure Arc would do. Arguments and errors as :func:`plan_connect`."""
    data = config.as_data()
    found = _read(device, open_session, ask)
    registered = found.state.registered if found.state is not None else False
    steps = (*disconnect_steps(config, needed=registered is not False), _scrub(SCRUB_DISCONNECTED, found.secret_files))
    return _plan("disconnect", device, data, (*_findings(found, config), _state_finding(found)), steps, found)


def connect_steps(config: DeploymentConfig, *, needed: bool = True, secret_files: Sequence[str] | None = None) -> tuple[Step, ...]:
    """The steps that bring a cluster into Azure Arc, for :func:`plan_connect` and for changing the deployment."""
    return (
        Step(
            id=CONNECT,
            title="Connect the cluster to Azure Arc",
            command="Connect-AksEdgeArc",
            change=f"creates {resource_of(config)}; installs the Arc agents in the cluster" if needed else "",
            needed=needed,
            typical_s=300,
            max_run_s=1200,
        ),
        Step(
            id=CONNECTED,
            title="Wait until Azure shows it as connected",
            command="Test-AksEdgeArcConnection",
            typical_s=120,
            max_run_s=CONNECTED_WITHIN_S,
        ),
        _scrub(SCRUB_CONNECTED, secret_files),
    )


def disconnect_steps(
    config: DeploymentConfig, *, needed: bool = True, former: Mapping[str, Any] | None = None
) -> tuple[Step, Step]:
    """The steps that take a cluster out of Azure Arc, for :func:`plan_disconnect` and for removing or changing the deployment.

    Args:
        config: The plan's config.
        needed: The cluster may be connected.
        former: Values of the Arc section by path, where it is connected as something else than the config says.
    """
    parameters = {"former": dict(former)} if former else {}
    config = config.with_values(former) if former else config
    return (
        Step(
            id=DISCONNECT,
            title="Disconnect the cluster from Azure Arc",
            command="Disconnect-AksEdgeArc",
            change=f"deletes {resource_of(config)} with what Azure holds for it; removes the Arc agents" if needed else "",
            needed=needed,
            disturbs=needed,
            typical_s=120,
            max_run_s=1200,
            parameters=parameters,
        ),
        Step(
            id=DISCONNECTED,
            title="See that it is no longer connected",
            command="Test-AksEdgeArcConnection",
            needed=needed,
            typical_s=20,
            max_run_s=DISCONNECTED_WITHIN_S,
        ),
    )


def section_finding(config: DeploymentConfig) -> Finding:
    """Whether the config's Arc section is complete. Shows names of fields only."""
    missing = missing_fields(config)
    return Finding(
        check="arc-section",
        title="Arc section of the config",
        severity="error" if missing else "ok",
        read=f"without {', '.join(missing)}" if missing else resource_of(config),
        needed="a complete one",
        action="fill it in; the secret as a reference such as env:NAME or keyring:SERVICE/USER" if missing else "",
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read for a plan; ``state`` is None where there is no deployment, ``secret_files`` where it is not permitted."""

    computer: str | None
    deployed: bool
    reach: InternetReach
    state: ArcState | None
    secret_files: Sequence[str] | None


def _read(device: Device, open_session: OpenSession, ask: Ask | None) -> _Found:
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import config_secrets, host_facts, internet

    with reading(device, open_session=open_session, ask=ask) as session:
        facts = host_facts(session)
        deployed = bool(facts.deployment_exists) and AksEdge(session).test_deployment()
        try:
            secret_files: Sequence[str] | None = config_secrets(session).files
        except NotPermitted:
            secret_files = None
        return _Found(facts.computer_name, deployed, internet(session), read_arc(session) if deployed else None, secret_files)


def _plan(
    operation: str, device: Device, data: dict[str, Any], findings: Sequence[Finding], steps: Sequence[Step], found: _Found
) -> Plan:
    notes = () if found.secret_files is not None else ("Whether secrets were left on the device cannot be seen with this role.",)
    return Plan(
        operation=operation,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=found.computer,
        config=data,
        findings=tuple(findings),
        steps=tuple(steps),
        notes=notes,
    )


def _scrub(step_id: str, files: Sequence[str] | None) -> Step:
    """The step that empties secrets; needed always, because the product may leave a config only now."""
    return Step(
        id=step_id,
        title="Empty Azure secrets left in configs on the device",
        command="Clear-AksLiteConfigSecret",
        change=f"empties the secrets in {', '.join(files)}" if files else "",
        typical_s=5,
        max_run_s=120,
    )


def _findings(found: _Found, config: DeploymentConfig) -> tuple[Finding, ...]:
    return (
        Finding(
            check="deployment",
            title="Deployment",
            severity="ok" if found.deployed else "error",
            read="there is one" if found.deployed else "there is none, or an incomplete one",
            needed="a complete deployment",
            action="" if found.deployed else "deploy first: akslite deploy",
        ),
        section_finding(config),
        _internet(found.reach, config),
    )


def _internet(reach: InternetReach, config: DeploymentConfig) -> Finding:
    needed = "Azure answers to the device"
    if config.network.internet_disabled:
        return Finding(
            check="internet",
            title="Way to Azure",
            severity="error",
            read="Network.InternetDisabled is true in the config",
            needed=needed,
            action="use the config of a device that may reach the internet",
        )
    missed = bool(reach.missed)
    return Finding(
        check="internet",
        title="Way to Azure",
        severity=("warning" if reach.reached else "error") if missed else "ok",
        read=f"no answer from {', '.join(reach.missed)}" if missed else "all addresses answer",
        needed=needed,
        action="open the firewall, or set the proxy of the whole system: the product does not use the config's" if missed else "",
    )


def _state_finding(found: _Found) -> Finding:
    state = found.state
    read = state.sentence if state is not None else "there is no deployment"
    return Finding(check="arc", title="Azure Arc", severity="info", read=read, needed="")


__all__ = [
    "AGENTS",
    "CODE",
    "CONNECT",
    "CONNECTED",
    "DISCONNECT",
    "DISCONNECTED",
    "SCRUB_CONNECTED",
    "SCRUB_DISCONNECTED",
    "ArcState",
    "connect_steps",
    "disconnect_steps",
    "missing_fields",
    "plan_connect",
    "plan_disconnect",
    "read_arc",
    "resource_of",
    "section_finding",
]
