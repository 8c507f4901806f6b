"""Making and ending pods, and reading whether one is active or ready. Used by the workload controllers and evictions."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.defaults import fill_defaults
from akslite_ps.sandbox.kubernetes.objects import Object, condition, name_suffix, namespace_of, owner_reference, timestamp
from akslite_ps.sandbox.kubernetes.state import ClusterState

# Every pod tolerates a node that is away for this long before it is evicted (admission adds it).
_AWAY_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)


_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def make_pod(
    owner: Object,
    name_prefix: str,
    state: ClusterState,
    *,
    labels: Mapping[str, str] | None = None,
    node: str | None = None,
    tolerations: Iterable[Mapping[str, str]] = (),
    name: str | None = None,
    changes: Callable[[Object], None] | None = None,
) -> Object:
    """A pod from the owner's template, created in the store.

    Args:
        owner: A workload with ``spec.template``.
        name_prefix: The pod's name up to its random suffix.
        labels: Labels beside the template's.
        node: Node to bind it to, where the controller places it itself.
        tolerations: Tolerations beside the template's.
        name: The pod's whole name, where it is not random.
        changes: Called with the pod before admission, for what differs from pod to pod.
    """
    template = copy.deepcopy(owner["spec"]["template"])
    metadata = template.get("metadata") or {}
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name or f"{name_prefix}{name_suffix()}",
            "generateName": name_prefix,
            "namespace": namespace_of(owner),
            "labels": {**(metadata.get("labels") or {}), **(labels or {})},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }
    if metadata.get("annotations"):
        pod["metadata"]["annotations"] = metadata["annotations"]
    if node:
        pod["spec"]["nodeName"] = node
    if tolerations:
        pod["spec"]["tolerations"] = [*(pod["spec"].get("tolerations") or ()), *(dict(item) for item in tolerations)]
    if changes is not None:
        changes(pod)
    admit_pod(pod)
    return state.add(resources.PODS, pod)


def admit_pod(pod: Object) -> None:
    """What admission adds to a new pod: defaults, tolerations, service account, the initial status."""
    fill_defaults(pod)
    spec = pod["spec"]
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", 2_000_001_000 if spec.get("priorityClassName") == "system-node-critical" else 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for wanted in _AWAY_TOLERATIONS:
        if not any(item.get("key") in {wanted["key"], None} and item.get("effect") in {"NoExecute", None} for item in tolerations):
            tolerations.append(dict(wanted))
    _mount_token(pod)
    pod["status"] = {"phase": "Pending", "qosClass": _quality_of_service(pod)}


def _mount_token(pod: Object) -> None:
    """The volume with the service account's token, in every container that has nothing at its place."""
    spec = pod["spec"]
    if spec.get("automountServiceAccountToken") is False or "kubernetes.io/config.mirror" in (
        pod["metadata"].get("annotations") or {}
    ):
        return
    free = [
        container
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        if not any(mount.get("mountPath") == _TOKEN_PATH for mount in container.get("volumeMounts") or ())
    ]
    if not free:
        return
    name = f"kube-api-access-{name_suffix()}"
    items = [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": items}},
    ]
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": name, "projected": {"sources": sources, "defaultMode": 420}}]
    for container in free:
        mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def delete_pod(pod: Object, state: ClusterState, grace_s: int | None = None) -> None:
    """Mark a pod for deletion; the kubelet removes it when its containers have ended."""
    if "deletionTimestamp" in pod["metadata"]:
        return
    seconds = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace_s is None else grace_s
    if not pod["spec"].get("nodeName"):
        seconds = 0
    mark_deleted(pod, state, seconds)
    state.put(resources.PODS, pod)


def mark_deleted(obj: Object, state: ClusterState, grace_s: int) -> None:
    """Set the deletion marks of an object that goes ``grace_s`` seconds from now."""
    obj["metadata"]["deletionTimestamp"] = timestamp(state.now + dt.timedelta(seconds=grace_s))
    obj["metadata"]["deletionGracePeriodSeconds"] = grace_s


def is_active(pod: Object) -> bool:
    """Whether a pod counts for its owner: neither finished nor going."""
    return pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"} and "deletionTimestamp" not in pod["metadata"]


def is_pod_ready(pod: Object) -> bool:
    """Whether the Ready condition is True."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def _quality_of_service(pod: Object) -> str:
    guaranteed = True
    burstable = False
    for container in pod["spec"].get("containers") or ():
        requests = (container.get("resources") or {}).get("requests") or {}
        limits = (container.get("resources") or {}).get("limits") or {}
        burstable |= bool(requests or limits)
        guaranteed &= {"cpu", "memory"} <= set(limits) and all(
            requests.get(key, limits[key]) == limits[key] for key in ("cpu", "memory")
        )
    if guaranteed and pod["spec"].get("containers"):
        return "Guaranteed"
    return "Burstable" if burstable else "BestEffort"
