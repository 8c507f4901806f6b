"""Every way to log on: a session does all its work over it, and what goes wrong is said as exactly as the wire tells."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib.util
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from akslite_ps.errors import AuthenticationFailed, Unreachable, UsageError
from akslite_ps.remoting import Question, SecureValue, Session, probe
from akslite_ps.remoting.credentials import mechanism
from akslite_ps.remoting.result import InvocationState
from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.engine import Account, CertificateMapping, LogonSettings, SecureText, Standing
from akslite_ps.secrets import SecretRef

PATIENCE_S = 20.0
PRINCIPAL = "aksadmin@press-01.localhost"
WAYS = [
    "negotiate-http",
    "negotiate-https",
    "ntlm-http",
    "ntlm-https",
    "basic-https",
    "certificate-https",
    "credssp-http",
    "credssp-https",
    "kerberos-http",
    "kerberos-https",
]
needs_credssp = pytest.mark.skipif(
    importlib.util.find_spec("requests_credssp") is None, reason="requests-credssp is not installed (extra: credssp)"
)


class Yes:
    """Says yes to every question."""

    def confirm(self, question: Question) -> bool:
        return True

    def choice(self, question: Question) -> int:
        return 0

    def read_line(self, label: str) -> str:
        return ""

    def read_secure(self, label: str) -> str:
        return ""


@dataclass
class Certificates:
    """Client certificates for the lab's device, and the files that a test gives to the client."""

    lab: Any
    directory: Path

    def target(self, pair: CertificateAndKey | None = None, **changes: Any) -> Any:
        made = pair or self.issue()
        certificate, key = self.directory / "client.pem", self.directory / "client-key.pem"
        certificate.write_bytes(made.certificate)
        key.write_bytes(made.key)
        usual = {"username": None, "password": None, "certificate_file": certificate, "certificate_key_file": key}
        return self.lab.target(**{"transport": "https", "auth": "certificate", **usual, **changes})

    def issue(self, **how: Any) -> CertificateAndKey:
        return self.lab.device.authority.issue_client("aksadmin", **{"principal_name": PRINCIPAL, **how})


@pytest.fixture
def certificates(lab: Any, tmp_path: Path) -> Certificates:
    """The device trusts its authority's client certificates; the administrator's is mapped."""
    authority = lab.device.authority.pair.certificate
    thumbprint = x509.load_pem_x509_certificate(authority).fingerprint(hashes.SHA1()).hex()  # noqa: S303
    lab.device.logon_settings = replace(
        lab.device.logon_settings,
        client_authority=authority,
        certificate_mappings=(CertificateMapping(PRINCIPAL, thumbprint, "aksadmin", lab.password),),
    )
    return Certificates(lab, tmp_path)


@pytest.fixture
def domain(lab: Any, kerberos_realm: Any, tmp_path: Path) -> Callable[..., Any]:
    """The device is a computer of the realm; gives how to reach it as a user of the realm."""
    lab.device.logon_settings = LogonSettings(keytab=kerberos_realm.keytab)
    password = tmp_path / "domain-password"
    password.write_text(kerberos_realm.PASSWORD, encoding="utf-8")

    def target(**changes: Any) -> Any:
        usual = {
            "auth": "kerberos",
            "username": f"aksadmin@{kerberos_realm.NAME}",
            "password": SecretRef("file", str(password)),
            "spn_host": kerberos_realm.COMPUTER,
        }
        return lab.target(**{**usual, **changes})

    return target


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, lab: Any) -> Any:
    """A device reached by each way in turn."""
    auth, _, transport = request.param.partition("-")
    if auth == "certificate":
        return request.getfixturevalue("certificates").target()
    if auth == "kerberos":
        return request.getfixturevalue("domain")(transport=transport)
    if auth == "credssp":
        pytest.importorskip("requests_credssp", reason="requests-credssp is not installed (extra: credssp)")
    return lab.target(auth=auth, transport=transport)


