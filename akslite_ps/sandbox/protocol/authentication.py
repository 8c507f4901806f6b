"""Who is calling: the log-on of one TCP connection to a device's WinRM service, and the encryption of its messages.

Called by ``protocol.winrm``: one :class:`ConnectionSecurity` per connection. Which schemes there are, and what each asks of the
client, is here; the security protocols are in ``protocol.negotiation``.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import struct
import threading
from dataclasses import dataclass

from spnego._context import ContextProxy
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from akslite_ps.sandbox.assumptions import CERTIFICATE_REFUSED_STATUS
from akslite_ps.sandbox.engine import HostedDevice, LogonScheme
from akslite_ps.sandbox.protocol.client_certificates import PROFILE, find_mapping
from akslite_ps.sandbox.protocol.kerberos_acceptor import can_accept
from akslite_ps.sandbox.protocol.logon import LocalAccounts, LogonFailed
from akslite_ps.sandbox.protocol.message_encryption import DecryptionFailed, Protection, Sealed, seal, unseal
from akslite_ps.sandbox.protocol.negotiation import NegotiateAcceptor, credssp_acceptor

_BROKEN_TOKEN = (SpnegoError, ValueError, KeyError, IndexError, struct.error, StopIteration)


@dataclass(frozen=True, slots=True)
class Tls:
    """What is known of a connection's TLS channel.

    Args:
        bindings: The server certificate's, for channel binding.
        client_certificate: DER; None where the client showed none.
    """

    bindings: GssChannelBindings
    client_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to an Authorization header.

    Args:
        user: ``COMPUTER\\user`` once the exchange is complete, else None.
        token: Value of the WWW-Authenticate header to be sent back, if any.
    """

    user: str | None
    token: str | None = None


class LogonRefused(Exception):
    """The client is not let in.

    Args:
        reason: For the device's log.
        token: Value of the WWW-Authenticate header where the protocol has a last word; None: tell what is offered.
        status: HTTP status of the answer.
    """

    def __init__(self, reason: str, token: str | None = None, *, status: int = 401) -> None:
        super().__init__(reason)
        self.token = token
        self.status = status


class ConnectionSecurity:
    """Authentication and encryption state of one TCP connection.

    Args:
        device: Whose accounts are valid.
        tls: The connection's TLS channel; None over HTTP.
    """

    def __init__(self, device: HostedDevice, tls: Tls | None) -> None:
        self.user: str | None = None
        self._device = device
        self._accounts = LocalAccounts(device)
        self._tls = tls
        self._context: ContextProxy | None = None
        self._protection: Protection = "SPNEGO"
        self._lock = threading.Lock()

    @property
    def over_tls(self) -> bool:
        return self._tls is not None

    @property
    def can_decrypt(self) -> bool:
        return self._context is not None and self._context.complete

    def challenges(self) -> tuple[str, ...]:
        """What the service offers an unknown caller: Basic only where TLS hides the password. Certificates are never offered."""
        offers: dict[LogonScheme, str] = {"Negotiate": "Negotiate"}
        if can_accept(self._device):
            offers["Kerberos"] = "Kerberos"
        if self.over_tls:
            offers["Basic"] = 'Basic realm="WSMAN"'
        offers["CredSSP"] = "CredSSP"
        allowed = self._device.logon_settings.schemes
        return tuple(text for scheme, text in offers.items() if scheme in allowed)

    def authorize(self, header: str) -> Accepted:
        """Take one Authorization header.

        Raises:
            LogonRefused: The scheme is not accepted here or the credentials are.
        """
        allowed = self._device.logon_settings.schemes
        if header.strip().casefold() == PROFILE.casefold():
            if "Certificate" not in allowed or self._tls is None:
                raise LogonRefused("client certificates are not accepted on this listener")
            return self._certificate(self._tls)
        scheme, _, value = header.partition(" ")
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except binascii.Error as error:
            raise LogonRefused(f"the {scheme} token is not base64") from error
        match scheme.lower():
            case "negotiate" | "ntlm" if "Negotiate" in allowed:
                return self._step(scheme, token, "SPNEGO")
            case "kerberos" if can_accept(self._device):
                return self._step(scheme, token, "Kerberos")
            case "credssp" if "CredSSP" in allowed:
                return self._step(scheme, token, "CredSSP")
            case "basic" if self.over_tls and "Basic" in allowed:
                return self._basic(token)
        raise LogonRefused(f"{scheme} is not accepted on this listener")

    def _step(self, scheme: str, token: bytes, protection: Protection) -> Accepted:
        with self._lock:
            if self._context is None or self._context.complete or self._protection != protection:
                self._context = self._acceptor(protection)
                self._protection = protection
                self.user = None
            try:
                reply = self._context.step(token)
            except LogonFailed as failure:
                self._context = None
                raise LogonRefused(str(failure), _header(scheme, failure.token)) from failure
            except _BROKEN_TOKEN as error:
                self._context = None
                raise LogonRefused(f"{type(error).__name__} in the {scheme} exchange") from error
            if self._context.complete:
                self.user = self._context.client_principal
            elif not reply:
                self._context = None
                raise LogonRefused(f"the {scheme} exchange came to an end without a log-on")
        return Accepted(self.user, _header(scheme, reply))

    def _acceptor(self, protection: Protection) -> ContextProxy:
        if protection == "CredSSP":
            return credssp_acceptor(self._device)
        return NegotiateAcceptor(self._device, self._tls.bindings if self._tls else None)

    def _basic(self, token: bytes) -> Accepted:
        name, separator, password = token.decode("utf-8", "replace").partition(":")
        try:
            if not separator:
                raise LogonFailed("no password was given")
            account = self._accounts.find(name)
            right = secrets.compare_digest(password.encode(), account.password.encode())
            self.user = self._accounts.admit(account, secret_is_right=right)
        except LogonFailed as failure:
            raise LogonRefused(str(failure)) from failure
        return Accepted(self.user)

    def _certificate(self, tls: Tls) -> Accepted:
        settings = self._device.logon_settings
        try:
            mapping = find_mapping(
                tls.client_certificate, settings.certificate_mappings, settings.client_authority or b"", self._device.now()
            )
            account = self._accounts.find(mapping.user)
            right = secrets.compare_digest(mapping.password.encode(), account.password.encode())
            self.user = self._accounts.admit(account, secret_is_right=right)
        except LogonFailed as failure:
            raise LogonRefused(str(failure), status=CERTIFICATE_REFUSED_STATUS) from failure
        return Accepted(self.user)

    # ---- encryption

    def decrypt(self, body: bytes) -> bytes:
        """The SOAP envelope of an encrypted request.

        Raises:
            DecryptionFailed: It is not encrypted for this connection.
        """
        if self._context is None or not self._context.complete:
            raise DecryptionFailed("the connection has no security context")
        with self._lock:
            return unseal(self._context, body)

    def encrypt(self, envelope: bytes, charset: str = "UTF-8") -> Sealed:
        """An encrypted reply."""
        assert self._context is not None
        with self._lock:
            return seal(self._context, envelope, self._protection, charset)


def _header(scheme: str, token: bytes | None) -> str | None:
    return f"{scheme} {base64.b64encode(token).decode()}" if token else None
