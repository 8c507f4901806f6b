"""The configuration of a device's WinRM service (``winrm get winrm/config``) as it answers Get. No I/O.

Called by ``protocol.shell_service``. Elements and their order are recorded (``reference/wsman-psrp.md`` section 2); values are
Windows' defaults, and the device's own where it has some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from akslite_ps.sandbox.engine import LogonScheme, LogonSettings
from akslite_ps.sandbox.protocol.wsman_operations import CONFIG_URI, SERVER_ENVELOPE_SIZE
from akslite_ps.sandbox.protocol.wsman_shell import DEFAULT_IDLE_TIMEOUT_S, Quotas

_Tree = Sequence[tuple[str, "str | _Tree"]]
_NO_LIMIT = "4294967295"
_MANY = "2147483647"
_SDDL = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"
_CLIENT_SCHEMES = {"Basic": "true", "Digest": "true", "Kerberos": "true", "Negotiate": "true", "Certificate": "true"}
_SERVICE_SCHEMES: tuple[LogonScheme, ...] = ("Basic", "Kerberos", "Negotiate", "Certificate", "CredSSP")


def configuration_element(uri: str, logon: LogonSettings, quotas: Quotas, ports: tuple[int, int]) -> str | None:
    """The element that a resource URI names; None where there is no such part.

    Args:
        uri: ``http://schemas.microsoft.com/wbem/wsman/1/config``, or that of a part, e.g. with ``/service/auth`` after it.
        logon: How clients may log on.
        quotas: The service's limits.
        ports: Of the HTTP and the HTTPS listener.
    """
    name, content = "Config", _config(logon, quotas, ports)
    for part in uri[len(CONFIG_URI) :].strip("/").split("/"):
        if not part:
            continue
        found = next(((each, inner) for each, inner in content if each.lower() == part.lower()), None)
        if found is None or isinstance(found[1], str):
            return None
        name, content = found[0], found[1]
    return f'<cfg:{name} xmlns:cfg="{uri.rstrip("/")}">{"".join(_elements(content))}</cfg:{name}>'


def _elements(tree: _Tree) -> Iterator[str]:
    for name, content in tree:
        inner = content if isinstance(content, str) else "".join(_elements(content))
        yield f"<cfg:{name}>{inner}</cfg:{name}>"


def _config(logon: LogonSettings, quotas: Quotas, ports: tuple[int, int]) -> _Tree:
    return (
        ("MaxEnvelopeSizekb", str(SERVER_ENVELOPE_SIZE // 1024)),
        ("MaxTimeoutms", "60000"),
        ("MaxBatchItems", "32000"),
        ("MaxProviderRequests", _NO_LIMIT),
        ("Client", _client()),
        ("Service", _service(logon, quotas, ports)),
        ("Winrs", _winrs(quotas)),
    )


def _client() -> _Tree:
    return (
        ("NetworkDelayms", "5000"),
        ("URLPrefix", "wsman"),
        ("AllowUnencrypted", "false"),
        ("Auth", (*_CLIENT_SCHEMES.items(), ("CredSSP", "false"))),
        ("DefaultPorts", (("HTTP", "5985"), ("HTTPS", "5986"))),
        ("TrustedHosts", ""),
    )


def _service(logon: LogonSettings, quotas: Quotas, ports: tuple[int, int]) -> _Tree:
    allowed = tuple((scheme, str(scheme in logon.schemes).lower()) for scheme in _SERVICE_SCHEMES)
    return (
        ("RootSDDL", _SDDL),
        ("MaxConcurrentOperations", _NO_LIMIT),
        ("MaxConcurrentOperationsPerUser", str(quotas.operations_per_user)),
        ("EnumerationTimeoutms", "240000"),
        ("MaxConnections", "300"),
        ("MaxPacketRetrievalTimeSeconds", "120"),
        ("AllowUnencrypted", "false"),
        ("Auth", (*allowed, ("CbtHardeningLevel", logon.channel_binding))),
        ("DefaultPorts", (("HTTP", str(ports[0])), ("HTTPS", str(ports[1])))),
        ("IPv4Filter", "*"),
        ("IPv6Filter", "*"),
        ("EnableCompatibilityHttpListener", "false"),
        ("EnableCompatibilityHttpsListener", "false"),
        ("CertificateThumbprint", ""),
        ("AllowRemoteAccess", "true"),
    )


def _winrs(quotas: Quotas) -> _Tree:
    return (
        ("AllowRemoteShellAccess", "true"),
        ("IdleTimeout", str(int(DEFAULT_IDLE_TIMEOUT_S * 1_000))),
        ("MaxConcurrentUsers", _MANY),
        ("MaxShellRunTime", _MANY),
        ("MaxProcessesPerShell", _MANY),
        ("MaxMemoryPerShellMB", _MANY),
        ("MaxShellsPerUser", str(quotas.shells_per_user)),
    )
