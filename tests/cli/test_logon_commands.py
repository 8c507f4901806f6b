"""Ways to log on, from the command line: client certificates and keytabs of simulated devices, and devices that use them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.home import sandbox_dir
from akslite_ps.sandbox import LocalSandbox


@pytest.fixture
def simulated(home: Path) -> Iterator[LocalSandbox]:
    with LocalSandbox(sandbox_dir()) as sandbox:
        yield sandbox


def test_a_simulated_device_is_reached_with_the_certificate_that_was_made_for_it(simulated: LocalSandbox, run: Any) -> None:
    code, _, said = run("sandbox", "certificate", "press-01")
    assert code == 0
    command = shlex.split(said.partition("put it into the inventory: akslite ")[2])
    assert run(*command)[0] == 0

    code, said, _ = run("device", "test", "press-01", "--json")
    assert code == 0
    report = json.loads(said)
    assert report["ok"], report
    assert {check["check"]: check["finding"] for check in report["checks"]}["authentication"].startswith("'certificate' accepted")


def test_the_files_of_another_local_user_are_told_as_json(simulated: LocalSandbox, run: Any) -> None:
    code, said, _ = run("sandbox", "certificate", "press-01", "--user", "aksviewer", "--json")
    assert code == 0
    told = json.loads(said)
    assert told["user"] == "aksviewer"
    assert all(Path(told[name]).is_file() for name in ("certificate_file", "certificate_key_file", "ca_file"))


def test_a_keytab_that_is_none_is_refused(simulated: LocalSandbox, run: Any, tmp_path: Path) -> None:
    pytest.importorskip("gssapi", reason="gssapi is not installed (extra: kerberos)")
    nothing = tmp_path / "nothing"
    nothing.write_text("no keys", encoding="utf-8")
    code, _, said = run("sandbox", "join", "press-01", "--keytab", nothing)
    assert code == 2
    assert "is not a keytab" in said


def test_a_joined_device_is_reached_with_a_ticket(simulated: LocalSandbox, run: Any, kerberos_realm: Any, tmp_path: Path) -> None:
    assert run("sandbox", "join", "press-01", "--keytab", kerberos_realm.keytab)[0] == 0
    kerberos_realm.kinit(tmp_path / "tickets")
    (device,) = simulated.devices
    where = ("--host", device.address, "--port", str(device.http_port), "--spn-host", kerberos_realm.COMPUTER)
    assert run("device", "add", "press-01", *where, "--auth", "kerberos")[0] == 0
    code, said, _ = run("device", "test", "press-01", "--json")
    assert code == 0, said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--auth", "certificate"), "over transport 'https' only"),
        (("--auth", "certificate", "--https"), "needs certificate_file and certificate_key_file"),
        (("--auth", "credssp"), "needs username and password"),
        (("--auth", "kerberos", "--spn-host", "http://press-01"), "must be a host name or an IP address"),
        (("--auth", "digest"), "auth"),
    ],
)
def test_a_device_that_could_not_log_on_is_not_added(run: Any, options: tuple[str, ...], said: str) -> None:
    code, _, refused = run("device", "add", "press-01", "--host", "press-01.example", *options)
    assert code == 2
    assert said in " ".join(refused.split())
