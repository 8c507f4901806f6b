"""WinRM's message encryption: SOAP envelopes sealed by the security context that logged the connection on (MS-WSMV 2.2.9.1).

Used by ``protocol.authentication``. Bytes in, bytes out.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from spnego._context import ContextProxy
from spnego.exceptions import SpnegoError

Protection = Literal["SPNEGO", "Kerberos", "CredSSP"]

_BOUNDARY = "--Encrypted Boundary"
_PART = re.compile(rb"--\s*Encrypted Boundary\r\n")
_END = re.compile(rb"--\s*Encrypted Boundary--(?:\r\n)?$")
_SEALED = re.compile(rb"\s*Content-Type: *application/octet-stream\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"Length=(\d+)")
_CREDSSP_PART = 16_384
"""CredSSP seals in TLS records, which hold no more."""


class DecryptionFailed(Exception):
    """A message that cannot be decrypted on this connection."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted reply: its Content-Type and its body."""

    content_type: str
    body: bytes


def unseal(context: ContextProxy, body: bytes) -> bytes:
    """The SOAP envelope of an encrypted request.

    Raises:
        DecryptionFailed: It is not encrypted for this context.
    """
    parts = [part for part in _PART.split(body) if part]
    if not parts or len(parts) % 2:
        raise DecryptionFailed("the body is not a multipart/encrypted message")
    return b"".join(_unwrap(context, header, payload) for header, payload in zip(parts[::2], parts[1::2], strict=True))


def seal(context: ContextProxy, envelope: bytes, protection: Protection, charset: str = "UTF-8") -> Sealed:
    """An envelope, encoded as ``charset`` says, encrypted in the protection that the client's log-on chose."""
    protocol = f"application/HTTP-{protection}-session-encrypted"
    step = _CREDSSP_PART if protection == "CredSSP" else max(len(envelope), 1)
    parts = [_wrap(context, envelope[at : at + step], protocol, charset) for at in range(0, max(len(envelope), 1), step)]
    kind = "multipart/x-multi-encrypted" if len(parts) > 1 else "multipart/encrypted"
    body = b"".join(parts) + f"{_BOUNDARY}--\r\n".encode()
    return Sealed(f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"', body)


def _wrap(context: ContextProxy, plain: bytes, protocol: str, charset: str) -> bytes:
    wrapped = context.wrap_winrm(plain)
    head = "\r\n".join(
        (
            _BOUNDARY,
            f"\tContent-Type: {protocol}",
            f"\tOriginalContent: type=application/soap+xml;charset={charset};Length={len(plain) + wrapped.padding_length}",
            _BOUNDARY,
            "\tContent-Type: application/octet-stream",
            "",
        )
    )
    data: bytes = wrapped.data
    return head.encode() + struct.pack("<i", len(wrapped.header)) + wrapped.header + data


def _unwrap(context: ContextProxy, header: bytes, payload: bytes) -> bytes:
    length = _LENGTH.search(header)
    data = _END.sub(b"", payload)
    head = _SEALED.match(data)
    data = data[head.end() :] if head is not None else data
    if length is None or len(data) < 4:
        raise DecryptionFailed("an encrypted part is incomplete")
    signature_length = int.from_bytes(data[:4], "little")
    signature, sealed = data[4 : 4 + signature_length], data[4 + signature_length :]
    try:
        plain: bytes = context.unwrap_winrm(signature, sealed)
    except (SpnegoError, ValueError) as error:
        raise DecryptionFailed(f"{type(error).__name__}") from error
    if len(plain) != int(length[1]):
        raise DecryptionFailed("the decrypted message has another length than announced")
    return plain
