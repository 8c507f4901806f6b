"""Disruption budgets: whether a pod may be evicted, and the controller that keeps the budgets' status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, labels_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import is_active, is_pod_ready
from akslite_ps.sandbox.kubernetes.quantities import portion
from akslite_ps.sandbox.kubernetes.selectors import selects
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import Cause, eviction_refused
from akslite_ps.sandbox.kubernetes.store import Change


class DisruptionController:
    """Counts healthy pods per disruption budget."""

    watches = frozenset({"poddisruptionbudgets.policy", "pods"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The budget itself, or the namespace's budgets where a pod changed."""
        if change.key.resource == "pods":
            return state.store.keys("poddisruptionbudgets.policy", change.key.namespace)
        return () if change.kind == "DELETED" else (change.key,)

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Write the budget's counts."""
        budget = state.store.get(key)
        if budget is None:
            return None
        pods = [pod for pod in _selected(budget, state) if is_active(pod)]
        healthy = sum(is_pod_ready(pod) for pod in pods)
        wanted = _wanted(budget, len(pods))
        budget["status"] = {
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "disruptionsAllowed": max(0, healthy - wanted) if pods else 0,
            "expectedPods": len(pods),
            "observedGeneration": budget["metadata"].get("generation", 1),
        }
        state.put(resources.DISRUPTION_BUDGETS, budget)
        return None


def check_eviction(state: ClusterState, pod: Object) -> None:
    """Let an eviction pass, or refuse it.

    Raises:
        ApiError: 429, where a budget allows no disruption now.
    """
    if not is_pod_ready(pod):
        return
    for budget in state.store.objects("poddisruptionbudgets.policy", namespace_of(pod)):
        if not selects(budget["spec"].get("selector"), labels_of(pod)):
            continue
        status = budget.get("status", {})
        if status.get("disruptionsAllowed", 0) < 1:
            text = (
                f"The disruption budget {name_of(budget)} needs {status.get('desiredHealthy', 0)} healthy pods "
                f"and has {status.get('currentHealthy', 0)} currently"
            )
            raise eviction_refused(Cause("DisruptionBudget", text))


def _selected(budget: Object, state: ClusterState) -> list[Object]:
    selector = budget["spec"].get("selector")
    return [pod for pod in state.store.objects("pods", namespace_of(budget)) if selects(selector, labels_of(pod))]


def _wanted(budget: Object, expected: int) -> int:
    spec = budget["spec"]
    if "minAvailable" in spec:
        return portion(spec["minAvailable"], expected, round_up=True)
    return max(0, expected - portion(spec.get("maxUnavailable", 0), expected, round_up=True))
