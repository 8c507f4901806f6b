"""What a trainee types: kubectl against a running API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")


@pytest.fixture
def kubectl(kubeconfig, tmp_path):
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path), "KUBECACHEDIR": str(tmp_path / "cache")}

    def run(*arguments, text="", fails=False):
        done = subprocess.run([KUBECTL, *arguments], input=text, capture_output=True, text=True, env=environment, timeout=60)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    return run


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_nodes_and_pods_print_wide_as_on_a_real_device(kubectl):
    header, node = kubectl("get", "nodes", "-o", "wide").splitlines()
    assert header.split() == [
        "NAME",
        "STATUS",
        "ROLES",
        "AGE",
        "VERSION",
        "INTERNAL-IP",
        "EXTERNAL-IP",
        "OS-IMAGE",
        "KERNEL-VERSION",
        "CONTAINER-RUNTIME",
    ]
    assert node.split()[:3] == ["press-01-ledge", "Ready", "control-plane,etcd,master"]
    header, *pods = kubectl("get", "pods", "-A", "-o", "wide").splitlines()
    assert header.split()[:8] == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert len(pods) == 3
    assert all(pod.split()[2:4] == ["1/1", "Running"] for pod in pods)


def test_an_application_is_applied_rolled_out_changed_rolled_back_and_deleted(kubectl, deployment):
    manifest = json.dumps(deployment())
    kubectl("create", "namespace", "shop")
    assert kubectl("apply", "-n", "shop", "-f", "-", text=manifest) == "deployment.apps/web created\n"
    assert "successfully rolled out" in kubectl("rollout", "status", "deploy/web", "-n", "shop", "--timeout=30s")
    assert kubectl("apply", "-n", "shop", "-f", "-", text=manifest) == "deployment.apps/web unchanged\n"
    assert rows(kubectl("get", "deploy", "-n", "shop"))[1][:4] == ["web", "2/2", "2", "2"]
    kubectl("set", "image", "deploy/web", "web=nginx:1.28", "-n", "shop")
    kubectl("rollout", "status", "deploy/web", "-n", "shop", "--timeout=30s")
    assert [row[0] for row in rows(kubectl("rollout", "history", "deploy/web", "-n", "shop"))[2:] if row] == ["1", "2"]
    kubectl("rollout", "undo", "deploy/web", "-n", "shop")
    kubectl("rollout", "status", "deploy/web", "-n", "shop", "--timeout=30s")
    assert len(rows(kubectl("get", "rs", "-n", "shop", "--no-headers"))) == 2
    kubectl("delete", "namespace", "shop", "--timeout=30s")


def test_server_side_apply_reports_conflicts(kubectl, deployment):
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, text=json.dumps(deployment())) == "deployment.apps/web serverside-applied\n"
    kubectl("scale", "deploy/web", "--replicas=3")
    patch = '{"spec":{"replicas":4}}'
    kubectl("patch", "deploy/web", "--field-manager=scaler", "-p", patch)
    said = kubectl(*apply, text=json.dumps(deployment()), fails=True)
    assert 'conflict with "scaler"' in said
    kubectl(*apply, "--force-conflicts", text=json.dumps(deployment()))
    assert kubectl("get", "deploy/web", "-o", "jsonpath={.spec.replicas}") == "2"


def test_a_misspelled_field_is_found_by_the_server(kubectl, deployment):
    body = deployment()
    body["spec"]["replica"] = 3
    said = kubectl("apply", "-f", "-", text=json.dumps(body), fails=True)
    assert 'unknown field "spec.replica"' in said


def test_describe_explain_and_discovery(kubectl):
    described = kubectl("describe", "node", "press-01-ledge")
    assert "Kubelet Version:            v1.33.5+k3s1" in described
    assert "RenewTime:" in described
    assert "Number of desired pods" in kubectl("explain", "deployment.spec.replicas")
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows(kubectl("api-resources"))
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "Server Version: v1.33.5+k3s1" in kubectl("version")


def test_questions_about_rights(kubectl):
    assert kubectl("auth", "can-i", "*", "*") == "yes\n"
    assert "system:admin" in kubectl("auth", "whoami")
    said = kubectl("get", "pods", "--as", "eve", fails=True)
    assert 'pods is forbidden: User "eve" cannot list resource "pods"' in said


def test_selectors_labels_and_waiting(kubectl, deployment):
    kubectl("apply", "-f", "-", text=json.dumps(deployment()))
    kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")
    kubectl("label", "pods", "-l", "app=web", "tier=front")
    assert (
        len(rows(kubectl("get", "pods", "-l", "tier in (front)", "--field-selector", "status.phase=Running", "--no-headers"))) == 2
    )
    assert kubectl("logs", "deploy/web") == ""
    assert kubectl("create", "token", "default").count(".") == 2


def test_draining_a_node_moves_what_can_be_moved(kubectl, deployment):
    kubectl("apply", "-f", "-", text=json.dumps(deployment(replicas=1)))
    kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    kubectl("drain", "press-01-ledge", "--ignore-daemonsets", "--timeout=30s")
    assert rows(kubectl("get", "nodes"))[1][1] == "Ready,SchedulingDisabled"
    assert rows(kubectl("get", "pods", "--no-headers"))[0][2] == "Pending"
    kubectl("uncordon", "press-01-ledge")
    kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")


def test_what_is_not_installed_is_not_there(kubectl):
    assert "Metrics API not available" in kubectl("top", "nodes", fails=True)
    assert "No resources found" in kubectl("get", "storageclass") or kubectl("get", "storageclass") == ""
