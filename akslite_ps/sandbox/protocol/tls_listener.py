"""TLS of a device's HTTPS listener: its certificate, the client's, and what binds a log-on to the channel.

Used by ``protocol.winrm``. The device is asked for its certificate when a client comes, so that a new one counts at once and a
device that nobody reaches over HTTPS never needs one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from akslite_ps.sandbox.engine import HostedDevice

if TYPE_CHECKING:
    from spnego.channel_bindings import GssChannelBindings

    from akslite_ps.sandbox.protocol.authentication import Tls

_log = logging.getLogger(__name__)

_HANDSHAKE_LIMIT_S = 20.0
_ACCEPT_PAUSE_S = 0.1
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: OpenSSL would break off for an expired client certificate; Windows answers over HTTP."""


class TlsAcceptor:
    """Accepts TLS connections.

    Args:
        listener: A listening socket.
        server: Makes the protocol of each connection.
        device: Has the certificate.
        heard: Set while the network lets anything through.
    """

    def __init__(self, listener: socket.socket, server: web.Server, device: HostedDevice, heard: asyncio.Event) -> None:
        self._heard = heard
        self._listener = listener
        self._server = server
        self._device = device
        self._context: _ListenerContext | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Accept nobody any more; connections stay."""
        tasks = (self._accepting, *self._handshakes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                _log.warning("a TLS connection cannot be accepted: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            handshake = loop.create_task(self._greet(connection))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _greet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        await self._heard.wait()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._server, connection, ssl=self._current_context(), ssl_handshake_timeout=_HANDSHAKE_LIMIT_S
            )
        except (OSError, ssl.SSLError) as error:
            _log.info("a TLS handshake failed: %s", error)
            connection.close()

    def _current_context(self) -> _ListenerContext:
        certificate, key = self._device.server_certificate()
        authority = self._device.logon_settings.client_authority
        if self._context is None or self._context.made_of != (certificate, authority):
            self._context = _ListenerContext()
            self._context.equip(certificate, key, authority)
        return self._context


class _ListenerContext(ssl.SSLContext):
    """The server side's TLS context with what it was made of."""

    made_of: tuple[bytes, bytes | None]
    bindings: GssChannelBindings

    def __new__(cls) -> _ListenerContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def equip(self, certificate: bytes, key: bytes, authority: bytes | None) -> None:
        """Load the listener's certificate, and ask clients for one of the authority's."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding
        from spnego.channel_bindings import GssChannelBindings

        self.made_of = (certificate, authority)
        digest = hashlib.sha256(x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)).digest()
        self.bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        with tempfile.TemporaryDirectory(prefix="akslite-sandbox-") as directory:
            path = Path(directory, "listener.pem")
            path.touch(mode=0o600)
            path.write_bytes(certificate + b"\n" + key)
            self.load_cert_chain(path)
        if authority is not None:
            self.load_verify_locations(cadata=authority.decode())
            self.verify_mode = ssl.CERT_OPTIONAL
            self.verify_flags |= _NO_CHECK_TIME


def tls_of(transport: asyncio.BaseTransport) -> Tls | None:
    """What is known of a connection's TLS channel; None where it has none."""
    from akslite_ps.sandbox.protocol.authentication import Tls

    context = transport.get_extra_info("sslcontext")
    if not isinstance(context, _ListenerContext):
        return None
    return Tls(context.bindings, transport.get_extra_info("ssl_object").getpeercert(binary_form=True))
