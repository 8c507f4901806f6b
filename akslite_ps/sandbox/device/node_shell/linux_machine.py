"""The Linux node as a machine: what its system says of itself, and its file system.

Made for one command by the cmdlets; reads the device's state and the cluster's objects, changes nothing but files that are written.
"""

from __future__ import annotations

import datetime as dt
import posixpath
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.node_files import HOME, NodeFiles
from akslite_ps.sandbox.device.node_shell.program import ShellResult, failed
from akslite_ps.sandbox.device.state import Deployment, InstalledProduct, Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

_VERSION = re.compile(r"(\d+\.\d+)\.(\d+)")
_TOP = ("bin", "boot", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var")
_FOLDERS = (
    *(f"/{name}" for name in _TOP),
    HOME,
    "/etc/systemd/system",
    "/usr/bin",
    "/var/lib/kubelet",
    "/var/log/pods",
    "/var/log/containers",
)
_ROOT_FOLDERS = ("/root", "/var/lib/kubelet", "/var/lib/rancher", "/etc/kubernetes", "/var/.eflow")
_K3S_ONLY = frozenset({"k3s"})
_K8S_ONLY = frozenset({"kubelet", "kubeadm"})


class LinuxMachine:
    """The Linux node of a device.

    Args:
        device: The device.
        node: Its Linux node; the VM runs.
    """

    def __init__(self, device: SimulatedDevice, node: Node) -> None:
        deployment, product, served = device.state.deployment, device.state.product, device.cluster.served
        assert deployment is not None
        assert product is not None
        assert served is not None
        self.device = device
        self.node = node
        self.deployment: Deployment = deployment
        self.product: InstalledProduct = product
        self.cluster: SimulatedCluster = served.cluster
        self.serves = served.serves
        self.files: NodeFiles = device.node_files("Linux")
        self.now = device.now()
        self.booted_at = node.booted_at or deployment.started_at

    # -- what it is -----------------------------------------------------------------------------------------

    @property
    def is_k3s(self) -> bool:
        return self.product.distribution == "K3s"

    @cached_property
    def info(self) -> Mapping[str, str]:
        """``status.nodeInfo`` of the node: kernel, system image, container runtime, kubelet."""
        from akslite_ps.sandbox.kubernetes import resources

        node = self.cluster.state.get(resources.NODES, self.node.name)
        if node is None:
            return {"kernelVersion": "", "osImage": "Linux", "containerRuntimeVersion": "containerd://", "kubeletVersion": ""}
        info: Mapping[str, str] = node["status"]["nodeInfo"]
        return info

    @property
    def uptime_s(self) -> float:
        """Seconds since it booted."""
        return max(0.0, (self.now - self.booted_at).total_seconds())

    @property
    def pods(self) -> list[dict[str, Any]]:
        """The pods that run on it."""
        if self.serves:
            self.cluster.control_plane.advance()
        return [pod for pod in self.cluster.state.store.objects("pods") if pod["spec"].get("nodeName") == self.node.name]

    def used_memory_mb(self) -> int:
        """Memory in use: the system, Kubernetes and a share per container."""
        containers = sum(len(pod["spec"]["containers"]) for pod in self.pods)
        return min(self.node.memory_mb - 64, assumptions.NODE_BASE_MEMORY_MB + containers * assumptions.CONTAINER_MEMORY_MB)

    def has(self, program: str) -> bool:
        """Whether a program of the catalogue is installed on it."""
        return program not in (_K8S_ONLY if self.is_k3s else _K3S_ONLY)

    def stable_number(self, about: str, limit: int) -> int:
        """A number below ``limit`` that stays the same for the life of the node."""
        return zlib.crc32(f"{self.deployment.cluster_id} {self.node.name} {about}".encode()) % limit

    # -- its files ------------------------------------------------------------------------------------------

    @cached_property
    def _system_files(self) -> Mapping[str, Callable[[], str]]:
        files: dict[str, Callable[[], str]] = {
            "/etc/os-release": self._os_release,
            "/etc/hostname": lambda: f"{self.node.name}\n",
            "/etc/hosts": lambda: f"127.0.0.1   localhost\n::1         localhost\n{self.node.address}   {self.node.name}\n",
            "/etc/resolv.conf": self._resolv_conf,
            "/etc/passwd": lambda: f"root:x:0:0:root:/root:/bin/bash\naksedge-user:x:1000:1000::{HOME}:/bin/bash\n",
            "/etc/machine-id": lambda: f"{self.info.get('machineID', '')}\n",
            "/etc/environment": self._environment,
            "/etc/systemd/scripts/ip4save": firewall_rules,
            "/proc/version": lambda: f"Linux version {self.info['kernelVersion']} (root@CBL) (gcc) #1 SMP\n",
            "/proc/uptime": lambda: f"{self.uptime_s:.2f} {self.uptime_s * self.node.cpu_count * 0.93:.2f}\n",
            "/proc/loadavg": lambda: f"{self.load()} 2/{300 + 12 * len(self.pods)} {2000 + self.stable_number('pid', 9000)}\n",
            "/proc/meminfo": self._meminfo,
            "/proc/cpuinfo": self._cpuinfo,
        }
        if self.is_k3s:
            files["/var/.eflow/config/k3s/k3s-config.yml"] = self._k3s_config
            if self.node.control_plane:
                files["/etc/rancher/k3s/k3s.yaml"] = self._own_kubeconfig
        elif self.node.control_plane:
            files["/etc/kubernetes/admin.conf"] = self._own_kubeconfig
            for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
                files[f"/etc/kubernetes/manifests/{part}.yaml"] = lambda part=part: self._manifest(part)  # type: ignore[misc]
        return files

    def paths(self) -> Iterator[str]:
        """All files and folders."""
        seen: set[str] = set()
        for known in (*_FOLDERS, *self._system_files, *(file.path for file in self.files.entries())):
            path = known
            while path not in seen and path != "/":
                seen.add(path)
                yield path
                path = posixpath.dirname(path)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder at an absolute path."""
        return path == "/" or (path in set(self.paths()) and not self.is_file(path))

    def is_file(self, path: str) -> bool:
        """Whether there is a file at an absolute path."""
        return path in self._system_files or self.files.read(path) is not None

    def needs_root(self, path: str) -> bool:
        """Whether only root may look at a path."""
        return any(path == folder or path.startswith(f"{folder}/") for folder in _ROOT_FOLDERS)

    def read(self, path: str, *, is_root: bool) -> bytes | ShellResult:
        """The content of a file, or the reason, as programs print it, for which there is none."""
        if not is_root and self.needs_root(path):
            return failed("Permission denied")
        written = self.files.read(path)
        if written is not None:
            return written
        if path in self._system_files:
            return self._system_files[path]().encode()
        return failed("Is a directory" if self.is_folder(path) else "No such file or directory")

    def modified(self, path: str) -> dt.datetime:
        """When a file or folder was last written."""
        found = next((file.modified for file in self.files.entries() if file.path == path), None)
        return found or (self.now if path.startswith("/proc") else self.deployment.started_at)

    def load(self) -> str:
        """The load averages, as in /proc/loadavg."""
        busy = 0.08 * len(self.pods)
        return " ".join(f"{busy + self.stable_number(span, 20) / 100:.2f}" for span in ("1", "5", "15"))

    def _os_release(self) -> str:
        from akslite_ps.aksedge.releases import find_release

        release = find_release(self.product.version)
        found = _VERSION.search((release.linux if release else None) or "")
        azure = "Azure" in self.info["osImage"]
        version = found[1] if found else ("3.0" if azure else "2.0")
        build = found[2] if found else "0"
        if azure:
            name, short, link = "Microsoft Azure Linux", "azurelinux", "https://aka.ms/azurelinux"
        else:
            name, short, link = "Common Base Linux Mariner", "mariner", "https://aka.ms/cbl-mariner"
        return (
            f'NAME="{name}"\nVERSION="{version}.{build}"\nID={short}\nVERSION_ID="{version}"\n'
            f'PRETTY_NAME="{self.info["osImage"]}"\nANSI_COLOR="1;34"\nHOME_URL="{link}"\nBUG_REPORT_URL="{link}"\nSUPPORT_URL="{link}"\n'
        )

    def dns_servers(self) -> list[str]:
        """The servers of the config, else the host's way out."""
        network = self.deployment.config.get("Network") or {}
        given = network.get("DnsServers") or []
        return [str(server) for server in given] or [self.gateway()]

    def gateway(self) -> str:
        """The way out: the config's router, or the host on the internal switch."""
        network = self.deployment.config.get("Network") or {}
        return str(network.get("Ip4GatewayAddress") or self.deployment.network.partition("/")[0].rpartition(".")[0] + ".1")

    def _resolv_conf(self) -> str:
        return "".join(f"nameserver {server}\n" for server in self.dns_servers()) + "search .\n"

    def _environment(self) -> str:
        proxy = (self.deployment.config.get("Network") or {}).get("Proxy") or {}
        names = (("Http", "http_proxy"), ("Https", "https_proxy"), ("No", "no_proxy"))
        return "".join(f"{name}={proxy[key]}\n" for key, name in names if proxy.get(key))

    def _meminfo(self) -> str:
        total, used = self.node.memory_mb * 1024, self.used_memory_mb() * 1024
        cached = (total - used) // 3
        values = {"MemTotal": total, "MemFree": total - used - cached, "MemAvailable": total - used, "Buffers": 0, "Cached": cached}
        return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in {**values, "SwapTotal": 0, "SwapFree": 0}.items())

    def _cpuinfo(self) -> str:
        one = "processor\t: {}\nvendor_id\t: GenuineIntel\nmodel name\t: Virtual processor\ncpu cores\t: {}\n\n"
        return "".join(one.format(number, self.node.cpu_count) for number in range(self.node.cpu_count))

    def _k3s_config(self) -> str:
        address = self.deployment.control_plane_address
        lines = [f"node-ip: {self.node.address}", f"node-name: {self.node.name}"]
        if self.node.control_plane:
            lines += ["disable:", "  - servicelb", "  - traefik", "write-kubeconfig-mode: '0600'"]
            lines += ["tls-san:", f"  - {address}"] if address else []
            lines += ["cluster-init: true"] if address and not self.deployment.joined else []
        if self.deployment.joined:
            lines.append(f"server: https://{address}:6443")
        return "\n".join(lines) + "\n"

    def _own_kubeconfig(self) -> str:
        where = "127.0.0.1" if self.is_k3s else self.deployment.control_plane_address or self.node.address
        return self.cluster.kubeconfig(f"https://{where}:6443")

    def _manifest(self, part: str) -> str:
        import yaml

        from akslite_ps.sandbox.kubernetes.system_workloads import static_pods

        pods = static_pods(self.node.name, self.cluster.state.facts.version)
        pod = next(pod for pod in pods if pod["metadata"]["name"].startswith(part))
        metadata = {"name": part, "namespace": "kube-system", "labels": pod["metadata"]["labels"]}
        return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]}, sort_keys=False)


def firewall_rules() -> str:
    """The node lets little in: not even a ping (documented)."""
    return (
        "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 6443 -j ACCEPT\n"
        "-A INPUT -p tcp -m tcp --dport 10250 -j ACCEPT\n-A OUTPUT -j ACCEPT\nCOMMIT\n"
    )
