"""The cmdlets that allow, install and complete updates of the product."""

from __future__ import annotations

from akslite_ps.sandbox.commands.aksedge.parts import is_confirmed
from akslite_ps.sandbox.device.updates import Updater, UpdateRefused
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation

_TARGET = "AksEdge Deployment"


async def get_upgrade(call: Call) -> bool:
    return call.device.state.accepts_upgrade


async def set_upgrade(call: Call) -> None:
    call.device.update(accepts_upgrade=bool(call["AcceptUpgrade"]))


async def start_update(call: Call) -> str | None:
    if not await is_confirmed(call, _TARGET, "Update the product"):
        return None
    try:
        return await _updater(call).install()
    except UpdateRefused as refused:
        call.throw(str(refused))


async def start_control_plane_update(call: Call) -> None:
    if not await is_confirmed(call, _TARGET, "Update the control plane node"):
        return
    try:
        await _updater(call).update_control_plane(first=bool(call["firstControlPlane"]))
    except UpdateRefused as refused:
        call.throw(str(refused))


async def start_worker_node_update(call: Call) -> None:
    if not await is_confirmed(call, _TARGET, "Update the worker nodes"):
        return
    try:
        await _updater(call).update_workers()
    except UpdateRefused as refused:
        call.throw(str(refused))


def _updater(call: Call) -> Updater:
    return Updater(call.device, call, call.info.version)


RUN: dict[str, Implementation] = {
    "Get-AksEdgeUpgrade": get_upgrade,
    "Set-AksEdgeUpgrade": set_upgrade,
    "Start-AksEdgeControlPlaneUpdate": start_control_plane_update,
    "Start-AksEdgeUpdate": start_update,
    "Start-AksEdgeWorkerNodeUpdate": start_worker_node_update,
}
