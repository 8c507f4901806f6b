"""Fixtures: a journal, a device reduced to what the engine sees of it, and simulated devices."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.cluster.health import NodeHealth, PodHealth
from akslite_ps.cluster.reading import ClusterReading
from akslite_ps.errors import SessionLost, Unreachable
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Limits, Plan, Run, apply
from akslite_ps.remoting import Session
from akslite_ps.remoting.detached import InvocationReference, ReadingPlace
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.records import ErrorRecord, InformationRecord, OutputRecord, PsObject, Record
from akslite_ps.remoting.result import InvocationState, Result
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device.state import DeviceState, InstalledProduct
from akslite_ps.secrets import SecretRef

Script = Sequence["Record | Callable[[FakeShell], None]"]


@dataclass
class FakePipeline:
    """What runs on the device; lives on when its client is gone, and says again what nobody took note of."""

    command: str
    script: deque[Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    said: list[Record] = field(default_factory=list)


@dataclass
class FakeShell:
    host: FakeHost
    id: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    pipelines: dict[str, FakePipeline] = field(default_factory=dict)
    disconnected: bool = False


class FakeHost:
    """The device: shells with pipelines in them, a boot time, and ways to break.

    ``scripts`` says what each command does; ``sent`` is every command that was sent to act.
    """

    def __init__(self) -> None:
        self.boot_time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.reachable = True
        self.shells: dict[str, FakeShell] = {}
        self.scripts: dict[str, Script] = {}
        self.sent: list[str] = []
        self.opened = 0
        self.so = False
        self.computer = "PRESS-01"

    def reboot(self) -> None:
        self.boot_time += dt.timedelta(hours=1)
        self.shells.clear()

    # -- items of a script --------------------------------------------------------------------------------------

    @staticmethod
    def say(text: str) -> InformationRecord:
        return InformationRecord(text, tags=("PSHOST",))

    @staticmethod
    def put_out(value: object) -> OutputRecord:
        return OutputRecord(value)

    @staticmethod
    def fail(message: str) -> ErrorRecord:
        return ErrorRecord(message, terminating=True)

    @staticmethod
    def become_so(shell: FakeShell) -> None:
        shell.host.so = True

    @staticmethod
    def lose_connection(shell: FakeShell) -> None:
        raise SessionLost("the connection to the device is lost", device="press-01")

    @staticmethod
    def restart_unasked(shell: FakeShell) -> None:
        shell.host.reboot()
        raise SessionLost("the session no longer exists on the device", device="press-01")

    @staticmethod
    def go_dark(shell: FakeShell) -> None:
        shell.host.reachable = False
        raise SessionLost("the connection to the device is lost", device="press-01")

    # -- what Controller wants ------------------------------------------------------------------------------------

    def open_session(self, device: Device, *, ask: object = None) -> FakeSession:
        self.require(device)
        self.opened += 1
        shell = FakeShell(self)
        self.shells[shell.id] = shell
        return FakeSession(self, shell, device)

    def attach_session(
        self, device: Device, left: str | InvocationReference, *, ask: object = None, remember: object = None
    ) -> FakeSession:
        self.require(device)
        shell_id = left if isinstance(left, str) else left.shell_id
        if shell_id not in self.shells:
            raise SessionLost("the session no longer exists on the device", device=device.name)
        self.shells[shell_id].disconnected = False
        place = None if isinstance(left, str) else left.place
        return FakeSession(self, self.shells[shell_id], device, read_to=place.received if place else None)

    def require(self, device: Device) -> None:
        if not self.reachable:
            raise Unreachable("nothing listens", device=device.name)


class FakeSession:
    language = "none"

    def __init__(self, host: FakeHost, shell: FakeShell, device: Device, read_to: int | None = None) -> None:
        self.host, self.shell, self.device, self._read_to = host, shell, device, read_to

    @property
    def shell_id(self) -> str:
        return self.shell.id

    def is_alive(self) -> bool:
        return self.host.reachable and self.shell_id in self.host.shells

    def invoke(self, command: str, /, *, check: bool = True, **parameters: Any) -> Result:
        """Reading commands only."""
        self.host.require(self.device)
        if not self.is_alive():
            raise SessionLost("the session no longer exists on the device", device=self.device.name)
        if command == "Get-Command":
            return Result(InvocationState.COMPLETED, output=list(parameters["Name"]))
        values: dict[str, Any] = {"Get-AksLiteFacts": PsObject({"ComputerName": self.host.computer})}
        values |= {"Get-AksLiteBootTime": self.host.boot_time, "Get-So": self.host.so}
        return Result(InvocationState.COMPLETED, output=[values[command]])

    def start(self, command: str, /, *, timeout_s: float | None = None, remember: object, **parameters: Any) -> FakeInvocation:
        self.host.sent.append(command)
        pipeline = FakePipeline(command, deque(self.host.scripts[command]))
        self.shell.pipelines[pipeline.id] = pipeline
        if pipeline.script and pipeline.script[0] == "lost while sending":
            pipeline.script.popleft()
            raise SessionLost("the connection broke while the command was sent", device=self.device.name)
        return FakeInvocation(self, pipeline)

    def running(self) -> list[FakeInvocation]:
        return [FakeInvocation(self, pipeline, self._read_to) for pipeline in self.shell.pipelines.values()]

    def disconnect(self) -> None:
        self.shell.disconnected = True

    def close(self) -> None:
        if not self.shell.disconnected:
            self.host.shells.pop(self.shell_id, None)

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class FakeInvocation:
    def __init__(self, session: FakeSession, pipeline: FakePipeline, read_to: int | None = None) -> None:
        self._session, self._pipeline = session, pipeline
        self._read_to = len(pipeline.said) if read_to is None else read_to
        self.id, self.command = pipeline.id, pipeline.command
        self.state = InvocationState.RUNNING
        self._seen: list[Record] = []

    @property
    def reference(self) -> InvocationReference:
        place = ReadingPlace(received=self._read_to)
        return InvocationReference(self._session.device.name, self._session.shell_id, self.id, self.command, place)

    def records(self, timeout_s: float | None = None) -> Iterator[Record]:
        script, said = self._pipeline.script, self._pipeline.said
        while script or self._read_to < len(said):
            if self._read_to < len(said):
                yield self._handed(said[self._read_to])
                continue
            item = script[0]
            if isinstance(item, threading.Event):
                if not item.wait(timeout_s):
                    return
                script.popleft()
                continue
            script.popleft()
            if isinstance(item, Record):
                said.append(replace(item, seq=len(said) + 1))
            else:
                try:
                    item(self._session.shell)
                except SessionLost:
                    self.state = InvocationState.LOST
                    raise
        failed = any(isinstance(record, ErrorRecord) and record.terminating for record in self._seen)
        self.state = InvocationState.FAILED if failed else InvocationState.COMPLETED
        self._session.shell.pipelines.pop(self.id, None)

    def _handed(self, record: Record) -> Record:
        self._read_to += 1
        self._seen.append(record)
        return record

    def result(self) -> Result:
        return Result(
            self.state,
            output=[record.value for record in self._seen if isinstance(record, OutputRecord)],
            errors=[record for record in self._seen if isinstance(record, ErrorRecord)],
            records=list(self._seen),
        )

    def stop(self, timeout_s: float = 2.0) -> bool:
        self._pipeline.script.clear()
        return True


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal" / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def device() -> Device:
    endpoint = Endpoint(host="127.0.0.1", username="u", password=SecretRef("env", "NOBODY_ASKS"))
    return Device(name="press-01", endpoint=endpoint)


# -- simulated devices --------------------------------------------------------------------------------------------

SPEED = 3000.0


class SimulatedHost:
    """One simulated device, how to reach it, and what the tests do to it."""

    def __init__(self, sandbox: LocalSandbox, number: int = 0) -> None:
        self.sandbox = sandbox
        self._told = sandbox.devices[number]
        self.name = self._told.name

    @property
    def device(self) -> Device:
        told = self._told
        endpoint = Endpoint(
            host=told.address, port=told.http_port, username=told.username, password=SecretRef("file", str(told.password_file))
        )
        return Device(name=self.name, endpoint=endpoint)

    @property
    def state(self) -> DeviceState:
        return self.sandbox.device(self.name).state

    def update(self, **changes: Any) -> None:
        async def work() -> None:
            self.sandbox.device(self.name).update(**changes)

        self.sandbox.run(work())

    def install(self, version: str = "1.12.269.0", kubernetes: str = "1.33.5", distribution: str = "K3s") -> None:
        """As after a successful preparation and installation."""
        self.update(
            features=dict.fromkeys(self.state.features, "Enabled"),
            product=InstalledProduct(
                distribution=distribution,
                version=version,
                kubernetes_version=kubernetes,
                install_dir="C:\\Program Files\\AksEdge",
                vhdx_dir="C:\\Program Files\\AksEdge",
                features=("CoreFeature",),
                installed_at=dt.datetime.now(dt.UTC),
            ),
        )

    @property
    def azure_clusters(self) -> list[str]:
        """Names of the connected clusters in the simulated Azure."""
        return [cluster.name for cluster in self.sandbox.device(self.name).azure.records.clusters]

    def write(self, path: str, text: str) -> None:
        """Put a file on the device's drive."""
        self.sandbox.device(self.name).drive.write(path, text.encode())

    def read(self, path: str) -> str:
        return (self.sandbox.device(self.name).drive.read(path) or b"").decode()

    def fault(self, name: str, **parameters: Any) -> None:
        self.sandbox.add_fault(self.name, name, **parameters)

    def hardware(self, **changes: Any) -> None:
        self.sandbox.set_hardware(self.name, **changes)


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedHost]:
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=SPEED) as sandbox:
        yield SimulatedHost(sandbox)


