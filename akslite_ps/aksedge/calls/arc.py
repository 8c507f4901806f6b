"""The cmdlets for Azure Arc."""

from __future__ import annotations

from akslite_ps.aksedge.calls.answers import truth
from akslite_ps.aksedge.calls.deployments import QUERY_LIMIT_S
from akslite_ps.aksedge.calls.described import cmdlet
from akslite_ps.aksedge.calls.sending import Sender
from akslite_ps.aksedge.session_port import OnRecord

ARC_LIMIT_S = 1200.0


class ArcCalls(Sender):
    """Azure Arc cmdlets."""

    @cmdlet("Connect-AksEdgeArc")
    def connect_arc(self, config_json: str, *, timeout_s: float = ARC_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Connect the cluster to Azure Arc. A success here does not prove the connection: poll it afterwards.

        Args:
            config_json: A config with a complete Arc section as JSON text, secrets resolved.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.

        Raises:
            CmdletFailed: It answered neither OK nor True.
        """
        self._arc("Connect-AksEdgeArc", config_json, timeout_s, on_record)

    @cmdlet("Disconnect-AksEdgeArc")
    def disconnect_arc(self, config_json: str, *, timeout_s: float = ARC_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Take the cluster out of Azure Arc, and its resource out of Azure. Arguments as for :meth:`connect_arc`.

        Raises:
            CmdletFailed: It answered neither OK nor True.
        """
        self._arc("Disconnect-AksEdgeArc", config_json, timeout_s, on_record)

    @cmdlet("Test-AksEdgeArcConnection")
    def test_arc_connection(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether the cluster is connected to Azure Arc."""
        return truth(self.call("Test-AksEdgeArcConnection", timeout_s=timeout_s))

    def _arc(self, name: str, config_json: str, timeout_s: float, on_record: OnRecord | None) -> None:
        answer = self.call(name, timeout_s=timeout_s, on_record=on_record, check=False, JsonConfigString=config_json)
        self._must_say_ok(name, answer)
