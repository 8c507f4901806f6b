"""CredSSP: TLS inside HTTP headers, a log-on inside that, the password inside that; and then encrypted messages."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
import requests
from pypsrp.exceptions import AuthenticationError
from spnego.exceptions import SpnegoError

from akslite_ps.sandbox.engine import LogonSettings, Standing

requests_credssp = pytest.importorskip("requests_credssp.exceptions", reason="requests-credssp is not installed (extra: credssp)")

TRANSPORTS = pytest.mark.parametrize(
    "transport", [{}, {"ssl": True}, {"ssl": True, "encryption": "always"}], ids=["http", "https", "https-encrypted"]
)


@TRANSPORTS
def test_a_local_account_logs_on_with_its_password_handed_over(served, run_command, transport):
    with served.pool(served.client(auth="credssp", **transport)) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PRESS-01\\aksadmin"


def test_large_messages_pass_encrypted_both_ways(served, run_command):
    text = "x" * 200_000
    with served.pool(served.client(auth="credssp")) as pool:
        assert run_command(pool, "Echo", text).output == [text]


def test_a_domain_user_logs_on_with_a_ticket_inside(serve, kerberos_realm, run_command):
    served = serve(address="127.0.0.1")
    served.device.logon_settings = LogonSettings(keytab=kerberos_realm.keytab)
    served.device.now = lambda: dt.datetime.now(dt.UTC)
    client = served.client(
        server="localhost",
        auth="credssp",
        credssp_auth_mechanism="kerberos",
        username=f"aksadmin@{kerberos_realm.NAME}",
        password=kerberos_realm.PASSWORD,
    )
    with served.pool(client) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PLANT\\aksadmin"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
@TRANSPORTS
@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "PRESS-01\\nobody"}], ids=["password", "user"])
def test_wrong_credentials_are_a_failed_logon_on_the_wire(served, transport, wrong):
    assert _told_status(served, **transport, **wrong) == 0xC000006D


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
@pytest.mark.parametrize(
    ("standing", "status"), [("locked", 0xC0000234), ("disabled", 0xC0000072), ("password-expired", 0xC0000071)]
)
def test_an_account_that_may_not_in_is_told_on_the_wire(served, standing: Standing, status: int):
    served.device.accounts = [replace(served.device.accounts[0], standing=standing)]
    assert _told_status(served) == status


def test_the_service_may_refuse_it(served):
    served.device.logon_settings = LogonSettings(schemes=frozenset({"Negotiate"}))
    assert served.challenges() == ["Negotiate"]
    token = base64.b64encode(b"\x16\x03\x01\x00\x05hello").decode()
    url = f"http://{served.device.address}:{served.listener.http_port}/wsman"
    assert requests.post(url, headers={"Authorization": f"CredSSP {token}"}, timeout=5).status_code == 401


@pytest.mark.parametrize("token", [b"", b"hello", b"\x16\x03\x01\x00\x05hello"])
def test_nonsense_in_the_token_is_a_401(served, token):
    header = f"CredSSP {base64.b64encode(token).decode()}"
    url = f"http://{served.device.address}:{served.listener.http_port}/wsman"
    assert requests.post(url, headers={"Authorization": header}, timeout=5).status_code == 401


def test_negotiate_still_works_on_the_same_device(served, run_command):
    with served.pool(served.client(auth="credssp")) as one, served.pool(served.client(auth="negotiate")) as other:
        assert run_command(one, "Echo", 1).output == [1]
        assert run_command(other, "Echo", 2).output == [2]
        with pytest.raises(AuthenticationError):
            served.pool(served.client(auth="negotiate", password="wrong"))


def _told_status(served: Any, **options: Any) -> int:
    """Log on in vain, and tell the NTSTATUS that the device gave for it."""
    with pytest.raises((requests_credssp.NTStatusException, requests_credssp.AuthenticationException)) as caught:
        served.pool(served.client(auth="credssp", **options))
    told: BaseException | None = caught.value
    while not isinstance(told, SpnegoError):
        assert told is not None, "no status in the error"
        told = told.__cause__
    return int(getattr(told.base_error, "winerror", 0)) % 2**32