@pytest.fixture
def working(lab: Any) -> None:
    """Commands that answer, ask, take a secret and write without end."""

    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    @lab.device.command("Remove-Thing")
    async def ask(call: Any, streams: Any, request: Any) -> None:
        streams.output(await streams.host_call("PromptForChoice", ["Confirm", "Remove it?", [("&Yes", ""), ("&No", "")], 1]))

    @lab.device.command("Set-Secret")
    async def keep(call: Any, streams: Any, request: Any) -> None:
        (parameter,) = call.parameters
        assert isinstance(parameter.value, SecureText)
        streams.output(parameter.value.value)

    @lab.device.command("Write-Forever")
    async def write(call: Any, streams: Any, request: Any) -> None:
        number = 0
        while True:
            streams.output(f"{number} {'x' * 200}")
            number += 1
            await asyncio.sleep(0.001)


@pytest.mark.usefixtures("working")
def test_a_session_does_its_work_and_leaves_nothing(lab: Any, way: Any) -> None:
    with Session.open(way, prompts=Yes()) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]
        assert session.invoke("Remove-Thing").output == [0]
        assert session.invoke("Set-Secret", Value=SecureValue("s3cret of the line")).output == ["s3cret of the line"]
    assert not lab.listener.shells._shells


@pytest.mark.usefixtures("working")
def test_a_command_stops_while_its_output_streams(way: Any) -> None:
    with Session.open(way) as session:
        invocation = session.start("Write-Forever")
        streams = threading.Event()
        results: list[Any] = []
        reader = threading.Thread(target=lambda: results.append(invocation.wait(on_record=lambda record: streams.set())))
        reader.start()
        assert streams.wait(PATIENCE_S)

        began = time.monotonic()
        assert invocation.stop(timeout_s=PATIENCE_S)
        print(f"stopped after {time.monotonic() - began:.3f} s")

        reader.join(PATIENCE_S)
        (result,) = results
        assert result.state is InvocationState.STOPPED
        assert result.output[0].startswith("0 ")
        assert session.invoke("Get-Greeting").output == ["hello"]


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize("mode", ["negotiate-http", "ntlm-https", "basic-https", pytest.param("credssp-http", marks=needs_credssp)])
def test_user_and_password_may_be_written_in_any_script(lab: Any, tmp_path: Path, mode: str) -> None:
    password = "p\u00e4ss w\u00f6rd \u20ac \u65e5\u672c"
    lab.device.accounts.append(Account("PRESS-01", "J\u00fcrgen", password))
    (tmp_path / "other").write_text(password, encoding="utf-8")
    auth, _, transport = mode.partition("-")
    reference = SecretRef("file", str(tmp_path / "other"))

    with Session.open(lab.target(auth=auth, transport=transport, username="PRESS-01\\J\u00fcrgen", password=reference)) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]


@pytest.mark.usefixtures("working")
def test_negotiate_takes_kerberos_where_it_can(domain: Callable[..., Any], lab: Any) -> None:
    lab.device.accounts = []
    with Session.open(domain(auth="negotiate")) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]


@pytest.mark.usefixtures("working")
def test_a_ticket_of_the_cache_is_enough(domain: Callable[..., Any], kerberos_realm: Any, tmp_path: Path) -> None:
    kerberos_realm.kinit(tmp_path / "tickets")
    with Session.open(domain(username=None, password=None)) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]


def test_the_name_of_a_computers_account_is_not_asked_for_in_a_realm(lab: Any, domain: Callable[..., Any]) -> None:
    assert mechanism(lab.target(auth="negotiate").endpoint) == "ntlm"
    assert mechanism(domain(auth="negotiate").endpoint) == "negotiate"
    assert mechanism(lab.target(auth="negotiate", username="aksadmin").endpoint) == "negotiate"


# ---- what is missing on this machine


