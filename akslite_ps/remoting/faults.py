"""What went wrong on the way to a device, said exactly: one exception in, one error of ours out.

Called by ``remoting.pool`` around everything that touches the network. Reads exceptions of requests,
urllib3, ssl, spnego and pypsrp and WSMan fault codes (wsmerror.h); touches nothing itself.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import xml.etree.ElementTree as ET

import requests
from pypsrp.exceptions import WinRMError, WinRMTransportError, WSManFaultError
from spnego.exceptions import SpnegoError
from urllib3.exceptions import ReadTimeoutError

from akslite_ps.errors import AksLiteError, NotPermitted, RemotingError, SessionLost, Unreachable
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.exception_chain import causes
from akslite_ps.remoting.refusals import is_logon_error, refusal, refuses_client_certificate
from akslite_ps.remoting.transport import NotWinRM
from akslite_ps.secrets import redact

ACCESS_DENIED = 5
OPERATION_ABORTED = 995
CANCELLED = 1223
STILL_PENDING = 1359
"""Answer to a Receive that repeats the message id of one the device is still holding open."""
OPERATION_TIMED_OUT = 2150858793
NO_SUCH_RESOURCE = frozenset((2150858754, 2150858811))
"""There is no session configuration of that name; which of the two depends on the Windows version."""
UNEXPECTED_SELECTORS = 2150858843
"""There is no such shell or command."""
INVALID_SHELL_HANDLE = 2150859084
REMOTE_SHELLS_NOT_ALLOWED = 2150859180
SHELL_DISCONNECTED = 2150859204
SESSION_ID_MISMATCH = 2150859206
CONNECTED_TO_DIFFERENT_CLIENT = 2150859213
STREAM_DISCONNECTED = 2150859230

SHELL_GONE = frozenset((OPERATION_ABORTED, CANCELLED, UNEXPECTED_SELECTORS, INVALID_SHELL_HANDLE))
DISCONNECTED = frozenset((SHELL_DISCONNECTED, STREAM_DISCONNECTED))
_QUOTA = frozenset((*range(2150859173, 2150859180), *range(2150859235, 2150859240)))

FAILURES = (AksLiteError, WinRMError, SpnegoError, requests.RequestException, OSError, ValueError, ET.ParseError)
"""What an exchange with a device can end in; for the few places where it does not matter how it failed."""

_CERTIFICATE_FILE_FAULTS = ("X509", "PEM", "ASN1")
"""Parts of OpenSSL that read a certificate file of this machine, before anything is sent."""

DROPPED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""The connection broke or went silent; whether the device read the request is unknown."""

_UNREADABLE = (ValueError, struct.error, ET.ParseError, LookupError, AttributeError, TypeError)
"""What pypsrp and the standard library raise over content that makes no sense."""

_CUT_ANSWERS = (http.client.IncompleteRead, http.client.RemoteDisconnected)

_SESSION_GONE = (
    "the session no longer exists on the device; it restarted, its WinRM service did, or the session's idle time or quota ran out"
)
_ANOTHER_SERVICE = "check host and port: another service, or a proxy, seems to answer there"
_SERVICE_UNAVAILABLE = 503
_LOST_NEXT = "read the device's state before anything is sent again; what ran in the session may have ended, stopped or gone on"


def was_cut(error: BaseException) -> bool:
    """True where a connection that had been there broke; False where none came about or nobody answered in time."""
    broken = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead, ssl.SSLEOFError)
    return any(isinstance(cause, broken) for cause in causes(error))


def fault_code(error: BaseException) -> int | None:
    """The WSMan fault code, where the error is a fault."""
    if isinstance(error, WSManFaultError):
        code: object = error.code
        return code & 0xFFFFFFFF if isinstance(code, int) else None
    return None


def is_passing(error: AksLiteError) -> bool:
    """Whether a lost session may still be on the device: the way to it broke, or another client holds it for the moment.

    False where the device itself says that it is gone, and where nothing tells.
    """
    codes = _fault_codes(error)
    if codes:
        return codes[0] in (CONNECTED_TO_DIFFERENT_CLIENT, SESSION_ID_MISMATCH, OPERATION_TIMED_OUT)
    return is_unanswered(error)


def is_unanswered(error: AksLiteError) -> bool:
    """Whether the way to the device broke, or none came about: the device itself said nothing."""
    if _fault_codes(error):
        return False
    return any(isinstance(cause, requests.RequestException | OSError | WinRMTransportError) for cause in causes(error))


def _fault_codes(error: AksLiteError) -> list[int]:
    """The WSMan fault codes in an error and in what it wraps, the outermost first."""
    return [code for cause in causes(error) if (code := fault_code(cause)) is not None]


