"""Columns and cells of workloads that run to an end or keep their names, and of what scales and opens them. See ``printers``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.kubernetes.durations import age, human_duration
from akslite_ps.sandbox.kubernetes.objects import Object, condition, name_of, parse_timestamp
from akslite_ps.sandbox.kubernetes.printers import (
    NONE,
    UNSET,
    WORKLOAD_TAIL,
    Cells,
    Printer,
    containers_of,
    created,
    make_columns,
    shown_labels,
    shown_selector,
)


def _stateful_set(obj: Object, now: dt.datetime) -> Cells:
    ready = obj.get("status", {}).get("readyReplicas", 0)
    return [name_of(obj), f"{ready}/{obj['spec'].get('replicas', 1)}", created(obj, now), *containers_of(obj["spec"])]


def _replication_controller(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name_of(obj), *counts, created(obj, now), *containers_of(spec), shown_labels(spec.get("selector"))]


def _job(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    done = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        parallel = spec.get("parallelism", 1)
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    duration = ""
    if "startTime" in status:
        end = parse_timestamp(status["completionTime"]) if "completionTime" in status else now
        duration = human_duration((end - parse_timestamp(status["startTime"])).total_seconds())
    cells = [name_of(obj), _job_state(obj), completions, duration, created(obj, now)]
    return [*cells, *containers_of(spec), shown_selector(spec.get("selector"))]


def _job_state(obj: Object) -> str:
    for kind, word in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
    ):
        if (condition(obj, kind) or {}).get("status") == "True":
            return word
    return "Terminating" if "deletionTimestamp" in obj["metadata"] else "Running"


def _cron_job(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    last = status.get("lastScheduleTime")
    return [
        name_of(obj),
        spec["schedule"],
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        created(obj, now),
        *containers_of(spec["jobTemplate"]["spec"]),
        NONE,
    ]


def _autoscaler(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    target = spec["scaleTargetRef"]
    return [
        name_of(obj),
        f"{target['kind']}/{target['name']}",
        ", ".join(_metric(metric) for metric in spec.get("metrics") or ()) or _cpu_target(spec),
        str(spec.get("minReplicas", UNSET)),
        spec["maxReplicas"],
        status.get("currentReplicas", 0),
        created(obj, now),
    ]


def _cpu_target(spec: Mapping[str, Any]) -> str:
    wanted = spec.get("targetCPUUtilizationPercentage")
    return NONE if wanted is None else f"cpu: <unknown>/{wanted}%"


def _metric(metric: Mapping[str, Any]) -> str:
    source = metric.get("resource")
    if source is None:
        return "<unknown>"
    target = source["target"]
    wanted = f"{target['averageUtilization']}%" if "averageUtilization" in target else str(target.get("averageValue", "<auto>"))
    return f"{source['name']}: <unknown>/{wanted}"


def _ingress(obj: Object, now: dt.datetime) -> Cells:
    spec = obj.get("spec", {})
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    points = (obj.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        ",".join(hosts[:3]) + more or "*",
        ",".join(str(point.get("ip") or point.get("hostname")) for point in points),
        "80, 443" if spec.get("tls") else "80",
        created(obj, now),
    ]


def _ingress_class(obj: Object, now: dt.datetime) -> Cells:
    spec = obj.get("spec", {})
    given = spec.get("parameters")
    shown = f"{given['kind']}.{given['apiGroup']}/{given['name']}" if given and given.get("apiGroup") else NONE
    return [name_of(obj), spec.get("controller", ""), shown, created(obj, now)]


def _network_policy(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), shown_selector(obj.get("spec", {}).get("podSelector")), created(obj, now)]


def _quota(obj: Object, now: dt.datetime) -> Cells:
    hard = obj.get("spec", {}).get("hard") or {}
    used = obj.get("status", {}).get("used") or {}
    pairs = {name: f"{name}: {used.get(name, 0)}/{limit}" for name, limit in sorted(hard.items())}
    limits = ", ".join(text for name, text in pairs.items() if name.startswith("limits."))
    return [
        name_of(obj),
        ", ".join(text for name, text in pairs.items() if not name.startswith("limits.")),
        limits,
        created(obj, now),
    ]


def _created_at(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj["metadata"].get("creationTimestamp", "")]


def _pod_template(obj: Object, now: dt.datetime) -> Cells:
    labels = (obj["template"].get("metadata") or {}).get("labels")
    return [name_of(obj), *containers_of(obj), shown_labels(labels)]


WORKLOAD_PRINTERS: Mapping[str, Printer] = {
    "StatefulSet": Printer(make_columns("Name|Ready|Age|+Containers|+Images"), _stateful_set),
    "ReplicationController": Printer(make_columns("Name|#Desired|#Current|#Ready|Age" + WORKLOAD_TAIL), _replication_controller),
    "Job": Printer(make_columns("Name|Status|Completions|Duration|Age" + WORKLOAD_TAIL), _job),
    "CronJob": Printer(make_columns("Name|Schedule|Timezone|Suspend|#Active|Last Schedule|Age" + WORKLOAD_TAIL), _cron_job),
    "HorizontalPodAutoscaler": Printer(make_columns("Name|Reference|Targets|MinPods|#MaxPods|#Replicas|Age"), _autoscaler),
    "Ingress": Printer(make_columns("Name|Class|Hosts|Address|Ports|Age"), _ingress),
    "IngressClass": Printer(make_columns("Name|Controller|Parameters|Age"), _ingress_class),
    "NetworkPolicy": Printer(make_columns("Name|Pod-Selector|Age"), _network_policy),
    "ResourceQuota": Printer(make_columns("Name|Request|Limit|Age"), _quota),
    "LimitRange": Printer(make_columns("Name|Created At"), _created_at),
    "PodTemplate": Printer(make_columns("Name|Containers|Images|Pod Labels"), _pod_template),
}
