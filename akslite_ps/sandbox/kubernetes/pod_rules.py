"""Rules of a pod and of its spec, which workloads carry in their templates. Part of ``rules``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.status import Cause, invalid_value

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
# What may change in the spec of a pod that exists.
_MUTABLE_POD_FIELDS = frozenset({"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"})


def pod_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with a pod."""
    yield from pod_spec_faults(obj["spec"], "spec")
    if before is not None and _fixedpod_spec_faults(before) != _fixedpod_spec_faults(obj):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield Cause("FieldValueForbidden", text, "spec")


def _fixedpod_spec_faults(pod: Object) -> dict[str, Any]:
    spec = {key: value for key, value in pod["spec"].items() if key not in _MUTABLE_POD_FIELDS}
    for field in ("containers", "initContainers"):
        if field in spec:
            spec[field] = [{key: value for key, value in item.items() if key != "image"} for item in spec[field]]
    return spec


def pod_spec_faults(spec: dict[str, Any], path: str, more_volumes: Iterable[str] = ()) -> Iterator[Cause]:
    """What is wrong with a pod's spec at ``path``; its containers may mount ``more_volumes`` beside its own."""
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()} | set(more_volumes)
    seen: set[str] = set()
    if not spec.get("containers"):
        yield Cause("FieldValueRequired", "Required value", f"{path}.containers")
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            name = container.get("name", "")
            if not LABEL.match(name):
                yield invalid_value(name, LABEL_TEXT, f"{where}.name")
            if name in seen:
                yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{where}.name")
            seen.add(name)
            if not container.get("image"):
                yield Cause("FieldValueRequired", "Required value", f"{where}.image")
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                if mount.get("name") not in volumes:
                    yield Cause("FieldValueNotFound", f'Not found: "{mount.get("name")}"', f"{where}.volumeMounts[{number}].name")
