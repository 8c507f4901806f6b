"""Which node a pod may run on, and why not. Used by the pod controller and by the DaemonSet controller."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import is_ready
from akslite_ps.sandbox.kubernetes.objects import Object, controller_of, labels_of, name_of
from akslite_ps.sandbox.kubernetes.quantities import parse_quantity
from akslite_ps.sandbox.kubernetes.state import ClusterState

_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def tolerates(tolerations: Iterable[Mapping[str, Any]], taint: Mapping[str, Any]) -> bool:
    """Whether one of the tolerations covers the taint."""
    for item in tolerations:
        if item.get("effect") and item["effect"] != taint["effect"]:
            continue
        if item.get("operator") == "Exists":
            if not item.get("key") or item["key"] == taint["key"]:
                return True
        elif item.get("key") == taint["key"] and item.get("value", "") == taint.get("value", ""):
            return True
    return False


def selects_node(pod_spec: Mapping[str, Any], node: Object) -> bool:
    """Whether ``nodeSelector`` and the required node affinity admit the node."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in (pod_spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def blocking_taint(pod_spec: Mapping[str, Any], node: Object) -> Mapping[str, Any] | None:
    """The first taint of the node that keeps the pod away, cordoning included."""
    taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] in {"NoSchedule", "NoExecute"}]
    if node["spec"].get("unschedulable"):
        taints.append(_UNSCHEDULABLE)
    tolerations = pod_spec.get("tolerations") or ()
    return next((taint for taint in taints if not tolerates(tolerations, taint)), None)


def node_matters(node: Object, before: bytes | None) -> bool:
    """Whether a node changed in something that pods depend on, not just its heartbeat or images."""
    if before is None:
        return True
    old = json.loads(before)
    return is_ready(node) != is_ready(old) or node["spec"] != old["spec"] or labels_of(node) != labels_of(old)


def place(pod: Object, state: ClusterState) -> tuple[str | None, str]:
    """The node for a pod, or None and the scheduler's message."""
    nodes = list(state.store.objects(resources.NODES.resource))
    refusals: Counter[str] = Counter()
    fitting: list[str] = []
    for node in nodes:
        refusal = _refusal(pod["spec"], node, state)
        if refusal is None:
            fitting.append(name_of(node))
        else:
            refusals[refusal] += 1
    if fitting:
        return _emptiest(fitting, pod, state), ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.items()))
    if not nodes:
        return None, "no nodes available to schedule pods"
    return (
        None,
        f"0/{len(nodes)} nodes are available: {reasons}. preemption: 0/{len(nodes)} nodes are available: {_preemption(len(nodes))}",
    )


def _emptiest(names: Sequence[str], pod: Object, state: ClusterState) -> str:
    """The node with the fewest pods of the same owner, then with the fewest pods: the scheduler's spreading in short."""
    if len(names) == 1:
        return names[0]
    owner = controller_of(pod)
    alike: Counter[str] = Counter()
    pods: Counter[str] = Counter()
    for other in state.store.objects("pods"):
        node = other["spec"].get("nodeName")
        if node is None or "deletionTimestamp" in other["metadata"]:
            continue
        pods[node] += 1
        alike[node] += owner is not None and (controller_of(other) or {}).get("uid") == owner["uid"]
    return min(names, key=lambda name: (alike[name], pods[name]))


def _preemption(count: int) -> str:
    return f"{count} Preemption is not helpful for scheduling."


def _refusal(spec: Mapping[str, Any], node: Object, state: ClusterState) -> str | None:
    if not selects_node(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    taint = blocking_taint(spec, node)
    if taint is _UNSCHEDULABLE:
        return "node(s) were unschedulable"
    if taint is not None:
        value = f": {taint['value']}" if taint.get("value") else ": "
        return f"node(s) had untolerated taint {{{taint['key']}{value}}}"
    if not is_ready(node) and not spec.get("hostNetwork"):
        return "node(s) were not ready"
    return _shortage(spec, node, state)


def _shortage(spec: Mapping[str, Any], node: Object, state: ClusterState) -> str | None:
    others = [
        pod["spec"]
        for pod in state.store.objects(resources.PODS.resource)
        if pod["spec"].get("nodeName") == name_of(node) and pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
    ]
    if len(others) >= int(node["status"]["allocatable"].get("pods", 110)):
        return "Too many pods"
    wanted = _requests([spec])
    used = _requests(others)
    for resource, amount in wanted.items():
        if amount and used[resource] + amount > parse_quantity(node["status"]["allocatable"].get(resource, 0)):
            return f"Insufficient {resource}"
    return None


def _requests(specs: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    total = {"cpu": Decimal(0), "memory": Decimal(0)}
    for spec in specs:
        for container in spec.get("containers") or ():
            requests = (container.get("resources") or {}).get("requests") or {}
            for resource in total:
                total[resource] += parse_quantity(requests.get(resource, 0))
    return total


def _term_matches(term: Mapping[str, Any], node: Object) -> bool:
    return all(_expression_matches(item, labels_of(node)) for item in term.get("matchExpressions") or ()) and all(
        _expression_matches(item, {"metadata.name": name_of(node)}) for item in term.get("matchFields") or ()
    )


def _expression_matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or []
    match expression["operator"]:
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Gt":
            return value is not None and int(value) > int(values[0])
        case "Lt":
            return value is not None and int(value) < int(values[0])
    return False
