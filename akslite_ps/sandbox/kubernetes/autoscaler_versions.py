"""HorizontalPodAutoscalers as version 1 of their API shows them: one target for the processors instead of a list of metrics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object

_TARGET = "targetCPUUtilizationPercentage"


def as_version_1(obj: Object) -> Object:
    """A stored autoscaler in the form of version 1. Other metrics than the processors' do not show there."""
    made = copy.deepcopy(obj) | {"apiVersion": "autoscaling/v1"}
    metrics = made["spec"].pop("metrics", None) or ()
    made["spec"].pop("behavior", None)
    for metric in metrics:
        if _is_cpu(metric):
            made["spec"][_TARGET] = metric["resource"]["target"]["averageUtilization"]
    if "status" in made:
        for name in ("conditions", "currentMetrics"):
            made["status"].pop(name, None)
    return made


def as_version_2(obj: Object, before: Object | None) -> Object:
    """An autoscaler of version 1 as it is stored; what version 1 cannot say stays as it was.

    Args:
        obj: The autoscaler.
        before: What was stored so far, None for a new one.
    """
    made = copy.deepcopy(obj) | {"apiVersion": "autoscaling/v2"}
    wanted = made["spec"].pop(_TARGET, None)
    old = (before or {}).get("spec") or {}
    metrics = [metric for metric in old.get("metrics") or () if not _is_cpu(metric)]
    if wanted is not None or not metrics:
        target = {"type": "Utilization", "averageUtilization": 80 if wanted is None else wanted}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    made["spec"]["metrics"] = metrics
    if "behavior" in old:
        made["spec"]["behavior"] = old["behavior"]
    if before is not None and "status" in before:
        made["status"] = before["status"]
    return made


def _is_cpu(metric: Mapping[str, Any]) -> bool:
    resource = metric.get("resource") or {}
    return resource.get("name") == "cpu" and "averageUtilization" in (resource.get("target") or {})
