"""New devices share a file and get a folder with the first thing that is kept of them alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akslite_ps import sandbox
from akslite_ps.cli.app import app
from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.home import sandbox_dir
from akslite_ps.sandbox.device.store import NEW_DEVICES_FILE, DeviceStore
from akslite_ps.sandbox.supervisor import Sandbox, stored_devices


class NoListener:
    """In place of the WinRM service: these tests are about files."""

    http_port = 5985
    https_port = 5986

    async def start(self) -> None: ...
    async def stop(self, *, abort: bool = False) -> None: ...
    async def follow_network(self, away: object) -> None: ...
    def cut(self) -> None: ...


def sandbox_on(folder: Path) -> Sandbox:
    return Sandbox(folder, speed=1000, make_listener=lambda device: NoListener())


def devices_dir(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "devices").iterdir())


async def test_a_new_device_costs_a_password_and_a_part_of_one_file(tmp_path: Path) -> None:
    made = sandbox_on(tmp_path)
    await made.start()
    await made.grow(3)
    described = made.describe()
    await made.stop()

    assert devices_dir(tmp_path) == [NEW_DEVICES_FILE, "press-01.password", "press-02.password", "press-03.password"]
    assert len({device.password_file.read_text(encoding="utf-8") for device in described}) == 3
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "devices").glob("*.password"))
        assert (tmp_path / "devices").stat().st_mode & 0o077 == 0
    assert [(device.name, device.state) for device in stored_devices(tmp_path)] == [(d.name, d.state) for d in described]


async def test_devices_go_on_as_they_were_whether_something_happened_to_them_or_not(tmp_path: Path) -> None:
    first = sandbox_on(tmp_path)
    await first.start()
    await first.grow(2)
    states = {name: device.state for name, device in first.devices.items()}
    first.devices["press-02"].update(openssh_client="NotPresent")
    await first.stop()
    assert "press-02" in devices_dir(tmp_path)
    assert "press-01" not in devices_dir(tmp_path)

    second = sandbox_on(tmp_path)
    await second.start()
    await second.grow(3)
    try:
        assert second.devices["press-01"].state == states["press-01"]
        assert second.devices["press-02"].state == states["press-02"].model_copy(update={"openssh_client": "NotPresent"})
    finally:
        await second.stop()
    assert [device.name for device in stored_devices(tmp_path)] == ["press-01", "press-02", "press-03"]


async def test_a_device_that_could_not_start_can_be_made_with_another_address(tmp_path: Path) -> None:
    class Taken(NoListener):
        def __init__(self, address: str) -> None:
            self.address = address

        async def start(self) -> None:
            if self.address == "127.77.0.1":
                raise OSError(98, "Address already in use")

    made = Sandbox(tmp_path, speed=1000, make_listener=lambda device: Taken(device.address))
    await made.start()
    try:
        with pytest.raises(AksLiteError, match=r"cannot listen on 127\.77\.0\.1: Address already in use"):
            await made.grow(1)
        made.choose(name_prefix="press", address_base="127.78.0.0", free_ports=False)
        await made.grow(1)
        assert made.devices["press-01"].address == "127.78.0.1"
    finally:
        await made.stop()


async def test_a_damaged_file_of_new_devices_is_named(tmp_path: Path) -> None:
    made = sandbox_on(tmp_path)
    await made.start()
    await made.grow(1)
    await made.stop()
    (tmp_path / "devices" / NEW_DEVICES_FILE).write_text("{", encoding="utf-8")

    with pytest.raises(AksLiteError, match=f"{NEW_DEVICES_FILE} is missing or damaged"):
        await sandbox_on(tmp_path).start()


async def test_the_folder_of_an_earlier_sandbox_keeps_its_password(tmp_path: Path) -> None:
    folder = tmp_path / "devices" / "press-01"
    folder.mkdir(parents=True)
    (folder / "password").write_text("of an earlier version", encoding="utf-8")

    assert DeviceStore(folder).password() == "of an earlier version"


@pytest.fixture
def one_device() -> Iterator[Path]:
    folder = sandbox_dir()
    with sandbox.LocalSandbox(folder, devices=1):
        yield folder


def test_the_password_of_an_account_for_a_restricted_endpoint_is_there_before_anybody_logged_on(one_device: Path) -> None:
    told = CliRunner().invoke(app, ["sandbox", "password", "press-01", "--user", "AksViewer", "--json"])

    assert told.exit_code == 0
    answer = json.loads(told.output)
    assert answer["user"] == "PRESS-01\\aksviewer"
    file = Path(answer["password"].removeprefix("file:"))
    assert file.read_text(encoding="utf-8") == DeviceStore(one_device / "devices" / "press-01").password_of("aksviewer")
    assert sandbox.local_password(one_device, "press-01").file == DeviceStore(one_device / "devices" / "press-01").password_file


def test_only_accounts_and_devices_that_are_there_have_a_password(one_device: Path) -> None:
    with pytest.raises(UsageError, match="no local user 'guest'"):
        sandbox.local_password(one_device, "press-01", "guest")
    with pytest.raises(UsageError, match="no simulated device 'press-09'"):
        sandbox.local_password(one_device, "press-09")
