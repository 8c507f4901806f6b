"""NTLM as a device answers it: its own computer name in the challenge, its own accounts, NTLMv2 only.

Used by ``protocol.negotiation``. Signing and sealing are pyspnego's; its acceptor is not used, because that one tells the name
of the host it runs on and finds accounts only in a file named by an environment variable (``reference/wsman-psrp.md`` section 3).
"""

from __future__ import annotations

import hmac
import os

from spnego import NTLMHash
from spnego._ntlm import NTLMProxy
from spnego._ntlm_raw.crypto import hmac_md5, md5, ntowfv1, ntowfv2, rc4k
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvFlags,
    AvId,
    Challenge,
    FileTime,
    Negotiate,
    NegotiateFlags,
    NTClientChallengeV2,
    TargetInfo,
    Version,
)
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import InvalidTokenError

from akslite_ps.sandbox.engine import ChannelBinding, HostedDevice
from akslite_ps.sandbox.protocol.logon import LocalAccounts, LogonFailed

_LONGEST_V1_RESPONSE = 24
_PROOF_LENGTH = 16
_NO_BINDINGS = bytes(16)


class NtlmAcceptor(NTLMProxy):
    """One NTLM exchange.

    Args:
        device: Whose accounts are valid and whose name is told.
        channel_bindings: The TLS endpoint's bindings; None over HTTP.
        level: What becomes of a client without bindings, or with those of another endpoint.
    """

    def __init__(self, device: HostedDevice, channel_bindings: GssChannelBindings | None, level: ChannelBinding) -> None:
        # Made as an initiator it asks for no file of accounts; what follows is all an acceptor's.
        super().__init__(NTLMHash("", nt_hash="0" * 32), usage="initiate", channel_bindings=channel_bindings)
        self.usage = "accept"
        self._device = device
        self._level = level
        self._accounts = LocalAccounts(device)
        self._user: str | None = None

    @property
    def client_principal(self) -> str | None:
        """``COMPUTER\\user`` once the exchange is complete."""
        return self._user if self.complete else None

    def _step_accept_negotiate(self, token: bytes) -> bytes:
        negotiate = Negotiate.unpack(token)
        if not negotiate.flags & NegotiateFlags.unicode:
            raise InvalidTokenError(context_msg="the client does not speak Unicode")
        flags = negotiate.flags & ~(NegotiateFlags.oem | NegotiateFlags.lm_key)
        flags |= (
            NegotiateFlags.request_target
            | NegotiateFlags.ntlm
            | NegotiateFlags.always_sign
            | NegotiateFlags.target_info
            | NegotiateFlags.target_type_server
        )
        name = self._device.computer_name
        info = TargetInfo()
        # A computer that is in no domain gives its own name for the domain's.
        info[AvId.nb_domain_name] = info[AvId.nb_computer_name] = name
        info[AvId.dns_domain_name] = info[AvId.dns_computer_name] = name
        info[AvId.timestamp] = FileTime.from_datetime(self._device.now())
        build = int(self._device.os_version.split(".")[2])
        version = Version(major=10, minor=0, build=build) if flags & NegotiateFlags.version else None
        self._temp_negotiate = negotiate
        self._temp_challenge = Challenge(flags, os.urandom(8), target_name=name, target_info=info, version=version)
        packed: bytes = self._temp_challenge.pack()
        return packed

    def _step_accept_authenticate(self, token: bytes, channel_bindings: GssChannelBindings | None) -> None:
        negotiate, challenge = self._temp_negotiate, self._temp_challenge
        assert negotiate is not None
        assert challenge is not None
        answer = Authenticate.unpack(token)
        response: bytes = answer.nt_challenge_response or b""
        if not answer.user_name:
            raise LogonFailed("anonymous log-on")
        if len(response) <= _LONGEST_V1_RESPONSE:
            raise LogonFailed("NTLMv1 is not accepted")
        account = self._accounts.find(f"{answer.domain_name}\\{answer.user_name}" if answer.domain_name else answer.user_name)
        key = ntowfv2(answer.user_name, ntowfv1(account.password), answer.domain_name)
        proof, blob = response[:_PROOF_LENGTH], response[_PROOF_LENGTH:]
        pairs = NTClientChallengeV2.unpack(blob).av_pairs
        right = hmac.compare_digest(hmac_md5(key, challenge.server_challenge + blob), proof)
        if right:
            self._check_bindings(pairs.get(AvId.channel_bindings), channel_bindings or self.channel_bindings)
        user = self._accounts.admit(account, secret_is_right=right)
        session_key = hmac_md5(key, proof)
        if answer.flags & NegotiateFlags.key_exch and answer.flags & (NegotiateFlags.sign | NegotiateFlags.seal):
            session_key = rc4k(session_key, answer.encrypted_random_session_key or b"")
        self._session_key = session_key
        if pairs.get(AvId.flags, 0) & AvFlags.mic:
            told, answer.mic = answer.mic, bytes(16)
            if not hmac.compare_digest(hmac_md5(session_key, negotiate.pack() + challenge.pack() + answer.pack()), told or b""):
                raise InvalidTokenError(context_msg="the messages of the exchange were changed on their way")
        self._user = user
        self._context_attr = answer.flags
        self._complete = True

    def _check_bindings(self, told: bytes | None, ours: GssChannelBindings | None) -> None:
        if ours is None or self._level == "None":
            return
        if told in {None, _NO_BINDINGS}:
            if self._level == "Strict":
                raise LogonFailed("the client sent no channel bindings")
        elif told != md5(ours.pack()):
            raise LogonFailed("the client is bound to another TLS channel")
