"""Simulated clusters for the tests: one that is asked directly under a clock set by hand, one behind its real HTTPS API."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.sandbox.kubernetes.answers import Answer, WatchOrder
from akslite_ps.sandbox.kubernetes.api import KubernetesApi
from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster
from akslite_ps.sandbox.kubernetes.handling import RawRequest, RequestHandler

NODE = "press-01-ledge"
START = dt.datetime(2026, 4, 1, 8, 0, tzinfo=dt.UTC)
# Device seconds per real second behind the HTTPS API.
SPEED = 50.0
_SNAPSHOTS: dict[str, str] = {}


class HandClock:
    """A device clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


class Caller:
    """Asks a cluster's request handler, without sockets."""

    def __init__(self, cluster: SimulatedCluster, clock: HandClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.handler = RequestHandler(cluster.state, cluster.control_plane, "127.0.0.1:6443")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        user: str = "system:admin",
        groups: tuple[str, ...] = ("system:masters",),
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Answer | WatchOrder:
        certificate = {
            "subject": (*(((("organizationName", group),)) for group in groups), (("commonName", user),)),
            "notBefore": "Jan  1 00:00:00 2020 GMT",
            "notAfter": "Jan  1 00:00:00 2100 GMT",
        }
        raw = body if isinstance(body, bytes) else (b"" if body is None else json.dumps(body).encode())
        sent = {"User-Agent": "tests/1.0", "Content-Type": content_type, **(headers or {})}
        return self.handler.answer(RawRequest(method, path, query, sent, raw, certificate))

    def call(self, method: str, path: str, body: Any = None, *, expect: int = 200, **options: Any) -> Any:
        answer = self.ask(method, path, body, **options)
        assert isinstance(answer, Answer)
        data = json.loads(answer.body) if answer.content_type == "application/json" else answer.body.decode()
        assert answer.code == expect, data
        return data

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def create(self, path: str, body: Any, *, expect: int = 201, **options: Any) -> Any:
        return self.call("POST", path, body, expect=expect, **options)

    def pods(self, namespace: str = "default") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return items


class RunningApi:
    """A cluster behind its API, in an event loop of its own, because kubectl and the official client block."""

    def __init__(self, cluster: SimulatedCluster, address: str, port: int = 0) -> None:
        self.cluster = cluster
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.api = KubernetesApi(cluster, address=address, port=port, sleep=lambda seconds: asyncio.sleep(seconds / SPEED))
        self.run(self.api.start())

    @property
    def url(self) -> str:
        return self.api.url

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def do(self, action: Callable[[], Any]) -> Any:
        """Call ``action`` in the API's loop, where the cluster belongs."""

        async def act() -> Any:
            return action()

        return self.run(act())

    def kubeconfig(self) -> str:
        text: str = self.do(lambda: self.cluster.kubeconfig(self.url))
        return text

    def close(self) -> None:
        self.run(self.api.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def _running_clock() -> Callable[[], dt.datetime]:
    begun = time.monotonic()
    start = dt.datetime.now(dt.UTC)
    return lambda: start + dt.timedelta(seconds=(time.monotonic() - begun) * SPEED)


@pytest.fixture(autouse=True)
def no_logged_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A cluster logs an error only where it could not handle something: no test may cause one."""
    yield
    errors = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not errors


@pytest.fixture(params=["K3s", "K8s"])
def distribution(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def make_cluster() -> Callable[..., SimulatedCluster]:
    """Makes a cluster of one node."""

    def make(distribution: str = "K3s", **options: Any) -> SimulatedCluster:
        version = "v1.33.5+k3s1" if distribution == "K3s" else "v1.31.5"
        settings = {"version": version, "node_name": NODE, "node_ip": "192.168.0.2", "cluster_name": "press-cluster"}
        return SimulatedCluster.create(distribution=distribution, **{**settings, "clock": _running_clock(), **options})

    return make


@pytest.fixture
def make_caller(make_cluster: Callable[..., SimulatedCluster], hand_clock: HandClock) -> Callable[..., Caller]:
    """Makes clusters under the clock set by hand; all tests that want the same one take it up from one snapshot."""

    def make(distribution: str = "K3s", **options: Any) -> Caller:
        key = json.dumps([distribution, options], sort_keys=True)
        if key not in _SNAPSHOTS:
            _SNAPSHOTS[key] = json.dumps(make_cluster(distribution, clock=hand_clock, **options).snapshot())
        return Caller(SimulatedCluster.restore(json.loads(_SNAPSHOTS[key]), clock=hand_clock), hand_clock)

    return make


@pytest.fixture
def caller(make_caller: Callable[..., Caller]) -> Caller:
    """A ready K3s cluster under a clock set by hand."""
    return make_caller(service_addresses=("192.168.0.4", "192.168.0.5"))


@pytest.fixture
def call_as() -> type[Caller]:
    """The class, for tests that put a handler in front of a cluster themselves."""
    return Caller


@pytest.fixture
def loopback() -> str:
    """An address of this test's own."""
    return f"127.{64 + secrets.randbelow(180)}.{1 + secrets.randbelow(250)}.{1 + secrets.randbelow(250)}"


@pytest.fixture
def serve(loopback: str) -> Iterator[Callable[..., RunningApi]]:
    """Serves clusters until the test ends."""
    running: list[RunningApi] = []

    def start(cluster: SimulatedCluster, port: int = 0) -> RunningApi:
        running.append(RunningApi(cluster, loopback, port))
        return running[-1]

    yield start
    for item in running:
        item.close()


@pytest.fixture
def api(serve: Callable[..., RunningApi], make_cluster: Callable[..., SimulatedCluster]) -> RunningApi:
    """A ready K3s cluster behind its API; its time runs fifty times as fast."""
    return serve(make_cluster())


@pytest.fixture
def kubeconfig(api: RunningApi, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(api.kubeconfig(), encoding="utf-8")
    return path


@pytest.fixture
def deployment() -> Callable[..., dict[str, Any]]:
    """A Deployment of a web server."""

    def make(name: str = "web", replicas: int = 2, image: str = "nginx:1.27", **spec: Any) -> dict[str, Any]:
        labels = {"app": name}
        pod = {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
                **spec,
            },
        }

    return make
