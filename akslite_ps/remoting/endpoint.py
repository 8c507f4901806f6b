"""How to reach a device: plain data, safe to store (the password is a reference).

Read by ``remoting.session`` and kept by ``fleet.inventory``; opens nothing itself.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator

from akslite_ps.secrets import SecretRef

Auth = Literal["negotiate", "ntlm", "kerberos", "basic", "certificate", "credssp"]
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9_-])?")
_WINDOWS_DEVICE_FILE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def _secret_ref(value: object) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    return SecretRef.parse(str(value))


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if _HOST_NAME.fullmatch(value):
            return value
        raise ValueError("must be a host name or an IP address, without scheme, port or path") from None


def _proxy(value: str) -> str:
    try:
        url = urlsplit(value)
        is_usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and "@" not in url.netloc
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("must be the URL of a proxy, such as http://proxy.example:3128, without user and password")
    return value


def _device_name(value: str) -> str:
    if not _DEVICE_NAME.fullmatch(value):
        raise ValueError("must be 1 to 63 letters, digits, '.', '_' or '-', starting with a letter or digit, not ending with '.'")
    if _WINDOWS_DEVICE_FILE.fullmatch(value):
        raise ValueError("is a name that Windows keeps for itself: no file of it could be kept there; choose another")
    return value


StoredSecretRef = Annotated[SecretRef, PlainValidator(_secret_ref), PlainSerializer(str, return_type=str)]


class Endpoint(BaseModel):
    """The WinRM endpoint of one device.

    Args:
        host: Host name or address.
        transport: ``http`` (message encryption by the authentication) or ``https``.
        port: TCP port; default 5985 for http, 5986 for https.
        auth: Authentication. ``basic`` and ``certificate`` only over https.
        username: ``user``, ``DOMAIN\\user`` or ``user@realm``.
        password: Reference to the password; for ``certificate`` to the passphrase of its key, if it has one.
        configuration_name: PowerShell session configuration (a JEA endpoint has its own).
        ca_file: CA bundle to trust for https instead of the system's.
        certificate_file, certificate_key_file: Client certificate, PEM, for ``certificate``.
        spn_host: Name of the device in its Kerberos service principal, where it is not ``host``: a device that is reached by its
            address has a name in the domain all the same.
        proxy: URL of an HTTP proxy to go through, e.g. ``http://proxy.example:3128``. Without it the device is reached straight, as
            Windows' own client does it: the proxies that the environment names are for web sites.
        operation_timeout_s: WSMan operation time-out in seconds: how long one Receive may stay open.
        connect_timeout_s: Seconds to wait for the TCP connection.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, AfterValidator(_host)]
    transport: Literal["http", "https"] = "http"
    port: Annotated[int, Field(ge=1, le=65535)] = 0  # validated below: 0 is replaced by the transport's default
    auth: Auth = "negotiate"
    username: str | None = None
    password: StoredSecretRef | None = None
    configuration_name: str = "Microsoft.PowerShell"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    spn_host: Annotated[str, AfterValidator(_host)] | None = None
    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    operation_timeout_s: Annotated[int, Field(ge=1, le=600)] = 20
    connect_timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("port"):
            data = {**data, "port": 5986 if data.get("transport") == "https" else 5985}
        return data

    @model_validator(mode="after")
    def _auth_fits(self) -> Self:
        if self.auth in ("basic", "certificate") and self.transport != "https":
            raise ValueError(f"auth '{self.auth}' is allowed over transport 'https' only: it would show the secret on the wire")
        if self.auth == "certificate":
            if not (self.certificate_file and self.certificate_key_file):
                raise ValueError("auth 'certificate' needs certificate_file and certificate_key_file")
        elif self.auth != "kerberos" and not (self.username and self.password):
            raise ValueError(f"auth '{self.auth}' needs username and password (a reference such as keyring:akslite/press-01)")
        return self

    @property
    def url(self) -> str:
        """The endpoint's URL, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}/wsman"


class Device(BaseModel):
    """One Windows host, known by a stable name, and how to reach it.

    Args:
        name: Stable id in the inventory, e.g. ``press-01``.
        endpoint: How to reach it.
        labels: Facts for selection, e.g. ``{"site": "hamburg"}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_device_name)]
    endpoint: Endpoint
    labels: dict[str, str] = Field(default_factory=dict)
