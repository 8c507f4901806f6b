"""The cmdlets of the Azure Arc connection."""

from __future__ import annotations

from akslite_ps.sandbox.commands.aksedge.parts import config_text, deployment_of
from akslite_ps.sandbox.device.arc import ArcConnector, connectivity
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation


async def connect_arc(call: Call) -> str:
    text = config_text(call)
    deployment_of(call)
    return await ArcConnector(call.device, call).connect(text)


async def disconnect_arc(call: Call) -> str:
    text = config_text(call)
    deployment_of(call)
    return await ArcConnector(call.device, call).disconnect(text)


async def test_arc_connection(call: Call) -> bool:
    return connectivity(call.device) == "Connected"


RUN: dict[str, Implementation] = {
    "Connect-AksEdgeArc": connect_arc,
    "Disconnect-AksEdgeArc": disconnect_arc,
    "Test-AksEdgeArcConnection": test_arc_connection,
}