@pytest.mark.parametrize(
    ("auth", "package"), [("kerberos", "gssapi"), ("kerberos", "krb5"), ("credssp", "requests_credssp")], ids=lambda name: name
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    lab: Any, monkeypatch: pytest.MonkeyPatch, auth: str, package: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    with pytest.raises(UsageError, match=package) as caught:
        Session.open(lab.target(auth=auth))
    assert caught.value.device == "press-01"
    assert caught.value.next_action == f"install the extra: pip install 'akslite-ps[{auth}]'"


# ---- client certificates


def test_a_key_with_a_passphrase_opens_with_the_endpoints_password(certificates: Certificates, tmp_path: Path) -> None:
    with Session.open(locked_key(certificates, tmp_path, "Open sesame")) as session:
        assert session.is_alive()


def test_a_wrong_or_missing_passphrase_is_told(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the passphrase does not open the key"):
        Session.open(locked_key(certificates, tmp_path, "wrong"))
    with pytest.raises(UsageError, match="is encrypted and no passphrase is given"):
        Session.open(locked_key(certificates, tmp_path, None))


def locked_key(certificates: Certificates, directory: Path, given: str | None) -> Any:
    pair = certificates.issue()
    key = load_pem_private_key(pair.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"Open sesame")
    )
    passphrase = directory / "passphrase"
    passphrase.write_text(given or "", encoding="utf-8")
    password = SecretRef("file", str(passphrase)) if given else None
    return certificates.target(CertificateAndKey(pair.certificate, key), password=password)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("client.pem", None, "cannot be read"),
        ("client-key.pem", None, "cannot be read"),
        ("client.pem", b"nothing", "holds no certificate"),
        ("client-key.pem", b"nothing", "holds no private key"),
    ],
)
def test_a_certificate_file_that_cannot_be_used_is_told_before_anything_is_sent(
    certificates: Certificates, tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    target = certificates.target()
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        Session.open(target)
    assert file in caught.value.message


def test_a_key_of_another_certificate_is_told(certificates: Certificates) -> None:
    pair = CertificateAndKey(certificates.issue().certificate, certificates.issue().key)
    with pytest.raises(UsageError, match="does not belong to the certificate"):
        Session.open(certificates.target(pair))


def test_an_expired_client_certificate_is_told(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match="the client certificate expired on"):
        Session.open(certificates.target(certificates.issue(days=-1)))


def test_a_certificate_for_servers_is_told(certificates: Certificates, lab: Any) -> None:
    with pytest.raises(UsageError, match="not made for client authentication"):
        Session.open(certificates.target(lab.device.authority.issue_server("PRESS-01")))


def test_a_certificate_that_is_mapped_to_nobody_is_refused_by_the_device(certificates: Certificates) -> None:
    with pytest.raises(AuthenticationFailed, match="refused the client certificate") as caught:
        Session.open(certificates.target(certificates.issue(principal_name="nobody@press-01.localhost")))
    assert caught.value.next_action is not None
    assert "certmapping" in caught.value.next_action


def test_a_certificate_of_an_authority_that_the_device_does_not_trust_is_refused(certificates: Certificates) -> None:
    stranger = CertificateAuthority.create("Somebody else").issue_client("aksadmin", principal_name=PRINCIPAL)
    with pytest.raises((AuthenticationFailed, Unreachable), match="client certificate"):
        Session.open(certificates.target(stranger))


# ---- what the device or the realm says


@needs_credssp
@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ("locked", "is locked"),
        ("disabled", "is disabled"),
        ("password-expired", "password of .* has expired"),
        ("password-must-change", "must be changed"),
    ],
)
def test_credssp_tells_why_an_account_may_not_in(lab: Any, standing: Standing, said: str) -> None:
    lab.device.accounts = [replace(lab.device.accounts[0], standing=standing)]
    with pytest.raises(AuthenticationFailed, match=said) as caught:
        Session.open(lab.target(auth="credssp"))
    assert "PRESS-01\\aksadmin" in caught.value.message
    assert caught.value.next_action


