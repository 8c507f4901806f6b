"""The WinRM listeners of one simulated device: HTTP and HTTPS on its loopback address.

Called by the device or the sandbox's supervisor. The edge between HTTP and ``protocol.shell_service``: authentication, decryption,
size limits and status codes are here; what a request means is not. Costs no thread and, until HTTPS is used, no certificate.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import os
import socket
import ssl
import struct
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from multidict import CIMultiDict
from spnego.channel_bindings import GssChannelBindings

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol.authentication import (
    ENCRYPTED_CONTENT_TYPE,
    NTLM_ACCOUNTS,
    ConnectionSecurity,
    DecryptionFailed,
    LogonFailed,
)
from akslite_ps.sandbox.protocol.shell_service import ShellService
from akslite_ps.sandbox.protocol.shells import ClientGone, Quotas
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault, access_denied, internal_error

_log = logging.getLogger(__name__)

_PATH = "/wsman"
_SOAP = "application/soap+xml;charset=UTF-8"
_KEEP_ALIVE_S = 3_600.0
_HANDSHAKE_LIMIT_S = 20.0
_BACKLOG = 64
_ACCEPT_PAUSE_S = 0.1
_ABORT_LIMIT_S = 0.05
_STOP_LIMIT_S = 1.0
_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class WinRMListener:
    """HTTP and HTTPS listeners of a device and the shells behind them.

    Args:
        device: What is served.
        quotas: Limits of the service.
    """

    def __init__(self, device: HostedDevice, *, quotas: Quotas | None = None) -> None:
        self.http_port = device.http_port
        self.https_port = device.https_port
        self._device = device
        self._shells = ShellService(device, quotas)
        self._http: asyncio.Server | None = None
        self._https: _TlsAcceptor | None = None
        self._web: web.Server | None = None
        self._security: weakref.WeakKeyDictionary[asyncio.BaseTransport, ConnectionSecurity] = weakref.WeakKeyDictionary()
        self._bindings: GssChannelBindings | None = None

    async def start(self) -> None:
        """Listen on the device's address; ports that the system chose before are used again.

        Raises:
            ValueError: The address is not a loopback address, 127.0.0.0/8.
            OSError: The address or a port is taken.
            RuntimeError: It listens already.
        """
        if self._http is not None:
            raise RuntimeError(f"{self._device.name}: the WinRM listener is started already")
        if ipaddress.ip_address(self._device.address) not in ipaddress.ip_network("127.0.0.0/8"):
            raise ValueError(
                f"{self._device.name}: {self._device.address} is not in 127.0.0.0/8; a simulated device listens nowhere else"
            )
        loop = asyncio.get_running_loop()
        self._web = web.Server(self._serve, access_log=None, keepalive_timeout=_KEEP_ALIVE_S)
        plain, secure = _bind(self._device.address, self.http_port), None
        try:
            secure = _bind(self._device.address, self.https_port)
            self._http = await loop.create_server(self._web, sock=plain)
        except BaseException:
            plain.close()
            if secure is not None:
                secure.close()
            raise
        self._https = _TlsAcceptor(secure, self._web, self._make_tls_context)
        self.http_port, self.https_port = plain.getsockname()[1], secure.getsockname()[1]

    async def stop(self, *, abort: bool = False) -> None:
        """Stop listening.

        Args:
            abort: The machine went down: reset every connection and forget all shells without a word to anybody.
        """
        if self._http is None or self._https is None or self._web is None:
            return
        http, https, server = self._http, self._https, self._web
        self._http = self._https = self._web = None
        http.close()
        await https.close()
        transports = [connection.transport for connection in server.connections if connection.transport is not None]
        if abort:
            self._shells.abort()
            _reset(transports)
        else:
            await self._shells.close()
        server.pre_shutdown()
        await server.shutdown(timeout=_ABORT_LIMIT_S if abort else _STOP_LIMIT_S)
        for transport in transports:
            # TLS would wait for the client's farewell.
            if not transport.get_write_buffer_size():
                transport.abort()
        await asyncio.sleep(0)
        NTLM_ACCOUNTS.forget(self._device)

    def _make_tls_context(self) -> ssl.SSLContext:
        certificate, key = self._device.server_certificate()
        digest = hashlib.sha256(x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)).digest()
        self._bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="akslite-sandbox-") as directory:
            path = Path(directory, "listener.pem")
            path.touch(mode=0o600)
            path.write_bytes(certificate + b"\n" + key)
            context.load_cert_chain(path)
        return context

    # ---- one request

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.rel_url.path.rstrip("/").lower() != _PATH:
            return web.Response(status=404)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        transport = request.transport
        if transport is None:
            return web.Response(status=400)
        security = self._security_of(transport)
        encrypted = request.content_type.startswith("multipart/")
        headers: CIMultiDict[str] = CIMultiDict()
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            try:
                accepted = security.authorize(authorization)
            except LogonFailed as failure:
                _log.info("%s: log-on refused: %s", self._device.name, failure)
                return self._unauthorized(security)
            if accepted.token is not None:
                headers["WWW-Authenticate"] = accepted.token
            if accepted.user is None:
                return web.Response(status=401, headers=headers)
        elif encrypted and not security.can_decrypt:
            return web.Response(status=400)
        elif security.user is None:
            return self._unauthorized(security)
        assert security.user is not None
        if not body:
            return web.Response(status=200, headers=headers)
        return await self._answer(request, security, body, encrypted=encrypted, headers=headers)

    async def _answer(
        self, request: web.BaseRequest, security: ConnectionSecurity, body: bytes, *, encrypted: bool, headers: CIMultiDict[str]
    ) -> web.Response:
        if encrypted:
            try:
                envelope = security.decrypt(body)
            except DecryptionFailed as failure:
                _log.info("%s: a message cannot be decrypted: %s", self._device.name, failure)
                return web.Response(status=400)
        else:
            envelope = body
        if len(envelope) > wsman.SERVER_ENVELOPE_SIZE:
            return web.Response(status=413, headers=headers)
        try:
            status, reply = await self._reply(request, security, envelope, confidential=encrypted or security.over_tls)
        except ClientGone:
            return web.Response(status=400)
        if encrypted:
            reply = security.encrypt(reply)
        headers["Content-Type"] = ENCRYPTED_CONTENT_TYPE if encrypted else _SOAP
        return web.Response(status=status, body=reply, headers=headers)

    async def _reply(
        self, request: web.BaseRequest, security: ConnectionSecurity, envelope: bytes, *, confidential: bool
    ) -> tuple[int, bytes]:
        header = wsman.Header(message_id="")
        try:
            parsed = wsman.parse_request(envelope)
            header = parsed.header
            if not confidential:
                # AllowUnencrypted is false on a device, as it is by default on Windows.
                raise access_denied()
            assert security.user is not None
            return 200, await self._shells.handle(parsed, security.user, _HttpClient(request))
        except wsman.RefusedRequest as refused:
            return 500, wsman_replies.fault_reply(refused.header, refused.fault, self._device.computer_name)
        except WSManFault as fault:
            return 500, wsman_replies.fault_reply(header, fault, self._device.computer_name)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001 - the client is owed an answer
            _log.exception("%s: a request failed", self._device.name)
            return 500, wsman_replies.fault_reply(header, internal_error(), self._device.computer_name)

    def _security_of(self, transport: asyncio.BaseTransport) -> ConnectionSecurity:
        security = self._security.get(transport)
        if security is None:
            over_tls = transport.get_extra_info("sslcontext") is not None
            security = self._security[transport] = ConnectionSecurity(self._device, self._bindings if over_tls else None)
        return security

    def _unauthorized(self, security: ConnectionSecurity) -> web.Response:
        headers: CIMultiDict[str] = CIMultiDict()
        for challenge in security.challenges():
            headers.add("WWW-Authenticate", challenge)
        return web.Response(status=401, headers=headers)


class _HttpClient:
    """``shells.Client`` for the connection of an HTTP request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.address = request.remote or ""

    @property
    def alive(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()


class _TlsAcceptor:
    """Accepts TLS connections; the certificate is asked for when the first client comes.

    Args:
        listener: A listening socket.
        server: Makes the protocol of each connection.
        make_context: Makes the TLS context, once.
    """

    def __init__(self, listener: socket.socket, server: web.Server, make_context: Callable[[], ssl.SSLContext]) -> None:
        self._listener = listener
        self._server = server
        self._make_context = make_context
        self._context: ssl.SSLContext | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
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
        try:
            if self._context is None:
                self._context = self._make_context()
            await asyncio.get_running_loop().connect_accepted_socket(
                self._server, connection, ssl=self._context, ssl_handshake_timeout=_HANDSHAKE_LIMIT_S
            )
        except (OSError, ssl.SSLError) as error:
            _log.info("a TLS handshake failed: %s", error)
            connection.close()


def _bind(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _reset(transports: Sequence[asyncio.Transport]) -> None:
    for transport in transports:
        opened = transport.get_extra_info("socket")
        if opened is not None and not transport.is_closing():
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
