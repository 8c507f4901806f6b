"""One HTTP connection to a device's WinRM service: endpoint in, pypsrp's WSMan out, made fit for a bad network.

Used by ``remoting.pool``. Adds to pypsrp: a connection that broke is rebuilt before anything is sent on it
(encryption belongs to one TCP connection), and a Receive that got no answer is repeated to the letter, so
that the device can give the answer it kept. Repeats nothing else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import requests
from pypsrp._pool_manager import DisableNewConnectionsContext, NewConnectionDisabled
from pypsrp.encryption import WinRMEncryption
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError
from pypsrp.wsman import NAMESPACES, OptionSet, SelectorSet, WSMan, WSManAction, _TransportHTTP
from requests.auth import HTTPBasicAuth

from akslite_ps.errors import SecretUnavailable
from akslite_ps.remoting import credentials, envelopes
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.faults import STILL_PENDING
from akslite_ps.remoting.refusals import is_logon_error

_ANSWER_MARGIN_S = 10.0
_PROMPT_ANSWER_MARGIN_S = 2.0
_SOAP = "application/soap+xml;charset=UTF-8"
_FAULT_STATUS = 500


def password_of(device: Device, ask: Callable[[str], str] | None) -> str | None:
    """The password of a device's endpoint, looked up now; None where its authentication needs none.

    Args:
        device: The device.
        ask: Answers a ``prompt:`` reference.

    Raises:
        SecretUnavailable: The reference cannot be resolved; names the device.
    """
    reference = device.endpoint.password
    try:
        return reference.resolve(ask=ask) if reference else None
    except SecretUnavailable as error:
        raise SecretUnavailable(
            error.message, device=device.name, attempted="look up the password", next_action=error.next_action
        ) from None


class Connection(WSMan):
    """A WSMan client for one device. Not for two threads at once: messages are encrypted in sequence.

    Args:
        device: The device; its endpoint says how.
        password: The resolved password, None for Kerberos tickets and certificates.
        session_id: Session id of the WSMan header; a second connection of the same client repeats the first one's.
    """

    def __init__(self, device: Device, password: str | None, *, session_id: str | None = None) -> None:
        credentials.check(device, password)
        arguments = _arguments(device.endpoint, password)
        super().__init__(operation_timeout=device.endpoint.operation_timeout_s, **arguments)
        self.transport: Transport = Transport(**arguments)
        self.session_id = session_id or self.session_id
        self._unanswered: dict[str, tuple[str, bytes]] = {}
        self.next_receive_id = _new_message_id()
        """Message id of the next Receive. The device gives the same answer to the same id, to another process too."""
        self.answered_receive_id = self.next_receive_id
        """Message id of the last Receive that was answered."""

    def receive(
        self,
        resource_uri: str,
        resource: ET.Element,
        option_set: OptionSet | None = None,
        selector_set: SelectorSet | None = None,
        timeout: int | None = None,
    ) -> ET.Element:
        """One Receive. Where the last one for the same target got no answer, that one is repeated to the letter."""
        wanted = ET.tostring(resource, encoding="unicode")
        target = f"{selector_set} {wanted}"
        if any(message_id == self.next_receive_id for place, (message_id, _) in self._unanswered.items() if place != target):
            self.next_receive_id = _new_message_id()
        message_id, message = self._unanswered.get(target) or (
            self.next_receive_id,
            self._request(self.next_receive_id, WSManAction.RECEIVE, resource_uri, wanted, option_set, selector_set, timeout),
        )
        self._unanswered[target] = (message_id, message)
        wait_s = timeout + _ANSWER_MARGIN_S if timeout else self.transport.read_timeout
        try:
            reply = self.transport.send(message, timeout=(self.transport.connection_timeout, wait_s))
        except WinRMTransportError as error:
            if error.code != _FAULT_STATUS or not error.response_text:
                raise
            fault = self._parse_wsman_fault(error.response_text)
            if fault.code != STILL_PENDING:
                self._answered(target)
            raise fault from None
        envelope = ET.fromstring(reply)  # noqa: S314 - expat bounds entity expansion; the device is authenticated
        self._answered(target)
        body = _answer_to(message_id, envelope).find("s:Body", namespaces=NAMESPACES)
        if body is None:
            raise WinRMError("the answer has no body")
        return body

    def invoke(
        self,
        action: str,
        resource_uri: str,
        resource: ET.Element | None,
        option_set: OptionSet | None = None,
        selector_set: SelectorSet | None = None,
        timeout: int | None = None,
        *,
        retries_on_read_timeout: int = 0,
    ) -> ET.Element:
        """One request of any other kind, sent once; its answer's envelope."""
        message_id = _new_message_id()
        body = "" if resource is None else ET.tostring(resource, encoding="unicode")
        message = self._request(message_id, action, resource_uri, body, option_set, selector_set, timeout)
        try:
            reply = self.transport.send(message, timeout=timeout + _PROMPT_ANSWER_MARGIN_S if timeout else None)
        except WinRMTransportError as error:
            with contextlib.suppress(ET.ParseError):
                raise self._parse_wsman_fault(error.response_text) from None
            raise
        return _answer_to(message_id, ET.fromstring(reply))  # noqa: S314 - as above

    @contextlib.contextmanager
    def answering_within(self, limit_s: float | None) -> Iterator[None]:
        """Meanwhile wait no longer than so many seconds for the device, each for a connection and for an answer; None: as usual."""
        if limit_s is None:
            yield
            return
        transport: Any = self.transport  # pypsrp declares whole seconds; requests takes fractions
        usual = (transport.connection_timeout, transport.read_timeout)
        transport.connection_timeout, transport.read_timeout = (min(seconds, limit_s) for seconds in usual)
        try:
            yield
        finally:
            transport.connection_timeout, transport.read_timeout = usual

    def use_password(self, password: str) -> None:
        """Log on with this password from now on."""
        self.transport.password = password
        self.reset()

    def reset(self) -> None:
        """Drop the TCP connection with its authentication and encryption; the next request builds them anew."""
        self.transport.reset()

    def _request(
        self,
        message_id: str,
        action: str,
        resource_uri: str,
        body: str,
        option_set: OptionSet | None,
        selector_set: SelectorSet | None,
        timeout: int | None,
    ) -> bytes:
        sender = envelopes.Sender(
            self.transport.endpoint, str(self.session_id), self.locale, self.data_locale, self.max_envelope_size
        )
        return envelopes.request(
            sender,
            action=action,
            resource_uri=resource_uri,
            message_id=message_id,
            timeout_s=timeout or self.operation_timeout,
            options=option_set,
            selectors=selector_set,
            body=body,
        )

    def _answered(self, target: str) -> None:
        self.answered_receive_id, _ = self._unanswered.pop(target)
        self.next_receive_id = _new_message_id()


