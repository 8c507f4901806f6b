"""The StatefulSet controller: numbered pods that keep their names and volumes, made, replaced and ended in order."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import MOST_PODS_PER_SET
from akslite_ps.sandbox.kubernetes.defaults import fill_defaults
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, controller_of, labels_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import delete_pod, is_active, is_pod_ready, make_pod
from akslite_ps.sandbox.kubernetes.revisions import REVISION_LABEL, forget_revisions, note_revision
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

_COMPONENT = "statefulset-controller"
_RESOURCE = "statefulsets.apps"


class StatefulSetController:
    """Keeps the pods of StatefulSets."""

    watches = frozenset({_RESOURCE, "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The StatefulSet itself, or the one that a changed pod belongs to."""
        return itself_or_owner(change, obj, {"StatefulSet": _RESOURCE})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Take the set one step towards what it should be, and count its pods."""
        stateful_set = state.store.get(key)
        if stateful_set is None or "deletionTimestamp" in stateful_set["metadata"]:
            return None
        revision = note_revision(stateful_set, state)
        pods = self._pods(stateful_set, state)
        self._step(stateful_set, pods, revision, state)
        pods = self._pods(stateful_set, state)
        self._count(stateful_set, [pod for pod in pods.values() if is_active(pod)], revision, state)
        forget_revisions(stateful_set, {revision, *(_revision(pod) for pod in pods.values())}, state)
        return None

    def _pods(self, stateful_set: Object, state: ClusterState) -> dict[int, Object]:
        """The set's pods by number."""
        uid, prefix = stateful_set["metadata"]["uid"], f"{name_of(stateful_set)}-"
        return {
            int(name_of(pod).removeprefix(prefix)): pod
            for pod in state.store.objects("pods", namespace_of(stateful_set))
            if (controller_of(pod) or {}).get("uid") == uid and name_of(pod).removeprefix(prefix).isdigit()
        }

    def _step(self, stateful_set: Object, pods: dict[int, Object], revision: str, state: ClusterState) -> None:
        spec = stateful_set["spec"]
        start = (spec.get("ordinals") or {}).get("start", 0)
        wanted = range(start, start + min(spec["replicas"], MOST_PODS_PER_SET.value))
        one_by_one = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        unusable = [item for item in spec.get("volumeClaimTemplates") or () if not _asks_for_storage(item)]
        if unusable:
            text = f"create Claim for StatefulSet {name_of(stateful_set)} failed error: spec.resources[storage]: Required value"
            state.event(stateful_set, "FailedCreate", text, component=_COMPONENT, warning=True)
            return
        for number in wanted:
            pod = pods.get(number)
            if pod is not None and pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}:
                delete_pod(pod, state, 0)
            if pod is None:
                self._make(stateful_set, number, self._revision_for(stateful_set, number, revision), state)
            if one_by_one and (pod is None or not is_active(pod) or not is_pod_ready(pod)):
                return
        surplus = sorted((number for number in pods if number not in wanted), reverse=True)
        for number in surplus:
            if is_active(pods[number]):
                self._end(stateful_set, pods[number], state)
            if one_by_one:
                return
        if surplus or spec["updateStrategy"]["type"] != "RollingUpdate":
            return
        partition = (spec["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        for number in reversed(wanted):
            pod = pods.get(number)
            if pod is None or not is_active(pod):
                return
            if number >= partition and _revision(pod) != revision:
                self._end(stateful_set, pod, state)
                return
            if not is_pod_ready(pod):
                return

    def _revision_for(self, stateful_set: Object, number: int, revision: str) -> str:
        """Below the partition a pod that is made anew keeps the revision before; its template is the present one all the same."""
        partition = (stateful_set["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        current = (stateful_set.get("status") or {}).get("currentRevision", "").rpartition("-")[2]
        return current if current and number < partition else revision

    def _make(self, stateful_set: Object, number: int, revision: str, state: ClusterState) -> None:
        name = f"{name_of(stateful_set)}-{number}"
        claims = [
            self._claim(stateful_set, template, name, state) for template in stateful_set["spec"].get("volumeClaimTemplates") or ()
        ]

        def shape(pod: Object) -> None:
            del pod["metadata"]["generateName"]
            pod["metadata"]["generateName"] = f"{name_of(stateful_set)}-"
            pod["spec"]["hostname"] = name
            if stateful_set["spec"].get("serviceName"):
                pod["spec"]["subdomain"] = stateful_set["spec"]["serviceName"]
            own = {volume: {"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in claims}
            others = [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in own]
            if own or others:
                pod["spec"]["volumes"] = [*others, *own.values()]

        labels = {
            REVISION_LABEL: f"{name_of(stateful_set)}-{revision}",
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
        }
        make_pod(stateful_set, f"{name_of(stateful_set)}-", state, labels=labels, name=name, changes=shape)
        message = f"create Pod {name} in StatefulSet {name_of(stateful_set)} successful"
        state.event(stateful_set, "SuccessfulCreate", message, component=_COMPONENT)

    def _claim(self, stateful_set: Object, template: Object, pod: str, state: ClusterState) -> tuple[str, str]:
        """The claim of one pod, made where it is not there yet; it stays when the pod goes."""
        name = f"{name_of(template)}-{pod}"
        namespace = namespace_of(stateful_set)
        if state.get(resources.CLAIMS, name, namespace) is None:
            labels = {**labels_of(template), **(stateful_set["spec"]["selector"].get("matchLabels") or {})}
            claim: Object = {
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels,
                    "finalizers": ["kubernetes.io/pvc-protection"],
                },
                "spec": copy.deepcopy(template["spec"]),
            }
            if "storageClassName" not in claim["spec"]:
                default = _default_class(state)
                if default:
                    claim["spec"]["storageClassName"] = default
            fill_defaults(claim)
            state.add(resources.CLAIMS, claim)
            message = f"create Claim {name} Pod {pod} in StatefulSet {name_of(stateful_set)} success"
            state.event(stateful_set, "SuccessfulCreate", message, component=_COMPONENT)
        return name_of(template), name

    def _end(self, stateful_set: Object, pod: Object, state: ClusterState) -> None:
        delete_pod(pod, state)
        message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)} successful"
        state.event(stateful_set, "SuccessfulDelete", message, component=_COMPONENT)

    def _count(self, stateful_set: Object, pods: list[Object], revision: str, state: ClusterState) -> None:
        before = stateful_set.get("status") or {}
        newest = f"{name_of(stateful_set)}-{revision}"
        ready = sum(is_pod_ready(pod) for pod in pods)
        updated = sum(_revision(pod) == revision for pod in pods)
        current = before.get("currentRevision") or newest
        rolled_out = updated == len(pods) == stateful_set["spec"]["replicas"] == ready
        if rolled_out:
            current = newest
        status = {
            "observedGeneration": stateful_set["metadata"].get("generation", 1),
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": newest,
            "collisionCount": 0,
        }
        counts = {
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "currentReplicas": sum(f"{name_of(stateful_set)}-{_revision(pod)}" == current for pod in pods),
        }
        stateful_set["status"] = status | {key: value for key, value in counts.items() if value}
        state.put(resources.STATEFUL_SETS, stateful_set)


def _asks_for_storage(template: Object) -> bool:
    return "storage" in ((template["spec"].get("resources") or {}).get("requests") or {})


def _revision(pod: Object) -> str:
    return labels_of(pod).get(REVISION_LABEL, "").rpartition("-")[2]


def _default_class(state: ClusterState) -> str:
    for item in state.store.objects(resources.STORAGE_CLASSES.resource):
        if (item["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true":
            return name_of(item)
    return ""
