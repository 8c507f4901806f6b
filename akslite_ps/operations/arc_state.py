"""How a device's cluster stands to Azure Arc: what the product says, and the agents' pods. Only reads.

Called by ``operations.arc``, ``arc_steps``, ``remove`` and ``change``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import CmdletFailed, NotPermitted

if TYPE_CHECKING:
    from akslite_ps.remoting import Session

AGENTS = "azure-arc"
"""The namespace of the agents."""


@dataclass(frozen=True, slots=True)
class ArcState:
    """How a device's cluster stands to Azure Arc.

    Args:
        connected: The product says that it is connected.
        agents: State of each pod of the agents by name, empty where there are none; None where the cluster cannot be read.
    """

    connected: bool
    agents: Mapping[str, str] | None = field(default_factory=dict)

    @property
    def registered(self) -> bool | None:
        """Whether Azure may know the cluster; None where it cannot be told."""
        if self.connected:
            return True
        return None if self.agents is None else bool(self.agents)

    @property
    def sentence(self) -> str:
        """The state for people."""
        if self.connected:
            return "connected to Azure Arc"
        if self.agents is None:
            return "not connected to Azure Arc; its agents could not be read"
        if not self.agents:
            return "not connected to Azure Arc"
        late = [name for name, phase in self.agents.items() if phase != "Running"]
        return f"not connected to Azure Arc, though its agents are there; {len(late)} of {len(self.agents)} pods do not run"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"connected": self.connected, "agents": None if self.agents is None else dict(self.agents)}


def read_arc(session: Session) -> ArcState:
    """Read how the device's cluster stands to Azure Arc.

    Raises:
        RemotingError: The device cannot be read.
        CmdletFailed: The product does not tell.
    """
    from akslite_ps.aksedge.calls import AksEdge
    from akslite_ps.aksedge.ops import workload

    connected = AksEdge(session).test_arc_connection()
    try:
        found = workload(session, "Pods", namespace=AGENTS).get("items") or []
    except (CmdletFailed, NotPermitted):
        return ArcState(connected, None)
    return ArcState(connected, {item["metadata"]["name"]: item.get("status", {}).get("phase", "Unknown") for item in found})
