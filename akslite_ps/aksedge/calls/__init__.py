"""Typed calls of the product's cmdlets on a session: checked against the catalog, quiet, failures with cause and remedy.

Used by operations and by people in notebooks. Each call sends exactly one command. What the product's cmdlets
cannot be trusted in is settled here: an answer other than "OK" is a failure, a True with complaints is not all
well, and no call ever waits for an answer that nobody can give.
"""

from akslite_ps.aksedge.calls.answers import HostFeatures, NetworkCheck, NodeAddress
from akslite_ps.aksedge.calls.arc import ArcCalls
from akslite_ps.aksedge.calls.deployments import DeploymentCalls
from akslite_ps.aksedge.calls.evidence import EvidenceCalls
from akslite_ps.aksedge.calls.nodes import NodeCalls, NodeType, ScaleConfig
from akslite_ps.aksedge.calls.sending import explained, with_role
from akslite_ps.aksedge.calls.updates import UpdateCalls

__all__ = [
    "AksEdge",
    "HostFeatures",
    "NetworkCheck",
    "NodeAddress",
    "NodeType",
    "ScaleConfig",
    "explained",
    "with_role",
]


class AksEdge(DeploymentCalls, NodeCalls, UpdateCalls, ArcCalls, EvidenceCalls):
    """The product's cmdlets on one session.

    One method per cmdlet, named like it (``Get-AksEdgeNodeAddr``: ``get_node_addr``); ``call`` runs any by name.

    Args:
        session: An open session on the device.
    """
