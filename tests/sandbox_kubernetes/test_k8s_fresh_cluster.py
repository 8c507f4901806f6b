"""What a cluster shows right after its deployment."""

from __future__ import annotations

import re

import pytest

NODE_COLUMNS = [
    "Name",
    "Status",
    "Roles",
    "Age",
    "Version",
    "Internal-IP",
    "External-IP",
    "OS-Image",
    "Kernel-Version",
    "Container-Runtime",
]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def cells(table):
    return [row["cells"] for row in table["rows"]]


def test_a_k3s_node_shows_the_roles_and_the_software_of_aks_edge(caller):
    table = caller.get("/api/v1/nodes", headers={"Accept": TABLE})
    assert [column["name"] for column in table["columnDefinitions"]] == NODE_COLUMNS
    row = cells(table)[0]
    assert row[:7] == ["press-01-ledge", "Ready", "control-plane,etcd,master", "0s", "v1.33.5+k3s1", "192.168.0.2", "<none>"]
    assert row[7] == "Microsoft Azure Linux 3.0"
    assert row[8].endswith(".azl3")
    assert row[9].startswith("containerd://")


def test_a_k8s_node_has_the_one_role_that_kubeadm_gives(make_caller):
    row = cells(make_caller(distribution="K8s").get("/api/v1/nodes", headers={"Accept": TABLE}))[0]
    assert row[2] == "control-plane"
    assert row[4] == "v1.31.5"


def test_before_release_1_11_the_node_is_mariner(make_caller):
    row = cells(make_caller(version="v1.26.6+k3s1").get("/api/v1/nodes", headers={"Accept": TABLE}))[0]
    assert row[7:9] == ["CBL-Mariner/Linux", "5.15.133.1-1.cm2"]
    assert row[9] == "containerd://1.7.1-k3s1"


def test_k3s_runs_dns_and_kube_vip(caller):
    pods = caller.get("/api/v1/namespaces/kube-system/pods")["items"]
    names = sorted(re.sub(r"(-[a-z0-9]{10})?-[a-z0-9]{5}$", "", pod["metadata"]["name"]) for pod in pods)
    assert names == ["coredns", "kube-vip-cloud-provider-ds", "kube-vip-ds"]
    assert {pod["metadata"]["name"][:11]: pod["status"]["podIP"] for pod in pods}["kube-vip-ds"] == "192.168.0.2"


def test_k8s_runs_a_kubeadm_control_plane_with_calico(make_caller):
    caller = make_caller(distribution="K8s")
    names = [pod["metadata"]["name"] for pod in caller.get("/api/v1/namespaces/kube-system/pods")["items"]]
    for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert f"{part}-press-01-ledge" in names
    for part in ("kube-proxy-", "calico-node-", "calico-kube-controllers-", "coredns-", "kube-vip-ds-"):
        assert any(name.startswith(part) for name in names), part


def test_a_deleted_static_pod_comes_back(make_caller):
    caller = make_caller(distribution="K8s")
    path = "/api/v1/namespaces/kube-system/pods/etcd-press-01-ledge"
    uid = caller.get(path)["metadata"]["uid"]
    caller.call("DELETE", path)
    caller.clock.tick(60)
    assert caller.get(path)["metadata"]["uid"] != uid


def test_all_system_pods_are_ready_in_the_printed_table(make_caller, distribution):
    table = make_caller(distribution=distribution).get("/api/v1/pods", headers={"Accept": TABLE})
    for row in cells(table):
        ready, wanted = row[1].split("/")
        assert ready == wanted
        assert row[2] == "Running"


def test_every_namespace_has_an_account_and_the_cluster_authority(caller):
    for namespace in caller.get("/api/v1/namespaces")["items"]:
        name = namespace["metadata"]["name"]
        caller.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        text = caller.get(f"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt")["data"]["ca.crt"]
        assert text.encode() == caller.cluster.state.credentials.authority_certificate


def test_the_products_config_map_names_the_cluster(caller):
    assert caller.get("/api/v1/namespaces/aksedge/configmaps/aksedge")["data"] == {"clustername": "press-cluster"}


def test_the_node_reports_the_size_of_its_machine(make_caller):
    capacity = make_caller(cpus=4, memory_mb=4096).get("/api/v1/nodes/press-01-ledge")["status"]["capacity"]
    assert capacity["cpu"] == "4"
    assert 0.9 * 4096 * 1024 < int(capacity["memory"].removesuffix("Ki")) < 4096 * 1024


def test_the_lease_and_the_conditions_follow_the_device_clock(caller):
    caller.clock.tick(3600)
    lease = caller.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/press-01-ledge")
    assert lease["spec"]["renewTime"].startswith("2026-04-01T09:00:00")
    node = caller.get("/api/v1/nodes/press-01-ledge")
    assert {item["lastHeartbeatTime"] for item in node["status"]["conditions"]} == {"2026-04-01T09:00:00Z"}
    assert {item["lastTransitionTime"] for item in node["status"]["conditions"]} == {"2026-04-01T08:00:00Z"}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_plain_ok(caller, path):
    assert caller.get(path) == "ok"
    assert "check passed" in caller.get(path, verbose="")


def test_version_is_the_clusters(caller):
    version = caller.get("/version")
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "33", "v1.33.5+k3s1")


def test_an_unknown_distribution_is_refused(make_cluster):
    with pytest.raises(ValueError, match="K3s or K8s"):
        make_cluster("MicroK8s")
