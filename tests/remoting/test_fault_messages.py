"""What the user reads when this machine's own files, or its choice of authentication, are in the way."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from akslite_ps.errors import AuthenticationFailed, SecretUnavailable
from akslite_ps.remoting import Device, Endpoint, Session, probe
from akslite_ps.remoting.faults import as_remoting_error, describe_network_error
from akslite_ps.secrets import SecretRef


def device(**endpoint: object) -> Device:
    fields = {"host": "127.0.0.1", "username": "ops", "password": SecretRef("env", "NOT_SET_ANYWHERE"), **endpoint}
    return Device(name="press-07", endpoint=Endpoint.model_validate(fields))


@pytest.mark.parametrize("text", ["{}", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_without_a_certificate_is_what_the_message_names(tmp_path: Path, text: str) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(text, encoding="ascii")
    with pytest.raises(ssl.SSLError) as refused:
        ssl.create_default_context(cafile=str(ca_file))

    message, next_action = describe_network_error(refused.value, device(transport="https", ca_file=ca_file).endpoint)

    assert str(ca_file) in message
    assert "PEM" in next_action


def test_an_authentication_that_the_device_does_not_offer_is_no_fault_of_ours() -> None:
    credssp = pytest.importorskip("requests_credssp.exceptions")
    refusal = credssp.AuthenticationException(
        "The server did not response CredSSP being an available authentication method - actual: 'Negotiate'"
    )

    error = as_remoting_error(refusal, device(auth="credssp"), "open a session", established=False)

    assert isinstance(error, AuthenticationFailed)
    assert "it offers: Negotiate" in error.message


def test_a_missing_password_ends_the_probe_as_it_ends_a_session() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        target = device(port=listening.getsockname()[1])
        with pytest.raises(SecretUnavailable) as missing:
            Session.open(target)
        report = probe(target)

    assert missing.value.device == "press-07"
    assert "NOT_SET_ANYWHERE" in str(missing.value)
    assert isinstance(report.error, SecretUnavailable)
    assert not report.ok
    assert "error" not in report.to_dict()
