"""The controller of CustomResourceDefinitions: accepts their names, lets them take effect, and clears up behind them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import ESTABLISHING_SECONDS
from akslite_ps.sandbox.kubernetes.deleting import DeleteOptions, remove, remove_if_released
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, condition, parse_timestamp, set_condition
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_RESOURCE = resources.DEFINITIONS.resource


class DefinitionController:
    """Makes definitions effective."""

    watches = frozenset({_RESOURCE})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The definition itself."""
        return () if change.kind == "DELETED" else (change.key,)

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Accept the names, establish after a while, or remove the objects of a definition that goes."""
        definition = state.store.get(key)
        if definition is None:
            return None
        if "deletionTimestamp" in definition["metadata"]:
            return self._end(definition, state)
        status = definition.setdefault("status", {})
        status.setdefault("storedVersions", [])
        storage = next((item["name"] for item in definition["spec"]["versions"] if item.get("storage")), None)
        if storage and storage not in status["storedVersions"]:
            status["storedVersions"].append(storage)
        taken = self._conflict(definition, state)
        if taken:
            set_condition(definition, "NamesAccepted", "False", state.now, reason="KindConflict", message=taken)
            if condition(definition, "Established") is None:
                text = "not all names are accepted"
                set_condition(definition, "Established", "False", state.now, reason="NotAccepted", message=text)
            status.setdefault("acceptedNames", {"plural": "", "kind": ""})
            state.put(resources.DEFINITIONS, definition)
            return None
        status["acceptedNames"] = definition["spec"]["names"]
        set_condition(definition, "NamesAccepted", "True", state.now, reason="NoConflicts", message="no conflicts found")
        found = condition(definition, "Established")
        if found is None or found["status"] != "True":
            due = parse_timestamp(definition["metadata"]["creationTimestamp"]) + dt.timedelta(seconds=ESTABLISHING_SECONDS.value)
            if state.now < due and not state.instant:
                text = "the initial names have been accepted"
                set_condition(definition, "Established", "False", state.now, reason="Installing", message=text)
                state.put(resources.DEFINITIONS, definition)
                return due
            text = "the initial names have been accepted"
            set_condition(definition, "Established", "True", state.now, reason="InitialNamesAccepted", message=text)
        finalizers = definition["metadata"].setdefault("finalizers", [])
        if CLEANUP not in finalizers:
            finalizers.append(CLEANUP)
        state.put(resources.DEFINITIONS, definition)
        return None

    def _conflict(self, definition: Object, state: ClusterState) -> str:
        """Why the names cannot be accepted: another definition of the group has the kind."""
        spec = definition["spec"]
        for other in state.store.objects(_RESOURCE):
            same = other["spec"]["group"] == spec["group"] and other["metadata"]["name"] != definition["metadata"]["name"]
            accepted = (other.get("status") or {}).get("acceptedNames") or {}
            if same and accepted.get("kind") == spec["names"]["kind"]:
                return f'"{spec["names"]["kind"]}" is already in use'
        return ""

    def _end(self, definition: Object, state: ClusterState) -> dt.datetime | None:
        """Delete what there is of the kind; the definition goes when nothing is left."""
        spec = definition["spec"]
        kind = state.types.of_resource(f"{spec['names']['plural']}.{spec['group']}")
        left = list(state.store.objects(kind.resource)) if kind is not None else []
        text = "CustomResource deletion is in progress"
        set_condition(definition, "Terminating", "True", state.now, reason="InstanceDeletionInProgress", message=text)
        definition = state.put(resources.DEFINITIONS, definition)
        waiting = 0
        for obj in left:
            assert kind is not None
            if "deletionTimestamp" in obj["metadata"] or remove(state, kind, obj, DeleteOptions()) is not None:
                waiting += 1
        if waiting:
            return state.now + dt.timedelta(seconds=5)
        held = [item for item in definition["metadata"].get("finalizers") or () if item != CLEANUP]
        if held:
            definition["metadata"]["finalizers"] = held
        else:
            definition["metadata"].pop("finalizers", None)
        remove_if_released(state, resources.DEFINITIONS, state.put(resources.DEFINITIONS, definition))
        return None
