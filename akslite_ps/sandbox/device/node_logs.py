"""What the VM agent and a node VM of a simulated device have logged, told from the device's history and its cluster's objects.

Used by the collection of logs. No line stands for something that did not happen on the device.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox.device.event_log import EventEntry
from akslite_ps.sandbox.device.state import Deployment, Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

_LISTED = (("nodes", ""), ("pods", "-A"), ("deployments", "-A"), ("daemonsets", "-A"), ("services", "-A"), ("events", "-A"))


def agent_log(events: Iterable[EventEntry], deployment: Deployment | None) -> str:
    """The log of the VM agent (wssdagent), in the form of Go's klog."""
    lines = []
    for entry in events:
        if entry.source == "EventLog" and entry.event_id == 6005:
            lines.append((entry.at, "I", "nodeagent.go:85", "loading configuration"))
            lines.append((entry.at, "I", "serviceLoop_windows.go:64", "wssdagent started"))
        elif entry.source == "Service Control Manager":
            lines.append((entry.at, "E", "serviceLoop_windows.go:71", " ".join(entry.message.split())))
        elif "nodectl.exe" in entry.message:
            lines.append((entry.at, "E", "virtualmachine.go:212", " ".join(entry.message.split())))
    for node in deployment.nodes if deployment is not None else ():
        assert deployment is not None
        made = f"virtual machine [{node.name}] created: {node.cpu_count} processors, {node.memory_mb} MB"
        lines.append((deployment.started_at, "I", "virtualmachine.go:104", made))
        lines.append((deployment.started_at, "I", "networkinterface.go:77", f"[{node.name}Interface] {node.address} {node.mac}"))
    ordered = sorted(lines, key=lambda line: line[0])
    return "".join(f"{letter}{at:%m%d %H:%M:%S.%f} {1988:>7} {place}] {text}\r\n" for at, letter, place, text in ordered)


def cloud_init_log(node: Node, deployment: Deployment) -> str:
    """cloud-init of a Linux node: its name and network, at the first boot."""
    at = deployment.started_at
    steps = (
        f"util.py[DEBUG]: Setting the hostname to {node.name}",
        f"stages.py[INFO]: Applying network configuration: eth0 {node.address} in {deployment.network}, {node.mac}",
        f"cc_disk_setup.py[DEBUG]: data disk of {node.data_size_gb} GB, log disk of {node.log_size_gb} GB",
        "util.py[DEBUG]: cloud-init mode 'modules' took 4.211 seconds",
    )
    return "".join(f"{at + dt.timedelta(seconds=number):%Y-%m-%d %H:%M:%S,%f} - {text}\n" for number, text in enumerate(steps))


def systemd_log(node: Node, events: Iterable[EventEntry], deployment: Deployment, unit: str) -> str:
    """The journal of a Linux node: its boots as far as the host's event log tells them."""
    boots = [deployment.started_at, *(e.at for e in events if e.event_id == 6005 and e.at > deployment.started_at)]
    lines = []
    for boot in boots:
        for text in ("kernel: Linux version booting", "systemd[1]: Reached target Network.", f"systemd[1]: Started {unit}."):
            lines.append(f"{boot:%b %d %H:%M:%S} {node.name} {text}\n")
    return "".join(lines)


def runtime_log(cluster: SimulatedCluster, node: Node) -> str:
    """The log of K3s or the kubelet on a node: what it told the API about its pods."""
    lines = []
    for event in cluster.state.store.objects("events"):
        if event.get("source", {}).get("host") != node.name:
            continue
        about = event["involvedObject"]
        letter = "W" if event.get("type") == "Warning" else "I"
        at = dt.datetime.fromisoformat(event["lastTimestamp"])
        where = f"{about.get('namespace', '')}/{about['name']}"
        told = f'"{event["reason"]}" pod="{where}" msg={json.dumps(event["message"])}'
        lines.append((at, f"{letter}{at:%m%d %H:%M:%S.000000} 1 kubelet.go] {told}\n"))
    return "".join(text for _, text in sorted(lines))


def container_logs(cluster: SimulatedCluster, node: Node) -> Iterator[tuple[str, str]]:
    """Per container of a node its file name, as containerd names it, and its log: its starts and how it ended before."""
    for pod in cluster.state.store.objects("pods"):
        if pod["spec"].get("nodeName") != node.name:
            continue
        metadata = pod["metadata"]
        for status in pod.get("status", {}).get("containerStatuses") or ():
            name = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}_{status['name']}.log"
            yield name, _container_log(status)


def _container_log(status: dict[str, Any]) -> str:
    lines = []
    for state in (status.get("lastState") or {}, status.get("state") or {}):
        if "terminated" in state:
            ended = state["terminated"]
            lines.append(
                f"{ended.get('finishedAt', '')} stderr F exited with {ended.get('exitCode', 0)} ({ended.get('reason', '')})\n"
            )
        elif "running" in state:
            lines.append(f"{state['running']['startedAt']} stdout F started\n")
    return "".join(lines)


def kubectl_tables(cluster: SimulatedCluster) -> str:
    """What ``kubectl get`` prints of the most asked kinds."""
    from akslite_ps.sandbox.kubernetes.resources import find_type
    from akslite_ps.sandbox.kubernetes.tables import make_table

    cluster.control_plane.advance()
    parts = []
    for plural, everywhere in _LISTED:
        kind = find_type("", "v1", plural) or find_type("apps", "v1", plural)
        assert kind is not None
        objects = list(cluster.state.store.objects(kind.resource))
        table = make_table(kind, objects, cluster.state.clock(), {})
        names = [column["name"].upper() for column in table["columnDefinitions"] if not column["priority"]]
        rows = [[str(cell) for cell in row["cells"][: len(names)]] for row in table["rows"]]
        if everywhere:
            names = ["NAMESPACE", *names]
            rows = [[obj["metadata"].get("namespace", ""), *row] for obj, row in zip(objects, rows, strict=True)]
        parts.append(f"> kubectl get {plural} {everywhere}".rstrip() + "\n" + _columns([names, *rows]))
    return "\n".join(parts)


def kubectl_describe(cluster: SimulatedCluster) -> str:
    """What ``kubectl describe nodes`` tells of each node."""
    cluster.control_plane.advance()
    parts = []
    for node in cluster.state.store.objects("nodes"):
        status, info = node["status"], node["status"]["nodeInfo"]
        lines = [f"Name:               {node['metadata']['name']}", "Labels:"]
        lines += [f"                    {key}={value}" for key, value in sorted(node["metadata"].get("labels", {}).items())]
        lines.append("Conditions:")
        lines += [f"  {c['type']:<18} {c['status']:<7} {c.get('reason', '')}  {c.get('message', '')}" for c in status["conditions"]]
        lines.append("Addresses:")
        lines += [f"  {address['type']}:  {address['address']}" for address in status["addresses"]]
        lines.append("Capacity:")
        lines += [f"  {key}:  {value}" for key, value in status["capacity"].items()]
        lines.append("System Info:")
        lines += [f"  {key}:  {value}" for key, value in info.items()]
        pods = [p for p in cluster.state.store.objects("pods") if p["spec"].get("nodeName") == node["metadata"]["name"]]
        lines.append(f"Non-terminated Pods:  ({len(pods)} in total)")
        lines += [f"  {p['metadata']['namespace']}  {p['metadata']['name']}  {p.get('status', {}).get('phase', '')}" for p in pods]
        parts.append("\n".join(lines) + "\n")
    return "\n\n".join(parts)


def _columns(rows: list[list[str]]) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "".join("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)
