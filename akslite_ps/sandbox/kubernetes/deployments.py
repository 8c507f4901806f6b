"""The Deployment controller: one ReplicaSet per template, rolled over within the limits of the strategy."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import (
    Object,
    ObjectKey,
    annotations_of,
    condition,
    controller_of,
    name_hash,
    name_of,
    namespace_of,
    owner_reference,
    parse_timestamp,
    set_condition,
    timestamp,
)
from akslite_ps.sandbox.kubernetes.quantities import portion
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change, itself_or_owner

REVISION = "deployment.kubernetes.io/revision"
_HASH_LABEL = "pod-template-hash"
_NOT_COPIED = frozenset({REVISION, "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/desired-replicas"})


def template_hash(template: dict[str, Any]) -> str:
    """A stable short hash of a pod template, in the alphabet of generated names. The order of fields does not matter."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    canonical = json.dumps({"metadata": metadata, "spec": template.get("spec")}, sort_keys=True)
    return name_hash(int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:8], "big"))


class DeploymentController:
    """Rolls Deployments out."""

    watches = frozenset({"deployments.apps", "replicasets.apps"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The Deployment itself, or the one that owns a changed ReplicaSet."""
        return itself_or_owner(change, obj, {"Deployment": "deployments.apps"})

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Make the next step of the roll-out and report where it stands."""
        deployment = state.store.get(key)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return None
        owned = self._replica_sets(deployment, state)
        new = next((item for item in owned if _same_template(item, deployment)), None)
        if new is None and not deployment["spec"].get("paused"):
            new = self._create(deployment, owned, state)
        elif new is not None and not deployment["spec"].get("paused"):
            self._renew_revision(deployment, new, owned, state)
        old = [item for item in owned if new is None or name_of(item) != name_of(new)]
        if new is not None and not deployment["spec"].get("paused"):
            self._scale(deployment, new, old, state)
            self._prune(deployment, old, state)
        return self._report(deployment, new, old, state)

    def _replica_sets(self, deployment: Object, state: ClusterState) -> list[Object]:
        uid = deployment["metadata"]["uid"]
        return [
            item
            for item in state.store.objects("replicasets.apps", namespace_of(deployment))
            if (controller_of(item) or {}).get("uid") == uid
        ]

    def _create(self, deployment: Object, owned: list[Object], state: ClusterState) -> Object:
        hashed = template_hash(deployment["spec"]["template"])
        template = copy.deepcopy(deployment["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[_HASH_LABEL] = hashed
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH_LABEL] = hashed
        revision = str(max((int(annotations_of(item).get(REVISION, "0")) for item in owned), default=0) + 1)
        made = state.add(
            resources.REPLICA_SETS,
            {
                "metadata": {
                    "name": f"{name_of(deployment)}-{hashed}",
                    "namespace": namespace_of(deployment),
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": self._annotations(deployment, revision),
                    "ownerReferences": [owner_reference(deployment)],
                },
                "spec": {"replicas": 0, "selector": selector, "template": template},
                "status": {"replicas": 0},
            },
        )
        self._note_revision(deployment, revision)
        message = f'Created new replica set "{name_of(made)}"'
        set_condition(
            deployment,
            "Progressing",
            "True",
            state.now,
            reason="NewReplicaSetCreated",
            message=message,
            extra={"lastUpdateTime": timestamp(state.now)},
        )
        return made

    def _renew_revision(self, deployment: Object, new: Object, owned: list[Object], state: ClusterState) -> None:
        """A template used before becomes the newest revision again (roll back)."""
        highest = max(int(annotations_of(item).get(REVISION, "0")) for item in owned)
        revision = int(annotations_of(new).get(REVISION, "0"))
        wanted = highest if revision == highest else highest + 1
        annotations = annotations_of(new) | self._annotations(deployment, str(wanted))
        if annotations != annotations_of(new):
            new["metadata"]["annotations"] = annotations
            state.put(resources.REPLICA_SETS, new)
        self._note_revision(deployment, str(wanted))

    def _annotations(self, deployment: Object, revision: str) -> dict[str, str]:
        wanted = deployment["spec"]["replicas"]
        surge, _ = _limits(deployment)
        own = {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}
        return own | {
            "deployment.kubernetes.io/desired-replicas": str(wanted),
            "deployment.kubernetes.io/max-replicas": str(wanted + surge),
            REVISION: revision,
        }

    def _note_revision(self, deployment: Object, revision: str) -> None:
        deployment["metadata"].setdefault("annotations", {})[REVISION] = revision

    def _scale(self, deployment: Object, new: Object, old: list[Object], state: ClusterState) -> None:
        wanted = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for item in old:
                self._set_replicas(deployment, item, 0, state)
            if not any(item["status"].get("replicas") for item in old):
                self._set_replicas(deployment, new, wanted, state)
            return
        surge, unavailable = _limits(deployment)
        total = _asked(new) + sum(_asked(item) for item in old)
        if _asked(new) > wanted:
            self._set_replicas(deployment, new, wanted, state)
        elif _asked(new) < wanted:
            self._set_replicas(deployment, new, min(wanted, _asked(new) + max(0, wanted + surge - total)), state)
        total = _asked(new) + sum(_asked(item) for item in old)
        floor = wanted - unavailable
        removable = total - floor - (_asked(new) - _available(new))
        for item in old:
            broken = min(max(removable, 0), _asked(item) - _available(item))
            self._set_replicas(deployment, item, _asked(item) - broken, state)
            removable -= broken
        spare = _available(new) + sum(min(_available(item), _asked(item)) for item in old) - floor
        for item in old:
            cut = min(max(spare, 0), _asked(item))
            self._set_replicas(deployment, item, _asked(item) - cut, state)
            spare -= cut

    def _set_replicas(self, deployment: Object, item: Object, count: int, state: ClusterState) -> None:
        before = _asked(item)
        if before == count:
            return
        item["spec"]["replicas"] = count
        item["metadata"]["generation"] = item["metadata"].get("generation", 1) + 1
        state.put(resources.REPLICA_SETS, item)
        direction = "up" if count > before else "down"
        message = f"Scaled {direction} replica set {name_of(item)} from {before} to {count}"
        state.event(deployment, "ScalingReplicaSet", message, component="deployment-controller")

    def _prune(self, deployment: Object, old: list[Object], state: ClusterState) -> None:
        idle = [item for item in old if not _asked(item) and not item["status"].get("replicas")]
        idle.sort(key=lambda item: int(annotations_of(item).get(REVISION, "0")))
        for item in idle[: max(0, len(idle) - deployment["spec"].get("revisionHistoryLimit", 10))]:
            state.remove(resources.REPLICA_SETS, item)

    def _report(self, deployment: Object, new: Object | None, old: list[Object], state: ClusterState) -> dt.datetime | None:
        everything = [*old, *([new] if new else [])]
        counts = {
            "replicas": sum(item["status"].get("replicas", 0) for item in everything),
            "updatedReplicas": new["status"].get("replicas", 0) if new else 0,
            "readyReplicas": sum(item["status"].get("readyReplicas", 0) for item in everything),
            "availableReplicas": sum(item["status"].get("availableReplicas", 0) for item in everything),
        }
        wanted = deployment["spec"]["replicas"]
        counts["unavailableReplicas"] = max(0, max(counts["replicas"], wanted) - counts["availableReplicas"])
        before = deployment.get("status") or {}
        deployment["status"] = {
            "observedGeneration": deployment["metadata"].get("generation", 1),
            **{key: value for key, value in counts.items() if value},
            "conditions": before.get("conditions") or [],
        }
        _, unavailable = _limits(deployment)
        if counts["availableReplicas"] >= wanted - unavailable:
            text = "Deployment has minimum availability."
            _mark(deployment, "Available", "True", "MinimumReplicasAvailable", text, state.now)
        else:
            text = "Deployment does not have minimum availability."
            _mark(deployment, "Available", "False", "MinimumReplicasUnavailable", text, state.now)
        again = self._progress(deployment, new, before, counts, state)
        state.put(resources.DEPLOYMENTS, deployment)
        return again

    def _progress(
        self, deployment: Object, new: Object | None, before: Mapping[str, Any], counts: Mapping[str, int], state: ClusterState
    ) -> dt.datetime | None:
        if new is None:
            return None
        wanted = deployment["spec"]["replicas"]
        name = name_of(new)
        if counts["updatedReplicas"] == wanted == counts["availableReplicas"] == counts["replicas"]:
            text = f'ReplicaSet "{name}" has successfully progressed.'
            _mark(deployment, "Progressing", "True", "NewReplicaSetAvailable", text, state.now)
            return None
        seen = condition(deployment, "Progressing")
        moved = any(
            counts[field] > before.get(field, 0) for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
        ) or counts["replicas"] < before.get("replicas", 0)
        if seen is None or moved or seen["reason"] == "NewReplicaSetAvailable":
            text = f'ReplicaSet "{name}" is progressing.'
            extra = {"lastUpdateTime": timestamp(state.now)}
            set_condition(deployment, "Progressing", "True", state.now, reason="ReplicaSetUpdated", message=text, extra=extra)
            seen = condition(deployment, "Progressing")
        if seen is None or deployment["spec"].get("paused"):
            return None
        deadline = parse_timestamp(seen["lastUpdateTime"]) + dt.timedelta(
            seconds=deployment["spec"].get("progressDeadlineSeconds", 600)
        )
        if state.now < deadline:
            return deadline
        text = f'ReplicaSet "{name}" has timed out progressing.'
        _mark(deployment, "Progressing", "False", "ProgressDeadlineExceeded", text, state.now)
        return None


def _mark(deployment: Object, kind: str, status: str, reason: str, message: str, now: dt.datetime) -> None:
    seen = condition(deployment, kind)
    if seen is not None and (seen["status"], seen["reason"], seen.get("message")) == (status, reason, message):
        return
    set_condition(deployment, kind, status, now, reason=reason, message=message, extra={"lastUpdateTime": timestamp(now)})


def _same_template(replica_set: Object, deployment: Object) -> bool:
    return bool(replica_set["metadata"]["labels"].get(_HASH_LABEL) == template_hash(deployment["spec"]["template"]))


def _asked(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 0))


def _available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def _limits(deployment: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable as numbers; percentages round up and down as the real controller's."""
    wanted = deployment["spec"]["replicas"]
    rolling = deployment["spec"]["strategy"].get("rollingUpdate")
    if not rolling:
        return 0, wanted
    surge = portion(rolling["maxSurge"], wanted, round_up=True)
    unavailable = portion(rolling["maxUnavailable"], wanted, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)
