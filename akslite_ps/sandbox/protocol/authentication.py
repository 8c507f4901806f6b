"""Who is calling: Negotiate, NTLM and Basic as a device's WinRM listener accepts them, and the encryption of messages.

Called by ``protocol.winrm``: one :class:`ConnectionSecurity` per TCP connection. The NTLM acceptor of pyspnego finds accounts
only in the file named by NTLM_USER_FILE (``reference/wsman-psrp.md`` section 3); :class:`NtlmAccounts` owns that variable for
the process.
"""

from __future__ import annotations

import atexit
import base64
import binascii
import contextlib
import os
import re
import secrets
import shutil
import struct
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import spnego
from spnego._ntlm_raw.crypto import ntowfv1
from spnego._ntlm_raw.messages import Authenticate, AvId, NTClientChallengeV2
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from akslite_ps.sandbox.engine import Account, HostedDevice

_NTLM_AUTHENTICATE = b"NTLMSSP\x00\x03\x00\x00\x00"
_SPNEGO_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY = "--Encrypted Boundary"
_PART = re.compile(rb"--\s*Encrypted Boundary\r\n")
_END = re.compile(rb"--\s*Encrypted Boundary--\r\n$")
_LENGTH = re.compile(rb"Length=(\d+)")

ENCRYPTED_CONTENT_TYPE = f'multipart/encrypted;protocol="{_SPNEGO_PROTOCOL}";boundary="Encrypted Boundary"'


class LogonFailed(Exception):
    """The credentials are not those of an account of the device."""


class DecryptionFailed(Exception):
    """A message that cannot be decrypted on this connection."""


class NtlmAccounts:
    """Accounts of all devices in this process, as files that the NTLM acceptor reads: one per device, chosen for each step.

    A file holds NT hashes, no passwords. Each account is listed under its computer's name, under no domain, under ``.`` and as
    ``user@COMPUTER``, which are the forms a local account can be named in; so equal user names on several devices do not meet.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._directory: Path | None = None
        self._written: dict[str, tuple[Account, ...]] = {}

    @contextlib.contextmanager
    def selected(self, device: HostedDevice) -> Iterator[None]:
        """Within this context the NTLM acceptor knows the accounts of one device."""
        with self._lock:
            path = self._write(device.name, tuple(device.accounts))
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = str(path)
            try:
                yield
            finally:
                if before is None:
                    del os.environ["NTLM_USER_FILE"]
                else:
                    os.environ["NTLM_USER_FILE"] = before

    def forget(self, device: HostedDevice) -> None:
        """Remove what was written for a device."""
        with self._lock:
            if self._written.pop(device.name, None) is not None:
                self._path(device.name).unlink(missing_ok=True)

    def _write(self, name: str, accounts: tuple[Account, ...]) -> Path:
        path = self._path(name)
        if self._written.get(name) != accounts or not path.exists():
            lines = [line for account in accounts for line in _account_lines(account)]
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            self._written[name] = accounts
        return path

    def _path(self, name: str) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="akslite-sandbox-"))
            atexit.register(shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory / f"{name.encode().hex()}.accounts"


NTLM_ACCOUNTS = NtlmAccounts()


def _account_lines(account: Account) -> Iterator[str]:
    nt_hash = ntowfv1(account.password).hex().upper()
    no_lm_hash = "0" * 32
    for name in (f"{account.domain}\\{account.user}", account.user, f".\\{account.user}", f"{account.user}@{account.domain}"):
        yield f"{name}:0:{no_lm_hash}:{nt_hash}:[U]:LCT-00000000"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to an Authorization header.

    Args:
        user: ``COMPUTER\\user`` once the exchange is complete, else None.
        token: Value of the WWW-Authenticate header to be sent back, if any.
    """

    user: str | None
    token: str | None = None


