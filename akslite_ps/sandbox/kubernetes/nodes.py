"""The Node object of a simulated machine: labels, addresses, software, capacity, conditions.

Built by the cluster when a node joins; its conditions are kept by the node controller.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.assumptions import (
    AZURE_LINUX_FROM_MINOR,
    AZURE_LINUX_KERNEL,
    CONTAINERD_VERSIONS,
    MARINER_KERNEL,
    WINDOWS_NODE_OS,
)
from akslite_ps.sandbox.kubernetes.objects import Object, set_condition, timestamp

NOT_READY_MESSAGE = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What a node is made of.

    Args:
        name: e.g. ``press-01-ledge``, lower case.
        address: Internal IP address.
        operating_system: ``linux`` or ``windows``.
        control_plane: Whether it carries the control plane.
        cpus: Virtual processors.
        memory_mb: Memory in MB.
        disk_gb: Data disk in GB.
    """

    name: str
    address: str
    operating_system: str = "linux"
    control_plane: bool = True
    cpus: int = 2
    memory_mb: int = 2048
    disk_gb: int = 10


def minor_version(version: str) -> int:
    """31 for ``v1.31.5`` and ``v1.31.6+k3s1``."""
    found = re.match(r"v?1\.(\d+)\.", version)
    if not found:
        raise ValueError(f"not a Kubernetes version: {version!r}")
    return int(found[1])


def make_node(spec: NodeSpec, distribution: str, version: str, pod_cidr: str, now: dt.datetime) -> Object:
    """A Node object that has just registered: not ready, tainted as such."""
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": spec.name,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": timestamp(now),
            "labels": _labels(spec, distribution),
            "annotations": _annotations(spec, distribution),
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": spec.address}, {"type": "Hostname", "address": spec.name}],
            "capacity": _capacity(spec, 0),
            "allocatable": _capacity(spec, 100 if distribution == "K8s" else 0),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": _node_info(spec.operating_system, distribution, version),
            "images": [],
        },
    }
    if distribution == "K3s":
        node["spec"]["providerID"] = f"k3s://{spec.name}"
    set_readiness(node, False, now)
    return node


def set_version(node: Object, distribution: str, version: str) -> None:
    """Give a node another system image with this Kubernetes version; the machine stays the same one.

    The image is a newer one even where Kubernetes stays: its kernel is another build.
    """
    before = node["status"]["nodeInfo"]
    info = _node_info(before["operatingSystem"], distribution, version)
    if info["kernelVersion"].partition("-")[0] == before["kernelVersion"].partition("-")[0]:
        info["kernelVersion"] = _next_build(before["kernelVersion"])
    node["status"]["nodeInfo"] = info | {name: before[name] for name in ("machineID", "systemUUID")}


def _next_build(kernel: str) -> str:
    """The following build of a kernel: of ``5.15.133.1-1.cm2`` that is ``5.15.133.1-2.cm2``, of ``10.0.17763.6293`` one higher."""
    version, dash, build = kernel.partition("-")
    if not dash:
        head, _, patch = version.rpartition(".")
        return f"{head}.{int(patch) + 1}"
    number, _, rest = build.partition(".")
    return f"{version}-{int(number) + 1}.{rest}"


def set_readiness(node: Object, ready: bool, now: dt.datetime, message: str | None = None) -> None:
    """Set the node's conditions and the taints that follow from them."""
    beat = {"lastHeartbeatTime": timestamp(now)}
    for kind, reason, text in _PRESSURES:
        set_condition(node, kind, "False", now, reason=reason, message=text, extra=beat)
    if ready:
        set_condition(
            node, "Ready", "True", now, reason="KubeletReady", message=message or "kubelet is posting ready status", extra=beat
        )
    else:
        set_condition(node, "Ready", "False", now, reason="KubeletNotReady", message=message or NOT_READY_MESSAGE, extra=beat)
    _set_taints(node, () if ready else ({"key": _NOT_READY, "effect": "NoSchedule"},))


