"""The cmdlets that collect logs into an archive on the device's drive."""

from __future__ import annotations

from collections.abc import Callable

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import write_file
from akslite_ps.sandbox.device import host, log_bundle
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation


async def get_logs(call: Call) -> str:
    call.host("Collecting AksEdge logs")
    if not host.agent_runs(call.device):
        call.host(f" - {assumptions.AGENT_UNREACHABLE}")
    await call.device.clock.sleep(assumptions.LOGS_SECONDS)
    return _collect(call, "aksedgelogs", log_bundle.all_logs)


async def get_event_log(call: Call) -> str:
    call.host("Exporting AksEdge event log")
    await call.device.clock.sleep(assumptions.EVENT_LOG_SECONDS)
    return _collect(call, "aksedgeevents", log_bundle.event_log)


def _collect(call: Call, name: str, make: Callable[[SimulatedDevice], bytes]) -> str:
    device = call.device
    folder = call["OutputPath"] or assumptions.LOGS_FOLDER
    archive = make(device)
    if host.free_disk_gb(device) < assumptions.LOGS_NEED_GB:
        call.fail(assumptions.DISK_FULL, "IOException", "WriteError", exception="System.IO.IOException", target=folder)
    path = write_file(call, folder.rstrip("\\") + f"\\{name}-{device.now():%y%m%d-%H%M}.zip", archive)
    call.host(f" - {path}")
    return path


RUN: dict[str, Implementation] = {
    "Get-AksEdgeEventLog": get_event_log,
    "Get-AksEdgeLogs": get_logs,
}
