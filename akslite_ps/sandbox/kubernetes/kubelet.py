"""The life of a pod: scheduling, image, start, readiness, failure, end.

A controller over pods that plays scheduler and kubelet. Every step has its device time; a pod is
looked at again when its next step is due.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import (
    CONTAINER_READY_SECONDS,
    CONTAINER_START_SECONDS,
    CONTAINER_STOP_SECONDS,
    IMAGE_BACKOFF_SECONDS,
    IMAGE_PULL_SECONDS,
    UNPULLABLE_IMAGE_HOSTS,
)
from akslite_ps.sandbox.kubernetes.container_ends import advance_ends
from akslite_ps.sandbox.kubernetes.mounts import missing_claims, missing_configuration, missing_volume_source
from akslite_ps.sandbox.kubernetes.nodes import address_of, is_ready, is_unknown
from akslite_ps.sandbox.kubernetes.objects import (
    Object,
    ObjectKey,
    name_of,
    namespace_of,
    parse_timestamp,
    set_condition,
    timestamp,
)
from akslite_ps.sandbox.kubernetes.scheduling import node_matters, place
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

SYSTEM_NAMESPACE = "kube-system"
_FINISHED = frozenset({"Succeeded", "Failed"})
_RETRY = dt.timedelta(seconds=30)


class PodController:
    """Scheduler and kubelet of every node."""

    watches = frozenset({"pods", "nodes", "configmaps", "secrets", "persistentvolumeclaims"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The pod itself; all pods that do not run yet where something they may wait for has changed."""
        if change.key.resource == "pods":
            return () if change.kind == "DELETED" else (change.key,)
        if change.key.resource == "nodes" and not node_matters(obj, change.before):
            return ()
        namespace = "" if change.key.resource == "nodes" else change.key.namespace
        return state.store.keys("pods", namespace)

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Take the pod one step further, if one is due."""
        pod = state.store.get(key)
        if pod is None or (pod.get("status", {}).get("phase") in _FINISHED and "deletionTimestamp" not in pod["metadata"]):
            return None
        if "deletionTimestamp" in pod["metadata"]:
            return self._terminate(pod, state)
        if not pod["spec"].get("nodeName"):
            return self._schedule(pod, state)
        if "startTime" not in pod["status"]:
            return self._admit(pod, state)
        if pod["spec"].get("restartPolicy", "Always") != "Always" and "podIP" in pod["status"]:
            return self._run_out(pod, state)
        if _waiting(pod):
            return self._start(pod, state)
        return self._probe(pod, state)

    def _run_out(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        """A pod whose containers may end by themselves."""
        if pod["spec"]["nodeName"] in state.silent_nodes:
            return None
        due = advance_ends(pod, state.now)
        if all("running" in item["state"] for item in pod["status"]["containerStatuses"]):
            probed = self._probe(pod, state)
            return min((moment for moment in (due, probed) if moment is not None), default=None)
        if pod["status"]["phase"] not in _FINISHED:
            _set_ready(pod, False, state.now)
        state.put(resources.PODS, pod)
        return due

    def _schedule(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        node, why_not = place(pod, state)
        claims = missing_claims(pod, state)
        if claims:
            node, why_not = None, claims
        if node is None:
            set_condition(pod, "PodScheduled", "False", state.now, reason="Unschedulable", message=why_not)
            before = state.store.encoded(ObjectKey("pods", namespace_of(pod), name_of(pod)))
            state.put(resources.PODS, pod)
            if before != state.store.encoded(ObjectKey("pods", namespace_of(pod), name_of(pod))):
                state.event(pod, "FailedScheduling", why_not, component="default-scheduler", warning=True)
            return None
        pod["spec"]["nodeName"] = node
        set_condition(pod, "PodScheduled", "True", state.now)
        state.put(resources.PODS, pod)
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        state.event(pod, "Scheduled", message, component="default-scheduler")
        return None

    def _admit(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        node = state.get(resources.NODES, pod["spec"]["nodeName"])
        if node is None or not address_of(node) or name_of(node) in state.silent_nodes:
            return None
        status = pod["status"]
        status["startTime"] = timestamp(state.now)
        status["hostIP"] = address_of(node)
        status["hostIPs"] = [{"ip": status["hostIP"]}]
        set_condition(pod, "PodReadyToStartContainers", "False", state.now)
        set_condition(pod, "Initialized", "True", state.now)
        unready = f"containers with unready status: [{' '.join(item['name'] for item in pod['spec']['containers'])}]"
        set_condition(pod, "Ready", "False", state.now, reason="ContainersNotReady", message=unready)
        set_condition(pod, "ContainersReady", "False", state.now, reason="ContainersNotReady", message=unready)
        set_condition(pod, "PodScheduled", "True", state.now)
        status["containerStatuses"] = [_waiting_status(item, "ContainerCreating") for item in pod["spec"]["containers"]]
        state.put(resources.PODS, pod)
        return None

    def _start(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        node = state.get(resources.NODES, pod["spec"]["nodeName"])
        if node is None or name_of(node) in state.silent_nodes or not self._may_run(pod, node, state):
            return None
        host = name_of(node)
        if problem := missing_volume_source(pod, state):
            state.event(pod, "FailedMount", problem, component="kubelet", host=host, warning=True)
            return state.now + _RETRY
        if problem := missing_configuration(pod, state):
            self._wait_because(pod, "CreateContainerConfigError", problem, state)
            return state.now + _RETRY
        if host in state.gpu_failures and _uses_gpu(pod):
            problem = f"Error: {state.gpu_failures[host]}"
            self._wait_because(pod, "RunContainerError", problem, state)
            state.event(pod, "Failed", problem, component="kubelet", host=host, warning=True)
            return state.now + _RETRY
        begun = parse_timestamp(pod["status"]["startTime"])
        absent = [item["image"] for item in pod["spec"]["containers"] if not _has_image(node, item["image"])]
        refused = next((image for image in absent if not _pullable(image)), None)
        if refused:
            return self._fail_pull(pod, refused, host, state)
        ready_at = begun + self._seconds(state, CONTAINER_START_SECONDS.value + (IMAGE_PULL_SECONDS.value if absent else 0.0))
        if state.now < ready_at:
            for image in absent:
                state.event(pod, "Pulling", f'Pulling image "{image}"', component="kubelet", host=host)
            return ready_at
        if absent:
            _add_images(node, absent)
            state.put(resources.NODES, node)
        self._run(pod, absent, host, state)
        return None

    def _run(self, pod: Object, pulled: list[str], host: str, state: ClusterState) -> None:
        status = pod["status"]
        status["phase"] = "Running"
        status["podIP"] = status["hostIP"] if pod["spec"].get("hostNetwork") else _free_address(state)
        status["podIPs"] = [{"ip": status["podIP"]}]
        set_condition(pod, "PodReadyToStartContainers", "True", state.now)
        status["containerStatuses"] = [
            _running_status(item, state.now, _restarts(pod, item["name"])) for item in pod["spec"]["containers"]
        ]
        if pod["spec"].get("initContainers"):
            status["initContainerStatuses"] = [_completed_status(item, state.now) for item in pod["spec"]["initContainers"]]
        for item in pod["spec"]["containers"]:
            how = (
                f'Successfully pulled image "{item["image"]}"'
                if item["image"] in pulled
                else f'Container image "{item["image"]}" already present on machine'
            )
            state.event(pod, "Pulled", how, component="kubelet", host=host)
            state.event(pod, "Created", f"Created container: {item['name']}", component="kubelet", host=host)
            state.event(pod, "Started", f"Started container {item['name']}", component="kubelet", host=host)
        state.put(resources.PODS, pod)

    def _probe(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        node = state.get(resources.NODES, pod["spec"]["nodeName"])
        held = node is None or not self._may_run(pod, node, state)
        started = max(parse_timestamp(item["state"]["running"]["startedAt"]) for item in pod["status"]["containerStatuses"])
        probed = any(item.get("readinessProbe") for item in pod["spec"]["containers"])
        due = started + self._seconds(state, CONTAINER_READY_SECONDS.value if probed else 0.0)
        if not held and state.now < due:
            return due
        _set_ready(pod, not held, state.now)
        state.put(resources.PODS, pod)
        return None

    def _terminate(self, pod: Object, state: ClusterState) -> dt.datetime | None:
        if pod["metadata"].get("finalizers") or pod["spec"].get("nodeName") in state.silent_nodes:
            return None
        asked = parse_timestamp(pod["metadata"]["deletionTimestamp"]) - dt.timedelta(
            seconds=pod["metadata"].get("deletionGracePeriodSeconds") or 0
        )
        runs = not _waiting(pod) and pod["spec"].get("nodeName") and pod["status"].get("phase") not in _FINISHED
        grace = pod["metadata"].get("deletionGracePeriodSeconds") or 0
        gone_at = asked + self._seconds(state, min(CONTAINER_STOP_SECONDS.value, grace) if runs else 0.0)
        if state.now < gone_at:
            for item in pod["spec"]["containers"]:
                message = f"Stopping container {item['name']}"
                state.event(pod, "Killing", message, component="kubelet", host=pod["spec"].get("nodeName", ""))
            return gone_at
        state.remove(resources.PODS, pod)
        return None

    def _fail_pull(self, pod: Object, image: str, host: str, state: ClusterState) -> dt.datetime | None:
        begun = parse_timestamp(pod["status"]["startTime"])
        fails_at = begun + self._seconds(state, CONTAINER_START_SECONDS.value)
        backs_off_at = fails_at + self._seconds(state, IMAGE_BACKOFF_SECONDS.value)
        shown = pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
        if state.now < fails_at:
            state.event(pod, "Pulling", f'Pulling image "{image}"', component="kubelet", host=host)
            return fails_at
        if state.now < backs_off_at:
            if shown != "ErrImagePull":
                message = f'Failed to pull image "{image}": failed to resolve reference "{image}": no such host'
                state.event(pod, "Failed", message, component="kubelet", host=host, warning=True)
                self._wait_because(pod, "ErrImagePull", message, state)
            return backs_off_at
        if shown != "ImagePullBackOff":
            message = f'Back-off pulling image "{image}"'
            state.event(pod, "BackOff", message, component="kubelet", host=host)
            self._wait_because(pod, "ImagePullBackOff", message, state)
        return None

    def _wait_because(self, pod: Object, reason: str, message: str, state: ClusterState) -> None:
        for item in pod["status"]["containerStatuses"]:
            item["state"] = {"waiting": {"reason": reason, "message": message}}
        state.put(resources.PODS, pod)

    def _may_run(self, pod: Object, node: Object, state: ClusterState) -> bool:
        if namespace_of(pod) == SYSTEM_NAMESPACE and not state.system_pods_ready:
            return False
        if name_of(node) in state.silent_nodes:
            return not is_unknown(node)
        return is_ready(node) or bool(pod["spec"].get("hostNetwork"))

    def _seconds(self, state: ClusterState, seconds: float) -> dt.timedelta:
        return dt.timedelta(seconds=0.0 if state.instant else seconds)


def _uses_gpu(pod: Object) -> bool:
    """Whether a pod asks for a GPU, by a limit, by NVIDIA's runtime class or by being its device plugin."""
    containers = pod["spec"]["containers"]
    limited = any("nvidia.com/gpu" in (item.get("resources", {}).get("limits") or {}) for item in containers)
    return limited or pod["spec"].get("runtimeClassName") == "nvidia" or any("nvidia/" in item["image"] for item in containers)


