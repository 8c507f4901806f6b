"""Connects a deployed device's cluster to Azure Arc, and disconnects it: checks before, one command, polling after.

The plans hold the config with its secret as a reference; the value is resolved when the command is sent, and goes as text of
the config, which is the only form that the product takes. What was left of secrets in configs on the device is emptied
afterwards. Used by ``akslite connect``, ``akslite disconnect`` and by ``remove``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from akslite_ps.errors import CmdletFailed, NotPermitted
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.reading import reading
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.ops import InternetReach
    from akslite_ps.remoting import Device, Session

CONNECT = "connect.arc"
CONNECTED = "connect.wait"
SCRUB_CONNECTED = "connect.scrub"
DISCONNECT = "disconnect.arc"
DISCONNECTED = "disconnect.wait"
SCRUB_DISCONNECTED = "disconnect.scrub"
CONNECTED_WITHIN_S = 1200
"""Longest wait for the agents in seconds; Microsoft's script polls for 15 minutes."""
DISCONNECTED_WITHIN_S = 300

AGENTS = "azure-arc"
"""The namespace of the agents."""
_FIELDS = ("ClusterName", "Location", "ResourceGroupName", "SubscriptionId", "TenantId", "ClientId", "ClientSecret")
_CLEAN_UP = (
    f"kubectl delete namespace {AGENTS}; kubectl delete clusterrolebinding azure-arc-operator; "
    "kubectl delete secret sh.helm.release.v1.azure-arc.v1 in the namespace that has it"
)


@dataclass(frozen=True, slots=True)
class ArcState:
    """How a device's cluster stands to Azure Arc.

    Args:
        connected: The product says that it is connected.
        agents: State of each pod of the agents by name, empty where there are none; None where the cluster cannot be read.
    """

    connected: bool
    agents: Mapping[str, str] | None = field(default_factory=dict)

    @property
    def registered(self) -> bool | None:
        """Whether Azure may know the cluster; None where it cannot be told."""
        if self.connected:
            return True
        return None if self.agents is None else bool(self.agents)

    @property
    def sentence(self) -> str:
        """The state for people."""
        if self.connected:
            return "connected to Azure Arc"
        if self.agents is None:
            return "not connected to Azure Arc; its agents could not be read"
        if not self.agents:
            return "not connected to Azure Arc"
        late = [name for name, phase in self.agents.items() if phase != "Running"]
        return f"not connected to Azure Arc, though its agents are there; {len(late)} of {len(self.agents)} pods do not run"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"connected": self.connected, "agents": None if self.agents is None else dict(self.agents)}


