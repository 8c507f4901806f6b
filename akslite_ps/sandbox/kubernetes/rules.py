"""Rules that an object must keep beyond its types: names, selectors, immutable fields. Checked before every write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from akslite_ps.sandbox.kubernetes.definition_rules import definition_faults
from akslite_ps.sandbox.kubernetes.objects import Object, labels_of, name_of
from akslite_ps.sandbox.kubernetes.pod_rules import LABEL, LABEL_TEXT, pod_faults, pod_spec_faults
from akslite_ps.sandbox.kubernetes.quantities import is_portion
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.selectors import selects
from akslite_ps.sandbox.kubernetes.status import Cause, invalid, invalid_value
from akslite_ps.sandbox.kubernetes.workload_rules import autoscaler_faults, cron_job_faults, ingress_faults, job_faults

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_QUALIFIED = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_FREE_NAMES = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
_LABEL_NAMES = frozenset({"Namespace", "Service"})


def check_rules(kind: ResourceType, obj: Object, before: Object | None, missing: list[Cause]) -> None:
    """Refuse an object that breaks a rule.

    Args:
        before: The object that is to be replaced, None for a new one.
        missing: Required fields that the object lacks.

    Raises:
        ApiError: 422 with every cause found.
    """
    causes = [*_metadata(kind, obj), *missing]
    checks = _BY_KIND.get(kind.kind) if kind.custom is None else None
    if checks and not missing:
        causes += checks(obj, before)
    if causes:
        raise invalid(kind.kind, kind.group, name_of(obj), causes)


def _metadata(kind: ResourceType, obj: Object) -> Iterator[Cause]:
    name = name_of(obj)
    if not name:
        yield Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
    elif kind.custom is None and kind.kind in _FREE_NAMES:
        if name in {".", ".."} or "/" in name or "%" in name:
            yield invalid_value(name, "may not contain '/' or '%'", "metadata.name")
    elif kind.custom is None and kind.kind in _LABEL_NAMES:
        if len(name) > 63 or not LABEL.match(name):
            yield invalid_value(name, LABEL_TEXT if len(name) <= 63 else "must be no more than 63 characters", "metadata.name")
    elif len(name) > 253 or not _SUBDOMAIN.match(name):
        yield invalid_value(name, _SUBDOMAIN_TEXT if len(name) <= 253 else "must be no more than 253 characters", "metadata.name")
    for key, value in labels_of(obj).items():
        if not _QUALIFIED.match(key) or len(key.rpartition("/")[2]) > 63:
            yield invalid_value(key, "name part must consist of alphanumeric characters, '-', '_' or '.'", "metadata.labels")
        if len(value) > 63 or not _LABEL_VALUE.match(value):
            yield invalid_value(
                value,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'",
                "metadata.labels",
            )


def _workload(obj: Object, before: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    if isinstance(spec.get("replicas"), int) and spec["replicas"] < 0:
        yield invalid_value(spec["replicas"], "must be greater than or equal to 0", "spec.replicas")
    if before is not None and before["spec"].get("selector") != spec.get("selector"):
        yield invalid_value(spec.get("selector"), "field is immutable", "spec.selector")
    template_labels = labels_of({"metadata": spec["template"].get("metadata") or {}})
    if not (spec["selector"].get("matchLabels") or spec["selector"].get("matchExpressions")):
        yield invalid_value(spec["selector"], "empty selector is invalid for deployment", "spec.selector")
    elif not selects(spec["selector"], template_labels):
        yield invalid_value(template_labels, "`selector` does not match template `labels`", "spec.template.metadata.labels")
    claimed = [name_of(template) for template in spec.get("volumeClaimTemplates") or ()]
    yield from pod_spec_faults(spec["template"].get("spec") or {}, "spec.template.spec", claimed)
    policy = (spec["template"].get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield Cause(
            "FieldValueNotSupported",
            f'Unsupported value: "{policy}": supported values: "Always"',
            "spec.template.spec.restartPolicy",
        )


def _deployment(obj: Object, before: Object | None) -> Iterator[Cause]:
    yield from _workload(obj, before)
    strategy = obj["spec"].get("strategy") or {}
    if strategy.get("type") not in {"Recreate", "RollingUpdate"}:
        text = f'Unsupported value: "{strategy.get("type")}": supported values: "Recreate", "RollingUpdate"'
        yield Cause("FieldValueNotSupported", text, "spec.strategy")
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("FieldValueForbidden", text, "spec.strategy.rollingUpdate")
    yield from _portions(strategy.get("rollingUpdate") or {}, ("maxSurge", "maxUnavailable"), "spec.strategy.rollingUpdate")


def _daemon_set(obj: Object, before: Object | None) -> Iterator[Cause]:
    yield from _workload(obj, before)
    strategy = obj["spec"].get("updateStrategy") or {}
    yield from _portions(strategy.get("rollingUpdate") or {}, ("maxSurge", "maxUnavailable"), "spec.updateStrategy.rollingUpdate")


def _replication_controller(obj: Object, before: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    labels = labels_of({"metadata": (spec.get("template") or {}).get("metadata") or {}})
    if not spec.get("selector"):
        yield Cause("FieldValueRequired", "Required value", "spec.selector")
    elif any(labels.get(key) != value for key, value in spec["selector"].items()):
        yield invalid_value(labels, "`selector` does not match template `labels`", "spec.template.metadata.labels")
    yield from pod_spec_faults((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")


def _stateful_set(obj: Object, before: Object | None) -> Iterator[Cause]:
    yield from _workload(obj, before)
    if before is None:
        return
    fixed = ("serviceName", "podManagementPolicy", "volumeClaimTemplates")
    if any(obj["spec"].get(name) != before["spec"].get(name) for name in fixed):
        text = (
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        yield Cause("FieldValueForbidden", text, "spec")


def _budget(obj: Object, before: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid_value("", "minAvailable and maxUnavailable cannot be both set", "spec")
    yield from _portions(spec, ("minAvailable", "maxUnavailable"), "spec")


def _portions(holder: dict[str, Any], names: tuple[str, ...], path: str) -> Iterator[Cause]:
    for name in names:
        if name in holder and not is_portion(holder[name]):
            yield invalid_value(holder[name], "must be a non-negative integer or a percentage (e.g. '5%')", f"{path}.{name}")


def _service(obj: Object, before: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        listed = ", ".join(f'"{kind}"' for kind in kinds)
        yield Cause("FieldValueNotSupported", f'Unsupported value: "{spec["type"]}": supported values: {listed}', "spec.type")
    headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and spec["type"] != "ExternalName" and not headless:
        yield Cause("FieldValueRequired", "Required value", "spec.ports")
    several = len(spec.get("ports") or ()) > 1
    for index, port in enumerate(spec.get("ports") or ()):
        if not 1 <= port["port"] <= 65535:
            yield invalid_value(port["port"], "must be between 1 and 65535, inclusive", f"spec.ports[{index}].port")
        if several and not port.get("name"):
            yield Cause("FieldValueRequired", "Required value", f"spec.ports[{index}].name")
    fixed = (before or obj)["spec"].get("clusterIP")
    if before is not None and fixed and spec["type"] != "ExternalName" and spec.get("clusterIP") != fixed:
        yield invalid_value([spec.get("clusterIP", "")], "may not change once set", "spec.clusterIPs[0]")


def _immutable_data(obj: Object, before: Object | None) -> Iterator[Cause]:
    if before is None or not before.get("immutable"):
        return
    if not obj.get("immutable"):
        yield Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", "immutable")
    for field in ("data", "binaryData"):
        if obj.get(field) != before.get(field):
            yield Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", field)


def _secret(obj: Object, before: Object | None) -> Iterator[Cause]:
    if before is not None and obj.get("type") != before.get("type"):
        yield invalid_value(obj.get("type"), "field is immutable", "type")
    yield from _immutable_data(obj, before)


def _binding(obj: Object, before: Object | None) -> Iterator[Cause]:
    if before is not None and obj["roleRef"] != before["roleRef"]:
        yield invalid_value(obj["roleRef"], "cannot change roleRef", "roleRef")


def _claim(obj: Object, before: Object | None) -> Iterator[Cause]:
    if not obj["spec"].get("accessModes"):
        yield Cause("FieldValueRequired", "Required value: at least 1 access mode is required", "spec.accessModes")
    if "storage" not in ((obj["spec"].get("resources") or {}).get("requests") or {}):
        yield Cause("FieldValueRequired", "Required value", "spec.resources[storage]")
    if before is not None and obj["spec"].get("storageClassName") != before["spec"].get("storageClassName"):
        text = (
            "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield Cause("FieldValueForbidden", text, "spec")


def _volume(obj: Object, before: Object | None) -> Iterator[Cause]:
    if "storage" not in (obj["spec"].get("capacity") or {}):
        yield Cause("FieldValueRequired", "Required value", "spec.capacity")
    if not obj["spec"].get("accessModes"):
        yield Cause("FieldValueRequired", "Required value", "spec.accessModes")


_BY_KIND: dict[str, Callable[[Object, Object | None], Iterator[Cause]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "DaemonSet": _daemon_set,
    "PodDisruptionBudget": _budget,
    "Pod": pod_faults,
    "ReplicationController": _replication_controller,
    "StatefulSet": _stateful_set,
    "Job": job_faults,
    "CronJob": cron_job_faults,
    "HorizontalPodAutoscaler": autoscaler_faults,
    "Ingress": ingress_faults,
    "CustomResourceDefinition": definition_faults,
    "Service": _service,
    "ConfigMap": _immutable_data,
    "Secret": _secret,
    "ClusterRoleBinding": _binding,
    "RoleBinding": _binding,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
}
