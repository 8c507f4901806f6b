"""The status of HorizontalPodAutoscalers in a cluster without metrics: what they scale is found, how busy it is is not known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, namespace_of, set_condition
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_RESOURCE = "horizontalpodautoscalers.autoscaling"
_TARGETS = {"Deployment": resources.DEPLOYMENTS, "ReplicaSet": resources.REPLICA_SETS, "StatefulSet": resources.STATEFUL_SETS}
_NO_METRICS = (
    "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: "
    "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
)


class AutoscalerController:
    """Says why nothing is scaled: the product comes without a metrics server."""

    watches = frozenset({_RESOURCE, "deployments.apps", "statefulsets.apps", "replicasets.apps"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The autoscaler itself, or those of the namespace in which something was scaled."""
        if change.key.resource == _RESOURCE:
            return () if change.kind == "DELETED" else (change.key,)
        return state.store.keys(_RESOURCE, change.key.namespace)

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Write what is known of the target."""
        autoscaler = state.store.get(key)
        if autoscaler is None or "deletionTimestamp" in autoscaler["metadata"]:
            return None
        wanted = autoscaler["spec"]["scaleTargetRef"]
        kind = _TARGETS.get(wanted["kind"])
        target = state.get(kind, wanted["name"], namespace_of(autoscaler)) if kind is not None else None
        status = autoscaler.setdefault("status", {})
        status.setdefault("currentMetrics", None)
        if target is None:
            missing = f'{wanted["kind"].lower()}s.apps "{wanted["name"]}" not found'
            text = f"the HPA controller was unable to get the target's current scale: {missing}"
            set_condition(autoscaler, "AbleToScale", "False", state.now, reason="FailedGetScale", message=text)
        else:
            replicas = target["spec"].get("replicas", 0)
            status |= {"currentReplicas": (target.get("status") or {}).get("replicas", 0), "desiredReplicas": 0}
            text = "the HPA controller was able to get the target's current scale"
            set_condition(autoscaler, "AbleToScale", "True", state.now, reason="SucceededGetScale", message=text)
            if replicas == 0:
                text = "scaling is disabled since the replica count of the target is zero"
                set_condition(autoscaler, "ScalingActive", "False", state.now, reason="ScalingDisabled", message=text)
            else:
                set_condition(
                    autoscaler, "ScalingActive", "False", state.now, reason="FailedGetResourceMetric", message=_NO_METRICS
                )
        state.put(resources.AUTOSCALERS, autoscaler)
        return None
