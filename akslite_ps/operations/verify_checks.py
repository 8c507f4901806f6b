"""What ``akslite verify`` looks at beside product, nodes and pods: the nodes' machines, name resolution, disk, certificates.

Steps of ``operations.verify``. Only reads, and only what a viewer may read; what a role does not show is said, and is no fault.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.host_requirements import MIN_FREE_DISK_GB
from akslite_ps.errors import CmdletFailed, NotPermitted
from akslite_ps.operations.cluster_nodes import names_on
from akslite_ps.operations.plan import Step
from akslite_ps.operations.polling import wait_for
from akslite_ps.operations.steps import Done, StepCode
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.calls.nodes import NodeType

MACHINES = "verify.machines"
DNS = "verify.dns"
DISK = "verify.disk"
CERTIFICATES = "verify.certificates"
DNS_WITHIN_S = 300
FULL_DISK_GB = 2.0
"""Below this Windows and the nodes' growing disks fail; an estimate."""

RENEWED_WITHIN_DAYS = 90
"""K3s renews its certificates at a start within this time before they expire; K8s ones are renewed by an update."""

_KINDS: Sequence[NodeType] = ("Linux", "Windows")
_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")
_DNS_SERVICES = ("kube-dns", "coredns")


def steps() -> tuple[Step, ...]:
    """The steps, in the order in which one rests on the other."""
    return (
        Step(id=MACHINES, title="Ask the product for the nodes' machines", command="Test-AksEdgeNode", typical_s=10, max_run_s=300),
        Step(id=DNS, title="See that names are resolved", command="Get-AksLiteWorkload", typical_s=10, max_run_s=DNS_WITHIN_S),
        Step(id=DISK, title="Look at disk and memory of host and nodes", command="Get-AksLiteFacts", typical_s=10, max_run_s=300),
        Step(
            id=CERTIFICATES,
            title="Read until when certificates are valid",
            command="Get-AksLiteKubeConfig",
            typical_s=10,
            max_run_s=300,
        ),
    )


