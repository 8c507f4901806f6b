"""Log-on to a simulated device: what its WinRM service allows, who is locked out, which certificates stand for whom.

Part of ``device.simulated``, asked by the listener (``engine.HostedDevice``). Counts failed log-ons as Windows does: a device set
up with an image since October 2022 locks a local account, administrators too, for ten minutes after ten failures with less than
ten minutes between them (Microsoft support article KB5020282).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from akslite_ps.sandbox.device.local_accounts import local_accounts
from akslite_ps.sandbox.device.state import FailedLogons
from akslite_ps.sandbox.engine import Account, CertificateMapping, LogonSettings, Standing

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_STANDING_FAULTS: dict[str, Standing] = {
    "account-disabled": "disabled",
    "account-locked": "locked",
    "password-expired": "password-expired",
}
_UPN_SUFFIX = "localhost"


class Logons:
    """The log-ons of one device. Failures are kept in its state.

    Args:
        device: The device.
        authority: Authority whose client certificates the device trusts, PEM; None for none.
    """

    def __init__(self, device: SimulatedDevice, authority: bytes | None) -> None:
        self._device = device
        self._authority = authority
        self._made: tuple[CertificateMapping, ...] | None = None

    @property
    def settings(self) -> LogonSettings:
        """What the listener must know."""
        service = self._device.spec.winrm
        keytab = self._device.store.keytab_file
        if self._made is None:
            self._made = self._mappings(self._authority) if self._authority is not None else ()
        return LogonSettings(
            schemes=service.schemes,
            channel_binding=service.channel_binding,
            keytab=keytab if keytab.is_file() else None,
            client_authority=self._authority,
            certificate_mappings=() if self._device.fault("client-certificate-unmapped") else self._made,
        )

    def with_standing(self, accounts: Sequence[Account]) -> tuple[Account, ...]:
        """The accounts with what stands in the way of each."""
        return tuple(replace(account, standing=self._standing(account.user)) for account in accounts)

    def note(self, user: str, *, succeeded: bool) -> None:
        """Count a log-on with right or wrong credentials; the last failure that is allowed locks the account."""
        device, now = self._device, dt.datetime.now(dt.UTC)
        before = device.state.failed_logons.get(user.casefold())
        others = {name: failed for name, failed in device.state.failed_logons.items() if name != user.casefold()}
        threshold = device.spec.winrm.lockout_threshold
        if succeeded or threshold == 0:
            if before is not None:
                device.update(failed_logons=others)
            return
        count = before.count + 1 if before is not None and now - before.last < self._lockout_time else 1
        failed = FailedLogons(count=count, last=now, locked=count >= threshold)
        device.update(failed_logons={**others, user.casefold(): failed})

    def _standing(self, user: str) -> Standing:
        for fault, standing in _STANDING_FAULTS.items():
            struck = self._device.fault(fault)
            if struck is not None and str(struck.parameters["user"] or self._device.spec.user).casefold() == user.casefold():
                return standing
        failed = self._device.state.failed_logons.get(user.casefold())
        if failed is not None and failed.locked and dt.datetime.now(dt.UTC) - failed.last < self._lockout_time:
            return "locked"
        return "usable"

    @property
    def _lockout_time(self) -> dt.timedelta:
        return dt.timedelta(seconds=self._device.clock.real_seconds(self._device.spec.winrm.lockout_minutes * 60))

    def _mappings(self, authority: bytes) -> tuple[CertificateMapping, ...]:
        spec, issuer = self._device.spec, _thumbprint(authority)
        return tuple(
            CertificateMapping(principal_name(account.user, spec.computer_name), issuer, account.user, account.password)
            for account in local_accounts(spec, self._device.store)
        )


def principal_name(user: str, computer_name: str) -> str:
    """The user principal name in the client certificate of a local account.

    Devices of one sandbox trust the same authority, so the name says which computer's account is meant.
    """
    return f"{user}@{computer_name.lower()}.{_UPN_SUFFIX}"


@functools.lru_cache(maxsize=16)
def _thumbprint(certificate: bytes) -> str:
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows' own
