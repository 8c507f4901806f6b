"""Join tokens: what New-AksEdgeScaleConfig hands out, and whether a machine that brings one may join.

Formats are those of K3s (``k3s token``) and kubeadm. Used by ``device.served_cluster``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import string
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from akslite_ps.sandbox.device.cluster_record import ClusterRecord, JoinToken
from akslite_ps.sandbox.device.state import Distribution

LIFE = dt.timedelta(hours=24)
"""Documented for the product's join tokens."""

_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class JoinSecrets:
    """What a joining machine must bring: the values of a config's section Join."""

    cluster_id: str
    token: str = field(repr=False)
    discovery_token_hash: str | None = field(default=None, repr=False)
    certificate_key: str | None = field(default=None, repr=False)


def new_token(distribution: Distribution, authority: bytes, now: dt.datetime) -> JoinToken:
    """A token for one cluster.

    Args:
        distribution: K3s or K8s.
        authority: The cluster authority's certificate, PEM.
        now: The cluster's clock.
    """
    random = f"{_random(6)}.{_random(16)}"
    if distribution == "K3s":
        return JoinToken(value=f"K10{hashlib.sha256(authority).hexdigest()}::{random}", issued_at=now)
    return JoinToken(value=random, certificate_key=secrets.token_hex(32), issued_at=now)


def secrets_of(record: ClusterRecord, authority: bytes, *, control_plane: bool) -> JoinSecrets:
    """The values for a join config; K8s also tells the hash of its authority, and its control planes the certificate key."""
    token = record.join_token
    assert token is not None
    kubeadm = record.distribution == "K8s"
    return JoinSecrets(
        record.cluster_id,
        token.value,
        discovery_hash(authority) if kubeadm else None,
        token.certificate_key if kubeadm and control_plane else None,
    )


def refusal(record: ClusterRecord, authority: bytes, given: JoinSecrets, *, control_plane: bool, now: dt.datetime) -> str | None:
    """Why the control plane does not let a machine join, in the words of its software; None where it does."""
    token = record.join_token
    k3s = record.distribution == "K3s"
    if given.cluster_id != record.cluster_id:
        return f"the cluster at this address is not {given.cluster_id}"
    if token is None or not secrets.compare_digest(given.token.encode(), token.value.encode()) or now - token.issued_at >= LIFE:
        if k3s:
            return "failed to validate token: https://127.0.0.1:6444/v1-k3s/apiserver-bootstrap: 401 Unauthorized"
        token_id = given.token.partition(".")[0]
        return f'could not find a JWS signature in the cluster-info ConfigMap for token ID "{token_id}"'
    if not k3s and given.discovery_token_hash != discovery_hash(authority):
        return "cluster CA found in cluster-info ConfigMap is invalid: none of the public keys are pinned"
    if not k3s and control_plane and given.certificate_key != token.certificate_key:
        return "error downloading certs: error decoding secret data with provided key: cipher: message authentication failed"
    return None


def discovery_hash(authority: bytes) -> str:
    """kubeadm's ``sha256:...`` of the authority's public key."""
    key = x509.load_pem_x509_certificate(authority).public_key()
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
