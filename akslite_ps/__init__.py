"""akslite-ps: operate AKS Edge Essentials devices over PowerShell Remoting.

The public names load on first use, so that importing one room does not load the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig as DeploymentConfig
    from akslite_ps.cluster import Cluster as Cluster
    from akslite_ps.errors import AksLiteError as AksLiteError
    from akslite_ps.fleet.inventory import Inventory as Inventory
    from akslite_ps.journal import Journal as Journal
    from akslite_ps.outcome import Outcome as Outcome
    from akslite_ps.remoting import Device as Device
    from akslite_ps.remoting import Endpoint as Endpoint
    from akslite_ps.remoting import Session as Session

_PLACES = {
    "AksLiteError": "errors",
    "Cluster": "cluster",
    "DeploymentConfig": "aksedge.config",
    "Device": "remoting",
    "Endpoint": "remoting",
    "Inventory": "fleet.inventory",
    "Journal": "journal",
    "Outcome": "outcome",
    "Session": "remoting",
}

__all__ = [
    "AksLiteError",
    "Cluster",
    "DeploymentConfig",
    "Device",
    "Endpoint",
    "Inventory",
    "Journal",
    "Outcome",
    "Session",
    "__version__",
]


__getattr__, __dir__ = lazy_names(__name__, _PLACES)
