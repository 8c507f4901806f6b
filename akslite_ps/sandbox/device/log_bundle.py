"""The zip archives of Get-AksEdgeLogs and Get-AksEdgeEventLog, made from the state and the history of a simulated device.

Called by the log cmdlets. Which files there are follows the documentation of the product's logs (``reference/operations.md``
section 14). Config secrets are no part of the device's state, and so of no archive.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, kubectl, node_logs
from akslite_ps.sandbox.device.event_export import as_clixml
from akslite_ps.sandbox.device.event_log import APPLICATION, SYSTEM
from akslite_ps.sandbox.device.state import Deployment, Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

Parts = Iterator[tuple[str, bytes]]


def all_logs(device: SimulatedDevice) -> bytes:
    """The archive of Get-AksEdgeLogs. What a stopped node or agent would have told is missing, and the summary says so."""
    parts = [*_host_parts(device), *_event_parts(device), *_deployment_parts(device)]
    missing = _missing(device)
    names = "".join(f"collected {name}\r\n" for name, _ in parts)
    gaps = "".join(f"failed: {text}\r\n" for text in missing)
    return _zip([*parts, ("aksedgelogs-summary.txt", f"{device.now():%Y-%m-%d %H:%M:%S}\r\n{names}{gaps}".encode())], device)


def event_log(device: SimulatedDevice) -> bytes:
    """The archive of Get-AksEdgeEventLog: the product's event log."""
    return _zip([("aksedgeevents.xml", _product_events(device))], device)


def _missing(device: SimulatedDevice) -> list[str]:
    deployment = device.state.deployment
    missing = [] if host.agent_runs(device) else [assumptions.AGENT_UNREACHABLE]
    complaint = kubectl.complaint(device) if deployment is not None else None
    return missing if complaint is None else [*missing, f"kubectl: {complaint}"]


def _host_parts(device: SimulatedDevice) -> Parts:
    hardware, product = device.hardware, device.state.product
    facts = {
        "Host Name": device.computer_name,
        "OS Name": hardware.os_caption,
        "OS Version": f"{hardware.os_version} N/A Build {hardware.os_build}",
        "System Type": f"x64-based PC ({hardware.architecture})",
        "System Boot Time": f"{device.state.boot_time:%m/%d/%Y, %H:%M:%S}",
        "Processor(s)": f"{hardware.logical_processors} logical",
        "Total Physical Memory": f"{hardware.total_memory_mb:,} MB",
        "Available Physical Memory": f"{host.free_memory_mb(device):,} MB",
        "Free disk space (C:)": f"{host.free_disk_gb(device)} GB",
        "Default gateway": hardware.default_gateway or "",
        "Network Card(s)": ", ".join(hardware.ip4_addresses),
        "Hyper-V": "A hypervisor has been detected." if host.hypervisor_present(device) else "No hypervisor has been detected.",
        "Product": f"{product.display_name} {product.version}" if product else "",
    }
    yield "aksedgehost-systeminfo.txt", "".join(f"{name + ':':<27}{value}\r\n" for name, value in facts.items()).encode()
    services = "".join(f"{s.name:<12}{s.status:<10}{s.start_type:<11}{s.display_name}\r\n" for s in host.services(device))
    yield "aksedgehost-services.txt", services.encode()


def _event_parts(device: SimulatedDevice) -> Parts:
    yield "aksedgeevents.xml", _product_events(device)
    for log in (APPLICATION, SYSTEM):
        yield f"{log.lower()}events.xml", as_clixml(reversed(list(device.events.entries(log))), device.computer_name)


def _product_events(device: SimulatedDevice) -> bytes:
    product = device.state.product
    entries = list(device.events.entries(product.display_name)) if product is not None else []
    return as_clixml(reversed(entries), device.computer_name)


def _deployment_parts(device: SimulatedDevice) -> Parts:
    deployment = device.state.deployment
    yield "wssdagent/agent-log-0", node_logs.agent_log(device.events.entries(), deployment).encode()
    if deployment is None:
        return
    yield "config/aksedge-config.json", json.dumps(deployment.config, indent=2).encode()
    about = {"DeploymentType": deployment.deployment_type, "Network": deployment.network, "Switch": deployment.switch}
    yield "aksedgeconfig.txt", "".join(f"{name}: {value}\r\n" for name, value in about.items()).encode()
    running = [node for node in deployment.nodes if device.cluster.is_node_up(node.kind)]
    if host.agent_runs(device):
        yield (
            "hcsdiag_list.txt",
            "".join(f"{node.name}\r\n    VM, Running, {node.name}, wssdagent\r\n" for node in running).encode(),
        )
        yield "hnsdiag_list_all.txt", _hns(deployment).encode()
    for node in running:
        yield from _node_parts(device, deployment, node)
    cluster = device.cluster.cluster
    if cluster is not None and kubectl.complaint(device) is None:
        yield "kubectl_pods.txt", node_logs.kubectl_tables(cluster).encode()
        yield "kubectl_describe.txt", node_logs.kubectl_describe(cluster).encode()


def _node_parts(device: SimulatedDevice, deployment: Deployment, node: Node) -> Parts:
    product, cluster = device.state.product, device.cluster.cluster
    assert product is not None
    runtime = product.distribution.lower()
    if node.kind == "Linux":
        yield f"{node.name}_cloudinit.log", node_logs.cloud_init_log(node, deployment).encode()
        unit = "k3s.service" if runtime == "k3s" else "kubelet.service"
        yield f"{node.name}_systemd.log", node_logs.systemd_log(node, device.events.entries(), deployment, unit).encode()
    if cluster is None:
        return
    yield f"{node.name}_{runtime}.log", node_logs.runtime_log(cluster, node).encode()
    folder = "linux-containers" if node.kind == "Linux" else "windows-containers"
    for name, text in node_logs.container_logs(cluster, node):
        yield f"{folder}/{name}", text.encode()


def _hns(deployment: Deployment) -> str:
    endpoints = "".join(f"Endpoint : {node.name}Interface  {node.address}  {node.mac}\r\n" for node in deployment.nodes)
    return f"Network  : {deployment.switch}  {deployment.network}\r\n{endpoints}"


def _zip(parts: list[tuple[str, bytes]], device: SimulatedDevice) -> bytes:
    now = device.now()
    stamp = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts:
            made.writestr(zipfile.ZipInfo(name, date_time=stamp), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()
