"""Saving what people put into a cluster, and applying it to another one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.cluster import Cluster
from akslite_ps.cluster.backup import MANIFEST, Backup, restore, save
from akslite_ps.errors import UsageError

if TYPE_CHECKING:
    from conftest import ServedCluster

CANARY = "canary-in-a-secret-of-the-cluster"
LABELS = {"app": "voting"}
WORKLOAD: dict[str, dict[str, Any]] = {
    "/api/v1/namespaces/line-7": {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "line-7", "labels": {"site": "hamburg"}},
    },
    "/api/v1/namespaces/line-7/configmaps/settings": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "line-7"},
        "data": {"speed": "7", "name": "Prüfstand"},
    },
    "/api/v1/namespaces/line-7/secrets/login": {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "line-7"},
        "stringData": {"password": CANARY},
    },
    "/api/v1/namespaces/line-7/services/voting": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "voting", "namespace": "line-7"},
        "spec": {"selector": LABELS, "ports": [{"port": 80}]},
    },
    "/api/v1/namespaces/line-7/persistentvolumeclaims/data": {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "line-7"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "local-path"},
    },
    "/apis/apps/v1/namespaces/line-7/deployments/voting": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "voting", "namespace": "line-7"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "web", "image": "voting:1"}]}},
        },
    },
}


def filled(served: ServedCluster) -> Cluster:
    """The cluster with a workload in it."""
    cluster = Cluster.from_kubeconfig(served.kubeconfig, device="press-01")
    for path, data in WORKLOAD.items():
        cluster.apply_json(path, data, manager="test")
    return cluster


def names(backup: Backup) -> set[tuple[str, str]]:
    return {(saved.kind, saved.name) for saved in backup.files}


def test_a_workload_is_there_again_in_another_cluster(serve: Callable[..., ServedCluster], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with filled(serve()) as cluster:
        backup = save(cluster, folder, device="press-01", with_secrets=True)
    assert names(backup) == {
        ("Namespace", "line-7"),
        ("ConfigMap", "settings"),
        ("Secret", "login"),
        ("Service", "voting"),
        ("PersistentVolumeClaim", "data"),
        ("Deployment", "voting"),
    }
    assert backup.volumes == ("line-7/data",)
    with Cluster.from_kubeconfig(serve().kubeconfig, device="press-02") as other:
        done = restore(other, Backup.load(folder), folder)
        assert done.failed == {}
        assert len(done.applied) == 6
        settings = other.get_json("/api/v1/namespaces/line-7/configmaps/settings")
        assert settings["data"] == {"speed": "7", "name": "Prüfstand"}
        assert other.get_json("/api/v1/namespaces/line-7")["metadata"]["labels"]["site"] == "hamburg"
        deployment = other.get_json("/apis/apps/v1/namespaces/line-7/deployments/voting")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "voting:1"
        again = restore(other, Backup.load(folder), folder)
        assert again.failed == {}


SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"force": {"type": "integer"}}}}}
OF_ONES_OWN: dict[str, dict[str, Any]] = {
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/presses.plant.example": {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "presses.plant.example"},
        "spec": {
            "group": "plant.example",
            "scope": "Namespaced",
            "names": {"plural": "presses", "kind": "Press"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
        },
    },
    "/apis/plant.example/v1/namespaces/default/presses/p": {
        "apiVersion": "plant.example/v1",
        "kind": "Press",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"force": 7},
    },
    "/apis/batch/v1/namespaces/default/jobs/once": {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": "default"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}},
    },
}


def is_served(definition: dict[str, Any]) -> bool:
    return any((item["type"], item["status"]) == ("Established", "True") for item in definition["status"]["conditions"])


def test_kinds_of_ones_own_are_waited_for_and_jobs_find_their_new_pods(serve: Callable[..., ServedCluster], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with Cluster.from_kubeconfig(serve().kubeconfig, device="press-01") as cluster:
        definition, *others = OF_ONES_OWN
        cluster.apply_json(definition, OF_ONES_OWN[definition], manager="test")
        while not is_served(cluster.get_json(definition)):
            time.sleep(0.05)
        for path in others:
            cluster.apply_json(path, OF_ONES_OWN[path], manager="test")
        save(cluster, folder, device="press-01")
    with Cluster.from_kubeconfig(serve().kubeconfig, device="press-02") as other:
        done = restore(other, Backup.load(folder), folder)
        assert done.failed == {}
        assert set(done.applied) == set(OF_ONES_OWN)
        assert other.get_json("/apis/plant.example/v1/namespaces/default/presses/p")["spec"] == {"force": 7}
        job = other.get_json("/apis/batch/v1/namespaces/default/jobs/once")
        assert job["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}


def test_a_definition_that_never_takes_effect_does_not_hold_the_rest_up(
    serve: Callable[..., ServedCluster], tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    with Cluster.from_kubeconfig(serve().kubeconfig, device="press-01") as cluster:
        for path in list(OF_ONES_OWN)[::2]:
            cluster.apply_json(path, OF_ONES_OWN[path], manager="test")
        save(cluster, folder, device="press-01")
    with Cluster.from_kubeconfig(serve().kubeconfig, device="press-02") as other:
        done = restore(other, Backup.load(folder), folder, within_s=0.0)
        assert "/apis/batch/v1/namespaces/default/jobs/once" in done.applied


def test_secrets_are_saved_only_where_that_is_wanted(served: ServedCluster, tmp_path: Path) -> None:
    with filled(served) as cluster:
        backup = save(cluster, tmp_path / "backup", device="press-01")
    assert backup.left_out == ("line-7/login",)
    for file in (tmp_path / "backup").iterdir():
        assert CANARY not in file.read_text(encoding="utf-8")
        assert "managedFields" not in file.read_text(encoding="utf-8")


def test_a_changed_or_missing_file_is_seen(served: ServedCluster, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with filled(served) as cluster:
        backup = save(cluster, folder, device="press-01")
    file = folder / backup.files[-1].file
    file.write_text(file.read_text(encoding="utf-8").replace("voting:1", "voting:2"), encoding="utf-8")
    with pytest.raises(UsageError, match="was changed"):
        Backup.load(folder)
    file.unlink()
    with pytest.raises(UsageError, match="not whole"):
        Backup.load(folder)
    (folder / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="no list of a backup"):
        Backup.load(folder)
    with pytest.raises(UsageError, match="no backup"):
        Backup.load(tmp_path / "none")


def test_a_folder_that_holds_something_is_left_alone(served: ServedCluster, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with filled(served) as cluster, pytest.raises(UsageError, match="is not empty"):
        save(cluster, tmp_path, device="press-01")
    with filled(served) as cluster, pytest.raises(UsageError, match="cannot be written"):
        save(cluster, tmp_path / "mine.txt" / "backup", device="press-01")


def test_what_cannot_be_applied_is_told_and_does_not_stop_the_rest(served: ServedCluster, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with filled(served) as cluster:
        backup = save(cluster, folder, device="press-01")
        service = next(saved for saved in backup.files if saved.kind == "Service")
        data = json.loads((folder / service.file).read_text(encoding="utf-8"))
        data["spec"]["ports"] = [{"port": 900000}]
        (folder / service.file).write_text(json.dumps(data), encoding="utf-8")
        done = restore(cluster, backup, folder)
    assert list(done.failed) == [service.path]
    assert len(done.applied) == len(backup.files) - 1
