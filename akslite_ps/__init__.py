"""akslite-ps: operate AKS Edge Essentials devices over PowerShell Remoting.

The public names load on first use, so that importing one room does not load the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    "AksLiteError": "akslite_ps.errors",
    "Cluster": "akslite_ps.cluster",
    "DeploymentConfig": "akslite_ps.aksedge.config",
    "Device": "akslite_ps.remoting",
    "Endpoint": "akslite_ps.remoting",
    "Inventory": "akslite_ps.fleet.inventory",
    "Journal": "akslite_ps.journal",
    "Outcome": "akslite_ps.outcome",
    "Session": "akslite_ps.remoting",
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


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