@pytest.fixture(scope="session")
def host_in() -> Callable[[LocalSandbox, int], SimulatedHost]:
    """Gives one of several simulated devices, counted from 0."""
    return SimulatedHost


@pytest.fixture
def simulated_in_powershell(tmp_path: Path) -> Iterator[SimulatedHost]:
    """A simulated device with a real PowerShell behind its listener: a full-language endpoint."""
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=SPEED, engine="pwsh") as sandbox:
        yield SimulatedHost(sandbox)


@pytest.fixture
def config() -> DeploymentConfig:
    """A single machine without internet, so without Azure Arc."""
    template = DeploymentConfig.template("SingleMachineCluster", "K3s")
    return template.with_values({"Network.InternetDisabled": True})


class HealthyCluster(ClusterReading):
    """Stands in for the cluster where a test is not about it: the official client takes seconds to load."""

    device = "press-01"
    server = "https://127.0.0.1:6443"

    def version(self) -> str:
        return "v1.33.5+k3s1"

    def nodes(self) -> list[NodeHealth]:
        return [NodeHealth("press-01-ledge", "Ready", ready=True)]

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        return [PodHealth("kube-system", "coredns", "Running", ready=1, containers=1)]

    def __enter__(self) -> HealthyCluster:
        return self

    def __exit__(self, *details: object) -> None:
        return None