def restart_containers(pod: Object, now: dt.datetime) -> None:
    """What a reboot of the node leaves of a running pod: its containers ended and are about to start again."""
    for item in pod["status"].get("containerStatuses") or ():
        ended = item["state"].get("running")
        if ended is None:
            continue
        item["lastState"] = {
            "terminated": {
                "exitCode": 255,
                "reason": "Unknown",
                "startedAt": ended["startedAt"],
                "finishedAt": timestamp(now),
                "containerID": item["containerID"],
            }
        }
        item["restartCount"] += 1
        item["containerID"] = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        item["state"] = {"running": {"startedAt": timestamp(now)}}
        item["ready"] = False
    _set_ready(pod, False, now)


def _waiting(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses") or ()
    return not statuses or any("waiting" in item["state"] for item in statuses)


def _set_ready(pod: Object, ready: bool, now: dt.datetime) -> None:
    for item in pod["status"]["containerStatuses"]:
        item["ready"] = ready
    if ready:
        set_condition(pod, "Ready", "True", now)
        set_condition(pod, "ContainersReady", "True", now)
        return
    text = f"containers with unready status: [{' '.join(item['name'] for item in pod['spec']['containers'])}]"
    set_condition(pod, "Ready", "False", now, reason="ContainersNotReady", message=text)
    set_condition(pod, "ContainersReady", "False", now, reason="ContainersNotReady", message=text)


def _waiting_status(container: dict[str, Any], reason: str) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
    }


