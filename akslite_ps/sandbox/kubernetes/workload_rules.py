"""Rules of Jobs, CronJobs, autoscalers and ingresses. Part of ``rules``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.pod_rules import pod_spec_faults
from akslite_ps.sandbox.kubernetes.schedules import parse_schedule
from akslite_ps.sandbox.kubernetes.status import Cause, invalid_value

_FIXED_JOB_FIELDS = ("selector", "template", "completionMode")
_POLICIES = ("Allow", "Forbid", "Replace")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def job_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with a Job."""
    yield from _job_spec(obj["spec"], "spec")
    if before is None:
        own = {"matchLabels": {"batch.kubernetes.io/controller-uid": obj["metadata"].get("uid")}}
        if not obj["spec"].get("manualSelector") and obj["spec"].get("selector") != own:
            yield invalid_value(obj["spec"].get("selector"), "`selector` not auto-generated", "spec.selector")
        return
    for name in _FIXED_JOB_FIELDS:
        if obj["spec"].get(name) != before["spec"].get(name):
            yield Cause("FieldValueInvalid", f"Invalid value: {name}: field is immutable", f"spec.{name}")


def cron_job_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with a CronJob."""
    spec = obj["spec"]
    try:
        parse_schedule(spec["schedule"])
    except ValueError as error:
        yield invalid_value(spec["schedule"], str(error), "spec.schedule")
    if spec.get("timeZone"):
        try:
            parse_schedule("@daily", spec["timeZone"])
        except ValueError as error:
            yield invalid_value(spec["timeZone"], str(error), "spec.timeZone")
    if spec["concurrencyPolicy"] not in _POLICIES:
        yield _unsupported(spec["concurrencyPolicy"], _POLICIES, "spec.concurrencyPolicy")
    if len(obj["metadata"].get("name", "")) > 52:
        yield invalid_value(obj["metadata"]["name"], "must be no more than 52 characters", "metadata.name")
    yield from _job_spec(spec["jobTemplate"].get("spec") or {}, "spec.jobTemplate.spec")


def autoscaler_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with an autoscaler."""
    spec = obj["spec"]
    if spec["maxReplicas"] < 1:
        yield invalid_value(spec["maxReplicas"], "must be greater than 0", "spec.maxReplicas")
    elif spec["maxReplicas"] < spec.get("minReplicas", 1):
        yield invalid_value(spec["maxReplicas"], "must be greater than or equal to `minReplicas`", "spec.maxReplicas")


def ingress_faults(obj: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with an ingress."""
    spec = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid_value("null", "either `defaultBackend` or `rules` must be specified", "spec")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            where = f"spec.rules[{index}].http.paths[{number}]"
            if path["pathType"] not in _PATH_TYPES:
                yield _unsupported(path["pathType"], _PATH_TYPES, f"{where}.pathType")
            elif path["pathType"] != "ImplementationSpecific" and not str(path.get("path", "")).startswith("/"):
                yield invalid_value(path.get("path", ""), "must be an absolute path", f"{where}.path")


def _job_spec(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if isinstance(spec.get(name), int) and spec[name] < 0:
            yield invalid_value(spec[name], "must be greater than or equal to 0", f"{path}.{name}")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        yield Cause("FieldValueRequired", "Required value: when completion mode is Indexed", f"{path}.completions")
    pod = (spec.get("template") or {}).get("spec") or {}
    yield from pod_spec_faults(pod, f"{path}.template.spec")
    policy = pod.get("restartPolicy")
    if policy is None:
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield Cause("FieldValueRequired", text, f"{path}.template.spec.restartPolicy")
    elif policy not in {"OnFailure", "Never"}:
        yield _unsupported(policy, ("OnFailure", "Never"), f"{path}.template.spec.restartPolicy")


def _unsupported(value: object, allowed: tuple[str, ...], path: str) -> Cause:
    listed = ", ".join(f'"{item}"' for item in allowed)
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}', path)
