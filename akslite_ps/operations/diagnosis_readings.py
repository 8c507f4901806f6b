"""Asks a device everything that a diagnosis wants to know. Every question stands alone: one that fails is a finding.

Called by ``operations.diagnose``. Changes nothing but that the product writes its log archives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from akslite_ps.errors import AksLiteError, CmdletFailed, NotPermitted, RemotingError, SecretUnavailable, SessionLost, Unreachable
from akslite_ps.operations.controller import Ask, OpenCluster, OpenSession
from akslite_ps.operations.diagnosis import Reading, Text, cleaned_data

if TYPE_CHECKING:
    from akslite_ps.aksedge.host_facts import HostFacts
    from akslite_ps.aksedge.ops import ProductEvent
    from akslite_ps.cluster import ClusterHealth
    from akslite_ps.remoting import Device, Session

EVENTS = 200
"""How many entries of the product's event log are read: several deployments' worth."""

SERVICES: Mapping[str, str] = {"wssdagent": "the VM agent", "hns": "the Host Network Service", "vmms": "Hyper-V"}
_WARNING, _ERROR = 3, 2
_SHOWN_WARNINGS = 50
_ODD_ANSWERS = (OSError, ValueError, LookupError, TypeError, AttributeError)
_T = TypeVar("_T")


@dataclass(slots=True)
class Seen:
    """What was read so far; None where it was not, or could not be.

    Args:
        unreachable: Why no session could be opened at the beginning.
        facts: Of the host.
        services: Status and start type by name in lower case.
        deployed: Whether the product says that there is a deployment.
        has_node: Whether it says that there is a Linux node; stopped ones count.
        health: Of the cluster.
        azure_arc: Pods of the Arc agents, ready ones and all.
        texts: Words in which known failures are looked for.
        readings: How each question went.
        data: What was read, JSON-ready, by reading.
    """

    unreachable: AksLiteError | None = None
    facts: HostFacts | None = None
    services: dict[str, tuple[str, str]] = field(default_factory=dict)
    deployed: bool | None = None
    has_node: bool | None = None
    health: ClusterHealth | None = None
    azure_arc: tuple[int, int] | None = None
    texts: list[Text] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def failed(self, reading: str) -> bool:
        """Whether the question was asked and not answered."""
        return any(done.id == reading and done.ok is False for done in self.readings)


class Reader:
    """Asks one question after the other, in a session that is opened again where it broke.

    Args:
        device: The device.
        open_session: Opens a session.
        open_cluster: Makes the direct client of the cluster.
        ask: Answers ``prompt:`` secret references.
        limit_s: Longest time in seconds for one question.
        on_reading: Told of each question when it is over.
    """

    def __init__(
        self,
        device: Device,
        *,
        open_session: OpenSession,
        open_cluster: OpenCluster,
        ask: Ask | None,
        limit_s: float,
        on_reading: Callable[[Reading], None] | None,
    ) -> None:
        self.device = device
        self.seen = Seen()
        self.limit_s = limit_s
        self._open_session = open_session
        self._open_cluster = open_cluster
        self._ask = ask
        self._on_reading = on_reading
        self._session: Session | None = None
        self._gone = ""

    def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except AksLiteError:
                return

    def question(self, reading: str, title: str, ask: Callable[[Session], tuple[str, _T]]) -> _T | None:
        """Ask one question.

        Args:
            reading, title: Which.
            ask: Gives what was found as a sentence, and the answer.

        Returns:
            The answer, None where there is none; then a reading says why.
        """
        if self._gone:
            self._tell(Reading(id=reading, title=title, ok=None, found=f"not asked: {self._gone}"))
            return None
        began = time.monotonic()
        try:
            found, answer = ask(self._live())
        except NotPermitted as error:
            self.skip(reading, title, error.message)
            return None
        except AksLiteError as error:
            lost = isinstance(error, SessionLost | Unreachable)
            if lost:
                self.close()
            took = round(time.monotonic() - began, 2)
            self._tell(
                Reading(
                    id=reading, title=title, ok=False, found=error.message, next_action=error.next_action or "", duration_s=took
                )
            )
            if not lost:
                # What the way to the device says is no failure in the product's words.
                told = not isinstance(error, RemotingError)
                self.seen.texts.append(Text(title.lower(), error.message, now=True, failure=told))
            return None
        except _ODD_ANSWERS as error:
            took = round(time.monotonic() - began, 2)
            said = f"the answer cannot be used ({type(error).__name__}: {error})"
            self._tell(Reading(id=reading, title=title, ok=False, found=said, duration_s=took))
            return None
        self._tell(Reading(id=reading, title=title, ok=True, found=found, duration_s=round(time.monotonic() - began, 2)))
        return answer

    def skip(self, reading: str, title: str, why: str) -> None:
        """Say that a question was not asked."""
        self._tell(Reading(id=reading, title=title, ok=None, found=f"not asked: {why}"))

    def _tell(self, reading: Reading) -> None:
        self.seen.readings.append(reading)
        if self._on_reading is not None:
            self._on_reading(reading)

    def _live(self) -> Session:
        if self._session is None:
            try:
                self._session = self._open_session(self.device, ask=self._ask)
            except AksLiteError as error:
                self._gone = "no session could be opened on the device"
                if not self.seen.readings:
                    self.seen.unreachable = error
                raise
        return self._session

    # -- the questions ----------------------------------------------------------------------------------------------

    def read_all(self) -> Seen:
        """Ask everything but for the archives."""
        seen = self.seen
        self.question("session", "Session", self._ask_session)
        if isinstance(seen.unreachable, SecretUnavailable):
            raise seen.unreachable
        self.question("functions", "Device-side functions", self._ask_functions)
        seen.facts = self.question("facts", "Host", self._ask_facts)
        self._ask_services()
        events = self.question("events", "Product's event log", self._ask_events)
        for event in events or ():
            failure = 0 < event.level <= _WARNING
            where = f"event log, {_LEVELS.get(event.level, 'entry')}"
            seen.texts.append(Text(where, event.message, event.time, failure=failure and event.level <= _ERROR))
        if seen.facts is not None and seen.facts.product_name is None:
            for reading, title in _OF_THE_PRODUCT.items():
                self.skip(reading, title, "the product is not installed")
            return seen
        seen.deployed = self.question("deployment", "Deployment", self._ask_deployment)
        if seen.deployed is False:
            for reading, title in _OF_THE_DEPLOYMENT.items():
                self.skip(reading, title, "there is no deployment")
            return seen
        self.question("deployment-info", "Product's own report", self._ask_info)
        seen.has_node = self.question("node", "Linux node", self._ask_node)
        seen.health = self.question("cluster", "Cluster", self._ask_cluster)
        self.question("warnings", "Kubernetes warnings", self._ask_warnings)
        return seen

    def _ask_session(self, session: Session) -> tuple[str, None]:
        version = session.powershell_version
        return f"open, language mode {session.language}" + (f", PowerShell {version}" if version else ""), None

    def _ask_functions(self, session: Session) -> tuple[str, None]:
        from akslite_ps.aksedge.ops import ensure_ops

        return ("defined in the session" if ensure_ops(session) else "there"), None

    def _ask_facts(self, session: Session) -> tuple[str, HostFacts]:
        from akslite_ps.aksedge.ops import host_facts

        facts = host_facts(session, timeout_s=self.limit_s)
        self.seen.data["facts"] = cleaned_data(facts.model_dump(mode="json"))
        product = f"{facts.product_name} {facts.product_version}" if facts.product_name else "no product"
        free = f"{facts.free_memory_mb} MB and {facts.free_disk_gb} GB free"
        return f"{facts.computer_name}, {facts.os_caption} {facts.os_build or ''}, {product}, {free}", facts

    def _ask_services(self) -> None:
        """One question for each: a restricted endpoint shows some of them."""
        for name, what in SERVICES.items():
            found = self.question(f"service-{name}", f"Service {name}", partial(self._ask_service, name=name, what=what))
            if found is not None:
                self.seen.services[name] = found
        self.seen.data["services"] = {name: " ".join(state).strip() for name, state in self.seen.services.items()}

    def _ask_service(self, session: Session, *, name: str, what: str) -> tuple[str, tuple[str, str] | None]:
        try:
            answer = session.invoke("Get-Service", timeout_s=self.limit_s, check=False, Name=name, ErrorAction="SilentlyContinue")
        except CmdletFailed as error:
            # A role that shows some services only refuses the name of another as a wrong value.
            if "ParameterArgumentValidationError" not in (error.error_id or ""):
                raise
            raise NotPermitted(f"the endpoint's role does not show the service {name}", device=session.device.name) from error
        found = [value for value in answer.output if isinstance(value, Mapping)]
        if not found:
            return f"there is no service {name}", None
        status, start = str(found[-1].get("Status") or ""), str(found[-1].get("StartType") or "")
        status, start = _STATUS.get(status, status), _START.get(start, start)
        return f"{what}: {status}" + (f", start type {start}" if start else ""), (status, start)

    def _ask_events(self, session: Session) -> tuple[str, tuple[ProductEvent, ...]]:
        from akslite_ps.aksedge.ops import product_events

        events = product_events(session, newest=EVENTS, timeout_s=self.limit_s)
        bad = [event for event in events if 0 < event.level <= _WARNING]
        shown = (bad or list(events))[:_SHOWN_WARNINGS]
        self.seen.data["events"] = [
            cleaned_data({"time": e.time, "level": e.level, "log": e.log, "message": e.message}) for e in shown
        ]
        return f"{len(events)} newest entries, {len(bad)} of them warnings or errors", events

    def _ask_deployment(self, session: Session) -> tuple[str, bool]:
        from akslite_ps.aksedge.calls import AksEdge

        there = AksEdge(session).test_deployment(timeout_s=self.limit_s)
        return ("there is one" if there else "the product says that there is none"), there

    def _ask_info(self, session: Session) -> tuple[str, None]:
        from akslite_ps.aksedge.calls import AksEdge

        info = AksEdge(session).get_deployment_info(timeout_s=self.limit_s)
        self.seen.data["deployment_info"] = cleaned_data(_plain(info))
        return f"{len(info)} members" if info else "it reports nothing", None

    def _ask_node(self, session: Session) -> tuple[str, bool]:
        from akslite_ps.aksedge.calls import AksEdge

        product = AksEdge(session)
        if not product.test_node(timeout_s=self.limit_s):
            return "there is none on this machine", False
        return f"{product.get_node_name(timeout_s=self.limit_s)} exists", True

    def _ask_cluster(self, session: Session) -> tuple[str, ClusterHealth]:
        from akslite_ps.operations.device_cluster import cluster_of

        with cluster_of(session, open_cluster=self._open_cluster) as cluster:
            health = cluster.health()
        self.seen.data["cluster"] = cleaned_data(health.to_dict())
        arc = [pod for pod in health.pods if pod.namespace == "azure-arc"]
        self.seen.azure_arc = (sum(pod.healthy for pod in arc), len(arc)) if arc else None
        for node in health.nodes:
            if node.message:
                self.seen.texts.append(Text(f"node {node.name}", node.message, now=True, failure=True))
        for pod in health.pods:
            if not pod.healthy:
                said = f"{pod.status}: {pod.message}" if pod.message else pod.status
                self.seen.texts.append(Text(f"pod {pod.namespace}/{pod.name}", said, now=True))
        return health.summary, health

    def _ask_warnings(self, session: Session) -> tuple[str, None]:
        from akslite_ps.aksedge.ops import workload

        items = workload(session, "Events", timeout_s=self.limit_s).get("items") or ()
        warnings = [item for item in items if item.get("type") == "Warning"]
        warnings.sort(key=_last_seen, reverse=True)
        kept = []
        for item in warnings[:_SHOWN_WARNINGS]:
            about = item.get("involvedObject") or {}
            what = "/".join(str(about[key]) for key in ("namespace", "name") if about.get(key))
            said = f"{item.get('reason', '')}: {item.get('message', '')}"
            kept.append({"object": what, "kind": about.get("kind"), "time": _last_seen(item), "message": said})
            self.seen.texts.append(Text(f"Kubernetes event of {what}", said))
        self.seen.data["warnings"] = cleaned_data(kept)
        return f"{len(warnings)} warnings", None


_LEVELS = {1: "critical", 2: "error", 3: "warning", 4: "information"}
_STATUS = {"1": "Stopped", "2": "StartPending", "3": "StopPending", "4": "Running"}
_START = {"0": "Boot", "1": "System", "2": "Automatic", "3": "Manual", "4": "Disabled"}
_OF_THE_DEPLOYMENT = {
    "deployment-info": "Product's own report",
    "node": "Linux node",
    "cluster": "Cluster",
    "warnings": "Kubernetes warnings",
}
_OF_THE_PRODUCT = {"deployment": "Deployment", **_OF_THE_DEPLOYMENT}


def _last_seen(item: Mapping[str, Any]) -> str:
    return str(item.get("lastTimestamp") or item.get("eventTime") or (item.get("metadata") or {}).get("creationTimestamp") or "")


def _plain(value: Any) -> Any:
    """PowerShell's objects as plain data."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