def read_arc(session: Session) -> ArcState:
    """Read how the device's cluster stands to Azure Arc.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import workload

    connected = AksEdge(session).test_arc_connection()
    try:
        found = workload(session, "Pods", namespace=AGENTS).get("items") or []
    except (CmdletFailed, NotPermitted):
        return ArcState(connected, None)
    return ArcState(connected, {item["metadata"]["name"]: item.get("status", {}).get("phase", "Unknown") for item in found})


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

    deployed: bool
    reach: InternetReach
    state: ArcState | None
    secret_files: Sequence[str] | None


def _read(device: Device, open_session: OpenSession, ask: Ask | None) -> _Found:
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import config_secrets, host_facts, internet

    with reading(device, open_session=open_session, ask=ask) as session:
        deployed = bool(host_facts(session).deployment_exists) and AksEdge(session).test_deployment()
        try:
            secret_files: Sequence[str] | None = config_secrets(session).files
        except NotPermitted:
            secret_files = None
        return _Found(deployed, internet(session), read_arc(session) if deployed else None, secret_files)


def _plan(
    operation: str, device: Device, data: dict[str, Any], findings: Sequence[Finding], steps: Sequence[Step], found: _Found
) -> Plan:
    notes = () if found.secret_files is not None else ("Whether secrets were left on the device cannot be seen with this role.",)
    return Plan(
        operation=operation,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
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


# -- steps --------------------------------------------------------------------------------------------------------


class _Connect(StepCode):
    def check(self, work: Work) -> Check:
        return self._judged(read_arc(work.session()))

    def settle(self, work: Work) -> Check:
        """Agents that were installed need minutes until they are connected."""
        state = read_arc(work.session())
        return self._judged(_until(work, lambda state: state.connected) if state.agents else state)

    @staticmethod
    def _judged(state: ArcState) -> Check:
        verdict = Verdict.SO if state.connected else Verdict.NOT_SO
        return Check(verdict, f"the cluster is {state.sentence}", state.to_dict())

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).connect_arc(_config_json(work), timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "the product answered OK; whether Azure sees the cluster is checked next")


class _Disconnect(StepCode):
    def check(self, work: Work) -> Check:
        state = read_arc(work.session())
        verdicts = {True: Verdict.NOT_SO, False: Verdict.SO, None: Verdict.CANNOT_TELL}
        return Check(verdicts[state.registered], f"the cluster is {state.sentence}", state.to_dict())

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        AksEdge(work.sender).disconnect_arc(_config_json(work), timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, "the product answered OK")


class _Connected(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        state = _until(work, lambda state: state.connected)
        if not state.connected:
            raise work.failure(
                f"after {work.step.max_run_s} s the cluster is {state.sentence}",
                next_action=(
                    "check that the service principal has the role 'Kubernetes Cluster - Azure Arc Onboarding' on the resource "
                    f"group, the device's clock, and the pods of the namespace {AGENTS}; then resume the run"
                ),
            )
        return Done(Outcome.OK, f"the cluster is {state.sentence}", state.to_dict())


class _Disconnected(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        state = _until(work, lambda state: state.registered is False)
        if state.connected:
            raise work.failure(
                f"after {work.step.max_run_s} s the cluster is still {state.sentence}",
                next_action="look for the connected cluster in Azure; then resume the run",
            )
        left = f"; what is left of the agents is removed by hand: {_CLEAN_UP}" if state.agents else ""
        return Done(Outcome.OK, f"the cluster is {state.sentence}{left}", state.to_dict())


class _Scrub(StepCode):
    repeatable: ClassVar[bool] = True

    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.ops import config_secrets

        files = config_secrets(work.session()).files
        if not files:
            return Check(Verdict.SO, "no config with an Azure secret was found on the device")
        return Check(Verdict.NOT_SO, f"secrets are in {', '.join(files)}", {"files": list(files)})

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import config_secrets

        found = config_secrets(work.sender, clear=True, timeout_s=work.step.max_run_s)
        if found.failed:
            raise work.failure(
                f"secrets are still in {', '.join(found.failed)}: the files could not be written",
                next_action="delete the secrets there by hand, and renew the service principal's secret",
            )
        detail = f"emptied the secrets in {', '.join(found.files)}; renew the secret: others may have read it there"
        return Done(Outcome.CHANGED, detail, {"files": list(found.files)})

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                check.detail,
                next_action="see who writes them on the device; then resume the run",
            )
        return done


def _until(work: Work, wanted: Callable[[ArcState], bool]) -> ArcState:
    """Read until it is as wanted or the step's time is over; returns the last reading.

    Raises:
        Unreachable: The device did not answer for too long.
    """
    return wait_for(
        work,
        lambda: read_arc(work.session()),
        wanted,
        lambda state: f"The cluster is {state.sentence}",
        silent_within_s=work.controller.limits.back_within_s,
    )


def _config_json(work: Work) -> str:
    """The config for the device, its secret resolved now; never stored. Connecting accepts no licence terms."""
    config = work.config()
    if former := work.parameters.get("former"):
        config = config.with_values(former)
    return config.to_json(resolve=True, eula_accepted=False, ask=work.ask)


CODE: Mapping[str, StepCode] = {
    CONNECT: _Connect(),
    CONNECTED: _Connected(),
    SCRUB_CONNECTED: _Scrub(),
    DISCONNECT: _Disconnect(),
    DISCONNECTED: _Disconnected(),
    SCRUB_DISCONNECTED: _Scrub(),
}
