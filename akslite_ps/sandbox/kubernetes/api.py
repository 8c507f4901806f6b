"""The HTTPS server of one simulated cluster.

Started and stopped by the simulated device as its virtual machine starts and stops. Binds loopback
addresses only. Runs in the caller's event loop; nothing but sockets and open watches costs anything
between requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from akslite_ps.sandbox.exposure import check_address
from akslite_ps.sandbox.kubernetes.answers import Answer, WatchOrder
from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster
from akslite_ps.sandbox.kubernetes.handling import RawRequest, RequestHandler
from akslite_ps.sandbox.kubernetes.tls import listening_context
from akslite_ps.sandbox.kubernetes.watching import WatchStream

_HANDSHAKE_S = 10.0
_GRACEFUL_S = 1.0
# Real seconds without a request after which the cluster's store folds.
_IDLE_S = 60.0


class KubernetesApi:
    """Serves one cluster over HTTPS.

    Args:
        cluster: What is served. One cluster is served by one API at a time.
        address: Address to bind.
        exposed_on: The address outside 127.0.0.0/8 that was confirmed; see ``sandbox.exposure``.
        port: Port to bind; 0 takes a free one, which is then kept over stop and start.
        sleep: Waits for device seconds; paces what happens while a client watches.

    Attributes:
        port: The port in use once started.
    """

    def __init__(
        self,
        cluster: SimulatedCluster,
        *,
        address: str,
        port: int = 0,
        exposed_on: str | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check_address(address, exposed_on)
        self.cluster = cluster
        self.address = address
        self.port = port
        self._sleep = sleep
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._handler: RequestHandler | None = None
        self._ended = asyncio.Event()
        self._watches = 0
        self._pacer: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """The server URL for a kubeconfig."""
        return f"https://{self.address}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the API accepts connections."""
        return self._server is not None

    async def start(self) -> None:
        """Bind and serve. Does nothing if it runs already.

        Raises:
            OSError: The port is taken.
        """
        if self._server is not None:
            return
        self._ended = asyncio.Event()
        self._web = web.Server(self._serve, access_log=None)
        loop = asyncio.get_running_loop()
        context = listening_context(self.cluster.state, self.address)
        opening = loop.create_task(
            loop.create_server(
                self._web,
                self.address,
                self.port,
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_S,
                ssl_shutdown_timeout=_GRACEFUL_S,
            )
        )
        try:
            self._server = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The machine goes down while it starts: a server that nobody knows of would keep the port.
            with contextlib.suppress(OSError):
                (await opening).close()
            raise
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._handler = RequestHandler(self.cluster.state, self.cluster.control_plane, f"{self.address}:{self.port}")
        self.cluster.state.store.fold()

    async def stop(self, abort: bool = False) -> None:
        """Stop serving.

        Args:
            abort: Reset every connection at once, as when the machine loses power; else end watches and let answers finish.
        """
        if self._server is None or self._web is None:
            return
        server, served = self._server, self._web
        self._server = self._web = None
        server.close()
        self._ended.set()
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        transports = [connection.transport for connection in served.connections if connection.transport is not None]
        if not abort:
            # Idle connections end at once; only answers under way are waited for.
            served.pre_shutdown()
            await served.shutdown(_GRACEFUL_S)
        # Also after a graceful end: a client that keeps its connection would hold up the TLS farewell.
        for transport in transports:
            transport.abort()
        if abort:
            await served.shutdown(0.0)
        if sys.version_info >= (3, 13):
            server.abort_clients()
        # From Python 3.12 on this waits for connections too, also for one that is still in its handshake.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _GRACEFUL_S)
        await asyncio.sleep(0)
        if self._pacer is not None:
            self._pacer.cancel()
            await asyncio.gather(self._pacer, return_exceptions=True)
            self._pacer = None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._handler is not None
        answer = self._handler.answer(await _read(request))
        self._fold_when_idle()
        if isinstance(answer, WatchOrder):
            return await self._stream(request, answer)
        return _respond(answer)

    def _fold_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_S, self._fold)

    def _fold(self) -> None:
        self._idle = None
        if self._watches:
            self._fold_when_idle()
        else:
            self.cluster.state.store.fold()

    async def _stream(self, request: web.BaseRequest, order: WatchOrder) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._watches += 1
        if self._pacer is None or self._pacer.done():
            self._pacer = asyncio.get_running_loop().create_task(self._pace())
        try:
            await WatchStream(self.cluster.state, order, response.write, self._ended).run()
            await response.write_eof()
        except ConnectionError:
            pass
        finally:
            self._watches -= 1
            self._stirred.set()
        return response

    async def _pace(self) -> None:
        """Let device time do its work while somebody watches."""
        forget = self.cluster.state.store.listen(lambda change: self._stirred.set())
        try:
            while self._watches and not self._ended.is_set():
                self.cluster.control_plane.advance()
                self._stirred.clear()
                due = self.cluster.control_plane.next_due()
                waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._stirred.wait())]
                if due is not None:
                    seconds = (due - self.cluster.state.clock()).total_seconds()
                    waits.append(asyncio.ensure_future(self._sleep(max(seconds, 0.001))))
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
        finally:
            forget()


async def _read(request: web.BaseRequest) -> RawRequest:
    connection = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLObject) else None
    body = await request.read() if request.can_read_body else b""
    return RawRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=body,
        certificate=certificate or None,
        groups_to_act_as=tuple(request.headers.getall("Impersonate-Group", [])),
    )


def _respond(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body,
        status=answer.code,
        headers={"Cache-Control": "no-cache, private", "Content-Type": answer.content_type, **answer.headers},
    )
