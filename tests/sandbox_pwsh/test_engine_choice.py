"""Which engine a device has is chosen when it is made, kept with it, and shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import LocalSandbox, SandboxDevice
from akslite_ps.sandbox.pwsh import program
from akslite_ps.sandbox.supervisor import check_engine

needs_pwsh = pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH")


def test_unless_told_otherwise_it_is_the_embedded_one(tmp_path: Path) -> None:
    with LocalSandbox(tmp_path) as sandbox:
        (device,) = sandbox.devices
    assert device.engine == "embedded"


@needs_pwsh
@pytest.mark.pwsh
def test_a_device_keeps_its_engine(tmp_path: Path) -> None:
    with LocalSandbox(tmp_path, devices=2, engine=("pwsh", "embedded")) as sandbox:
        assert [device.engine for device in sandbox.devices] == ["pwsh", "embedded"]
    with LocalSandbox(tmp_path, devices=2) as sandbox:
        devices = sandbox.devices
    assert [device.engine for device in devices] == ["pwsh", "embedded"]
    assert SandboxDevice.from_dict(devices[0].to_dict()) == devices[0]


def test_an_engine_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no engine 'python'"):
        check_engine("python")


def test_powershell_is_looked_for_on_the_path_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.find_program() is None
    monkeypatch.setattr(program.sys, "platform", "win32")
    monkeypatch.setattr(program.shutil, "which", lambda name: "C:\\Windows\\powershell.exe" if name == "powershell" else None)
    found = program.find_program()
    assert found is not None
    assert (found.path, found.edition) == ("C:\\Windows\\powershell.exe", "Desktop")
    monkeypatch.setattr(program.shutil, "which", lambda name: f"C:\\{name}.exe")
    assert program.find_program() == program.EngineProgram("C:\\pwsh.exe", "Core")
