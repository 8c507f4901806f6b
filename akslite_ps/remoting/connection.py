"""One HTTP connection to a device's WinRM service: endpoint in, pypsrp's WSMan out, made fit for a bad network.

Used by ``remoting.pool``. Adds to pypsrp: a connection that broke is rebuilt before anything is sent on it
(encryption belongs to one TCP connection), and a Receive that got no answer is repeated to the letter, so
that the device can give the answer it kept. Repeats nothing else.
"""

from __future__ import annotations

import contextlib
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

from pypsrp.exceptions import WinRMError, WinRMTransportError
from pypsrp.wsman import NAMESPACES, OptionSet, SelectorSet, WSMan, WSManAction

from akslite_ps.errors import SecretUnavailable
from akslite_ps.remoting import credentials, envelopes
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.faults import STILL_PENDING, fault_code
from akslite_ps.remoting.transport import FAULT_STATUS, Transport

_ANSWER_MARGIN_S = 10.0
_PROMPT_ANSWER_MARGIN_S = 2.0


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
            if error.code != FAULT_STATUS:
                raise
            fault = self._fault_in(error)
            if fault is not error and fault_code(fault) != STILL_PENDING:
                self._answered(target)
            raise fault from None
        envelope = _envelope(reply)
        self._answered(target)
        body = _answer_to(message_id, envelope).find("s:Body", namespaces=NAMESPACES)
        if body is None:
            raise WinRMError("it has no SOAP body")
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
            raise self._fault_in(error) from None
        return _answer_to(message_id, _envelope(reply))

    @contextlib.contextmanager
    def answering_within(self, limit_s: float | None) -> Iterator[None]:
        """Meanwhile wait no longer than so many seconds for the device, each for a connection and for an answer; None: as usual."""
        if limit_s is None:
            yield
            return
        transport: Any = self.transport  # pypsrp declares whole seconds; requests takes fractions
        usual = (transport.connection_timeout, transport.read_timeout, transport.transfer_s)
        transport.connection_timeout, transport.read_timeout, transport.transfer_s = (min(seconds, limit_s) for seconds in usual)
        try:
            yield
        finally:
            transport.connection_timeout, transport.read_timeout, transport.transfer_s = usual

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

    def _fault_in(self, error: WinRMTransportError) -> WinRMError:
        """The WSMan fault that came with an HTTP error; the error itself where it brought none."""
        try:
            fault = self._parse_wsman_fault(error.response_text)
        except (ET.ParseError, ValueError):
            return error
        return error if fault.code is None and not fault.reason else fault

    def _answered(self, target: str) -> None:
        self.answered_receive_id, _ = self._unanswered.pop(target)
        self.next_receive_id = _new_message_id()


def _envelope(reply: bytes) -> ET.Element:
    try:
        return ET.fromstring(reply)  # noqa: S314 - expat bounds entity expansion; the device is authenticated
    except ET.ParseError as error:
        raise WinRMError(f"it is no XML ({error})") from error


def _answer_to(message_id: str, envelope: ET.Element) -> ET.Element:
    relates_to = envelope.findtext("s:Header/wsa:RelatesTo", namespaces=NAMESPACES)
    if relates_to != message_id:
        of_what = "nothing that was asked" if relates_to is None else f"{relates_to}, and the request was {message_id}"
        raise WinRMError(f"it answers {of_what}")
    return envelope


def _new_message_id() -> str:
    return f"uuid:{str(uuid.uuid4()).upper()}"


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
        "proxy": endpoint.proxy,
        "no_proxy": endpoint.proxy is None,
        "certificate_pem": str(endpoint.certificate_file) if endpoint.certificate_file else None,
        "certificate_key_pem": str(endpoint.certificate_key_file) if endpoint.certificate_key_file else None,
        "certificate_key_password": password if endpoint.auth == "certificate" else None,
        "negotiate_hostname_override": endpoint.spn_host,
    }
