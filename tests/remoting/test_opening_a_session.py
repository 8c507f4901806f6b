"""The way to a device: what works, and what a person is told where it ends."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import AuthenticationFailed, NotPermitted, SecretUnavailable, SessionLost, Unreachable, UsageError
from akslite_ps.remoting import Session, probe
from akslite_ps.sandbox.certificates import CertificateAuthority
from akslite_ps.sandbox.protocol.winrm import WinRMListener
from akslite_ps.sandbox.protocol.wsman_shell import Quotas
from akslite_ps.secrets import SecretRef


@pytest.fixture
def greeting(lab: Any) -> None:
    @lab.device.command("Get-Greeting")
    async def greet(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")


@pytest.mark.parametrize(
    "way",
    [
        {"auth": "negotiate"},
        {"auth": "ntlm"},
        {"auth": "ntlm", "username": "aksadmin"},
        {"auth": "basic", "transport": "https"},
        {"auth": "negotiate", "transport": "https"},
        {"auth": "ntlm", "transport": "https"},
    ],
    ids=lambda way: "-".join(way.values()),
)
@pytest.mark.usefixtures("greeting")
def test_a_session_opens_over_every_way_and_runs_commands(lab: Any, way: dict[str, str]) -> None:
    with Session.open(lab.target(**way)) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]
        assert session.invoke("Get-Greeting").output == ["hello"]


@pytest.mark.parametrize("way", [{"auth": "negotiate"}, {"auth": "ntlm"}, {"auth": "basic", "transport": "https"}])
def test_a_wrong_password_is_refused_credentials(lab: Any, tmp_path: Path, way: dict[str, str]) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password-9", encoding="utf-8")

    with pytest.raises(AuthenticationFailed) as caught:
        Session.open(lab.target(password=SecretRef("file", str(wrong)), **way))

    assert caught.value.device == "press-01"
    assert "PRESS-01\\aksadmin" in caught.value.message
    assert caught.value.next_action
    assert "not-the-password-9" not in str(caught.value)


def test_a_password_reference_that_leads_nowhere_is_told_before_anything_is_sent(lab: Any) -> None:
    with pytest.raises(SecretUnavailable, match="AKSLITE_TEST_NOWHERE"):
        Session.open(lab.target(password=SecretRef("env", "AKSLITE_TEST_NOWHERE")))


def test_an_unknown_host_is_told_as_such(lab: Any) -> None:
    with pytest.raises(Unreachable, match=r"host name 'press-99\.invalid' is unknown"):
        Session.open(lab.target(host="press-99.invalid"))


def test_a_closed_port_is_told_as_such(lab: Any) -> None:
    with socket.socket() as unused:
        unused.bind((lab.device.address, 0))
        with pytest.raises(Unreachable, match="refused"):
            Session.open(lab.target(port=unused.getsockname()[1]))


def test_a_device_that_never_answers_is_told_as_such(lab: Any) -> None:
    with socket.create_server((lab.device.address, 0)) as silent, pytest.raises(Unreachable, match="went silent"):
        Session.open(lab.target(port=silent.getsockname()[1]), open_timeout_s=0.2)


def test_a_certificate_of_an_unknown_issuer_is_not_trusted(lab: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(CertificateAuthority.create("Another authority").pair.certificate)

    with pytest.raises(Unreachable, match="not trusted: its issuer") as caught:
        Session.open(lab.target(transport="https", auth="basic", ca_file=other))

    assert caught.value.next_action is not None
    assert "ca_file" in caught.value.next_action


def test_a_certificate_for_another_name_is_not_trusted(lab: Any) -> None:
    with pytest.raises(Unreachable, match="not made out for 'localhost'"):
        _open_by_name(lab)


def _open_by_name(lab: Any) -> None:
    # localhost is 127.0.0.1; the listener's port is taken there too, with the same certificate
    lab.device.address, address = "127.0.0.1", lab.device.address
    second = WinRMListener(lab.device)
    lab.run(second.start())
    lab.device.authority_address = address
    lab.device.server_certificate = lambda: _certificate_for(lab, address)
    try:
        Session.open(lab.target(host="localhost", transport="https", auth="basic", port=second.https_port))
    finally:
        lab.device.address = address
        lab.run(second.stop())


def _certificate_for(lab: Any, address: str) -> tuple[bytes, bytes]:
    pair = lab.device.authority.issue_server("PRESS-01", addresses=[address])
    return pair.certificate, pair.key


def test_a_ca_file_that_is_not_there_is_told_as_such(lab: Any, tmp_path: Path) -> None:
    with pytest.raises((Unreachable, UsageError), match=r"nowhere\.pem"):
        Session.open(lab.target(transport="https", auth="basic", ca_file=tmp_path / "nowhere.pem"))


def test_the_http_port_is_not_taken_for_the_https_port(lab: Any) -> None:
    with pytest.raises(Unreachable, match="TLS"):
        Session.open(lab.target(transport="https", auth="basic", port=lab.listener.http_port))


def test_a_session_configuration_that_is_not_there_is_not_permitted(lab: Any) -> None:
    with pytest.raises(NotPermitted, match=r"AksLite\.Owner"):
        Session.open(lab.target(configuration_name="AksLite.Owner"))


def test_a_used_up_quota_means_busy_not_failed(lab: Any) -> None:
    lab.run(lab.listener.stop())
    lab.listener = WinRMListener(lab.device, quotas=Quotas(shells_per_user=1))
    lab.run(lab.listener.start())

    with Session.open(lab.target()), pytest.raises(Unreachable, match="busy"):
        Session.open(lab.target())


def test_another_service_on_the_port_is_told_as_such(lab: Any) -> None:
    device = lab.target()
    with Session.open(device) as session:
        session._pool.connection.transport.endpoint += "/elsewhere"
        with pytest.raises(SessionLost, match="HTTP 404"):
            session.invoke("Get-Greeting")


@pytest.mark.parametrize("host", [None, "press-99.invalid"])
@pytest.mark.usefixtures("greeting")
def test_a_proxy_of_the_environment_is_not_used(lab: Any, monkeypatch: pytest.MonkeyPatch, host: str | None) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    if host is None:
        with Session.open(lab.target()) as session:
            assert session.invoke("Get-Greeting").output == ["hello"]
    else:
        with pytest.raises(Unreachable, match="name resolution"):
            Session.open(lab.target(host=host))


@pytest.mark.usefixtures("greeting")
def test_a_proxy_that_the_endpoint_names_is_used(lab: Any, relay: Any) -> None:
    device = lab.target(host="press-99.invalid", port=5985, proxy=f"http://{lab.device.address}:{relay.port}")

    with Session.open(device) as session:
        assert session.invoke("Get-Greeting").output == ["hello"]


def test_a_proxy_that_cannot_be_used_is_named_as_the_cause(lab: Any) -> None:
    with pytest.raises(Unreachable, match="proxy"):
        Session.open(lab.target(host="press-99.invalid", proxy="http://127.0.0.1:9"))


@pytest.mark.parametrize("proxy", ["", "proxy:3128", "ftp://proxy", "http://", "http://me:secret@proxy:3128", "http://proxy:x"])
def test_what_is_no_proxy_is_refused(lab: Any, proxy: str) -> None:
    with pytest.raises(ValueError, match="must be the URL of a proxy"):
        lab.target(proxy=proxy)


def test_a_probe_goes_the_whole_way(lab: Any) -> None:
    report = probe(lab.target(transport="https", auth="basic"))

    assert report.ok
    assert [check.check for check in report.checks] == [
        "name",
        "tcp",
        "tls",
        "authentication",
        "session",
        "language",
        "version",
    ]
    assert report.language == "none"
    assert report.powershell_version == "5.1.19045.0"
    assert report.to_dict()["ok"] is True


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"host": "press-99.invalid"}, "name"),
        ({"port": 9}, "tcp"),
        ({"transport": "https", "auth": "basic", "ca_file": None}, "tls"),
        ({"username": "PRESS-01\\nobody"}, "authentication"),
        ({"configuration_name": "AksLite.Owner"}, "session"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_probe_tells_where_the_way_ends(lab: Any, change: dict[str, Any], failed: str) -> None:
    report = probe(lab.target(**change))

    assert not report.ok
    states = {check.check: check.ok for check in report.checks}
    names = list(states)
    assert states[failed] is False
    assert all(states[name] is True for name in names[: names.index(failed)])
    assert all(states[name] is None for name in names[names.index(failed) + 1 :])
    assert all(check.next_action for check in report.checks if check.ok is False)
