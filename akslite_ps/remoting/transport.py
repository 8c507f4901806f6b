"""The HTTP side of a connection: pypsrp's transport that never leaves a broken connection behind and trusts no stranger's answer.

Used by ``remoting.connection``. Follows no redirection, takes no proxy that was not asked for, no answer in clear where messages
are encrypted, and none that is without end. Sends a message once.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import requests
from pypsrp._pool_manager import DisableNewConnectionsContext, NewConnectionDisabled
from pypsrp.encryption import WinRMEncryption
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError
from pypsrp.wsman import _TransportHTTP
from requests.auth import HTTPBasicAuth
from spnego.exceptions import SpnegoError

from akslite_ps.remoting.http_bounds import AnswerTooLong, bound_answers
from akslite_ps.remoting.kept_connection import KeptConnection
from akslite_ps.remoting.refusals import is_logon_error

FAULT_STATUS = 500
"""HTTP status of an answer that is a WSMan fault."""

TRANSFER_S = 60.0
"""How long an answer may take from its first byte to its last, in seconds: half a megabyte over the slowest of links."""

_SOAP = "application/soap+xml;charset=UTF-8"
_ENCRYPTED = ("multipart/encrypted", "multipart/x-multi-encrypted")
_WITHOUT_EXCHANGE = ("basic", "certificate")
"""Authentications that read nothing of what the device answers."""

_UNREADABLE = (SpnegoError, ValueError, LookupError, AttributeError, struct.error)


class _LogOnAnew(Exception):
    """Internal: the device no longer knows the log-on that the message was encrypted with."""


class NotWinRM(WinRMTransportError):
    """An answer over HTTP that the device's WinRM service cannot have given; says why in place of the status."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__("http", status, "")
        self.why = why


