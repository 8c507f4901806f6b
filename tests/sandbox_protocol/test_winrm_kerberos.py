"""A device of a domain: tickets for its keys, over HTTP and HTTPS, beside NTLM."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypsrp.exceptions import AuthenticationError
from pypsrp.negotiate import HTTPNegotiateAuth
from pypsrp.powershell import RunspacePool
from spnego.exceptions import SpnegoError

from akslite_ps.sandbox.engine import LogonSettings


@pytest.fixture
def joined(served: Any, kerberos_realm: Any) -> Any:
    """A device that has keys of the realm, and how to log on to it."""
    served.device.logon_settings = LogonSettings(keytab=kerberos_realm.keytab)
    served.device.now = lambda: dt.datetime.now(dt.UTC)
    return served


def as_domain_user(realm: Any, **options: Any) -> dict[str, Any]:
    return {
        "auth": "kerberos",
        "username": f"aksadmin@{realm.NAME}",
        "password": realm.PASSWORD,
        "negotiate_hostname_override": realm.COMPUTER,
        **options,
    }


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
@pytest.mark.parametrize(
    "transport", [{}, {"ssl": True}, {"ssl": True, "encryption": "always"}], ids=["http", "https", "https-encrypted"]
)
def test_a_domain_user_logs_on_with_a_ticket(joined, kerberos_realm, run_command, auth, transport):
    with joined.pool(joined.client(**as_domain_user(kerberos_realm, auth=auth, **transport))) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PLANT\\aksadmin"


def test_a_ticket_of_the_cache_needs_no_password(joined, kerberos_realm, run_command, tmp_path: Path):
    kerberos_realm.kinit(tmp_path / "tickets")
    with joined.pool(joined.client(**as_domain_user(kerberos_realm, username=None, password=None))) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]


def test_large_messages_pass_encrypted(joined, kerberos_realm, run_command):
    text = "x" * 200_000
    with joined.pool(joined.client(**as_domain_user(kerberos_realm))) as pool:
        assert run_command(pool, "Echo", text).output == [text]


def test_kerberos_is_offered_by_a_device_with_keys_only(joined):
    assert joined.challenges() == ["Negotiate", "Kerberos", "CredSSP"]
    joined.device.logon_settings = LogonSettings()
    assert joined.challenges() == ["Negotiate", "CredSSP"]


def test_local_accounts_log_on_beside_domain_users(joined, run_command):
    with joined.pool(joined.client(auth="negotiate")) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PRESS-01\\aksadmin"


def test_a_keytab_without_keys_refuses_tickets_and_lets_local_accounts_in(joined, kerberos_realm, run_command, tmp_path: Path):
    empty = tmp_path / "empty.keytab"
    empty.write_bytes(b"\x05\x02")
    joined.device.logon_settings = LogonSettings(keytab=empty)
    with pytest.raises(AuthenticationError), joined.client(**as_domain_user(kerberos_realm)) as client:
        RunspacePool(client).open()
    with joined.pool(joined.client(auth="ntlm")) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]


def test_a_client_with_a_ticket_goes_on_with_ntlm_where_the_device_has_no_keys(served, kerberos_realm, run_command, tmp_path):
    kerberos_realm.kinit(tmp_path / "tickets")
    client = served.client(auth="negotiate", negotiate_hostname_override=kerberos_realm.COMPUTER)
    with served.pool(client) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
def test_a_ticket_for_another_computer_is_refused(joined, kerberos_realm):
    with pytest.raises(SpnegoError):
        joined.pool(joined.client(**as_domain_user(kerberos_realm, negotiate_hostname_override="press-02.plant.test")))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
@pytest.mark.parametrize("level", ["None", "Relaxed", "Strict"])
@pytest.mark.parametrize("bindings", ["right", "none", "wrong"])
def test_channel_bindings_are_checked_as_the_hardening_level_says(
    joined, kerberos_realm, run_command, monkeypatch, level, bindings
):
    joined.device.logon_settings = replace(joined.device.logon_settings, channel_binding=level)
    if bindings == "wrong":
        monkeypatch.setattr(HTTPNegotiateAuth, "_get_cbt_data", staticmethod(lambda response: b"tls-server-end-point:" + bytes(32)))
    client = joined.client(**as_domain_user(kerberos_realm, ssl=True, negotiate_send_cbt=bindings != "none"))
    if level == "None" or bindings == "right" or (level, bindings) == ("Relaxed", "none"):
        with joined.pool(client) as pool:
            assert run_command(pool, "Echo", "in").output == ["in"]
    else:
        with pytest.raises((AuthenticationError, SpnegoError)):
            joined.pool(client)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_a_device_with_a_wrong_clock_refuses_tickets_and_says_why(joined, kerberos_realm, auth):
    joined.device.now = lambda: dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
    with (
        pytest.raises(SpnegoError, match="Clock skew too great"),
        joined.client(**as_domain_user(kerberos_realm, auth=auth)) as client,
    ):
        RunspacePool(client).open()