@pytest.fixture
def operator(journal: Journal) -> Controller:
    """A controller for simulated devices."""
    limits = Limits(first_poll_s=0.02, longest_poll_s=0.1, back_within_s=10, tick_s=0.5)
    return Controller(journal, limits=limits, open_cluster=lambda device, kubeconfig: HealthyCluster())  # type: ignore[arg-type,return-value]


@pytest.fixture
def walk(simulated: SimulatedHost, journal: Journal, operator: Controller) -> Callable[[Plan], Run]:
    """Applies a plan to the simulated device."""
    return lambda plan: apply(plan, simulated.device, approved_hash=plan.hash, journal=journal, controller=operator)


@pytest.fixture
def deployed(simulated: SimulatedHost, config: DeploymentConfig) -> SimulatedHost:
    """The simulated device with a deployment."""
    simulated.install()
    with Session.open(simulated.device) as session:
        assert AksEdge(session).new_deployment(config.to_json(eula_accepted=True)) == "OK"
    return simulated


@pytest.fixture
def arc_config(simulated: SimulatedHost, tmp_path: Path) -> Callable[..., DeploymentConfig]:
    """Makes a config with an Arc section from a file that holds the secret, as people have them.

    With ``roles`` the secret is that of a new service principal; without, Azure takes the first secret for the right one.
    """

    def make(secret: str = "first-come/secret=1", roles: tuple[str, ...] | None = None) -> DeploymentConfig:
        section = {
            "ClusterName": "press",
            "Location": "westeurope",
            "ResourceGroupName": "edge",
            "SubscriptionId": "11111111-1111-1111-1111-111111111111",
            "TenantId": "22222222-2222-2222-2222-222222222222",
            "ClientId": "33333333-3333-3333-3333-333333333333",
            "ClientSecret": secret,
        }
        if roles is not None:
            access = simulated.sandbox.device(simulated.name).azure.grant_access(roles=roles)
            section |= {"SubscriptionId": access.subscription_id, "TenantId": access.tenant_id}
            section |= {"ClientId": access.client_id, "ClientSecret": access.secret}
        data = DeploymentConfig.template("SingleMachineCluster", "K3s").as_data()
        file = tmp_path / "config" / "arc.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**data, "Arc": section}), encoding="utf-8")
        return DeploymentConfig.load(file)

    return make
