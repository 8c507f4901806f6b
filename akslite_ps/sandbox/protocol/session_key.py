"""The key of a runspace pool under which SecureStrings travel: [MS-PSRP] 2.2.2.5 and 2.2.5.1.24.

Used by ``protocol.psrp``. The server makes the key and sends it under the client's public key.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_PUBLIC_KEY_HEADER = struct.Struct("<BBHI4sII")
_PUBLIC_KEY_BLOB = 0x06
_RSA = b"RSA1"
_MODULUS_BITS = 2048
_SIMPLE_BLOB = struct.pack("<BBHII", 0x01, 0x02, 0, 0x6610, 0xA400)
"""BLOBHEADER of a session key for AES-256, encrypted by an RSA key for exchange."""


class KeyRefused(ValueError):
    """A public key, or an encrypted text, that is none."""


class SessionKey:
    """One pool's key. Its repr hides it."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def __repr__(self) -> str:
        return "SessionKey()"

    def for_client(self, public_key: str) -> str:
        """The key as ENCRYPTED_SESSION_KEY carries it.

        Args:
            public_key: The client's, as PUBLIC_KEY carries it: a PUBLICKEYBLOB in base64.

        Raises:
            KeyRefused: It is none of 2048 bits.
        """
        blob = _decoded(public_key)
        if len(blob) != _PUBLIC_KEY_HEADER.size + _MODULUS_BITS // 8:
            raise KeyRefused(f"{len(blob)} bytes are no public key of {_MODULUS_BITS} bits")
        kind, _, _, _, magic, bits, exponent = _PUBLIC_KEY_HEADER.unpack_from(blob)
        if (kind, magic, bits) != (_PUBLIC_KEY_BLOB, _RSA, _MODULUS_BITS):
            raise KeyRefused(f"the bytes are no public RSA key of {_MODULUS_BITS} bits")
        modulus = int.from_bytes(blob[_PUBLIC_KEY_HEADER.size :], "little")
        try:
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError as error:
            raise KeyRefused(f"the public key is not usable: {error}") from error
        return base64.b64encode(_SIMPLE_BLOB + key.encrypt(self._key, padding.PKCS1v15())[::-1]).decode()

    def encrypt(self, text: str) -> str:
        """A SecureString's text as its CLIXML element holds it."""
        padder = PKCS7(algorithms.AES.block_size).padder()
        padded = padder.update(text.encode("utf-16-le", "surrogatepass")) + padder.finalize()
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def decrypt(self, text: str) -> str:
        """The text of a SecureString.

        Raises:
            KeyRefused: It was not encrypted with this key.
        """
        decryptor, unpadder = self._cipher().decryptor(), PKCS7(algorithms.AES.block_size).unpadder()
        try:
            padded = decryptor.update(_decoded(text)) + decryptor.finalize()
            return (unpadder.update(padded) + unpadder.finalize()).decode("utf-16-le", "surrogatepass")
        except ValueError as error:
            raise KeyRefused("a SecureString was not encrypted with this pool's key") from error

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(bytes(16)))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise KeyRefused("the text is not base64") from error