class _Machines(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.calls import AksEdge

        product = AksEdge(work.session())
        there = [kind for kind in _KINDS if product.test_node(kind)]
        agent = _service(work, "wssdagent")
        evidence = {"nodes": there, "wssdagent": agent}
        if not there:
            raise work.failure("the product says that there is no node on this machine", next_action="akslite diagnose")
        if agent not in (None, "Running", "4"):
            raise work.failure(
                f"the VM agent (service wssdagent) is {agent}: nodes that stop will not start again",
                next_action="akslite diagnose; start the service on the device: Start-Service wssdagent",
            )
        told = "the VM agent runs" if agent is not None else "the endpoint's role does not show the VM agent"
        return Done(Outcome.OK, f"{' and '.join(there)} node; {told}", evidence)


def _service(work: Work, name: str) -> str | None:
    """State of a Windows service; None where the role does not show it."""
    try:
        answer = work.session().invoke("Get-Service", check=False, Name=name, ErrorAction="SilentlyContinue")
    except (CmdletFailed, NotPermitted):
        return None
    found = [value for value in answer.output if isinstance(value, Mapping)]
    return str(found[-1].get("Status")) if found else "missing"


class _Dns(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        services = _items(work, "Services", "kube-system")
        service = next((item for item in services if item["metadata"]["name"] in _DNS_SERVICES), None)
        if service is None:
            raise work.failure("the cluster has no service for name resolution (kube-dns)", next_action="akslite diagnose")
        name, spec = service["metadata"]["name"], service.get("spec") or {}
        selector, address = spec.get("selector") or {}, spec.get("clusterIP")

        def behind() -> list[Mapping[str, Any]]:
            return [
                item
                for item in _items(work, "Pods", "kube-system")
                if selector and selector.items() <= (item["metadata"].get("labels") or {}).items()
            ]

        pods = wait_for(
            work,
            behind,
            lambda found: any(_is_ready(pod) for pod in found),
            lambda found: f"{sum(map(_is_ready, found))} of {len(found)} pods behind {name} ready",
        )
        ready = [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]
        if not ready:
            raise work.failure(
                f"none of {len(pods)} pods behind {address} is ready: names are not resolved in the cluster",
                next_action="look at the pods: kubectl -n kube-system describe pods -l k8s-app=kube-dns",
            )
        evidence = {"service": name, "address": address, "ready": ready, "pods": len(pods)}
        return Done(Outcome.OK, f"{name} at {address}: {len(ready)} of {len(pods)} pods ready", evidence)


class _Disk(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        facts = work.facts()
        own = set(names_on(facts.computer_name).values())
        pressures = [
            f"{item['metadata']['name']} has {condition['type']}"
            for item in _items(work, "Nodes")
            if item["metadata"]["name"] in own
            for condition in (item.get("status") or {}).get("conditions") or ()
            if condition.get("type") in _PRESSURES and condition.get("status") == "True"
        ]
        free = facts.free_disk_gb
        evidence = {"free_disk_gb": free, "drive": facts.system_drive, "pressures": pressures}
        if pressures:
            raise work.failure("; ".join(pressures), next_action="remove images and data that nobody needs from the node")
        if free is not None and free < FULL_DISK_GB:
            raise work.failure(
                f"{free:g} GB are free on {facts.system_drive or 'the system drive'}", next_action="make room: nodes' disks grow"
            )
        low = "; LITTLE: make room" if free is not None and free < MIN_FREE_DISK_GB else ""
        told = (
            f"{free:g} GB free on {facts.system_drive or 'the system drive'}{low}" if free is not None else "not told by the host"
        )
        return Done(Outcome.OK, f"{told}; no node is short of disk, memory or processes", evidence)


class _Certificates(StepCode):
    repeatable = True

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.ops import kube_config

        try:
            kubeconfig = kube_config(work.session())
        except NotPermitted:
            return Done(Outcome.OK, "cannot be told: the endpoint's role hands out no kubeconfig", {})
        ends = dict(_ends(kubeconfig))
        if not ends:
            return Done(Outcome.OK, "the kubeconfig holds no certificate", {})
        now = work.facts().local_time or work.controller.clock.now()
        now = now.replace(tzinfo=dt.UTC) if now.tzinfo is None else now
        name, first = min(ends.items(), key=lambda pair: pair[1])
        left = (first - now).days
        evidence = {name: end.isoformat() for name, end in ends.items()}
        if left < 0:
            raise work.failure(
                f"the {name} expired on {first:%Y-%m-%d}",
                next_action="K3s renews it when the node starts again (Stop-AksEdgeNode, Start-AksEdgeNode), K8s with an update",
            )
        soon = "; it is renewed when the node starts again" if left < RENEWED_WITHIN_DAYS else ""
        return Done(Outcome.OK, f"the {name} is valid until {first:%Y-%m-%d}, {left} days{soon}", evidence)


def _ends(kubeconfig: str) -> Iterator[tuple[str, dt.datetime]]:
    """When the certificates in a kubeconfig expire, UTC."""
    from cryptography import x509

    from akslite_ps.cluster.kubeconfig import read_kubeconfig

    context = read_kubeconfig(kubeconfig)
    for name, pem in (("cluster's authority", context.ca), ("administrator's certificate", context.certificate)):
        if pem:
            found = x509.load_pem_x509_certificates(pem.encode())
            yield name, min(certificate.not_valid_after_utc for certificate in found)


def _items(work: Work, kind: Any, namespace: str | None = None) -> list[Mapping[str, Any]]:
    from akslite_ps.aksedge.ops import workload

    found: list[Mapping[str, Any]] = workload(work.session(), kind, namespace=namespace).get("items") or []
    return found


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


CODE: Mapping[str, StepCode] = {MACHINES: _Machines(), DNS: _Dns(), DISK: _Disk(), CERTIFICATES: _Certificates()}
