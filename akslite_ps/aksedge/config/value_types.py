"""Value types of the config's fields: addresses, identifiers, choices. Used by the config's models only."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from akslite_ps.secrets import REDACTOR

_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", re.ASCII)
_SCHEMA = re.compile(r"[1-9]\d{0,8}\.(0|[1-9]\d{0,8})", re.ASCII)
_PLACEHOLDER = re.compile(r"\s*<.*>\s*", re.DOTALL)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Section(BaseModel):
    """Base of the config's models: frozen, strict, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _text(value: str) -> str:
    if _PLACEHOLDER.fullmatch(value):
        raise ValueError("a placeholder in angle brackets was left in; the device's tools fail on it")
    if not value.isprintable():
        raise ValueError("it holds a line break or another control character")
    return value


def _ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError("it is no IPv4 address; the product knows no IPv6") from None


def _subnet(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise ValueError("it is no IPv4 subnet, or has bits set behind its prefix") from None
    if "/" not in value:
        raise ValueError("the prefix length is missing")
    return str(network)


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value):
        raise ValueError("it is no GUID")
    return str(uuid.UUID(value))


def _proxy_address(value: str) -> str:
    user = value.rpartition("@")[0]  # a password may hold what ends a host's name
    password = (user.partition("://")[2] or user).partition(":")[2]
    if password:
        REDACTOR.add(password)
        raise ValueError("it carries a password, which the product would keep and log in clear text")
    try:
        parts = urlsplit(_text(value))
        usable = parts.scheme.casefold() in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it is no http or https address with a host")
    return value


def _mac(value: str) -> str:
    if not _MAC.fullmatch(value):
        raise ValueError("it is no MAC address with colons")
    return value


def _schema_version(value: str) -> str:
    if not _SCHEMA.fullmatch(value):
        raise ValueError("it is no schema version")
    return value


def choice(literal: Any) -> Any:
    """A validator that takes the choices of a Literal in any case, as PowerShell compares them."""
    spelling = {str(option).casefold(): option for option in get_args(literal)}
    return BeforeValidator(lambda value: spelling.get(value.casefold(), value) if isinstance(value, str) else value)


Text = Annotated[str, AfterValidator(_text)]
Ipv4 = Annotated[str, AfterValidator(_ipv4)]
Subnet = Annotated[str, AfterValidator(_subnet)]
Guid = Annotated[str, AfterValidator(_guid)]
ProxyAddress = Annotated[str, AfterValidator(_proxy_address)]
MacAddress = Annotated[str, AfterValidator(_mac)]
SchemaVersion = Annotated[str, AfterValidator(_schema_version)]
