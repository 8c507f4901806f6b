"""The TLS side of the API: its server certificate, and client certificates that may be given.

A client certificate of another authority ends the TLS handshake here, where the real server answers
401: Python's ``ssl`` cannot ask for a certificate without checking it. Its dates are not checked by TLS
(see ``_NO_CHECK_TIME``), so that an expired one is answered with 401 as it should be.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import address_of
from akslite_ps.sandbox.kubernetes.objects import name_of
from akslite_ps.sandbox.kubernetes.state import ClusterState

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it.
_NO_CHECK_TIME = 0x200000
_SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


def listening_context(state: ClusterState, address: str) -> ssl.SSLContext:
    """A context to listen with. It gets its certificate at the first handshake, so that an API that nobody asks costs none."""
    context = _empty_context()
    serving: list[ssl.SSLContext] = []

    def choose(connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> None:
        if not serving:
            serving.append(_serving_context(state, address))
        connection.context = serving[0]

    # OpenSSL calls this for every handshake, with server_name None where the client sends none.
    context.sni_callback = choose
    return context


def _serving_context(state: ClusterState, address: str) -> ssl.SSLContext:
    """The context with the server's certificate: for the address, the nodes, and the names under which pods reach the API."""
    node_names: list[str] = []
    addresses = [address, "127.0.0.1", str(state.facts.service_network[1])]
    for node in state.store.objects(resources.NODES.resource):
        if address_of(node):
            node_names.append(name_of(node))
            addresses.append(address_of(node))
    pair = state.credentials.server(list(dict.fromkeys(addresses)), ["localhost", *node_names, *_SERVICE_NAMES])
    context = _empty_context()
    # load_cert_chain reads files only.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "server.pem")
        path.touch(mode=0o600)
        path.write_bytes(pair.key + pair.certificate)
        context.load_cert_chain(path)
    context.load_verify_locations(cadata=state.credentials.authority_certificate.decode())
    return context


def _empty_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags = ssl.VerifyFlags(int(context.verify_flags) | _NO_CHECK_TIME)
    return context
