"""A simulated cluster behind its HTTPS API, on a loopback address of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import yaml

from akslite_ps.sandbox.kubernetes import KubernetesApi, SimulatedCluster


class ServedCluster:
    """A cluster, its API in a thread, and its kubeconfig.

    Args:
        serve: False: the API starts with :meth:`start` only.
    """

    def __init__(self, *, serve: bool = True, ready: bool = True) -> None:
        address = ".".join(str(random.randint(64, 254)) if part else "127" for part in range(4))  # noqa: S311
        self.cluster = SimulatedCluster.create(
            distribution="K3s",
            version="v1.33.5+k3s1",
            node_name="press-01-ledge",
            node_ip="192.168.0.2",
            cluster_name="press-01",
            clock=lambda: dt.datetime.now(dt.UTC),
            ready=ready,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served cluster", daemon=True)
        self._thread.start()
        self.api = self.run(self._make(address))
        if serve:
            self.start()
        else:
            self.start()
            self.stop()

    async def _make(self, address: str) -> KubernetesApi:
        return KubernetesApi(self.cluster, address=address)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something where the API lives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def change(self, what: Callable[[SimulatedCluster], object]) -> None:
        """Change the cluster where the API lives."""

        async def do() -> None:
            what(self.cluster)

        self.run(do())

    def start(self) -> None:
        self.run(self.api.start())

    def stop(self) -> None:
        self.run(self.api.stop(abort=True))

    @property
    def kubeconfig(self) -> str:
        return self.cluster.kubeconfig(self.api.url)

    def with_user(self, **user: str) -> str:
        """The kubeconfig with another user."""
        data = yaml.safe_load(self.kubeconfig)
        data["users"][0]["user"] = user
        return str(yaml.safe_dump(data))

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., ServedCluster]]:
    served: list[ServedCluster] = []

    def make(**options: bool) -> ServedCluster:
        served.append(ServedCluster(**options))
        return served[-1]

    yield make
    for one in served:
        one.end()


@pytest.fixture
def served(serve: Callable[..., ServedCluster]) -> ServedCluster:
    return serve()
