"""Accounts that may not in, and client certificates: who they are mapped to, and what refuses them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pypsrp.exceptions import AuthenticationError
from pypsrp.negotiate import HTTPNegotiateAuth
from pypsrp.powershell import RunspacePool
from requests.exceptions import ConnectionError as NoConnection

from akslite_ps.sandbox.certificates import CertificateAuthority
from akslite_ps.sandbox.engine import Account, CertificateMapping, LogonSettings, Standing

WAYS = pytest.mark.parametrize(
    "way", [{"auth": "negotiate"}, {"auth": "ntlm"}, {"auth": "basic", "ssl": True}], ids=["negotiate", "ntlm", "basic"]
)
PRINCIPAL = "aksadmin@press-01.localhost"


@WAYS
@pytest.mark.parametrize("standing", ["locked", "disabled", "password-expired", "password-must-change"])
def test_right_credentials_do_not_help_an_account_that_may_not_in(served, way, standing: Standing):
    served.device.accounts = [replace(served.device.accounts[0], standing=standing)]
    with pytest.raises(AuthenticationError), served.client(**way) as client:
        RunspacePool(client).open()


@WAYS
def test_the_device_hears_of_right_and_wrong_credentials_for_its_accounts(served, way):
    with served.pool(served.client(**way)):
        pass
    for wrong in ({"password": "wrong"}, {"username": "PRESS-01\\nobody"}):
        with pytest.raises(AuthenticationError), served.client(**way, **wrong) as client:
            RunspacePool(client).open()
    # Basic brings the password with every request.
    assert [*dict.fromkeys(served.device.logons)] == [("aksadmin", True), ("aksadmin", False)]


@WAYS
def test_a_locked_account_is_not_even_looked_at(served, way):
    served.device.accounts = [replace(served.device.accounts[0], standing="locked")]
    with pytest.raises(AuthenticationError), served.client(**way, password="wrong") as client:
        RunspacePool(client).open()
    assert served.device.logons == []


def test_the_ntlm_challenge_names_the_device(served, monkeypatch):
    from spnego._ntlm_raw.messages import AvId, Challenge

    seen: list[bytes] = []
    step = HTTPNegotiateAuth._get_auth_token

    def listen(response: Any, pattern: Any) -> Any:
        token = step(response, pattern)
        seen.append(token or b"")
        return token

    monkeypatch.setattr(HTTPNegotiateAuth, "_get_auth_token", staticmethod(listen))
    with served.pool(served.client(auth="ntlm")):
        pass
    challenge = Challenge.unpack(seen[0])
    told = {challenge.target_info[name] for name in (AvId.nb_computer_name, AvId.nb_domain_name, AvId.dns_computer_name)}
    assert told == {"PRESS-01"}
    assert challenge.target_name == "PRESS-01"
    assert (challenge.version.major, challenge.version.build) == (10, 19045)


@pytest.mark.parametrize("auth", ["negotiate", "ntlm"])
@pytest.mark.parametrize(
    ("level", "bindings", "accepted"),
    [
        ("None", "wrong", True),
        ("None", "none", True),
        ("Relaxed", "right", True),
        ("Relaxed", "none", True),
        ("Relaxed", "wrong", False),
        ("Strict", "right", True),
        ("Strict", "none", False),
        ("Strict", "wrong", False),
    ],
)
def test_channel_bindings_are_checked_as_the_hardening_level_says(served, monkeypatch, auth, level, bindings, accepted):
    served.device.logon_settings = LogonSettings(channel_binding=level)
    if bindings == "wrong":
        monkeypatch.setattr(HTTPNegotiateAuth, "_get_cbt_data", staticmethod(lambda response: b"tls-server-end-point:" + bytes(32)))
    client = served.client(ssl=True, auth=auth, negotiate_send_cbt=bindings != "none")
    if accepted:
        with served.pool(client) as pool:
            assert pool.shell.owner == "PRESS-01\\aksadmin"
    else:
        with pytest.raises(AuthenticationError):
            served.pool(client)


@pytest.mark.parametrize(
    ("schemes", "http", "https"),
    [
        ({"Negotiate"}, ["Negotiate"], ["Negotiate"]),
        ({"Negotiate", "Basic"}, ["Negotiate"], ["Negotiate", 'Basic realm="WSMAN"']),
        ({"CredSSP"}, ["CredSSP"], ["CredSSP"]),
    ],
)
def test_the_service_offers_what_it_allows(served, schemes, http, https):
    served.device.logon_settings = LogonSettings(schemes=frozenset(schemes))
    assert served.challenges() == http
    assert served.challenges(tls=True) == https


@pytest.mark.parametrize(
    ("way", "allowed"),
    [({"auth": "negotiate"}, "Basic"), ({"auth": "basic", "ssl": True}, "Negotiate")],
    ids=["negotiate", "basic"],
)
def test_a_scheme_that_is_not_allowed_is_not_accepted(served, way, allowed):
    served.device.logon_settings = LogonSettings(schemes=frozenset({allowed}))
    with pytest.raises(AuthenticationError), served.client(**way) as client:
        RunspacePool(client).open()


class Mapped:
    """A device that trusts its own authority's client certificates, one of them mapped to the administrator."""

    def __init__(self, served: Any, directory: Path) -> None:
        self.served = served
        self.directory = directory
        served.device.now = lambda: dt.datetime.now(dt.UTC)
        authority = x509.load_pem_x509_certificate(served.device.authority.pair.certificate)
        thumbprint = authority.fingerprint(hashes.SHA1()).hex()  # noqa: S303
        self.mapping = CertificateMapping(PRINCIPAL, thumbprint, "aksadmin", served.device.accounts[0].password)
        self.trust(self.mapping)

    def trust(self, *mappings: CertificateMapping) -> None:
        self.served.device.logon_settings = LogonSettings(
            client_authority=self.served.device.authority.pair.certificate, certificate_mappings=mappings
        )

    def client(
        self, principal_name: str | None = PRINCIPAL, *, authority: CertificateAuthority | None = None, days: int = 30
    ) -> Any:
        pair = (authority or self.served.device.authority).issue_client("aksadmin", principal_name=principal_name, days=days)
        certificate, key = self.directory / "client.pem", self.directory / "client-key.pem"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        return self.served.client(ssl=True, auth="certificate", certificate_pem=str(certificate), certificate_key_pem=str(key))


