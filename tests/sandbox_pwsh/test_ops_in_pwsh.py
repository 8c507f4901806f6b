"""Our device-side module AksLiteOps, run for real on a device whose PowerShell is real, through our own client."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from akslite_ps.aksedge import ops
from akslite_ps.aksedge.host_facts import HostFacts
from akslite_ps.errors import CmdletFailed
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session

if TYPE_CHECKING:
    from conftest import Devices

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH"),
]
programs = pytest.mark.skipif(
    sys.platform == "win32", reason="the stand-ins for programs of Windows are copies of an installed launcher there"
)


def opened(devices: Devices, name: str) -> Session:
    session = devices.session(name)
    ops.ensure_ops(session)
    return session


def test_the_module_is_defined_in_the_session_once(shared: Devices) -> None:
    with shared.session(shared.pwsh) as session:
        assert session.language == "full"
        assert ops.ensure_ops(session) is True
        assert ops.ensure_ops(session) is False


def test_facts_are_those_the_embedded_engine_tells(shared: Devices) -> None:
    with opened(shared, shared.pwsh) as session, opened(shared, shared.embedded) as other:
        real, simulated = ops.host_facts(session), ops.host_facts(other)
    of_their_own = {"computer_name", "ip4_addresses", "boot_time", "local_time", "language_mode", "ui_language"}
    if sys.platform == "win32":
        of_their_own |= {"install_dir", "vhdx_dir"}
    fields = [name for name in HostFacts.model_fields if name not in of_their_own]
    assert {name: getattr(real, name) for name in fields} == {name: getattr(simulated, name) for name in fields}
    assert (real.computer_name, real.language_mode) == ("PRESS-02", "FullLanguage")
    assert real.boot_time == shared.sandbox.device(shared.pwsh).state.boot_time


def test_there_is_no_kubeconfig_without_a_deployment(shared: Devices) -> None:
    with opened(shared, shared.pwsh) as session, pytest.raises(CmdletFailed, match="create a deployment"):
        ops.kube_config(session)


@programs
def test_from_bare_windows_to_a_running_cluster(own: Devices, offline_config: str) -> None:
    device = own.sandbox.device(own.pwsh)
    with opened(own, own.pwsh) as session:
        change = ops.enable_host_features(session)
        assert change.reboot_required
        assert set(device.state.features.values()) == {"EnablePending"}
        due = ops.request_reboot(session, reason="features", delay_s=2)
        assert due.boot_time == device.state.boot_time
    own.settle(lambda: device.state.power == "on" and device.state.boot_time > due.boot_time)
    with opened(own, own.pwsh) as session:
        assert not ops.host_facts(session).pending_reboot
        wrong = ops.install_msi
        with pytest.raises(CmdletFailed, match="404"):
            wrong(session, source="https://example.invalid/other.msi")
        result = ops.install_msi(session, source="https://aka.ms/aks-edge/k3s-msi", vhdx_dir="C:\\disks")
        assert (result.exit_code, result.outcome) == (0, Outcome.CHANGED)
        assert device.state.product is not None
        assert (result.version, device.state.product.vhdx_dir) == (device.state.product.version, "C:\\disks")
    with opened(own, own.pwsh) as session:
        assert session.invoke("New-AksEdgeDeployment", JsonConfigString=offline_config).output == ["OK"]
        assert "clusters:" in ops.kube_config(session)
        assert {pod["kind"] for pod in ops.workload(session, "Pods", namespace="kube-system")["items"]} == {"Pod"}
        assert ops.workload(session, "Version")["major"] == "1"
        assert ops.host_facts(session).deployment_exists
    left = [path for path in Path(device.store.folder, "drive", "Windows", "AksLiteTemp").iterdir() if path.name != "logs"]
    assert left == []
