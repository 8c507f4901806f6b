"""Who may log on to a simulated device: lockout as Windows does it, faults of accounts and certificates, keys of a realm."""

from __future__ import annotations

import asyncio
import datetime as dt
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import client_certificate, join_realm
from akslite_ps.sandbox.protocol import kerberos_acceptor
from akslite_ps.sandbox.supervisor import Sandbox


def standing(device: Any, user: str = "aksadmin") -> str:
    (account,) = [account for account in device.accounts if account.user == user]
    return str(account.standing)


def fail(device: Any, times: int, user: str = "aksadmin") -> None:
    for _ in range(times):
        device.note_logon(user, succeeded=False)


def set_up(device: Any, **service: Any) -> None:
    winrm = device.spec.winrm.model_copy(update=service)
    device.configure(device.spec.model_copy(update={"winrm": winrm}))


@pytest.fixture
def slow_lockout(bench: Any) -> Any:
    """A device whose ten minutes are an hour of ours, so that nothing passes by itself."""
    bench.sandbox.pace.speed = 1 / 6
    return bench.device


def test_the_tenth_failure_locks_the_account_and_no_other(slow_lockout: Any) -> None:
    fail(slow_lockout, 9)
    assert standing(slow_lockout) == "usable"
    fail(slow_lockout, 1)
    assert standing(slow_lockout) == "locked"
    assert standing(slow_lockout, "aksviewer") == "usable"


def test_right_credentials_end_the_count(slow_lockout: Any) -> None:
    fail(slow_lockout, 9)
    slow_lockout.note_logon("AKSADMIN", succeeded=True)
    fail(slow_lockout, 9)
    assert standing(slow_lockout) == "usable"


def test_a_lockout_outlives_a_restart_of_the_sandbox(bench: Any) -> None:
    bench.sandbox.pace.speed = 1 / 6
    fail(bench.device, 10)
    _, state = bench.device.store.load()
    assert state.failed_logons["aksadmin"].locked


async def test_a_lockout_ends_by_itself(bench: Any) -> None:
    bench.sandbox.pace.speed = 20_000.0
    fail(bench.device, 10)
    for _ in range(4000):
        if standing(bench.device) != "locked":
            break
        await asyncio.sleep(0.005)
    assert standing(bench.device) == "usable"
    fail(bench.device, 1)
    assert bench.device.state.failed_logons["aksadmin"].count == 1


def test_without_a_threshold_nothing_locks(slow_lockout: Any) -> None:
    set_up(slow_lockout, lockout_threshold=0)
    fail(slow_lockout, 50)
    assert standing(slow_lockout) == "usable"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("account-locked", "locked"), ("account-disabled", "disabled"), ("password-expired", "password-expired")],
)
async def test_a_fault_stands_in_the_way_of_an_account(bench: Any, fault: str, expected: str) -> None:
    bench.device.add_fault(fault)
    assert (standing(bench.device), standing(bench.device, "aksoperator")) == (expected, "usable")
    bench.device.add_fault(fault, user="aksoperator")
    assert (standing(bench.device), standing(bench.device, "aksoperator")) == ("usable", expected)
    bench.device.clear_faults(fault)
    assert standing(bench.device, "aksoperator") == "usable"


async def test_the_server_certificate_can_have_expired(bench: Any) -> None:
    def ends() -> dt.datetime:
        return x509.load_pem_x509_certificate(bench.device.server_certificate()[0]).not_valid_after_utc

    usual = bench.device.server_certificate()
    assert ends() > dt.datetime.now(dt.UTC)
    bench.device.add_fault("server-certificate-expired")
    assert ends() < dt.datetime.now(dt.UTC)
    bench.device.clear_faults("server-certificate-expired")
    assert bench.device.server_certificate() == usual


async def test_client_certificates_are_mapped_until_a_fault_takes_that_away(bench: Any) -> None:
    settings = bench.device.logon_settings
    authority = x509.load_pem_x509_certificate(bench.sandbox.ca_file.read_bytes())
    thumbprint = authority.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
    assert {(mapping.issuer_thumbprint, mapping.user) for mapping in settings.certificate_mappings} == {
        (thumbprint, user) for user in ("aksadmin", "aksoperator", "aksviewer")
    }
    bench.device.add_fault("client-certificate-unmapped")
    assert bench.device.logon_settings.certificate_mappings == ()


def test_the_service_can_be_set_up_as_windows_leaves_it(bench: Any) -> None:
    set_up(bench.device, basic=False, certificate=False, credssp=False, channel_binding="Strict")
    settings = bench.device.logon_settings
    assert settings.schemes == {"Negotiate", "Kerberos"}
    assert settings.channel_binding == "Strict"


def test_a_client_certificate_is_made_once_and_names_computer_and_user(bench: Any) -> None:
    made = client_certificate(bench.sandbox.directory, "press-01", "AksViewer")
    certificate = x509.load_pem_x509_certificate(made.certificate_file.read_bytes())
    (name,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.OtherName)
    assert name.value[2:].decode() == "aksviewer@press-01.localhost"
    assert name.value[2:].decode() in {mapping.subject for mapping in bench.device.logon_settings.certificate_mappings}
    assert stat.S_IMODE(made.key_file.stat().st_mode) in {0o600, 0o666}  # Windows has no such bits
    again = client_certificate(bench.sandbox.directory, "press-01", "aksviewer")
    assert again.certificate_file.read_bytes() == certificate.public_bytes(Encoding.PEM)


def test_nobody_else_gets_a_client_certificate(bench: Any) -> None:
    with pytest.raises(UsageError, match="no local user 'nobody'"):
        client_certificate(bench.sandbox.directory, "press-01", "nobody")
    with pytest.raises(UsageError, match="no simulated device 'press-99'"):
        client_certificate(bench.sandbox.directory, "press-99")


def test_a_device_with_a_keytab_is_a_computer_of_a_realm(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akslite_ps.sandbox.realms.packages_are_there", lambda: True)
    assert bench.device.logon_settings.keytab is None
    keytab = tmp_path / "press-01.keytab"
    keytab.write_bytes(b"\x05\x02keys")
    kept = join_realm(bench.sandbox.directory, "press-01", keytab)
    assert kept.read_bytes() == keytab.read_bytes()
    assert bench.device.logon_settings.keytab == kept


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"no keys", "is not a keytab")])
def test_what_is_no_keytab_is_not_kept(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    monkeypatch.setattr("akslite_ps.sandbox.realms.packages_are_there", lambda: True)
    keytab = tmp_path / "keytab"
    if content is not None:
        keytab.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        join_realm(bench.sandbox.directory, "press-01", keytab)
    assert bench.device.logon_settings.keytab is None


def test_a_machine_without_kerberos_says_which_extra_it_needs(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akslite_ps.sandbox.realms.packages_are_there", lambda: False)
    with pytest.raises(UsageError) as caught:
        join_realm(bench.sandbox.directory, "press-01", tmp_path / "keytab")
    assert "akslite-ps[kerberos]" in str(caught.value.next_action)
    assert not kerberos_acceptor.can_accept(bench.device)


async def test_a_new_sandbox_process_trusts_the_certificates_of_the_old_one(sandbox_on: Callable[..., Sandbox], bench: Any) -> None:
    before = bench.device.logon_settings
    await bench.sandbox.stop()
    sandbox = sandbox_on()
    await sandbox.start()
    try:
        assert sandbox.devices["press-01"].logon_settings == before
    finally:
        await sandbox.stop()
