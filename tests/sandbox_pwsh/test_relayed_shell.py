"""A real PowerShell behind the listener: unmodified pypsrp on one side, the engine's own PSRP on the other."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.pwsh.engine_process import ProcessSlots

if TYPE_CHECKING:
    from conftest import Devices

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH"),
]

Run = Callable[..., PowerShell]

ENDLESS = "1; while ($true) { Start-Sleep -Milliseconds 20; 'x' * 100 }"


def begun(pool: RunspacePool, script: str, *, output: int = 1) -> PowerShell:
    """A pipeline that has written something."""
    pipeline = PowerShell(pool)
    pipeline.add_script(script)
    pipeline.begin_invoke()
    while len(pipeline.output) < output:
        pipeline.poll_invoke(timeout=1)
    return pipeline


def test_the_session_stands_for_windows_powershell_and_says_what_runs_it(run: Run) -> None:
    (table,) = run("$PSVersionTable").output
    assert str(table["PSVersion"]).startswith("5.1.")
    assert str(table["SimulatedBy"]).startswith("PowerShell 7.")
    name, place = run("$env:COMPUTERNAME; Get-Location | ForEach-Object Path").output
    assert name == "PRESS-02"
    if sys.platform != "win32":
        assert place.replace("/", "\\") == "C:\\Users\\aksadmin\\Documents"


def test_the_whole_language_is_there(run: Run) -> None:
    script = (
        "function f($x) { switch ($x) { 1 { 'one' } default { 'more' } } }; 1..2 | ForEach-Object { f $_ }; "
        "try { 1 / 0 } catch { 'caught' }"
    )
    assert run(script).output == ["one", "more", "caught"]


def test_streams_come_back_and_a_failure_is_one(run: Run) -> None:
    pipeline = run("'out'; Write-Warning 'careful'; Write-Verbose 'more' -Verbose; Write-Host 'seen'; throw 'boom'")
    assert pipeline.output == ["out"]
    assert [w.message for w in pipeline.streams.warning] == ["careful"]
    assert [v.message for v in pipeline.streams.verbose] == ["more"]
    assert [str(e) for e in pipeline.streams.error] == ["boom"]
    assert pipeline.state == PSInvocationState.FAILED


def test_large_input_and_output_pass(pool: RunspacePool) -> None:
    pipeline = PowerShell(pool)
    pipeline.add_script("$input | ForEach-Object { $_.Length; $_ }")
    pipeline.invoke(["a" * 300_000, "b" * 2])
    pipeline.close()
    assert pipeline.output == [300_000, "a" * 300_000, 2, "bb"]


def test_a_stop_ends_the_pipeline_while_output_streams(pool: RunspacePool, run: Run) -> None:
    pipeline = begun(pool, ENDLESS, output=3)
    pipeline.stop()
    assert pipeline.state == PSInvocationState.STOPPED
    pipeline.close()
    assert run("'next'").output == ["next"]


def test_a_released_pipeline_is_invoked_again_under_its_id(pool: RunspacePool) -> None:
    pipeline = PowerShell(pool)
    pipeline.add_script("1 + 1")
    for _ in range(4):
        assert pipeline.invoke() == [2]
        pipeline.close()
        pipeline.clear_streams()


def test_the_same_client_leaves_and_comes_back(shared: Devices) -> None:
    with shared.connection(shared.pwsh) as wsman, RunspacePool(wsman) as pool:
        pipeline = begun(pool, "$PID; Start-Sleep -Milliseconds 300; 'late'")
        pool.disconnect()
        pool.connect()
        pipeline.connect_async()
        pipeline.end_invoke()
        assert pipeline.output[-1] == "late"
        pipeline.close()


def test_another_client_takes_over_and_collects_the_rest(shared: Devices) -> None:
    with shared.connection(shared.pwsh) as first, shared.connection(shared.pwsh) as second:
        left = RunspacePool(first)
        left.open()
        begun(left, "'early'; Start-Sleep -Milliseconds 300; 'late'")
        left.disconnect()
        (found,) = [pool for pool in RunspacePool.get_runspace_pools(second) if pool.id == left.id]
        (pipeline,) = found.create_disconnected_power_shells()
        found.connect()
        assert pipeline.connect()[-1] == "late"
        pipeline.close()
        assert found.get_available_runspaces() == 1
        found.close()


def test_the_process_ends_with_its_shell(shared: Devices, pool: RunspacePool) -> None:
    before = shared.processes(shared.pwsh)
    with shared.connection(shared.pwsh) as wsman:
        with RunspacePool(wsman) as other:
            begun(other, ENDLESS)
            assert shared.processes(shared.pwsh) == before + 1
        assert shared.processes(shared.pwsh) == before


def test_a_process_that_ends_by_itself_takes_the_shell_along(shared: Devices) -> None:
    with shared.connection(shared.pwsh) as wsman:
        pool = RunspacePool(wsman)
        pool.open()
        with pytest.raises(WSManFaultError) as ended:
            PowerShell(pool).add_script("[Environment]::Exit(3)").invoke()
        assert ended.value.code == 1726
        assert "with code 3" in ended.value.reason
        with pytest.raises(WSManFaultError) as gone:
            PowerShell(pool).add_script("1").invoke()
        assert gone.value.code == 2150858843


def test_a_client_that_makes_no_sense_hears_it_at_once_and_the_process_is_gone(shared: Devices) -> None:
    """The process itself would stay and say nothing any more."""
    before = shared.processes(shared.pwsh)
    with shared.connection(shared.pwsh) as wsman:
        pool = RunspacePool(wsman)
        pool.open()
        body = struct.pack("<II", 2, 0x21007) + uuid.UUID(pool.id).bytes_le + bytes(16) + b"<Obj"
        pool.shell.send("stdin", struct.pack(">QQBI", 99, 0, 3, len(body)) + body)
        with pytest.raises(WSManFaultError) as ended:
            pool.shell.receive("stdout")
        assert ended.value.code == 1726
        assert "Remote transport error" in ended.value.reason
    shared.settle(lambda: shared.processes(shared.pwsh) == before)


def test_a_restart_of_the_device_ends_its_processes(own: Devices) -> None:
    with own.connection(own.pwsh) as wsman:
        pool = RunspacePool(wsman)
        pool.open()
        begun(pool, ENDLESS)
        own.sandbox.reboot(own.pwsh)
        assert own.processes(own.pwsh) == 0
    with own.connection(own.pwsh) as wsman, RunspacePool(wsman) as pool:
        assert PowerShell(pool).add_script("'up'").invoke() == ["up"]


def test_there_are_only_so_many_processes(own: Devices) -> None:
    own.sandbox._sandbox._process_slots = ProcessSlots(1)
    with own.connection(own.pwsh) as wsman, own.connection(own.pwsh) as another, RunspacePool(wsman):
        with pytest.raises(WSManFaultError, match="runs 1 PowerShell processes, which is all it may") as full:
            RunspacePool(another).open()
        assert full.value.code == 2150859173


def test_a_powershell_that_does_not_start_is_a_clear_fault(own: Devices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with own.connection(own.pwsh) as wsman, pytest.raises(WSManFaultError, match="no pwsh on PATH"):
        RunspacePool(wsman).open()
    broken = tmp_path / ("pwsh.bat" if sys.platform == "win32" else "pwsh")
    broken.write_text("exit 3" if sys.platform == "win32" else "#!/bin/sh\necho no such framework >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    with own.connection(own.pwsh) as wsman, pytest.raises(WSManFaultError, match=r"ended at once"):
        RunspacePool(wsman).open()
    assert own.processes(own.pwsh) == 0


def test_without_powershell_no_such_device_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no pwsh on PATH"), LocalSandbox(tmp_path / "sandbox", engine="pwsh"):
        pass


def test_restricted_endpoints_stay_without_language(shared: Devices) -> None:
    before = shared.processes(shared.pwsh)
    with shared.connection(shared.pwsh) as wsman, RunspacePool(wsman, configuration_name="AksLite.Operator") as pool:
        pipeline = PowerShell(pool)
        pipeline.add_script("1")
        pipeline.invoke()
        assert "syntax is not supported by this runspace" in str(pipeline.streams.error[0])
        assert shared.processes(shared.pwsh) == before


HOLD = """
import sys
from pathlib import Path
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from akslite_ps.sandbox import LocalSandbox
with LocalSandbox(Path(sys.argv[1]), engine="pwsh") as sandbox:
    device = sandbox.devices[0]
    wsman = WSMan(device.address, port=device.http_port, ssl=False, username=device.username,
                  password=device.password_file.read_text(encoding="utf-8"))
    pool = RunspacePool(wsman)
    pool.open()
    pipeline = PowerShell(pool)
    pipeline.add_script("$PID; while ($true) { Start-Sleep -Milliseconds 50 }")
    pipeline.begin_invoke()
    while not pipeline.output:
        pipeline.poll_invoke(timeout=1)
    print(pipeline.output[0], flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the process in /proc")
def test_no_process_is_left_where_the_sandbox_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "sandbox")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        process = Path("/proc", holder.stdout.readline().strip())
        assert process.is_dir()
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 15
    while process.is_dir() and "\nState:\tZ" not in (process / "status").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, "the PowerShell process outlives the sandbox"
        time.sleep(0.02)
