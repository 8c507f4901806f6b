"""The security protocols below HTTP: Negotiate (Kerberos, NTLM) and CredSSP, as a device's WinRM service accepts them.

Used by ``protocol.authentication``. Kerberos needs the Python packages of the extra ``kerberos`` and a keytab of the device; where
one of them is missing the device offers NTLM alone, like a computer that is in no domain.
"""

from __future__ import annotations

import datetime as dt
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from spnego import NegotiateOptions
from spnego._context import ContextProxy, GSSMech
from spnego._credssp import CredSSPProxy
from spnego._negotiate import NegotiateProxy
from spnego._spnego import NegState, NegTokenResp
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadMechanismError, NativeError, SpnegoError
from spnego.tls import CredSSPTLSContext, default_tls_context

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol.kerberos_acceptor import KerberosAcceptor, can_accept
from akslite_ps.sandbox.protocol.logon import LogonFailed, NtStatus
from akslite_ps.sandbox.protocol.ntlm_acceptor import NtlmAcceptor


class NegotiateAcceptor(NegotiateProxy):
    """One Negotiate exchange, or one of plain NTLM or Kerberos, with the mechanisms that the device accepts.

    Args:
        device: Whose accounts and keys are valid.
        channel_bindings: The TLS endpoint's bindings; None over HTTP.
        within_credssp: Refusals take the form that CredSSP passes on to the client.
    """

    def __init__(
        self, device: HostedDevice, channel_bindings: GssChannelBindings | None = None, *, within_credssp: bool = False
    ) -> None:
        super().__init__(usage="accept", protocol="negotiate", options=NegotiateOptions.use_negotiate)
        self._within_credssp = within_credssp
        self._makers: dict[GSSMech, Callable[[], ContextProxy]] = {}
        if can_accept(device):
            self._makers[GSSMech.kerberos] = functools.partial(KerberosAcceptor, device, channel_bindings)
        self._makers[GSSMech.ntlm] = functools.partial(
            NtlmAcceptor, device, channel_bindings, device.logon_settings.channel_binding
        )

    def step(self, in_token: bytes | None = None, *, channel_bindings: GssChannelBindings | None = None) -> bytes | None:
        try:
            reply: bytes | None = super().step(in_token, channel_bindings=channel_bindings)
        except LogonFailed as failure:
            if self._within_credssp:
                raise _Refusal(base_error=NativeError(str(failure), winerror=failure.status)) from failure
            if failure.token is not None and self._mech_list:
                failure.token = NegTokenResp(neg_state=NegState.reject, response_token=failure.token).pack()
            raise
        return reply

    def _preferred_mech_list(self) -> list[GSSMech]:
        return list(self._makers)

    def _rebuild_context_list(
        self, mech_types: list[str] | None = None, channel_bindings: GssChannelBindings | None = None
    ) -> list[str]:
        wanted = [m for m in self._makers if mech_types is None or any(self._is_same_mech(m, oid) for oid in mech_types)]
        if not wanted:
            raise BadMechanismError(context_msg="the device has none of the mechanisms that the client offers")
        self._context_list = {mechanism: (self._makers[mechanism](), None) for mechanism in wanted}
        for context, _ in self._context_list.values():
            context._is_wrapped = True
        return [mechanism.value for mechanism in wanted]

    def _step_spnego_input(
        self, in_token: bytes | None = None, channel_bindings: GssChannelBindings | None = None
    ) -> tuple[bytes | None, bytes | None, bool]:
        is_first = not self._context_list
        token, mic, is_spnego = super()._step_spnego_input(in_token, channel_bindings)
        if is_first and is_spnego and self._mech_list and not self._is_same_mech(self._chosen_mech, self._mech_list[0]):
            # The client's first token is for the mechanism that it likes best, which is not the one chosen (RFC 4178, 4.2).
            token = None
        return token, mic, is_spnego


class _Refusal(SpnegoError):
    """A refused log-on on its way through CredSSP, with the status that its last message carries."""

    @property
    def nt_status(self) -> int:
        return int(getattr(self.base_error, "winerror", NtStatus.LOGON_FAILURE))


def credssp_acceptor(device: HostedDevice) -> CredSSPProxy:
    """One CredSSP exchange. Its TLS certificate is one that the service makes for itself, as on Windows."""
    tls = _credssp_tls(device.computer_name)
    return CredSSPProxy(
        usage="accept", credssp_negotiate_context=NegotiateAcceptor(device, within_credssp=True), credssp_tls_context=tls
    )


@functools.lru_cache(maxsize=64)
def _credssp_tls(computer_name: str) -> CredSSPTLSContext:
    key = _credssp_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CREDSSP-{computer_name}")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    tls: CredSSPTLSContext = default_tls_context(usage="accept")
    with tempfile.TemporaryDirectory(prefix="akslite-sandbox-") as directory:
        path = Path(directory, "credssp.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate.public_bytes(pem) + secret)
        tls.context.load_cert_chain(path)
    # CredSSP binds to the key in this form, which only RSA keys have.
    tls.public_key = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return tls


@functools.cache
def _credssp_key() -> rsa.RSAPrivateKey:
    """One key for all devices of the process: it takes a moment to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
