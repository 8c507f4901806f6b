"""Simulated Kubernetes clusters, as AKS Edge Essentials deploys them, behind a real HTTPS API."""

from akslite_ps.sandbox.kubernetes.api import KubernetesApi
from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster
from akslite_ps.sandbox.kubernetes.nodes import NodeSpec

__all__ = ["KubernetesApi", "NodeSpec", "SimulatedCluster"]
