"""Client certificates of the local accounts of simulated devices, for ``auth: certificate``.

Made from the sandbox's folder when somebody asks for one, whether the sandbox runs or not: the devices know the authority and the
account that a certificate names, not the certificate itself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.device.local_accounts import local_user
from akslite_ps.sandbox.device.logons import principal_name
from akslite_ps.sandbox.device.store import DeviceStore, write_private, write_whole
from akslite_ps.sandbox.supervisor import CA_FILE, CA_KEY_FILE, DEVICES_DIR

_RENEW_BEFORE = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Where a client certificate lies.

    Args:
        user: The local account that it stands for.
        certificate_file, key_file: PEM.
    """

    user: str
    certificate_file: Path
    key_file: Path


def client_certificate(directory: Path, device: str, user: str | None = None) -> ClientCertificate:
    """The client certificate of a local account, made when there is none or it is about to expire.

    Args:
        directory: The sandbox's folder.
        device: The device's name.
        user: One of its local users; None for the administrator.

    Raises:
        UsageError: There is no such device or user.
    """
    store = DeviceStore(directory / DEVICES_DIR / device)
    if not store.exists:
        raise UsageError(f"there is no simulated device {device!r}", next_action="see: akslite sandbox status")
    spec, _ = store.load()
    known = local_user(spec, user)
    made = ClientCertificate(known, store.folder / f"client-{known}.pem", store.folder / f"client-{known}-key.pem")
    if not _is_usable(made):
        authority = CertificateAuthority(
            CertificateAndKey((directory / CA_FILE).read_bytes(), (directory / CA_KEY_FILE).read_bytes())
        )
        pair = authority.issue_client(known, principal_name=principal_name(known, spec.computer_name))
        write_private(made.key_file, pair.key.decode())
        write_whole(made.certificate_file, pair.certificate)
    return made


def _is_usable(made: ClientCertificate) -> bool:
    if not (made.certificate_file.is_file() and made.key_file.is_file()):
        return False
    certificate = x509.load_pem_x509_certificate(made.certificate_file.read_bytes())
    return certificate.not_valid_after_utc - _RENEW_BEFORE > dt.datetime.now(dt.UTC)
