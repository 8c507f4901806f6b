"""What the product takes and a person should know before deploying: previews, small disks, settings without effect.

Called by ``DeploymentConfig.advice``; the rules of what is refused are in ``config.rules``. Sources: Microsoft's
how-to pages and issue threads of Azure/AKS-Edge; nothing here stops anybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from akslite_ps.aksedge.config.reading import Shown
from akslite_ps.aksedge.config.rules import CLUSTER_NETWORKS, Facts, Rule, named_nodes
from akslite_ps.errors import ConfigIssue

GITOPS_CPUS = 4
GITOPS_MEMORY_MB = 4096
_FULL_LOG_DISK_GB = 2
_PROXY_EXCEPTIONS = ("localhost", "127.0.0.0/8", ".svc", "169.254.169.254")


def _preview_parts(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.config.machine.windows_node is not None:
        reason = "Windows nodes are experimental and need an installation with the WindowsNodeFeature"
        yield ConfigIssue("Machines[0].WindowsNode", Shown("asked for"), "a Linux node only, for production", reason)
    if facts.config.is_join:
        reason = "clusters of several machines are experimental; the token lives 24 hours and only the latest one works"
        yield ConfigIssue("Join", Shown("given"), "a cluster of one machine, for production", reason)
    if any(".GpuPassthrough." in path for path in facts.values):
        reason = "GPU sharing is a preview: client Windows only, not in nested virtualisation, broken on Windows 11 24H2 up to 1.10"
        yield ConfigIssue("Machines[0].LinuxNode.GpuPassthrough", Shown("asked for"), "no GPU, for production", reason)
    if facts.config.aio_deploy is not None:
        yield facts.issue("AioDeploy", "nothing", "no published table has it; it is tolerated, not supported")


def _kms_on_several_nodes(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.config.init.kms_plugin.enable and (facts.is_scalable or len(facts.config.nodes) > 1):
        reason = "in preview it was for single-node clusters only; the page of Repair-AksEdgeKms also names scalable ones"
        yield facts.issue("Init.KmsPlugin.Enable", "false, to be safe", reason)


def _without_effect_on_a_single_machine(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.is_scalable:
        return
    automatic = ["Init.ServiceIPRangeStart", "Machines[0].NetworkConnection.AdapterName"]
    automatic += [f"Machines[0].{name}.Ip4Address" for name in named_nodes(facts)]
    for path in automatic:
        if path in facts.values:
            reason = "addresses and switch of a single machine are made automatically; sources disagree whether a value is refused"
            yield facts.issue(path, "nothing in a SingleMachineCluster", reason)


def _sizes_for_azure_arc(facts: Facts) -> Iterator[ConfigIssue]:
    linux = facts.config.machine.linux_node
    if linux is None or not any(path.startswith("Arc.") for path in facts.values):
        return
    if linux.log_size_in_gb < _FULL_LOG_DISK_GB:
        reason = "with Azure Arc or IoT Operations 1 GB of log disk fills within days, and it cannot grow later"
        yield facts.issue("Machines[0].LinuxNode.LogSizeInGB", "2 or more", reason)
    gitops = "GitOps through Azure Arc needs it, and it cannot be changed later"
    if linux.cpu_count < GITOPS_CPUS:
        yield facts.issue("Machines[0].LinuxNode.CpuCount", f"{GITOPS_CPUS} or more", gitops)
    if linux.memory_in_mb < GITOPS_MEMORY_MB:
        yield facts.issue("Machines[0].LinuxNode.MemoryInMB", f"{GITOPS_MEMORY_MB} or more", gitops)
    if facts.config.init.service_ip_range_size == 0:
        yield facts.issue("Init.ServiceIPRangeSize", "1 or more", gitops)


def _proxy_leaves_the_cluster_alone(facts: Facts) -> Iterator[ConfigIssue]:
    proxy = facts.config.network.proxy
    if proxy.http is None and proxy.https is None:
        return
    given = {part.strip().casefold() for part in (proxy.no or "").split(",")}
    needed = [*_PROXY_EXCEPTIONS, *(CLUSTER_NETWORKS[facts.distribution] if facts.distribution else ())]
    missing = [entry for entry in needed if entry not in given]
    if missing:
        reason = "these must be reached without the proxy, as must the nodes' subnet; it is fixed at deployment"
        yield facts.issue("Network.Proxy.No", "a list that also holds " + ", ".join(missing), reason)


def _offline_needs(facts: Facts) -> Iterator[ConfigIssue]:
    if facts.config.network.internet_disabled:
        reason = (
            "offline devices still need a default gateway on the adapter, and Microsoft's root and code signing "
            "certificates of 2011; commercial use needs a volume licence"
        )
        yield facts.issue("Network.InternetDisabled", "true, where the device is prepared for it", reason)


ADVICE_RULES: tuple[Rule, ...] = (
    _preview_parts,
    _kms_on_several_nodes,
    _without_effect_on_a_single_machine,
    _sizes_for_azure_arc,
    _proxy_leaves_the_cluster_alone,
    _offline_needs,
)
