"""A cluster read by somebody else is judged as one that is asked directly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.cluster import Cluster, ClusterHealth, FetchedCluster
from akslite_ps.errors import AksLiteError, CmdletFailed, Unreachable
from akslite_ps.sandbox.device import kubectl

if TYPE_CHECKING:
    from conftest import ServedCluster


def fetched_from(served: ServedCluster) -> FetchedCluster:
    def fetch(kind: str, *, namespace: str | None = None) -> Mapping[str, Any]:
        answer: list[str] = []
        served.change(lambda cluster: answer.append(kubectl.get(cluster, kind, namespace or "")))
        found: dict[str, Any] = json.loads(answer[0])
        return found

    return FetchedCluster(fetch, server="https://192.168.0.2:6443", device="press-01")


def test_fetched_answers_give_the_same_health_as_the_api(served: ServedCluster) -> None:
    served.change(lambda cluster: cluster.set_node_ready("press-01-ledge", False, "container runtime is down"))
    fetched = fetched_from(served).health()
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        direct = cluster.health()
        assert cluster.pods("default") == fetched_from(served).pods("default") == []
    assert (fetched.version, fetched.nodes, fetched.pods) == (direct.version, direct.nodes, direct.pods)
    assert fetched.findings[1:] == direct.findings[1:]
    assert (fetched.ready, direct.ready) == (False, False)
    assert (fetched.way, direct.way) == ("device", "api")
    assert "on the device" in fetched.findings[0].read
    assert fetched.to_dict()["way"] == "device"


def test_a_fetched_cluster_can_be_waited_for(served: ServedCluster) -> None:
    served.change(lambda cluster: cluster.set_system_pods_ready(False))

    def move_on(_: ClusterHealth) -> None:
        served.change(lambda cluster: cluster.set_system_pods_ready(True))

    assert fetched_from(served).wait_ready(60, move_on, poll_s=0.01).ready


@pytest.mark.parametrize(
    "answer", [{}, {"items": None}, {"items": ["x"]}, {"items": [{"metadata": {}}]}, {"items": [{"status": 1}]}]
)
def test_answers_that_are_no_kubernetes_objects_are_told(answer: Mapping[str, Any]) -> None:
    cluster = FetchedCluster(lambda kind, *, namespace=None: answer, device="press-01")
    for question in (cluster.version, cluster.nodes, cluster.pods):
        with pytest.raises(AksLiteError, match="not a Kubernetes API answer") as caught:
            question()
        assert not isinstance(caught.value, Unreachable)
        assert caught.value.device == "press-01"


def test_what_the_fetching_raises_passes_through() -> None:
    def fetch(kind: str, *, namespace: str | None = None) -> Mapping[str, Any]:
        raise CmdletFailed("kubectl ended with 1", command="Get-AksLiteWorkload")

    with pytest.raises(CmdletFailed):
        FetchedCluster(fetch).nodes()
