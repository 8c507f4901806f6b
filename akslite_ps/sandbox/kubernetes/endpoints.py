"""Endpoints and EndpointSlices of services, and the addresses that kube-vip gives to LoadBalancer services."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import address_of
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, labels_of, name_of, namespace_of, owner_reference
from akslite_ps.sandbox.kubernetes.pods import is_active, is_pod_ready
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_API_PORT = 6443


class ServiceController:
    """Keeps the endpoints of every service and the address of LoadBalancer services."""

    watches = frozenset({"services", "pods", "nodes"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """The service itself, services that may select a changed pod, the API's own service where a node changed."""
        match change.key.resource:
            case "services":
                return (change.key,)
            case "nodes":
                return (ObjectKey("services", "default", "kubernetes"),)
        return [
            ObjectKey("services", change.key.namespace, name_of(service))
            for service in state.store.objects("services", change.key.namespace)
            if _selects(service, obj)
        ]

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Write the endpoints; with the service they go too."""
        service = state.store.get(key)
        if service is None:
            state.store.remove(ObjectKey("endpoints", key.namespace, key.name))
            return None
        if (key.namespace, key.name) == ("default", "kubernetes"):
            addresses = [
                {"ip": address_of(node)}
                for node in state.store.objects("nodes")
                if "node-role.kubernetes.io/control-plane" in labels_of(node) and address_of(node)
            ]
            self._write(service, addresses, [], [{"name": "https", "port": _API_PORT, "protocol": "TCP"}], state)
        elif service["spec"].get("selector"):
            pods = [pod for pod in state.store.objects("pods", key.namespace) if _selects(service, pod) and is_active(pod)]
            running = [pod for pod in pods if pod.get("status", {}).get("podIP")]
            ready = [_address(pod) for pod in running if is_pod_ready(pod)]
            waiting = [_address(pod) for pod in running if not is_pod_ready(pod)]
            self._write(service, ready, waiting, _ports(service, running), state)
        self._give_address(service, state)
        return None

    def _write(
        self,
        service: Object,
        ready: list[dict[str, Any]],
        waiting: list[dict[str, Any]],
        ports: list[dict[str, Any]],
        state: ClusterState,
    ) -> None:
        name, namespace = name_of(service), namespace_of(service)
        subset: dict[str, Any] = {}
        if ready:
            subset["addresses"] = ready
        if waiting:
            subset["notReadyAddresses"] = waiting
        endpoints = state.get(resources.ENDPOINTS, name, namespace) or {
            "metadata": {"name": name, "namespace": namespace, "labels": labels_of(service)}
        }
        endpoints["subsets"] = [{**subset, "ports": ports}] if subset else []
        if not endpoints["subsets"]:
            del endpoints["subsets"]
        _save(state, resources.ENDPOINTS, endpoints)
        labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
        known = next(
            (
                item
                for item in state.store.objects("endpointslices.discovery.k8s.io", namespace)
                if labels_of(item).get("kubernetes.io/service-name") == name
            ),
            None,
        )
        piece = known or {
            "metadata": {
                "name": name if name == "kubernetes" else f"{name}-{service['metadata']['uid'][:5]}",
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [owner_reference(service)],
            },
            "addressType": "IPv4",
        }
        piece["endpoints"] = [_endpoint(item, True) for item in ready] + [_endpoint(item, False) for item in waiting]
        piece["ports"] = ports
        _save(state, resources.ENDPOINT_SLICES, piece)

    def _give_address(self, service: Object, state: ClusterState) -> None:
        if service["spec"]["type"] != "LoadBalancer" or (service.get("status", {}).get("loadBalancer") or {}).get("ingress"):
            return
        used = {
            item["ip"]
            for other in state.store.objects("services")
            for item in (other.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
        }
        free = [address for address in state.facts.service_addresses if address not in used]
        asked = service["spec"].get("loadBalancerIP")
        address = asked if asked in free else (free[0] if free and not asked else None)
        if address is None:
            return
        service.setdefault("status", {})["loadBalancer"] = {"ingress": [{"ip": address, "ipMode": "VIP"}]}
        state.put(resources.SERVICES, service)


def _selects(service: Object, pod: Object) -> bool:
    selector = service["spec"].get("selector")
    labels = labels_of(pod)
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _address(pod: Object) -> dict[str, Any]:
    target = {"kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod), "uid": pod["metadata"]["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": target}


def _endpoint(address: dict[str, Any], ready: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"addresses": [address["ip"]], "conditions": {"ready": ready, "serving": ready, "terminating": False}}
    return made | {key: address[key] for key in ("nodeName", "targetRef") if key in address}


def _ports(service: Object, pods: list[Object]) -> list[dict[str, Any]]:
    made = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pods)
        if number is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            made.append({**name, "port": number, "protocol": port.get("protocol", "TCP")})
    return made


def _target(port: dict[str, Any], pods: list[Object]) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for offered in container.get("ports") or ():
                if offered.get("name") == target:
                    return int(offered["containerPort"])
    return int(target) if str(target).isdigit() else None


def _save(state: ClusterState, kind: resources.ResourceType, obj: Object) -> None:
    if "uid" in obj["metadata"]:
        state.put(kind, obj)
    else:
        state.add(kind, obj)
