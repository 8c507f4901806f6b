"""Which account a client's certificate stands for, by the mappings of the device (``winrm/config/service/certmapping``).

Used by ``protocol.authentication`` for a client that asks for the security profile ``https/mutual``. TLS has proved by then that
the client holds the key and that a trusted authority signed the certificate; the dates are looked at here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from akslite_ps.sandbox.engine import CertificateMapping
from akslite_ps.sandbox.protocol.logon import LogonFailed

PROFILE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
"""The Authorization header of a client that wants to be known by its certificate."""

_USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8_STRING = 0x0C
_SHORT_LENGTH = 0x80


def find_mapping(
    certificate: bytes | None, mappings: Sequence[CertificateMapping], authority: bytes, now: dt.datetime
) -> CertificateMapping:
    """The mapping that a certificate fits.

    Args:
        certificate: What the client showed, DER; None where it showed none.
        mappings: The device's.
        authority: The trusted authority's certificate, PEM.
        now: The device's date and time.

    Raises:
        LogonFailed: No certificate, out of its dates, not for clients, or mapped to nobody.
    """
    if certificate is None:
        raise LogonFailed("the client showed no certificate")
    shown = x509.load_der_x509_certificate(certificate)
    if not shown.not_valid_before_utc <= now <= shown.not_valid_after_utc:
        raise LogonFailed(f"the client's certificate is valid from {shown.not_valid_before_utc} to {shown.not_valid_after_utc}")
    if not _is_for_clients(shown):
        raise LogonFailed("the certificate is not made for client authentication")
    issuer = x509.load_pem_x509_certificate(authority)
    thumbprint = issuer.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows names certificates so
    names = {name.casefold() for name in _principal_names(shown)}
    for mapping in mappings:
        if mapping.subject.casefold() in names and mapping.issuer_thumbprint.upper() == thumbprint:
            return mapping
    raise LogonFailed(f"the client's certificate ({', '.join(sorted(names)) or 'no user principal name'}) is mapped to nobody")


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _principal_names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names.get_values_for_type(x509.OtherName):
        # DER: a UTF8String shorter than 128 bytes has one byte of length.
        if name.type_id == _USER_PRINCIPAL_NAME and name.value[0] == _UTF8_STRING and name.value[1] < _SHORT_LENGTH:
            yield name.value[2:].decode("utf-8", "replace")
