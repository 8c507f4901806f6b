"""Can this device be reached, and where does the way end: one check after the other, from the name to a session.

Called by ``akslite device test``. Changes nothing on the device; a failed check is a finding, not an exception.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from akslite_ps.errors import AksLiteError, NotPermitted, Unreachable
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.remoting.faults import describe_network_error
from akslite_ps.remoting.session import Session

_TITLES = {
    "name": "Name resolution",
    "tcp": "TCP connection",
    "tls": "TLS and certificate",
    "authentication": "Authentication",
    "session": "PowerShell session",
    "language": "Language mode",
    "version": "PowerShell version",
}
_EXPIRY_WARNING_DAYS = 30


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """One check on the way to a device.

    Args:
        check: Short id: name, tcp, tls, authentication, session, language, version.
        title: The same for people.
        ok: None where it was not tried because an earlier one failed.
        finding: What was found.
        next_action: What to do where it is not ok.
        duration_s: Seconds it took.
    """

    check: str
    title: str
    ok: bool | None
    finding: str
    next_action: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """All checks of one device, in order.

    Args:
        device: Name of the device.
        url: Its endpoint.
        checks: The checks that apply to the endpoint.
        language: ``full``, ``constrained``, ``none`` or ``unknown``.
        powershell_version: Version of PowerShell there, None where no session could be opened.
        error: What ended the way, as any other command would tell it; None where nothing did.
    """

    device: str
    url: str
    checks: tuple[EndpointCheck, ...]
    language: str = "unknown"
    powershell_version: str | None = None
    error: AksLiteError | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """True where no check failed."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return {
            "device": self.device,
            "url": self.url,
            "checks": [asdict(check) for check in self.checks],
            "language": self.language,
            "powershell_version": self.powershell_version,
            "ok": self.ok,
        }


@dataclass
class _Checks:
    done: list[EndpointCheck] = field(default_factory=list)
    error: AksLiteError | None = None

    @property
    def broken(self) -> bool:
        return self.error is not None

    @contextmanager
    def trying(self, check: str, device: Device) -> Iterator[list[str]]:
        """Record one check; what fails inside ends the way. The list takes the finding."""
        finding: list[str] = []
        began = time.monotonic()
        try:
            yield finding
        except OSError as error:
            message, next_action = describe_network_error(error, device.endpoint)
            self.fail(check, Unreachable(message, device=device.name, next_action=next_action), began)
        else:
            self.add(check, True, " ".join(finding), "", began)

    def add(self, check: str, ok: bool | None, finding: str, next_action: str = "", began: float | None = None) -> None:
        duration = time.monotonic() - began if began is not None else 0.0
        self.done.append(EndpointCheck(check, _TITLES[check], ok, finding, next_action, duration))

    def fail(self, check: str, error: AksLiteError, began: float) -> None:
        self.error = error
        self.add(check, False, error.message, error.next_action or "", began)


def probe(device: Device, *, ask: Callable[[str], str] | None = None, open_timeout_s: float = 15) -> EndpointReport:
    """Go the whole way to a device once and tell where it ends.

    Args:
        device: The device.
        ask: Answers ``prompt:`` references.
        open_timeout_s: Seconds that each step of opening the session may take.
    """
    endpoint = device.endpoint
    checks = _Checks()
    address: str | None = None
    with checks.trying("name", device) as finding:
        address = _resolve(endpoint)
        finding.append(f"{endpoint.host} is {address}" if address != endpoint.host else f"{address} is an address")
    if address is not None:
        with checks.trying("tcp", device) as finding:
            _connect(address, endpoint).close()
            finding.append(f"port {endpoint.port} answers")
    if endpoint.transport == "https" and not checks.broken and address is not None:
        with checks.trying("tls", device) as finding:
            finding.append(_certificate_finding(address, endpoint))
    language, version = "unknown", None
    if not checks.broken:
        language, version = _session_checks(device, checks, ask, open_timeout_s)
    tried = {check.check for check in checks.done}
    for check in _TITLES:
        if check not in tried and (check != "tls" or endpoint.transport == "https"):
            checks.add(check, None, "not tried")
    in_order = sorted(checks.done, key=lambda check: list(_TITLES).index(check.check))
    return EndpointReport(device.name, endpoint.url, tuple(in_order), language, version, checks.error)


def _session_checks(
    device: Device, checks: _Checks, ask: Callable[[str], str] | None, open_timeout_s: float
) -> tuple[str, str | None]:
    began = time.monotonic()
    try:
        session = Session.open(device, ask=ask, open_timeout_s=open_timeout_s)
    except NotPermitted as error:
        checks.add("authentication", True, f"'{device.endpoint.auth}' accepted", "", began)
        checks.fail("session", error, began)
        return "unknown", None
    except AksLiteError as error:
        checks.fail("session" if isinstance(error, Unreachable) else "authentication", error, began)
        return "unknown", None
    with session:
        who = device.endpoint.username or "the certificate or ticket"
        checks.add("authentication", True, f"'{device.endpoint.auth}' accepted {who}", "", began)
        checks.add("session", True, f"session configuration '{device.endpoint.configuration_name}' opened", "", began)
        began = time.monotonic()
        language = session.language
        checks.add("language", True, _LANGUAGE_FINDINGS[language], "", began)
        version = session.powershell_version
        checks.add("version", True, f"PowerShell {version}" if version else "the device does not tell its version")
    return language, version


_LANGUAGE_FINDINGS = {
    "full": "full: scripts and commands are taken",
    "constrained": "constrained: scripts are taken with limits",
    "none": "none: commands with parameters only, as a restricted (JEA) endpoint should",
    "unknown": "unknown: the device did not say",
}


def _resolve(endpoint: Endpoint) -> str:
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


def _connect(address: str, endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((address, endpoint.port), timeout=endpoint.connect_timeout_s)


def _certificate_finding(address: str, endpoint: Endpoint) -> str:
    context = ssl.create_default_context(cafile=str(endpoint.ca_file) if endpoint.ca_file else None)
    with _connect(address, endpoint) as plain, context.wrap_socket(plain, server_hostname=endpoint.host) as secured:
        certificate = secured.getpeercert() or {}
        protocol = secured.version()
    expires = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), dt.UTC)
    days = (expires - dt.datetime.now(dt.UTC)).days
    soon = f", in {days} days: renew it" if days < _EXPIRY_WARNING_DAYS else ""
    return f"{protocol}, certificate trusted, valid until {expires:%Y-%m-%d}{soon}"
