"""An installer on this machine: copied to the device, run there, deleted there; breaks in between, and where it cannot be."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.errors import SessionLost, UsageError
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, MsiSource, Plan, Run, apply, install, install_push
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import file_copy
from akslite_ps.sandbox.device import installer

if TYPE_CHECKING:
    from conftest import SimulatedHost

NAME = "AksEdge-K3s-1.33.5-1.12.269.0.msi"
THERE = f"C:\\Windows\\Temp\\{NAME}"
needs_pwsh = pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The installer as simulated devices know it."""
    package = installer.find_package(NAME)
    assert package is not None
    path = tmp_path / NAME
    path.write_bytes(package.content)
    return path


@pytest.fixture
def go(journal: Journal, operator: Controller) -> Callable[[Plan, SimulatedHost], Run]:
    return lambda plan, host: apply(plan, host.device, approved_hash=plan.hash, journal=journal, controller=operator)


def only(plan: Plan, *step_ids: str) -> Plan:
    """A plan of these of its steps."""
    return plan.model_copy(update={"steps": tuple(step for step in plan.steps if step.id in step_ids)})


@pytest.mark.pwsh
@needs_pwsh
class TestWithPowerShell:
    def test_it_is_copied_run_and_deleted(self, simulated_in_powershell: SimulatedHost, go: Any, file: Path) -> None:
        host, source = simulated_in_powershell, MsiSource.pushed(file)
        plan = install.plan(host.device, source)
        assert [step.id for step in plan.steps] == [install_push.PUSH, install.MSI, install_push.TIDY, install.HOST_CHECK]
        assert not plan.blocked

        run = go(only(plan, install_push.PUSH, install.MSI, install_push.TIDY), host)

        assert [result.outcome for result in run.results] == [Outcome.CHANGED] * 3, run.results
        assert host.state.product is not None
        assert host.state.product.version == "1.12.269.0"
        drive = host.sandbox.device(host.name).drive
        assert drive.read(THERE) is None
        assert [step.id for step in install.plan(host.device, source).steps if step.needed] == [install.HOST_CHECK]

    def test_a_copy_that_breaks_goes_on_where_it_stopped(
        self, simulated_in_powershell: SimulatedHost, go: Any, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_copy, "PIECE_BYTES", 8)
        written: list[int] = []
        write = file_copy._Device.write

        def breaking(device: Any, path: str, offset: int, data: bytes) -> None:
            written.append(offset)
            if len(written) == 3:
                device._session.close()
                raise SessionLost("the connection is lost", device="press-01")
            write(device, path, offset, data)

        monkeypatch.setattr(file_copy._Device, "write", breaking)
        host = simulated_in_powershell
        run = go(only(install.plan(host.device, MsiSource.pushed(file)), install_push.PUSH), host)

        assert run.outcome is Outcome.CHANGED, run.results[-1]
        assert host.sandbox.device(host.name).drive.read(THERE) == file.read_bytes()
        assert written[:4] == [0, 8, 16, 16]
        assert written.count(0) == 1

    def test_another_file_than_the_plan_was_made_for_is_not_run(
        self, simulated_in_powershell: SimulatedHost, go: Any, file: Path
    ) -> None:
        host = simulated_in_powershell
        plan = only(install.plan(host.device, MsiSource.pushed(file)), install_push.PUSH)
        file.write_bytes(file.read_bytes() + b"more")

        run = go(plan, host)

        assert run.outcome is Outcome.FAILED
        assert "is not the file that the plan was made for" in run.results[-1].detail
        assert host.state.product is None

    def test_a_share_and_a_path_of_the_device_are_taken_by_the_device_itself(
        self, simulated_in_powershell: SimulatedHost, go: Any, file: Path
    ) -> None:
        host = simulated_in_powershell
        host.sandbox.device(host.name).drive.write(f"C:\\installers\\{NAME}", file.read_bytes())
        run = go(only(install.plan(host.device, MsiSource.of(f"C:\\installers\\{NAME}")), install.MSI), host)
        assert run.outcome is Outcome.CHANGED, run.results[-1]
        assert host.state.product is not None


def test_an_endpoint_without_scripts_is_told_before_anything_is_done(simulated: SimulatedHost, file: Path) -> None:
    plan = install.plan(simulated.device, MsiSource.pushed(file))
    (finding,) = [finding for finding in plan.findings if finding.severity == "error"]
    assert finding.check == "scripts"
    assert "--msi" in finding.action
    assert plan.blocked


def test_its_checksum_is_its_own_and_has_to_be_the_one_that_was_given(file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    source = MsiSource.pushed(file, sha256=digest.upper())
    assert (source.sha256, source.source, source.file) == (digest, THERE, str(file.resolve()))
    assert (source.distribution, source.version) == ("K3s", "1.12.269.0")
    with pytest.raises(UsageError, match="is " + digest):
        MsiSource.pushed(file, sha256="0" * 64)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.msi", None, "cannot be read: No such file"),
        ("readme.txt", b"text", "no name of an .msi file"),
        ("page.msi", b"<html>404</html>", "no Windows installer package"),
        ("renamed.msi", installer.INSTALLER_HEAD + b"renamed", "distribution"),
    ],
)
def test_what_is_no_installer_is_said_here(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        MsiSource.pushed(path)


def test_a_windows_node_needs_files_beside_the_installer(file: Path) -> None:
    with pytest.raises(UsageError, match="put them on a share"):
        MsiSource.pushed(file).placed(install_dir=None, vhdx_dir=None, features=("WindowsNodeFeature",))
