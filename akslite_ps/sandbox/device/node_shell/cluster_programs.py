"""kubectl and crictl of the Linux node: what they list of the cluster and of the containers that run on the node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox.device.node_shell.program import Process, Program, ShellResult, columns, failed, printed

if TYPE_CHECKING:
    from akslite_ps.sandbox.kubernetes.resources import ResourceType

_REFUSED = "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"
_NO_KUBECONFIG = 'error: error loading config file "{path}": open {path}: permission denied'
_SHORT_ID = 13


def _kubectl(process: Process) -> ShellResult:
    machine = process.machine
    if not process.is_root or not machine.node.control_plane:
        path = "/etc/rancher/k3s/k3s.yaml" if machine.is_k3s else "/etc/kubernetes/admin.conf"
        return failed(_NO_KUBECONFIG.format(path=path))
    if not machine.serves:
        return failed(_REFUSED)
    words = _plain_words(process)
    verb = words[0] if words else ""
    if verb == "version":
        version = machine.cluster.state.facts.version
        return printed(f"Client Version: {version}\nKustomize Version: v5.4.2\nServer Version: {version}")
    if verb == "get" and (raw := process.value_of("--raw")) is not None:
        return (
            printed("ok") if raw.partition("?")[0] in {"/readyz", "/livez", "/healthz"} else failed("Error from server (NotFound)")
        )
    if verb == "get" and len(words) > 1:
        return _get(process, words[1], words[2:])
    if verb in {"get", ""}:
        return failed("You must specify the type of resource to get.")
    return failed(f'error: "{verb}" is not among the kubectl commands that can be run in this node; use kubectl from outside')


def _plain_words(process: Process) -> list[str]:
    """The arguments without options and their values."""
    words: list[str] = []
    skip = False
    for argument in process.arguments:
        if skip:
            skip = False
        elif argument in {"-n", "--namespace", "-o", "--output", "-l", "--selector", "--kubeconfig", "--raw"}:
            skip = True
        elif not argument.startswith("-"):
            words.append(argument)
    return words


def _get(process: Process, kinds: str, names: list[str]) -> ShellResult:
    form = process.value_of("-o", "--output") or ""
    everywhere = bool(process.flags() & {"A", "--all-namespaces"})
    output = ""
    for plural in kinds.split(","):
        kind = _find_kind(plural)
        if kind is None:
            return failed(f'error: the server doesn\'t have a resource type "{plural}"', output=output)
        namespace = (process.value_of("-n", "--namespace") or "default") if kind.namespaced and not everywhere else ""
        process.machine.cluster.control_plane.advance()
        objects = list(process.machine.cluster.state.store.objects(kind.resource, namespace))
        if names:
            known = {obj["metadata"]["name"]: obj for obj in objects}
            missing = [name for name in names if name not in known]
            if missing:
                return failed(f'Error from server (NotFound): {kind.plural} "{missing[0]}" not found', output=output)
            objects = [known[name] for name in names]
        if not objects:
            where = "" if everywhere or not kind.namespaced else f" in {namespace} namespace"
            return ShellResult(output, f"No resources found{where}.\n" if where else "No resources found\n")
        output += _shown(process, kind, objects, form, everywhere=everywhere and kind.namespaced)
    return ShellResult(output)


def _shown(process: Process, kind: ResourceType, objects: list[dict[str, Any]], form: str, *, everywhere: bool) -> str:
    from akslite_ps.sandbox.kubernetes.tables import make_table

    if form == "name":
        return "".join(f"{kind.singular}/{obj['metadata']['name']}\n" for obj in objects)
    if form == "json":
        return json.dumps({"apiVersion": "v1", "items": objects, "kind": "List"}, indent=4) + "\n"
    table = make_table(kind, objects, process.machine.cluster.state.clock(), {})
    chosen = [index for index, column in enumerate(table["columnDefinitions"]) if form == "wide" or not column["priority"]]
    rows = [[table["columnDefinitions"][index]["name"].upper() for index in chosen]]
    rows += [[str(row["cells"][index]) for index in chosen] for row in table["rows"]]
    if everywhere:
        spaces = ["NAMESPACE", *(obj["metadata"].get("namespace", "") for obj in objects)]
        rows = [[space, *row] for space, row in zip(spaces, rows, strict=True)]
    if "--no-headers" in process.flags():
        rows = rows[1:]
    return columns(rows)


_SHORT = {
    "no": "nodes",
    "po": "pods",
    "ns": "namespaces",
    "svc": "services",
    "deploy": "deployments",
    "ds": "daemonsets",
    "cm": "configmaps",
    "ev": "events",
    "pvc": "persistentvolumeclaims",
    "pv": "persistentvolumes",
    "sa": "serviceaccounts",
    "rs": "replicasets",
}


def _find_kind(name: str) -> ResourceType | None:
    """The kind of a plural, singular or short name."""
    from akslite_ps.sandbox.kubernetes.resources import find_type

    lower = name.lower()
    for plural in (_SHORT.get(lower, lower), f"{lower}s"):
        found = find_type("", "v1", plural) or find_type("apps", "v1", plural)
        if found is not None:
            return found
    return None


def _crictl(process: Process) -> ShellResult:
    if not process.is_root:
        return failed("validate service connection: dial unix /run/containerd/containerd.sock: connect: permission denied")
    words = process.operands()
    verb = words[0] if words else ""
    machine = process.machine
    match verb:
        case "ps":
            return ShellResult(columns([["CONTAINER", "IMAGE", "STATE", "NAME", "ATTEMPT", "POD"], *_containers(process)]))
        case "pods":
            rows = [
                [_short(pod["metadata"]["uid"]), "Ready", pod["metadata"]["name"], pod["metadata"]["namespace"], "0"]
                for pod in machine.pods
                if pod.get("status", {}).get("phase") == "Running"
            ]
            return ShellResult(columns([["POD ID", "STATE", "NAME", "NAMESPACE", "ATTEMPT"], *rows]))
        case "images" | "img":
            return ShellResult(columns([["IMAGE", "TAG", "SIZE"], *_images(process)]))
        case "version":
            runtime = machine.info["containerRuntimeVersion"].removeprefix("containerd://")
            return printed(f"Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v{runtime}\nRuntimeApiVersion:  v1")
    return failed(f"No help topic for '{verb}'", 3) if verb else printed("crictl - client for CRI")


def _containers(process: Process) -> list[list[str]]:
    rows = []
    for pod in process.machine.pods:
        for status in pod.get("status", {}).get("containerStatuses") or ():
            running = "running" in status["state"]
            if not running and "a" not in process.flags():
                continue
            identity = str(status.get("containerID", "")).removeprefix("containerd://")[:_SHORT_ID]
            state = "Running" if running else "Exited"
            rows.append([identity, status["image"], state, status["name"], str(status["restartCount"]), pod["metadata"]["name"]])
    return rows


def _images(process: Process) -> list[list[str]]:
    from akslite_ps.sandbox.kubernetes import resources

    node = process.machine.cluster.state.get(resources.NODES, process.machine.node.name)
    rows = []
    for item in (node or {}).get("status", {}).get("images") or ():
        name, _, tag = item["names"][0].rpartition(":")
        rows.append([name, tag, f"{item['sizeBytes'] / 1_000_000:.1f}MB"])
    return rows


def _short(uid: str) -> str:
    return uid.replace("-", "")[:_SHORT_ID]


def _k3s(process: Process) -> ShellResult:
    words = list(process.arguments)
    version = process.machine.info["kubeletVersion"]
    if words[:1] == ["kubectl"] or words[:1] == ["crictl"]:
        inner = Process(process.machine, words[1:], process.stdin, process.is_root, process.folder, process.environment)
        return _kubectl(inner) if words[0] == "kubectl" else _crictl(inner)
    if words[:1] in (["--version"], ["-v"]):
        return printed(f"k3s version {version}")
    return failed("this node's k3s can be asked for --version, kubectl and crictl")


PROGRAMS: Mapping[str, Program] = {
    "crictl": _crictl,
    "k3s": _k3s,
    "kubeadm": lambda process: printed(process.machine.info["kubeletVersion"]),
    "kubectl": _kubectl,
    "kubelet": lambda process: printed(f"Kubernetes {process.machine.info['kubeletVersion']}"),
}
