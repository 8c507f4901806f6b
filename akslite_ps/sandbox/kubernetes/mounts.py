"""What a pod needs from other objects before it can be scheduled or started: claims, config maps, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, namespace_of
from akslite_ps.sandbox.kubernetes.state import ClusterState

_KINDS = {"configMap": (resources.CONFIG_MAPS, "configmap"), "secret": (resources.SECRETS, "secret")}


def missing_claims(pod: Object, state: ClusterState) -> str | None:
    """The scheduler's message about a volume claim that is absent or unbound, or None."""
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not name:
            continue
        claim = state.get(resources.CLAIMS, name, namespace_of(pod))
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if claim.get("status", {}).get("phase") != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return None


def missing_volume_source(pod: Object, state: ClusterState) -> str | None:
    """The kubelet's message about a volume whose config map or secret does not exist, or None."""
    for volume in pod["spec"].get("volumes") or ():
        for field, (kind, word) in _KINDS.items():
            source = volume.get(field) or {}
            name = source.get("name") or source.get("secretName")
            if name and not source.get("optional") and state.get(kind, name, namespace_of(pod)) is None:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {word} "{name}" not found'
    return None


def missing_configuration(pod: Object, state: ClusterState) -> str | None:
    """The kubelet's message about an environment source that does not exist, or None."""
    for field, reference in _environment_sources(pod):
        kind, word = _KINDS[field]
        if reference.get("optional"):
            continue
        found = state.get(kind, reference["name"], namespace_of(pod))
        if found is None:
            return f'{word} "{reference["name"]}" not found'
        key = reference.get("key")
        if key and key not in (found.get("data") or {}):
            return f"couldn't find key {key} in {kind.kind} {namespace_of(pod)}/{reference['name']}"
    return None


def _environment_sources(pod: Object) -> Iterator[tuple[str, dict[str, Any]]]:
    for container in pod["spec"]["containers"]:
        for source in container.get("envFrom") or ():
            for field in _KINDS:
                if source.get(f"{field}Ref"):
                    yield field, source[f"{field}Ref"]
        for variable in container.get("env") or ():
            for field in _KINDS:
                reference = (variable.get("valueFrom") or {}).get(f"{field}KeyRef")
                if reference:
                    yield field, reference