class Transport(_TransportHTTP):
    """pypsrp's HTTP transport that never leaves a broken connection behind."""

    _last_response: requests.Response | None = None
    _templates: Mapping[tuple[str, str | None], requests.PreparedRequest] = MappingProxyType({})
    last_used: float = 0.0
    """When something was sent or received last (monotonic)."""

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
        try:
            if self.encryption is not None:
                try:
                    with DisableNewConnectionsContext():
                        return self._exchange(message, timeout)
                except NewConnectionDisabled:
                    # The device closed the idle connection. Nothing was sent yet, and on a new one the old
                    # encryption would not be understood.
                    self.reset()
            return self._exchange(message, timeout)
        except WinRMTransportError as error:
            if error.code != _FAULT_STATUS:
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
            return self._send_request(request, timeout=timeout)
        except Exception as error:
            if is_logon_error(error) and not isinstance(error, AuthenticationError):
                raise AuthenticationError(f"{type(error).__name__}: {error}") from error
            raise

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
        # pypsrp has taken proxies and CA bundle from the environment; asking it again for each request would
        # also look for credentials in a .netrc file.
        session.trust_env = False
        for adapter in session.adapters.values():
            adapter.send = self._remembering(adapter.send)  # type: ignore[method-assign]
        return session

    def _remembering(self, send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        """A log-on that breaks off half-way leaves a response that nobody reads, and with it an open connection."""

        def remember(*arguments: Any, **options: Any) -> requests.Response:
            self._last_response = send(*arguments, **options)
            return self._last_response

        return remember

    def _build_auth_basic(self, session: requests.Session) -> None:
        session.auth = HTTPBasicAuth((self.username or "").encode(), (self.password or "").encode())


def _answer_to(message_id: str, envelope: ET.Element) -> ET.Element:
    relates_to = envelope.findtext("s:Header/wsa:RelatesTo", namespaces=NAMESPACES)
    if relates_to != message_id:
        raise WinRMError(f"the answer relates to {relates_to}, the request was {message_id}")
    return envelope


def _new_message_id() -> str:
    return f"uuid:{str(uuid.uuid4()).upper()}"


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses: never reached through a proxy."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold().rstrip(".") == "localhost"


def _arguments(endpoint: Endpoint, password: str | None) -> dict[str, Any]:
    return {
        "server": endpoint.host,
        "port": endpoint.port,
        "username": endpoint.username,
        "password": password,
        "ssl": endpoint.transport == "https",
        "auth": credentials.mechanism(endpoint),
        "cert_validation": str(endpoint.ca_file) if endpoint.ca_file else True,
        "connection_timeout": endpoint.connect_timeout_s,
        "read_timeout": endpoint.operation_timeout_s + _ANSWER_MARGIN_S,
        "no_proxy": is_loopback(endpoint.host),
        "certificate_pem": str(endpoint.certificate_file) if endpoint.certificate_file else None,
        "certificate_key_pem": str(endpoint.certificate_key_file) if endpoint.certificate_key_file else None,
        "certificate_key_password": password if endpoint.auth == "certificate" else None,
        "negotiate_hostname_override": endpoint.spn_host,
    }