@pytest.fixture
def mapped(served: Any, tmp_path: Path) -> Mapped:
    return Mapped(served, tmp_path)


def test_a_mapped_certificate_stands_for_the_account(mapped, run_command):
    with mapped.served.pool(mapped.client()) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PRESS-01\\aksadmin"


def test_clients_without_a_certificate_log_on_as_before(mapped, run_command):
    with mapped.served.pool(mapped.served.client(ssl=True, auth="negotiate")) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]


@pytest.mark.parametrize(
    "certificate",
    [{"principal_name": "other@press-01.localhost"}, {"principal_name": None}, {"days": -1}],
    ids=["unmapped", "without a name", "expired"],
)
def test_a_certificate_that_stands_for_nobody_is_refused(mapped, certificate):
    with pytest.raises(AuthenticationError):
        mapped.served.pool(mapped.client(**certificate))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
def test_a_server_certificate_is_not_one_of_a_client(mapped):
    pair = mapped.served.device.authority.issue_server("PRESS-01")
    client = mapped.client()
    (mapped.directory / "client.pem").write_bytes(pair.certificate)
    (mapped.directory / "client-key.pem").write_bytes(pair.key)
    with pytest.raises((AuthenticationError, NoConnection)):
        mapped.served.pool(client)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
def test_a_certificate_of_another_authority_ends_the_tls_connection(mapped):
    with pytest.raises(NoConnection):
        mapped.served.pool(mapped.client(authority=CertificateAuthority.create("Somebody else")))


def test_a_mapping_names_the_authority_too(mapped):
    mapped.trust(replace(mapped.mapping, issuer_thumbprint="00" * 20))
    with pytest.raises(AuthenticationError):
        mapped.served.pool(mapped.client())


@pytest.mark.parametrize("standing", ["locked", "disabled", "password-expired"])
def test_a_certificate_does_not_help_an_account_that_may_not_in(mapped, standing: Standing):
    mapped.served.device.accounts = [replace(mapped.served.device.accounts[0], standing=standing)]
    with pytest.raises(AuthenticationError):
        mapped.served.pool(mapped.client())


def test_a_mapping_made_with_an_older_password_is_a_failed_log_on(mapped):
    mapped.served.device.accounts = [Account("PRESS-01", "aksadmin", "changed meanwhile")]
    with pytest.raises(AuthenticationError):
        mapped.served.pool(mapped.client())
    assert mapped.served.device.logons == [("aksadmin", False)]


def test_a_device_that_does_not_take_certificates_refuses_them(served, mapped):
    served.device.logon_settings = replace(served.device.logon_settings, schemes=frozenset({"Negotiate"}))
    with pytest.raises(AuthenticationError):
        served.pool(mapped.client())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("half_way_log_ons")
def test_a_new_server_certificate_counts_from_the_next_connection(served, run_command):
    with served.pool(served.client(ssl=True)) as pool:
        run_command(pool, "Echo", 1)
    served.device.certificate = served.device.authority.issue_server("PRESS-01", addresses=[served.device.address], days=-1)
    with pytest.raises(NoConnection, match="certificate has expired"):
        served.pool(served.client(ssl=True))
