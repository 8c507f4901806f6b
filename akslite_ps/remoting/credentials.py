"""What this machine brings to a log-on: packages, client certificates, the mechanism. Looked at before anything is sent.

Called by ``remoting.connection``. Never sends anything and keeps no secret.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from akslite_ps.errors import UsageError
from akslite_ps.remoting.endpoint import Auth, Device, Endpoint

_PACKAGES: dict[str, tuple[str, ...]] = {"kerberos": ("gssapi", "krb5"), "credssp": ("requests_credssp",)}
_ATTEMPTED = "log on"


def mechanism(endpoint: Endpoint) -> Auth:
    """The authentication to ask pypsrp for.

    ``DOMAIN\\user`` names no Kerberos principal outside Windows: negotiating with it would ask a realm's servers for a user of
    another name, at every connection, before NTLM is tried. So it goes to NTLM at once.
    """
    if endpoint.auth == "negotiate" and os.name != "nt" and "\\" in (endpoint.username or ""):
        return "ntlm"
    return endpoint.auth


def check(device: Device, secret: str | None) -> None:
    """Refuse a log-on that cannot come about.

    Args:
        device: The device.
        secret: The resolved password; for ``certificate`` the passphrase of the key, if it has one.

    Raises:
        UsageError: A package is missing, or the client certificate cannot be used; says what to do.
    """
    _check_packages(device)
    if device.endpoint.auth == "certificate":
        _check_certificate(device, secret)


def _check_packages(device: Device) -> None:
    auth = device.endpoint.auth
    if auth == "kerberos" and os.name == "nt":
        return  # Windows brings Kerberos itself.
    missing = [name for name in _PACKAGES.get(auth, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"authentication '{auth}' needs Python packages that are not installed here ({', '.join(missing)})",
            device=device.name,
            attempted=_ATTEMPTED,
            next_action=f"install the extra: pip install 'akslite-ps[{auth}]'",
        )


def _check_certificate(device: Device, passphrase: str | None) -> None:
    certificate_file, key_file = device.endpoint.certificate_file, device.endpoint.certificate_key_file
    assert certificate_file is not None
    assert key_file is not None
    try:
        certificate = x509.load_pem_x509_certificate(_read(device, certificate_file))
    except ValueError:
        raise _unusable(device, f"'{certificate_file}' holds no certificate in PEM form", "correct certificate_file") from None
    key = _load_key(device, key_file, passphrase)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise _unusable(
            device,
            f"the key in '{key_file}' does not belong to the certificate in '{certificate_file}'",
            "correct certificate_file and certificate_key_file",
        )
    _check_use(device, certificate)


def _check_use(device: Device, certificate: x509.Certificate) -> None:
    now = dt.datetime.now(dt.UTC)
    if now > certificate.not_valid_after_utc:
        raise _unusable(
            device, f"the client certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew the client certificate"
        )
    if now < certificate.not_valid_before_utc:
        raise _unusable(
            device,
            f"the client certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "check this machine's clock",
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise _unusable(
            device, "the certificate is not made for client authentication", "have one made with that extended key usage"
        )


def _load_key(device: Device, path: Path, passphrase: str | None) -> PrivateKeyTypes:
    data = _read(device, path)
    for password in (None, passphrase.encode() if passphrase else None):
        try:
            return load_pem_private_key(data, password)
        except TypeError:
            continue  # It is encrypted.
        except ValueError:
            if password is not None:
                raise _unusable(device, f"the passphrase does not open the key in '{path}'", "correct the password") from None
            raise _unusable(device, f"'{path}' holds no private key in PEM form", "correct certificate_key_file") from None
    raise _unusable(
        device, f"the key in '{path}' is encrypted and no passphrase is given", "give its passphrase as the endpoint's password"
    )


def _read(device: Device, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(
            device, f"'{path}' cannot be read: {error.strerror or error}", "correct certificate_file and certificate_key_file"
        ) from None


def _unusable(device: Device, message: str, next_action: str) -> UsageError:
    return UsageError(message, device=device.name, attempted=_ATTEMPTED, next_action=next_action)
