"""What the simulated cluster assumes where no source on AKS Edge Essentials says it, each with the reason.

One place, so that a person with a real device can correct it. Facts with a source are in the
modules that use them; durations are device seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Assumption(Generic[_T]):
    """A value that is assumed, and why this one."""

    value: _T
    reason: str


KUBE_VIP_PODS = Assumption(
    ("kube-vip-cloud-provider-ds", "kube-vip-ds"),
    "The K3s listing in Microsoft's training module (release 1.5) shows coredns and these two DaemonSets in kube-system and "
    "nothing else. Assumed for every release and, with the same names, for K8s.",
)
AZURE_LINUX_FROM_MINOR = Assumption(
    31,
    "The node moved from CBL-Mariner 2 to Azure Linux 3 with product release 1.11, whose Kubernetes is 1.31; an upgraded cluster "
    "that stays at 1.30 would show Azure Linux too.",
)
MARINER_KERNEL = Assumption(
    "5.15.133.1-1.cm2",
    "The kernel in the training module's listing (2024-01 image). Later Mariner images carry later patch numbers; "
    "here every update brings a node at least another build of its kernel.",
)
AZURE_LINUX_KERNEL = Assumption(
    "6.6.96.2-1.azl3", "Azure Linux 3 ships kernel 6.6; the patch number for image 3.0.20250822 is a guess."
)
CONTAINERD_VERSIONS = Assumption(
    {
        "K3s": {24: "1.6.8-k3s1", 26: "1.7.1-k3s1", 28: "1.7.7-k3s1", 30: "1.7.22-k3s1", 31: "2.0.2-k3s2", 33: "2.1.4-k3s1"},
        "K8s": {24: "1.6.8", 26: "1.6.22", 28: "1.6.26", 30: "1.7.13", 31: "2.0.0"},
    },
    "K3s 1.26 is from the training module's listing, the other K3s values from K3s's component lists, the K8s values from what "
    "CBL-Mariner and Azure Linux package. Keyed by the Kubernetes minor version they start with.",
)
WINDOWS_NODE_OS = Assumption(
    ("Windows 10 IoT Enterprise LTSC 2019", "10.0.17763.6293", "1.7.22"),
    "The product's Windows node image is documented as LTSC 2019 (build 17763); the training module's listing shows Server 2022. "
    "Patch number and containerd version are guesses.",
)
NODE_SIZE = Assumption(
    (2, 2048, 10), "Processors, memory in MB and disk in GB of the smallest sample config, used where the caller gives no sizes."
)
MANAGED_SERVICE_ACCOUNT = Assumption(
    ("kube-system", "aksedge-managed-service"),
    "Get-AksEdgeManagedServiceToken returns a service account token good enough to connect Azure Arc (cluster-admin). "
    "The account's real name is unknown.",
)
KUBECONFIG_NAMES = Assumption(
    {"K3s": ("default", "default", "default"), "K8s": ("kubernetes", "kubernetes-admin", "kubernetes-admin@kubernetes")},
    "Cluster, user and context as K3s and kubeadm write them; whether the product renames them is unknown.",
)
ADMIN_CLIENT_NAMES = Assumption(
    {"K3s": ("system:admin", "system:masters"), "K8s": ("kubernetes-admin", "kubeadm:cluster-admins")},
    "Subject of the admin client certificate as K3s and kubeadm (1.29 and later) issue it.",
)
ANONYMOUS_REQUESTS = Assumption(
    {"K3s": False, "K8s": True},
    "K3s starts its API server with anonymous-auth=false, kubeadm leaves the default true; the product's own flags are unknown.",
)
IMAGE_PULL_SECONDS = Assumption(6.0, "An image of some 50 MB over a site's uplink; preloaded system images take none.")
CONTAINER_START_SECONDS = Assumption(1.0, "containerd on a two-core VM starts a small container in about this time.")
CONTAINER_READY_SECONDS = Assumption(
    2.0, "Time until a readiness probe with default timing passes; without a probe a started container is ready at once."
)
CONTAINER_RUN_SECONDS = Assumption(
    5.0, "How long a container of a Job works where its command does not say so (sleep N); nothing runs in it really."
)
ESTABLISHING_SECONDS = Assumption(
    1.0, "From a new CustomResourceDefinition until its kind is served; a real server takes up to some seconds."
)
CONTAINER_STOP_SECONDS = Assumption(1.0, "Most containers end at SIGTERM at once; the grace period is the upper bound.")
IMAGE_BACKOFF_SECONDS = Assumption(10.0, "First back-off of the kubelet after a failed pull; the real one doubles up to 300 s.")
UNPULLABLE_IMAGE_HOSTS = Assumption(
    (".invalid", "localhost"),
    "Images from these hosts can never be pulled, so a lesson or test can make ImagePullBackOff on purpose. "
    "Everything else is taken as existing.",
)
SYSTEM_IMAGES = Assumption(
    {
        "coredns": "mcr.microsoft.com/oss/kubernetes/coredns:v1.12.3",
        "kube-vip": "mcr.microsoft.com/oss/kube-vip/kube-vip:v0.8.2",
        "kube-vip-cloud-provider": "mcr.microsoft.com/oss/kube-vip/kube-vip-cloud-provider:v0.0.10",
        "calico-node": "mcr.microsoft.com/oss/calico/node:v3.28.2",
        "calico-kube-controllers": "mcr.microsoft.com/oss/calico/kube-controllers:v3.28.2",
        "etcd": "mcr.microsoft.com/oss/etcd-io/etcd:v3.5.15",
        "kubernetes": "mcr.microsoft.com/oss/kubernetes/",
    },
    "System images are inside the VM; Microsoft publishes these components under mcr.microsoft.com/oss. "
    "Names and tags are guesses.",
)
CALICO_PODS = Assumption(
    ("calico-kube-controllers", "calico-node"),
    "K8s uses the calico plugin (sample config); these are the two workloads of calico's manifest install in kube-system. "
    "An operator install would use the namespace calico-system.",
)
MOST_PODS_PER_SET = Assumption(
    250,
    "A real cluster goes on creating pods that find no room (110 per node) until it starves; the simulated one stops here. "
    "No lesson or test needs more.",
)
ARC_AGENTS = Assumption(
    {
        "cluster-metadata-operator": 2,
        "clusterconnect-agent": 3,
        "clusteridentityoperator": 2,
        "config-agent": 2,
        "controller-manager": 2,
        "extension-events-collector": 2,
        "extension-manager": 3,
        "flux-logs-agent": 1,
        "kube-aad-proxy": 2,
        "metrics-agent": 2,
        "resource-sync-agent": 2,
    },
    "Microsoft's scripts wait for 11 deployments in the namespace azure-arc. The names and the number of containers in each pod "
    "are those that users of Arc-enabled clusters show in issue threads; they change with the agents' version.",
)
ARC_AGENT_VERSION = Assumption("1.30.3", "The agents update themselves; which version a release installs is not published.")
ARC_IDENTITY_SECRET = Assumption(
    "azure-identity-certificate",
    "The agents' pods mount the certificate that Azure issues once the cluster is registered, and wait in ContainerCreating "
    "without it (FailedMount in issue threads). Which agents mount it under which name is simplified to: all but the two that "
    "get it.",
)
ARC_HELM_NAMESPACE = Assumption(
    "azure-arc-release", "Where the chart's release is recorded: older agents used the namespace default, newer ones this."
)