def set_unknown(node: Object, now: dt.datetime) -> None:
    """What the control plane makes of a node that it has not heard of for too long."""
    for kind in (*(kind for kind, _, _ in _PRESSURES), "Ready"):
        message = "Kubelet stopped posting node status."
        set_condition(node, kind, "Unknown", now, reason="NodeStatusUnknown", message=message)
    _set_taints(node, tuple({"key": _UNREACHABLE, "effect": effect} for effect in ("NoSchedule", "NoExecute")))


def is_unknown(node: Mapping[str, Any]) -> bool:
    """Whether the control plane has given up on hearing of the node."""
    conditions = node.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "Unknown" for item in conditions)


def _set_taints(node: Object, taints: Sequence[dict[str, str]]) -> None:
    """Set the taints that follow from the node's readiness; others stay."""
    others = [taint for taint in node["spec"].get("taints", ()) if taint["key"] not in {_NOT_READY, _UNREACHABLE}]
    if others or taints:
        node["spec"]["taints"] = [*others, *taints]
    else:
        node["spec"].pop("taints", None)


def beat(node: Object, now: dt.datetime) -> None:
    """Note that the kubelet has reported at ``now``; nothing else changes."""
    for item in node["status"].get("conditions") or ():
        item["lastHeartbeatTime"] = timestamp(now)


def address_of(node: Mapping[str, Any]) -> str:
    """The node's internal address, "" where it has none (a Node object that no kubelet stands behind)."""
    addresses = node.get("status", {}).get("addresses") or ()
    return next((str(item["address"]) for item in addresses if item.get("type") == "InternalIP"), "")


def is_ready(node: Mapping[str, Any]) -> bool:
    """Whether the Ready condition is True."""
    conditions = node.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _labels(spec: NodeSpec, distribution: str) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": spec.operating_system,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": spec.operating_system,
    }
    if distribution == "K3s":
        labels |= {"beta.kubernetes.io/instance-type": "k3s", "node.kubernetes.io/instance-type": "k3s"}
    if spec.control_plane:
        labels[CONTROL_PLANE_LABEL] = "true" if distribution == "K3s" else ""
        if distribution == "K3s":
            labels |= {"node-role.kubernetes.io/etcd": "true", "node-role.kubernetes.io/master": "true"}
        else:
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
    if spec.operating_system == "windows":
        labels["node.kubernetes.io/windows-build"] = ".".join(WINDOWS_NODE_OS.value[1].split(".")[:3])
    return labels


def _annotations(spec: NodeSpec, distribution: str) -> dict[str, str]:
    annotations = {"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    if distribution == "K3s":
        annotations |= {"k3s.io/hostname": spec.name, "k3s.io/internal-ip": spec.address}
    else:
        annotations["projectcalico.org/IPv4Address"] = f"{spec.address}/24"
    return annotations


def _capacity(spec: NodeSpec, reserved_memory_mb: int) -> dict[str, str]:
    # The kernel keeps a few percent of a VM's memory; the kubelet reports what is left.
    memory_kib = int(spec.memory_mb * 1024 * 0.965) - reserved_memory_mb * 1024
    return {
        "cpu": str(spec.cpus),
        "ephemeral-storage": f"{int(spec.disk_gb * 1024 * 1024 * 0.97)}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{memory_kib}Ki",
        "pods": "110",
    }


def _node_info(operating_system: str, distribution: str, version: str) -> dict[str, str]:
    minor = minor_version(version)
    if operating_system == "windows":
        image, kernel, runtime = WINDOWS_NODE_OS.value
    else:
        azure_linux = minor >= AZURE_LINUX_FROM_MINOR.value
        image = "Microsoft Azure Linux 3.0" if azure_linux else "CBL-Mariner/Linux"
        kernel = AZURE_LINUX_KERNEL.value if azure_linux else MARINER_KERNEL.value
        known = CONTAINERD_VERSIONS.value[distribution]
        runtime = known[max((start for start in known if start <= minor), default=min(known))]
    return {
        "architecture": "amd64",
        "bootID": str(uuid.uuid4()),
        "containerRuntimeVersion": f"containerd://{runtime}",
        "kernelVersion": kernel,
        "kubeProxyVersion": version,
        "kubeletVersion": version,
        "machineID": uuid.uuid4().hex,
        "operatingSystem": operating_system,
        "osImage": image,
        "systemUUID": str(uuid.uuid4()),
    }
