"""What AKS Edge Essentials needs of a Windows host, as numbers and names with their sources.

Read by the preflight of operations and by simulated devices. Sources: Microsoft's system requirements and
prerequisites pages (2025), the quick start script and CI tests of Azure/AKS-Edge a1c409cd, issue threads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig

HOST_FEATURES = ("Microsoft-Hyper-V", "Microsoft-Hyper-V-Management-PowerShell", "Microsoft-Hyper-V-Hypervisor")
"""Optional features that must be Enabled (prerequisites page; official CI tests)."""

CLIENT_ONLY_FEATURES = frozenset({"Microsoft-Hyper-V-Hypervisor"})
"""Features that Windows Server does not list (inferred: there Hyper-V is one role)."""

OPENSSH_CAPABILITY = "OpenSSH.Client~~~~0.0.1.0"
ARCHITECTURES = ("AMD64", "x64", "x86_64")
SUPPORTED_EDITIONS: dict[str, tuple[str, ...]] = {
    "Client": ("Professional", "ProfessionalWorkstation", "Enterprise", "EnterpriseS", "IoTEnterprise", "IoTEnterpriseS"),
    "Server": ("ServerStandard", "ServerDatacenter", "ServerSolution"),
}
"""Edition ids by installation type: Pro, Enterprise and IoT Enterprise; Server 2019 and 2022 (system requirements page)."""

OLDEST_BUILD = 17763
"""Windows Server 2019 and Windows 10 1809, the oldest system named."""

TESTED_BUILDS = (19045, 20348)
"""Windows 10 22H2 and Server 2022, which Microsoft recommends."""

UNLISTED_SERVER_BUILD = 26100
"""Windows Server 2025: not in Microsoft's list, so nothing is known of it."""

MAX_VCPUS = 16
MAX_DISK_LATENCY_MS = 10
"""Above this etcd loses its leader; installs since 1.8.202 measure it and only warn."""

VM_OVERHEAD_MB = 512
"""Free memory needed beside the nodes': 2.5 GB are asked for a 2 GB node, 4.5 GB for a 4 GB one."""

MIN_FREE_DISK_GB = 14
DISK_OVERHEAD_GB = 3
"""Free disk beside data and log disk: 14 GB are asked for 10 + 1 (inferred for other sizes)."""

OFFLINE_CERTIFICATES = {
    "8F43288AD272F3103B6FB1428485EA3014C0BCFE": "Microsoft Root Certificate Authority 2011, in LocalMachine\\Root",
    "F252E794FE438E35ACE6E53762C0A234A2C52135": "Microsoft Code Signing PCA 2011, in LocalMachine\\CA",
}

EditionVerdict = Literal["supported", "unlisted", "unsupported"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Documented needs of one way of using the product.

    Args:
        name: Short name.
        total_memory_mb: Memory of the host.
        free_memory_mb: Of it free when deploying.
        processors: Logical processors.
        free_disk_gb: Free on an SSD.
        source: Where the numbers stand.
    """

    name: str
    total_memory_mb: int
    free_memory_mb: int
    processors: int
    free_disk_gb: int
    source: str


LOCAL = Profile("local cluster", 4096, 2560, 2, 14, "system requirements page")
ARC_GITOPS = Profile("Azure Arc with GitOps", 8192, 4608, 4, 14, "system requirements page")
IOT_OPERATIONS = Profile("Azure IoT Operations", 16384, 16384, 4, 52, "Azure IoT Operations how-to")
PROFILES = (LOCAL, ARC_GITOPS, IOT_OPERATIONS)


@dataclass(frozen=True, slots=True)
class HostNeeds:
    """What one config needs of the host it is deployed on.

    Args:
        free_memory_mb: The nodes' memory, which is taken as a whole, and the overhead.
        total_memory_mb: The documented least for that use.
        processors: The most that one node asks for, or the documented least.
        free_disk_gb: The documented least; below it nothing is tried.
        comfortable_disk_gb: Enough for the nodes' disks once they are full.
        profile: Which documented use it was compared with.
    """

    free_memory_mb: int
    total_memory_mb: int
    processors: int
    free_disk_gb: int
    comfortable_disk_gb: int
    profile: Profile


def needs_of(config: DeploymentConfig) -> HostNeeds:
    """What a config needs of its host: its own sizes, and the documented least for a local cluster."""
    nodes = config.nodes
    linux = config.machine.linux_node
    disks_gb = linux.data_size_in_gb + linux.log_size_in_gb if linux else 0
    return HostNeeds(
        free_memory_mb=sum(node.memory_in_mb for node in nodes) + VM_OVERHEAD_MB,
        total_memory_mb=LOCAL.total_memory_mb,
        processors=max([LOCAL.processors, *(node.cpu_count for node in nodes)]),
        free_disk_gb=MIN_FREE_DISK_GB,
        comfortable_disk_gb=max(MIN_FREE_DISK_GB, disks_gb + DISK_OVERHEAD_GB),
        profile=LOCAL,
    )


def edition_verdict(edition: str, installation_type: str, build: int) -> EditionVerdict:
    """Whether Microsoft lists this Windows for the product.

    Args:
        edition: Edition id as Windows keeps it in the registry, e.g. ``Professional`` or ``ServerStandard``.
        installation_type: ``Client`` or ``Server`` (``Server Core`` counts as Server).
        build: e.g. 19045.

    Returns:
        ``unlisted`` where nothing is published (Server 2025, unknown editions), ``unsupported`` where it is known not
        to work: Windows Home and builds older than 1809.
    """
    if build < OLDEST_BUILD or edition.casefold().startswith("core"):
        return "unsupported"
    kind = "Server" if installation_type.casefold().startswith("server") else "Client"
    plain = re.sub(r"(Eval|N|K|KN|EvalCor|Cor)$", "", edition)
    listed = {name.casefold() for name in SUPPORTED_EDITIONS[kind]}
    if kind == "Server" and build >= UNLISTED_SERVER_BUILD:
        return "unlisted"
    return "supported" if plain.casefold() in listed or edition.casefold() in listed else "unlisted"
