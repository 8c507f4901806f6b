"""Who may in: Negotiate and NTLM over HTTP and HTTPS, Basic only over HTTPS, one account store for many devices."""

from __future__ import annotations

import base64
import http.client
import ssl

import pytest
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import RunspacePool
from requests.exceptions import SSLError

from akslite_ps.sandbox.engine import Account

ACCOUNT_SPELLINGS = ["PRESS-01\\aksadmin", "press-01\\AKSADMIN", "aksadmin", ".\\aksadmin", "aksadmin@PRESS-01"]


@pytest.mark.parametrize("username", ACCOUNT_SPELLINGS)
@pytest.mark.parametrize("auth", ["negotiate", "ntlm"])
def test_a_local_account_logs_on_over_encrypted_http(served, run_command, auth, username):
    with served.pool(served.client(auth=auth, username=username)) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
        assert pool.shell.owner == "PRESS-01\\aksadmin"


@pytest.mark.parametrize(
    ("auth", "encryption"),
    [("negotiate", "auto"), ("negotiate", "always"), ("ntlm", "auto"), ("ntlm", "always"), ("basic", "auto")],
)
def test_a_local_account_logs_on_over_https_with_a_checked_certificate(served, run_command, auth, encryption):
    with served.pool(served.client(ssl=True, auth=auth, encryption=encryption)) as pool:
        assert run_command(pool, "Echo", "in").output == ["in"]
    assert served.device.certificates_asked_for == 1


@pytest.mark.parametrize(
    ("tls", "auth"), [(False, "negotiate"), (False, "ntlm"), (True, "negotiate"), (True, "ntlm"), (True, "basic")]
)
@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "PRESS-01\\nobody"}, {"username": "OTHER\\aksadmin"}])
def test_wrong_credentials_are_refused(served, tls, auth, wrong):
    with pytest.raises(AuthenticationError), served.client(ssl=tls, auth=auth, **wrong) as client:
        RunspacePool(client).open()


def test_basic_over_http_is_neither_offered_nor_accepted(served):
    with pytest.raises(AuthenticationError), served.client(auth="basic", encryption="never") as client:
        RunspacePool(client).open()
    response = _post(served, {"Authorization": _basic("aksadmin", served.device.accounts[0].password)}, b"<x/>")
    assert response.status == 401
    assert response.headers.get_all("WWW-Authenticate") == ["Negotiate", "CredSSP"]


def test_https_offers_negotiate_and_basic(served):
    response = _post(served, {}, b"", tls=True)
    assert response.status == 401
    assert response.headers.get_all("WWW-Authenticate") == ["Negotiate", 'Basic realm="WSMAN"', "CredSSP"]


def test_a_certificate_of_another_authority_is_not_trusted(served, serve):
    stranger = serve("press-02")
    with pytest.raises(SSLError), served.client(ssl=True, auth="basic", cert_validation=str(stranger.ca_file)) as client:
        RunspacePool(client).open()


def test_no_certificate_is_made_before_https_is_used(served, run_command):
    with served.pool() as pool:
        run_command(pool, "Echo", 1)
    assert served.device.certificates_asked_for == 0


def test_equal_user_names_on_two_devices_keep_their_own_passwords(serve, run_command):
    one, other = serve("press-01"), serve("press-02")
    other.device.accounts = [Account("PRESS-02", "aksadmin", "another one")]
    with other.pool(other.client(username="aksadmin", password="another one")) as pool:
        assert run_command(pool, "Echo", 2).output == [2]
    with one.pool(one.client(username="aksadmin")) as pool:
        assert run_command(pool, "Echo", 1).output == [1]
    with pytest.raises(AuthenticationError):
        one.pool(one.client(username="aksadmin", password="another one"))


def test_a_changed_password_counts_from_the_next_log_on(served, run_command):
    with served.pool() as pool:
        served.device.accounts = [Account("PRESS-01", "aksadmin", "changed")]
        assert run_command(pool, "Echo", "still in").output == ["still in"]
        with pytest.raises(AuthenticationError):
            served.pool()
        with served.pool(served.client(password="changed")) as again:
            assert run_command(again, "Echo", "in again").output == ["in again"]


def test_another_users_shell_is_out_of_reach(served):
    served.device.accounts.append(Account("PRESS-01", "guest", "guest's own"))
    pool = served.pool()
    stranger = served.client(username="guest", password="guest's own")
    assert RunspacePool.get_runspace_pools(stranger) == []
    foreign = RunspacePool(stranger)
    foreign.shell._selector_set = pool.shell._selector_set
    with pytest.raises(WSManFaultError, match="Access is denied"):
        foreign.shell._get_shell()


def test_plain_messages_over_http_are_refused(served):
    with pytest.raises(WSManFaultError, match="Access is denied"), served.client(encryption="never") as client:
        RunspacePool(client).open()


def test_a_message_encrypted_for_another_connection_gets_an_empty_400(served):
    pool = served.pool()
    transport = pool.connection.transport
    transport.session.close()
    with pytest.raises(WinRMTransportError) as caught:
        pool.shell._get_shell()
    assert caught.value.code == 400
    assert caught.value.response_text == ""


def test_a_changed_message_gets_an_empty_400(served):
    pool = served.pool()
    encryption = pool.connection.transport.encryption
    wrap = encryption.wrap_message

    def change(message: bytes) -> tuple[str, bytes]:
        content_type, body = wrap(message)
        return content_type, body[:-40] + bytes([body[-40] ^ 1]) + body[-39:]

    encryption.wrap_message = change
    with pytest.raises(WinRMTransportError) as caught:
        pool.shell._get_shell()
    assert (caught.value.code, caught.value.response_text) == (400, "")


def test_a_client_that_writes_as_windows_own_does_is_answered_alike(served, run_command):
    """UTF-16 inside, and no tabs before the headers of the encrypted parts."""
    pool = served.pool()
    encryption = pool.connection.transport.encryption
    wrap, unwrap = encryption.wrap_message, encryption.unwrap_message
    answers = []

    def write(message: bytes) -> tuple[str, bytes]:
        content_type, body = wrap(message.decode().encode("utf-16"))
        return content_type, body.replace(b"\tContent-Type", b"Content-Type").replace(b"\tOriginalContent", b"OriginalContent")

    def read(message: bytes, boundary: str) -> bytes:
        assert b"charset=UTF-16" in message
        answers.append(unwrap(message, boundary))
        return answers[-1].decode("utf-16").encode()

    encryption.wrap_message, encryption.unwrap_message = write, read
    text = "caf\u00e9 \U0001f600"

    async def write_much(call, request, streams):
        streams.output(call.parameters[0].value * 40_000)

    served.device.commands["Write-Much"] = write_much
    assert run_command(pool, "Write-Much", text).output == [text * 40_000]
    assert max(map(len, answers)) <= 512_000
    pool.close()


@pytest.mark.parametrize(
    "token", ["Negotiate !!!", "Negotiate " + base64.b64encode(b"NTLMSSP\0\3\0\0\0").decode(), "Digest abc", "Negotiate"]
)
def test_nonsense_in_the_authorization_header_is_a_401(served, token):
    assert _post(served, {"Authorization": token}, b"").status == 401


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _post(served, headers: dict[str, str], body: bytes, *, tls: bool = False, path: str = "/wsman") -> http.client.HTTPResponse:
    if tls:
        context = ssl.create_default_context(cafile=served.ca_file)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            served.device.address, served.listener.https_port, timeout=5, context=context
        )
    else:
        connection = http.client.HTTPConnection(served.device.address, served.listener.http_port, timeout=5)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()
