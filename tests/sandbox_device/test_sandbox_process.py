"""The sandbox as a background process: up, status, faults, down, and what a second or a killed process does."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from akslite_ps import sandbox
from akslite_ps.errors import UsageError
from akslite_ps.sandbox.control import ControlAddress, ControlClient, read_address


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "sandbox"
    yield path
    sandbox.down(path)


def up(folder: Path, *, devices: int = 1, speed: float = 500.0) -> sandbox.SandboxStatus:
    base = f"127.{64 + secrets.randbelow(190)}.{secrets.randbelow(254)}.0"
    return sandbox.up(folder, devices=devices, speed=speed, address_base=base, free_ports=True)


def test_up_starts_one_process_and_grows_it_and_down_keeps_the_devices(folder: Path) -> None:
    assert sandbox.status(folder).running is False

    first = up(folder)
    second = up(folder, devices=2, speed=250)

    assert (first.running, len(first.devices)) == (True, 1)
    assert (second.pid, len(second.devices), second.speed) == (first.pid, 2, 250)
    assert second.devices[0] == first.devices[0]
    assert [d.state for d in second.devices] == ["bare", "bare"]
    assert second.devices[0].username == "PRESS-01\\aksadmin"
    assert second.devices[0].http_port > 0
    assert second.devices[0].ca_file.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert len(second.devices[0].password_file.read_text(encoding="utf-8")) == 20
    if os.name == "posix":
        assert second.devices[0].password_file.stat().st_mode & 0o077 == 0
        assert (folder / "control.json").stat().st_mode & 0o077 == 0

    stopped = sandbox.down(folder)

    assert (stopped.running, stopped.pid) == (False, None)
    assert [(d.name, d.power, d.http_port) for d in stopped.devices] == [(d.name, "off", d.http_port) for d in second.devices]
    again = up(folder)
    assert again.pid != first.pid
    assert [(d.name, d.address, d.http_port) for d in again.devices] == [(d.name, d.address, d.http_port) for d in second.devices]


def test_a_running_sandbox_is_controlled_from_outside_by_who_has_the_token(folder: Path) -> None:
    running = up(folder)

    status = sandbox.add_fault(folder, "press-01", "deployment-fails", at="kubernetes", times=2)
    assert status.devices[0].faults == ("deployment-fails",)
    assert sandbox.clear_faults(folder, "press-01").devices[0].faults == ()
    assert sandbox.reboot(folder, "press-01").running
    sandbox.change_hardware(folder, "press-01", default_gateway=None)
    with pytest.raises(UsageError, match="does not strike at"):
        sandbox.add_fault(folder, "press-01", "deployment-fails", at="somewhere")
    with pytest.raises(UsageError, match="no fault 'typo'"):
        sandbox.add_fault(folder, "press-01", "typo")
    with pytest.raises(UsageError, match="no device 'press-99'"):
        sandbox.clear_faults(folder, "press-99")

    address = read_address(folder)
    assert address is not None
    stranger = ControlClient(folder, ControlAddress(pid=address.pid, port=address.port, token="guessed"))
    with pytest.raises(UsageError, match="token is wrong"):
        stranger.status()

    second = subprocess.run(
        [sys.executable, "-m", "akslite_ps.sandbox", "--directory", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 3
    assert "already" in second.stderr
    assert sandbox.status(folder).pid == running.pid


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_after_its_process_was_killed_the_sandbox_starts_again(folder: Path) -> None:
    killed = up(folder)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while sandbox.status(folder).running:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert up(folder).devices == killed.devices


def test_delete_forgets_the_devices_but_never_another_folder(tmp_path: Path, folder: Path) -> None:
    up(folder)
    assert sandbox.down(folder, delete=True).devices == ()
    assert not folder.exists()

    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not the folder of a sandbox"):
        sandbox.down(precious, delete=True)
    assert (precious / "thesis.txt").exists()


@pytest.mark.parametrize(("name_prefix", "address_base"), [("1press", "127.1.0.0"), ("press", "10.0.0.0"), ("press", "nowhere")])
def test_names_and_addresses_that_cannot_be_are_refused(folder: Path, name_prefix: str, address_base: str) -> None:
    with pytest.raises(UsageError):
        sandbox.up(folder, devices=1, name_prefix=name_prefix, address_base=address_base, free_ports=True)


def test_a_speed_of_zero_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        sandbox.up(folder, speed=0)
