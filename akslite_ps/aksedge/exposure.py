"""Ports of a device's host that lead into its cluster, by AksLiteOps: port proxies with a firewall rule of ours each.

Used by ``operations.expose`` and ``remove``. Port proxies carry TCP over IPv4 only. What is not ours is told and never changed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from akslite_ps.aksedge.session_port import DeviceSession


LIMIT_S = 120.0
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - of the device's host, as netsh writes it
LOCAL_SUBNET = "LocalSubnet"
RESERVED_PORTS = frozenset({22, 135, 139, 445, 3389, 5985, 5986})
"""Ports of Windows' own remote access: OpenSSH, RPC, file shares, Remote Desktop, WinRM."""


def _ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError("must be an IPv4 address: port proxies know no other here") from None


def _source(value: str) -> str:
    if value.casefold() == LOCAL_SUBNET.casefold():
        return LOCAL_SUBNET
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise ValueError("must be an IPv4 address, a subnet such as 10.1.0.0/16, or LocalSubnet") from None
    return str(network) if "/" in value else str(network.network_address)


def _own_port(value: int) -> int:
    if value in RESERVED_PORTS:
        raise ValueError(f"is a port of Windows' own remote access ({', '.join(map(str, sorted(RESERVED_PORTS)))})")
    return value


Port = Annotated[int, Field(ge=1, le=65535)]


class Exposure(BaseModel):
    """A port of the host that leads into the cluster. Plain data for inventories and plans.

    Args:
        port: Port of the host.
        to_address: Where it leads, e.g. the address of a LoadBalancer service or of a node.
        to_port: Port there.
        listen: Address of the host; default: all.
        allowed: Who may connect: addresses, subnets, or ``LocalSubnet``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: Annotated[Port, AfterValidator(_own_port)]
    to_address: Annotated[str, AfterValidator(_ipv4)]
    to_port: Port
    listen: Annotated[str, AfterValidator(_ipv4)] = EVERY_ADDRESS
    allowed: tuple[Annotated[str, AfterValidator(_source)], ...] = Field(default=(LOCAL_SUBNET,), min_length=1)

    def __str__(self) -> str:
        return f"{self.listen}:{self.port} -> {self.to_address}:{self.to_port}"


@dataclass(frozen=True, slots=True)
class PortProxy:
    """A port proxy as the host has it; ``ours`` where a firewall rule of ours belongs to it."""

    listen: str
    port: int
    to_address: str
    to_port: int
    ours: bool

    def __str__(self) -> str:
        return f"{self.listen}:{self.port} -> {self.to_address}:{self.to_port}"

    def is_for(self, wanted: Exposure) -> bool:
        """Whether it leads where it is wanted."""
        return (self.listen, self.port, self.to_address, self.to_port) == (
            wanted.listen,
            wanted.port,
            wanted.to_address,
            wanted.to_port,
        )


@dataclass(frozen=True, slots=True)
class HostPorts:
    """What Get-AksLiteExposure tells.

    Args:
        proxies: All IPv4 port proxies; None where they cannot be read.
        listening: TCP ports in use; None where they cannot be read.
        helper_service: State of the service that forwards (iphlpsvc), None where it is not shown.
    """

    proxies: tuple[PortProxy, ...] | None
    listening: frozenset[int] | None
    helper_service: str | None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """From the object that the device gave."""
        told, listening, helper = answer.get("Proxies"), answer.get("Listening"), answer.get("HelperService")
        items = told if isinstance(told, list | tuple) else [] if told is None else [told]
        ports = listening if isinstance(listening, list | tuple) else [listening]
        return cls(
            None if told is None else tuple(_proxy(item) for item in items if isinstance(item, Mapping)),
            None if listening is None else frozenset(port for port in ports if isinstance(port, int)),
            str(helper) if helper is not None else None,
        )


def _proxy(item: Mapping[str, Any]) -> PortProxy:
    return PortProxy(
        str(item.get("ListenAddress")),
        int(item.get("ListenPort") or 0),
        str(item.get("ConnectAddress")),
        int(item.get("ConnectPort") or 0),
        item.get("Ours") is True,
    )


def host_ports(session: DeviceSession, *, timeout_s: float = LIMIT_S) -> HostPorts:
    """Which ports of the host lead elsewhere, and what listens. Changes nothing."""
    from akslite_ps.aksedge.ops_answers import one_object, send

    name = "Get-AksLiteExposure"
    return HostPorts.read(one_object(session, send(session, name, timeout_s), name))


def add_exposure(session: DeviceSession, wanted: Exposure, *, timeout_s: float = LIMIT_S) -> None:
    """Make a port lead into the cluster, and open it in the firewall; one of ours there is replaced.

    Raises:
        CmdletFailed: A port proxy that is not ours listens there, or Windows refuses.
    """
    from akslite_ps.aksedge.ops_answers import send

    send(
        session,
        "Add-AksLiteExposure",
        timeout_s,
        ListenPort=wanted.port,
        ListenAddress=wanted.listen,
        ConnectAddress=wanted.to_address,
        ConnectPort=wanted.to_port,
        RemoteAddress=list(wanted.allowed),
    )


def remove_exposure(session: DeviceSession, listen: str, port: int, *, timeout_s: float = LIMIT_S) -> bool:
    """Take a port of ours away; False where there is none of ours."""
    from akslite_ps.aksedge.ops_answers import send

    answer = send(session, "Remove-AksLiteExposure", timeout_s, ListenPort=port, ListenAddress=listen)
    return any(value is True for value in answer.output)
