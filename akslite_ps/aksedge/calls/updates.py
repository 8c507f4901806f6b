"""The cmdlets of an update, in the order of its three phases. After the first the module is a new one: open a new session."""

from __future__ import annotations

from akslite_ps.aksedge.calls.answers import truth
from akslite_ps.aksedge.calls.deployments import QUERY_LIMIT_S
from akslite_ps.aksedge.calls.described import cmdlet
from akslite_ps.aksedge.calls.sending import Sender
from akslite_ps.aksedge.session_port import OnRecord

UPDATE_LIMIT_S = 3600.0


class UpdateCalls(Sender):
    """Update cmdlets."""

    @cmdlet("Get-AksEdgeUpgrade")
    def get_upgrade(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether the device takes updates that bring a new minor version of Kubernetes."""
        return truth(self.call("Get-AksEdgeUpgrade", timeout_s=timeout_s))

    @cmdlet("Set-AksEdgeUpgrade")
    def set_upgrade(self, accept_upgrade: bool, *, timeout_s: float = QUERY_LIMIT_S) -> None:
        """Say whether it does.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Set-AksEdgeUpgrade", timeout_s=timeout_s, AcceptUpgrade=accept_upgrade)

    @cmdlet("Start-AksEdgeUpdate")
    def start_update(self, *, timeout_s: float = UPDATE_LIMIT_S, on_record: OnRecord | None = None) -> str:
        """First phase: the product on the host is replaced. Needs a staged update.

        Returns:
            Its answer, which names the phases that follow.

        Raises:
            CmdletFailed: It ended with an error.
        """
        answer = self.call("Start-AksEdgeUpdate", timeout_s=timeout_s, on_record=on_record)
        return "\n".join(str(value).strip() for value in answer.output if value is not None)

    @cmdlet("Start-AksEdgeControlPlaneUpdate")
    def start_control_plane_update(
        self, *, first_control_plane: bool, timeout_s: float = UPDATE_LIMIT_S, on_record: OnRecord | None = None
    ) -> None:
        """Second phase, on each machine of the control plane in turn, in a session opened after the first phase.

        Args:
            first_control_plane: This is the first machine of the cluster to be updated.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call(
            "Start-AksEdgeControlPlaneUpdate", timeout_s=timeout_s, on_record=on_record, firstControlPlane=first_control_plane
        )

    @cmdlet("Start-AksEdgeWorkerNodeUpdate")
    def start_worker_node_update(self, *, timeout_s: float = UPDATE_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Third phase, on machines with worker nodes.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Start-AksEdgeWorkerNodeUpdate", timeout_s=timeout_s, on_record=on_record)