class ConnectionSecurity:
    """Authentication and encryption state of one TCP connection.

    Args:
        device: Whose accounts are valid.
        channel_bindings: The TLS endpoint's bindings; None over HTTP.
    """

    def __init__(self, device: HostedDevice, channel_bindings: GssChannelBindings | None) -> None:
        self.user: str | None = None
        self._device = device
        self._channel_bindings = channel_bindings
        self._context: spnego.ContextProxy | None = None
        self._lock = threading.Lock()

    @property
    def over_tls(self) -> bool:
        return self._channel_bindings is not None

    @property
    def can_decrypt(self) -> bool:
        return self._context is not None and self._context.complete

    def challenges(self) -> tuple[str, ...]:
        """What the listener offers an unknown caller: Basic only where TLS hides the password."""
        return ("Negotiate", 'Basic realm="WSMAN"') if self.over_tls else ("Negotiate",)

    def authorize(self, header: str) -> Accepted:
        """Take one Authorization header.

        Raises:
            LogonFailed: The scheme is not accepted here or the credentials are wrong.
        """
        scheme, _, value = header.partition(" ")
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except binascii.Error as error:
            raise LogonFailed(f"the {scheme} token is not base64") from error
        match scheme.lower():
            case "negotiate" | "ntlm":
                return self._step(scheme, token)
            case "basic" if self.over_tls:
                return self._basic(token)
        raise LogonFailed(f"{scheme} is not accepted on this listener")

    def _step(self, scheme: str, token: bytes) -> Accepted:
        with self._lock, NTLM_ACCOUNTS.selected(self._device):
            if self._context is None or self._context.complete:
                # The pure Python acceptors: the same on every system, and not the host's own accounts on Windows.
                self._context = spnego.server(protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
                self.user = None
            try:
                reply = self._context.step(token, channel_bindings=self._bindings_for(token))
                principal = self._context.client_principal if self._context.complete else None
            except (SpnegoError, ValueError, KeyError, struct.error, StopIteration) as error:
                self._context = None
                raise LogonFailed(f"{type(error).__name__} in the {scheme} exchange") from error
        if principal is not None:
            self.user = _canonical_name(principal, self._device.accounts)
        return Accepted(self.user, f"{scheme} {base64.b64encode(reply).decode()}" if reply else None)

    def _bindings_for(self, token: bytes) -> GssChannelBindings | None:
        """The bindings to check. Windows' default hardening (Relaxed) lets a client leave them out, but not get them wrong."""
        start = token.find(_NTLM_AUTHENTICATE)
        if self._channel_bindings is None or start < 0:
            return None
        response = Authenticate.unpack(token[start:]).nt_challenge_response
        if not response or len(response) <= 24 or AvId.channel_bindings not in NTClientChallengeV2.unpack(response[16:]).av_pairs:
            return None
        return self._channel_bindings

    def _basic(self, token: bytes) -> Accepted:
        name, separator, password = token.decode("utf-8", "replace").partition(":")
        for account in self._device.accounts:
            known = secrets.compare_digest(password.encode(), account.password.encode())
            if separator and known and name.casefold() in _spellings(account):
                self.user = f"{account.domain}\\{account.user}"
                return Accepted(self.user)
        raise LogonFailed("the user name or the password is wrong")

    # ---- encryption

    def decrypt(self, body: bytes) -> bytes:
        """The SOAP envelope of an encrypted request.

        Raises:
            DecryptionFailed: It is not encrypted for this connection.
        """
        context = self._context
        if context is None or not context.complete:
            raise DecryptionFailed("the connection has no security context")
        parts = [part for part in _PART.split(body) if part]
        if not parts or len(parts) % 2:
            raise DecryptionFailed("the body is not a multipart/encrypted message")
        with self._lock:
            return b"".join(_unwrap(context, header, payload) for header, payload in zip(parts[::2], parts[1::2], strict=True))

    def encrypt(self, envelope: bytes) -> bytes:
        """An encrypted reply, to be sent with :data:`ENCRYPTED_CONTENT_TYPE`."""
        assert self._context is not None
        with self._lock:
            wrapped = self._context.wrap_winrm(envelope)
        head = "\r\n".join(
            (
                _BOUNDARY,
                f"\tContent-Type: {_SPNEGO_PROTOCOL}",
                f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(envelope) + wrapped.padding_length}",
                _BOUNDARY,
                "\tContent-Type: application/octet-stream",
                "",
            )
        )
        signature = struct.pack("<i", len(wrapped.header)) + wrapped.header
        return head.encode() + signature + wrapped.data + f"{_BOUNDARY}--\r\n".encode()


def _unwrap(context: spnego.ContextProxy, header: bytes, payload: bytes) -> bytes:
    length = _LENGTH.search(header)
    data = _END.sub(b"", payload).removeprefix(b"\tContent-Type: application/octet-stream\r\n")
    if length is None or len(data) < 4:
        raise DecryptionFailed("an encrypted part is incomplete")
    signature_length = int.from_bytes(data[:4], "little")
    signature, sealed = data[4 : 4 + signature_length], data[4 + signature_length :]
    try:
        plain = context.unwrap_winrm(signature, sealed)
    except (SpnegoError, ValueError) as error:
        raise DecryptionFailed(f"{type(error).__name__}") from error
    if len(plain) != int(length[1]):
        raise DecryptionFailed("the decrypted message has another length than announced")
    return plain


def _spellings(account: Account) -> set[str]:
    user, domain = account.user.casefold(), account.domain.casefold()
    return {user, f"{domain}\\{user}", f".\\{user}", f"{user}@{domain}"}


def _canonical_name(principal: str, accounts: Sequence[Account]) -> str:
    name = principal.casefold()
    for account in accounts:
        if name in _spellings(account):
            return f"{account.domain}\\{account.user}"
    return principal
