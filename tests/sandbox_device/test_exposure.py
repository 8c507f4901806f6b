"""Simulated devices listen on loopback addresses, unless an address that others reach is said twice."""

from __future__ import annotations

import io
import json
import secrets
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from akslite_ps import sandbox
from akslite_ps.cli.app import app
from akslite_ps.cli.sandbox import confirmed_at_the_terminal
from akslite_ps.errors import UsageError
from akslite_ps.home import sandbox_dir
from akslite_ps.sandbox.exposure import check_address, check_exposure
from akslite_ps.sandbox.kubernetes import KubernetesApi
from akslite_ps.sandbox.protocol.winrm import WinRMListener


def address_of_this_machine() -> str:
    """An address at which others reach this machine. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("needs a network adapter besides loopback")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("needs a network adapter besides loopback")
    return address


@pytest.fixture
def folder() -> Iterator[Path]:
    yield sandbox_dir()
    sandbox.down(sandbox_dir())


def up(*arguments: str, answer: str | None = None) -> Any:
    base = f"127.{64 + secrets.randbelow(190)}.{secrets.randbelow(254)}.0"
    command = ["sandbox", "up", "--devices", "1", "--speed", "1000", "--free-ports", "--address-base", base, *arguments]
    return CliRunner().invoke(app, command, input=answer)


def reaches(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_one_word_is_not_enough(folder: Path) -> None:
    address = address_of_this_machine()

    for arguments in (["--listen", address], ["--listen", address, "--confirm-exposure", "yes"]):
        refused = up(*arguments).exception
        assert isinstance(refused, UsageError)
        assert f"is not confirmed: whoever reaches {address}" in str(refused)
        assert refused.next_action.endswith(f"--listen {address} --confirm-exposure {address}")
    assert isinstance(up("--confirm-exposure", address).exception, UsageError)
    assert sandbox.status(folder).devices == ()


def test_said_twice_devices_listen_there_and_nowhere_else_and_later_ones_do_not(folder: Path) -> None:
    address = address_of_this_machine()

    told = up("--listen", address, "--confirm-exposure", address)

    assert told.exit_code == 0, told.output
    assert f"warning: press-01: whoever reaches {address}" in " ".join(told.output.split())
    (exposed,) = sandbox.status(folder).devices
    assert (exposed.address, exposed.exposed) == (address, True)
    assert exposed.http_port not in {0, 5985}
    assert reaches(address, exposed.http_port)
    assert not reaches("127.0.0.1", exposed.http_port)
    context = ssl.create_default_context(cafile=str(exposed.ca_file))
    with context.wrap_socket(socket.create_connection((address, exposed.https_port), timeout=10), server_hostname=address):
        pass

    sandbox.down(folder)
    assert up("--devices", "2").exit_code == 0
    again, added = sandbox.status(folder).devices
    assert (again.address, again.http_port) == (address, exposed.http_port)
    assert (added.address.split(".")[0], added.exposed) == ("127", False)
    shown = json.loads(CliRunner().invoke(app, ["sandbox", "status", "--json"]).output)
    assert [device["exposed"] for device in shown["devices"]] == [True, False]


@pytest.mark.parametrize(("typed", "confirmed"), [("192.0.2.7\n", "192.0.2.7"), ("y\n", "y")])
def test_a_person_is_told_what_it_means_and_types_the_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, confirmed: str
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    assert confirmed_at_the_terminal("192.0.2.7", None, as_json=False) == confirmed
    assert "warning: whoever reaches 192.0.2.7 over the network" in capsys.readouterr().err


def test_nothing_binds_an_address_that_was_not_confirmed_for_it() -> None:
    check_address("127.9.8.7", None)
    check_address("192.0.2.7", "192.0.2.7")
    for address, confirmed in (("192.0.2.7", None), ("192.0.2.7", "192.0.2.8"), ("0.0.0.0", None), ("::", None)):  # noqa: S104
        with pytest.raises(UsageError, match="nobody confirmed it"):
            check_address(address, confirmed)


async def test_neither_listener_starts_outside_of_this_machine_by_itself() -> None:
    class Outside:
        name, computer_name, address, http_port, https_port = "press-01", "PRESS-01", "192.0.2.7", 0, 0

    outside: Any = Outside()
    with pytest.raises(UsageError, match=r"192\.0\.2\.7 is not a loopback address"):
        await WinRMListener(outside).start()
    cluster: Any = None
    with pytest.raises(UsageError, match=r"192\.0\.2\.7 is not a loopback address"):
        KubernetesApi(cluster, address="192.0.2.7")


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("0.0.0.0", "not one address of this machine"),  # noqa: S104
        ("224.0.0.1", "not one address of this machine"),
        ("203.0.113.9", "not one address of this machine"),
        ("127.0.0.1", "is a loopback address"),
        ("anywhere", "is no IPv4 address"),
    ],
)
def test_only_one_address_of_this_machine_can_be_exposed(listen: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_exposure(listen, listen, engine="embedded")


def test_devices_with_the_powershell_of_this_machine_are_never_exposed() -> None:
    address = address_of_this_machine()
    with pytest.raises(UsageError, match="never exposed"):
        check_exposure(address, address, engine="pwsh")
