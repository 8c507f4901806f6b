"""The WinRM listeners of one simulated device: HTTP and HTTPS on its loopback address.

Called by the device or the sandbox's supervisor: ports, and being in the network or away from it. What comes over a connection is
``protocol.http_requests``' business. Costs no thread, until a client comes no shells, and until HTTPS is used no certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Literal

from aiohttp import web

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.exposure import check_address
from akslite_ps.sandbox.protocol.connection_reset import reset
from akslite_ps.sandbox.protocol.tls_listener import TlsAcceptor

if TYPE_CHECKING:
    from akslite_ps.sandbox.protocol.http_requests import RequestHandler
    from akslite_ps.sandbox.protocol.shell_service import ShellService
    from akslite_ps.sandbox.protocol.wsman_shell import Quotas

_KEEP_ALIVE_S = 3_600.0
_BACKLOG = 64
_LONGEST_HEADER = 16_384
"""HTTP.sys' MaxFieldLength, by default. Kerberos tokens of users in many groups need it."""
_ABORT_LIMIT_S = 0.05
_STOP_LIMIT_S = 1.0


class WinRMListener:
    """HTTP and HTTPS listeners of a device and the shells behind them.

    Args:
        device: What is served.
        quotas: Limits of the service.
        exposed_on: The address outside 127.0.0.0/8 that was confirmed for the device; see ``sandbox.exposure``.
    """

    def __init__(self, device: HostedDevice, *, quotas: Quotas | None = None, exposed_on: str | None = None) -> None:
        self.http_port = device.http_port
        self.https_port = device.https_port
        self._device = device
        self._quotas = quotas
        self._exposed_on = exposed_on
        self._handler: RequestHandler | None = None
        self._http: asyncio.Server | None = None
        self._https: TlsAcceptor | None = None
        self._web: web.Server | None = None
        self._heard = asyncio.Event()
        self._heard.set()

    async def start(self) -> None:
        """Listen on the device's address; ports that the system chose before are used again.

        Raises:
            UsageError: The address is not in 127.0.0.0/8, and not the confirmed one.
            OSError: The address or a port is taken.
            RuntimeError: It listens already.
        """
        if self._web is not None:
            raise RuntimeError(f"{self._device.name}: the WinRM listener is started already")
        check_address(self._device.address, self._exposed_on, device=self._device.name)
        self._web = web.Server(
            self._serve,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_S,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            # Like HTTP.sys, which leaves Content-Encoding alone.
            auto_decompress=False,
        )
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
            if self._handler is not None:
                self._handler.shells.abort()
            reset(transports)
        elif self._handler is not None:
            await self._handler.shells.close()
        server.pre_shutdown()
        await server.shutdown(timeout=_ABORT_LIMIT_S if abort else _STOP_LIMIT_S)
        for transport in transports:
            # TLS would wait for the client's farewell. A TLS transport that is lost already has nothing left to be asked.
            with contextlib.suppress(AttributeError):
                if not transport.get_write_buffer_size():
                    transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._requests.serve(request)

    @property
    def shells(self) -> ShellService:
        """The shells on the device."""
        return self._requests.shells

    @property
    def _requests(self) -> RequestHandler:
        if self._handler is None:
            from akslite_ps.sandbox.protocol.http_requests import RequestHandler

            self._handler = RequestHandler(self._device, self._quotas, self._heard)
        return self._handler


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
