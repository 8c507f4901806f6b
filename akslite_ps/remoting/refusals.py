"""Refused log-ons, said as exactly as the wire tells: Kerberos error codes, CredSSP's NTSTATUS, Windows' security status.

Called by ``remoting.faults``. HTTP itself says no more than 401, so for NTLM, Basic and certificates a wrong password, a locked and
a disabled account look the same; nothing here pretends to know more.
"""

from __future__ import annotations

import re
import ssl
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pypsrp.exceptions import AuthenticationError
from spnego.exceptions import SpnegoError

from akslite_ps.errors import AuthenticationFailed
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.exception_chain import causes
from akslite_ps.secrets import redact

_CLOCK = (
    "the clocks of this machine and of the device or its realm differ too much for Kerberos (five minutes are allowed)",
    "set the clocks right: w32tm /resync on the device, the time service on this machine",
)
_NO_SERVICE = (
    "the realm knows no service principal '{service}' (SPN not found)",
    "give the device's full name as host, or as spn_host where it is reached by another name",
)
_NO_TICKET = (
    "there is no Kerberos ticket on this machine",
    "get one (kinit user@REALM), or give the endpoint a user name and a password",
)
_WRONG_PASSWORD = ("the user name or the password of '{user}' is wrong", "correct the endpoint's username and password")
_LOCKED = (
    "the account '{user}' is locked",
    "wait until the lockout ends, or have the account unlocked; check who tries with a wrong password",
)
_DISABLED = ("the account '{user}' is disabled", "have the account enabled, or use another one")
_EXPIRED = ("the password of '{user}' has expired", "set a new password for the account on the device or in its domain")
_MUST_CHANGE = ("the password of '{user}' must be changed before the account can be used", "set a new password for the account")
_KERBEROS_BASE = -1765328384

_MEANINGS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        # Kerberos (RFC 4120, 7.5.9), as MIT's and Heimdal's libraries number them.
        _KERBEROS_BASE + 6: ("the realm does not know the user '{user}'", "correct the endpoint's username (user@REALM)"),
        _KERBEROS_BASE + 7: _NO_SERVICE,
        _KERBEROS_BASE + 18: (
            "the realm has withdrawn the account '{user}': it is locked, disabled or expired",
            "have the account looked at in its domain",
        ),
        _KERBEROS_BASE + 23: _EXPIRED,
        _KERBEROS_BASE + 24: _WRONG_PASSWORD,
        _KERBEROS_BASE + 31: _WRONG_PASSWORD,
        _KERBEROS_BASE + 32: ("the Kerberos ticket has expired", "get a new one: kinit user@REALM"),
        _KERBEROS_BASE + 37: _CLOCK,
        _KERBEROS_BASE + 41: (
            "the device cannot read the ticket: its key for '{service}' is another one than the realm's",
            "check that the name leads to this device and that its computer account in the domain is in order",
        ),
        # MIT's own.
        -1765328228: (
            "no Kerberos server of the user's realm can be reached",
            "check the network and the realm's servers in krb5.conf",
        ),
        -1765328230: (
            "this machine knows no Kerberos server for the user's realm",
            "write the realm in capital letters (user@REALM.EXAMPLE), and enter it in krb5.conf or in the name service",
        ),
        -1765328160: ("this machine is in no Kerberos realm", "give the user name with its realm: user@REALM.EXAMPLE"),
        -1765328189: _NO_TICKET,
        -1765328243: _NO_TICKET,
        # NTSTATUS (MS-ERREF 2.3.1).
        0xC000006D - 2**32: _WRONG_PASSWORD,
        0xC0000064 - 2**32: _WRONG_PASSWORD,
        0xC000006A - 2**32: _WRONG_PASSWORD,
        0xC0000234 - 2**32: _LOCKED,
        0xC0000072 - 2**32: _DISABLED,
        0xC0000071 - 2**32: _EXPIRED,
        0xC0000224 - 2**32: _MUST_CHANGE,
        0xC0000193 - 2**32: ("the account '{user}' has expired", "have the account's end date changed, or use another one"),
        # Security status of this machine's Windows (winerror.h).
        0x80090303 - 2**32: _NO_SERVICE,
        0x8009030C - 2**32: _WRONG_PASSWORD,
        0x8009030E - 2**32: _NO_TICKET,
        0x80090324 - 2**32: _CLOCK,
    }
)

