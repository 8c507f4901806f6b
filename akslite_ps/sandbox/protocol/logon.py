"""Whether an account of a device may log on: names, standing, and the NTSTATUS that Windows gives for a refusal.

Called by the acceptors (``protocol.ntlm_acceptor``, ``protocol.authentication``) once they can tell a right secret from a
wrong one. The status reaches the client only where the protocol has a place for it (CredSSP); HTTP itself says 401.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from akslite_ps.sandbox.engine import Account, HostedDevice, Standing


class NtStatus(enum.IntEnum):
    """Reasons for a refused log-on (MS-ERREF section 2.3.1), as the signed numbers that travel."""

    LOGON_FAILURE = 0xC000006D - 2**32
    PASSWORD_EXPIRED = 0xC0000071 - 2**32
    ACCOUNT_DISABLED = 0xC0000072 - 2**32
    PASSWORD_MUST_CHANGE = 0xC0000224 - 2**32
    ACCOUNT_LOCKED_OUT = 0xC0000234 - 2**32


_STANDING_STATUS: Mapping[Standing, NtStatus] = MappingProxyType(
    {
        "locked": NtStatus.ACCOUNT_LOCKED_OUT,
        "disabled": NtStatus.ACCOUNT_DISABLED,
        "password-expired": NtStatus.PASSWORD_EXPIRED,
        "password-must-change": NtStatus.PASSWORD_MUST_CHANGE,
    }
)


class LogonFailed(Exception):
    """Nobody is logged on.

    Args:
        reason: Why, for the device's log; no secrets.
        status: What Windows calls it.
        token: Last word of the security protocol to the client, if it has one.
    """

    def __init__(self, reason: str, status: NtStatus = NtStatus.LOGON_FAILURE, *, token: bytes | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.token = token


class LocalAccounts:
    """The local accounts of one device.

    Args:
        device: Asked anew for each log-on, so that a changed password counts from the next one.
    """

    def __init__(self, device: HostedDevice) -> None:
        self._device = device

    def find(self, name: str) -> Account:
        """The account of a name in any form that Windows takes: ``COMPUTER\\user``, ``.\\user``, ``user``, ``user@COMPUTER``.

        Raises:
            LogonFailed: There is none. The client hears the same as for a wrong password.
        """
        wanted = name.casefold()
        for account in self._device.accounts:
            if wanted in _spellings(account):
                return account
        raise LogonFailed(f"there is no account {name!r}")

    def admit(self, account: Account, *, secret_is_right: bool) -> str:
        """Log an account on whose secret has been looked at; gives ``COMPUTER\\user``.

        A locked account is refused whatever the secret; the other obstacles show only to who knows it, as on Windows.

        Raises:
            LogonFailed: It may not in.
        """
        if account.standing == "locked":
            raise LogonFailed(f"the account {account.user} is locked", NtStatus.ACCOUNT_LOCKED_OUT)
        self._device.note_logon(account.user, succeeded=secret_is_right)
        if not secret_is_right:
            raise LogonFailed(f"wrong credentials for the account {account.user}")
        if account.standing != "usable":
            raise LogonFailed(f"the account {account.user} is {account.standing}", _STANDING_STATUS[account.standing])
        return f"{account.domain}\\{account.user}"


def _spellings(account: Account) -> set[str]:
    user, domain = account.user.casefold(), account.domain.casefold()
    return {user, f"{domain}\\{user}", f".\\{user}", f"{user}@{domain}"}
