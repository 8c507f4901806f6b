"""The columns and cells that the real API server prints per kind, wide columns (priority 1) included."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.durations import age
from akslite_ps.sandbox.kubernetes.nodes import is_ready
from akslite_ps.sandbox.kubernetes.objects import Object, condition, controller_of, labels_of, name_of, parse_timestamp

Cells = list[Any]
NONE = "<none>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; priority 1 is shown only with ``-o wide``."""

    name: str
    kind: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Printer:
    """How one kind is printed."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, dt.datetime], Cells]


def make_columns(text: str) -> tuple[Column, ...]:
    """Columns from a compact form: names separated by ``|``, ``#`` marks integers, a ``+`` in front the wide ones."""
    made = []
    for item in text.split("|"):
        name = item.strip()
        wide = name.startswith("+")
        name = name.removeprefix("+")
        number = name.startswith("#")
        made.append(Column(name.removeprefix("#"), "integer" if number else "string", int(wide)))
    return tuple(made)


def created(obj: Object, now: dt.datetime) -> str:
    """The object's age."""
    return age(obj["metadata"].get("creationTimestamp"), now)


def _pod(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    statuses = status.get("containerStatuses") or []
    ready = sum(bool(item.get("ready")) for item in statuses)
    gates = spec.get("readinessGates") or []
    return [
        name_of(obj),
        f"{ready}/{len(spec.get('containers') or [])}",
        _pod_reason(obj),
        _restarts(statuses, now),
        created(obj, now),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"0/{len(gates)}" if gates else NONE,
    ]


def _pod_reason(obj: Object) -> str:
    status = obj.get("status", {})
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for item in status.get("containerStatuses") or ():
        state = item.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            return str(state["waiting"]["reason"])
        if (state.get("terminated") or {}).get("reason"):
            reason = state["terminated"]["reason"]
    return str(reason)


def _restarts(statuses: Sequence[Mapping[str, Any]], now: dt.datetime) -> str:
    count = sum(item.get("restartCount", 0) for item in statuses)
    ends = [end for item in statuses if (end := ((item.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))]
    if count and ends:
        return f"{count} ({age(max(ends, key=parse_timestamp), now)} ago)"
    return str(count)


def _node(obj: Object, now: dt.datetime) -> Cells:
    status = obj.get("status", {})
    info = status.get("nodeInfo") or {}
    found = condition(obj, "Ready")
    words = ["Ready" if is_ready(obj) else ("NotReady" if found else "Unknown")]
    if obj.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    addresses = {item["type"]: item["address"] for item in status.get("addresses") or ()}
    roles = sorted(
        label.removeprefix("node-role.kubernetes.io/") for label in labels_of(obj) if label.startswith("node-role.kubernetes.io/")
    )
    return [
        name_of(obj),
        ",".join(words),
        ",".join(roles) or NONE,
        created(obj, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage", "<unknown>"),
        info.get("kernelVersion", "<unknown>"),
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def _namespace(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj.get("status", {}).get("phase", ""), created(obj, now)]


def containers_of(spec: Mapping[str, Any]) -> list[str]:
    """Names and images of the containers in a workload's template."""
    containers = spec["template"]["spec"].get("containers") or []
    return [",".join(item["name"] for item in containers), ",".join(item.get("image", "") for item in containers)]


def shown_selector(selector: Mapping[str, Any] | None) -> str:
    """A label selector as it is printed."""
    if not selector:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for item in selector.get("matchExpressions") or ():
        values = ",".join(item.get("values") or ())
        parts.append(
            {"In": f"{item['key']} in ({values})", "NotIn": f"{item['key']} notin ({values})", "Exists": item["key"]}.get(
                item["operator"], f"!{item['key']}"
            )
        )
    return ",".join(parts) or NONE


def shown_labels(labels: Mapping[str, str] | None) -> str:
    """Labels as they are printed."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _deployment(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    return [
        name_of(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        created(obj, now),
        *containers_of(spec),
        shown_selector(spec.get("selector")),
    ]


def _replica_set(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name_of(obj), *counts, created(obj, now), *containers_of(spec), shown_selector(spec.get("selector"))]


def _daemon_set(obj: Object, now: dt.datetime) -> Cells:
    status = obj.get("status", {})
    fields = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    return [
        name_of(obj),
        *(status.get(field, 0) for field in fields),
        shown_labels(obj["spec"]["template"]["spec"].get("nodeSelector")),
        created(obj, now),
        *containers_of(obj["spec"]),
        shown_selector(obj["spec"].get("selector")),
    ]


def _service(obj: Object, now: dt.datetime) -> Cells:
    spec = obj["spec"]
    ports = []
    for port in spec.get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return [
        name_of(obj),
        spec["type"],
        spec.get("clusterIP") or NONE,
        _external_address(obj),
        ",".join(ports) or NONE,
        created(obj, now),
        shown_labels(spec.get("selector")),
    ]


def _external_address(obj: Object) -> str:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", NONE))
    addresses = list(spec.get("externalIPs") or ())
    if spec["type"] == "LoadBalancer":
        ingress = (obj.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
        addresses = [str(item.get("ip") or item.get("hostname")) for item in ingress] + addresses
        return ",".join(addresses) or "<pending>"
    return ",".join(addresses) or NONE


def _config_map(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), created(obj, now)]


def _secret(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or ()), created(obj, now)]


def _service_account(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), len(obj.get("secrets") or ()), created(obj, now)]


def _event(obj: Object, now: dt.datetime) -> Cells:
    about, source = obj.get("involvedObject", {}), obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    component = source.get("component") or obj.get("reportingComponent", "")
    return [
        age(obj.get("lastTimestamp") or first, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(filter(None, (component, source.get("host")))),
        (obj.get("message") or "").strip(),
        age(first, now),
        obj.get("count", 1),
        name_of(obj),
    ]


def _lease(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj.get("spec", {}).get("holderIdentity", ""), created(obj, now)]


def _endpoints(obj: Object, now: dt.datetime) -> Cells:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    more = f" + {len(pairs) - 3} more..." if len(pairs) > 3 else ""
    return [name_of(obj), ",".join(pairs[:3]) + more or NONE, created(obj, now)]


def _endpoint_slice(obj: Object, now: dt.datetime) -> Cells:
    ports = ",".join(str(port.get("port")) for port in obj.get("ports") or ()) or UNSET
    addresses = [address for item in obj.get("endpoints") or () for address in item["addresses"]]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return [name_of(obj), obj["addressType"], ports, ",".join(addresses[:3]) + more or UNSET, created(obj, now)]


def _access_modes(modes: Sequence[str] | None) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(mode, mode) for mode in modes or ())


def _claim(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    bound = status.get("phase") == "Bound"
    return [
        name_of(obj),
        "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        _access_modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        created(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _volume(obj: Object, now: dt.datetime) -> Cells:
    spec = obj["spec"]
    claim = spec.get("claimRef") or {}
    return [
        name_of(obj),
        (spec.get("capacity") or {}).get("storage", ""),
        _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if "deletionTimestamp" in obj["metadata"] else obj.get("status", {}).get("phase", ""),
        f"{claim['namespace']}/{claim['name']}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        obj.get("status", {}).get("reason", ""),
        created(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _storage_class(obj: Object, now: dt.datetime) -> Cells:
    default = (obj["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        f"{name_of(obj)} (default)" if default else name_of(obj),
        obj["provisioner"],
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        created(obj, now),
    ]


def _disruption_budget(obj: Object, now: dt.datetime) -> Cells:
    spec = obj.get("spec", {})
    return [
        name_of(obj),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        obj.get("status", {}).get("disruptionsAllowed", 0),
        created(obj, now),
    ]


def _role(obj: Object, _: dt.datetime) -> Cells:
    return [name_of(obj), obj["metadata"].get("creationTimestamp", "")]


def _binding(obj: Object, now: dt.datetime) -> Cells:
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        space = f"{subject.get('namespace', '')}/" if subject["kind"] == "ServiceAccount" else ""
        subjects.setdefault(subject["kind"], []).append(space + subject["name"])
    listed = [", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [name_of(obj), f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}", created(obj, now), *listed]


def _priority_class(obj: Object, now: dt.datetime) -> Cells:
    return [
        name_of(obj),
        obj["value"],
        bool(obj.get("globalDefault")),
        created(obj, now),
        obj.get("preemptionPolicy", "PreemptLowerPriority"),
    ]


def _controller_revision(obj: Object, now: dt.datetime) -> Cells:
    owner = controller_of(obj)
    group = f".{owner['apiVersion'].split('/')[0]}" if owner and "/" in owner["apiVersion"] else ""
    return [name_of(obj), f"{owner['kind'].lower()}{group}/{owner['name']}" if owner else NONE, obj["revision"], created(obj, now)]


WORKLOAD_TAIL = "|+Containers|+Images|+Selector"
_BINDING_COLUMNS = make_columns("Name|Role|Age|+Users|+Groups|+ServiceAccounts")

PRINTERS: Mapping[str, Printer] = {
    "Pod": Printer(make_columns("Name|Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates"), _pod),
    "Node": Printer(
        make_columns("Name|Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|+Kernel-Version|+Container-Runtime"), _node
    ),
    "Namespace": Printer(make_columns("Name|Status|Age"), _namespace),
    "Deployment": Printer(make_columns("Name|Ready|#Up-to-date|#Available|Age" + WORKLOAD_TAIL), _deployment),
    "ReplicaSet": Printer(make_columns("Name|#Desired|#Current|#Ready|Age" + WORKLOAD_TAIL), _replica_set),
    "DaemonSet": Printer(
        make_columns("Name|#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age" + WORKLOAD_TAIL), _daemon_set
    ),
    "Service": Printer(make_columns("Name|Type|Cluster-IP|External-IP|Port(s)|Age|+Selector"), _service),
    "ConfigMap": Printer(make_columns("Name|#Data|Age"), _config_map),
    "Secret": Printer(make_columns("Name|Type|#Data|Age"), _secret),
    "ServiceAccount": Printer(make_columns("Name|#Secrets|Age"), _service_account),
    "Event": Printer(make_columns("Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|+#Count|+Name"), _event),
    "Lease": Printer(make_columns("Name|Holder|Age"), _lease),
    "Endpoints": Printer(make_columns("Name|Endpoints|Age"), _endpoints),
    "EndpointSlice": Printer(make_columns("Name|AddressType|Ports|Endpoints|Age"), _endpoint_slice),
    "PersistentVolumeClaim": Printer(
        make_columns("Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|+VolumeMode"), _claim
    ),
    "PersistentVolume": Printer(
        make_columns(
            "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age|+VolumeMode"
        ),
        _volume,
    ),
    "StorageClass": Printer(
        make_columns("Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age"), _storage_class
    ),
    "PodDisruptionBudget": Printer(make_columns("Name|Min Available|Max Unavailable|#Allowed Disruptions|Age"), _disruption_budget),
    "Role": Printer(make_columns("Name|Created At"), _role),
    "ClusterRole": Printer(make_columns("Name|Created At"), _role),
    "RoleBinding": Printer(_BINDING_COLUMNS, _binding),
    "ClusterRoleBinding": Printer(_BINDING_COLUMNS, _binding),
    "PriorityClass": Printer(make_columns("Name|#Value|Global-Default|Age|+PreemptionPolicy"), _priority_class),
    "ControllerRevision": Printer(make_columns("Name|Controller|#Revision|Age"), _controller_revision),
}
