"""The HTTPS side: certificates, tokens over the wire, start, stop, port."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path

import pytest

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.certificates import CertificateAuthority
from akslite_ps.sandbox.kubernetes import KubernetesApi


def trusting(api, pair=None, tmp_path=None):
    """A client context that trusts the cluster and shows a client certificate, if one is given."""
    credentials = api.cluster.state.credentials
    context = ssl.create_default_context(cadata=credentials.authority_certificate.decode())
    if pair is not None:
        path = Path(tmp_path, "client.pem")
        path.write_bytes(pair.key + pair.certificate)
        context.load_cert_chain(path)
    return context


def get(api, path="/api/v1/nodes", *, context=None, token=None, host=None):
    connection = http.client.HTTPSConnection(host or api.api.address, api.api.port, context=context or trusting(api), timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body.startswith(b"{") else body.decode()
    finally:
        connection.close()


def test_the_admins_certificate_opens_the_door(api, tmp_path):
    code, nodes = get(api, context=trusting(api, api.cluster.state.credentials.admin(), tmp_path))
    assert code == 200
    assert nodes["items"][0]["metadata"]["name"] == "press-01-ledge"


def test_an_expired_client_certificate_is_answered_with_401(api, tmp_path):
    pair = api.cluster.state.credentials.client("system:admin", "system:masters", days=-1)
    code, status = get(api, context=trusting(api, pair, tmp_path))
    assert (code, status["reason"]) == (401, "Unauthorized")


def test_a_certificate_without_rights_is_answered_with_403(api, tmp_path):
    pair = api.cluster.state.credentials.client("eve", "crew")
    code, status = get(api, context=trusting(api, pair, tmp_path))
    assert (code, status["reason"]) == (403, "Forbidden")
    assert 'User "eve"' in status["message"]


def test_a_certificate_of_another_authority_does_not_get_in(api, tmp_path):
    pair = CertificateAuthority.create("somebody").issue_client("system:admin", organization="system:masters")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(api, context=trusting(api, pair, tmp_path))


def test_a_token_is_taken_and_a_wrong_one_is_401(api):
    token = api.do(api.cluster.service_account_token)
    assert get(api, token=token)[0] == 200
    assert get(api, token=f"{token}x")[0] == 401
    assert get(api, token="nonsense")[0] == 401


@pytest.mark.parametrize(("distribution", "code", "health"), [("K3s", 401, 401), ("K8s", 403, 200)])
def test_nobody_in_particular_gets_what_the_distribution_allows(serve, make_cluster, distribution, code, health):
    api = serve(make_cluster(distribution))
    assert get(api)[0] == code
    assert get(api, "/readyz")[0] == health


def test_the_server_certificate_names_every_way_to_the_server(api):
    credentials = api.cluster.state.credentials
    with (
        socket.create_connection((api.api.address, api.api.port), timeout=10) as raw,
        trusting(api).wrap_socket(raw, server_hostname=api.api.address) as connection,
    ):
        names = {value for _, value in connection.getpeercert()["subjectAltName"]}
    assert {
        api.api.address,
        "192.168.0.2",
        "127.0.0.1",
        "10.43.0.1",
        "kubernetes.default.svc",
        "press-01-ledge",
        "localhost",
    } <= names
    assert credentials.as_data()["certificates"]["authority"]


def test_a_client_that_does_not_know_the_authority_refuses_the_server(api):
    with pytest.raises(ssl.SSLCertVerificationError):
        get(api, context=ssl.create_default_context())


def test_the_port_is_free_after_a_stop_and_taken_again_after_a_start(api):
    port = api.api.port
    assert get(api)[0] == 401
    api.run(api.api.stop())
    with pytest.raises(ConnectionRefusedError):
        get(api)
    api.run(api.api.start())
    assert api.api.port == port
    assert get(api)[0] == 401


def test_another_cluster_can_take_over_the_port(api, serve, make_cluster):
    port = api.api.port
    api.run(api.api.stop())
    other = serve(make_cluster(node_name="PRESS-02-ledge"), port)
    token = other.do(other.cluster.service_account_token)
    assert get(other, token=token)[1]["items"][0]["metadata"]["name"] == "press-02-ledge"


def test_a_stop_ends_open_watches_and_an_abort_resets_them(api):
    for abort in (False, True):
        api.run(api.api.start())
        connection = http.client.HTTPSConnection(api.api.address, api.api.port, context=trusting(api), timeout=10)
        token = api.do(api.cluster.service_account_token)
        connection.request("GET", "/api/v1/nodes?watch=true", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        assert json.loads(response.readline())["type"] == "ADDED"
        api.run(api.api.stop(abort))
        if abort:
            with pytest.raises((ConnectionError, http.client.IncompleteRead, ssl.SSLError)):
                response.read()
        else:
            assert response.read() == b""
        connection.close()


def test_a_watch_is_fed_as_device_time_passes(api, deployment):
    token = api.do(api.cluster.service_account_token)
    watching = http.client.HTTPSConnection(api.api.address, api.api.port, context=trusting(api), timeout=20)
    watching.request("GET", "/api/v1/namespaces/default/pods?watch=true", headers={"Authorization": f"Bearer {token}"})
    stream = watching.getresponse()
    asking = http.client.HTTPSConnection(api.api.address, api.api.port, context=trusting(api), timeout=20)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(deployment(replicas=1))
    asking.request("POST", "/apis/apps/v1/namespaces/default/deployments", body, headers)
    assert asking.getresponse().status == 201
    phases = []
    while "Running" not in phases:
        event = json.loads(stream.readline())
        phases.append(event["object"]["status"].get("phase"))
    assert phases[0] == "Pending"
    asking.close()
    watching.close()


def test_only_loopback_is_bound(make_cluster):
    with pytest.raises(UsageError, match="not a loopback address"):
        KubernetesApi(make_cluster(), address="192.168.0.2")


def test_a_taken_port_is_an_error(api, make_cluster):
    second = KubernetesApi(make_cluster(), address=api.api.address, port=api.api.port)
    with pytest.raises(OSError, match="in use"):
        api.run(second.start())
    assert not second.running