class Transport(_TransportHTTP):
    """pypsrp's HTTP transport that never leaves a broken connection behind."""

    _last_response: requests.Response | None = None
    _kept: KeptConnection | None = None
    _is_logged_on: bool = False
    _templates: Mapping[tuple[str, str | None], requests.PreparedRequest] = MappingProxyType({})
    last_used: float = 0.0
    """When something was sent or received last (monotonic)."""
    transfer_s: float = TRANSFER_S
    """How long an answer may take after its first byte, in seconds."""

    def send(
        self,
        message: bytes,
        *,
        retries_on_read_timeout: int = 0,
        timeout: float | tuple[float, float] | None = None,
    ) -> bytes:
        """Send one message and return the answer; sent once, whatever ``retries_on_read_timeout`` says.

        Whatever breaks the exchange, an interrupt included, drops the connection before it is raised.
        """
        if self._kept is not None and not self._kept.is_open:
            self._let_go()
        try:
            try:
                if self.encryption is None:
                    return self._exchange(message, timeout)
                with DisableNewConnectionsContext():
                    return self._exchange(message, timeout)
            except (NewConnectionDisabled, _LogOnAnew):
                # The device closed the idle connection and nothing was sent yet, or it wants a log-on and has carried
                # nothing out. On a new connection the old encryption would not be understood.
                self.reset()
            return self._exchange(message, timeout)
        except WinRMTransportError as error:
            if error.code != FAULT_STATUS:
                self.reset()
            raise
        except BaseException:
            self.reset()
            raise
        finally:
            self.last_used = time.monotonic()

    def reset(self) -> None:
        """Forget connection, authentication and encryption."""
        session, self.session, self.encryption, self._templates = self.session, None, None, MappingProxyType({})
        response, self._last_response = self._last_response, None
        self._let_go()
        self._is_logged_on = False
        if session is None:
            return
        if response is not None:
            response.close()
        for adapter in session.adapters.values():
            manager = getattr(adapter, "poolmanager", None)
            if manager is not None:
                # Closing the session only drops the pools; their sockets would stay open as long as a
                # traceback refers to them.
                for key in manager.pools.keys():  # noqa: SIM118 - not a dict; iterating it is refused
                    manager.pools[key].close()
        session.close()

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def close(self) -> None:
        """The same as :meth:`reset`."""
        self.reset()

    def _exchange(self, message: bytes, timeout: float | tuple[float, float] | None) -> bytes:
        session = self.session = self.session or self._build_session()
        if not self.wrap_required:
            return self._post(session, message, _SOAP, timeout)
        encryption = self.encryption = self.encryption or self._log_in(session, timeout)
        content_type, payload = encryption.wrap_message(message)
        return self._post(
            session, payload, f'{content_type};protocol="{encryption.protocol}";boundary="Encrypted Boundary"', timeout
        )

    def _log_in(self, session: requests.Session, timeout: float | tuple[float, float] | None) -> WinRMEncryption:
        self._post(session, b"", None, timeout)
        authentication: Any = session.auth
        contexts = getattr(authentication, "contexts", {})
        if not contexts:
            raise NotWinRM("it does not ask to log on", self._last_status)
        context = contexts[next(iter(contexts))]
        protocol = WinRMEncryption.SPNEGO
        if self.auth == "credssp":
            protocol = WinRMEncryption.CREDSSP
        elif context.response_auth_header == "kerberos":
            protocol = WinRMEncryption.KERBEROS
        return WinRMEncryption(context, protocol)

    def _post(
        self, session: requests.Session, payload: bytes, content_type: str | None, timeout: float | tuple[float, float] | None
    ) -> bytes:
        request = self._prepared(session, payload, content_type)
        try:
            answer = self._send_request(request, timeout=timeout)
        except WinRMTransportError as error:
            if error.code == FAULT_STATUS:
                self._refuse_clear_answer()
            raise
        except (AuthenticationError, AnswerTooLong, requests.RequestException):
            raise
        except (WinRMError, *_UNREADABLE) as error:
            if self.encryption is not None:
                raise NotWinRM("its answer cannot be decrypted", self._last_status) from error
            if self.auth in _WITHOUT_EXCHANGE:
                raise
            raise AuthenticationError(f"{type(error).__name__}: {error}") from error
        except Exception as error:
            if is_logon_error(error):
                raise AuthenticationError(f"{type(error).__name__}: {error}") from error
            raise
        self._refuse_clear_answer()
        self._is_logged_on = True
        return answer

    def _refuse_clear_answer(self) -> None:
        """What comes in clear where messages are encrypted may be anybody's."""
        response = self._last_response
        if self.encryption is None or response is None:
            return
        if not response.headers.get("Content-Type", "").startswith(_ENCRYPTED):
            raise NotWinRM("its answer to an encrypted request is not encrypted", response.status_code)

    @property
    def _last_status(self) -> int:
        return self._last_response.status_code if self._last_response is not None else 0

    def _prepared(self, session: requests.Session, payload: bytes, content_type: str | None) -> requests.PreparedRequest:
        """A request; all but its content is worked out once for each session."""
        key = (self.endpoint, content_type)
        template = self._templates.get(key)
        if template is None:
            headers = {"Content-Type": content_type} if content_type else None
            template = session.prepare_request(requests.Request("POST", self.endpoint, data=b"", headers=headers))
            self._templates = {**self._templates, key: template}
        request = template.copy()
        request.hooks = {event: list(hooks) for event, hooks in request.hooks.items()}
        request.body = payload
        request.headers["Content-Length"] = str(len(payload))
        return request

    def _build_session(self) -> requests.Session:
        session = super()._build_session()
        # pypsrp has taken the CA bundle from the environment; asking it again for each request would also look for
        # credentials in a .netrc file.
        session.trust_env = False
        session.max_redirects = 0
        for adapter in session.adapters.values():
            manager: Any = adapter
            bound_answers(manager.poolmanager, lambda: self.transfer_s)
            adapter.send = self._remembering(adapter.send)  # type: ignore[method-assign]
        session.send = self._on_kept_connection(session, session.send)  # type: ignore[method-assign]
        return session

    def _on_kept_connection(
        self, session: requests.Session, send: Callable[..., requests.Response]
    ) -> Callable[..., requests.Response]:
        """Exchanges go over the connection that is logged on, once there is one; what it cannot do goes requests' way."""

        def over_kept(request: requests.PreparedRequest, *, timeout: Any = None, **options: Any) -> requests.Response:
            if self._kept is None and self._is_logged_on and not any(session.proxies.values()):
                self._kept = KeptConnection.out_of(session)
            if self._kept is not None:
                read_timeout_s = timeout[1] if isinstance(timeout, tuple) else timeout
                response = self._kept.post(request, read_timeout_s, self.transfer_s)
                if response is not None:
                    self._last_response = response
                    return response
                self._kept = None
                if self.encryption is not None:
                    raise _LogOnAnew
            return send(request, timeout=timeout, **options)

        return over_kept

    def _remembering(self, send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        """A log-on that breaks off half-way leaves a response that nobody reads, and with it an open connection."""

        def remember(*arguments: Any, **options: Any) -> requests.Response:
            self._last_response = send(*arguments, **options)
            return self._last_response

        return remember

    def _build_auth_basic(self, session: requests.Session) -> None:
        session.auth = HTTPBasicAuth((self.username or "").encode(), (self.password or "").encode())
