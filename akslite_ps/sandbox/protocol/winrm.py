"""The WinRM listeners of one simulated device: HTTP and HTTPS on its loopback address.

Called by the device or the sandbox's supervisor. The edge between HTTP and ``protocol.shell_service``: authentication, decryption,
size limits and status codes are here; what a request means is not. Costs no thread and, until HTTPS is used, no certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import weakref
from typing import Literal

from aiohttp import web
from multidict import CIMultiDict

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman, wsman_replies
from akslite_ps.sandbox.protocol.authentication import ConnectionSecurity, LogonRefused
from akslite_ps.sandbox.protocol.disturbances import ConnectionCut, Disturbance, RequestDropped, reset
from akslite_ps.sandbox.protocol.message_encryption import DecryptionFailed
from akslite_ps.sandbox.protocol.shell_service import ShellService
from akslite_ps.sandbox.protocol.shells import Quotas
from akslite_ps.sandbox.protocol.tls_listener import TlsAcceptor, tls_of
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault, access_denied, internal_error
from akslite_ps.sandbox.protocol.wsman_shell import ClientGone

_log = logging.getLogger(__name__)

_PATH = "/wsman"
_SOAP = "application/soap+xml;charset=UTF-8"
_KEEP_ALIVE_S = 3_600.0
_BACKLOG = 64
_ABORT_LIMIT_S = 0.05
_STOP_LIMIT_S = 1.0


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
        self._https: TlsAcceptor | None = None
        self._web: web.Server | None = None
        self._security: weakref.WeakKeyDictionary[asyncio.BaseTransport, ConnectionSecurity] = weakref.WeakKeyDictionary()
        self._heard = asyncio.Event()
        self._heard.set()

    async def start(self) -> None:
        """Listen on the device's address; ports that the system chose before are used again.

        Raises:
            ValueError: The address is not a loopback address, 127.0.0.0/8.
            OSError: The address or a port is taken.
            RuntimeError: It listens already.
        """
        if self._web is not None:
            raise RuntimeError(f"{self._device.name}: the WinRM listener is started already")
        if ipaddress.ip_address(self._device.address) not in ipaddress.ip_network("127.0.0.0/8"):
            raise ValueError(
                f"{self._device.name}: {self._device.address} is not in 127.0.0.0/8; a simulated device listens nowhere else"
            )
        self._web = web.Server(self._serve, access_log=None, keepalive_timeout=_KEEP_ALIVE_S)
        try:
            await self._open_ports(self._web)
        except BaseException:
            self._web = None
            raise

    async def _open_ports(self, server: web.Server) -> None:
        plain, secure = _bind(self._device.address, self.http_port), None
        try:
            secure = _bind(self._device.address, self.https_port)
            self._http = await asyncio.get_running_loop().create_server(server, sock=plain)
        except BaseException:
            plain.close()
            if secure is not None:
                secure.close()
            raise
        self._https = TlsAcceptor(secure, server, self._device, self._heard)
        self.http_port, self.https_port = plain.getsockname()[1], secure.getsockname()[1]

    async def _close_ports(self) -> None:
        http, https = self._http, self._https
        self._http = self._https = None
        if http is not None:
            http.close()
        if https is not None:
            await https.close()

    async def follow_network(self, away: Literal["refused", "silent"] | None) -> None:
        """Be in the network, or away from it; shells and what runs in them go on.

        Args:
            away: ``refused``: connections are reset and new ones refused. ``silent``: they stay, and nothing comes through
                until the network is back. None: back again.

        Raises:
            OSError: A port was taken meanwhile.
        """
        if self._web is None:
            return
        if away == "refused":
            await self._close_ports()
            self.cut()
        elif self._http is None:
            await self._open_ports(self._web)
        if away == "silent":
            self._heard.clear()
        else:
            self._heard.set()

    def cut(self) -> None:
        """Reset every connection; shells go on."""
        if self._web is not None:
            reset(_transports(self._web))

    async def stop(self, *, abort: bool = False) -> None:
        """Stop listening.

        Args:
            abort: The machine went down: reset every connection and forget all shells without a word to anybody.
        """
        if self._web is None:
            return
        server, self._web = self._web, None
        await self._close_ports()
        transports = _transports(server)
        if abort:
            self._shells.abort()
            reset(transports)
        else:
            await self._shells.close()
        server.pre_shutdown()
        await server.shutdown(timeout=_ABORT_LIMIT_S if abort else _STOP_LIMIT_S)
        for transport in transports:
            # TLS would wait for the client's farewell. A TLS transport that is lost already has nothing left to be asked.
            with contextlib.suppress(AttributeError):
                if not transport.get_write_buffer_size():
                    transport.abort()
        await asyncio.sleep(0)

    # ---- one request

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        client = _HttpClient(request)
        await self._heard.wait()
        if not client.alive:
            return web.Response(status=400)
        disturbance = Disturbance(self._device, self._shells, request)
        try:
            response = await self._respond(request, disturbance)
            await self._heard.wait()
            return await disturbance.send(response)
        except (ClientGone, ConnectionCut):
            return web.Response(status=400)
        except RequestDropped as dropped:
            return web.Response(status=dropped.status)

    async def _respond(self, request: web.BaseRequest, disturbance: Disturbance) -> web.Response:
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
            if not body:
                disturbance.before_work(None)
            try:
                accepted = security.authorize(authorization)
            except LogonRefused as refused:
                _log.info("%s: log-on refused: %s", self._device.name, refused)
                return self._unauthorized(security, refused)
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
        if encrypted:
            try:
                body = security.decrypt(body)
            except DecryptionFailed as failure:
                _log.info("%s: a message cannot be decrypted: %s", self._device.name, failure)
                return web.Response(status=400)
        if len(body) > wsman.SERVER_ENVELOPE_SIZE:
            return web.Response(status=413, headers=headers)
        confidential = encrypted or security.over_tls
        status, reply = await self._reply(request, security, body, disturbance, confidential=confidential)
        headers["Content-Type"] = _SOAP
        if encrypted:
            sealed = security.encrypt(reply)
            headers["Content-Type"], reply = sealed.content_type, sealed.body
        return web.Response(status=status, body=reply, headers=headers)

    async def _reply(
        self,
        request: web.BaseRequest,
        security: ConnectionSecurity,
        envelope: bytes,
        disturbance: Disturbance,
        *,
        confidential: bool,
    ) -> tuple[int, bytes]:
        header = wsman.Header(message_id="")
        try:
            parsed = wsman.parse_request(envelope)
            header = parsed.header
            if not confidential:
                # AllowUnencrypted is false on a device, as it is by default on Windows.
                raise access_denied()
            assert security.user is not None
            disturbance.before_work(parsed.operation)
            return 200, await self._shells.handle(parsed, security.user, _HttpClient(request))
        except wsman.RefusedRequest as refused:
            return 500, wsman_replies.fault_reply(refused.header, refused.fault, self._device.computer_name)
        except WSManFault as fault:
            return 500, wsman_replies.fault_reply(header, fault, self._device.computer_name)
        except (ClientGone, ConnectionCut, RequestDropped):
            raise
        except Exception:  # noqa: BLE001 - the client is owed an answer
            _log.exception("%s: a request failed", self._device.name)
            return 500, wsman_replies.fault_reply(header, internal_error(), self._device.computer_name)

    def _security_of(self, transport: asyncio.BaseTransport) -> ConnectionSecurity:
        security = self._security.get(transport)
        if security is None:
            security = self._security[transport] = ConnectionSecurity(self._device, tls_of(transport))
        return security

    def _unauthorized(self, security: ConnectionSecurity, refused: LogonRefused | None = None) -> web.Response:
        headers: CIMultiDict[str] = CIMultiDict()
        last_word = refused.token if refused is not None else None
        for challenge in (last_word,) if last_word else security.challenges():
            headers.add("WWW-Authenticate", challenge)
        return web.Response(status=refused.status if refused is not None else 401, headers=headers)


class _HttpClient:
    """``wsman_shell.Client`` for the connection of an HTTP request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.address = request.remote or ""

    @property
    def alive(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()


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


def _transports(server: web.Server) -> list[asyncio.Transport]:
    return [connection.transport for connection in server.connections if connection.transport is not None]
