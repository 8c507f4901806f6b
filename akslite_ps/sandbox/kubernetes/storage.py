"""Binding volume claims to volumes, existing ones or such as a provisioner would make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, annotations_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.quantities import parse_quantity
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_PROVISIONED = "pv.kubernetes.io/provisioned-by"
_PROTECTION = "kubernetes.io/pvc-protection"


class ClaimController:
    """Binds claims, and lets claims and their volumes go."""

    watches = frozenset({"persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io", "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The claim itself, or all claims where something they wait for changed."""
        match change.key.resource:
            case "persistentvolumeclaims":
                if change.kind == "DELETED":
                    return [ObjectKey("persistentvolumes", "", name)] if (name := obj["spec"].get("volumeName")) else ()
                return (change.key,)
            case "pods" if not obj["spec"].get("volumes") and change.kind != "MODIFIED":
                return ()
        return state.store.keys("persistentvolumeclaims")

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Bind the claim if that is possible now; remove it if it is to go and no pod uses it."""
        if key.resource == "persistentvolumes":
            self._release(key.name, state)
            return None
        claim = state.store.get(key)
        if claim is None:
            return None
        if "deletionTimestamp" in claim["metadata"]:
            if not _users(claim, state):
                self._drop(claim, state)
        elif claim.get("status", {}).get("phase") != "Bound":
            self._bind(claim, state)
        return None

    def _bind(self, claim: Object, state: ClusterState) -> None:
        volume = self._existing_volume(claim, state)
        if volume is None:
            volume = self._provision(claim, state)
        if volume is None:
            return
        volume["spec"]["claimRef"] = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": namespace_of(claim),
            "name": name_of(claim),
            "uid": claim["metadata"]["uid"],
        }
        volume["status"] = {"phase": "Bound"}
        if "uid" in volume["metadata"]:
            state.put(resources.VOLUMES, volume)
        else:
            state.add(resources.VOLUMES, volume)
        claim["spec"]["volumeName"] = name_of(volume)
        capacity = volume["spec"]["capacity"]
        claim["status"] = {"phase": "Bound", "accessModes": claim["spec"].get("accessModes") or [], "capacity": capacity}
        state.put(resources.CLAIMS, claim)

    def _existing_volume(self, claim: Object, state: ClusterState) -> Object | None:
        spec = claim["spec"]
        wanted = parse_quantity(spec["resources"]["requests"]["storage"])
        for volume in state.store.objects("persistentvolumes"):
            reference = volume["spec"].get("claimRef")
            if reference and (reference.get("namespace"), reference.get("name")) != (namespace_of(claim), name_of(claim)):
                continue
            if spec.get("volumeName") not in {None, name_of(volume)}:
                continue
            fits = parse_quantity(volume["spec"]["capacity"]["storage"]) >= wanted
            modes = set(spec.get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())
            if fits and modes and volume["spec"].get("storageClassName", "") == spec.get("storageClassName", ""):
                return volume
        return None

    def _provision(self, claim: Object, state: ClusterState) -> Object | None:
        name = claim["spec"].get("storageClassName")
        if not name:
            text = "no persistent volumes available for this claim and no storage class is set"
            state.event(claim, "FailedBinding", text, component="persistentvolume-controller")
            return None
        found = state.get(resources.STORAGE_CLASSES, name)
        if found is None:
            text = f'storageclass.storage.k8s.io "{name}" not found'
            state.event(claim, "ProvisioningFailed", text, component="persistentvolume-controller", warning=True)
            return None
        if found.get("volumeBindingMode") == "WaitForFirstConsumer" and not _users(claim, state):
            text = "waiting for first consumer to be created before binding"
            state.event(claim, "WaitForFirstConsumer", text, component="persistentvolume-controller")
            return None
        if not _provisioner_runs(found["provisioner"], state):
            text = (
                f"Waiting for a volume to be created either by the external provisioner '{found['provisioner']}' or manually by "
                "the system administrator. If volume creation is delayed, please verify that the provisioner is running and "
                "correctly registered."
            )
            state.event(claim, "ExternalProvisioning", text, component="persistentvolume-controller")
            return None
        return _provisioned(claim, found)

    def _release(self, name: str, state: ClusterState) -> None:
        volume = state.get(resources.VOLUMES, name)
        if volume is None:
            return
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and _PROVISIONED in annotations_of(volume):
            state.remove(resources.VOLUMES, volume)
            return
        volume["status"] = {"phase": "Released"}
        state.put(resources.VOLUMES, volume)

    def _drop(self, claim: Object, state: ClusterState) -> None:
        left = [item for item in claim["metadata"].get("finalizers") or () if item != _PROTECTION]
        if left:
            claim["metadata"]["finalizers"] = left
            state.put(resources.CLAIMS, claim)
        else:
            state.remove(resources.CLAIMS, claim)


def _provisioned(claim: Object, storage_class: Object) -> Object:
    spec: dict[str, Any] = {
        "capacity": dict(claim["spec"]["resources"]["requests"]),
        "accessModes": list(claim["spec"].get("accessModes") or ()),
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
        "storageClassName": name_of(storage_class),
        "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
    }
    name = f"pvc-{claim['metadata']['uid']}"
    spec["hostPath"] = {"path": f"/var/lib/volumes/{name}_{namespace_of(claim)}_{name_of(claim)}", "type": "DirectoryOrCreate"}
    return {"metadata": {"name": name, "annotations": {_PROVISIONED: storage_class["provisioner"]}}, "spec": spec}


def _provisioner_runs(provisioner: str, state: ClusterState) -> bool:
    """Whether a running pod looks like this provisioner: its name carries the last part of the provisioner's name."""
    word = provisioner.rpartition("/")[2]
    return any(word in name_of(pod) and pod.get("status", {}).get("phase") == "Running" for pod in state.store.objects("pods"))


def _users(claim: Object, state: ClusterState) -> list[Object]:
    return [
        pod
        for pod in state.store.objects("pods", namespace_of(claim))
        if any(
            (volume.get("persistentVolumeClaim") or {}).get("claimName") == name_of(claim)
            for volume in pod["spec"].get("volumes") or ()
        )
    ]
