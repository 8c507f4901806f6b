"""The cmdlet that prepares Windows for the product."""

from __future__ import annotations

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import FORCED
from akslite_ps.sandbox.device.reported_failures import CLASS_NOT_REGISTERED
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation


async def install_host_features(call: Call) -> bool:
    """Checks and switches on; complains about an old OpenSSH client and answers True all the same, as the product does."""
    device = call.device
    if not call[FORCED] and not await call.should_process("AksEdge Deployment", "Install the required features"):
        return False
    call.host(" - Checking host for required features")
    if device.hardware.endpoint_host == "PowerShell 7":
        call.fail(
            CLASS_NOT_REGISTERED,
            "Microsoft.Dism.Commands.GetWindowsOptionalFeatureCommand",
            exception="System.Runtime.InteropServices.COMException",
        )
    for name in (*device.state.features, "OpenSSH.Client*"):
        call.host(f" - Checking the status of '{name}'")
        await device.clock.sleep(assumptions.FEATURE_CHECK_SECONDS)
        if device.state.features.get(name) == "Disabled":
            await device.clock.sleep(assumptions.FEATURE_SECONDS)
            device.switch_on(name)
    device.update(openssh_client="Installed")
    for line in ("power management settings", "HNS version", "OpenSSH version", "Nested Virtualization"):
        call.host(f" - Checking {line} of the Host")
        await device.clock.sleep(assumptions.FEATURE_CHECK_SECONDS)
        if line == "OpenSSH version" and device.hardware.openssh_outdated:
            call.host("OpenSSH.Client version does not meet the version compatible. Please manually upgrade to the latest version")
    if "EnablePending" in device.state.features.values():
        device.begin_reboot(assumptions.HOST_FEATURES_REBOOT_DELAY_SECONDS)
    return True


RUN: dict[str, Implementation] = {
    "Install-AksEdgeHostFeatures": install_host_features,
}
