"""The client of one cluster: what it reads, what it waits for, and how each fault is told."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from akslite_ps.cluster import Cluster, ClusterHealth
from akslite_ps.errors import AksLiteError, AuthenticationFailed, NotPermitted, Unreachable, UsageError

if TYPE_CHECKING:
    from conftest import ServedCluster


def test_a_ready_cluster_is_healthy(served: ServedCluster) -> None:
    with Cluster.from_kubeconfig(served.kubeconfig, device="press-01") as cluster:
        health = cluster.health()

    assert health.ready
    assert health.version == "v1.33.5+k3s1"
    (node,) = health.nodes
    assert (node.name, node.status, node.ready, node.internal_ip) == ("press-01-ledge", "Ready", True, "192.168.0.2")
    assert "control-plane" in node.roles
    assert node.version == "v1.33.5+k3s1"
    assert node.container_runtime.startswith("containerd://")
    assert health.pods
    assert {pod.namespace for pod in health.pods} == {"kube-system"}
    assert all(pod.healthy for pod in health.pods)
    assert {finding.severity for finding in health.findings} == {"ok"}
    assert health.summary.startswith("1 of 1 nodes Ready, ")


def test_health_is_json_ready(served: ServedCluster) -> None:
    import json

    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        data = json.loads(json.dumps(cluster.health().to_dict()))
    assert data["ready"] is True
    assert data["nodes"][0]["name"] == "press-01-ledge"
    assert data["pods"][0]["healthy"] is True


def test_a_token_is_as_good_as_a_certificate(served: ServedCluster) -> None:
    with Cluster.from_kubeconfig(served.with_user(token=served.cluster.service_account_token())) as cluster:
        assert cluster.health().ready


def test_a_node_that_is_not_ready_is_named_with_its_reason(served: ServedCluster) -> None:
    served.change(lambda cluster: cluster.set_node_ready("press-01-ledge", False, "container runtime is down"))
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        health = cluster.health()
    assert not health.ready
    assert health.nodes[0].status.startswith("NotReady")
    finding = next(finding for finding in health.findings if finding.check == "nodes")
    assert finding.severity == "error"
    assert "press-01-ledge: container runtime is down" in finding.read
    assert finding.action


def test_system_pods_that_are_not_ready_make_the_cluster_not_ready(served: ServedCluster) -> None:
    served.change(lambda cluster: cluster.set_system_pods_ready(False))
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        health = cluster.health()
    assert not health.ready
    finding = next(finding for finding in health.findings if finding.check == "system-pods")
    assert finding.severity == "error"
    assert "kube-system/" in finding.read


def test_waiting_ends_as_soon_as_everything_is_ready(serve: Callable[..., ServedCluster]) -> None:
    served = serve(ready=False)
    seen: list[ClusterHealth] = []

    def move_on(health: ClusterHealth) -> None:
        seen.append(health)
        if not health.nodes[0].ready:
            served.change(lambda cluster: cluster.set_node_ready("press-01-ledge", True))
        elif not health.ready:
            served.change(lambda cluster: cluster.set_system_pods_ready(True))

    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        health = cluster.wait_ready(60, move_on, poll_s=0.01)
    assert health.ready
    assert seen[0].summary.startswith("0 of 1 nodes Ready")
    assert seen[-1].summary == health.summary
    assert all(earlier != later for earlier, later in pairwise(seen))


def test_an_api_server_that_is_not_up_yet_is_waited_for(serve: Callable[..., ServedCluster]) -> None:
    served = serve(serve=False)
    seen: list[ClusterHealth] = []

    def bring_up(health: ClusterHealth) -> None:
        seen.append(health)
        if len(seen) == 1:
            served.start()

    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        assert cluster.wait_ready(60, bring_up, poll_s=0.01).ready
    assert seen[0].findings[0].severity == "error"
    assert "does not answer" in seen[0].summary


def test_waiting_gives_the_last_health_when_the_time_is_over(serve: Callable[..., ServedCluster]) -> None:
    served = serve(ready=False)
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        assert not cluster.wait_ready(0).ready


def test_waiting_can_be_ended_by_its_sleep(serve: Callable[..., ServedCluster]) -> None:
    served = serve(ready=False)
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        assert not cluster.wait_ready(3600, sleep=lambda seconds: True).ready


def test_a_closed_port_is_unreachable(serve: Callable[..., ServedCluster]) -> None:
    served = serve(serve=False)
    with Cluster.from_kubeconfig(served.kubeconfig, device="press-01") as cluster, pytest.raises(Unreachable) as caught:
        cluster.version()
    assert str(caught.value).startswith(f"press-01: could not read the version of the API server: the API server {served.api.url}")
    assert caught.value.next_action


def test_a_server_that_says_nothing_is_unreachable(served: ServedCluster) -> None:
    with closing(socket.create_server((served.api.address, 0))) as silent:
        server = f"https://{served.api.address}:{silent.getsockname()[1]}"
        with (
            Cluster.from_kubeconfig(served.kubeconfig, server=server, timeout_s=0.2) as cluster,
            pytest.raises(Unreachable, match="does not answer"),
        ):
            cluster.nodes()


def test_a_cluster_deployed_anew_is_not_trusted_with_the_old_kubeconfig(serve: Callable[..., ServedCluster]) -> None:
    old, new = serve(), serve()
    with (
        Cluster.from_kubeconfig(old.cluster.kubeconfig(new.api.url)) as cluster,
        pytest.raises(Unreachable, match="is not trusted") as caught,
    ):
        cluster.nodes()
    assert "fetch a new kubeconfig" in str(caught.value)


def test_credentials_of_another_cluster_are_refused(serve: Callable[..., ServedCluster]) -> None:
    one, other = serve(), serve()
    with (
        Cluster.from_kubeconfig(one.with_user(token=other.cluster.service_account_token())) as cluster,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        cluster.nodes()
    assert "fetch a new kubeconfig" in str(caught.value)


def test_a_user_without_rights_is_told_so(served: ServedCluster) -> None:
    token = served.cluster.service_account_token("default", namespace="default")
    with Cluster.from_kubeconfig(served.with_user(token=token)) as cluster, pytest.raises(NotPermitted, match="forbids it"):
        cluster.nodes()


def test_what_waiting_cannot_mend_ends_the_waiting(serve: Callable[..., ServedCluster]) -> None:
    one, other = serve(), serve()
    with (
        Cluster.from_kubeconfig(one.with_user(token=other.cluster.service_account_token())) as cluster,
        pytest.raises(AuthenticationFailed),
    ):
        cluster.wait_ready(3600)


def test_an_address_that_is_no_api_server_is_said_to_be_none(served: ServedCluster) -> None:
    with (
        Cluster.from_kubeconfig(served.kubeconfig, server=f"{served.api.url}/apis/apps") as cluster,
        pytest.raises(AksLiteError, match=r"answers 404|not a Kubernetes API answer"),
    ):
        cluster.version()


def test_through_a_port_proxy_the_certificate_is_still_checked_for_the_own_server(served: ServedCluster) -> None:
    data = yaml.safe_load(served.kubeconfig)
    data["clusters"][0]["cluster"]["server"] = "https://192.168.0.2:6443"
    text = yaml.safe_dump(data)
    with Cluster.from_kubeconfig(text, server=served.api.url) as cluster:
        assert cluster.version() == "v1.33.5+k3s1"
    with (
        Cluster.from_kubeconfig(text, server=served.api.url, tls_server_name="elsewhere.example") as cluster,
        pytest.raises(Unreachable, match="is not trusted"),
    ):
        cluster.version()


def test_nothing_of_the_kubeconfig_stays_on_disk(served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Cluster.from_kubeconfig(served.kubeconfig) as cluster:
        assert cluster.nodes()
        assert list(tmp_path.iterdir()) == []


def test_a_certificate_with_the_key_of_another_is_refused(serve: Callable[..., ServedCluster]) -> None:
    one, other = (yaml.safe_load(serve().kubeconfig) for _ in range(2))
    one["users"][0]["user"]["client-key-data"] = other["users"][0]["user"]["client-key-data"]
    with pytest.raises(UsageError, match="do not fit together"):
        Cluster.from_kubeconfig(yaml.safe_dump(one))