def as_remoting_error(error: BaseException, device: Device, attempted: str, *, established: bool) -> AksLiteError:
    """The error of ours for an exception from below.

    Args:
        error: What was raised.
        device: The device concerned.
        attempted: What was being done, e.g. ``open a session``.
        established: True where a session existed: a broken way is then SessionLost, not Unreachable.
    """
    if isinstance(error, AksLiteError):
        return error
    if isinstance(error, WSManFaultError):
        return _fault(error, device, attempted, established=established)
    if is_logon_error(error) or refuses_client_certificate(error, device.endpoint):
        return refusal(error, device, attempted)
    if isinstance(error, WinRMTransportError):
        return _http_status(error, device, attempted, established=established)
    return _network(error, device, attempted, established=established)


def _fault(error: WSManFaultError, device: Device, attempted: str, *, established: bool) -> AksLiteError:
    code = fault_code(error)
    endpoint = device.endpoint
    reason = redact(" ".join(str(error.provider_fault or error.reason or error.message).split()))
    if code in SHELL_GONE and established:
        return SessionLost(_SESSION_GONE, device=device.name, attempted=attempted, next_action=_LOST_NEXT)
    if code in (ACCESS_DENIED, REMOTE_SHELLS_NOT_ALLOWED):
        return NotPermitted(
            f"access to session configuration '{endpoint.configuration_name}' is denied to '{endpoint.username}': {reason}",
            device=device.name,
            attempted=attempted,
            next_action="use an account that the session configuration admits, or have it admitted there",
        )
    if code in NO_SUCH_RESOURCE:
        return NotPermitted(
            f"there is no session configuration '{endpoint.configuration_name}' for this user: {reason}",
            device=device.name,
            attempted=attempted,
            next_action="check the endpoint's configuration_name, or register the session configuration on the device",
        )
    if code in _QUOTA:
        return Unreachable(
            f"the device is busy, a quota of its WinRM service is used up: {reason}",
            device=device.name,
            attempted=attempted,
            next_action="wait and try again; close sessions that are not needed",
        )
    if code in (CONNECTED_TO_DIFFERENT_CLIENT, SESSION_ID_MISMATCH):
        return SessionLost(
            f"the session is in use by another client: {reason}",
            device=device.name,
            attempted=attempted,
            next_action="end the other client, or wait until the device notices that it is gone, and try again",
        )
    if code == OPERATION_TIMED_OUT:
        kind = SessionLost if established else Unreachable
        return kind(
            "the device did not answer within the operation time-out",
            device=device.name,
            attempted=attempted,
            next_action="try again; raise the endpoint's operation_timeout_s where the device is slow",
        )
    kind_of = SessionLost if established else RemotingError
    return kind_of(
        f"the device answered with a fault{f' ({error.code})' if error.code else ''}: {reason}",
        device=device.name,
        attempted=attempted,
        next_action=_LOST_NEXT if established else "mend what the device names; its WinRM event log has more",
    )


def _http_status(error: WinRMTransportError, device: Device, attempted: str, *, established: bool) -> AksLiteError:
    status = int(error.code)
    if isinstance(error, NotWinRM):
        kind = SessionLost if established else Unreachable
        return kind(
            f"what answers at {device.endpoint.url} is not the device's WinRM service: {error.why}",
            device=device.name,
            attempted=attempted,
            next_action=_LOST_NEXT if established else _ANOTHER_SERVICE,
        )
    if established:
        return SessionLost(
            f"the device's WinRM service answered HTTP {status}; it dropped this connection or restarted",
            device=device.name,
            attempted=attempted,
            next_action=_LOST_NEXT,
        )
    if status == _SERVICE_UNAVAILABLE:
        return Unreachable(
            f"{device.endpoint.url} answered HTTP 503: the device is up and its WinRM service is not running, or takes no more",
            device=device.name,
            attempted=attempted,
            next_action="wait and try again; see to the service on the device (Get-Service WinRM)",
        )
    return Unreachable(
        f"{device.endpoint.url} answered HTTP {status}, which is not WinRM's way",
        device=device.name,
        attempted=attempted,
        next_action=_ANOTHER_SERVICE,
    )


def _network(error: BaseException, device: Device, attempted: str, *, established: bool) -> AksLiteError:
    message, next_action = describe_network_error(error, device.endpoint)
    if established and not _is_trust_problem(error):
        return SessionLost(
            f"the connection to the device is lost: {message}", device=device.name, attempted=attempted, next_action=_LOST_NEXT
        )
    if isinstance(error, (requests.RequestException, OSError, WinRMError, *_UNREADABLE)) or _is_trust_problem(error):
        return Unreachable(message, device=device.name, attempted=attempted, next_action=next_action)
    return RemotingError(
        f"unexpected {type(error).__name__}: {redact(str(error))}",
        device=device.name,
        attempted=attempted,
        next_action="run again with --debug and report this",
    )


def _is_trust_problem(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in causes(error))


