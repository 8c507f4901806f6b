"""The official Python client against a running API."""

from __future__ import annotations

import pytest
import yaml
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient


@pytest.fixture
def api_client(api):
    made = config.new_client_from_config_dict(yaml.safe_load(api.kubeconfig()))
    yield made
    made.close()


@pytest.fixture
def dynamic(api_client, tmp_path):
    return DynamicClient(api_client, cache_file=str(tmp_path / "discovery.json"))


def test_version_nodes_and_pods_can_be_read(api_client):
    assert client.VersionApi(api_client).get_code().git_version == "v1.33.5+k3s1"
    core = client.CoreV1Api(api_client)
    node = core.list_node().items[0]
    assert node.status.node_info.os_image == "Microsoft Azure Linux 3.0"
    assert next(item.status for item in node.status.conditions if item.type == "Ready") == "True"
    pods = core.list_namespaced_pod("kube-system").items
    assert len(pods) == 3
    assert all(status.ready for pod in pods for status in pod.status.container_statuses)


def test_a_deployment_is_created_watched_until_it_is_available_and_deleted(api_client, deployment):
    apps = client.AppsV1Api(api_client)
    apps.create_namespaced_deployment("default", deployment())
    watcher = watch.Watch()
    for event in watcher.stream(apps.list_namespaced_deployment, "default", timeout_seconds=20):
        if (event["object"].status.available_replicas or 0) == 2:
            watcher.stop()
    found = apps.read_namespaced_deployment("web", "default")
    assert found.status.ready_replicas == 2
    apps.delete_namespaced_deployment("web", "default")
    with pytest.raises(ApiException) as caught:
        apps.read_namespaced_deployment("web", "default")
    assert caught.value.status == 404


def test_a_stale_watch_raises_410(api, api_client):
    core = client.CoreV1Api(api_client)
    version = core.list_namespace().metadata.resource_version
    core.create_namespaced_config_map("default", {"metadata": {"name": "one"}})
    api.do(api.cluster.state.store.forget_history)
    with pytest.raises(ApiException) as caught:
        list(watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=5))
    assert caught.value.status == 410


def test_typed_server_side_apply(api_client, deployment):
    apps = client.AppsV1Api(api_client)
    options = {"field_manager": "ops", "_content_type": "application/apply-patch+yaml"}
    apps.patch_namespaced_deployment("web", "default", deployment(), **options)
    with pytest.raises(ApiException) as caught:
        apps.patch_namespaced_deployment("web", "default", deployment(replicas=3), **{**options, "field_manager": "other"})
    assert caught.value.status == 409
    forced = apps.patch_namespaced_deployment(
        "web", "default", deployment(replicas=3), force=True, **{**options, "field_manager": "other"}
    )
    assert forced.spec.replicas == 3


def test_scale_evict_and_token(api_client, deployment):
    apps, core = client.AppsV1Api(api_client), client.CoreV1Api(api_client)
    apps.create_namespaced_deployment("default", deployment(replicas=1))
    scale = apps.read_namespaced_deployment_scale("web", "default")
    scale.spec.replicas = 2
    scale.metadata.resource_version = None  # the controllers write the same object meanwhile: replace whatever version is there
    assert apps.replace_namespaced_deployment_scale("web", "default", scale).spec.replicas == 2
    for event in watch.Watch().stream(core.list_namespaced_pod, "default", timeout_seconds=20):
        pod = event["object"].metadata.name
        break
    core.create_namespaced_pod_eviction(pod, "default", {"metadata": {"name": pod, "namespace": "default"}})
    token = core.create_namespaced_service_account_token(
        "default", "default", {"spec": {"audiences": [], "expirationSeconds": 600}}
    )
    assert token.status.token.count(".") == 2


def test_the_dynamic_client_discovers_lists_applies_and_deletes(dynamic, deployment):
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    made = deployments.server_side_apply(body=deployment(), namespace="default", field_manager="ops")
    assert made.metadata.uid
    listed = deployments.get(namespace="default", label_selector="app=web")
    assert [item.metadata.name for item in listed.items] == ["web"]
    assert listed.items[0].kind == "Deployment"
    patched = deployments.patch(
        name="web", namespace="default", body={"spec": {"replicas": 3}}, content_type="application/merge-patch+json"
    )
    assert patched.spec.replicas == 3
    deployments.delete(name="web", namespace="default")


def test_pages_of_the_dynamic_client(dynamic):
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    for number in range(4):
        maps.create(body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"map-{number}"}}, namespace="default")
    names, token = [], None
    while True:
        page = maps.get(namespace="default", limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata["continue"]
        if not token:
            break
    assert len(names) == len(set(names)) == 5


def test_a_refusal_carries_its_status(api_client):
    with pytest.raises(ApiException) as caught:
        client.CoreV1Api(api_client).create_namespaced_config_map("default", {"metadata": {"name": "Bad_Name"}})
    assert caught.value.status == 422
    assert '"reason":"Invalid"' in caught.value.body


def test_a_bearer_token_serves_as_login(api, api_client):
    login = yaml.safe_load(api.kubeconfig())
    login["users"][0]["user"] = {"token": api.do(api.cluster.service_account_token)}
    with config.new_client_from_config_dict(login) as by_token:
        assert client.CoreV1Api(by_token).list_node().items
        review = client.AuthenticationV1Api(by_token).create_self_subject_review({})
        assert review.status.user_info.username.startswith("system:serviceaccount:")