@needs_credssp
def test_credssp_tells_a_wrong_password(lab: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password-9", encoding="utf-8")
    with pytest.raises(AuthenticationFailed, match=r"the user name or the password .* is wrong") as caught:
        Session.open(lab.target(auth="credssp", password=SecretRef("file", str(wrong))))
    assert "not-the-password-9" not in str(caught.value)


@pytest.mark.parametrize("auth", ["negotiate", "ntlm"])
@pytest.mark.parametrize("standing", ["locked", "disabled", "password-expired"])
def test_ntlm_says_no_more_than_that_it_was_refused(lab: Any, auth: str, standing: Standing) -> None:
    lab.device.accounts = [replace(lab.device.accounts[0], standing=standing)]
    with pytest.raises(AuthenticationFailed, match="the device refused user") as caught:
        Session.open(lab.target(auth=auth))
    assert caught.value.next_action is not None
    assert "locked" in caught.value.next_action


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"username": "aksadmin@PLANT.TEST", "password": "wrong"}, r"password .* is wrong"),
        ({"username": "nobody@PLANT.TEST"}, "the realm does not know the user"),
        ({"username": "locked@PLANT.TEST"}, "locked, disabled or expired"),
        ({"username": "expired@PLANT.TEST"}, "password of 'expired@PLANT.TEST' has expired"),
        ({"username": "aksadmin@ELSEWHERE.TEST"}, "no Kerberos server for the user's realm"),
        ({"spn_host": "press-99.plant.test"}, r"SPN not found.*|no service principal 'host/press-99\.plant\.test'"),
        ({"username": None, "password": None}, "no Kerberos ticket on this machine"),
    ],
    ids=["password", "user", "locked", "expired", "realm", "service", "ticket"],
)
def test_kerberos_tells_what_is_wrong(domain: Callable[..., Any], tmp_path: Path, change: dict[str, Any], said: str) -> None:
    if change.get("password") == "wrong":
        wrong = tmp_path / "wrong"
        wrong.write_text("not-the-password-9", encoding="utf-8")
        change = {**change, "password": SecretRef("file", str(wrong))}
    with pytest.raises(AuthenticationFailed, match=said) as caught:
        Session.open(domain(**change))
    assert caught.value.device == "press-01"
    assert caught.value.next_action


def test_kerberos_tells_that_clocks_differ(domain: Callable[..., Any], lab: Any) -> None:
    lab.device.now = lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    with pytest.raises(AuthenticationFailed, match="clocks") as caught:
        Session.open(domain())
    assert caught.value.next_action is not None
    assert "w32tm" in caught.value.next_action


def test_kerberos_tells_that_the_device_cannot_read_the_ticket(domain: Callable[..., Any], lab: Any, kerberos_realm: Any) -> None:
    with pytest.raises(AuthenticationFailed, match="authentication 'kerberos'"):
        Session.open(domain(spn_host=kerberos_realm.OTHER_COMPUTER))


def test_a_device_that_does_not_take_tickets_says_what_it_offers(domain: Callable[..., Any], lab: Any) -> None:
    lab.device.logon_settings = LogonSettings(schemes=frozenset({"Basic"}))
    with pytest.raises(AuthenticationFailed, match="does not offer authentication 'kerberos'; it offers: Basic"):
        Session.open(domain(transport="https"))


@needs_credssp
def test_a_device_without_credssp_says_what_it_offers(lab: Any) -> None:
    lab.device.logon_settings = LogonSettings(schemes=frozenset({"Negotiate"}))
    with pytest.raises(AuthenticationFailed, match="does not offer authentication 'credssp'; it offers: Negotiate"):
        Session.open(lab.target(auth="credssp"))


def test_an_expired_server_certificate_is_told(lab: Any) -> None:
    lab.device.certificate = lab.device.authority.issue_server("PRESS-01", addresses=[lab.device.address], days=-1)
    report = probe(lab.target(transport="https", auth="basic"))
    assert report.error is not None
    assert "the device's certificate has expired" in report.error.message