def describe_network_error(error: BaseException, endpoint: Endpoint) -> tuple[str, str]:
    """What exactly failed on the network, and what to do: message and next action."""
    where = f"{endpoint.host}:{endpoint.port}"
    if endpoint.auth == "certificate" and was_cut(error):
        return (
            f"{where} broke the TLS connection off, as a device does that does not trust the client certificate",
            "have the authority that issued the client certificate trusted on the device; check that WinRM runs there",
        )
    for cause in causes(error):
        if isinstance(cause, requests.exceptions.ProxyError):
            return (
                f"the proxy on the way to {where} could not be used",
                "correct the endpoint's proxy, or leave it out where the device can be reached straight",
            )
        if isinstance(cause, requests.TooManyRedirects):
            return (f"{where} sends on to another address, which WinRM never does", _ANOTHER_SERVICE)
        if isinstance(cause, http.client.HTTPException) and not isinstance(cause, _CUT_ANSWERS):
            return (f"{where} does not answer as a web service does ({type(cause).__name__})", _ANOTHER_SERVICE)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, endpoint)
        if isinstance(cause, ssl.SSLError) and cause.library in _CERTIFICATE_FILE_FAULTS and endpoint.ca_file is not None:
            return (
                f"the CA file '{endpoint.ca_file}' holds no usable certificate ({cause.reason})",
                "give a file with the authority's certificate in PEM form",
            )
        if isinstance(cause, ssl.SSLError):
            return (
                f"{where} does not answer as TLS should ({cause.reason or 'handshake failed'})",
                "check that the port is WinRM's HTTPS port (usually 5986) and not the one for HTTP",
            )
        if isinstance(cause, socket.gaierror):
            return (
                f"the host name '{endpoint.host}' is unknown to this machine's name resolution",
                "check the spelling of the host, or use the device's address",
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                f"nothing listens on {where} (connection refused)",
                "check that the device is on, that WinRM runs there (winrm quickconfig) and that the port is right",
            )
        if isinstance(cause, requests.ConnectTimeout):
            return (
                f"no answer from {where} within {endpoint.connect_timeout_s:g} s",
                "check that the device is on and that firewalls let the port through",
            )
        if isinstance(cause, requests.ReadTimeout | ReadTimeoutError):
            return (f"{where} took the request and then went silent", "check the network and the device's load, then try again")
        if isinstance(cause, ConnectionResetError | ConnectionAbortedError | BrokenPipeError | EOFError):
            return (f"{where} cut the connection", "the device or its WinRM service may be restarting: wait and try again")
    if isinstance(error, WinRMError):
        return (f"{where} answers, and not as WinRM does: {redact(str(error))}", _ANOTHER_SERVICE)
    if isinstance(error, _UNREADABLE) and not isinstance(error, requests.RequestException):
        return (
            f"{where} sent an answer that cannot be read ({type(error).__name__}: {redact(str(error))})",
            "try again; if it stays so, look at PowerShell on the device, and report this with what --debug shows",
        )
    if isinstance(error, OSError) and "TLS CA certificate bundle" in str(error):
        return (f"the CA file '{endpoint.ca_file}' does not exist", "correct the endpoint's ca_file")
    for cause in causes(error):
        if isinstance(cause, TimeoutError):
            return (f"no answer from {where}", "check that the device is on and that firewalls let the port through")
        if isinstance(cause, OSError) and cause.errno is not None and not isinstance(cause, requests.RequestException):
            return (f"{where} cannot be reached: {cause.strerror}", "check the network between this machine and the device")
    return (
        f"{where} broke off the exchange ({type(error).__name__})",
        "try again; look at the device's WinRM event log if it stays so",
    )


_EXPIRED, _SELF_SIGNED, _SELF_SIGNED_CHAIN, _UNKNOWN_ISSUER, _HOST_MISMATCH, _ADDRESS_MISMATCH = 10, 18, 19, 20, 62, 64


def _certificate(error: ssl.SSLCertVerificationError, endpoint: Endpoint) -> tuple[str, str]:
    trusted = f"'{endpoint.ca_file}'" if endpoint.ca_file else "this machine's trusted authorities"
    code = getattr(error, "verify_code", None)
    if code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
        return (
            f"the device's certificate is not made out for '{endpoint.host}'",
            "use the name that the certificate carries, or give the device a certificate with this name",
        )
    if code == _EXPIRED:
        return ("the device's certificate has expired", "renew the certificate on the device; check this machine's clock")
    if code in (_SELF_SIGNED, _SELF_SIGNED_CHAIN, _UNKNOWN_ISSUER):
        return (
            f"the device's certificate is not trusted: its issuer is not among {trusted}",
            "set the endpoint's ca_file to the authority that issued it (or to the certificate itself if it is self-signed)",
        )
    return (
        f"the device's certificate is not trusted: {getattr(error, 'verify_message', '') or 'verification failed'}",
        "set the endpoint's ca_file to the right authority, or mend the certificate on the device",
    )
