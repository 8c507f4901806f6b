"""What the API server decides for a new or changed object by itself: addresses, ports, accounts, classes, namespace checks."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.custom_objects import fill_custom_defaults
from akslite_ps.sandbox.kubernetes.defaults import complete_job, fill_defaults
from akslite_ps.sandbox.kubernetes.objects import Object, annotations_of, name_of, namespace_of
from akslite_ps.sandbox.kubernetes.pods import admit_pod
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import Cause, forbidden_object, invalid, not_found

_NODE_PORTS = range(30000, 32768)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def admit_new(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    """Complete a new object, or refuse it.

    Raises:
        ApiError: 404 for a namespace that does not exist, 403 for one that is going, 422 for an address that is taken.
    """
    if kind.namespaced:
        _check_namespace(state, kind, obj)
    if kind.custom is not None:
        fill_custom_defaults(obj, kind.custom.schema)
        return
    fill_defaults(obj)
    step = _NEW.get(kind.kind)
    if step:
        step(state, obj)


def admit_changed(state: ClusterState, kind: ResourceType, obj: Object, before: Object) -> None:
    """Complete a changed object."""
    if kind.custom is not None:
        fill_custom_defaults(obj, kind.custom.schema)
        return
    fill_defaults(obj)
    if kind.kind == "Secret":
        _secret(state, obj)
    if kind.kind == "Service":
        for field in ("clusterIP", "clusterIPs"):
            if field in before["spec"] and obj["spec"]["type"] != "ExternalName":
                obj["spec"].setdefault(field, before["spec"][field])
        known = {port["port"]: port.get("nodePort") for port in before["spec"].get("ports") or ()}
        if obj["spec"]["type"] in {"NodePort", "LoadBalancer"}:
            for port in obj["spec"].get("ports") or ():
                if known.get(port["port"]):
                    port.setdefault("nodePort", known[port["port"]])
        _service(state, obj)


def _check_namespace(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    namespace = state.get(resources.NAMESPACES, namespace_of(obj))
    if namespace is None:
        raise not_found("namespaces", "", namespace_of(obj))
    if namespace.get("status", {}).get("phase") == "Terminating":
        why = f"unable to create new content in namespace {namespace_of(obj)} because it is being terminated"
        raise forbidden_object(kind.plural, kind.group, name_of(obj), why)


def _pod(state: ClusterState, obj: Object) -> None:
    account = obj["spec"].setdefault("serviceAccountName", "default")
    if state.get(resources.SERVICE_ACCOUNTS, account, namespace_of(obj)) is None:
        why = f'error looking up service account {namespace_of(obj)}/{account}: serviceaccount "{account}" not found'
        raise forbidden_object("pods", "", name_of(obj), why)
    admit_pod(obj)


def _service(state: ClusterState, obj: Object) -> None:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return
    others = [item for item in state.store.objects("services") if item["metadata"].get("uid") != obj["metadata"].get("uid")]
    used = {item["spec"].get("clusterIP") for item in others}
    wanted = spec.get("clusterIP")
    if wanted and wanted != "None" and wanted in used:
        cause = Cause(
            "FieldValueInvalid",
            f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: provided IP is already allocated',
            "spec.clusterIPs",
        )
        raise invalid("Service", "", name_of(obj), [cause])
    if not wanted:
        wanted = _free_address(state, used)
    spec["clusterIP"] = wanted
    spec.setdefault("clusterIPs", [wanted])
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _node_ports(obj, others)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _free_address(state: ClusterState, used: set[Any]) -> str:
    network = state.facts.service_network
    # The first addresses are left to services with a fixed one (kubernetes, kube-dns).
    while True:
        address = str(network[random.randrange(256, min(network.num_addresses, 65536) - 1)])  # noqa: S311 - an address, not a secret
        if address not in used:
            return address


def _node_ports(obj: Object, others: list[Object]) -> None:
    used = {port.get("nodePort") for item in others for port in item["spec"].get("ports") or ()}
    for index, port in enumerate(obj["spec"].get("ports") or ()):
        asked = port.get("nodePort")
        if asked:
            if asked in used:
                cause = Cause(
                    "FieldValueInvalid",
                    f"Invalid value: {asked}: provided port is already allocated",
                    f"spec.ports[{index}].nodePort",
                )
                raise invalid("Service", "", name_of(obj), [cause])
            continue
        free = [number for number in random.sample(_NODE_PORTS, 64) if number not in used]
        port["nodePort"] = free[0]
        used.add(free[0])


def _secret(state: ClusterState, obj: Object) -> None:
    text = obj.pop("stringData", None) or {}
    if text:
        data = obj.setdefault("data", {})
        data |= {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}


def _claim(state: ClusterState, obj: Object) -> None:
    if "storageClassName" not in obj["spec"]:
        for item in state.store.objects(resources.STORAGE_CLASSES.resource):
            if annotations_of(item).get(_DEFAULT_CLASS) == "true":
                obj["spec"]["storageClassName"] = name_of(item)
    obj["metadata"].setdefault("finalizers", ["kubernetes.io/pvc-protection"])


def _job(state: ClusterState, obj: Object) -> None:
    complete_job(obj)


def _definition(state: ClusterState, obj: Object) -> None:
    obj["status"] = {"acceptedNames": {"plural": "", "kind": ""}, "conditions": [], "storedVersions": []}


_NEW: dict[str, Callable[[ClusterState, Object], None]] = {
    "Pod": _pod,
    "Service": _service,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "Job": _job,
    "CustomResourceDefinition": _definition,
}
