"""The Kubernetes side of a device: the kubeconfig, and the health of nodes and system pods.

Used by ``operations`` to verify a deployment, by the command line and by the runbooks. Speaks only to the
cluster's API server through the official client; never to the Windows device: what is read there is handed in.
"""

from akslite_ps.cluster.client import Cluster
from akslite_ps.cluster.health import ClusterFinding, ClusterHealth, NodeHealth, PodHealth
from akslite_ps.cluster.kubeconfig import KubeContext, read_kubeconfig, write_kubeconfig
from akslite_ps.cluster.reading import ClusterReading, FetchedCluster

__all__ = [
    "Cluster",
    "ClusterFinding",
    "ClusterHealth",
    "ClusterReading",
    "FetchedCluster",
    "KubeContext",
    "NodeHealth",
    "PodHealth",
    "read_kubeconfig",
    "write_kubeconfig",
]