def _running_status(container: dict[str, Any], now: dt.datetime, restarts: int) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": _image_id(container["image"]),
        "containerID": f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}",
        "ready": False,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": timestamp(now)}},
        "lastState": {},
    }


def _image_id(image: str) -> str:
    """A digest that is the same for the same image everywhere."""
    repository = image.partition("@")[0]
    repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
    return f"{repository}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _completed_status(container: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": timestamp(now), "finishedAt": timestamp(now)}
    return _running_status(container, now, 0) | {"ready": True, "started": False, "state": {"terminated": ended}}


def _restarts(pod: Object, container: str) -> int:
    for item in pod["status"].get("containerStatuses") or ():
        if item["name"] == container:
            return int(item["restartCount"])
    return 0


def _has_image(node: Object, image: str) -> bool:
    return any(image in item["names"] for item in node["status"].get("images") or ())


def _add_images(node: Object, images: list[str]) -> None:
    known = node["status"].setdefault("images", [])
    for image in dict.fromkeys(images):
        known.append({"names": [image], "sizeBytes": 50_000_000})


def _pullable(image: str) -> bool:
    host = image.split("/", maxsplit=1)[0].split(":", maxsplit=1)[0] if "/" in image else ""
    return not host.endswith(UNPULLABLE_IMAGE_HOSTS.value)


def _free_address(state: ClusterState) -> str:
    used = {pod["status"].get("podIP") for pod in state.store.objects("pods")}
    for address in state.facts.pod_network.hosts():
        text = str(address)
        if not text.endswith((".0", ".1", ".255")) and text not in used:
            return text
    raise RuntimeError("the pod network is full")
