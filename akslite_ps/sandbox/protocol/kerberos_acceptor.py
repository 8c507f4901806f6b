"""Kerberos as a device of a domain answers it: tickets for the keys of its keytab.

Used by ``protocol.negotiation``. Needs the Python packages of the extra ``kerberos`` (gssapi, krb5); :func:`can_accept` tells.
"""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

from spnego._asn1 import (
    TagClass,
    TypeTagNumber,
    pack_asn1,
    pack_asn1_general_string,
    pack_asn1_integer,
    pack_asn1_object_identifier,
    pack_asn1_sequence,
)
from spnego._context import GSSMech
from spnego._gss import GSSAPIProxy
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol.logon import LogonFailed

CLOCK_SKEW = dt.timedelta(minutes=5)
"""How far two clocks may differ ("Maximum tolerance for computer clock synchronization", Windows' default)."""

_KRB_ERROR = 30
_SKEW_TOO_GREAT = 37


def can_accept(device: HostedDevice) -> bool:
    """Whether the device takes Kerberos tickets: it has keys, its service allows it, and the packages are there."""
    settings = device.logon_settings
    return "Kerberos" in settings.schemes and settings.keytab is not None and packages_are_there()


class KerberosAcceptor(GSSAPIProxy):
    """One Kerberos exchange.

    Args:
        device: Whose keys are valid.
        channel_bindings: The TLS endpoint's bindings; None over HTTP.

    Raises:
        LogonFailed: The keytab cannot be used.
    """

    def __init__(self, device: HostedDevice, channel_bindings: GssChannelBindings | None) -> None:
        import gssapi

        settings = device.logon_settings
        self._device = device
        self._needs_bindings = channel_bindings is not None and settings.channel_binding == "Strict"
        try:
            key = gssapi.Credentials(
                usage="accept",
                mechs=[gssapi.OID.from_int_seq(GSSMech.kerberos.value)],
                store={"keytab": f"FILE:{settings.keytab}", "rcache": f"file2:{_replay_caches() / device.name}"},
            )
        except gssapi.raw.GSSError as error:
            raise LogonFailed(f"the device's keytab cannot be used: {error}") from error
        super().__init__(usage="accept", protocol="kerberos", _gssapi_credential=key)
        bindings = None
        if channel_bindings is not None and settings.channel_binding != "None":
            bindings = gssapi.raw.ChannelBindings(application_data=channel_bindings.application_data)
        context: Any = gssapi.SecurityContext(creds=key, usage="accept", channel_bindings=bindings)
        # A refusal with a last word to the client is raised with that word, not at the next step.
        context.__DEFER_STEP_ERRORS__ = False
        self._context = context

    @property
    def client_principal(self) -> str | None:
        """``DOMAIN\\user`` once the exchange is complete; the domain's short name is the first part of the realm, as by default."""
        if not self.complete:
            return None
        user, _, realm = str(super().client_principal).rpartition("@")
        return f"{realm.partition('.')[0].upper()}\\{user}"

    def step(self, in_token: bytes | None = None, *, channel_bindings: GssChannelBindings | None = None) -> bytes | None:
        """Take a token.

        Raises:
            LogonFailed: The ticket is not accepted.
        """
        skew = abs(self._device.now() - dt.datetime.now(dt.UTC))
        if skew > CLOCK_SKEW:
            raise LogonFailed(f"the device's clock is wrong by {skew}", token=_clock_skew_error(self._device))
        try:
            reply: bytes | None = super().step(in_token, channel_bindings=channel_bindings)
        except SpnegoError as error:
            raise LogonFailed(f"the ticket is refused: {error}", token=getattr(error.base_error, "token", None)) from error
        if self.complete and self._needs_bindings:
            import gssapi

            assert self._context is not None
            if not self._context.actual_flags & gssapi.RequirementFlag.channel_bound:
                raise LogonFailed("the client sent no channel bindings, or those of another channel")
        return reply


@functools.cache
def packages_are_there() -> bool:
    """Whether this machine can accept tickets at all."""
    return all(importlib.util.find_spec(name) is not None for name in ("gssapi", "krb5"))


@functools.cache
def _replay_caches() -> Path:
    """Tickets that were used already, a file for each device."""
    directory = Path(tempfile.mkdtemp(prefix="akslite-sandbox-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _clock_skew_error(device: HostedDevice) -> bytes:
    """The KRB-ERROR (RFC 4120, 5.9.1) that tells the client of different clocks, in the frame of RFC 4121, 4.1."""
    now = device.now().astimezone(dt.UTC)
    name = pack_asn1_sequence(
        [
            _field(0, pack_asn1_integer(2)),
            _field(1, pack_asn1_sequence([_text("host"), _text(device.computer_name.lower())])),
        ]
    )
    stamp = pack_asn1(TagClass.universal, False, TypeTagNumber.generalized_time, now.strftime("%Y%m%d%H%M%SZ").encode())
    body = pack_asn1_sequence(
        [
            _field(0, pack_asn1_integer(5)),
            _field(1, pack_asn1_integer(_KRB_ERROR)),
            _field(4, stamp),
            _field(5, pack_asn1_integer(now.microsecond)),
            _field(6, pack_asn1_integer(_SKEW_TOO_GREAT)),
            _field(9, _text("")),
            _field(10, name),
        ]
    )
    message = b"\x03\x00" + pack_asn1(TagClass.application, True, _KRB_ERROR, body)
    token: bytes = pack_asn1(TagClass.application, True, 0, pack_asn1_object_identifier(GSSMech.kerberos.value) + message)
    return token


def _field(number: int, value: bytes) -> bytes:
    packed: bytes = pack_asn1(TagClass.context_specific, True, number, value)
    return packed


def _text(value: str) -> bytes:
    packed: bytes = pack_asn1_general_string(value.encode())
    return packed
