"""One HTTP request to a device's WinRM service: log-on, decryption, size limits and status codes.

Made by ``protocol.winrm`` when the first client connects, so that devices nobody reaches cost neither its memory nor the imports
below. The edge between HTTP and ``protocol.shell_service``; what a request means is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from dataclasses import replace

from aiohttp import HttpVersion11, http_exceptions, web
from multidict import CIMultiDict

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman, wsman_replies, xml_input
from akslite_ps.sandbox.protocol.authentication import ConnectionSecurity, LogonRefused
from akslite_ps.sandbox.protocol.disturbances import ConnectionCut, Disturbance, RequestDropped
from akslite_ps.sandbox.protocol.message_encryption import DecryptionFailed
from akslite_ps.sandbox.protocol.shell_service import ShellService
from akslite_ps.sandbox.protocol.tls_listener import tls_of
from akslite_ps.sandbox.protocol.wsman_faults import WSManFault, access_denied, internal_error
from akslite_ps.sandbox.protocol.wsman_shell import ClientGone, Quotas

_log = logging.getLogger(__name__)

_PATH = "/wsman"
_LARGEST_BODY = 1024 * 1024
"""More than any envelope with its encryption; aiohttp takes no more either."""
_BODY_LIMIT_S = 120.0
"""HTTP.sys' EntityBody time limit, by default."""
_SOAP = "application/soap+xml;charset={}"


class RequestHandler:
    """Answers the requests to one device, and owns the shells behind them.

    Args:
        device: What is served.
        quotas: Limits of the service.
        heard: Set while the network lets anything through.
    """

    def __init__(self, device: HostedDevice, quotas: Quotas | None, heard: asyncio.Event) -> None:
        self.shells = ShellService(device, quotas)
        self._device = device
        self._heard = heard
        self._security: weakref.WeakKeyDictionary[asyncio.BaseTransport, ConnectionSecurity] = weakref.WeakKeyDictionary()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a client."""
        client = _HttpClient(request)
        await self._heard.wait()
        if not client.alive:
            return web.Response(status=400)
        disturbance = Disturbance(self._device, self.shells, request)
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
            body = await _body_of(request)
        except web.HTTPException as refused:
            return web.Response(status=refused.status)
        except (ConnectionError, http_exceptions.BadHttpMessage, web.RequestPayloadError) as broken:
            _log.info("%s: a request broke off: %s", self._device.name, broken)
            return web.Response(status=400)
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
        elif request.headers.get("WSMANIDENTIFY", "").strip().lower() == "unauthenticated" and _asks_who_answers(body):
            return web.Response(body=wsman_replies.identify_reply("0.0.0"), headers={"Content-Type": _SOAP.format("UTF-8")})
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
        body, charset = xml_input.as_utf8(body)
        confidential = encrypted or security.over_tls
        status, reply = await self._reply(request, security, body, disturbance, charset, confidential=confidential)
        if charset == "UTF-16":
            reply = reply.decode().encode("utf-16")
        headers["Content-Type"] = _SOAP.format(charset)
        if encrypted:
            sealed = security.encrypt(reply, charset)
            headers["Content-Type"], reply = sealed.content_type, sealed.body
        return web.Response(status=status, body=reply, headers=headers)

    async def _reply(
        self,
        request: web.BaseRequest,
        security: ConnectionSecurity,
        envelope: bytes,
        disturbance: Disturbance,
        charset: xml_input.Charset,
        *,
        confidential: bool,
    ) -> tuple[int, bytes]:
        header = wsman.Header(message_id="")
        try:
            parsed = wsman.parse_request(envelope)
            if charset == "UTF-16":
                parsed = _at_half_the_size(parsed)
            header = parsed.header
            if not confidential:
                # AllowUnencrypted is false on a device, as it is by default on Windows.
                raise access_denied()
            assert security.user is not None
            disturbance.before_work(parsed.operation)
            return 200, await self.shells.handle(parsed, security.user, _HttpClient(request))
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


def _at_half_the_size(request: wsman.Request) -> wsman.Request:
    """A request whose reply has two bytes for each character of what it is made of."""
    size = max(request.header.max_envelope_size // 2, wsman.LEAST_ENVELOPE_SIZE)
    return replace(request, header=replace(request.header, max_envelope_size=size))


def _asks_who_answers(body: bytes) -> bool:
    """Whether it is the question of Test-WSMan, which everybody may ask."""
    try:
        return isinstance(wsman.parse_request(xml_input.as_utf8(body)[0]).operation, wsman.Identify)
    except wsman.RefusedRequest:
        return False


async def _body_of(request: web.BaseRequest) -> bytes:
    """The request's body.

    Raises:
        HTTPException: It is too large, it does not come, or the client expects something of the server that it does not do.
        ConnectionError: The client left.
        BadHttpMessage: It is not framed as its headers say.
    """
    if (request.content_length or 0) > _LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(_LARGEST_BODY, request.content_length or 0)
    expectation = request.headers.get("Expect")
    if expectation is not None and request.version >= HttpVersion11:
        if expectation.strip().lower() != "100-continue":
            raise web.HTTPExpectationFailed
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(_BODY_LIMIT_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


class _HttpClient:
    """``wsman_shell.Client`` for the connection of an HTTP request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.address = request.remote or ""

    @property
    def alive(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()
