"""A cluster's secrets: its authority, the admin's client certificate, the service account key, and what is made from them.

Used by the cluster (kubeconfig, tokens) and by the API (server certificate, checking a token). Made at
first use, because most clusters of a large sandbox are never asked. Certificates are dated by the wall
clock, as the peers who check them are; tokens by the device's clock.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.kubernetes.assumptions import ADMIN_CLIENT_NAMES, KUBECONFIG_NAMES

TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local"  # noqa: S105 - an issuer's name
_AUTHORITY_NAMES = {"K3s": "k3s-server-ca", "K8s": "kubernetes"}


class ClusterCredentials:
    """The keys of one cluster.

    Args:
        distribution: ``K3s`` or ``K8s``; decides the names in certificates and kubeconfig.
        pairs: Certificates and keys by role from :meth:`as_data`, empty for a new cluster.
        signing_key: PEM of the service account key from :meth:`as_data`.
    """

    def __init__(
        self, distribution: str, pairs: Mapping[str, CertificateAndKey] | None = None, signing_key: bytes | None = None
    ) -> None:
        self._distribution = distribution
        self._pairs = dict(pairs or {})
        self._signing_key = signing_key

    @classmethod
    def from_data(cls, distribution: str, data: Mapping[str, Any]) -> ClusterCredentials:
        """The credentials written by :meth:`as_data`."""
        pairs = {
            role: CertificateAndKey(pair["certificate"].encode(), pair["key"].encode())
            for role, pair in (data.get("certificates") or {}).items()
        }
        key = data.get("signing_key")
        return cls(distribution, pairs, key.encode() if key else None)

    def as_data(self) -> dict[str, Any]:
        """Everything made so far, JSON-ready. Contains private keys."""
        return {
            "certificates": {
                role: {"certificate": pair.certificate.decode(), "key": pair.key.decode()} for role, pair in self._pairs.items()
            },
            "signing_key": self._signing_key.decode() if self._signing_key else None,
        }

    @property
    def authority_certificate(self) -> bytes:
        """The cluster authority's certificate, PEM."""
        return self._authority().pair.certificate

    def client(self, common_name: str, organization: str | None = None, *, days: int = 365) -> CertificateAndKey:
        """A new client certificate signed by the cluster; user and group as Kubernetes reads them."""
        return self._authority().issue_client(common_name, organization=organization, days=days)

    def admin(self) -> CertificateAndKey:
        """The admin's client certificate, the same one every time."""
        if "admin" not in self._pairs:
            self._pairs["admin"] = self.client(*ADMIN_CLIENT_NAMES.value[self._distribution])
        return self._pairs["admin"]

    def server(self, addresses: Sequence[str], dns_names: Sequence[str]) -> CertificateAndKey:
        """The API's server certificate for these addresses and names; kept while they stay the same."""
        role = "server:" + ",".join((*addresses, *dns_names))
        if role not in self._pairs:
            for other in [name for name in self._pairs if name.startswith("server:")]:
                del self._pairs[other]
            self._pairs[role] = self._authority().issue_server("kube-apiserver", addresses=addresses, dns_names=dns_names)
        return self._pairs[role]

    def kubeconfig(self, server_url: str) -> str:
        """The admin kubeconfig in the layout of the cluster's distribution."""
        cluster, user, context = KUBECONFIG_NAMES.value[self._distribution]
        admin = self.admin()
        config = {
            "apiVersion": "v1",
            "clusters": [
                {
                    "cluster": {"certificate-authority-data": _base64(self.authority_certificate), "server": server_url},
                    "name": cluster,
                }
            ],
            "contexts": [{"context": {"cluster": cluster, "user": user}, "name": context}],
            "current-context": context,
            "kind": "Config",
            "preferences": {},
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate-data": _base64(admin.certificate), "client-key-data": _base64(admin.key)},
                },
            ],
        }
        return yaml.safe_dump(config, sort_keys=False)

    def sign_token(self, claims: Mapping[str, Any]) -> str:
        """A JSON web token (ES256) with these claims, signed by the service account key."""
        signed = f"{_segment({'alg': 'ES256', 'typ': 'JWT'})}.{_segment(claims)}"
        r, s = decode_dss_signature(self._key().sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def read_token(self, token: str) -> dict[str, Any] | None:
        """The claims of a token this cluster signed; None for any other. Does not look at its times."""
        parts = token.split(".")
        if len(parts) != 3:
            return None
        try:
            signature = _from_url_base64(parts[2])
            pair = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            self._key().public_key().verify(pair, f"{parts[0]}.{parts[1]}".encode(), ec.ECDSA(hashes.SHA256()))
            claims: dict[str, Any] = json.loads(_from_url_base64(parts[1]))
        except (InvalidSignature, ValueError):
            return None
        return claims

    def _authority(self) -> CertificateAuthority:
        if "authority" not in self._pairs:
            name = _AUTHORITY_NAMES[self._distribution]
            if self._distribution == "K3s":
                name = f"{name}@{int(dt.datetime.now(dt.UTC).timestamp())}"
            self._pairs["authority"] = CertificateAuthority.create(name).pair
        return CertificateAuthority(self._pairs["authority"])

    def _key(self) -> ec.EllipticCurvePrivateKey:
        if self._signing_key is None:
            made = ec.generate_private_key(ec.SECP256R1())
            self._signing_key = made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            return made
        key = serialization.load_pem_private_key(self._signing_key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key


def _segment(data: Mapping[str, Any]) -> str:
    return _url_base64(json.dumps(data, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _url_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_url_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