_NOT_OFFERED = re.compile(r"one of the following authentication methods|auth protocol|did not response CredSSP")
_TLS_ALERTS = (
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_REVOKED",
    "UNSUPPORTED_CERTIFICATE",
)


def is_logon_error(error: BaseException) -> bool:
    """Whether an exception is about the log-on, of whichever of the libraries below."""
    return (
        isinstance(error, AuthenticationError)
        or _is_below_http(error)
        or (isinstance(error, ValueError) and "auth protocol" in str(error))
    )


def _is_below_http(error: BaseException) -> bool:
    """Whether a security protocol failed, rather than the device just said 401."""
    return isinstance(error, SpnegoError) or type(error).__module__.startswith(("requests_credssp", "krb5.", "gssapi."))


def _is_unreadable(error: BaseException) -> bool:
    """Whether what the device sent for the log-on could not be read."""
    return isinstance(error, ValueError | struct.error) and not isinstance(error, OSError)


def refuses_client_certificate(error: BaseException, endpoint: Endpoint) -> bool:
    """Whether TLS broke off because of the client's certificate."""
    return endpoint.auth == "certificate" and any(
        isinstance(cause, ssl.SSLError)
        and not isinstance(cause, ssl.SSLCertVerificationError)
        and "ALERT" in str(cause.reason)
        and str(cause.reason).endswith(_TLS_ALERTS)
        for cause in causes(error)
    )


def refusal(error: BaseException, device: Device, attempted: str) -> AuthenticationFailed:
    """The error of ours for a log-on that failed."""
    message, next_action = _said(error, device.endpoint)
    return AuthenticationFailed(message, device=device.name, attempted=attempted, next_action=next_action)


def _said(error: BaseException, endpoint: Endpoint) -> tuple[str, str]:
    texts = [str(cause) for cause in causes(error)]
    for text in texts:
        if _NOT_OFFERED.search(text):
            offered = text.rpartition("actual:")[2].strip(" '") if "actual:" in text else "none that is known"
            return (
                f"the device does not offer authentication '{endpoint.auth}'; it offers: {redact(offered) or 'none'}",
                "choose an auth that the device's WinRM service allows, or allow this one there",
            )
    for code in _codes(error):
        if code in _MEANINGS:
            message, next_action = _MEANINGS[code]
            names = {"user": endpoint.username or "the ticket's owner", "service": f"host/{endpoint.spn_host or endpoint.host}"}
            return f"{message.format(**names)} (authentication '{endpoint.auth}')", next_action
    if endpoint.auth == "certificate":
        return (
            "the device refused the client certificate (authentication 'certificate')",
            "have its authority trusted and its user principal name mapped on the device (winrm/config/service/certmapping) to an "
            "account that may log on; the mapping must hold the account's present password",
        )
    if not any(_is_below_http(cause) or _is_unreadable(cause) for cause in causes(error)):
        who = f"user '{endpoint.username}'" if endpoint.username else "the ticket"
        return (
            f"the device refused {who} (authentication '{endpoint.auth}')",
            "check user name and password; a locked or disabled account and one without remote access look the same",
        )
    return (
        f"authentication '{endpoint.auth}' could not be carried out: {redact(texts[-1] or texts[0])}",
        "check that this machine can do this authentication (Kerberos needs a ticket and the device's full name)",
    )


def _codes(error: BaseException) -> Iterator[int]:
    """Numbers in the errors below, as signed 32 bits, the most telling first."""
    for cause in causes(error):
        for holder in (cause, getattr(cause, "base_error", None)):
            for name in ("err_code", "min_code", "winerror", "nt_status"):
                code = getattr(holder, name, None)
                if isinstance(code, int):
                    yield (code + 2**31) % 2**32 - 2**31
