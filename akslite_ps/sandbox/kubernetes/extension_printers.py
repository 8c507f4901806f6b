"""Columns and cells of what extends a cluster: definitions, API services, webhooks, drivers. See ``printers``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from akslite_ps.sandbox.kubernetes.objects import Object, condition, name_of
from akslite_ps.sandbox.kubernetes.printers import NONE, UNSET, Cells, Printer, created, make_columns


def _definition(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj["metadata"].get("creationTimestamp", "")]


def _api_service(obj: Object, now: dt.datetime) -> Cells:
    service = obj.get("spec", {}).get("service")
    found = condition(obj, "Available")
    words = "Unknown" if found is None else found["status"]
    if found is not None and found["status"] != "True":
        words = f"{found['status']} ({found.get('reason', '')})"
    return [name_of(obj), f"{service['namespace']}/{service['name']}" if service else "Local", words, created(obj, now)]


def _webhooks(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), len(obj.get("webhooks") or ()), created(obj, now)]


def _runtime_class(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), obj.get("handler", ""), created(obj, now)]


def _csi_driver(obj: Object, now: dt.datetime) -> Cells:
    spec = obj.get("spec", {})
    return [
        name_of(obj),
        bool(spec.get("attachRequired", True)),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(item.get("audience", "") for item in spec.get("tokenRequests") or ()) or UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        created(obj, now),
    ]


def _csi_node(obj: Object, now: dt.datetime) -> Cells:
    return [name_of(obj), len(obj.get("spec", {}).get("drivers") or ()), created(obj, now)]


def _attachment(obj: Object, now: dt.datetime) -> Cells:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    volume = (spec.get("source") or {}).get("persistentVolumeName", "")
    return [
        name_of(obj),
        spec.get("attacher", ""),
        volume,
        spec.get("nodeName", ""),
        bool(status.get("attached")),
        created(obj, now),
    ]


EXTENSION_PRINTERS: Mapping[str, Printer] = {
    "CustomResourceDefinition": Printer(make_columns("Name|Created At"), _definition),
    "APIService": Printer(make_columns("Name|Service|Available|Age"), _api_service),
    "MutatingWebhookConfiguration": Printer(make_columns("Name|#Webhooks|Age"), _webhooks),
    "ValidatingWebhookConfiguration": Printer(make_columns("Name|#Webhooks|Age"), _webhooks),
    "RuntimeClass": Printer(make_columns("Name|Handler|Age"), _runtime_class),
    "CSIDriver": Printer(
        make_columns("Name|AttachRequired|PodInfoOnMount|StorageCapacity|TokenRequests|RequiresRepublish|Modes|Age"), _csi_driver
    ),
    "CSINode": Printer(make_columns("Name|#Drivers|Age"), _csi_node),
    "VolumeAttachment": Printer(make_columns("Name|Attacher|PV|Node|Attached|Age"), _attachment),
}
