"""Certificates of the simulated world: one small authority each for WinRM and for every cluster.

Used by the device (WinRM over HTTPS) and by the simulated Kubernetes API (server, client). EC P-256
keys, so that a certificate costs about a millisecond.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True)
class CertificateAndKey:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class CertificateAuthority:
    """Signs server and client certificates.

    Args:
        pair: The authority's own certificate and key, e.g. from :meth:`create` or from disk.
    """

    def __init__(self, pair: CertificateAndKey) -> None:
        self.pair = pair
        self._certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    @classmethod
    def create(cls, common_name: str, *, days: int = 3650) -> CertificateAuthority:
        """A new self-signed authority valid from yesterday for ``days`` days."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name, None)
        certificate = (
            _builder(name, name, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(
                    False, False, False, False, False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(_pem(certificate, key))

    def issue_server(
        self, common_name: str, *, addresses: Sequence[str] = (), dns_names: Sequence[str] = (), days: int = 825
    ) -> CertificateAndKey:
        """A server certificate for these addresses and names."""
        names: list[x509.GeneralName] = [x509.DNSName(n) for n in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        return self._issue(_name(common_name, None), ExtendedKeyUsageOID.SERVER_AUTH, names, days)

    def issue_client(
        self, common_name: str, *, organization: str | None = None, principal_name: str | None = None, days: int = 365
    ) -> CertificateAndKey:
        """A client certificate. Negative ``days`` makes an expired one.

        Args:
            common_name: Kubernetes reads the user from it.
            organization: Kubernetes reads the group from it.
            principal_name: User principal name (``user@suffix``), from which Windows finds the account.
            days: How long it is valid.
        """
        names: list[x509.GeneralName] = []
        if principal_name is not None:
            text = principal_name.encode()
            names.append(x509.OtherName(_USER_PRINCIPAL_NAME, bytes([_UTF8_STRING, len(text)]) + text))
        return self._issue(_name(common_name, organization), ExtendedKeyUsageOID.CLIENT_AUTH, names, days)

    def _issue(
        self, subject: x509.Name, usage: x509.ObjectIdentifier, names: list[x509.GeneralName], days: int
    ) -> CertificateAndKey:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, self._certificate.subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()), key)


def _name(common_name: str, organization: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    start = now - dt.timedelta(days=1 if days >= 0 else 1 - days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> CertificateAndKey:
    return CertificateAndKey(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
